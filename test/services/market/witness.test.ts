/**
 * Method: every coupling and clearing passes its own witness, under every rule; then one tampered
 * row for every condition, each named as the first violation. That the witness is strict follows
 * from the last property: any change of a price, flow or fill is found.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { type Clearing, clearRegion } from "../../../services/market/clearing.ts";
import { type Coupling, couple } from "../../../services/market/coupling.ts";
import type { Line } from "../../../services/market/network.ts";
import { orderColumns } from "../../../services/market/orders.ts";
import type { ClearingRule } from "../../../services/market/rules.ts";
import { checkWitness } from "../../../services/market/witness.ts";
import { checkClearing } from "../../../services/market/witness-region.ts";
import { parseBook, randomBook } from "./blotter.ts";
import { type RandomGrid, randomGrid } from "./grids.ts";

const anyRule = fc.record({
  price: fc.oneof(
    fc.constantFrom<ClearingRule["price"]>(
      { kind: "midpoint" },
      { kind: "last-accepted-sell" },
      { kind: "last-accepted-buy" },
    ),
    fc.nat(1_000_000).map((kPpm) => ({ kind: "k-weighted", kPpm }) as const),
  ),
  rationing: fc.constantFrom("pro-rata", "time-priority"),
});

test("every clearing passes, under every rule", () => {
  const law = (
    { rows, injectionWh }: { rows: Parameters<typeof orderColumns>[0]; injectionWh: number },
    rule: ClearingRule,
  ) => {
    const orders = orderColumns(rows);
    const clearing = clearRegion({ orders, injectionWh, rule });
    expect(checkClearing({ orders, injectionWh, clearing, rule })).toBeNull();
  };
  fc.assert(fc.property(randomBook(), anyRule, law), { numRuns: 1000 });
});

const small = randomGrid({ regionsMax: 6, span: 4, energyMax: 6 });
const wide = randomGrid({ regionsMax: 6, span: 30_000, energyMax: 2 ** 38 });
const gridColumns = ({ regions, lines }: RandomGrid) => ({
  regions: regions.map(orderColumns),
  lines,
});

test("every coupling passes, under every rule", () => {
  const law = (grid: RandomGrid, rule: ClearingRule) => {
    const market = gridColumns(grid);
    const coupling = couple({ ...market, rule });
    expect(checkWitness({ ...market, coupling, rule })).toBeNull();
  };
  fc.assert(fc.property(small, anyRule, law), { numRuns: 1000 });
  fc.assert(fc.property(wide, anyRule, law), { numRuns: 300 });
});

/** Two regions share a price over line a; c is congested into region 2; d is idle and dear. */
const market = {
  regions: ["ask 4x10, ask 4x10, bid 2x5", "bid 10x7, bid 4x8, bid 4x8", "bid 20x9", ""].map(
    parseBook,
  ),
  lines: [
    { id: "a", from: 0, to: 1, capacityWh: 50, feeUcPerWh: 0 },
    { id: "b", from: 1, to: 0, capacityWh: 50, feeUcPerWh: 0 },
    { id: "c", from: 0, to: 2, capacityWh: 5, feeUcPerWh: 1 },
    { id: "d", from: 1, to: 2, capacityWh: 5, feeUcPerWh: 90 },
  ] satisfies Line[],
};
const sound = couple(market);

test("the worked coupling is what the table below tampers with", () => {
  expect(sound.clearings.map((c) => c.priceUcPerWh)).toEqual([4, 4, 20, null]);
  expect([...sound.flowWh]).toEqual([15, 0, 5, 0]);
  expect(sound.clearings.map((c) => [...c.fillWh])).toEqual([[10, 10, 0], [7, 4, 4], [5], []]);
  expect(checkWitness({ ...market, coupling: sound })).toBeNull();
});

const set = <T extends Float64Array | Int32Array>(column: T, at: number, value: number): T => {
  const copy = column.slice() as T;
  copy[at] = value;
  return copy;
};
const clearings = (region: number, change: Partial<Clearing>): Partial<Coupling> => ({
  clearings: sound.clearings.map((c, r) => (r === region ? { ...c, ...change } : c)),
});
const fills = (region: number, fillWh: number[], change: Partial<Clearing> = {}) =>
  clearings(region, { fillWh: Float64Array.from(fillWh), ...change });
const rows: { expected: object; change: Partial<Coupling> }[] = [
  { expected: { condition: "shape" }, change: { rentUc: [] } },
  { expected: { condition: "shape", region: 1 }, change: fills(1, [7, 8]) },
  {
    expected: { condition: "flow_out_of_range", line: 2 },
    change: { flowWh: set(sound.flowWh, 2, 6) },
  },
  {
    expected: { condition: "flow_out_of_range", line: 0 },
    change: { flowWh: set(sound.flowWh, 0, 14.5) },
  },
  {
    expected: { condition: "flow_out_of_range", line: 1 },
    change: { flowWh: set(sound.flowWh, 1, -1) },
  },
  {
    expected: { condition: "net_inflow", region: 0 },
    change: { netInflowWh: set(sound.netInflowWh, 0, -19) },
  },
  { expected: { condition: "line_price", line: 2 }, change: { flowWh: set(sound.flowWh, 2, 4) } },
  { expected: { condition: "line_price", line: 3 }, change: { flowWh: set(sound.flowWh, 3, 1) } },
  {
    expected: { condition: "line_price", line: 0 },
    change: { priceUcPerWh: set(sound.priceUcPerWh, 1, 5) },
  },
  {
    expected: { condition: "fill_out_of_range", region: 0, order: 0 },
    change: fills(0, [11, 9, 0]),
  },
  {
    expected: { condition: "fill_out_of_range", region: 1, order: 1 },
    change: fills(1, [7, 3.5, 4.5]),
  },
  { expected: { condition: "merit", region: 1, order: 0 }, change: fills(1, [6, 4, 5]) },
  { expected: { condition: "merit", region: 0, order: 2 }, change: fills(0, [10, 10, 1]) },
  { expected: { condition: "volume_sum", region: 1 }, change: clearings(1, { boughtWh: 16 }) },
  { expected: { condition: "balance", region: 1 }, change: fills(1, [7, 4, 5], { boughtWh: 16 }) },
  { expected: { condition: "rationing", region: 1, order: 1 }, change: fills(1, [7, 6, 2]) },
  {
    expected: { condition: "interval_low", region: 1 },
    change: { priceLowUcPerWh: set(sound.priceLowUcPerWh, 1, 3) },
  },
  {
    expected: { condition: "interval_low", region: 3 },
    change: { priceLowUcPerWh: set(sound.priceLowUcPerWh, 3, 3) },
  },
  {
    expected: { condition: "interval_high", region: 2 },
    change: { priceHighUcPerWh: set(sound.priceHighUcPerWh, 2, 21) },
  },
  {
    expected: { condition: "interval_high", region: 1 },
    change: clearings(1, { priceHighUcPerWh: 5 }),
  },
  {
    expected: { condition: "price_rule", region: 1 },
    change: clearings(1, { priceUcPerWh: null }),
  },
  { expected: { condition: "price_rule", region: 3 }, change: clearings(3, { priceUcPerWh: 0 }) },
  {
    expected: { condition: "flow_not_shortest", line: 1 },
    change: { flowWh: Float64Array.of(16, 1, 5, 0) },
  },
  { expected: { condition: "rent", line: 2 }, change: { rentUc: [0n, 0n, 76n, 0n] } },
  { expected: { condition: "fees", line: 2 }, change: { feesUc: [0n, 0n, 6n, 0n] } },
  { expected: { condition: "welfare" }, change: { welfareUc: sound.welfareUc + 1n } },
];
test.each(rows)("finds $expected", ({ expected, change }) => {
  expect(checkWitness({ ...market, coupling: { ...sound, ...change } })).toEqual(expected);
});

test("finds volume left on the table: a seller and a buyer at the price, one line apart", () => {
  const regions = ["ask 4x5", "bid 4x5"].map(parseBook);
  const lines = [{ id: "a", from: 0, to: 1, capacityWh: 9, feeUcPerWh: 0 }];
  const coupling = couple({ regions, lines });
  const lazy: Coupling = {
    ...coupling,
    flowWh: Float64Array.of(0),
    netInflowWh: Float64Array.of(0, 0),
    clearings: coupling.clearings.map((c) => ({
      ...c,
      boughtWh: 0,
      soldWh: 0,
      fillWh: Float64Array.of(0),
    })),
  };
  expect(checkWitness({ regions, lines, coupling })).toBeNull();
  expect(checkWitness({ regions, lines, coupling: lazy })).toEqual({
    condition: "volume_not_maximal",
    region: 1,
  });
});

test("any one number of a coupling, changed, is found", () => {
  const law = (grid: RandomGrid, pick: number, by: number) => {
    const columns = gridColumns(grid);
    const coupling = couple(columns);
    const changed: Partial<Coupling>[] = [];
    for (let l = 0; l < grid.lines.length; l++)
      changed.push({ flowWh: set(coupling.flowWh, l, coupling.flowWh[l]! + by) });
    for (const [r, c] of coupling.clearings.entries()) {
      changed.push({ netInflowWh: set(coupling.netInflowWh, r, coupling.netInflowWh[r]! + by) });
      if (c.priceUcPerWh !== null)
        changed.push({ priceUcPerWh: set(coupling.priceUcPerWh, r, c.priceUcPerWh + by) });
      for (let i = 0; i < c.fillWh.length; i++) {
        const fillWh = set(c.fillWh, i, c.fillWh[i]! + by);
        changed.push({
          clearings: coupling.clearings.map((d, s) => (s === r ? { ...d, fillWh } : d)),
        });
      }
    }
    if (changed.length === 0) return;
    const tampered = { ...coupling, ...changed[pick % changed.length] };
    expect(checkWitness({ ...columns, coupling: tampered })).not.toBeNull();
  };
  fc.assert(fc.property(small, fc.nat(1000), fc.constantFrom(-1, 1, 2), law), { numRuns: 800 });
});
