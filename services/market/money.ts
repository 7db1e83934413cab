/**
 * Exact sums of price x energy. A product reaches 2^72, so it is formed from 24-bit halves of the
 * energy; the halves' sums stay below 2^53 as long as the energies' sum does.
 */
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
