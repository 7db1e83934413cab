/** Method: the worked slot of the design under both rules, then: the parts sum to the bill. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { advantageUc, consumptionSplit, productionSplit } from "../../dashboard/src/model/split.ts";
import { sumsOf } from "./summaries.ts";

const TARIFF = { retailUcPerWh: 30_000, feedInUcPerWh: 8_000 };

test("buyer C of the worked slot: 300 Wh from a neighbour, 300 Wh from the utility", () => {
  const summary = sumsOf({
    importWh: 600,
    communityBoughtWh: 300,
    retailerBoughtWh: 300,
    paidUc: "15000000",
    amountUc: "-15000000",
    retailerAloneUc: "-18000000",
  });
  const split = consumptionSplit(summary, TARIFF);
  expect(split).toEqual({
    totalWh: 600,
    moneyUc: 15_000_000n,
    parts: [
      { source: "own", energyWh: 0, moneyUc: 0n },
      { source: "neighbourhood", energyWh: 300, moneyUc: 6_000_000n },
      { source: "utility", energyWh: 300, moneyUc: 9_000_000n },
    ],
  });
  expect(advantageUc(summary)).toBe(3_000_000n);
});

test("solar power: what the house used saved the retail price, neighbours count with lines", () => {
  const summary = sumsOf({
    ownUseWh: 200,
    exportWh: 800,
    communitySoldWh: 500,
    neighbourSoldWh: 100,
    retailerSoldWh: 200,
    earnedUc: String(600 * 19_000 + 200 * 8_000),
  });
  expect(productionSplit(summary, TARIFF)).toMatchObject({
    totalWh: 1_000,
    parts: [
      { source: "own", energyWh: 200, moneyUc: 6_000_000n },
      { source: "neighbourhood", energyWh: 600, moneyUc: 11_400_000n },
      { source: "utility", energyWh: 200, moneyUc: 1_600_000n },
    ],
  });
});

test("without a production meter the house's own part is unknown, not zero", () => {
  const summary = sumsOf({ ownUseWh: null, exportWh: 10, retailerSoldWh: 10, earnedUc: "80000" });
  const split = productionSplit(summary, TARIFF);
  expect(split.parts[0]).toEqual({ source: "own", energyWh: null, moneyUc: null });
  expect(split.totalWh).toBe(10);
});

test("the market's two parts always sum to what was paid, and one partner takes it all", () => {
  const wh = fc.integer({ min: 0, max: 10_000_000 });
  const uc = fc.bigInt(0n, 2n ** 62n);
  fc.assert(
    fc.property(wh, wh, wh, uc, (communityBoughtWh, neighbourBoughtWh, retailerBoughtWh, paid) => {
      const bought = { communityBoughtWh, neighbourBoughtWh, retailerBoughtWh };
      const { parts } = consumptionSplit(sumsOf({ ...bought, paidUc: String(paid) }), TARIFF);
      const [, neighbourhood, utility] = parts;
      expect((neighbourhood.moneyUc ?? 0n) + (utility.moneyUc ?? 0n)).toBe(paid);
      if (neighbourhood.energyWh === 0) expect(utility.moneyUc).toBe(paid);
    }),
  );
});
