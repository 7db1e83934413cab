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
import { floorDivide } from "../ration.ts";
import { type RateSharing, shareByRate } from "./rate-sharing.ts";
import { type Residuals, type RetailerPrices, residualTotals } from "./residuals.ts";

/**
 * @param parts - residuals per meter (Wh) and the retailer's prices, feed-in <= retail
 * @returns with feed-in <= retail nobody is worse off than with the retailer alone: a share that
 *   is rounded stays between the whole numbers around its quota, and that bill is a whole number
 */
export function midMarketRate(parts: Residuals & RetailerPrices): RateSharing {
  const { retailUcPerWh, feedInUcPerWh } = parts;
  assert(Number.isSafeInteger(retailUcPerWh), "the retail price must be a safe integer");
  assert(Number.isSafeInteger(feedInUcPerWh), "the feed-in price must be a safe integer");
  const totals = residualTotals(parts);
  const retail = BigInt(retailUcPerWh);
  const feedIn = BigInt(feedInUcPerWh);
  const tradeUc = floorDivide(BigInt(totals.tradedWh) * (retail + feedIn), 2n);
  return shareByRate(parts, { totals, tradeUc, retail, feedIn });
}
