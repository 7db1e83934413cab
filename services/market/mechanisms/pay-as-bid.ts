/**
 * Pay-as-bid: the dearest bid meets the cheapest ask, then the next ones, and every matched pair
 * trades at the middle of its own two limits.
 *
 * Equal limits are served by tie index, so nothing depends on the order of the columns. Each pair's
 * price is floor((bid + ask) / 2) and price x energy is exact: what one pays the other receives.
 * It is not truthful: a bid above the margin pays for its candour.
 */
import { BID, type OrderColumns } from "../orders.ts";
import { allPositions, sortByKey } from "../radix.ts";

/** One row per matched pair, best first. */
export type Trades = {
  readonly count: number;
  readonly bid: Uint32Array; // order positions
  readonly ask: Uint32Array;
  readonly energyWh: Float64Array;
  readonly priceUcPerWh: Int32Array;
};

export type PayAsBid = {
  readonly trades: Trades;
  readonly tradedWh: number;
  readonly fillWh: Float64Array; // per order
  readonly amountUc: BigInt64Array; // per order; > 0 receives; all of them sum to zero
};

/** @param orders - valid by `validateOrders`; the value of all trades must fit 64 bits */
export function payAsBid(orders: OrderColumns): PayAsBid {
  const { bids, asks } = meritOrder(orders);
  const trades = matchPairs(orders, bids, asks);
  const fillWh = new Float64Array(orders.count);
  const amountUc = new BigInt64Array(orders.count);
  let tradedWh = 0;
  for (let k = 0; k < trades.count; k++) {
    const [bid, ask] = [trades.bid[k]!, trades.ask[k]!];
    const wh = trades.energyWh[k]!;
    const valueUc = BigInt(trades.priceUcPerWh[k]!) * BigInt(wh);
    fillWh[bid]! += wh;
    fillWh[ask]! += wh;
    amountUc[bid]! -= valueUc;
    amountUc[ask]! += valueUc;
    tradedWh += wh;
  }
  return { trades, tradedWh, fillWh, amountUc };
}

type MeritOrder = { readonly bids: Uint32Array; readonly asks: Uint32Array };

/** Bids from the dearest, asks from the cheapest; equal limits by tie index. */
function meritOrder(orders: OrderColumns): MeritOrder {
  const { count, side, limitUcPerWh, tieIndex } = orders;
  const limits = limitUcPerWh.subarray(0, count);
  const lowest = limits.reduce((least, limit) => Math.min(least, limit), 0);
  const highest = limits.reduce((most, limit) => Math.max(most, limit), 0);
  const ties = { keys: tieIndex, lowest: 0, highest: 0xffff_ffff };
  const byTie = sortByKey({ members: allPositions(count), ...ties });
  // Ascending limits keep ties in order; for bids the limits are turned round first.
  const turned = limits.map((limit) => -limit);
  return {
    bids: sortByKey({
      members: byTie.filter((i) => side[i] === BID),
      keys: turned,
      lowest: -highest,
      highest: -lowest,
    }),
    asks: sortByKey({
      members: byTie.filter((i) => side[i] !== BID),
      keys: limits,
      lowest,
      highest,
    }),
  };
}

/** Walks both merit orders until they cross; at most one row per order. */
function matchPairs(orders: OrderColumns, bids: Uint32Array, asks: Uint32Array): Trades {
  const { limitUcPerWh, energyWh } = orders;
  const rows = bids.length + asks.length;
  const trades = {
    count: 0,
    bid: new Uint32Array(rows),
    ask: new Uint32Array(rows),
    energyWh: new Float64Array(rows),
    priceUcPerWh: new Int32Array(rows),
  };
  let [b, a] = [0, 0];
  let bidLeftWh = bids.length === 0 ? 0 : energyWh[bids[0]!]!;
  let askLeftWh = asks.length === 0 ? 0 : energyWh[asks[0]!]!;
  while (b < bids.length && a < asks.length) {
    const [bid, ask] = [bids[b]!, asks[a]!];
    const [most, least] = [limitUcPerWh[bid]!, limitUcPerWh[ask]!];
    if (most < least) break;
    const wh = Math.min(bidLeftWh, askLeftWh);
    trades.bid[trades.count] = bid;
    trades.ask[trades.count] = ask;
    trades.energyWh[trades.count] = wh;
    trades.priceUcPerWh[trades.count++] = Math.floor((most + least) / 2);
    bidLeftWh -= wh;
    askLeftWh -= wh;
    if (bidLeftWh === 0 && ++b < bids.length) bidLeftWh = energyWh[bids[b]!]!;
    if (askLeftWh === 0 && ++a < asks.length) askLeftWh = energyWh[asks[a]!]!;
  }
  return trades;
}
