/**
 * Offline clearing of one region by a mechanism other than the uniform price, in the common form of
 * the output. Each result is verified before it leaves: fills within orders, sums, and money that
 * sums to zero with the retailer's.
 *
 * Bids are imports and asks are exports of as many meters as there are orders. The published price
 * is that of the energy traded inside, rounded down; the interval spans what anyone pays or gets.
 */
import { assert } from "../primitives/errors.ts";
import { allocateByKey } from "./mechanisms/allocation.ts";
import { midMarketRate } from "./mechanisms/mid-market-rate.ts";
import { payAsBid } from "./mechanisms/pay-as-bid.ts";
import { supplyDemandRatio } from "./mechanisms/supply-demand-ratio.ts";
import { addValue, moneySum, totalUc } from "./money.ts";
import type { OfflineRegion, OfflineRegionResult, OfflineRule } from "./offline-form.ts";
import { BID, type OrderColumns } from "./orders.ts";
import { floorDivide } from "./ration.ts";

type SharingRule = Exclude<OfflineRule, { readonly mechanism: "uniform-price" }>;

/** What any mechanism says of one region. */
type Shared = {
  readonly insideWh: Float64Array; // per order: traded with other members
  readonly retailerWh: Float64Array | null; // per order: the retailer's part, where it has one
  readonly amountUc: BigInt64Array; // per order
  readonly retailerUc: bigint;
  readonly priceUcPerWh: number | null;
  readonly interval: readonly [number, number] | null;
};

export type MechanismResult = { readonly result: OfflineRegionResult; readonly welfareUc: bigint };

export function clearByMechanism(
  region: OfflineRegion,
  book: OrderColumns,
  rule: SharingRule,
): MechanismResult {
  const shared = shareBy(region, book, rule);
  verify(book, shared);
  const { insideWh, retailerWh, amountUc, retailerUc } = shared;
  const settled = insideWh.map((wh, i) => wh + (retailerWh?.[i] ?? 0));
  const welfare = moneySum();
  let [boughtWh, soldWh] = [0, 0];
  for (let i = 0; i < book.count; i++) {
    const limit = book.limitUcPerWh[i]!;
    addValue(welfare, book.side[i] === BID ? limit : -limit, insideWh[i]!);
    if (book.side[i] === BID) boughtWh += settled[i]!;
    else soldWh += settled[i]!;
  }
  const result: OfflineRegionResult = {
    id: region.id,
    priceUcPerWh: shared.priceUcPerWh,
    priceIntervalUcPerWh: shared.interval,
    boughtWh,
    soldWh,
    fills: region.orders.map((order, i) => ({
      orderId: order.id,
      energyWh: settled[i]!,
      amountUc: amountUc[i]!.toString(),
      ...(retailerWh === null ? {} : { retailerWh: retailerWh[i]! }),
    })),
    ...(retailerWh === null ? {} : { retailerUc: retailerUc.toString() }),
  };
  return { result, welfareUc: totalUc(welfare) };
}

function shareBy(region: OfflineRegion, book: OrderColumns, rule: SharingRule): Shared {
  switch (rule.mechanism) {
    case "pay-as-bid":
      return byPairs(book);
    case "allocation":
      return byKey(region, book, rule);
    default:
      return byRate(book, rule);
  }
}

/** Pairs have as many prices as they are: the mean, weighted by energy, and the extremes. */
function byPairs(book: OrderColumns): Shared {
  const { trades, tradedWh, fillWh, amountUc } = payAsBid(book);
  const value = moneySum();
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (let k = 0; k < trades.count; k++) {
    const price = trades.priceUcPerWh[k]!;
    addValue(value, price, trades.energyWh[k]!);
    low = Math.min(low, price);
    high = Math.max(high, price);
  }
  return {
    insideWh: fillWh,
    retailerWh: null,
    amountUc,
    retailerUc: 0n,
    priceUcPerWh: tradedWh === 0 ? null : floorRate(totalUc(value), tradedWh),
    interval: tradedWh === 0 ? null : [low, high],
  };
}

function residualsOf(book: OrderColumns) {
  const column = (side: number) =>
    Float64Array.from({ length: book.count }, (_, i) =>
      book.side[i] === side ? book.energyWh[i]! : 0,
    );
  return inTieOrder(book, { importWh: column(BID), exportWh: column(1 - BID) });
}

/** Ties between meters go by index, so meters are put in the order of the orders' tie indices. */
function inTieOrder(
  book: OrderColumns,
  columns: { readonly importWh: Float64Array; readonly exportWh: Float64Array },
) {
  const placeOf = Uint32Array.from({ length: book.count }, (_, i) => book.tieIndex[i]!);
  const arranged = (column: Float64Array) => {
    const sorted = new Float64Array(book.count);
    for (let i = 0; i < book.count; i++) sorted[placeOf[i]!] = column[i]!;
    return sorted;
  };
  const importWh = arranged(columns.importWh);
  return { importWh, exportWh: arranged(columns.exportWh), placeOf };
}

function byRate(
  book: OrderColumns,
  rule: Extract<SharingRule, { readonly retailUcPerWh: number }>,
): Shared {
  const { placeOf, ...residuals } = residualsOf(book);
  const parts = { ...residuals, ...rule };
  const rated =
    rule.mechanism === "mid-market-rate" ? midMarketRate(parts) : supplyDemandRatio(parts);
  const { totals, buyersPayUc, sellersGetUc } = rated;
  const { importWh, exportWh, tradedWh } = totals;
  const insideUc = buyersPayUc - BigInt(rule.retailUcPerWh) * BigInt(importWh - tradedWh);
  return {
    insideWh: pick(placeOf, (at) => rated.boughtWh[at]! + rated.soldWh[at]!),
    retailerWh: pick(placeOf, (at) => rated.retailerImportWh[at]! + rated.retailerExportWh[at]!),
    amountUc: BigInt64Array.from(placeOf, (at) => rated.amountUc[at]!),
    retailerUc: rated.retailerUc,
    priceUcPerWh: tradedWh === 0 ? null : floorRate(insideUc, tradedWh),
    interval:
      tradedWh === 0
        ? null
        : [floorRate(sellersGetUc, exportWh), -floorRate(-buyersPayUc, importWh)],
  };
}

function pick(placeOf: Uint32Array, value: (at: number) => number): Float64Array {
  return Float64Array.from(placeOf, value);
}

function byKey(
  region: OfflineRegion,
  book: OrderColumns,
  rule: Extract<SharingRule, { readonly mechanism: "allocation" }>,
): Shared {
  const { placeOf, ...residuals } = residualsOf(book);
  const { priceUcPerWh } = rule;
  const coefficientPpm = new Float64Array(book.count);
  for (const [i, order] of region.orders.entries()) {
    if (order.side === "bid") coefficientPpm[placeOf[i]!] = order.coefficientPpm ?? 0;
  }
  const bids = region.orders.some((order) => order.side === "bid");
  // Without a bid there are no coefficients to sum to one million, and nothing to allocate.
  const key =
    rule.key === "static" && bids
      ? ({ kind: "static", coefficientPpm } as const)
      : ({ kind: "pro-rata" } as const);
  const outside = { retailUcPerWh: 0, feedInUcPerWh: 0 };
  const passes = rule.passes ?? 1;
  const split = allocateByKey({ ...residuals, ...outside, rule: { key, passes, priceUcPerWh } });
  const traded = split.boughtWh.some((wh) => wh > 0);
  return {
    insideWh: pick(placeOf, (at) => split.boughtWh[at]! + split.soldWh[at]!),
    retailerWh: null,
    amountUc: BigInt64Array.from(placeOf, (at) => split.amountUc[at]!),
    retailerUc: 0n,
    priceUcPerWh: traded ? priceUcPerWh : null,
    interval: traded ? [priceUcPerWh, priceUcPerWh] : null,
  };
}

/** floor(money / energy), uc/Wh. */
function floorRate(valueUc: bigint, energyWh: number): number {
  return Number(floorDivide(valueUc, BigInt(energyWh)));
}

/** Fills within their orders, as much bought inside as sold, and money that sums to zero. */
function verify(book: OrderColumns, shared: Shared): void {
  let [insideWh, moneyUc] = [0, shared.retailerUc];
  for (let i = 0; i < book.count; i++) {
    const wh = shared.insideWh[i]!;
    const allWh = wh + (shared.retailerWh?.[i] ?? 0);
    assert(wh >= 0 && allWh <= book.energyWh[i]!, "a fill must be within its order");
    assert(Number.isSafeInteger(wh), "a fill must be an integer");
    insideWh += book.side[i] === BID ? wh : -wh;
    moneyUc += shared.amountUc[i]!;
  }
  assert(insideWh === 0, "as much must be bought inside as is sold");
  assert(moneyUc === 0n, "money must sum to zero");
}
