/**
 * Method: the published rates (retail 35, feed-in 15, demand 1,500), the limits at r = 1 and at no
 * demand or supply, then random communities against conservation and against the formula in reals.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { supplyDemandRatio } from "../../../../services/market/mechanisms/supply-demand-ratio.ts";
import { marketDataAbsent, readMarketData } from "../shared-data.ts";
import { columns, expectConserved, type Meter, meters } from "./conservation.ts";

const prices = { retailUcPerWh: 35_000, feedInUcPerWh: 15_000 };
const share = (supplyWh: number, demandWh: number, compensationPpm = 0) =>
  supplyDemandRatio({
    importWh: Float64Array.of(0, demandWh),
    exportWh: Float64Array.of(supplyWh, 0),
    ...prices,
    compensationPpm,
  });
const perWh = (totalUc: bigint, wh: number) => Number(totalUc) / wh / 1000;

test.each([
  { supply: 1400, k: 0, sell: 15.594, buy: 15.594 * (14 / 15) + 35 / 15 },
  { supply: 1400, k: 500_000, sell: 25.485, buy: 25.485 * (14 / 15) + 35 / 15 },
  { supply: 1250, k: 0, sell: 16.579, buy: 16.579 * (125 / 150) + 35 * (25 / 150) },
  { supply: 2000, k: 0, sell: 15, buy: 15 },
  { supply: 2000, k: 500_000, sell: 15 + 10 * 0.75, buy: 25 },
  { supply: 1500, k: 0, sell: 15, buy: 15 },
])("supply $supply, compensation $k ppm", ({ supply, k, sell, buy }) => {
  const shared = share(supply, 1500, k);
  expect(perWh(shared.sellersGetUc, supply)).toBeCloseTo(sell, 3);
  expect(perWh(shared.buyersPayUc, 1500)).toBeCloseTo(buy, 3);
});

test("no demand: all goes to the retailer; no supply: all comes from it", () => {
  expect(share(2000, 0, 500_000)).toMatchObject({ sellersGetUc: 30_000_000n, buyersPayUc: 0n });
  expect(share(0, 1500, 500_000)).toMatchObject({ sellersGetUc: 0n, buyersPayUc: 52_500_000n });
  expect(share(0, 0)).toMatchObject({ sellersGetUc: 0n, retailerUc: 0n });
});

describe.skipIf(marketDataAbsent)("published rates", () => {
  type Case = Record<
    "lambda_buy" | "lambda_sell" | "supply" | "demand" | "compensation" | "expected",
    number
  >;
  const cases: Case[] = marketDataAbsent
    ? []
    : JSON.parse(readMarketData("vectors/local_pricing_and_sharing.json")).internal_pricing.sdr;
  test.each(cases)("supply $supply, compensation $compensation", (row) => {
    const shared = supplyDemandRatio({
      importWh: Float64Array.of(0, row.demand),
      exportWh: Float64Array.of(row.supply, 0),
      retailUcPerWh: row.lambda_buy * 1000,
      feedInUcPerWh: row.lambda_sell * 1000,
      compensationPpm: row.compensation * 1_000_000,
    });
    expect(perWh(shared.sellersGetUc, row.supply)).toBeCloseTo(row.expected, 3);
  });
});

test("energy and money conserve to the unit and nobody loses against the retailer", () => {
  const law = (rows: Meter[], pair: [number, number], compensationPpm: number) => {
    const [feedInUcPerWh, retailUcPerWh] = [Math.min(...pair), Math.max(...pair)];
    const rates = { retailUcPerWh, feedInUcPerWh, compensationPpm };
    const shared = supplyDemandRatio({ ...columns(rows), ...rates });
    expectConserved(rows, shared);
    rows.forEach((row, i) => {
      const alone =
        BigInt(row.exportWh) * BigInt(feedInUcPerWh) - BigInt(row.importWh) * BigInt(retailUcPerWh);
      expect(shared.amountUc[i]! >= alone).toBe(true);
    });
  };
  const price = fc.nat(10_000_000);
  const pair = fc.tuple(price, price);
  fc.assert(fc.property(meters, pair, fc.nat(1_000_000), law), { numRuns: 400 });
});
