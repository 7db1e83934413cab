/**
 * One region's orders as columns: one typed array per field, so that a million orders are five
 * allocations and one linear read.
 *
 * Safe because every quantity is an integer with a stated range, and because `validateOrders`
 * refuses a book that leaves them: sums of energy then stay exact in a double.
 */
import { assert } from "../primitives/errors.ts";
import { ORDERS_PER_REGION_MAX, PRICE_UC_PER_WH_MAX } from "../primitives/limits.ts";

export const BID = 0;
export const ASK = 1;

/** [fork] Energy of one order, Wh: 2^48. A node without limit offers this much. */
export const ORDER_ENERGY_WH_MAX = 281_474_976_710_656;

/** Order i is column entry i, for i < count; the arrays may be longer than that. */
export type OrderColumns = {
  readonly count: number;
  readonly side: Uint8Array; // BID or ASK
  readonly limitUcPerWh: Int32Array; // a bid pays at most this, an ask receives at least this
  readonly energyWh: Float64Array; // integer, 0 < e <= ORDER_ENERGY_WH_MAX
  readonly tieIndex: Uint32Array; // unique in the book; the lower one wins a tie
};

/** Columns under construction: `count` grows with every `pushOrder`. */
export type OrderColumnsDraft = { -readonly [K in keyof OrderColumns]: OrderColumns[K] };

export type OrderRow = {
  readonly side: typeof BID | typeof ASK;
  readonly limitUcPerWh: number;
  readonly energyWh: number;
  readonly tieIndex: number;
};

/** Why a book is refused; `index` is the order's position, null where the whole book is meant. */
export type OrderRefusal = {
  readonly code: keyof typeof ORDER_REFUSAL;
  readonly index: number | null;
  readonly field: "count" | "side" | "limitUcPerWh" | "energyWh" | "tieIndex";
  readonly value: number;
};

/** By descending precedence. Append, never renumber. */
export const ORDER_REFUSAL = {
  orders_too_many: 1,
  columns_too_short: 2,
  side_unknown: 3,
  price_out_of_range: 4,
  price_off_tick: 5,
  energy_not_integer: 6,
  energy_not_positive: 7,
  energy_too_large: 8,
  energy_total_too_large: 9,
  tie_index_duplicate: 10,
} as const;

export function createOrderColumns(capacity: number): OrderColumnsDraft {
  assert(Number.isSafeInteger(capacity) && capacity >= 0, "capacity must be a count");
  return {
    count: 0,
    side: new Uint8Array(capacity),
    limitUcPerWh: new Int32Array(capacity),
    energyWh: new Float64Array(capacity),
    tieIndex: new Uint32Array(capacity),
  };
}

/** Appends one order; the draft must have room. Ranges are `validateOrders`' business. */
export function pushOrder(draft: OrderColumnsDraft, row: OrderRow): void {
  const at = draft.count;
  assert(at < draft.side.length, "order columns are full");
  draft.side[at] = row.side;
  draft.limitUcPerWh[at] = row.limitUcPerWh;
  draft.energyWh[at] = row.energyWh;
  draft.tieIndex[at] = row.tieIndex;
  draft.count = at + 1;
}

export function orderColumns(rows: readonly OrderRow[]): OrderColumns {
  const draft = createOrderColumns(rows.length);
  for (const row of rows) pushOrder(draft, row);
  return draft;
}

/**
 * The first reason to refuse the book, or null. Orders are judged in index order; ties and totals
 * of the whole book after them.
 *
 * @param options.tickUcPerWh - every limit must be a multiple of it; 1 by default
 */
export function validateOrders(
  orders: OrderColumns,
  options: { readonly tickUcPerWh?: number } = {},
): OrderRefusal | null {
  const { count } = orders;
  if (!Number.isSafeInteger(count) || count < 0 || count > ORDERS_PER_REGION_MAX) {
    return { code: "orders_too_many", index: null, field: "count", value: count };
  }
  const lengths = [orders.side, orders.limitUcPerWh, orders.energyWh, orders.tieIndex];
  if (lengths.some((column) => column.length < count)) {
    return { code: "columns_too_short", index: null, field: "count", value: count };
  }
  const tickUcPerWh = options.tickUcPerWh ?? 1;
  let totalWh = 0;
  for (let i = 0; i < count; i++) {
    const refusal = validateOrder(orders, i, tickUcPerWh);
    if (refusal !== null) return refusal;
    totalWh += orders.energyWh[i]!;
    if (totalWh > Number.MAX_SAFE_INTEGER) {
      return { code: "energy_total_too_large", index: i, field: "energyWh", value: totalWh };
    }
  }
  const twin = duplicateTie(orders);
  if (twin === null) return null;
  const value = orders.tieIndex[twin]!;
  return { code: "tie_index_duplicate", index: twin, field: "tieIndex", value };
}

function validateOrder(orders: OrderColumns, index: number, tick: number): OrderRefusal | null {
  const side = orders.side[index]!;
  const limit = orders.limitUcPerWh[index]!;
  const energy = orders.energyWh[index]!;
  if (side !== BID && side !== ASK) {
    return { code: "side_unknown", index, field: "side", value: side };
  }
  if (Math.abs(limit) > PRICE_UC_PER_WH_MAX) {
    return { code: "price_out_of_range", index, field: "limitUcPerWh", value: limit };
  }
  if (limit % tick !== 0) {
    return { code: "price_off_tick", index, field: "limitUcPerWh", value: limit };
  }
  if (!Number.isInteger(energy)) {
    return { code: "energy_not_integer", index, field: "energyWh", value: energy };
  }
  if (energy <= 0) return { code: "energy_not_positive", index, field: "energyWh", value: energy };
  if (energy > ORDER_ENERGY_WH_MAX) {
    return { code: "energy_too_large", index, field: "energyWh", value: energy };
  }
  return null;
}

/** The later of the first two orders, by tie index, that share one; null if all are distinct. */
function duplicateTie(orders: OrderColumns): number | null {
  const ties = orders.tieIndex.subarray(0, orders.count);
  let ascending = true;
  for (let i = 1; i < ties.length && ascending; i++) ascending = ties[i - 1]! < ties[i]!;
  if (ascending) return null;
  const sorted = ties.slice().sort();
  for (let i = 1; i < sorted.length; i++) {
    if (sorted[i] === sorted[i - 1]) return ties.lastIndexOf(sorted[i]!);
  }
  return null;
}
