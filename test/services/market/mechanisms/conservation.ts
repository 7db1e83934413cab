/** The laws every mechanism without an order book obeys, as one check. */
import fc from "fast-check";
import { expect } from "vitest";
import type { Sharing } from "../../../../services/market/mechanisms/residuals.ts";

export type Meter = { importWh: number; exportWh: number };

const energy = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 20 }), fc.nat(10_000_000));
export const meters = fc.array(fc.record({ importWh: energy, exportWh: energy }), {
  maxLength: 15,
});

export function columns(rows: readonly Meter[]) {
  return {
    importWh: Float64Array.from(rows, (row) => row.importWh),
    exportWh: Float64Array.from(rows, (row) => row.exportWh),
  };
}

/** Energy per meter and in total, money in total: to the unit. */
export function expectConserved(rows: readonly Meter[], shared: Sharing): void {
  let moneyUc = shared.retailerUc;
  let insideWh = 0;
  rows.forEach((row, i) => {
    const parts = [shared.boughtWh[i]!, shared.soldWh[i]!];
    parts.push(shared.retailerImportWh[i]!, shared.retailerExportWh[i]!);
    for (const wh of parts) expect(Number.isSafeInteger(wh) && wh >= 0).toBe(true);
    expect(shared.boughtWh[i]! + shared.retailerImportWh[i]!).toBe(row.importWh);
    expect(shared.soldWh[i]! + shared.retailerExportWh[i]!).toBe(row.exportWh);
    moneyUc += shared.amountUc[i]!;
    insideWh += shared.boughtWh[i]! - shared.soldWh[i]!;
  });
  expect(moneyUc).toBe(0n);
  expect(insideWh).toBe(0);
}
