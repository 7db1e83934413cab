/**
 * From a cleared book to who got what from whom, under the uniform price.
 *
 * Inside a region all energy has one price, so which source served which use moves no money; it is
 * named in a fixed order: own region first, then other regions, then the retailer. A region's
 * totals are shared over the fills by largest remainder. What the auction left unfilled was
 * delivered all the same, so it is bought from or sold to the retailer. A member's own use counts
 * as community energy at the slot's price on both sides: nothing for the member, and one formula
 * for every bill: price x (sold inside - bought inside) + feed-in x sold to - retail x bought from
 * the retailer.
 */
import { ASK, BID } from "../market/orders.ts";
import { shareProRata } from "../market/ration.ts";
import { assert } from "../primitives/errors.ts";
import { type Book, retailerAsk, retailerBid } from "./book.ts";
import { type Allocation, createSupply, type LineTotals, type RetailerPrices } from "./slot.ts";

export type ClearedBook = {
  readonly book: Book;
  readonly fillWh: Float64Array; // per order, the retailer's included
  readonly priceUcPerWh: number | null; // null: nothing traded
  readonly lines: LineTotals;
  readonly retailer: RetailerPrices;
};

export function allocateUniformPrice(cleared: ClearedBook): Allocation {
  const { book, fillWh, lines, retailer } = cleared;
  const { orders, own } = book;
  const priceUcPerWh = cleared.priceUcPerWh ?? 0;
  const fills = fillsByPlace(cleared);
  const retailAskWh = fillWh[retailerAsk(orders)]!;
  const retailBidWh = fillWh[retailerBid(orders)]!;
  assert(
    fills.boughtWh + retailBidWh + lines.outflowWh === fills.soldWh + retailAskWh + lines.inflowWh,
    "sold + inflow = bought + outflow",
  );
  assert(retailAskWh === 0 || priceUcPerWh === retailer.retailUcPerWh, "retail bounds the price");
  assert(retailBidWh === 0 || priceUcPerWh === retailer.feedInUcPerWh, "feed-in bounds the price");
  const localWh = Math.min(fills.boughtWh, fills.soldWh);
  const bought = split(fills.bidWh, {
    totalWh: fills.boughtWh,
    localWh,
    neighbourWh: Math.min(fills.boughtWh - localWh, lines.inflowWh),
  });
  const sold = split(fills.askWh, {
    totalWh: fills.soldWh,
    localWh,
    neighbourWh: Math.min(fills.soldWh - localWh, lines.outflowWh),
  });
  const places = book.importWh.length;
  const supply = createSupply(places);
  const amountUc = new BigInt64Array(places);
  let boughtInsideWh = 0;
  let soldInsideWh = 0;
  for (let i = 0; i < places; i++) {
    supply.communityBoughtWh[i] = own.importWh[i]! + bought.localWh[i]!;
    supply.communitySoldWh[i] = own.exportWh[i]! + sold.localWh[i]!;
    supply.neighbourBoughtWh[i] = bought.neighbourWh[i]!;
    supply.neighbourSoldWh[i] = sold.neighbourWh[i]!;
    const insideBoughtWh = supply.communityBoughtWh[i]! + supply.neighbourBoughtWh[i]!;
    const insideSoldWh = supply.communitySoldWh[i]! + supply.neighbourSoldWh[i]!;
    supply.retailerBoughtWh[i] = book.importWh[i]! - insideBoughtWh;
    supply.retailerSoldWh[i] = book.exportWh[i]! - insideSoldWh;
    // limits.ts asserts that a meter's energy at one price, and so this sum, is an exact number.
    amountUc[i] = BigInt(
      priceUcPerWh * (insideSoldWh - insideBoughtWh) +
        retailer.feedInUcPerWh * supply.retailerSoldWh[i]! -
        retailer.retailUcPerWh * supply.retailerBoughtWh[i]!,
    );
    boughtInsideWh += insideBoughtWh;
    soldInsideWh += insideSoldWh;
  }
  const neighboursUc =
    BigInt(priceUcPerWh) * BigInt(lines.inflowWh - lines.outflowWh) -
    lines.inflowFeesUc -
    lines.inflowRentUc;
  return {
    supply,
    amountUc,
    priceUcPerWh: cleared.priceUcPerWh,
    buyPriceUcPerWh: boughtInsideWh > 0 ? cleared.priceUcPerWh : null,
    sellPriceUcPerWh: soldInsideWh > 0 ? cleared.priceUcPerWh : null,
    retailerUc: retailerIncomeUc(cleared),
    neighboursUc,
    gridOperatorUc: lines.inflowFeesUc,
    treasuryUc: lines.inflowRentUc,
  };
}

type Fills = {
  readonly bidWh: Float64Array; // by place
  readonly askWh: Float64Array;
  readonly boughtWh: number; // members' alone
  readonly soldWh: number;
};

function fillsByPlace({ book, fillWh }: ClearedBook): Fills {
  const { orders, place } = book;
  const bidWh = new Float64Array(book.importWh.length);
  const askWh = new Float64Array(book.importWh.length);
  let boughtWh = 0;
  let soldWh = 0;
  for (let i = 0; i < place.length; i++) {
    if (orders.side[i] === BID) {
      bidWh[place[i]!] = fillWh[i]!;
      boughtWh += fillWh[i]!;
    } else {
      askWh[place[i]!] = fillWh[i]!;
      soldWh += fillWh[i]!;
    }
  }
  return { bidWh, askWh, boughtWh, soldWh };
}

/** Parts of each fill: `local` and `neighbour` sum to their totals and never exceed the fill. */
function split(
  fillWh: Float64Array,
  { totalWh, localWh, neighbourWh }: { totalWh: number; localWh: number; neighbourWh: number },
): { readonly localWh: Float64Array; readonly neighbourWh: Float64Array } {
  const local = shareProRata({ total: localWh, claims: fillWh, claimed: totalWh });
  const left = fillWh.map((wh, i) => wh - local[i]!);
  const claimed = totalWh - localWh;
  return {
    localWh: local,
    neighbourWh: shareProRata({ total: neighbourWh, claims: left, claimed }),
  };
}

/** Inside the auction at the price, which is then the retailer's own; outside it at its prices. */
function retailerIncomeUc({ book, fillWh, retailer }: ClearedBook): bigint {
  const { orders, place } = book;
  let soldWh = fillWh[retailerAsk(orders)]!;
  let boughtWh = fillWh[retailerBid(orders)]!;
  for (let i = 0; i < place.length; i++) {
    const unfilledWh = orders.energyWh[i]! - fillWh[i]!;
    if (orders.side[i] === ASK) boughtWh += unfilledWh;
    else soldWh += unfilledWh;
  }
  return (
    BigInt(retailer.retailUcPerWh) * BigInt(soldWh) -
    BigInt(retailer.feedInUcPerWh) * BigInt(boughtWh)
  );
}
