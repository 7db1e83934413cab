/**
 * A member's own use: what their meters fed in and drew in the same slot never meets the auction,
 * so that nobody trades with themselves at the community's expense.
 *
 * own = min(import, export) of the member. With several grid meters it is spread over their imports
 * and over their exports by largest remainder, which decides nothing but which of the member's own
 * bills shows it. What remains of a member is import or export, never both.
 */
import { apportion } from "../ledger/apportion.ts";
import type { Roster } from "./roster.ts";

/** By place; the same sum on both sides for every member. */
export type OwnUse = { readonly importWh: Float64Array; readonly exportWh: Float64Array };

/** @param energy - to buy and to sell, by place */
export function ownUse(
  roster: Roster,
  energy: { readonly importWh: Float64Array; readonly exportWh: Float64Array },
): OwnUse {
  const { importWh, exportWh } = energy;
  const own = { importWh: importWh.map((wh, i) => Math.min(wh, exportWh[i]!)) };
  const result = { importWh: own.importWh, exportWh: own.importWh.slice() };
  for (const places of roster.sharedMeters) {
    const imports = Array.from(places, (place) => importWh[place]!);
    const exports = Array.from(places, (place) => exportWh[place]!);
    const totalWh = BigInt(Math.min(sum(imports), sum(exports)));
    const importShares = apportion(totalWh, imports);
    const exportShares = apportion(totalWh, exports);
    places.forEach((place, i) => {
      result.importWh[place] = Number(importShares[i]!);
      result.exportWh[place] = Number(exportShares[i]!);
    });
  }
  return result;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
