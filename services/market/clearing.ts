/**
 * Uniform-price call auction of one region (pay-as-clear): interval, volume and fills.
 *
 * With C(p) the energy of all orders, bids and asks alike, with a limit of at most p, a price p
 * clears iff C just below p <= T <= C(p), where T = sum of bids - injection: moving the price up
 * past an order adds its energy to net supply, whichever side it is on. So the interval is two
 * weighted ranks, [first price with C >= T, first price with C > T], and a histogram over price
 * digits finds them in O(n + buckets) without sorting. All sums are integers below 2^53.
 */
import { assert } from "../primitives/errors.ts";
import { ASK, BID, type OrderColumns } from "./orders.ts";
import { rationOrders } from "./ration.ts";
import { type ClearingRule, choosePrice, MIDPOINT_PRO_RATA, type Rationing } from "./rules.ts";

export type Clearing = {
  readonly priceLowUcPerWh: number | null; // null: unbounded below
  readonly priceHighUcPerWh: number | null; // null: unbounded above
  readonly priceUcPerWh: number | null; // null: no trade, so no price
  readonly boughtWh: number; // sum of the bids' fills
  readonly soldWh: number; // sum of the asks' fills; boughtWh = soldWh + injection
  readonly fillWh: Float64Array; // per order
};

/** Fills of one book, and what each side had to spare exactly at the price. */
export type BookFill = {
  readonly boughtWh: number;
  readonly soldWh: number;
  readonly fillWh: Float64Array;
};

/**
 * Clears one region at one price with the greatest volume.
 *
 * @param parts.orders - valid by `validateOrders`
 * @param parts.injectionWh - net inflow, traded at any price: > 0 is supply, < 0 is demand. It
 *   must be at most the sum of bids, and at least minus the sum of asks.
 * @returns fills and interval do not depend on the order of the columns; the price does not
 *   depend on how orders are split
 */
export function clearRegion(parts: {
  readonly orders: OrderColumns;
  readonly injectionWh?: number;
  readonly rule?: ClearingRule;
}): Clearing {
  const { orders } = parts;
  const injectionWh = parts.injectionWh ?? 0;
  const rule = parts.rule ?? MIDPOINT_PRO_RATA;
  const { lowUcPerWh, highUcPerWh } = clearingInterval(orders, injectionWh);
  const filled = fillBook({
    orders,
    injectionWh,
    // Fills are the same at every price of the interval, so an end of it serves.
    priceUcPerWh: lowUcPerWh ?? highUcPerWh ?? 0,
    rationing: rule.rationing,
  });
  const trades = filled.boughtWh > 0 || filled.soldWh > 0;
  return {
    priceLowUcPerWh: lowUcPerWh,
    priceHighUcPerWh: highUcPerWh,
    priceUcPerWh: trades ? choosePrice({ lowUcPerWh, highUcPerWh }, rule) : null,
    boughtWh: filled.boughtWh,
    soldWh: filled.soldWh,
    fillWh: filled.fillWh,
  };
}

/**
 * Fills every order at a clearing price: those strictly inside in full, the margin by the rule.
 *
 * @param parts.priceUcPerWh - any price of the clearing interval for this injection
 */
export function fillBook(parts: {
  readonly orders: OrderColumns;
  readonly injectionWh: number;
  readonly priceUcPerWh: number;
  readonly rationing: Rationing;
}): BookFill {
  const { orders, injectionWh, priceUcPerWh } = parts;
  const { count, side, limitUcPerWh, energyWh } = orders;
  const fillWh = new Float64Array(count);
  let bidAboveWh = 0;
  let askBelowWh = 0;
  let bidAtWh = 0;
  let askAtWh = 0;
  let atCount = 0;
  for (let i = 0; i < count; i++) {
    const wh = energyWh[i]!;
    const isAsk = side[i]!;
    const gain = (limitUcPerWh[i]! - priceUcPerWh) * (1 - 2 * isAsk);
    if (gain === 0) {
      atCount += 1;
      askAtWh += wh * isAsk;
      bidAtWh += wh * (1 - isAsk);
    }
    // Which orders gain is as good as random, so a branch here would be mispredicted half the time.
    const fullWh = wh * (-gain >>> 31);
    fillWh[i] = fullWh;
    askBelowWh += fullWh * isAsk;
    bidAboveWh += fullWh * (1 - isAsk);
  }
  const boughtWh = Math.min(askBelowWh + askAtWh + injectionWh, bidAboveWh + bidAtWh);
  const soldWh = boughtWh - injectionWh;
  const bidPartWh = boughtWh - bidAboveWh;
  const askPartWh = soldWh - askBelowWh;
  assert(bidPartWh >= 0 && askPartWh >= 0, "the price must clear the book");
  assert(bidPartWh <= bidAtWh && askPartWh <= askAtWh, "the injection must be absorbable");
  if (atCount > 0) {
    const margin = { ...parts, fillWh, atCount };
    fillMargin({ ...margin, sideOfMargin: BID, partWh: bidPartWh, atWh: bidAtWh });
    fillMargin({ ...margin, sideOfMargin: ASK, partWh: askPartWh, atWh: askAtWh });
  }
  return { boughtWh, soldWh, fillWh };
}

/** Shares `partWh` among the orders of one side that stand exactly at the price. */
function fillMargin(parts: {
  readonly orders: OrderColumns;
  readonly priceUcPerWh: number;
  readonly rationing: Rationing;
  readonly fillWh: Float64Array;
  readonly atCount: number;
  readonly sideOfMargin: typeof BID | typeof ASK;
  readonly partWh: number;
  readonly atWh: number;
}): void {
  const { orders, priceUcPerWh, fillWh, sideOfMargin, partWh, atWh } = parts;
  if (partWh === 0) return;
  const { count, side, limitUcPerWh, energyWh } = orders;
  const members = new Uint32Array(partWh === atWh ? 0 : parts.atCount);
  let memberCount = 0;
  for (let i = 0; i < count; i++) {
    if (limitUcPerWh[i] !== priceUcPerWh || side[i] !== sideOfMargin) continue;
    if (partWh === atWh) fillWh[i] = energyWh[i]!;
    else members[memberCount++] = i;
  }
  if (partWh === atWh) return;
  const { rationing } = parts;
  rationOrders({
    orders,
    members,
    memberCount,
    amountWh: partWh,
    claimedWh: atWh,
    rationing,
    fillWh,
  });
}

/** Energy and price range of a book: one pass. */
type BookTotals = {
  readonly bidWh: number;
  readonly totalWh: number;
  readonly lowestUcPerWh: number;
  readonly highestUcPerWh: number;
};

/** The closed interval of clearing prices; null marks an unbounded end. */
export function clearingInterval(
  orders: OrderColumns,
  injectionWh: number,
): { readonly lowUcPerWh: number | null; readonly highUcPerWh: number | null } {
  const totals = bookTotals(orders);
  const targetWh = totals.bidWh - injectionWh;
  assert(Number.isSafeInteger(injectionWh), "injection must be a safe integer");
  assert(totals.totalWh <= Number.MAX_SAFE_INTEGER, "a book's energy must be a safe integer");
  assert(targetWh >= 0 && targetWh <= totals.totalWh, "the injection must be absorbable");
  if (orders.count === 0) return { lowUcPerWh: null, highUcPerWh: null };
  if (targetWh === 0) return { lowUcPerWh: null, highUcPerWh: totals.lowestUcPerWh };
  const { priceUcPerWh, reachedWh } = firstPriceReaching(orders, targetWh, totals);
  if (reachedWh > targetWh) return { lowUcPerWh: priceUcPerWh, highUcPerWh: priceUcPerWh };
  if (reachedWh === totals.totalWh) return { lowUcPerWh: priceUcPerWh, highUcPerWh: null };
  return { lowUcPerWh: priceUcPerWh, highUcPerWh: nextPriceAbove(orders, priceUcPerWh) };
}

function bookTotals(orders: OrderColumns): BookTotals {
  const { count, side, limitUcPerWh, energyWh } = orders;
  let bidWh = 0;
  let totalWh = 0;
  let lowestUcPerWh = count === 0 ? 0 : limitUcPerWh[0]!;
  let highestUcPerWh = lowestUcPerWh;
  for (let i = 0; i < count; i++) {
    const limit = limitUcPerWh[i]!;
    const wh = energyWh[i]!;
    if (limit < lowestUcPerWh) lowestUcPerWh = limit;
    if (limit > highestUcPerWh) highestUcPerWh = limit;
    totalWh += wh;
    bidWh += wh * (1 - side[i]!);
  }
  return { bidWh, totalWh, lowestUcPerWh, highestUcPerWh };
}

/**
 * The least order price p with C(p) >= targetWh, and C(p): a weighted selection by price digits,
 * most significant first, each level one pass over the orders still in question.
 */
function firstPriceReaching(
  orders: OrderColumns,
  targetWh: number,
  totals: BookTotals,
): { readonly priceUcPerWh: number; readonly reachedWh: number } {
  const { limitUcPerWh, energyWh } = orders;
  const bucketBits = Math.min(13, Math.max(5, 32 - Math.clz32(orders.count)));
  const sums = new Float64Array(1 << bucketBits);
  let lowUcPerWh = totals.lowestUcPerWh;
  let rangeBits = 32 - Math.clz32(totals.highestUcPerWh - lowUcPerWh);
  let belowWh = 0;
  let members: Uint32Array | null = null; // null: all orders
  let memberCount = orders.count;
  for (;;) {
    const shift = Math.max(0, rangeBits - bucketBits);
    sums.fill(0);
    for (let k = 0; k < memberCount; k++) {
      const i = members === null ? k : members[k]!;
      sums[(limitUcPerWh[i]! - lowUcPerWh) >>> shift]! += energyWh[i]!;
    }
    let bucket = 0;
    for (; belowWh + sums[bucket]! < targetWh; bucket++) belowWh += sums[bucket]!;
    if (shift === 0) {
      return { priceUcPerWh: lowUcPerWh + bucket, reachedWh: belowWh + sums[bucket]! };
    }
    const kept: Uint32Array = members ?? new Uint32Array(memberCount);
    let keptCount = 0;
    for (let k = 0; k < memberCount; k++) {
      const i = members === null ? k : members[k]!;
      if ((limitUcPerWh[i]! - lowUcPerWh) >>> shift === bucket) kept[keptCount++] = i;
    }
    members = kept;
    memberCount = keptCount;
    lowUcPerWh += bucket << shift;
    rangeBits = shift;
  }
}

function nextPriceAbove(orders: OrderColumns, priceUcPerWh: number): number {
  let next = Number.POSITIVE_INFINITY;
  for (let i = 0; i < orders.count; i++) {
    const limit = orders.limitUcPerWh[i]!;
    if (limit > priceUcPerWh && limit < next) next = limit;
  }
  return next;
}
