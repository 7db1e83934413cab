/**
 * A region's order book after delivery: one bid per grid meter with energy to buy after own use, at
 * the member's highest price, one ask per meter with energy to sell, at the lowest; and the
 * retailer as two orders of its own. What was traded forward and delivered is not in it
 * (`forward.ts`).
 *
 * The retailer stands in every region's book, not behind one node that all regions share: over such
 * a node energy would be wheeled between regions past their lines, without fee or limit. Its orders
 * are larger than all that the region and its lines could ever take, so its prices bound the
 * region's price. At the retailer's own price members go first (`membersFirst`): which of the two
 * is served there changes no sum of money or energy, and what a member does not get inside the
 * market comes from the retailer anyway.
 */
import { ASK, BID, createOrderColumns, type OrderColumns, pushOrder } from "../market/orders.ts";
import { shareProRata } from "../market/ration.ts";
import { METERS_PER_REGION_MAX } from "../primitives/limits.ts";
import type { Delivery } from "./forward.ts";
import { type OwnUse, ownUse } from "./own-use.ts";
import type { Roster } from "./roster.ts";
import type { RetailerPrices, StandingLimits } from "./slot.ts";

/** Ties go to the lower index: members by meter, the retailer last. */
const RETAILER_TIE = 2 * METERS_PER_REGION_MAX;

export type Book = {
  readonly orders: OrderColumns; // members' orders by place, then the retailer's bid and ask
  readonly place: Uint32Array; // of each member order
  readonly importWh: Float64Array; // to buy, by place
  readonly exportWh: Float64Array;
  readonly own: OwnUse;
};

/** What lines could bring and take at most, Wh: the retailer's orders are larger than that. */
export type LineCapacities = { readonly inWh: number; readonly outWh: number };

export function buildBook(parts: {
  readonly roster: Roster;
  readonly delivery: Delivery;
  readonly limits: StandingLimits;
  readonly retailer: RetailerPrices;
  readonly lines: LineCapacities;
}): Book {
  const { roster, delivery, limits, retailer, lines } = parts;
  const { gridMeters, memberOfMeter } = roster;
  const { importWh, exportWh } = delivery;
  const own = ownUse(roster, { importWh, exportWh });
  const orders = createOrderColumns(2 * gridMeters.length + 2);
  const place = new Uint32Array(2 * gridMeters.length);
  let bidWh = 0;
  let askWh = 0;
  gridMeters.forEach((meter, i) => {
    const member = memberOfMeter[meter]!;
    const buyWh = importWh[i]! - own.importWh[i]!;
    const sellWh = exportWh[i]! - own.exportWh[i]!;
    bidWh += buyWh;
    askWh += sellWh;
    if (buyWh > 0) {
      place[orders.count] = i;
      const limitUcPerWh = limits.maxBuyUcPerWh[member]!;
      pushOrder(orders, { side: BID, limitUcPerWh, energyWh: buyWh, tieIndex: 2 * meter });
    }
    if (sellWh > 0) {
      place[orders.count] = i;
      const limitUcPerWh = limits.minSellUcPerWh[member]!;
      pushOrder(orders, { side: ASK, limitUcPerWh, energyWh: sellWh, tieIndex: 2 * meter + 1 });
    }
  });
  const memberOrders = orders.count;
  pushOrder(orders, {
    side: BID,
    limitUcPerWh: retailer.feedInUcPerWh,
    energyWh: askWh + lines.inWh + 1,
    tieIndex: RETAILER_TIE,
  });
  pushOrder(orders, {
    side: ASK,
    limitUcPerWh: retailer.retailUcPerWh,
    energyWh: bidWh + lines.outWh + 1,
    tieIndex: RETAILER_TIE + 1,
  });
  return { orders, place: place.subarray(0, memberOrders), importWh, exportWh, own };
}

/** Places of the retailer's orders in a book. */
export function retailerBid(orders: OrderColumns): number {
  return orders.count - 2;
}

export function retailerAsk(orders: OrderColumns): number {
  return orders.count - 1;
}

/**
 * The same clearing with the retailer last: at its price, members' orders of the same side are
 * filled first, pro rata; and it does not trade with itself where both its prices are one. Sums of
 * each side change by the same amount on both, so the clearing stays optimal.
 */
export function membersFirst(orders: OrderColumns, fillWh: Float64Array): Float64Array {
  const fills = fillWh.slice();
  const bid = retailerBid(orders);
  const ask = retailerAsk(orders);
  const withItselfWh = Math.min(fills[bid]!, fills[ask]!);
  fills[bid]! -= withItselfWh;
  fills[ask]! -= withItselfWh;
  for (const retailer of [bid, ask]) serveTies(orders, fills, retailer);
  return fills;
}

function serveTies(orders: OrderColumns, fills: Float64Array, retailer: number): void {
  const { side, limitUcPerWh, energyWh } = orders;
  if (fills[retailer] === 0) return;
  const tied: number[] = [];
  let claimedWh = 0;
  let sharedWh = fills[retailer]!;
  for (let i = 0; i < orders.count - 2; i++) {
    if (side[i] !== side[retailer] || limitUcPerWh[i] !== limitUcPerWh[retailer]) continue;
    tied.push(i);
    claimedWh += energyWh[i]!;
    sharedWh += fills[i]!;
  }
  if (claimedWh === 0) return;
  const total = Math.min(sharedWh, claimedWh);
  const claims = tied.map((i) => energyWh[i]!);
  const shares = shareProRata({ total, claims, claimed: claimedWh });
  tied.forEach((i, k) => {
    fills[i] = shares[k]!;
  });
  fills[retailer] = sharedWh - total;
}
