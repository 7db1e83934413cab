/**
 * Exact sums of price x energy. A product reaches 2^72, so it is formed from 24-bit halves of the
 * energy; the halves' sums stay below 2^53 as long as the energies' sum does.
 */
import { PRICE_UC_PER_WH_MAX } from "../primitives/limits.ts";
import { ASK, type OrderColumns } from "./orders.ts";

const HALF = 0x100_0000; // 2^24, above every |price|

export type MoneySum = { high: number; low: number };

export function moneySum(): MoneySum {
  return { high: 0, low: 0 };
}

/** Adds sign x price x energy; |price| < 2^24, and all energies added sum to at most 2^53 - 1. */
export function addValue(sum: MoneySum, signedUcPerWh: number, energyWh: number): void {
  const upper = Math.floor(energyWh / HALF);
  const low = sum.low + signedUcPerWh * (energyWh - upper * HALF);
  const carry = Math.floor(low / HALF);
  sum.low = low - carry * HALF;
  sum.high += signedUcPerWh * upper + carry;
}

export function totalUc(sum: MoneySum): bigint {
  return BigInt(sum.high) * BigInt(HALF) + BigInt(sum.low);
}

/** Energy whose value cannot leave the safe integers at any valid price, Wh. */
const PLAIN_WH_MAX = Math.floor(Number.MAX_SAFE_INTEGER / PRICE_UC_PER_WH_MAX);

/**
 * Value to bids less cost of asks of what was filled, at their own limits.
 *
 * @param fillWh - per order, integers within the order; together at most 2^53 - 1
 */
export function surplusUc(orders: OrderColumns, fillWh: Float64Array): bigint {
  const { count, side, limitUcPerWh } = orders;
  let plainUc = 0;
  let filledWh = 0;
  for (let i = 0; i < count; i++) {
    filledWh += fillWh[i]!;
    plainUc += fillWh[i]! * limitUcPerWh[i]! * (1 - 2 * side[i]!); // bids +, asks -
  }
  if (filledWh <= PLAIN_WH_MAX) return BigInt(plainUc);
  const sum = moneySum();
  for (let i = 0; i < count; i++) {
    const limit = limitUcPerWh[i]!;
    addValue(sum, side[i] === ASK ? -limit : limit, fillWh[i]!);
  }
  return totalUc(sum);
}
