/**
 * Allocation by key: the community's surplus is offered to its members by a key, each takes what it
 * can use, and what is taken is paid at one fixed community price.
 *
 * alloc(c) = min(cons(c), sum_p G(p) K(p, c)), K >= 0 and at most 1 over each producer. The four
 * European schemes are presets of this one function (allocation-presets.ts). Every product with K
 * is shared by largest remainder, so offers sum to what is produced, takings to what is delivered,
 * and money to zero, each to the last unit.
 */
import { assert } from "../../primitives/errors.ts";
import { floorDivide, shareMoney, shareProRata } from "../ration.ts";
import {
  columnSum,
  type EnergyColumn,
  minus,
  type Residuals,
  type RetailerPrices,
  type Sharing,
} from "./residuals.ts";

export const COEFFICIENT_SUM_PPM = 1_000_000;

/**
 * `pro-rata`: by import, K = c / C. `static`: one coefficient per meter, all together 1e6.
 * `supplied`: one row of coefficients per producing meter, each row together at most 1e6; what a
 * row leaves is offered to nobody.
 */
export type AllocationKey =
  | { readonly kind: "pro-rata" }
  | { readonly kind: "static"; readonly coefficientPpm: ArrayLike<number> }
  | { readonly kind: "supplied"; readonly rowsPpm: readonly ArrayLike<number>[] };

export type AllocationRule = {
  readonly key: AllocationKey;
  /** 2: what capped members leave goes to those who still need some, pro rata of that need. */
  readonly passes: 1 | 2;
  readonly priceUcPerWh: number; // paid inside the community
};

export type AllocationRefusal = {
  readonly code: "coefficients_misaligned" | "coefficient_invalid" | "coefficient_sum_invalid";
  readonly row: number | null; // producing meter of a supplied key
  readonly index: number | null; // meter
  readonly value: number;
};

/** Why a key is refused for this many meters, or null. */
export function allocationRefusal(key: AllocationKey, meters: number): AllocationRefusal | null {
  if (key.kind === "pro-rata") return null;
  if (key.kind === "static") {
    const sum = coefficientsRefusal(key.coefficientPpm, meters, null);
    if (typeof sum !== "number") return sum;
    if (meters === 0 || sum === COEFFICIENT_SUM_PPM) return null;
    return { code: "coefficient_sum_invalid", row: null, index: null, value: sum };
  }
  if (key.rowsPpm.length !== meters) {
    const value = key.rowsPpm.length;
    return { code: "coefficients_misaligned", row: null, index: null, value };
  }
  for (const [row, coefficients] of key.rowsPpm.entries()) {
    const sum = coefficientsRefusal(coefficients, meters, row);
    if (typeof sum !== "number") return sum;
    if (sum > COEFFICIENT_SUM_PPM) {
      return { code: "coefficient_sum_invalid", row, index: null, value: sum };
    }
  }
  return null;
}

/** The coefficients' sum, or why they are refused. */
function coefficientsRefusal(
  coefficients: ArrayLike<number>,
  meters: number,
  row: number | null,
): number | AllocationRefusal {
  if (coefficients.length !== meters) {
    return { code: "coefficients_misaligned", row, index: null, value: coefficients.length };
  }
  let sum = 0;
  for (let index = 0; index < meters; index++) {
    const value = coefficients[index]!;
    if (!Number.isInteger(value) || value < 0 || value > COEFFICIENT_SUM_PPM) {
      return { code: "coefficient_invalid", row, index, value };
    }
    sum += value;
  }
  return sum;
}

/**
 * Shares one slot by key.
 *
 * @param parts - residuals per meter (Wh), the retailer's prices for the rest, and a rule whose key
 *   passes `allocationRefusal` for these meters
 */
export function allocateByKey(
  parts: Residuals & RetailerPrices & { readonly rule: AllocationRule },
): Sharing {
  const { importWh, exportWh, rule } = parts;
  const meters = importWh.length;
  assert(exportWh.length === meters, "residual columns must align by meter");
  assert(allocationRefusal(rule.key, meters) === null, "the key must fit the meters");
  const first = rule.key.kind === "supplied" ? bySupplied : fromPot;
  const taken = first(parts, rule.key);
  if (rule.passes === 2) shareRest(parts, taken);
  const retailerImportWh = minus(importWh, taken.boughtWh);
  const retailerExportWh = minus(exportWh, taken.soldWh);
  const split = { ...taken, retailerImportWh, retailerExportWh };
  return { ...split, ...moneyOf(split, { ...parts, priceUcPerWh: rule.priceUcPerWh }) };
}

type Taken = { readonly boughtWh: Float64Array; readonly soldWh: Float64Array };

/** All producers feed one pot; who feeds more gives more of what is taken from it. */
function fromPot({ importWh, exportWh }: Residuals, key: AllocationKey): Taken {
  const total = columnSum(exportWh);
  const claims = key.kind === "static" ? key.coefficientPpm : importWh;
  const claimed = key.kind === "static" ? COEFFICIENT_SUM_PPM : columnSum(importWh);
  const offered =
    claimed === 0 || claims.length === 0
      ? new Float64Array(importWh.length)
      : shareProRata({ total, claims, claimed });
  const boughtWh = capped(offered, importWh);
  const takenWh = columnSum(boughtWh);
  return { boughtWh, soldWh: shareProRata({ total: takenWh, claims: exportWh, claimed: total }) };
}

function capped(offered: Float64Array, most: EnergyColumn): Float64Array {
  return offered.map((wh, i) => Math.min(wh, most[i]!));
}

/**
 * Every producer offers by its own row; a member that needs less than all its offers takes from
 * each pro rata of what it was offered.
 */
function bySupplied({ importWh, exportWh }: Residuals, key: AllocationKey): Taken {
  assert(key.kind === "supplied", "only a supplied key has rows");
  const meters = importWh.length;
  const offers = key.rowsPpm.map((row, p) => {
    const claims = new Float64Array(meters + 1);
    let left = COEFFICIENT_SUM_PPM;
    for (let c = 0; c < meters; c++) {
      claims[c] = row[c]!;
      left -= row[c]!;
    }
    claims[meters] = left;
    return shareProRata({ total: exportWh[p]!, claims, claimed: COEFFICIENT_SUM_PPM });
  });
  const boughtWh = new Float64Array(meters);
  const soldWh = new Float64Array(meters);
  for (let c = 0; c < meters; c++) {
    const claims = Float64Array.from(offers, (row) => row[c]!);
    const offeredWh = columnSum(claims);
    const total = Math.min(importWh[c]!, offeredWh);
    boughtWh[c] = total;
    const fromEach = shareProRata({ total, claims, claimed: offeredWh });
    for (let p = 0; p < meters; p++) soldWh[p]! += fromEach[p]!;
  }
  return { boughtWh, soldWh };
}

/** The second pass: what is left, to what is still needed, both pro rata. Adds to `taken`. */
function shareRest({ importWh, exportWh }: Residuals, taken: Taken): void {
  const need = minus(importWh, taken.boughtWh);
  const left = minus(exportWh, taken.soldWh);
  const [needWh, leftWh] = [columnSum(need), columnSum(left)];
  const total = Math.min(needWh, leftWh);
  const more = shareProRata({ total, claims: need, claimed: needWh });
  const from = shareProRata({ total, claims: left, claimed: leftWh });
  for (let i = 0; i < need.length; i++) {
    taken.boughtWh[i]! += more[i]!;
    taken.soldWh[i]! += from[i]!;
  }
}

/** Every price is whole, so every amount is: nothing is rounded. */
function moneyOf(
  split: Omit<Sharing, "amountUc" | "retailerUc">,
  prices: RetailerPrices & { readonly priceUcPerWh: number },
): Pick<Sharing, "amountUc" | "retailerUc"> {
  const inside = BigInt(prices.priceUcPerWh);
  const retail = BigInt(prices.retailUcPerWh);
  const feedIn = BigInt(prices.feedInUcPerWh);
  const amountUc = new BigInt64Array(split.boughtWh.length);
  let retailerUc = 0n;
  for (let i = 0; i < amountUc.length; i++) {
    const tradeUc = inside * (BigInt(split.soldWh[i]!) - BigInt(split.boughtWh[i]!));
    const restUc =
      feedIn * BigInt(split.retailerExportWh[i]!) - retail * BigInt(split.retailerImportWh[i]!);
    amountUc[i] = tradeUc + restUc;
    retailerUc -= restUc;
  }
  return { amountUc, retailerUc };
}

/**
 * A premium on shared energy, as Italian communities receive it: `consumersPpm` of it by what each
 * meter took, the rest by what each gave.
 *
 * @returns per meter, >= 0; sums to premium x shared energy exactly
 */
export function sharePremium(parts: {
  readonly split: Taken;
  readonly premiumUcPerWh: number;
  readonly consumersPpm: number;
}): BigInt64Array {
  const { split, premiumUcPerWh, consumersPpm } = parts;
  const totalUc = BigInt(columnSum(split.boughtWh)) * BigInt(premiumUcPerWh);
  const toConsumersUc = floorDivide(totalUc * BigInt(consumersPpm), BigInt(COEFFICIENT_SUM_PPM));
  const amountUc = shareMoney({ totalUc: toConsumersUc, weights: split.boughtWh });
  const givenUc = shareMoney({ totalUc: totalUc - toConsumersUc, weights: split.soldWh });
  for (let i = 0; i < amountUc.length; i++) amountUc[i]! += givenUc[i]!;
  return amountUc;
}
