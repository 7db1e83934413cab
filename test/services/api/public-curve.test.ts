/**
 * Method: worked sides with known steps, around the number of meters at which a step may be shown;
 * then random sides against the laws: nothing small, nothing lost, prices in order.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { publicCurve } from "../../../services/api/public-curve.ts";
import { regionLayout } from "../../../services/api/totals.ts";
import { AGGREGATE_METERS_MIN } from "../../../services/primitives/limits.ts";
import { createChainFixture } from "../../support/chain-fixture.ts";

type Offer = { readonly price: number; readonly wh: number };

/** The curve of a region in which each home sells, or each buys, at its own limit. */
function curve({
  sell = [],
  buy = [],
  price = null,
}: {
  sell?: readonly Offer[];
  buy?: readonly Offer[];
  price?: number | null; // the slot's
}) {
  const homes = Math.max(1, sell.length + buy.length);
  const regions = [
    { id: "street", mechanism: "uniform-price", homes: Array(homes).fill("plain") },
  ] as const;
  const { genesis } = createChainFixture({ regions });
  const record = {
    mechanism: "uniform-price",
    priceUcPerWh: price,
    forward: null,
    exportWh: Float64Array.from([...sell.map(({ wh }) => wh), ...buy.map(() => 0), 0]),
    importWh: Float64Array.from([...sell.map(() => 0), ...buy.map(({ wh }) => wh), 0]),
    minSellUcPerWh: Int32Array.from([...sell, ...buy], ({ price }) => price),
    maxBuyUcPerWh: Int32Array.from([...sell, ...buy], ({ price }) => price),
  };
  return publicCurve(record as never, regionLayout(genesis, 0));
}

const offers = (text: string): Offer[] =>
  text
    .split(" ")
    .filter(Boolean)
    .map((offer) => {
      const [price, wh] = offer.split("x").map(Number);
      return { price: price!, wh: wh! };
    });

test.each([
  { name: "nobody", side: "", steps: "", suppressed: false },
  { name: "one too few", side: "10x1 11x1 12x1 13x1", steps: "", suppressed: true },
  { name: "just enough", side: "10x1 10x1 10x1 10x1 15x1", steps: "11x5/5", suppressed: false },
  {
    name: "without energy they do not count",
    side: "9x0 8x1 8x1 8x1 8x1",
    steps: "",
    suppressed: true,
  },
  {
    name: "the rest is too few and joins",
    side: "10x1 10x1 10x1 10x1 10x1 20x5 20x5 20x5 20x5",
    steps: "18x25/9",
    suppressed: false,
  },
  {
    name: "two steps",
    side: "9x1 9x1 9x1 9x1 9x1 20x2 20x2 20x2 20x2 20x2",
    steps: "9x5/5 20x10/5",
    suppressed: false,
  },
  {
    name: "one price is one step, however many",
    side: "9x1 9x1 9x1 9x1 9x1 9x1 9x1 20x2 20x2 20x2 20x2 20x2",
    steps: "9x7/7 20x10/5",
    suppressed: false,
  },
])("supply, $name: $side", ({ side, steps, suppressed }) => {
  const found = curve({ sell: offers(side) });
  const text = found.supply.map((s) => `${s.priceUcPerWh}x${s.energyWh}/${s.meters}`).join(" ");
  expect(text).toBe(steps);
  expect(found.suppressed).toBe(suppressed);
});

test("a side that is hidden does not hide the other", () => {
  const buy = offers("30x1 30x1 30x1 30x1 30x1");
  expect(curve({ sell: offers("9x1"), buy })).toMatchObject({
    supply: [],
    demand: [{ priceUcPerWh: 30, energyWh: 5, meters: 5 }],
    suppressed: true,
  });
});

test("no step is small, no energy of a shown side is lost, prices are in order", () => {
  const offer = fc.record({
    price: fc.integer({ min: -3, max: 9 }),
    wh: fc.integer({ min: 0, max: 4 }),
  });
  const side = fc.array(offer, { maxLength: 24 });
  const laws = (sell: Offer[], buy: Offer[]) => {
    const found = curve({ sell, buy });
    const check = (steps: typeof found.supply, given: Offer[], direction: 1 | -1) => {
      expect(steps.every(({ meters }) => meters >= AGGREGATE_METERS_MIN)).toBe(true);
      const orders = given.filter(({ wh }) => wh > 0);
      const shown = orders.length >= AGGREGATE_METERS_MIN ? orders : [];
      const total = (list: readonly number[]) => list.reduce((sum, value) => sum + value, 0);
      expect(total(steps.map(({ energyWh }) => energyWh))).toBe(total(shown.map(({ wh }) => wh)));
      expect(total(steps.map(({ meters }) => meters))).toBe(shown.length);
      const prices = steps.map(({ priceUcPerWh }) => direction * priceUcPerWh);
      expect(prices).toEqual(prices.toSorted((a, b) => a - b));
    };
    check(found.supply, sell, 1);
    check(found.demand, buy, -1);
  };
  fc.assert(fc.property(side, side, laws), { numRuns: 60 });
});

test("a step around the clearing price stands at it: the curves cross there", () => {
  const sell = offers("10x1 10x1 14x1 14x1 14x1 20x1 20x1 20x1 20x1 20x1");
  const prices = (price: number | null) => {
    return curve({ sell, price }).supply.map((step) => step.priceUcPerWh);
  };
  expect(prices(null)).toEqual([12, 20]);
  expect(prices(11)).toEqual([11, 20]);
  expect(prices(14)).toEqual([14, 20]);
  expect(prices(17)).toEqual([12, 20]);
});
