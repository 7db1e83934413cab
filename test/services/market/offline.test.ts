/**
 * Method: the slot of DESIGN 5 through every mechanism with exact amounts, one row per refusal with
 * its path and value, then random markets: permuting everything changes nothing, sums hold.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { clearOffline } from "../../../services/market/offline.ts";
import type {
  OfflineInput,
  OfflineOrder,
  OfflineOutput,
  OfflineRule,
} from "../../../services/market/offline-form.ts";

const order = (text: string): OfflineOrder => {
  const match = /^(\w+): (bid|ask) (-?[\d.]+)x(-?[\d.]+)(?: c(-?[\d.]+))?(?: p(-?[\d.]+))?$/.exec(
    text,
  );
  if (match === null) throw new Error(`no order: ${text}`);
  const [id, side, limit, energy, coefficient, priority] = match.slice(1);
  return {
    id: id!,
    side: side as OfflineOrder["side"],
    limitUcPerWh: Number(limit),
    energyWh: Number(energy),
    ...(coefficient === undefined ? {} : { coefficientPpm: Number(coefficient) }),
    ...(priority === undefined ? {} : { priority: Number(priority) }),
  };
};
const region = (id: string, book: string) => ({
  id,
  orders: book === "" ? [] : book.split(", ").map(order),
});
const uniform: OfflineRule = { mechanism: "uniform-price" };
const market = (book: string, rule: OfflineRule = uniform): OfflineInput => ({
  regions: [region("north", book)],
  lines: [],
  rule,
});

function cleared(input: OfflineInput): OfflineOutput {
  const result = clearOffline(input);
  if ("refusal" in result) throw new Error(JSON.stringify(result.refusal));
  return result.output;
}

const byHand = "A: ask 12000x800 , B: bid 28000x500, C: bid 20000x600".replace(" ,", ",");
const rates = { retailUcPerWh: 30_000, feedInUcPerWh: 8_000 };

test.each([
  {
    name: "uniform price",
    rule: uniform,
    price: 20_000,
    interval: [20_000, 20_000],
    energies: [800, 500, 300],
    amounts: ["16000000", "-10000000", "-6000000"],
    welfare: 500 * 28_000 + 300 * 20_000 - 800 * 12_000,
  },
  {
    name: "pay-as-bid",
    rule: { mechanism: "pay-as-bid" } as const,
    price: 18_500,
    interval: [16_000, 20_000],
    energies: [800, 500, 300],
    amounts: ["14800000", "-10000000", "-4800000"],
    welfare: 500 * 28_000 + 300 * 20_000 - 800 * 12_000,
  },
  {
    name: "mid-market rate",
    rule: { mechanism: "mid-market-rate", ...rates } as const,
    price: 19_000,
    interval: [19_000, 22_000],
    energies: [800, 500, 600],
    amounts: ["15200000", "-11000000", "-13200000"],
    welfare: 364 * 28_000 + 436 * 20_000 - 800 * 12_000,
    retailerUc: "9000000",
  },
  {
    name: "supply-demand ratio",
    rule: { mechanism: "supply-demand-ratio", ...rates } as const,
    price: 10_000,
    interval: [10_000, 15_455],
    // 8,000 x 30,000 / (22,000 x 8/11 + 8,000) = 10,000; the buyers' 17,000,000 split 5 : 6.
    energies: [800, 500, 600],
    amounts: ["8000000", "-7727273", "-9272727"],
    welfare: 364 * 28_000 + 436 * 20_000 - 800 * 12_000,
    retailerUc: "9000000",
  },
  {
    name: "allocation pro rata",
    rule: { mechanism: "allocation", key: "pro-rata", priceUcPerWh: 15_000 } as const,
    price: 15_000,
    interval: [15_000, 15_000],
    energies: [800, 364, 436],
    amounts: ["12000000", "-5460000", "-6540000"],
    welfare: 364 * 28_000 + 436 * 20_000 - 800 * 12_000,
  },
])("$name, by hand", (row) => {
  const output = cleared(market(byHand, row.rule));
  const [north] = output.regions;
  expect(north!.priceUcPerWh).toBe(row.price);
  expect(north!.priceIntervalUcPerWh).toEqual(row.interval);
  expect(north!.fills.map((fill) => fill.energyWh)).toEqual(row.energies);
  expect(north!.fills.map((fill) => fill.amountUc)).toEqual(row.amounts);
  expect([north!.soldWh, north!.boughtWh]).toEqual([
    row.energies[0],
    row.energies[1]! + row.energies[2]!,
  ]);
  expect(north!.retailerUc).toBe(row.retailerUc);
  expect(output.welfareUc).toBe(String(row.welfare));
  expect(output.witness).toBe("verified");
});

test("a static key: coefficients of the bids, capped, and a second pass", () => {
  const book = "A: ask 0x100, B: bid 0x10 c750000, C: bid 0x90 c250000";
  const rule = { mechanism: "allocation", key: "static", priceUcPerWh: 10 } as const;
  const energies = (passes: 1 | 2) =>
    cleared(market(book, { ...rule, passes })).regions[0]!.fills.map((fill) => fill.energyWh);
  expect(energies(1)).toEqual([35, 10, 25]);
  expect(energies(2)).toEqual([100, 10, 90]);
});

test("a static key needs no coefficients where nobody bids", () => {
  const rule = { mechanism: "allocation", key: "static", priceUcPerWh: 10 } as const;
  expect(cleared(market("A: ask 0x100", rule)).regions[0]).toMatchObject({
    priceUcPerWh: null,
    soldWh: 0,
  });
});

test("regions, lines by name, a fee and a rent", () => {
  const output = cleared({
    regions: [
      region("hill", "s: ask 4000x10"),
      region("dale", "d: bid 10000x50"),
      region("moor", "m: bid 1x1"),
    ],
    lines: [{ id: "down", from: "hill", to: "dale", capacityWh: 3, feeUcPerWh: 500 }],
    rule: uniform,
  });
  expect(output.flows).toEqual([{ lineId: "down", energyWh: 3, rentUc: "16500", feeUc: "1500" }]);
  expect(output.regions.map((each) => each.priceUcPerWh)).toEqual([4000, 10_000, null]);
  expect(output.regions.map((each) => each.priceIntervalUcPerWh)).toEqual([
    [4000, 4000],
    [10_000, 10_000],
    null,
  ]);
  expect(output.welfareUc).toBe("16500");
});

test("price rules, time priority by priority and then id, and a tick", () => {
  const book = "x: bid 30x4, y: bid 30x4 p-1, s: ask -20x6";
  const time = { ...uniform, rationing: "time-priority" } as const;
  expect(cleared(market(book, time)).regions[0]!.fills.map((fill) => fill.energyWh)).toEqual([
    2, 4, 6,
  ]);
  const pair = "x: bid 30x4, s: ask -20x4";
  const priceOf = (rule: OfflineRule) => cleared(market(pair, rule)).regions[0]!.priceUcPerWh;
  expect(priceOf({ ...uniform, price: "last-accepted-sell" })).toBe(-20);
  expect(priceOf({ ...uniform, price: "last-accepted-buy" })).toBe(30);
  expect(priceOf({ ...uniform, price: "k-weighted", kPpm: 900_000 })).toBe(25);
  expect(priceOf({ ...uniform, tickUcPerWh: 10 })).toBe(0);
});

const sdr = { mechanism: "supply-demand-ratio", ...rates } as const;
const lineIn = (change: object) => ({
  ...market("A: ask 1x1"),
  regions: [region("a", ""), region("b", "")],
  lines: [{ id: "l", from: "a", to: "b", capacityWh: 1, feeUcPerWh: 0, ...change }],
});
const fixed = { mechanism: "allocation", key: "static", priceUcPerWh: 10 } as const;
test.each([
  {
    input: market("A: ask 5x0"),
    code: "energy_not_positive",
    path: "regions[0].orders[0].energyWh",
    value: 0,
  },
  {
    input: market("A: ask 5x1, B: bid 5x-2"),
    code: "energy_not_positive",
    path: "regions[0].orders[1].energyWh",
    value: -2,
  },
  {
    input: market("A: ask 5x1.5"),
    code: "energy_not_integer",
    path: "regions[0].orders[0].energyWh",
    value: 1.5,
  },
  {
    input: market(`A: ask 5x${2 ** 53}`),
    code: "energy_too_large",
    path: "regions[0].orders[0].energyWh",
    value: 2 ** 53,
  },
  {
    input: market("A: ask 5.5x1"),
    code: "price_not_integer",
    path: "regions[0].orders[0].limitUcPerWh",
    value: 5.5,
  },
  {
    input: market(`A: ask ${2 ** 53}x1`),
    code: "price_out_of_range",
    path: "regions[0].orders[0].limitUcPerWh",
    value: 2 ** 53,
  },
  {
    input: market("A: ask 5x1 p0.5"),
    code: "priority_not_integer",
    path: "regions[0].orders[0].priority",
    value: 0.5,
  },
  {
    input: market("A: ask 15x1", { ...uniform, tickUcPerWh: 10 }),
    code: "price_off_tick",
    path: "regions[0].orders[0].limitUcPerWh",
    value: 15,
  },
  {
    input: market("A: ask 5x1, A: bid 5x1"),
    code: "order_id_duplicate",
    path: "regions[0].orders[1].id",
    value: "A",
  },
  {
    input: { ...market(""), regions: [region("a", ""), region("a", "")] },
    code: "region_id_duplicate",
    path: "regions[1].id",
    value: "a",
  },
  {
    input: { ...market(""), regions: Array.from({ length: 1025 }, (_, r) => region(`${r}`, "")) },
    code: "regions_too_many",
    path: "regions",
    value: 1025,
  },
  {
    input: { ...market(""), lines: Array.from({ length: 8193 }, () => lineIn({}).lines[0]!) },
    code: "lines_too_many",
    path: "lines",
    value: 8193,
  },
  { input: lineIn({ to: "c" }), code: "line_end_unknown", path: "lines[0].to", value: "c" },
  { input: lineIn({ from: "b" }), code: "line_self_loop", path: "lines[0].to", value: "b" },
  {
    input: lineIn({ capacityWh: -1 }),
    code: "capacity_negative",
    path: "lines[0].capacityWh",
    value: -1,
  },
  {
    input: lineIn({ capacityWh: 0.5 }),
    code: "capacity_not_integer",
    path: "lines[0].capacityWh",
    value: 0.5,
  },
  {
    input: lineIn({ feeUcPerWh: -1 }),
    code: "fee_negative",
    path: "lines[0].feeUcPerWh",
    value: -1,
  },
  {
    input: { ...lineIn({}), lines: [lineIn({}).lines[0]!, lineIn({}).lines[0]!] },
    code: "line_id_duplicate",
    path: "lines[1].id",
    value: "l",
  },
  {
    input: { ...lineIn({}), rule: { mechanism: "pay-as-bid" } as const },
    code: "lines_need_uniform_price",
    path: "lines",
    value: 1,
  },
  {
    input: market("A: ask 5x1", { ...uniform, price: "k-weighted" }),
    code: "field_missing",
    path: "rule.kPpm",
    value: null,
  },
  {
    input: market("A: ask 5x1", { ...uniform, kPpm: 1_000_001 }),
    code: "part_out_of_range",
    path: "rule.kPpm",
    value: 1_000_001,
  },
  {
    input: market("A: ask 5x1", { ...uniform, tickUcPerWh: 0 }),
    code: "tick_invalid",
    path: "rule.tickUcPerWh",
    value: 0,
  },
  {
    input: market("A: ask 5x1", { ...sdr, feedInUcPerWh: 30_001 }),
    code: "feed_in_above_retail",
    path: "rule.feedInUcPerWh",
    value: 30_001,
  },
  {
    input: market("A: ask 5x1", { ...sdr, feedInUcPerWh: -1 }),
    code: "price_negative",
    path: "rule.feedInUcPerWh",
    value: -1,
  },
  {
    input: market("A: ask 5x1", { ...sdr, compensationPpm: -1 }),
    code: "part_out_of_range",
    path: "rule.compensationPpm",
    value: -1,
  },
  {
    input: market("A: ask 5x1", { ...sdr, retailUcPerWh: 0.5 }),
    code: "price_not_integer",
    path: "rule.retailUcPerWh",
    value: 0.5,
  },
  {
    input: market("B: bid 5x1 c999999", fixed),
    code: "coefficient_sum_invalid",
    path: "regions[0].orders",
    value: 999_999,
  },
  {
    input: market("A: ask 5x1, B: bid 5x1", fixed),
    code: "field_missing",
    path: "regions[0].orders[1].coefficientPpm",
    value: null,
  },
  {
    input: market("A: ask 5x1, B: bid 5x1 c0.5", fixed),
    code: "coefficient_invalid",
    path: "regions[0].orders[1].coefficientPpm",
    value: 0.5,
  },
])("refuses $code at $path", ({ input, code, path, value }) => {
  expect(clearOffline(input)).toEqual({ refusal: { code, path, value } });
});

const rules: OfflineRule[] = [
  uniform,
  { ...uniform, rationing: "time-priority", price: "k-weighted", kPpm: 250_000 },
  { mechanism: "pay-as-bid" },
  { mechanism: "mid-market-rate", retailUcPerWh: 9, feedInUcPerWh: -4 },
  {
    mechanism: "supply-demand-ratio",
    retailUcPerWh: 9,
    feedInUcPerWh: 2,
    compensationPpm: 300_000,
  },
  { mechanism: "allocation", key: "pro-rata", passes: 2, priceUcPerWh: 3 },
];
const drawnOrder = fc.record({
  side: fc.constantFrom<"bid" | "ask">("bid", "ask"),
  limitUcPerWh: fc.integer({ min: -5, max: 9 }),
  energyWh: fc.oneof(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 2 ** 40 })),
});
const drawnMarket = fc
  .record({
    books: fc.array(fc.array(drawnOrder, { maxLength: 6 }), { minLength: 1, maxLength: 4 }),
    rule: fc.constantFrom(...rules),
    seed: fc.nat(),
    caps: fc.array(fc.integer({ min: 0, max: 9 }), { maxLength: 4 }),
  })
  .map(({ books, rule, caps, seed }): OfflineInput & { seed: number } => ({
    seed,
    rule,
    regions: books.map((rows, r) => ({
      id: `r${r}`,
      orders: rows.map((row, i) => ({ ...row, id: `o${(i * 7) % 10}` })),
    })),
    lines:
      rule.mechanism === "uniform-price" && books.length > 1
        ? caps.map((capacityWh, l) => {
            const from = l % books.length;
            return {
              id: `l${l}`,
              from: `r${from}`,
              to: `r${(from + 1) % books.length}`,
              capacityWh,
            };
          })
        : [],
  }));

test("sums hold and no order of the input matters, under every mechanism", () => {
  const law = ({ seed, ...input }: OfflineInput & { seed: number }) => {
    const turn = <T>(list: readonly T[]): T[] => {
      const at = list.length === 0 ? 0 : seed % list.length;
      return [...list.slice(at), ...list.slice(0, at)].reverse();
    };
    const one = cleared(input);
    const two = cleared({
      rule: input.rule,
      lines: turn(input.lines),
      regions: turn(input.regions).map((each) => ({ ...each, orders: turn(each.orders) })),
    });
    const normal = ({ regions, flows, ...rest }: OfflineOutput) => ({
      ...rest,
      flows: flows.toSorted((a, b) => (a.lineId < b.lineId ? -1 : 1)),
      regions: regions
        .map((each) => ({
          ...each,
          fills: each.fills.toSorted((a, b) => (a.orderId < b.orderId ? -1 : 1)),
        }))
        .sort((a, b) => (a.id < b.id ? -1 : 1)),
    });
    expect(normal(two)).toEqual(normal(one));
    let moneyUc = 0n;
    for (const each of one.regions) {
      for (const fill of each.fills) moneyUc += BigInt(fill.amountUc);
      moneyUc += BigInt(each.retailerUc ?? 0);
    }
    for (const flow of one.flows) moneyUc += BigInt(flow.rentUc) + BigInt(flow.feeUc);
    expect(moneyUc).toBe(0n);
  };
  fc.assert(fc.property(drawnMarket, law), { numRuns: 1500 });
});
