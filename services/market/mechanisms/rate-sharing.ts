/**
 * What the two rates have in common: one sum changes hands inside the community, the long side's
 * rest goes to or comes from the retailer at its own prices, and each side shares its sum by energy
 * with the largest remainder. So the bills sum to zero to the unit, whatever formed the inner sum.
 */
import { shareMoney } from "../ration.ts";
import {
  netAmounts,
  type Residuals,
  type ResidualTotals,
  type Sharing,
  splitProRata,
} from "./residuals.ts";

export type RateSharing = Sharing & {
  readonly totals: ResidualTotals;
  readonly buyersPayUc: bigint; // over totals.importWh this is the buyers' rate
  readonly sellersGetUc: bigint; // over totals.exportWh this is the sellers' rate
};

/** @param inner.tradeUc - what buyers pay sellers for totals.tradedWh */
export function shareByRate(
  residuals: Residuals,
  inner: {
    readonly totals: ResidualTotals;
    readonly tradeUc: bigint;
    readonly retail: bigint; // uc/Wh
    readonly feedIn: bigint;
  },
): RateSharing {
  const { totals, tradeUc, retail, feedIn } = inner;
  const shortUc = BigInt(totals.importWh - totals.tradedWh) * retail;
  const surplusUc = BigInt(totals.exportWh - totals.tradedWh) * feedIn;
  const buyersPayUc = tradeUc + shortUc;
  const sellersGetUc = tradeUc + surplusUc;
  return {
    ...splitProRata(residuals, totals),
    amountUc: netAmounts(
      shareMoney({ totalUc: sellersGetUc, weights: residuals.exportWh }),
      shareMoney({ totalUc: buyersPayUc, weights: residuals.importWh }),
    ),
    retailerUc: shortUc - surplusUc,
    totals,
    buyersPayUc,
    sellersGetUc,
  };
}
