/**
 * A slot's auction as the public may see it: supply and demand in steps, each of which stands for
 * at least AGGREGATE_METERS_MIN meters, so that no step is a household. Neighbouring orders are
 * merged at their energy-weighted mean price, or at the clearing price where it lies among them, so
 * that the curves still cross where the slot cleared; a side with too few meters is not shown.
 */
import { AGGREGATE_METERS_MIN } from "../primitives/limits.ts";
import { ownUse } from "../settlement/own-use.ts";
import type { Roster } from "../settlement/roster.ts";
import { atGridMeters } from "../settlement/slot.ts";
import type { CurveStep } from "../wire/api.ts";
import { boughtAtDeliveryWh, soldAtDeliveryWh } from "../wire/bill.ts";
import type { SlotRecord } from "../wire/slot-record.ts";
import type { RegionLayout } from "./totals.ts";

export type PublicCurve = {
  readonly supply: CurveStep[]; // rising price
  readonly demand: CurveStep[]; // falling price
  readonly suppressed: boolean;
};
type Order = { readonly priceUcPerWh: number; readonly energyWh: number };

export function publicCurve(record: SlotRecord, { roster }: RegionLayout): PublicCurve {
  const { importWh, exportWh } = offeredAt(record, roster);
  // What a member draws and feeds in at once never meets the auction; the mid-market rate has none.
  const none = new Float64Array(importWh.length);
  const own =
    record.mechanism === "uniform-price"
      ? ownUse(roster, { importWh, exportWh })
      : { importWh: none, exportWh: none };
  const supply: Order[] = [];
  const demand: Order[] = [];
  roster.gridMeters.forEach((meter, place) => {
    const member = roster.memberOfMeter[meter]!;
    const sellWh = exportWh[place]! - own.exportWh[place]!;
    const buyWh = importWh[place]! - own.importWh[place]!;
    if (sellWh > 0) {
      supply.push({ priceUcPerWh: record.minSellUcPerWh[member]!, energyWh: sellWh });
    }
    if (buyWh > 0) demand.push({ priceUcPerWh: record.maxBuyUcPerWh[member]!, energyWh: buyWh });
  });
  supply.sort((a, b) => a.priceUcPerWh - b.priceUcPerWh);
  demand.sort((a, b) => b.priceUcPerWh - a.priceUcPerWh);
  const clearing = record.mechanism === "uniform-price" ? record.priceUcPerWh : null;
  const isHidden = (side: readonly Order[]) =>
    side.length > 0 && side.length < AGGREGATE_METERS_MIN;
  return {
    supply: isHidden(supply) ? [] : mergeSteps(supply, clearing),
    demand: isHidden(demand) ? [] : mergeSteps(demand, clearing),
    suppressed: isHidden(supply) || isHidden(demand),
  };
}

/** What each grid meter had to buy and to sell; forward energy never meets this auction. */
function offeredAt(record: SlotRecord, roster: Roster) {
  if (record.forward === null) {
    return {
      importWh: atGridMeters(roster, record.importWh),
      exportWh: atGridMeters(roster, record.exportWh),
    };
  }
  const bills = [...record.bills].slice(0, roster.gridMeters.length); // the slot's own, by place
  return {
    importWh: Float64Array.from(bills, boughtAtDeliveryWh),
    exportWh: Float64Array.from(bills, soldAtDeliveryWh),
  };
}

/** Cuts the sorted side into runs of at least the minimum; equal prices stay in one run. */
function mergeSteps(side: readonly Order[], clearingUcPerWh: number | null): CurveStep[] {
  const runs: Order[][] = [];
  let run: Order[] = [];
  side.forEach((order, i) => {
    run.push(order);
    const ends = side[i + 1]?.priceUcPerWh !== order.priceUcPerWh;
    if (ends && run.length >= AGGREGATE_METERS_MIN) {
      runs.push(run);
      run = [];
    }
  });
  // The rest is too few to stand alone: it joins the last run.
  if (run.length > 0) runs.push([...(runs.pop() ?? []), ...run]);
  return runs.map((orders) => step(orders, clearingUcPerWh));
}

function step(run: readonly Order[], clearingUcPerWh: number | null): CurveStep {
  const prices = run.map((order) => order.priceUcPerWh);
  const holds = (price: number) => Math.min(...prices) <= price && price <= Math.max(...prices);
  const energyWh = run.reduce((sum, order) => sum + order.energyWh, 0);
  const value = run.reduce(
    (sum, order) => sum + BigInt(order.priceUcPerWh) * BigInt(order.energyWh),
    0n,
  );
  const mean = Math.round(Number(value) / energyWh); // shown, not settled
  const shown = clearingUcPerWh !== null && holds(clearingUcPerWh) ? clearingUcPerWh : mean;
  return { priceUcPerWh: shown, energyWh, meters: run.length };
}
