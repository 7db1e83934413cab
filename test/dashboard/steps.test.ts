/** Method: the worked slot of the design as curves, then the laws of a stepped line. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { closedCurve, ownPoint, priceRange, stepCurve } from "../../dashboard/src/model/steps.ts";
import { detailOf } from "./summaries.ts";

const step = (priceUcPerWh: number, energyWh: number) => ({ priceUcPerWh, energyWh, meters: 5 });
const DEMAND = [step(28_000, 500), step(20_000, 600)];
const SUPPLY = [step(12_000, 800)];

test("each step is a horizontal run, and the end turns vertical", () => {
  expect(stepCurve(DEMAND)).toEqual([
    { x: 0, y: 28_000 },
    { x: 500, y: 28_000 },
    { x: 500, y: 20_000 },
    { x: 1_100, y: 20_000 },
  ]);
  expect(closedCurve(SUPPLY, 40_000).at(-1)).toEqual({ x: 800, y: 40_000 });
  expect(closedCurve([], 40_000)).toEqual([]);
});

test("a curve never runs back, and ends at the sum of its steps", () => {
  const steps = fc.array(
    fc.record({
      priceUcPerWh: fc.integer({ min: -50_000, max: 50_000 }),
      energyWh: fc.integer({ min: 0, max: 1_000_000 }),
      meters: fc.constant(5),
    }),
  );
  fc.assert(
    fc.property(steps, (curve) => {
      const points = stepCurve(curve);
      expect(points).toHaveLength(2 * curve.length);
      points.forEach((point, i) => {
        expect(point.x).toBeGreaterThanOrEqual(points[i - 1]?.x ?? 0);
      });
      const sumWh = curve.reduce((sum, { energyWh }) => sum + energyWh, 0);
      expect(points.at(-1)?.x ?? 0).toBe(sumWh);
    }),
  );
});

test("the price range holds both curves and the tariffs, and shows no price below zero", () => {
  const { lowUcPerWh, highUcPerWh } = priceRange(detailOf({ supply: SUPPLY, demand: DEMAND }));
  expect(lowUcPerWh).toBeLessThan(8_000);
  expect(lowUcPerWh).toBeGreaterThanOrEqual(0);
  expect(highUcPerWh).toBeGreaterThan(30_000);
  const negative = priceRange(detailOf({ supply: [step(-4_000, 5)] }));
  expect(negative.lowUcPerWh).toBeLessThan(-4_000);
});

const OWN = {
  importWh: 0,
  exportWh: 40,
  minSellUcPerWh: 14_000,
  maxBuyUcPerWh: 20_000,
  amountUc: "0",
  why: "traded" as const,
};

test.each([
  { name: "a seller stands in the step of its limit", own: OWN, x: 800 + 50, y: 14_000 },
  {
    name: "a buyer stands in the first step at or below its limit",
    own: { ...OWN, importWh: 300, exportWh: 0 },
    x: 500 + 300,
    y: 20_000,
  },
  {
    name: "beyond the last step it stands in the last",
    own: { ...OWN, minSellUcPerWh: 99_000 },
    x: 800 + 50,
    y: 99_000,
  },
])("$name", ({ own, x, y }) => {
  const supply = [...SUPPLY, step(14_500, 100)];
  expect(ownPoint(detailOf({ supply, demand: DEMAND, own }))).toEqual({ x, y });
});

test("no order, or no curve to stand in, is no point", () => {
  expect(ownPoint(detailOf({ supply: SUPPLY }))).toBeNull();
  expect(ownPoint(detailOf({ own: OWN }))).toBeNull();
  expect(ownPoint(detailOf({ supply: SUPPLY, own: { ...OWN, exportWh: 0 } }))).toBeNull();
});
