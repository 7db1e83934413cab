/**
 * Method: worked books with known answers, then random books against the definition of a clearing
 * price (every price tried), then the laws of the auction under permutation, splitting and scaling.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { clearRegion } from "../../../services/market/clearing.ts";
import { ASK, BID, type OrderRow, orderColumns } from "../../../services/market/orders.ts";
import { type ClearingRule, MIDPOINT_PRO_RATA } from "../../../services/market/rules.ts";
import { clearByDefinition, parseBook, randomBook } from "./blotter.ts";

type Row = {
  name: string;
  book: string;
  z?: number;
  interval: [number | null, number | null];
  price: number | null;
  bought: number;
  fills: number[];
};
const worked: Row[] = [
  {
    name: "splits the surplus",
    book: "bid 10x5, ask 4x5",
    interval: [4, 10],
    price: 7,
    bought: 5,
    fills: [5, 5],
  },
  {
    name: "strands no better bid",
    book: "bid 10x5, bid 9x5, ask 1x5",
    interval: [9, 10],
    price: 9,
    bought: 5,
    fills: [5, 0, 5],
  },
  {
    name: "fills the margin partly",
    book: "bid 10x8, ask 4x5",
    interval: [10, 10],
    price: 10,
    bought: 5,
    fills: [5, 5],
  },
  {
    name: "an ask on the margin sets the price",
    book: "bid 10x3, ask 4x5",
    interval: [4, 4],
    price: 4,
    bought: 3,
    fills: [3, 3],
  },
  {
    name: "floors toward minus infinity",
    book: "bid 0x5, ask -1x5",
    interval: [-1, 0],
    price: -1,
    bought: 5,
    fills: [5, 5],
  },
  {
    name: "floors a negative midpoint",
    book: "bid -2x5, ask -7x5",
    interval: [-7, -2],
    price: -5,
    bought: 5,
    fills: [5, 5],
  },
  {
    name: "trades most at equal welfare",
    book: "bid 5x4, ask 5x4",
    interval: [5, 5],
    price: 5,
    bought: 4,
    fills: [4, 4],
  },
  {
    name: "no trade, no price",
    book: "bid 3x5, ask 8x5",
    interval: [3, 8],
    price: null,
    bought: 0,
    fills: [0, 0],
  },
  { name: "asks alone", book: "ask 8x5", interval: [null, 8], price: null, bought: 0, fills: [0] },
  { name: "bids alone", book: "bid 3x5", interval: [3, null], price: null, bought: 0, fills: [0] },
  { name: "nobody", book: "", interval: [null, null], price: null, bought: 0, fills: [] },
  {
    name: "largest remainder",
    book: "bid 9x1, bid 9x1, bid 9x1, ask 1x2",
    interval: [9, 9],
    price: 9,
    bought: 2,
    fills: [1, 1, 0, 2],
  },
  {
    name: "larger remainder before lower index",
    book: "bid 9x1, bid 9x2, ask 1x1",
    interval: [9, 9],
    price: 9,
    bought: 1,
    fills: [0, 1, 1],
  },
  {
    name: "inflow sells at any price",
    book: "bid 10x5, bid 8x5, ask 9x5",
    z: 5,
    interval: [8, 9],
    price: 8,
    bought: 5,
    fills: [5, 0, 0],
  },
  {
    name: "outflow buys at any price",
    book: "ask 4x5, ask 6x5",
    z: -7,
    interval: [6, 6],
    price: 6,
    bought: 0,
    fills: [5, 2],
  },
  {
    name: "inflow that takes every bid",
    book: "bid 10x5",
    z: 5,
    interval: [null, 10],
    price: 10,
    bought: 5,
    fills: [5],
  },
  {
    name: "outflow that takes every ask",
    book: "ask 4x5",
    z: -5,
    interval: [4, null],
    price: 4,
    bought: 0,
    fills: [5],
  },
  {
    name: "the slot of DESIGN 5, by hand",
    book: "ask 12000x800, bid 28000x500, bid 20000x600",
    interval: [20000, 20000],
    price: 20000,
    bought: 800,
    fills: [800, 500, 300],
  },
  {
    name: "gsy-e's first counterexample",
    book: "bid 1x10, bid 2x15, bid 3x20, ask 1x25, ask 2x35, ask 5x30",
    interval: [2, 2],
    price: 2,
    bought: 35,
    fills: [0, 15, 20, 25, 10, 0],
  },
];

test.each(worked)("$name: $book", ({ book, z, interval, price, bought, fills }) => {
  const cleared = clearRegion({ orders: parseBook(book), injectionWh: z ?? 0 });
  expect([cleared.priceLowUcPerWh, cleared.priceHighUcPerWh]).toEqual(interval);
  expect(cleared.priceUcPerWh).toBe(price);
  expect(cleared.boughtWh).toBe(bought);
  expect(cleared.soldWh).toBe(bought - (z ?? 0));
  expect([...cleared.fillWh]).toEqual(fills);
});

const priced = (price: ClearingRule["price"]): ClearingRule => ({ ...MIDPOINT_PRO_RATA, price });
test.each([
  { rule: priced({ kind: "midpoint" }), price: 7 },
  { rule: priced({ kind: "last-accepted-sell" }), price: 4 },
  { rule: priced({ kind: "last-accepted-buy" }), price: 11 },
  { rule: priced({ kind: "k-weighted", kPpm: 0 }), price: 4 },
  { rule: priced({ kind: "k-weighted", kPpm: 300_000 }), price: 6 },
  { rule: priced({ kind: "k-weighted", kPpm: 1_000_000 }), price: 11 },
])("price rule $rule.price", ({ rule, price }) => {
  const orders = parseBook("bid 11x5, ask 4x5");
  expect(clearRegion({ orders, rule }).priceUcPerWh).toBe(price);
});

test("a tick ladder floors the midpoint to the tick", () => {
  const orders = parseBook("bid 30x5, ask -20x5");
  const rule = { ...MIDPOINT_PRO_RATA, tickUcPerWh: 10 };
  expect(clearRegion({ orders, rule }).priceUcPerWh).toBe(0);
  const odd = parseBook("bid 20x5, ask -30x5");
  expect(clearRegion({ orders: odd, rule }).priceUcPerWh).toBe(-10);
});

test("time priority fills the earliest first, whatever the order of the columns", () => {
  const rule: ClearingRule = { ...MIDPOINT_PRO_RATA, rationing: "time-priority" };
  const bid = (tieIndex: number): OrderRow => ({
    side: BID,
    limitUcPerWh: 9,
    energyWh: 4,
    tieIndex,
  });
  const ask: OrderRow = { side: ASK, limitUcPerWh: 1, energyWh: 6, tieIndex: 70_000 };
  const orders = orderColumns([bid(90_000), ask, bid(3), bid(5_000_000)]);
  expect([...clearRegion({ orders, rule }).fillWh]).toEqual([2, 6, 4, 0]);
});

test("an injection that nobody can absorb breaks a precondition", () => {
  const orders = parseBook("bid 10x5, ask 4x5");
  expect(() => clearRegion({ orders, injectionWh: 6 })).toThrow("absorbable");
  expect(() => clearRegion({ orders, injectionWh: -6 })).toThrow("absorbable");
});

test("interval and volume are the definition's, fills balance and keep every limit", () => {
  const law = (book: { rows: OrderRow[]; injectionWh: number }) => {
    const { rows, injectionWh } = book;
    const cleared = clearRegion({ orders: orderColumns(rows), injectionWh });
    const { low, high, boughtWh } = clearByDefinition(rows, injectionWh);
    expect([cleared.priceLowUcPerWh, cleared.priceHighUcPerWh]).toEqual([low, high]);
    expect(cleared.boughtWh).toBe(boughtWh);
    let bought = 0;
    let sold = 0;
    rows.forEach((row, i) => {
      const fill = cleared.fillWh[i]!;
      expect(fill >= 0 && fill <= row.energyWh && Number.isInteger(fill)).toBe(true);
      if (row.side === BID) bought += fill;
      else sold += fill;
      const price = cleared.priceUcPerWh;
      if (price === null) {
        expect(fill).toBe(0);
        return;
      }
      const gain = row.side === BID ? row.limitUcPerWh - price : price - row.limitUcPerWh;
      if (gain > 0) expect(fill).toBe(row.energyWh);
      if (gain < 0) expect(fill).toBe(0);
    });
    expect([bought, sold]).toEqual([cleared.boughtWh, cleared.boughtWh - injectionWh]);
    expect(cleared.soldWh).toBe(sold);
  };
  fc.assert(fc.property(randomBook(), law), { numRuns: 3000 });
  fc.assert(fc.property(randomBook({ ordersMax: 40, priceSpan: 10_000_000 }), law), {
    numRuns: 500,
  });
});

test("the order of the columns never matters", () => {
  const rules: ClearingRule[] = [
    MIDPOINT_PRO_RATA,
    { price: { kind: "k-weighted", kPpm: 250_000 }, rationing: "time-priority" },
  ];
  const drawn = randomBook().chain((book) =>
    fc.record({
      book: fc.constant(book),
      shuffled: fc.shuffledSubarray(book.rows, { minLength: book.rows.length }),
      rule: fc.constantFrom(...rules),
    }),
  );
  const law = ({
    book,
    shuffled,
    rule,
  }: {
    book: { rows: OrderRow[]; injectionWh: number };
    shuffled: OrderRow[];
    rule: ClearingRule;
  }) => {
    const { injectionWh } = book;
    const one = clearRegion({ orders: orderColumns(book.rows), injectionWh, rule });
    const two = clearRegion({ orders: orderColumns(shuffled), injectionWh, rule });
    expect({ ...two, fillWh: null }).toEqual({ ...one, fillWh: null });
    shuffled.forEach((row, i) => {
      expect(two.fillWh[i]).toBe(one.fillWh[row.tieIndex]);
    });
  };
  fc.assert(fc.property(drawn, law), { numRuns: 1500 });
});

test("splitting an order moves neither price nor volume, and no fill by over 2 Wh", () => {
  const law = ({ rows, injectionWh }: { rows: OrderRow[]; injectionWh: number }) => {
    const split = rows.flatMap((row) => {
      const half = Math.floor(row.energyWh / 2);
      if (half === 0) return [{ ...row, tieIndex: 2 * row.tieIndex }];
      return [
        { ...row, energyWh: half, tieIndex: 2 * row.tieIndex },
        { ...row, energyWh: row.energyWh - half, tieIndex: 2 * row.tieIndex + 1 },
      ];
    });
    const one = clearRegion({ orders: orderColumns(rows), injectionWh });
    const two = clearRegion({ orders: orderColumns(split), injectionWh });
    expect({ ...two, fillWh: null }).toEqual({ ...one, fillWh: null });
    const together = new Float64Array(rows.length);
    split.forEach((row, i) => {
      together[Math.floor(row.tieIndex / 2)]! += two.fillWh[i]!;
    });
    rows.forEach((row, i) => {
      expect(Math.abs(together[i]! - one.fillWh[i]!)).toBeLessThanOrEqual(row.energyWh > 1 ? 2 : 1);
    });
  };
  fc.assert(fc.property(randomBook(), law), { numRuns: 1500 });
});

test("scaling every energy scales the volume and keeps the price", () => {
  const law = ({ rows, injectionWh }: { rows: OrderRow[]; injectionWh: number }, k: number) => {
    const scaled = rows.map((row) => ({ ...row, energyWh: k * row.energyWh }));
    const one = clearRegion({ orders: orderColumns(rows), injectionWh });
    const many = clearRegion({ orders: orderColumns(scaled), injectionWh: k * injectionWh });
    expect(many.boughtWh).toBe(k * one.boughtWh);
    expect(many.priceUcPerWh).toBe(one.priceUcPerWh);
  };
  fc.assert(fc.property(randomBook(), fc.integer({ min: 1, max: 5000 }), law), { numRuns: 1000 });
});
