/**
 * Method: the gsy-e coefficient cases (facts), worked keys of the four schemes, one row per
 * refusal, then random communities: bounds, conservation, permutation, what a second pass may add.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type AllocationKey,
  type AllocationRule,
  allocateByKey,
  allocationRefusal,
  sharePremium,
} from "../../../../services/market/mechanisms/allocation.ts";
import {
  ALLOCATION_PRESETS,
  operatorDynamicShares,
  participatingWh,
} from "../../../../services/market/mechanisms/allocation-presets.ts";
import { marketDataAbsent, readMarketData } from "../shared-data.ts";
import { columns, expectConserved, type Meter, meters } from "./conservation.ts";

const retailer = { retailUcPerWh: 30_000, feedInUcPerWh: 8_000 };
const ruleOf = (key: AllocationKey, passes: 1 | 2 = 1): AllocationRule => ({
  key,
  passes,
  priceUcPerWh: 15_000,
});
const fixed = (...coefficientPpm: number[]): AllocationKey => ({ kind: "static", coefficientPpm });
const proRata: AllocationKey = { kind: "pro-rata" };

test.each([
  {
    name: "static: what a capped member leaves becomes surplus",
    rule: ruleOf(fixed(750_000, 250_000)),
    importWh: [10, 90],
    exportWh: [60, 40],
    bought: [10, 25],
    sold: [21, 14],
  },
  {
    name: "static, second pass: it goes to who still needs some",
    rule: ruleOf(fixed(750_000, 250_000), 2),
    importWh: [10, 90],
    exportWh: [60, 40],
    bought: [10, 90],
    sold: [60, 40],
  },
  {
    name: "pro rata of import",
    rule: ruleOf(proRata),
    importWh: [30, 90, 0],
    exportWh: [0, 0, 40],
    bought: [10, 30, 0],
    sold: [0, 0, 40],
  },
  {
    name: "pro rata, more sun than need",
    rule: ruleOf(proRata),
    importWh: [30, 0, 0],
    exportWh: [0, 60, 30],
    bought: [30, 0, 0],
    sold: [0, 20, 10],
  },
  {
    name: "supplied per pair: meter 0 serves 2 alone, meter 1 serves both",
    rule: ruleOf({
      kind: "supplied",
      rowsPpm: [
        [0, 0, 1_000_000, 0],
        [0, 0, 250_000, 500_000],
        [0, 0, 0, 0],
        [0, 0, 0, 0],
      ],
    }),
    importWh: [0, 0, 12, 50],
    exportWh: [8, 40, 0, 0],
    bought: [0, 0, 12, 20],
    sold: [5, 27, 0, 0],
  },
  {
    name: "nobody needs anything",
    rule: ruleOf(proRata, 2),
    importWh: [0, 0],
    exportWh: [5, 5],
    bought: [0, 0],
    sold: [0, 0],
  },
])("$name", ({ rule, importWh, exportWh, bought, sold }) => {
  const residuals = {
    importWh: Float64Array.from(importWh),
    exportWh: Float64Array.from(exportWh),
  };
  const shared = allocateByKey({ ...residuals, ...retailer, rule });
  expect([...shared.boughtWh]).toEqual(bought);
  expect([...shared.soldWh]).toEqual(sold);
  const amounts = bought.map((wh, i) => {
    const insideUc = 15_000 * (sold[i]! - wh);
    const restUc = 8_000 * (exportWh[i]! - sold[i]!) - 30_000 * (importWh[i]! - wh);
    return BigInt(insideUc + restUc);
  });
  expect([...shared.amountUc]).toEqual(amounts);
});

type Home = { coef: number; prod: number; cons: number };
type Case = { id: string; homes: Home[]; expected: Record<string, number | number[]> };
describe.skipIf(marketDataAbsent)("gsy-e coefficient sharing", () => {
  const cases: Case[] = marketDataAbsent
    ? []
    : JSON.parse(readMarketData("vectors/local_pricing_and_sharing.json")).scm.cases;
  test.each(cases)("$id", ({ homes, expected }) => {
    const wh = (kwh: number) => Math.round(kwh * 1000);
    const own = homes.map(({ prod, cons }) => Math.min(wh(prod), wh(cons)));
    const shared = allocateByKey({
      importWh: Float64Array.from(homes, ({ cons }, i) => wh(cons) - own[i]!),
      exportWh: Float64Array.from(homes, ({ prod }, i) => wh(prod) - own[i]!),
      ...retailer,
      rule: ruleOf(fixed(...homes.map(({ coef }) => Math.round(coef * 1e6)))),
    });
    const total = (column: Float64Array) => column.reduce((sum, each) => sum + each, 0);
    const boughtWh = total(shared.boughtWh);
    const { bought, bought_from_community, self_consumed, sold_to_grid } = expected;
    if (Array.isArray(bought)) expect([...shared.boughtWh]).toEqual(bought.map(wh));
    if (bought_from_community) expect(boughtWh).toBe(wh(Number(bought_from_community)));
    if (self_consumed) {
      expect(own.reduce((sum, each) => sum + each, boughtWh)).toBe(wh(Number(self_consumed)));
    }
    if (sold_to_grid) expect(total(shared.retailerExportWh)).toBe(wh(Number(sold_to_grid)));
  });
});

test.each([
  { key: fixed(1_000_000), code: "coefficients_misaligned", value: 1 },
  { key: fixed(500_000, 500_001), code: "coefficient_sum_invalid", value: 1_000_001 },
  { key: fixed(500_000, 499_999), code: "coefficient_sum_invalid", value: 999_999 },
  { key: fixed(-1, 1_000_000), code: "coefficient_invalid", value: -1 },
  { key: fixed(0.5, 1_000_000), code: "coefficient_invalid", value: 0.5 },
  { key: { kind: "supplied", rowsPpm: [[0, 0]] }, code: "coefficients_misaligned", value: 1 },
  {
    key: {
      kind: "supplied",
      rowsPpm: [
        [0, 0],
        [1, 1_000_000],
      ],
    },
    code: "coefficient_sum_invalid",
    value: 1_000_001,
  },
] as const)("refuses $code: $value", ({ key, code, value }) => {
  expect(allocationRefusal(key, 2)).toMatchObject({ code, value });
});

test("accepts coefficients that sum to one million, and rows that sum to less", () => {
  expect(allocationRefusal(fixed(0, 1_000_000), 2)).toBeNull();
  expect(
    allocationRefusal(
      {
        kind: "supplied",
        rowsPpm: [
          [0, 7],
          [0, 0],
        ],
      },
      2,
    ),
  ).toBeNull();
  expect(allocationRefusal(fixed(), 0)).toBeNull();
});

const keys = fc.array(fc.nat(1000), { minLength: 15, maxLength: 15 });
function keyFor(kind: AllocationKey["kind"], rows: number, drawn: number[]): AllocationKey {
  if (kind === "pro-rata") return proRata;
  const weights = drawn.slice(0, rows);
  const sum = weights.reduce((total, weight) => total + weight, 0);
  const ppm = weights.map((weight) => (sum === 0 ? 0 : Math.floor((weight * 1_000_000) / sum)));
  if (kind === "supplied")
    return {
      kind,
      rowsPpm: weights.map((_, p) => ppm.map((c) => (p % 3 === 0 ? c : Math.floor(c / 2)))),
    };
  if (rows > 0) ppm[0]! += 1_000_000 - ppm.reduce((total, each) => total + each, 0);
  return { kind, coefficientPpm: ppm };
}
const kinds = fc.constantFrom<AllocationKey["kind"]>("pro-rata", "static", "supplied");

test("energy and money conserve; a second pass adds, and leaves no need beside a surplus", () => {
  const law = (rows: Meter[], kind: AllocationKey["kind"], drawn: number[]) => {
    const rule = ruleOf(keyFor(kind, rows.length, drawn));
    const one = allocateByKey({ ...columns(rows), ...retailer, rule });
    const two = allocateByKey({ ...columns(rows), ...retailer, rule: { ...rule, passes: 2 } });
    expectConserved(rows, one);
    expectConserved(rows, two);
    rows.forEach((_, i) => {
      expect(two.boughtWh[i]).toBeGreaterThanOrEqual(one.boughtWh[i]!);
    });
    const rest = (column: Float64Array) => column.some((wh) => wh > 0);
    expect(rest(two.retailerImportWh) && rest(two.retailerExportWh)).toBe(false);
  };
  fc.assert(fc.property(meters, kinds, keys, law), { numRuns: 400 });
});

test("permuting the meters permutes the shares, but for one tied unit per stage of sharing", () => {
  const law = (rows: Meter[], kind: AllocationKey["kind"], drawn: number[]) => {
    const key = keyFor(kind, rows.length, drawn);
    const one = allocateByKey({ ...columns(rows), ...retailer, rule: ruleOf(key) });
    const turned: AllocationKey =
      key.kind === "pro-rata"
        ? key
        : key.kind === "static"
          ? { ...key, coefficientPpm: Array.from(key.coefficientPpm).reverse() }
          : { ...key, rowsPpm: key.rowsPpm.map((row) => Array.from(row).reverse()).reverse() };
    const back = allocateByKey({
      ...columns(rows.toReversed()),
      ...retailer,
      rule: ruleOf(turned),
    });
    const stages = kind === "supplied" ? rows.length : 1;
    rows.forEach((_, i) => {
      const other = rows.length - 1 - i;
      expect(Math.abs(back.boughtWh[other]! - one.boughtWh[i]!)).toBeLessThanOrEqual(stages);
      expect(Math.abs(back.soldWh[other]! - one.soldWh[i]!)).toBeLessThanOrEqual(2 * stages);
    });
  };
  fc.assert(fc.property(meters, kinds, keys, law), { numRuns: 500 });
});

test("Austria: the operator rounds each cell, we conserve; one unit apart at most", () => {
  const importUnits = Float64Array.of(1, 1, 1);
  expect([...operatorDynamicShares({ totalUnits: 2, importUnits })]).toEqual([1, 1, 1]);
  const law = (rows: Meter[], totalUnits: number) => {
    const column = columns(rows).importWh;
    const theirs = operatorDynamicShares({ totalUnits, importUnits: column });
    const exportWh = Float64Array.from(column, (_, i) => (i === 0 ? totalUnits : 0));
    const rule = ruleOf(proRata);
    const ours = allocateByKey({ importWh: column, exportWh, ...retailer, rule });
    theirs.forEach((share, i) => {
      expect(Math.abs(share - ours.boughtWh[i]!)).toBeLessThanOrEqual(1);
    });
  };
  fc.assert(fc.property(meters, fc.nat(10_000_000), law), { numRuns: 500 });
});

test("Austria: the participation factor rounds down, at its edges exactly", () => {
  const factors = [1_000_000, 10_000, 0, 333_333];
  expect([...participatingWh(Uint32Array.of(999, 999, 999, 3), factors)]).toEqual([999, 9, 0, 0]);
});

test("Italy: shared energy is the lesser of the sums, its premium is shared to the unit", () => {
  const residuals = { importWh: Float64Array.of(30, 50, 0), exportWh: Float64Array.of(0, 0, 61) };
  const split = allocateByKey({ ...residuals, ...retailer, rule: ruleOf(proRata) });
  expect(split.boughtWh.reduce((sum, wh) => sum + wh, 0)).toBe(61);
  const premium = sharePremium({ split, premiumUcPerWh: 11_001, consumersPpm: 500_000 });
  expect(premium.reduce((sum, amount) => sum + amount, 0n)).toBe(61n * 11_001n);
  expect(premium[2]).toBe(335_531n); // 61 x 11,001 / 2 = 335,530.5: the odd unit to the givers
});

test("every preset names a key this function knows and the scheme's time step", () => {
  for (const preset of Object.values(ALLOCATION_PRESETS)) {
    expect(["pro-rata", "static", "supplied"]).toContain(preset.key);
    expect([900, 3600]).toContain(preset.slotS);
    expect(preset.passes).toBe(1);
  }
});
