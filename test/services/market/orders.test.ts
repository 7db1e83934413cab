/** Method: one row per refusal code, each limit at its edge, and the precedence of two faults. */
import { expect, test } from "vitest";
import type { Line } from "../../../services/market/network.ts";
import { couplingRefusal, LINE_REFUSAL } from "../../../services/market/network.ts";
import {
  ASK,
  BID,
  createOrderColumns,
  ORDER_ENERGY_WH_MAX,
  ORDER_REFUSAL,
  type OrderColumns,
  type OrderRow,
  orderColumns,
  pushOrder,
  validateOrders,
} from "../../../services/market/orders.ts";
import {
  LINES_MAX,
  ORDERS_PER_REGION_MAX,
  PRICE_UC_PER_WH_MAX,
  REGIONS_MAX,
} from "../../../services/primitives/limits.ts";

const bid: OrderRow = { side: BID, limitUcPerWh: 10, energyWh: 5, tieIndex: 0 };
const book = (...rows: Partial<OrderRow>[]): OrderColumns =>
  orderColumns(rows.map((row, tieIndex) => ({ ...bid, tieIndex, ...row })));
const many = createOrderColumns(ORDERS_PER_REGION_MAX + 1);
many.energyWh.fill(1);
for (let i = 0; i < many.tieIndex.length; i++) many.tieIndex[i] = i;
const manyOf = (count: number): OrderColumns => ({ ...many, count });

const refusedOrders = [
  { orders: manyOf(ORDERS_PER_REGION_MAX + 1), code: "orders_too_many", field: "count" },
  { orders: manyOf(-1), code: "orders_too_many", field: "count" },
  { orders: { ...book({}, {}), count: 3 }, code: "columns_too_short", field: "count" },
  { orders: book({}, { side: 2 as 1 }), code: "side_unknown", field: "side", index: 1 },
  {
    orders: book({}, { limitUcPerWh: PRICE_UC_PER_WH_MAX + 1 }),
    code: "price_out_of_range",
    field: "limitUcPerWh",
    index: 1,
  },
  { orders: book({}, { energyWh: 2.5 }), code: "energy_not_integer", field: "energyWh", index: 1 },
  {
    orders: book({ energyWh: Number.NaN }),
    code: "energy_not_integer",
    field: "energyWh",
    index: 0,
  },
  { orders: book({ energyWh: 0 }), code: "energy_not_positive", field: "energyWh", index: 0 },
  { orders: book({ energyWh: -4 }), code: "energy_not_positive", field: "energyWh", index: 0 },
  {
    orders: book({ energyWh: ORDER_ENERGY_WH_MAX + 1 }),
    code: "energy_too_large",
    field: "energyWh",
    index: 0,
  },
  {
    orders: book(...Array.from({ length: 32 }, () => ({ energyWh: ORDER_ENERGY_WH_MAX }))),
    code: "energy_total_too_large",
    field: "energyWh",
    index: 31,
  },
  {
    orders: book({ tieIndex: 7 }, { tieIndex: 3 }, { tieIndex: 7 }),
    code: "tie_index_duplicate",
    field: "tieIndex",
    index: 2,
  },
  // Two faults in one order: the field that comes first in the table of codes.
  { orders: book({ energyWh: 0, side: 3 as 1 }), code: "side_unknown", field: "side", index: 0 },
] as const;

test.each(refusedOrders)("refuses $code", (row) => {
  const index = "index" in row ? row.index : null;
  expect(validateOrders(row.orders)).toMatchObject({ code: row.code, field: row.field, index });
});

test("refuses a price off the tick, of either sign", () => {
  for (const limitUcPerWh of [15, -15]) {
    const refusal = validateOrders(book({ limitUcPerWh }), { tickUcPerWh: 10 });
    expect(refusal).toEqual({
      code: "price_off_tick",
      index: 0,
      field: "limitUcPerWh",
      value: limitUcPerWh,
    });
  }
  expect(validateOrders(book({ limitUcPerWh: -20 }), { tickUcPerWh: 10 })).toBeNull();
});

test("accepts every limit at its edge", () => {
  expect(validateOrders(book())).toBeNull();
  expect(validateOrders(manyOf(ORDERS_PER_REGION_MAX))).toBeNull();
  const edge = { limitUcPerWh: PRICE_UC_PER_WH_MAX, energyWh: ORDER_ENERGY_WH_MAX };
  expect(validateOrders(book(edge, { limitUcPerWh: -PRICE_UC_PER_WH_MAX }))).toBeNull();
  expect(validateOrders(book(...Array.from({ length: 31 }, () => edge)))).toBeNull();
});

test("every code of an order has a row", () => {
  const tried = new Set<string>(refusedOrders.map((row) => row.code));
  expect(new Set([...tried, "price_off_tick"])).toEqual(new Set(Object.keys(ORDER_REFUSAL)));
});

test("a full draft takes no more", () => {
  const draft = createOrderColumns(1);
  pushOrder(draft, bid);
  expect(() => pushOrder(draft, bid)).toThrow("full");
});

const good: Line = { id: "a", from: 0, to: 1, capacityWh: 5, feeUcPerWh: 0 };
const two = [book({}), book({ side: ASK })];
const huge = Array.from({ length: 20 }, () => {
  return book({ energyWh: ORDER_ENERGY_WH_MAX }, { energyWh: ORDER_ENERGY_WH_MAX, side: ASK });
});
const manyLines = (count: number) =>
  Array.from({ length: count }, (_, k) => ({ ...good, id: `${k}` }));
const refusedLines = [
  {
    lines: [],
    regions: Array.from({ length: REGIONS_MAX + 1 }, () => book()),
    code: "regions_too_many",
    line: null,
  },
  { lines: manyLines(LINES_MAX + 1), code: "lines_too_many", line: null },
  { lines: [good, good], code: "line_id_duplicate", line: 1 },
  { lines: [good, { ...good, id: "b", to: 2 }], code: "line_end_unknown", line: 1 },
  { lines: [{ ...good, from: -1 }], code: "line_end_unknown", line: 0 },
  { lines: [{ ...good, from: 0.5 }], code: "line_end_unknown", line: 0 },
  { lines: [{ ...good, to: 0 }], code: "line_self_loop", line: 0 },
  { lines: [{ ...good, capacityWh: 1.5 }], code: "capacity_not_integer", line: 0 },
  { lines: [{ ...good, capacityWh: -1 }], code: "capacity_negative", line: 0 },
  {
    lines: [{ ...good, capacityWh: ORDER_ENERGY_WH_MAX + 1 }],
    code: "capacity_too_large",
    line: 0,
  },
  { lines: [{ ...good, feeUcPerWh: 0.1 }], code: "fee_not_integer", line: 0 },
  { lines: [{ ...good, feeUcPerWh: -1 }], code: "fee_negative", line: 0 },
  { lines: [{ ...good, feeUcPerWh: PRICE_UC_PER_WH_MAX + 1 }], code: "fee_out_of_range", line: 0 },
  { lines: [{ ...good, feeUcPerWh: 15 }], tickUcPerWh: 10, code: "fee_off_tick", line: 0 },
  { lines: [], regions: huge, code: "energy_total_too_large", line: null },
];

test.each(refusedLines)("refuses $code", ({ lines, regions, tickUcPerWh, code, line }) => {
  const refusal = couplingRefusal({
    regions: regions ?? two,
    lines,
    tickUcPerWh: tickUcPerWh ?? 1,
  });
  expect(refusal).toMatchObject({ code, line });
});

test("accepts the lines' limits at their edges", () => {
  const edge = { ...good, capacityWh: ORDER_ENERGY_WH_MAX, feeUcPerWh: PRICE_UC_PER_WH_MAX };
  expect(
    couplingRefusal({ regions: two, lines: [edge, { ...good, id: "b", capacityWh: 0 }] }),
  ).toBeNull();
  expect(couplingRefusal({ regions: two, lines: manyLines(LINES_MAX) })).toBeNull();
  const outside = book(
    { energyWh: ORDER_ENERGY_WH_MAX },
    { energyWh: ORDER_ENERGY_WH_MAX, side: ASK },
  );
  expect(couplingRefusal({ regions: [...two, outside], lines: [edge] })).toBeNull();
});

test("every code of a line has a row", () => {
  expect(new Set(refusedLines.map((row) => row.code))).toEqual(new Set(Object.keys(LINE_REFUSAL)));
});
