/**
 * Method: a year of seventeen measured homes against sums that were computed elsewhere; then worked
 * slots with known answers, above all the ones where a ratio must not exist; then conservation.
 */
import { existsSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { energySummary } from "../../../services/api/summary.ts";
import {
  emptyTotals,
  energyOf,
  groupTotals,
  joinTotals,
  regionLayout,
  TotalsTable,
} from "../../../services/api/totals.ts";
import type { Slot } from "../../../services/primitives/units.ts";
import { QUALITY } from "../../../services/wire/report.ts";
import { createChainFixture } from "../../support/chain-fixture.ts";
import { type Columns, fixtureGenesis, settleRegions } from "../../support/village.ts";

const FONTANA = "../shared/data/market/household/citylearn_fontana_hourly";

describe("seventeen measured homes", () => {
  test.skipIf(!existsSync(FONTANA))("over a year, the four ratios equal the reference", () => {
    const reference = JSON.parse(readFileSync(`${FONTANA}/reference.json`, "utf8"));
    const [head = "", ...rows] = readFileSync(`${FONTANA}/community17_hourly.csv`, "utf8")
      .trim()
      .split("\n");
    const names = head.split(",");
    const homes = names.filter((name) => name.endsWith("_load_kwh")).length;
    expect(homes).toBe(17);
    const [loadAt, sunAt] = [names.indexOf("B1_load_kwh"), names.indexOf("B1_pv_kwh")];
    const genesis = fixtureGenesis({
      regions: [{ id: "fontana", mechanism: "mid-market-rate", homes: Array(homes).fill("sun") }],
      startS: 1_469_998_800,
      slotS: 3600,
      sequencerSecret: new Uint8Array(32).fill(1),
    });
    const table = new TotalsTable(regionLayout(genesis, 0));
    const registersKwh = new Float64Array(names.length);
    rows.forEach((row, at) => {
      // As a meter does: registers are cut to whole Wh, and a slot is their difference.
      const wh = row.split(",").map((cell, i) => {
        const before = registersKwh[i]!;
        registersKwh[i] = before + Number(cell);
        return Math.round(registersKwh[i]! * 1000) - Math.round(before * 1000);
      });
      const columns: Columns = { importWh: [], exportWh: [], quality: [], late: [] };
      for (let home = 0; home < homes; home++) {
        const [loadWh, sunWh] = [wh[loadAt + home]!, wh[sunAt + home]!];
        columns.importWh.push(Math.max(0, loadWh - sunWh), 0);
        columns.exportWh.push(Math.max(0, sunWh - loadWh), sunWh);
      }
      const slot = (Math.floor(genesis.genesisTimeS / 3600) + at) as Slot;
      table.add(settleRegions({ genesis, slot, height: at + 1, columns: [columns] })[0]!);
    });
    const summary = energySummary({
      window: "all",
      totals: table.row(null),
      production: "metered",
      slotS: 3600,
    });
    expect(summary.slots).toBe(8760);
    expect(summary.consumptionWh / 1000).toBeCloseTo(reference.load_kwh, 0);
    expect(summary.productionWh! / 1000).toBeCloseTo(reference.pv_kwh, 0);
    expect(summary.ownUseWh! / 1000).toBeCloseTo(reference.own_self_consumption_kwh, 0);
    expect(summary.communityBoughtWh / 1000).toBeCloseTo(reference.tradable_in_community_kwh, 0);
    expect(summary.ratios.selfSufficiencyOwn).toBeCloseTo(reference.self_sufficiency_own, 4);
    expect(summary.ratios.selfConsumptionOwn).toBeCloseTo(reference.self_consumption_own, 4);
    const { selfSufficiencyCommunity, selfConsumptionCommunity } = summary.ratios;
    expect(selfSufficiencyCommunity).toBeCloseTo(reference.self_sufficiency_community, 4);
    expect(selfConsumptionCommunity).toBeCloseTo(reference.self_consumption_community, 4);
  });
});

/** One region: 0 sun with production meter, 1 sun without, 2 to 4 plain. Meters 0, 1 | 2 | 3.. */
const HOMES = ["sun", "sun without production meter", "plain", "plain", "plain"] as const;

function oneSlot(change: (columns: Columns) => void) {
  const chain = createChainFixture({
    regions: [{ id: "meadow", mechanism: "mid-market-rate", homes: HOMES }],
  });
  const table = new TotalsTable(regionLayout(chain.genesis, 0));
  const { slotRecords } = chain.clearSlot((columns) => {
    columns.importWh.fill(0);
    columns.exportWh.fill(0);
    change(columns);
  });
  table.add(slotRecords[0]!);
  const of = (memberIndex: number | null, production: "metered" | "none") =>
    energySummary({ window: "last", totals: table.row(memberIndex), production, slotS: 900 });
  return { of, record: slotRecords[0]! };
}

test("a worked slot: who used whose sun, and the money against the retailer alone", () => {
  const { of, record } = oneSlot(({ importWh, exportWh }) => {
    [exportWh[0], exportWh[1]] = [800, 1000]; // produced 1,000, used 200
    [importWh[3], importWh[4]] = [500, 600]; // demand 1,100 > supply 800
  });
  expect(of(0, "metered")).toMatchObject({
    productionWh: 1000,
    consumptionWh: 200,
    ownUseWh: 200,
    exportWh: 800,
    communitySoldWh: 800,
    earnedUc: "15200000", // at the mid rate of 19,000
    paidUc: "0",
    amountUc: "15200000",
    retailerAloneUc: "6400000", // at the feed-in price of 8,000
    savingsUc: "8800000",
    peakImportW: 0, // nothing drawn
    peakImportSlot: null,
    ratios: {
      selfSufficiencyOwn: 1,
      selfSufficiencyCommunity: 1,
      selfConsumptionOwn: 0.2,
      selfConsumptionCommunity: 1,
    },
  });
  expect(of(2, "none")).toMatchObject({
    productionWh: null,
    consumptionWh: 500,
    ownUseWh: 0,
    paidUc: "11000000",
    amountUc: "-11000000",
    retailerAloneUc: "-15000000",
    savingsUc: "4000000",
    peakImportW: 2000, // 500 Wh in a quarter of an hour
    peakImportSlot: record.slot,
    ratios: { selfSufficiencyOwn: null, selfConsumptionOwn: null, selfConsumptionCommunity: null },
  });
  const region = of(null, "metered");
  expect(region).toMatchObject({ consumptionWh: 1300, productionWh: 1000, missingReadings: 0 });
  expect(region).toMatchObject({ savingsUc: "17600000", peakImportW: 4400 });
  expect(region.ratios).toEqual({
    selfSufficiencyOwn: 200 / 1300,
    selfSufficiencyCommunity: 1000 / 1300,
    selfConsumptionOwn: 0.2,
    selfConsumptionCommunity: 1,
  });
});

test.each([
  {
    name: "no consumption: no self-sufficiency",
    change: (c: Columns) => ([c.exportWh[0], c.exportWh[1]] = [1000, 1000]),
    member: 0,
    ratios: { selfSufficiencyOwn: null, selfSufficiencyCommunity: null, selfConsumptionOwn: 0 },
  },
  {
    name: "no production: no self-consumption",
    change: (c: Columns) => {
      c.importWh[0] = 300;
    },
    member: 0,
    ratios: { selfSufficiencyOwn: 0, selfConsumptionOwn: null, selfConsumptionCommunity: null },
  },
  {
    name: "nothing at all: no ratio",
    change: () => {},
    member: 0,
    ratios: {
      selfSufficiencyOwn: null,
      selfSufficiencyCommunity: null,
      selfConsumptionOwn: null,
      selfConsumptionCommunity: null,
    },
  },
  {
    name: "sun without a production meter: unknown",
    change: (c: Columns) => {
      c.exportWh[2] = 400;
    },
    member: 1,
    ratios: {
      selfSufficiencyOwn: null,
      selfSufficiencyCommunity: null,
      selfConsumptionOwn: null,
      selfConsumptionCommunity: null,
    },
  },
])("$name", ({ change, member, ratios }) => {
  const { of } = oneSlot(change);
  expect(of(member, member === 0 ? "metered" : "none").ratios).toMatchObject(ratios);
});

test("sun without a production meter: own use is unknown once it feeds in, and 0 before", () => {
  expect(
    oneSlot(({ exportWh }) => {
      exportWh[2] = 1;
    }).of(1, "none").ownUseWh,
  ).toBeNull();
  expect(
    oneSlot(({ importWh }) => {
      importWh[2] = 1;
    }).of(1, "none").ownUseWh,
  ).toBe(0);
});

test("a register that is cut to whole Wh makes no negative energy", () => {
  const { of } = oneSlot(({ exportWh }) => {
    [exportWh[0], exportWh[1]] = [1000, 999];
  });
  expect(of(0, "metered")).toMatchObject({ ownUseWh: 0, consumptionWh: 0 });
});

test("a missing production reading is a gap: the slot counts with what the grid meter saw", () => {
  const { of } = oneSlot(({ importWh, quality }) => {
    importWh[0] = 300;
    quality[1] = QUALITY.missing;
  });
  expect(of(0, "metered")).toMatchObject({
    missingReadings: 1,
    consumptionWh: 300,
    productionWh: 0,
    ownUseWh: 0,
  });
});

test("a late bill corrects the sums when it settles", () => {
  const { of, record } = oneSlot(({ exportWh, late }) => {
    exportWh[1] = 1000;
    late.push({ slot: 1 as never, meterIndex: 0, importWh: 0, exportWh: 700, quality: 0 });
  });
  expect([...record.bills].filter((bill) => bill.kind === 1)).toHaveLength(1);
  expect(of(0, "metered")).toMatchObject({ productionWh: 1000, exportWh: 700, ownUseWh: 300 });
});

test("a late bill is about its own slot: a gap in the slot that settles it changes nothing", () => {
  const { of } = oneSlot(({ importWh, quality, late }) => {
    importWh[0] = 300;
    quality[1] = QUALITY.missing;
    late.push({ slot: 1 as never, meterIndex: 0, importWh: 0, exportWh: 200, quality: 0 });
  });
  // 300 drawn now, and 200 less used in the earlier slot than its production had suggested.
  expect(of(0, "metered")).toMatchObject({ consumptionWh: 100, exportWh: 200 });
});

test("a meter that draws and feeds in pays and earns; the parts sum up", () => {
  const { of, record } = oneSlot(({ importWh, exportWh }) => {
    [importWh[0], exportWh[0], exportWh[1]] = [300, 800, 1200];
    importWh[3] = 900;
  });
  const summary = of(0, "metered");
  const [paid, earned] = [BigInt(summary.paidUc), BigInt(summary.earnedUc)];
  expect(paid > 0n && earned > 0n).toBe(true);
  expect(earned - paid).toBe(record.bills.at(0)!.amountUc);
});

test("over a village's day, members sum to the region and money to the slot's entries", () => {
  const chain = createChainFixture();
  const tables = chain.genesis.regions.map(
    (_, r) => new TotalsTable(regionLayout(chain.genesis, r)),
  );
  let outsideUc = 0n;
  let neighboursUc = 0n;
  for (let i = 0; i < 96; i++) {
    for (const record of chain.clearSlot().slotRecords) {
      tables[record.regionIndex]!.add(record);
      outsideUc += record.retailerUc + record.gridOperatorUc + record.treasuryUc;
      neighboursUc += record.neighboursUc;
    }
  }
  expect(neighboursUc).toBe(0n);
  const community = groupTotals(
    tables.map((table) => table.row(null)),
    null,
  );
  expect(community).toMatchObject({ slots: 96, fromSlot: chain.firstSlot });
  const { amountUc, ...sums } = energySummary({
    window: "all",
    totals: community,
    production: "metered",
    slotS: 900,
  });
  expect(BigInt(amountUc) + outsideUc).toBe(0n);
  expect(sums.communityBoughtWh).toBe(sums.communitySoldWh);
  expect(sums.neighbourBoughtWh).toBe(sums.neighbourSoldWh);
  expect(sums.neighbourBoughtWh).toBeGreaterThan(0);
  for (const table of tables) {
    const rows = Array.from({ length: table.layout.members }, (_, m) => table.row(m));
    expect(groupTotals(rows, table.row(null).peak)).toEqual(table.row(null));
    const region = table.row(null);
    const [imported, exported] = [energyOf(region, "importWh"), energyOf(region, "exportWh")];
    const sourcesWh =
      energyOf(region, "communityBoughtWh") +
      energyOf(region, "neighbourBoughtWh") +
      energyOf(region, "retailerBoughtWh");
    expect(sourcesWh).toBe(imported);
    const sinksWh =
      energyOf(region, "communitySoldWh") +
      energyOf(region, "neighbourSoldWh") +
      energyOf(region, "retailerSoldWh");
    expect(sinksWh).toBe(exported);
  }
});

test("a peak is of one slot: earliest of equals, joint in a region, late bills out", () => {
  const chain = createChainFixture({
    regions: [{ id: "meadow", mechanism: "mid-market-rate", homes: HOMES }],
  });
  const table = new TotalsTable(regionLayout(chain.genesis, 0));
  expect(table.row(null).peak).toBeNull();
  const peaks = (
    draws: readonly [number, number],
    change: (columns: Columns) => void = () => {},
  ) => {
    const { slotRecords } = chain.clearSlot((columns) => {
      columns.importWh.fill(0);
      columns.exportWh.fill(0);
      [columns.importWh[3], columns.importWh[4]] = draws;
      change(columns);
    });
    table.add(slotRecords[0]!);
    return [2, 3, null].map((member) => table.row(member).peak);
  };
  const at = chain.firstSlot;
  expect(peaks([0, 0])).toEqual(Array(3).fill({ importWh: 0, slot: at }));
  expect(peaks([700, 0])[2]).toEqual({ importWh: 700, slot: at + 1 });
  peaks([700, 0]);
  // Neither draws more than before, but together they do.
  expect(peaks([400, 500])).toEqual([
    { importWh: 700, slot: at + 1 },
    { importWh: 500, slot: at + 3 },
    { importWh: 900, slot: at + 3 },
  ]);
  const late = { slot: at as never, meterIndex: 3, importWh: 5000, exportWh: 0, quality: 0 };
  expect(peaks([0, 0], (columns) => columns.late.push(late))[0]).toEqual({
    importWh: 700,
    slot: at + 1,
  });
  const stored = new TotalsTable(table.layout);
  stored.setRow(2, table.row(2));
  expect(stored.row(2)).toEqual(table.row(2));
  stored.clear();
  expect(stored.row(2).peak).toBeNull();
});

test("stretches of time join in order only; nothing joins with nothing", () => {
  const chain = createChainFixture();
  const table = new TotalsTable(regionLayout(chain.genesis, 0));
  table.add(chain.clearSlot().slotRecords[0]!);
  const first = table.row(null);
  expect(joinTotals({ before: emptyTotals(), after: first })).toEqual(first);
  expect(joinTotals({ before: first, after: emptyTotals() })).toEqual(first);
  expect(() => joinTotals({ before: first, after: first })).toThrow("do not overlap");
  expect(groupTotals([], null)).toEqual(emptyTotals());
});
