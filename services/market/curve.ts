/**
 * One region's orders as a price ladder: for every order price, the energy of all orders, bids and
 * asks alike, with a limit of at most that price.
 *
 * That one column gives net supply at any price: this energy less all bids. The asks' part of it
 * stands beside, so that everything else about a price is a look-up too.
 * Built by counting where the prices are dense and by radix sort where they are not, so in
 * O(n + ticks) either way.
 */
import type { OrderColumns } from "./orders.ts";
import { allPositions, sortByKey } from "./radix.ts";

export type Curve = {
  readonly priceUcPerWh: Int32Array; // distinct order prices, ascending
  readonly reachedWh: Float64Array; // energy of all orders with a limit <= that price
  readonly askReachedWh: Float64Array; // of the asks among them
  readonly bidWh: number;
  readonly askWh: number;
};

export function buildCurve(orders: OrderColumns): Curve {
  const { count, side, limitUcPerWh, energyWh } = orders;
  let askWh = 0;
  let totalWh = 0;
  let lowest = count === 0 ? 0 : limitUcPerWh[0]!;
  let highest = lowest;
  for (let i = 0; i < count; i++) {
    const limit = limitUcPerWh[i]!;
    if (limit < lowest) lowest = limit;
    if (limit > highest) highest = limit;
    askWh += energyWh[i]! * side[i]!;
    totalWh += energyWh[i]!;
  }
  const span = highest - lowest + 1;
  const ladder =
    span <= 4 * count ? countPrices(orders, lowest, span) : sortPrices(orders, { lowest, highest });
  return { ...ladder, bidWh: totalWh - askWh, askWh };
}

/** Energy of all orders with a limit strictly below the price. */
export function belowWh(curve: Curve, priceUcPerWh: number): number {
  const rung = firstRung(curve, priceUcPerWh);
  return rung === 0 ? 0 : curve.reachedWh[rung - 1]!;
}

/** Energy of one region around a price, Wh. */
export type Margin = {
  readonly bidAboveWh: number; // strictly better than the price
  readonly bidAtWh: number; // exactly at it
  readonly askBelowWh: number;
  readonly askAtWh: number;
};

export function marginAt(curve: Curve, priceUcPerWh: number): Margin {
  const { reachedWh, askReachedWh } = curve;
  const rung = firstRung(curve, priceUcPerWh);
  const belowWh = rung === 0 ? 0 : reachedWh[rung - 1]!;
  const askBelowWh = rung === 0 ? 0 : askReachedWh[rung - 1]!;
  const onLadder = curve.priceUcPerWh[rung] === priceUcPerWh;
  const atWh = onLadder ? reachedWh[rung]! - belowWh : 0;
  const askAtWh = onLadder ? askReachedWh[rung]! - askBelowWh : 0;
  const bidAtWh = atWh - askAtWh;
  const bidBelowWh = belowWh - askBelowWh;
  return { bidAboveWh: curve.bidWh - bidBelowWh - bidAtWh, bidAtWh, askBelowWh, askAtWh };
}

/** The first rung of the ladder at or above the price. */
function firstRung(curve: Curve, priceUcPerWh: number): number {
  const prices = curve.priceUcPerWh;
  let low = 0;
  let high = prices.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (prices[middle]! < priceUcPerWh) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * The clearing interval for a net inflow, as `clearingInterval` gives it: infinite where unbounded.
 */
export function curveInterval(
  curve: Curve,
  inflowWh: number,
): { readonly lowUcPerWh: number; readonly highUcPerWh: number } {
  const { priceUcPerWh, reachedWh } = curve;
  const targetWh = curve.bidWh - inflowWh;
  let low = 0;
  let high = priceUcPerWh.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (reachedWh[middle]! < targetWh) low = middle + 1;
    else high = middle;
  }
  const above = reachedWh[low] === targetWh && targetWh > 0 ? low + 1 : low;
  return {
    lowUcPerWh: targetWh === 0 ? Number.NEGATIVE_INFINITY : priceUcPerWh[low]!,
    highUcPerWh: priceUcPerWh[above] ?? Number.POSITIVE_INFINITY,
  };
}

type Ladder = Pick<Curve, "priceUcPerWh" | "reachedWh" | "askReachedWh">;

function countPrices(orders: OrderColumns, lowest: number, span: number): Ladder {
  const sums = new Float64Array(span);
  const askSums = new Float64Array(span);
  let distinct = 0;
  for (let i = 0; i < orders.count; i++) {
    const at = orders.limitUcPerWh[i]! - lowest;
    if (sums[at] === 0) distinct += 1;
    sums[at]! += orders.energyWh[i]!;
    askSums[at]! += orders.energyWh[i]! * orders.side[i]!;
  }
  const priceUcPerWh = new Int32Array(distinct);
  const reachedWh = new Float64Array(distinct);
  const askReachedWh = new Float64Array(distinct);
  let sumWh = 0;
  let askSumWh = 0;
  for (let at = 0, k = 0; at < span; at++) {
    if (sums[at] === 0) continue;
    sumWh += sums[at]!;
    askSumWh += askSums[at]!;
    priceUcPerWh[k] = lowest + at;
    askReachedWh[k] = askSumWh;
    reachedWh[k++] = sumWh;
  }
  return { priceUcPerWh, reachedWh, askReachedWh };
}

type PriceRange = { readonly lowest: number; readonly highest: number };

function sortPrices(orders: OrderColumns, range: PriceRange): Ladder {
  const members = allPositions(orders.count);
  const sorted = sortByKey({ members, keys: orders.limitUcPerWh, ...range });
  const priceUcPerWh = new Int32Array(orders.count);
  const reachedWh = new Float64Array(orders.count);
  const askReachedWh = new Float64Array(orders.count);
  let distinct = 0;
  let sumWh = 0;
  let askSumWh = 0;
  for (const index of sorted) {
    const limit = orders.limitUcPerWh[index]!;
    if (distinct === 0 || priceUcPerWh[distinct - 1] !== limit) priceUcPerWh[distinct++] = limit;
    sumWh += orders.energyWh[index]!;
    askSumWh += orders.energyWh[index]! * orders.side[index]!;
    reachedWh[distinct - 1] = sumWh;
    askReachedWh[distinct - 1] = askSumWh;
  }
  return {
    priceUcPerWh: priceUcPerWh.subarray(0, distinct),
    reachedWh: reachedWh.subarray(0, distinct),
    askReachedWh: askReachedWh.subarray(0, distinct),
  };
}
