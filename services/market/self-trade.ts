/**
 * Nobody trades with themselves: the crossing part of a member's own bids and asks is taken out of
 * the book before it clears.
 *
 * The member's dearest bid meets the member's cheapest ask as long as the bid is at or above it;
 * the smaller energy goes from both, worst limits last, the earlier order first where limits are
 * equal. What remains does not cross (every bid below every ask), so at a uniform price a member
 * buys or sells, never both; and every remaining Wh keeps its own limit. A member who crosses does
 * to the community what they would have done with the difference alone: no volume, no price.
 */
import { ASK, BID } from "./orders.ts";

export type OwnedOrder = {
  readonly id: number; // unique in the book
  readonly memberIndex: number;
  readonly side: typeof BID | typeof ASK;
  readonly limitUcPerWh: number;
  readonly energyWh: number;
};

/** @returns what is left of each order, Wh, in the order given; does not depend on that order */
export function netOwnOrders(orders: readonly OwnedOrder[]): Float64Array {
  const leftWh = Float64Array.from(orders, (order) => order.energyWh);
  const placesOf = new Map<number, number[]>();
  orders.forEach(({ memberIndex }, place) => {
    const places = placesOf.get(memberIndex);
    if (places === undefined) placesOf.set(memberIndex, [place]);
    else places.push(place);
  });
  for (const places of placesOf.values()) {
    if (places.length > 1) netPlaces(orders, places, leftWh);
  }
  return leftWh;
}

function netPlaces(
  orders: readonly OwnedOrder[],
  places: readonly number[],
  leftWh: Float64Array,
): void {
  const bids = bestFirst(orders, places, BID);
  const asks = bestFirst(orders, places, ASK);
  let b = 0;
  let a = 0;
  while (b < bids.length && a < asks.length) {
    const [bid, ask] = [bids[b]!, asks[a]!];
    if (orders[bid]!.limitUcPerWh < orders[ask]!.limitUcPerWh) return;
    const wh = Math.min(leftWh[bid]!, leftWh[ask]!);
    leftWh[bid]! -= wh;
    leftWh[ask]! -= wh;
    if (leftWh[bid] === 0) b += 1;
    if (leftWh[ask] === 0) a += 1;
  }
}

/** Places of one side's orders: dearest bid first, cheapest ask first. */
function bestFirst(
  orders: readonly OwnedOrder[],
  places: readonly number[],
  side: typeof BID | typeof ASK,
): number[] {
  const worse = side === BID ? -1 : 1;
  return places
    .filter((place) => orders[place]!.side === side)
    .sort((p, q) => {
      const [one, other] = [orders[p]!, orders[q]!];
      return worse * (one.limitUcPerWh - other.limitUcPerWh) || one.id - other.id;
    });
}
