/** Method: days with gaps, with slots that could not trade, and with two prices, point by point. */
import { expect, test } from "vitest";
import { priceSeries } from "../../dashboard/src/model/price-series.ts";
import { slotOf } from "./summaries.ts";

const DAY = { startS: 0, endS: 86_400 };
const pairs = (points: readonly { x: number; y: number | null }[]) =>
  points.map(({ x, y }) => [x / 900, y]);

test("a run of slots ends in a closing point, so that its last slot is drawn", () => {
  const { price } = priceSeries([slotOf(4), slotOf(5, { priceUcPerWh: 21_000 })], DAY);
  expect(pairs(price)).toEqual([
    [4, 19_000],
    [5, 21_000],
    [6, 21_000],
    [6, null],
  ]);
});

test("a missing slot is a gap, and so is one that could not trade", () => {
  const slots = [slotOf(1), slotOf(3), slotOf(4, { priceUcPerWh: null }), slotOf(5)];
  const series = priceSeries(slots, DAY);
  expect(pairs(series.price)).toEqual([
    ...[
      [1, 19_000],
      [2, 19_000],
      [2, null],
    ],
    ...[
      [3, 19_000],
      [4, 19_000],
      [4, null],
    ],
    ...[
      [5, 19_000],
      [6, 19_000],
      [6, null],
    ],
  ]);
  expect(series.missing).toBe(1); // the one that could not trade is there
});

test("only the day's slots count, by when they start", () => {
  const series = priceSeries([slotOf(95), slotOf(96)], DAY);
  expect(series.slots.map((slot) => slot.slot)).toEqual([95]);
  expect(priceSeries([], DAY)).toMatchObject({
    price: [],
    lowest: null,
    highest: null,
    missing: 0,
  });
});

test("buyers' and sellers' lines exist only where they differ from the price", () => {
  const same = priceSeries([slotOf(1)], DAY);
  expect([same.buy, same.sell]).toEqual([[], []]);
  const apart = priceSeries([slotOf(1), slotOf(2, { buyPriceUcPerWh: 22_000 })], DAY);
  expect(pairs(apart.buy)).toEqual([
    [1, 19_000],
    [2, 22_000],
    [3, 22_000],
    [3, null],
  ]);
  expect(pairs(apart.sell)).toEqual([
    [1, 19_000],
    [2, 19_000],
    [3, 19_000],
    [3, null],
  ]);
});

test("the extremes are the first of their kind, and negative prices are lower than zero", () => {
  const prices = [5_000, -2_000, 0, 5_000, -2_000];
  const slots = prices.map((priceUcPerWh, i) => slotOf(i, { priceUcPerWh }));
  const series = priceSeries(slots, DAY);
  expect(series.lowest?.slot).toBe(1);
  expect(series.highest?.slot).toBe(0);
});
