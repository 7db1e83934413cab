/**
 * What every mechanism without an order book starts from: each meter's residual import and export
 * of one slot, after its own use of its own sun. Prices must be formed from these and never from
 * gross totals: with gross totals the bills create or destroy money.
 */
import { assert } from "../../primitives/errors.ts";
import { shareProRata } from "../ration.ts";

export type EnergyColumn = Float64Array | Uint32Array;

/** Index-aligned by meter; Wh, non-negative integers. */
export type Residuals = {
  readonly importWh: EnergyColumn;
  readonly exportWh: EnergyColumn;
};

/** Who is supplied by whom, per meter. Each meter's two parts sum to its residual. */
export type EnergySplit = {
  readonly boughtWh: Float64Array; // from the community
  readonly soldWh: Float64Array; // to the community
  readonly retailerImportWh: Float64Array;
  readonly retailerExportWh: Float64Array;
};

/** A mechanism's result: energy and money to the last unit. */
export type Sharing = EnergySplit & {
  readonly amountUc: BigInt64Array; // per meter; > 0 receives, < 0 pays
  readonly retailerUc: bigint; // what the retailer receives; all amounts and this sum to zero
};

/** Retail price: what the retailer sells at. Feed-in price: what it buys at. */
export type RetailerPrices = {
  readonly retailUcPerWh: number;
  readonly feedInUcPerWh: number;
};

export type ResidualTotals = {
  readonly importWh: number;
  readonly exportWh: number;
  readonly tradedWh: number; // the lesser of the two
};

export function residualTotals(residuals: Residuals): ResidualTotals {
  const { importWh, exportWh } = residuals;
  assert(importWh.length === exportWh.length, "residual columns must align by meter");
  const sums = { importWh: columnSum(importWh), exportWh: columnSum(exportWh) };
  return { ...sums, tradedWh: Math.min(sums.importWh, sums.exportWh) };
}

/** Exact: entries are non-negative integers and the sum must stay a safe integer. */
export function columnSum(column: EnergyColumn): number {
  let sum = 0;
  for (let i = 0; i < column.length; i++) sum += column[i]!;
  assert(Number.isSafeInteger(sum), "a column of energy must sum to a safe integer");
  return sum;
}

/** The short side is served in full, the long side pro rata; the retailer takes the rest. */
export function splitProRata(residuals: Residuals, totals: ResidualTotals): EnergySplit {
  const { importWh, exportWh } = residuals;
  const total = totals.tradedWh;
  const boughtWh = shareProRata({ total, claims: importWh, claimed: totals.importWh });
  const soldWh = shareProRata({ total, claims: exportWh, claimed: totals.exportWh });
  return {
    boughtWh,
    soldWh,
    retailerImportWh: minus(importWh, boughtWh),
    retailerExportWh: minus(exportWh, soldWh),
  };
}

/** Element by element; every entry of `part` is at most that of `whole`. */
export function minus(whole: EnergyColumn, part: Float64Array): Float64Array {
  const rest = new Float64Array(whole.length);
  for (let i = 0; i < whole.length; i++) rest[i] = whole[i]! - part[i]!;
  return rest;
}

/** What each meter receives: its share of the sellers' money less its share of the buyers'. */
export function netAmounts(receivedUc: BigInt64Array, paidUc: BigInt64Array): BigInt64Array {
  const amountUc = new BigInt64Array(receivedUc.length);
  for (let i = 0; i < amountUc.length; i++) amountUc[i] = receivedUc[i]! - paidUc[i]!;
  return amountUc;
}
