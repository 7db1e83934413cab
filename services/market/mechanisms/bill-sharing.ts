/**
 * Bill sharing: over a horizon of slots the community settles with the retailer as one connection,
 * and shares the one bill: what its imports cost by each member's import, what its exports earned
 * by each member's export. Energy traded inside is free.
 *
 * Both sums are whole numbers before they are shared, so the bills sum to zero to the unit.
 * Source: Long et al., 2017 (see mid-market-rate.ts).
 */
import { assert } from "../../primitives/errors.ts";
import { shareMoney } from "../ration.ts";
import {
  type EnergySplit,
  netAmounts,
  type Residuals,
  type RetailerPrices,
  residualTotals,
  splitProRata,
} from "./residuals.ts";

export type BillSharing = {
  readonly slots: readonly EnergySplit[]; // per slot: who is supplied by whom, pro rata
  readonly amountUc: BigInt64Array; // per meter over the horizon; > 0 receives
  readonly retailerUc: bigint; // all amounts and this sum to zero
};

/**
 * @param slots - residuals of the same meters, slot by slot, each with the retailer's prices then;
 *   prices must not be negative, so that a bill is a cost and an earning an earning
 */
export function billSharing(slots: readonly (Residuals & RetailerPrices)[]): BillSharing {
  const meters = slots[0]?.importWh.length ?? 0;
  const importWh = new Float64Array(meters);
  const exportWh = new Float64Array(meters);
  let costUc = 0n;
  let earnedUc = 0n;
  const splits = slots.map((slot): EnergySplit => {
    assert(slot.importWh.length === meters, "every slot must have the same meters");
    assert(slot.retailUcPerWh >= 0 && slot.feedInUcPerWh >= 0, "prices must not be negative");
    const totals = residualTotals(slot);
    costUc += BigInt(totals.importWh - totals.tradedWh) * BigInt(slot.retailUcPerWh);
    earnedUc += BigInt(totals.exportWh - totals.tradedWh) * BigInt(slot.feedInUcPerWh);
    for (let i = 0; i < meters; i++) {
      importWh[i]! += slot.importWh[i]!;
      exportWh[i]! += slot.exportWh[i]!;
    }
    return splitProRata(slot, totals);
  });
  return {
    slots: splits,
    amountUc: netAmounts(
      shareMoney({ totalUc: earnedUc, weights: exportWh }),
      shareMoney({ totalUc: costUc, weights: importWh }),
    ),
    retailerUc: costUc - earnedUc,
  };
}
