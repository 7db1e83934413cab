/**
 * Supply-demand ratio: the community's price falls from retail toward feed-in as its supply S grows
 * against its demand D, r = S / D; with compensation k sellers never fall to bare feed-in.
 *
 * With ls = feed-in + k (retail - feed-in) and lb = retail: for r < 1 sellers get
 * ls lb / ((lb - ls) r + ls) and buyers pay that for r of their energy and lb for the rest; for
 * r >= 1 sellers get feed-in + k (lb - feed-in) / r and buyers pay ls. Both sides' sums follow from
 * one floored number, the money that changes hands inside, so the bills sum to zero to the unit.
 * Source: Liu, Yu, Wang, Li, Ma & Lei, 2017, Energy-sharing model with price-based demand response
 * for microgrids of peer-to-peer prosumers; the buyers' price under compensation is
 * the one that balances.
 */
import { assert } from "../../primitives/errors.ts";
import { floorDivide } from "../ration.ts";
import { type RateSharing, shareByRate } from "./rate-sharing.ts";
import {
  type Residuals,
  type ResidualTotals,
  type RetailerPrices,
  residualTotals,
} from "./residuals.ts";

const PPM = 1_000_000n;

/**
 * @param parts - residuals per meter (Wh); 0 <= feed-in <= retail, for the ratio of prices is
 *   formed; compensationPpm in [0, 1e6], 0 for the plain ratio
 */
export function supplyDemandRatio(
  parts: Residuals & RetailerPrices & { readonly compensationPpm?: number },
): RateSharing {
  const { retailUcPerWh, feedInUcPerWh } = parts;
  const compensationPpm = parts.compensationPpm ?? 0;
  assert(feedInUcPerWh >= 0, "the feed-in price must not be negative");
  assert(retailUcPerWh >= feedInUcPerWh, "retail must not be below feed-in");
  assert(compensationPpm >= 0 && compensationPpm <= Number(PPM), "compensation must be in [0, 1]");
  const totals = residualTotals(parts);
  const retail = BigInt(retailUcPerWh);
  const feedIn = BigInt(feedInUcPerWh);
  const tradeUc = moneyInside(totals, {
    retail,
    feedIn,
    compensationPpm: BigInt(compensationPpm),
  });
  return shareByRate(parts, { totals, tradeUc, retail, feedIn });
}

/** What buyers pay sellers for the energy that stays inside, floored; all terms >= 0. */
function moneyInside(
  totals: ResidualTotals,
  prices: { readonly retail: bigint; readonly feedIn: bigint; readonly compensationPpm: bigint },
): bigint {
  const supply = BigInt(totals.exportWh);
  const demand = BigInt(totals.importWh);
  if (supply === 0n || demand === 0n) return 0n;
  const spread = prices.retail - prices.feedIn;
  const floorPpm = prices.feedIn * PPM + prices.compensationPpm * spread; // ls, in uc/Wh/1e6
  // r >= 1: sellers get feed-in on what leaves; inside, all of it trades at ls.
  if (supply >= demand) return floorDivide(floorPpm * demand, PPM);
  const retailPpm = prices.retail * PPM;
  const divisor = (retailPpm - floorPpm) * supply + floorPpm * demand;
  if (divisor === 0n) return 0n; // retail and feed-in are both zero
  return floorDivide(floorPpm * retailPpm * supply * demand, divisor * PPM);
}
