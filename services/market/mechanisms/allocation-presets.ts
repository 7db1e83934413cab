/**
 * The European sharing schemes as settings of `allocateByKey`, and the one place where an
 * operator's own arithmetic differs from ours.
 *
 * Sources: Austria: EDA / ebutilities, energiegemeinschaften.gv.at (static and dynamic key,
 * participation factor). France: collective self-consumption (Enedis; static, default dynamic,
 * simple and full dynamic coefficients). Spain: RD 244/2019 annex I with the order of November
 * 2021. Italy: TIAD (ARERA 727/2022). French steps were 30 minutes before they became 15.
 */
import { assert } from "../../primitives/errors.ts";
import { floorDivide, quota } from "../ration.ts";
import type { AllocationKey } from "./allocation.ts";
import { columnSum, type EnergyColumn } from "./residuals.ts";

export type AllocationPreset = {
  readonly key: AllocationKey["kind"];
  readonly passes: 1 | 2;
  readonly slotS: number; // the scheme's own time step
  /** `premium`: members settle all energy with their retailers and share a premium on it. */
  readonly money: "community-price" | "premium";
  /** How often the coefficients of the key may differ. */
  readonly coefficients: "none" | "agreed" | "per-slot";
};

const inside = { passes: 1, money: "community-price" } as const;

export const ALLOCATION_PRESETS = {
  "austria-static": { ...inside, key: "static", slotS: 900, coefficients: "agreed" },
  "austria-dynamic": { ...inside, key: "pro-rata", slotS: 900, coefficients: "none" },
  "france-static": { ...inside, key: "static", slotS: 900, coefficients: "agreed" },
  "france-default": { ...inside, key: "pro-rata", slotS: 900, coefficients: "none" },
  "france-simple-dynamic": { ...inside, key: "static", slotS: 900, coefficients: "per-slot" },
  "france-full-dynamic": { ...inside, key: "supplied", slotS: 900, coefficients: "per-slot" },
  "spain-fixed": { ...inside, key: "static", slotS: 3600, coefficients: "agreed" },
  "spain-hourly": { ...inside, key: "static", slotS: 3600, coefficients: "per-slot" },
  italy: { passes: 1, money: "premium", key: "pro-rata", slotS: 3600, coefficients: "none" },
} as const satisfies Record<string, AllocationPreset>;

const PPM = 1_000_000;

/**
 * Austria's participation factor: the part of a metering point's energy that takes part, rounded
 * down; the rest stays with its supplier.
 *
 * @param factorPpm - per meter, 10,000 (1 %) to 1e6 (all of it)
 */
export function participatingWh(column: EnergyColumn, factorPpm: ArrayLike<number>): Float64Array {
  assert(column.length === factorPpm.length, "one factor per meter");
  const part = new Float64Array(column.length);
  for (let i = 0; i < part.length; i++) {
    assert(factorPpm[i]! >= 0 && factorPpm[i]! <= PPM, "a factor must be in [0, 1e6] ppm");
    part[i] = quota({ total: column[i]!, claim: factorPpm[i]!, claimed: PPM }).share;
  }
  return part;
}

/**
 * The Austrian operator's dynamic shares: each cell rounded by itself, half up, so that they may
 * miss the total by a unit. Only to compare with the operator's data; our own shares conserve.
 *
 * @param parts.importUnits - consumption per meter in the operator's unit (1e-6 kWh)
 * @returns min(consumption, round(total x consumption / all consumption))
 */
export function operatorDynamicShares(parts: {
  readonly totalUnits: number;
  readonly importUnits: EnergyColumn;
}): Float64Array {
  const { totalUnits, importUnits } = parts;
  const shares = new Float64Array(importUnits.length);
  const all = BigInt(columnSum(importUnits));
  if (all === 0n) return shares;
  for (let i = 0; i < shares.length; i++) {
    const twice = 2n * BigInt(totalUnits) * BigInt(importUnits[i]!) + all;
    shares[i] = Math.min(importUnits[i]!, Number(floorDivide(twice, 2n * all)));
  }
  return shares;
}
