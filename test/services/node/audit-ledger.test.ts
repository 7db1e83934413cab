/**
 * Method: the golden chain is replayed and every block passes the auditor's own ledger; then one
 * field of one slot record at a time is made wrong, as a wrong application would make it, and the
 * ledger must name region, record and field. Last, the lanes' balances at the end.
 */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import type { Finalized } from "../../../services/chain/abci.ts";
import { createApplication } from "../../../services/chain/application.ts";
import { laneSize } from "../../../services/chain/lane.ts";
import { laneColumns } from "../../../services/chain/lane-columns.ts";
import { decodeEntries, type EntryRecord } from "../../../services/chain/payment-entries.ts";
import { createRules } from "../../../services/chain/rules.ts";
import { openRecord, sealRecord } from "../../../services/chain/sealed-record.ts";
import { entryOf, isStateKey, laneKey, slotKey } from "../../../services/chain/store-keys.ts";
import { AuditLedger, type LedgerFinding } from "../../../services/node/audit-ledger.ts";
import { genesisStart } from "../../../services/node/audit-start.ts";
import type { MicroCents } from "../../../services/primitives/units.ts";
import type { Bill } from "../../../services/wire/bill.ts";
import { tableOfBills } from "../../../services/wire/bill-table.ts";
import type { SlotRecord } from "../../../services/wire/slot-record.ts";
import { decodeGoldenLog, GOLDEN_LOG_FILE } from "../../vectors/golden-log.ts";

const file = new URL(`../../vectors/${GOLDEN_LOG_FILE}`, import.meta.url);
const { genesis, blocks } = decodeGoldenLog(new Uint8Array(readFileSync(file)));
const rules = createRules(genesis);

type Replayed = {
  readonly transactions: readonly Uint8Array[];
  readonly finalized: Finalized;
  readonly payments: readonly EntryRecord[];
};
const state = new Map<string, Uint8Array>();
const replayed: Replayed[] = (() => {
  const app = createApplication({ genesis, stored: new Map() });
  app.initChain();
  return blocks.map(({ block: { header, transactions } }) => {
    const { height, timeS } = header;
    const finalized = app.finalizeBlock({ height, timeS, transactions });
    const payments: EntryRecord[] = [];
    for (const { key, value } of app.commit().changes) {
      const entry = entryOf(key);
      if (entry !== null) payments.push(decodeEntries(entry, value!));
      if (!isStateKey(key)) continue;
      if (value === null) state.delete(key);
      else state.set(key, value);
    }
    return { transactions, finalized, payments };
  });
})();
const records = replayed.flatMap(({ finalized }) => finalized.slotRecords);

/** What the ledger says of the whole chain; `change` makes one record wrong. */
function judge(change: (record: SlotRecord) => SlotRecord = (record) => record) {
  const ledger = new AuditLedger(rules, genesisStart(genesis));
  for (const { transactions, finalized, payments } of replayed) {
    for (const payment of payments) ledger.entries(payment);
    const slotRecords = finalized.slotRecords.map(change);
    const found = ledger.block({ transactions, finalized: { ...finalized, slotRecords } });
    if (found !== null) return { ledger, found };
  }
  return { ledger, found: null };
}

function judgeWrong(victim: SlotRecord, wrong: Partial<SlotRecord>): LedgerFinding {
  const { found } = judge((record) => (record === victim ? { ...record, ...wrong } : record));
  expect(found).not.toBeNull();
  return found!;
}

const one = (is: (record: SlotRecord) => boolean): SlotRecord => {
  const record = records.find(is);
  expect(record).toBeDefined();
  return record!;
};
const priced = ({ mechanism, priceUcPerWh }: SlotRecord) =>
  mechanism === "uniform-price" && priceUcPerWh !== null;
const hasFlow = (record: SlotRecord) => record.flows.some(({ energyWh }) => energyWh > 0);
const billed = one((record) => priced(record) && record.bills.length > 1 && hasFlow(record));
const traded = one((record) => priced(record) && (record.forward?.flows.length ?? 0) > 0);
const mid = one((record) => record.mechanism === "mid-market-rate" && record.tradedWh > 0);
const late = one(({ bills }) => [...bills].some(({ kind }) => kind === 1));
const rented = one((record) => record.flows.some(({ rentUc }) => rentUc > 0n));

function withBill(record: SlotRecord, index: number, change: (bill: Bill) => Partial<Bill>) {
  const bills = [...record.bills].map((bill, i) =>
    i === index ? { ...bill, ...change(bill) } : bill,
  );
  return { bills: tableOfBills(bills) };
}

test("an honest chain breaks no law", () => {
  const { ledger, found } = judge();
  expect(found).toBeNull();
  expect(ledger.end(state)).toBeNull();
  expect(records.length).toBeGreaterThan(40);
});

const uc = (value: bigint) => value as MicroCents;
const indexOfLate = [...late.bills].findIndex(({ kind }) => kind === 1);
const rows: readonly (readonly [string, SlotRecord, () => Partial<SlotRecord>, RegExp])[] = [
  [
    "metered energy",
    billed,
    () => ({ importWh: billed.importWh.map((wh) => wh + 1) }),
    /^importWh\[0\]$/,
  ],
  [
    "fed energy",
    billed,
    () => ({ exportWh: billed.exportWh.map((wh) => wh + 1) }),
    /^exportWh\[0\]$/,
  ],
  ["quality", billed, () => ({ quality: billed.quality.map((q) => 3 - q) }), /^quality\[\d\]$/],
  ["refused readings", billed, () => ({ refusedReadings: 9 }), /^refusedReadings$/],
  ["the report", billed, () => ({ reportHash: new Uint8Array(32) }), /^reportHash$/],
  ["the readings", billed, () => ({ readingsRoot: new Uint8Array(32) }), /^readingsRoot$/],
  [
    "a bill too few",
    billed,
    () => ({ bills: tableOfBills([...billed.bills].slice(1)) }),
    /^bills\.length$/,
  ],
  [
    "a bill's meter",
    billed,
    () => withBill(billed, 1, () => ({ meterIndex: 0 })),
    /^bills\[1\]\.meterIndex$/,
  ],
  [
    "a bill's member",
    billed,
    () => withBill(billed, 1, () => ({ memberIndex: 0 })),
    /^bills\[1\]\.memberIndex$/,
  ],
  [
    "a bill's slot",
    billed,
    () => withBill(billed, 0, ({ slot }) => ({ slot: (slot - 1) as never })),
    /^bills\[0\]\.slot$/,
  ],
  ["a bill's kind", billed, () => withBill(billed, 0, () => ({ kind: 1 })), /^bills\[0\]\.kind$/],
  [
    "a bill's import",
    billed,
    () => withBill(billed, 0, ({ importWh }) => ({ importWh: importWh + 1 })),
    /^bills\[0\]\.importWh$/,
  ],
  [
    "a bill's export",
    billed,
    () => withBill(billed, 0, ({ exportWh }) => ({ exportWh: exportWh + 1 })),
    /^bills\[0\]\.exportWh$/,
  ],
  [
    "a bill's quality",
    billed,
    () => withBill(billed, 0, ({ quality }) => ({ quality: 3 - quality })),
    /^bills\[0\]\.quality$/,
  ],
  [
    "energy from nowhere",
    billed,
    () => withBill(billed, 0, (bill) => ({ communityBoughtWh: bill.communityBoughtWh + 1 })),
    /^bills\[0\]\.energy/,
  ],
  [
    "negative energy",
    billed,
    () => withBill(billed, 0, () => ({ neighbourSoldWh: -1, neighbourBoughtWh: -1 })),
    /^bills\[0\]\.neighbour\w+Wh$/,
  ],
  [
    "a bill's forward price",
    traded,
    () => withBill(traded, 0, (bill) => ({ forwardPriceUcPerWh: bill.forwardPriceUcPerWh + 1 })),
    /^bills\[0\]\.forwardPriceUcPerWh$/,
  ],
  [
    "a bill's amount",
    billed,
    () => withBill(billed, 1, ({ amountUc }) => ({ amountUc: uc(amountUc + 1n) })),
    /^bills\[1\]\.amountUc$/,
  ],
  [
    "a late bill's amount",
    late,
    () => withBill(late, indexOfLate, ({ amountUc }) => ({ amountUc: uc(amountUc - 1n) })),
    /^bills\[\d+\]\.amountUc$/,
  ],
  [
    "a late bill's energy",
    late,
    () => withBill(late, indexOfLate, ({ importWh }) => ({ importWh: importWh + 1 })),
    /^bills\[\d+\]\.importWh$/,
  ],
  [
    "an amount under the mid-market rate",
    mid,
    () => withBill(mid, 0, ({ amountUc }) => ({ amountUc: uc(amountUc + 1n) })),
    /^sum of the slot's entries, uc$/,
  ],
  ["community energy", billed, () => ({ tradedWh: billed.tradedWh + 1 }), /^tradedWh$/],
  ["inflow", billed, () => ({ inflowWh: billed.inflowWh + 1 }), /^inflowWh$/],
  ["outflow", billed, () => ({ outflowWh: billed.outflowWh + 1 }), /^outflowWh$/],
  [
    "bought from the retailer",
    billed,
    () => ({ retailerBoughtWh: billed.retailerBoughtWh + 1 }),
    /^retailerBoughtWh$/,
  ],
  [
    "sold to the retailer",
    billed,
    () => ({ retailerSoldWh: billed.retailerSoldWh + 1 }),
    /^retailerSoldWh$/,
  ],
  [
    "forward energy",
    traded,
    () => ({ forward: { ...traded.forward!, boughtWh: traded.forward!.boughtWh + 1 } }),
    /^forward\.boughtWh$/,
  ],
  [
    "forward sales",
    traded,
    () => ({ forward: { ...traded.forward!, soldWh: traded.forward!.soldWh + 1 } }),
    /^forward\.soldWh$/,
  ],
  [
    "forward flows",
    traded,
    () => ({ forward: { ...traded.forward!, flows: [] } }),
    /^forward: sold \+ inflow, Wh$/,
  ],
  [
    "the retailer's money",
    billed,
    () => ({ retailerUc: uc(billed.retailerUc + 1n) }),
    /^retailerUc$/,
  ],
  [
    "the neighbours' money",
    billed,
    () => ({ neighboursUc: uc(billed.neighboursUc + 1n) }),
    /^neighboursUc$/,
  ],
  [
    "the grid operator's money",
    billed,
    () => ({ gridOperatorUc: uc(billed.gridOperatorUc + 1n) }),
    /^gridOperatorUc$/,
  ],
  [
    "the treasury's money",
    billed,
    () => ({ treasuryUc: uc(billed.treasuryUc + 1n) }),
    /^treasuryUc$/,
  ],
  ["the mechanism", mid, () => ({ mechanism: "uniform-price" }), /./],
  [
    "a price past its interval",
    billed,
    () => ({ priceLowUcPerWh: billed.priceUcPerWh! + 1 }),
    /^priceUcPerWh$/,
  ],
  [
    "a price off the middle",
    billed,
    () => ({
      priceLowUcPerWh: billed.priceUcPerWh! - 50,
      priceHighUcPerWh: billed.priceUcPerWh! + 60,
    }),
    /^priceUcPerWh$/,
  ],
  [
    "a flow at one end only",
    rented,
    () => ({
      flows: rented.flows.map((flow) =>
        flow.rentUc > 0n ? { ...flow, rentUc: uc(flow.rentUc + 1n) } : flow,
      ),
    }),
    /^treasuryUc$|^flows\[\d\]/,
  ],
  [
    "limits that were not served",
    billed,
    () => ({
      maxBuyUcPerWh: billed.maxBuyUcPerWh.map(() => -9_999_999),
      minSellUcPerWh: billed.minSellUcPerWh.map(() => 9_999_999),
    }),
    /^member \d+: (bought|sold) Wh$/,
  ],
];

test.each(rows)("a wrong record: %s", (_, victim, wrong, field) => {
  const { regionIndex, slot } = victim;
  const found = judgeWrong(victim, wrong());
  expect(found.difference.field).toMatch(field);
  expect(found).toMatchObject({ regionIndex, record: slotKey(regionIndex, slot) });
  expect(found.difference.stored).not.toBe(found.difference.computed);
});

test("a slot that no report accounts for", () => {
  const ledger = new AuditLedger(rules, genesisStart(genesis));
  const { finalized } = replayed.find(({ finalized: f }) => f.slotRecords.length > 0)!;
  const found = ledger.block({ transactions: [], finalized: { ...finalized, results: [] } });
  expect(found).toMatchObject({ difference: { field: "reportHash" } });
});

test("balances and settled energy that the bills and reports do not come to", () => {
  const { ledger } = judge();
  const key = laneKey(1);
  const bytes = openRecord(key, state.get(key)!) as Uint8Array;
  for (const name of ["memberUc", "institutionUc", "settledImportWh"] as const) {
    const memory = new SharedArrayBuffer(bytes.length);
    new Uint8Array(memory).set(bytes);
    laneColumns(memory, laneSize(genesis, 1))[name][1]! += 1n;
    const wrong = new Map(state).set(key, sealRecord(key, new Uint8Array(memory).slice()));
    expect(ledger.end(wrong)).toMatchObject({
      ...{ regionIndex: 1, record: key },
      difference: { field: `${name}[1]` },
    });
  }
});
