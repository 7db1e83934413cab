/** Numbers as people read them, at the edge only: kWh, cents, percent, times in UTC. */
import type { RegionQuarantine } from "../wire/api.ts";

export function kwh(energyWh: number): string {
  return (energyWh / 1000).toFixed(3);
}

/** 1 uc/Wh is 0.001 ct/kWh. */
export function ctPerKwh(priceUcPerWh: number): string {
  return (priceUcPerWh / 1000).toFixed(2);
}

export function percent(ratio: number | null): string {
  return ratio === null ? "–" : `${(100 * ratio).toFixed(1)} %`;
}

/** Micro-cents as currency units with two decimals, exact: -123456789n is "-1.23". */
export function currency(amountUc: bigint): string {
  const cents = (amountUc < 0n ? -amountUc : amountUc) / 1_000_000n;
  const text = `${cents / 100n}.${String(cents % 100n).padStart(2, "0")}`;
  return amountUc < 0n && cents > 0n ? `-${text}` : text;
}

/** Micro-cents as currency units to the last digit that is not 0, at least two: "1.25". */
export function exactCurrency(amountUc: bigint): string {
  const size = amountUc < 0n ? -amountUc : amountUc;
  const digits = String(size % 100_000_000n).padStart(8, "0");
  const text = `${size / 100_000_000n}.${digits.slice(0, 2)}${digits.slice(2).replace(/0+$/, "")}`;
  return amountUc < 0n ? `-${text}` : text;
}

/** A region that is out of the market, in one line. */
export function quarantineInWords(
  region: string,
  { standing, sinceSlot, step, missedSlots }: Omit<RegionQuarantine, "fix">,
): string {
  const since = `since slot ${sinceSlot} (its ${step} step broke an invariant)`;
  return `region ${region} is ${standing} ${since}, ${missedSlots} slots missed`;
}

export function utcTime(timeS: number): string {
  return `${new Date(timeS * 1000).toISOString().slice(0, 16).replace("T", " ")}Z`;
}
