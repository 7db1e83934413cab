/**
 * Mid-market rate: the community trades at the middle of retail and feed-in price, the long side's
 * surplus or shortage goes to the retailer, and everyone on one side pays or gets the same rate.
 *
 * With S exported and D imported: buyers together pay V mid + (D - V) retail and sellers together
 * get V mid + (S - V) feed-in, V = min(S, D), mid = (retail + feed-in) / 2. Each side's sum is
 * shared by energy with the largest remainder, so the bills sum to zero to the last unit. Only
 * V mid can be half a micro-cent; it is floored once, for both sides.
 * Source: Long, Wu, Zhang, Thomas, Cheng & Jenkins, 2017, Peer-to-peer energy trading in a
 * community microgrid (IEEE PES General Meeting).
 */
import { assert } from "../../primitives/errors.ts";
import { floorDivide, shareMoney } from "../ration.ts";
import {
  netAmounts,
  type Residuals,
  type ResidualTotals,
  type RetailerPrices,
  residualTotals,
  type Sharing,
  splitProRata,
} from "./residuals.ts";

export type MidMarketRate = Sharing & {
  readonly totals: ResidualTotals;
  readonly buyersPayUc: bigint; // over totals.importWh this is the buyers' rate
  readonly sellersGetUc: bigint; // over totals.exportWh this is the sellers' rate
};

/**
 * @param parts - residuals per meter (Wh) and the retailer's prices, feed-in <= retail
 * @returns with feed-in <= retail nobody is worse off than with the retailer alone: a share that
 *   is rounded stays between the whole numbers around its quota, and that bill is a whole number
 */
export function midMarketRate(parts: Residuals & RetailerPrices): MidMarketRate {
  const { retailUcPerWh, feedInUcPerWh } = parts;
  assert(Number.isSafeInteger(retailUcPerWh), "the retail price must be a safe integer");
  assert(Number.isSafeInteger(feedInUcPerWh), "the feed-in price must be a safe integer");
  const totals = residualTotals(parts);
  const retail = BigInt(retailUcPerWh);
  const feedIn = BigInt(feedInUcPerWh);
  const tradeUc = floorDivide(BigInt(totals.tradedWh) * (retail + feedIn), 2n);
  const shortUc = BigInt(totals.importWh - totals.tradedWh) * retail;
  const surplusUc = BigInt(totals.exportWh - totals.tradedWh) * feedIn;
  const buyersPayUc = tradeUc + shortUc;
  const sellersGetUc = tradeUc + surplusUc;
  return {
    ...splitProRata(parts, totals),
    amountUc: netAmounts(
      shareMoney({ totalUc: sellersGetUc, weights: parts.exportWh }),
      shareMoney({ totalUc: buyersPayUc, weights: parts.importWh }),
    ),
    retailerUc: shortUc - surplusUc,
    totals,
    buyersPayUc,
    sellersGetUc,
  };
}
