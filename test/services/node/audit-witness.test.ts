/**
 * Method: a slot of two coupled regions worked by hand, cleared by the application and accepted by
 * the auditor's witness; then one number at a time is made wrong, at both ends of a line where it
 * stands at both, and the witness must name the field. Another slot in which nothing trades.
 */
import { expect, test } from "vitest";
import { createApplication } from "../../../services/chain/application.ts";
import { createRules } from "../../../services/chain/rules.ts";
import { slotWitnessFinding } from "../../../services/node/audit-witness.ts";
import type { MicroCents } from "../../../services/primitives/units.ts";
import type { Bill } from "../../../services/wire/bill.ts";
import { tableOfBills } from "../../../services/wire/bill-table.ts";
import type { LineFlow, SlotRecord } from "../../../services/wire/slot-record.ts";
import { createMarketFixture } from "../../support/market-fixture.ts";

// Hill sells from 9,000, vale buys up to 29,000 and the line carries 100 Wh of its 400 for a fee.
const fixture = createMarketFixture({
  label: "witness",
  regions: [
    {
      id: "hill",
      mechanism: "uniform-price",
      limits: [{ minSellUcPerWh: 9_000, maxBuyUcPerWh: 20_000 }, undefined],
    },
    {
      id: "vale",
      mechanism: "uniform-price",
      limits: [{ minSellUcPerWh: 28_000, maxBuyUcPerWh: 29_000 }, undefined],
    },
    { id: "moor", limits: [undefined] },
  ],
  lines: [
    { from: "hill", to: "vale", capacityWh: 100, feeUcPerWh: 500 },
    { from: "vale", to: "hill", capacityWh: 100, feeUcPerWh: 500 },
    { from: "hill", to: "moor", capacityWh: 50, feeUcPerWh: 0 },
  ],
});
const rules = createRules(fixture.genesis);

/** The records of one slot, by region. */
function clear(energy: readonly { importWh: number[]; exportWh: number[] }[]): SlotRecord[] {
  const app = createApplication({ genesis: fixture.genesis, stored: new Map() });
  app.initChain();
  const transactions = energy.map((columns, regionIndex) =>
    fixture.reportTransaction({ regionIndex, slotIndex: 0, ...columns }),
  );
  const block = { height: 1, timeS: fixture.slotEndS(0), transactions };
  return [...app.finalizeBlock(block).slotRecords];
}

const none = { importWh: [0], exportWh: [0] };
const busy = clear([
  { importWh: [0, 0], exportWh: [500, 0] },
  { importWh: [400, 0], exportWh: [0, 0] },
  none,
]);
const calm = clear([
  { importWh: [0, 0], exportWh: [0, 0] },
  { importWh: [0, 0], exportWh: [0, 0] },
  none,
]);

const uc = (value: bigint) => value as MicroCents;
const flowsOf = (record: SlotRecord, change: (flow: LineFlow) => Partial<LineFlow>) => ({
  ...record,
  flows: record.flows.map((flow) => (flow.lineIndex === 0 ? { ...flow, ...change(flow) } : flow)),
});
const both = (change: (flow: LineFlow) => Partial<LineFlow>) =>
  busy.map((record) => (record.regionIndex < 2 ? flowsOf(record, change) : record));
const at = (records: readonly SlotRecord[], r: number, wrong: Partial<SlotRecord>) =>
  records.map((record, i) => (i === r ? { ...record, ...wrong } : record));
const bill = (record: SlotRecord, change: (bill: Bill) => Partial<Bill>) => ({
  bills: tableOfBills([...record.bills].map((b, i) => (i === 0 ? { ...b, ...change(b) } : b))),
});
const unbounded = { priceLowUcPerWh: null, priceHighUcPerWh: null };

test("what the application clears is accepted", () => {
  const [hill, vale] = busy;
  expect(hill!.flows[0]).toMatchObject({ lineIndex: 0, energyWh: 100 });
  expect(hill!.flows[0]!.rentUc).toBeGreaterThan(0n);
  expect(hill!.priceUcPerWh! + 500).toBeLessThan(vale!.priceUcPerWh!);
  expect(calm[0]!.priceUcPerWh).toBeNull();
  for (const records of [busy, calm, busy.slice(0, 2)]) {
    expect(slotWitnessFinding(rules, records)).toBeNull();
  }
});

const rows: readonly (readonly [string, () => SlotRecord[], number, RegExp])[] = [
  ["another mechanism", () => at(busy, 2, { mechanism: "uniform-price" }), 2, /^mechanism$/],
  ["below feed-in", () => at(busy, 0, { ...unbounded, priceUcPerWh: 7_999 }), 0, /^priceUcPerWh$/],
  ["above retail", () => at(busy, 1, { ...unbounded, priceUcPerWh: 30_001 }), 1, /^priceUcPerWh$/],
  ["below its interval", () => at(busy, 0, { priceLowUcPerWh: 9_999_999 }), 0, /^priceUcPerWh$/],
  [
    "off the middle",
    () => {
      const price = busy[1]!.priceUcPerWh!;
      return at(busy, 1, { priceLowUcPerWh: price - 5, priceHighUcPerWh: price });
    },
    1,
    /^priceUcPerWh$/,
  ],
  [
    "a flow outside the market",
    () => {
      const flows = busy[0]!.flows.map((flow) =>
        flow.lineIndex === 2 ? { ...flow, energyWh: 1 } : flow,
      );
      return at(busy, 0, { flows });
    },
    0,
    /^flows\[2\]\.energyWh$/,
  ],
  ["a flow to a region that is absent", () => busy.slice(0, 1), 0, /^flows\[0\]\.energyWh$/],
  [
    "ends that disagree",
    () => [flowsOf(busy[0]!, () => ({ energyWh: 99 })), ...busy.slice(1)],
    0,
    /^flows\[0\]$/,
  ],
  ["an end that says nothing", () => at(busy, 1, { flows: [] }), 0, /^flows\[0\]$/],
  ["more than the line's room", () => both(() => ({ energyWh: 101 })), 0, /^flows\[0\]\.energyWh$/],
  ["room left though it pays", () => both(() => ({ energyWh: 99 })), 0, /^flows\[0\]\.energyWh$/],
  [
    "another rent",
    () => both(({ rentUc }) => ({ rentUc: uc(rentUc - 1n) })),
    0,
    /^flows\[0\]\.rentUc$/,
  ],
  [
    "energy that runs uphill",
    () => at(busy, 1, { ...unbounded, priceUcPerWh: 8_000 }),
    0,
    /^flows\[0\]\.energyWh$/,
  ],
  [
    "a flow to where nothing has a price",
    () => at(busy, 1, { ...unbounded, priceUcPerWh: null }),
    0,
    /^flows\[0\]\.energyWh$/,
  ],
  [
    "a seller below the price who was left out",
    () => {
      const wrong = bill(busy[0]!, ({ neighbourSoldWh, retailerSoldWh }) => ({
        neighbourSoldWh: 0,
        retailerSoldWh: retailerSoldWh + neighbourSoldWh,
      }));
      const price = busy[0]!.priceUcPerWh! + 1;
      const rent = ({ rentUc }: LineFlow) => ({ rentUc: uc(rentUc - 100n) });
      const dear = { ...unbounded, priceUcPerWh: price };
      return both(rent).map((record, r) => (r === 0 ? { ...record, ...wrong, ...dear } : record));
    },
    0,
    /^member 0: sold Wh$/,
  ],
  [
    "a buyer above the price who was left out",
    () => {
      const cheap = { ...unbounded, priceUcPerWh: 28_999 };
      const rentUc = uc(100n * BigInt(28_999 - busy[0]!.priceUcPerWh! - 500));
      return both(() => ({ rentUc })).map((record, r) =>
        r === 1 ? { ...record, ...cheap } : record,
      );
    },
    1,
    /^member 0: bought Wh$/,
  ],
  [
    "a buyer below the price who was served",
    () => at(busy, 1, { maxBuyUcPerWh: Int32Array.of(8_001, 8_001) }),
    1,
    /^member 0: bought Wh$/,
  ],
  [
    "a seller above the price who was served",
    () => at(busy, 0, { minSellUcPerWh: Int32Array.of(29_999, 29_999) }),
    0,
    /^member 0: sold Wh$/,
  ],
  [
    "more than there was",
    () => {
      const wrong = bill(busy[1]!, () => ({ retailerBoughtWh: -1 }));
      return at(busy, 1, { ...wrong, maxBuyUcPerWh: busy[1]!.maxBuyUcPerWh });
    },
    1,
    /^member 0: bought Wh$/,
  ],
  [
    "trade without a price",
    () =>
      at(
        calm,
        1,
        bill(calm[1]!, () => ({ communityBoughtWh: 5 })),
      ),
    1,
    /^member 0: traded Wh$/,
  ],
  [
    "a bid that met the retailer and was left",
    () =>
      at(calm, 1, {
        ...bill(calm[1]!, () => ({ retailerBoughtWh: 5 })),
        maxBuyUcPerWh: Int32Array.of(30_000, 0),
      }),
    1,
    /^priceUcPerWh$/,
  ],
  [
    "an ask that met the retailer and was left",
    () =>
      at(calm, 0, {
        ...bill(calm[0]!, () => ({ retailerSoldWh: 5 })),
        minSellUcPerWh: Int32Array.of(8_000, 0),
      }),
    0,
    /^priceUcPerWh$/,
  ],
  [
    "neighbours who owe each other something for nothing",
    () => at(busy, 2, { neighboursUc: uc(1n) }),
    0,
    /^sum of neighboursUc/,
  ],
];

test.each(rows)("%s", (_, wrong, regionIndex, field) => {
  const found = slotWitnessFinding(rules, wrong());
  expect(found?.difference.field).toMatch(field);
  expect(found?.regionIndex).toBe(regionIndex);
});
