/**
 * Method: one suite for both stores; then the roll-up: days of 92 and 100 slots, half-made days
 * after a crash, running twice, and a sum that equals the slots' own.
 */
import { describe, expect, test } from "vitest";
import { LevelStatementStore } from "../../../services/api/level-statements.ts";
import { listStatements } from "../../../services/api/statement-views.ts";
import { MemoryStatementStore, rollUpDays } from "../../../services/api/statements.ts";
import { regionLayout, TotalsTable } from "../../../services/api/totals.ts";
import { encode } from "../../../services/primitives/codec.ts";
import { STATEMENT_MONTHS_MAX } from "../../../services/primitives/limits.ts";
import type { Slot } from "../../../services/primitives/units.ts";
import type { DailyStatement, MonthlyStatement } from "../../../services/wire/api.ts";
import { type ChainFixture, createChainFixture } from "../../support/chain-fixture.ts";
import { openLevel } from "./level-fixture.ts";
import { statementOf, statementStoreSuite } from "./statement-store-suite.ts";

const timeZone = "Europe/Vienna";
const member0 = { regionIndex: 0, memberIndex: 0 };

describe("in memory", () => statementStoreSuite(async () => new MemoryStatementStore()));
describe("on disk", () => {
  statementStoreSuite(async () => new LevelStatementStore(await openLevel()));

  test("bytes that are no statement are refused", async () => {
    const database = await openLevel();
    const store = new LevelStatementStore(database);
    await store.put([statementOf({ regionIndex: 0, memberIndex: 0 }, "2024-06-01", 1)]);
    const key = "2/s/0000/00000/2024-06-01";
    await database.batch([{ type: "put", key, value: Uint8Array.of(0x80) }], { sync: true });
    const read = store.get({ regionIndex: 0, memberIndex: 0, day: "2024-06-01" });
    await expect(read).rejects.toMatchObject({ code: "bytes_malformed" });
  });

  test("statements of the first format are not read: their days are made again", async () => {
    const database = await openLevel();
    const old = [
      { type: "put", key: "last-day", value: encode("2024-06-01") },
      { type: "put", key: "s/0000/00000/2024-06-01", value: encode(Array(10).fill(null)) },
    ] as const;
    await database.batch([...old], { sync: true });
    const statements = new LevelStatementStore(database);
    const chain = hamletFrom("2024-05-31T22:00Z", 96);
    const untilSlot = chain.head().lastClearedSlot!;
    expect(await rollUpDays({ chain, statements, timeZone, untilSlot })).toEqual(["2024-06-01"]);
    const made = await statements.get({ ...member0, day: "2024-06-01" });
    expect(made?.totals.slots).toBe(96);
  });
});

const HAMLET = [
  {
    id: "hamlet",
    mechanism: "mid-market-rate",
    homes: ["sun", "plain", "plain", "plain", "plain"],
  },
] as const;

function hamletFrom(iso: string, slots: number): ChainFixture {
  const chain = createChainFixture({ regions: HAMLET, startS: Date.parse(iso) / 1000 });
  for (let i = 0; i < slots; i++) chain.clearSlot();
  return chain;
}

const region = { regionIndex: 0, memberIndex: null };

test.each([
  { day: "2021-03-28", start: "2021-03-27T23:00Z", slots: 92 },
  { day: "2021-10-31", start: "2021-10-30T22:00Z", slots: 100 },
])("$day in Vienna has $slots slots, and the days beside it 96", async ({ day, start, slots }) => {
  const before = new Date(Date.parse(start) - 86_400_000).toISOString();
  const chain = hamletFrom(before, 96 + slots + 96);
  const statements = new MemoryStatementStore();
  const untilSlot = chain.head().lastClearedSlot!;
  expect(await rollUpDays({ chain, statements, timeZone, untilSlot })).toHaveLength(3);
  const found = await statements.list({ ...region, fromDay: "0", toDay: "9", limit: 9 });
  expect(found.map(({ totals }) => totals.slots)).toEqual([96, slots, 96]);
  expect(found[1]).toMatchObject({ day, cumulative: { slots: 96 + slots } });
});

test("a day is made when its last slot is cleared, not before", async () => {
  const chain = hamletFrom("2024-05-31T22:00Z", 96);
  const statements = new MemoryStatementStore();
  const until = (untilSlot: number) =>
    rollUpDays({ chain, statements, timeZone, untilSlot: untilSlot as Slot });
  expect(await until(chain.firstSlot + 94)).toEqual([]);
  expect(await statements.lastDay()).toBeNull();
  expect(await until(chain.firstSlot + 95)).toEqual(["2024-06-01"]);
  expect(await until(chain.firstSlot + 95)).toEqual([]);
});

test("a first day that began in the middle is made of what there was", async () => {
  const chain = hamletFrom("2024-06-01T20:00Z", 8 + 96); // two hours before midnight in Vienna
  const statements = new MemoryStatementStore();
  const untilSlot = chain.head().lastClearedSlot!;
  const days = await rollUpDays({ chain, statements, timeZone, untilSlot });
  expect(days).toEqual(["2024-06-01", "2024-06-02"]);
  const first = await statements.get({ ...region, day: "2024-06-01" });
  expect(first?.totals).toMatchObject({ slots: 8, fromSlot: chain.firstSlot });
});

test("statements sum to the slots: made at once, piecemeal, or again", async () => {
  const chain = hamletFrom("2024-05-31T22:00Z", 3 * 96 + 10);
  const table = new TotalsTable(regionLayout(chain.genesis, 0));
  const records = await chain.slotRecords({
    regionIndex: 0,
    fromSlot: chain.firstSlot,
    toSlot: (chain.firstSlot + 3 * 96 - 1) as Slot,
    limit: 1000,
  });
  for (const record of records.reverse()) table.add(record);
  const untilSlot = chain.head().lastClearedSlot!;
  const atOnce = new MemoryStatementStore();
  await rollUpDays({ chain, statements: atOnce, timeZone, untilSlot });

  const again = new LevelStatementStore(await openLevel());
  for (let slot = chain.firstSlot; slot <= untilSlot; slot = (slot + 37) as Slot) {
    await rollUpDays({ chain, statements: again, timeZone, untilSlot: slot });
  }
  await again.completeDay("2024-06-02"); // as if the third day had been cut off before its end
  expect(await rollUpDays({ chain, statements: again, timeZone, untilSlot })).toEqual([
    "2024-06-03",
  ]);
  for (const memberIndex of [null, 0, 1, 2, 3, 4]) {
    const key = { regionIndex: 0, memberIndex, day: "2024-06-03" };
    const last = await atOnce.get(key);
    expect(last?.cumulative).toEqual(table.row(memberIndex));
    expect(await again.get(key)).toEqual(last);
  }
});

test("another time zone than the statements were made in is refused, with what to do", async () => {
  const chain = hamletFrom("2024-05-31T22:00Z", 3 * 96);
  const statements = new MemoryStatementStore();
  const untilSlot = chain.head().lastClearedSlot!;
  await rollUpDays({ chain, statements, timeZone, untilSlot });
  const elsewhere = rollUpDays({ chain, statements, timeZone: "Asia/Tokyo", untilSlot });
  await expect(elsewhere).rejects.toMatchObject({ code: "database_corrupt" });
  await expect(elsewhere).rejects.toThrow("was the time zone changed");
});

describe("months", () => {
  const shown = { production: "metered", slotS: 900 } as const;
  const query = { period: "month", limit: 12 } as const;

  test("by the community's clocks: March is an hour short, and the sum of its days", async () => {
    const chain = hamletFrom("2021-02-27T23:00Z", (1 + 31 + 2) * 96 - 4);
    const statements = new MemoryStatementStore();
    const untilSlot = chain.head().lastClearedSlot!;
    await rollUpDays({ chain, statements, timeZone, untilSlot });
    const list = (more: object) =>
      listStatements({ statements, owner: member0, query: { ...query, ...more }, shown });
    const months = (await list({})) as MonthlyStatement[];
    const frames = months.map(({ summary, ...frame }) => ({ ...frame, slots: summary.slots }));
    expect(frames).toEqual([
      frame({ month: "2021-04", days: ["01", "02"], complete: false, slots: 2 * 96 }),
      frame({ month: "2021-03", days: ["01", "31"], complete: true, slots: 31 * 96 - 4 }),
      frame({ month: "2021-02", days: ["28", "28"], complete: true, slots: 96 }),
    ]);
    const days = (await list({ period: "day", limit: 99 })) as DailyStatement[];
    const ofMarch = days.filter(({ day }) => day.startsWith("2021-03")).map((day) => day.summary);
    const march = months[1]!.summary;
    for (const column of ["importWh", "exportWh", "communitySoldWh", "slots"] as const) {
      expect(march[column]).toBe(ofMarch.reduce((sum, day) => sum + day[column], 0));
    }
    for (const column of ["amountUc", "retailerAloneUc", "savingsUc"] as const) {
      const sum = ofMarch.reduce((total, day) => total + BigInt(day[column]), 0n);
      expect(march[column]).toBe(sum.toString());
    }
    expect(march.peakImportW).toBe(Math.max(...ofMarch.map((day) => day.peakImportW!)));
    expect(BigInt(march.savingsUc) > 0n).toBe(true);

    const named = async (more: object) =>
      ((await list(more)) as MonthlyStatement[]).map(({ month }) => month);
    expect(await named({ limit: 1 })).toEqual(["2021-04"]);
    expect(await named({ from: "2021-03-31" })).toEqual(["2021-04", "2021-03"]);
    expect(await named({ from: "2021-03-31", to: "2021-03-31" })).toEqual(["2021-03"]);
    await expect(list({ limit: STATEMENT_MONTHS_MAX })).resolves.toHaveLength(3);
    await expect(list({ limit: STATEMENT_MONTHS_MAX + 1 })).rejects.toMatchObject({
      code: "argument_invalid",
    });
  });
});

function frame(month: { month: string; days: [string, string]; complete: boolean; slots: number }) {
  const [from, to] = month.days;
  return {
    ...month,
    fromDay: `${month.month}-${from}`,
    toDay: `${month.month}-${to}`,
    days: Number(to) - Number(from) + 1,
  };
}

test("the community's peak is what its regions draw at once, in every statement", async () => {
  const home = (id: string) => ({ ...HAMLET[0], id, homes: Array(5).fill("plain") });
  const chain = createChainFixture({
    regions: [home("east"), home("west")],
    startS: Date.parse("2024-05-31T22:00Z") / 1000,
  });
  const draws = (at: number) => [at === 10 ? 90 : 0, at === 20 ? 80 : 0].map((wh) => wh + 5);
  for (let at = 0; at < 96; at++) {
    chain.clearSlot((columns, r) => columns.importWh.fill(at === 30 ? 60 : draws(at)[r]!));
  }
  const statements = new MemoryStatementStore();
  await rollUpDays({ chain, statements, timeZone, untilSlot: chain.head().lastClearedSlot! });
  const peak = async (regionIndex: number | null) =>
    (await statements.get({ regionIndex, memberIndex: null, day: "2024-06-01" }))?.totals.peak;
  expect(await peak(0)).toEqual({ importWh: 5 * 95, slot: chain.firstSlot + 10 });
  expect(await peak(1)).toEqual({ importWh: 5 * 85, slot: chain.firstSlot + 20 });
  expect(await peak(null)).toEqual({ importWh: 5 * 120, slot: chain.firstSlot + 30 });
});
