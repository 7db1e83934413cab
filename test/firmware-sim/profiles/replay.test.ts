/**
 * Method: small files with known answers for each form and each way to be wrong; measured homes
 * against the sums and ratios published beside them (`../shared/data`, skipped where absent); then
 * the law that no interpolation gains or loses energy.
 */
import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, expect, test } from "vitest";
import { type Replay, readReplay } from "../../../firmware-sim/profiles/replay.ts";
import { createReplaySource, registerAt } from "../../../firmware-sim/profiles/replay-source.ts";
import { GridError } from "../../../services/primitives/errors.ts";
import { REPLAY_LINE_BYTES_MAX } from "../../../services/primitives/limits.ts";
import { removeTestDirectories, testDirectory } from "../support/fleet.ts";

afterAll(removeTestDirectories);
const DATA = "../shared/data/market/household";
const COMMUNITY = `${DATA}/citylearn_fontana_hourly`;

async function file(text: string, name = "homes.csv"): Promise<string> {
  const path = join(await testDirectory(), name);
  await writeFile(path, text);
  return path;
}
const allHomes = (replay: Replay, slotS = 900) =>
  createReplaySource({
    replay,
    slotS,
    regions: [{ id: "all", homes: replay.homes.map((_, home) => home) }],
  });
const slotsOf = (replay: Replay, home: number) => {
  const source = allHomes(replay);
  return Array.from({ length: source.endSlot! - source.firstSlot! }, (_, k) =>
    source.energyOf({ region: "all", home, slot: source.firstSlot! + k }),
  );
};

test("community form, hourly: nets each row, cuts it into four slots, ignores prices", async () => {
  const replay = await readReplay({
    file: await file(
      "\ufeffhour_start_local,A_load_kwh,B_load_kwh,A_pv_kwh,price_usd_per_kwh\r\n" +
        "2024-01-01T10:00,1.0,0.1003,0.4,0.22\r\n2024-01-01T11:00,0.25,0,1.25,0.22\r\n",
    ),
  });
  expect(replay).toMatchObject({
    startS: Date.UTC(2024, 0, 1, 10) / 1000,
    rowS: 3600,
    rows: 2,
    ignoredColumns: ["price_usd_per_kwh"],
  });
  expect(replay.homes.map(({ label, hasPanels, peakW }) => ({ label, hasPanels, peakW }))).toEqual([
    { label: "A", hasPanels: true, peakW: 1250 },
    { label: "B", hasPanels: false, peakW: 101 },
  ]);
  const slots = slotsOf(replay, 0);
  expect(slots.map((slot) => slot.importWh)).toEqual([150, 150, 150, 150, 0, 0, 0, 0]);
  expect(slots.map((slot) => slot.exportWh)).toEqual([0, 0, 0, 0, 250, 250, 250, 250]);
  expect(slots.map((slot) => slot.productionWh)).toEqual([100, 100, 100, 100, 313, 312, 313, 312]);
  // 100.3 Wh: the register rounds, so the slots differ by at most one and sum to it.
  expect(slotsOf(replay, 1).map((slot) => slot.importWh)).toEqual([25, 25, 25, 25, 0, 0, 0, 0]);
});

test.each([
  {
    form: "Ausgrid, half-hourly mean kW",
    name: "customer.csv",
    text: ",GC,GG\n2011-07-01 00:00:00,0.4,0.0\n2011-07-01 00:30:00,0.2,1.2\n",
    rowS: 1800,
    home: { label: "customer", hasPanels: true },
    importWh: [100, 100, 0, 0],
    exportWh: [0, 0, 250, 250],
  },
  {
    form: "Ausgrid with a controlled load",
    name: "c.csv",
    text: "timestamp,GC,CL,GG\n2011-07-01 00:00:00,0.4,0.4,0\n2011-07-01 00:30:00,0.2,0.2,0.4\n",
    rowS: 1800,
    home: { label: "c", hasPanels: true },
    importWh: [200, 200, 0, 0],
    exportWh: [0, 0, 0, 0],
  },
  {
    form: "HAMLET, quarter-hourly mean W, unix seconds",
    name: "hh_1.csv",
    text: "timestamp,electricity\n1613343600,280\n1613344500,400\n",
    rowS: 900,
    home: { label: "hh_1", hasPanels: false },
    importWh: [70, 100],
    exportWh: [0, 0],
  },
  {
    form: "community with offsets and exponents",
    name: "o.csv",
    text: "timestamp,x_load_kwh\n2024-03-31T01:30+01:00,1e-1\n2024-03-31T03:00+02:00,.2\n",
    rowS: 1800,
    home: { label: "x", hasPanels: false },
    importWh: [50, 50, 100, 100],
    exportWh: [0, 0, 0, 0],
  },
])("$form", async ({ name, text, rowS, home, importWh, exportWh }) => {
  const replay = await readReplay({ file: await file(text, name) });
  expect(replay.rowS).toBe(rowS);
  expect(replay.homes[0]).toMatchObject(home);
  expect(slotsOf(replay, 0).map((slot) => slot.importWh)).toEqual(importWh);
  expect(slotsOf(replay, 0).map((slot) => slot.exportWh)).toEqual(exportWh);
});

const HEAD = "timestamp,A_load_kwh,A_pv_kwh\n";
const ROW = "2024-01-01T00:00,1,0\n";
test.each([
  { why: "an empty file", text: "", line: 1 },
  { why: "no time column", text: "when,A_load_kwh\n", line: 1, column: "when" },
  { why: "semicolons", text: "timestamp;A_load_kwh\n", line: 1, column: "timestamp;A_load_kwh" },
  { why: "no homes", text: "timestamp,price\n", line: 1, column: "-" },
  {
    why: "a column twice",
    text: "timestamp,A_load_kwh,A_load_kwh\n",
    line: 1,
    column: "A_load_kwh",
  },
  { why: "panels without load", text: "timestamp,A_pv_kwh\n", line: 1, column: "A_pv_kwh" },
  { why: "one row", text: HEAD + ROW, line: 2, column: "-" },
  { why: "a word", text: `${HEAD + ROW}2024-01-01T01:00,n/a,0\n`, line: 3, column: "A_load_kwh" },
  { why: "an empty cell", text: `${HEAD + ROW}2024-01-01T01:00,1,\n`, line: 3, column: "A_pv_kwh" },
  {
    why: "hexadecimal",
    text: `${HEAD + ROW}2024-01-01T01:00,0x1,0\n`,
    line: 3,
    column: "A_load_kwh",
  },
  {
    why: "a negative",
    text: `${HEAD}2024-01-01T00:00,1,-1\n2024-01-01T01:00,1,1\n`,
    line: 2,
    column: "A_pv_kwh",
  },
  {
    why: "a huge value",
    text: `${HEAD + ROW}2024-01-01T01:00,1e300,0\n`,
    line: 3,
    column: "A_load_kwh",
  },
  { why: "a missing cell", text: `${HEAD + ROW}2024-01-01T01:00,1\n`, line: 3, column: "-" },
  { why: "no date", text: `${HEAD + ROW}2024-02-30T01:00,1,0\n`, line: 3, column: "timestamp" },
  {
    why: "no time of day",
    text: `${HEAD + ROW}2024-01-01T24:00,1,0\n`,
    line: 3,
    column: "timestamp",
  },
  { why: "fractions of a second", text: `${HEAD}1613343600.0,1,0\n`, line: 2, column: "timestamp" },
  {
    why: "ten-minute rows",
    text: `${HEAD + ROW}2024-01-01T00:10,1,0\n`,
    line: 3,
    column: "timestamp",
  },
  {
    why: "a missing hour",
    text: `${HEAD + ROW}2024-01-01T01:00,1,0\n2024-01-01T03:00,1,0\n`,
    line: 4,
    column: "timestamp",
  },
  {
    why: "an hour twice",
    text: `${HEAD + ROW}2024-01-01T01:00,1,0\n2024-01-01T01:00,1,0\n`,
    line: 4,
    column: "timestamp",
  },
  { why: "an empty line", text: `${HEAD + ROW}\n2024-01-01T01:00,1,0\n`, line: 3, column: "-" },
  { why: "an endless line", text: HEAD + "1".repeat(REPLAY_LINE_BYTES_MAX + 1), line: 2 },
])("refuses $why, naming file, line and column", async ({ text, line, column }) => {
  const path = await file(text);
  const error = await readReplay({ file: path }).catch((caught: unknown) => caught);
  expect(error).toBeInstanceOf(GridError);
  expect(error).toMatchObject({ code: "replay_invalid", facts: { file: path, line } });
  if (column !== undefined) expect(error).toMatchObject({ facts: { column } });
  expect((error as Error).message).toContain(path);
});

test("a file that is not there is file_unreadable", async () => {
  const facts = { file: "/nowhere.csv" };
  await expect(readReplay(facts)).rejects.toMatchObject({ code: "file_unreadable", facts });
});

const TWO_DAYS = `timestamp,A_load_kwh\n${Array.from({ length: 48 }, (_, hour) => {
  const day = 1 + Math.floor(hour / 24);
  return `2024-01-0${day}T${String(hour % 24).padStart(2, "0")}:00,${hour}\n`;
}).join("")}\n\n`;
test.each([
  { options: {}, rows: 48, start: "2024-01-01T00:00Z", firstWh: 0 },
  { options: { days: 1 }, rows: 24, start: "2024-01-01T00:00Z", firstWh: 0 },
  { options: { from: "2024-01-02" }, rows: 24, start: "2024-01-02T00:00Z", firstWh: 6000 },
  { options: { from: "2024-01-02", days: 1 }, rows: 24, start: "2024-01-02T00:00Z", firstWh: 6000 },
  { options: { utcOffsetS: -28_800 }, rows: 48, start: "2024-01-01T08:00Z", firstWh: 0 },
  {
    options: { from: "2024-01-02", utcOffsetS: 3600 },
    rows: 24,
    start: "2024-01-01T23:00Z",
    firstWh: 6000,
  },
])("window $options", async ({ options, rows, start, firstWh }) => {
  const replay = await readReplay({ file: await file(TWO_DAYS), ...options });
  expect(replay.rows).toBe(rows);
  expect(replay.startS).toBe(Date.parse(start) / 1000);
  expect(slotsOf(replay, 0)[0]!.importWh).toBe(firstWh);
});

test.each([
  { options: { from: "2023-12-31" }, argument: "from" },
  { options: { from: "2024-01-03" }, argument: "from" },
  { options: { from: "yesterday" }, argument: "from" },
  { options: { from: "2024-01-02", days: 2 }, argument: "days" },
  { options: { days: 0 }, argument: "days" },
  { options: { days: 1.5 }, argument: "days" },
])("refuses window $options", async ({ options, argument }) => {
  const reading = readReplay({ file: await file(TWO_DAYS), ...options });
  await expect(reading).rejects.toMatchObject({ code: "argument_invalid", facts: { argument } });
});

test("registers neither gain nor lose: every split of every stretch sums to its total", () => {
  const rowsOf = fc.array(fc.double({ min: 0, max: 50_000, noNaN: true }), {
    minLength: 1,
    maxLength: 40,
  });
  const law = (rows: number[], parts: number) => {
    const totals = Float64Array.from([0, ...rows]);
    for (let i = 1; i < totals.length; i++) totals[i]! += totals[i - 1]!;
    let sumWh = 0;
    let lastWh = 0;
    for (let k = 1; k <= rows.length * parts; k++) {
      const registerWh = registerAt(totals, k / parts);
      expect(registerWh).toBeGreaterThanOrEqual(lastWh);
      const exactWh = totals[Math.floor((k - 1) / parts)]!; // the row's start bounds it below
      expect(registerWh).toBeGreaterThanOrEqual(Math.round(exactWh));
      sumWh += registerWh - lastWh;
      lastWh = registerWh;
    }
    expect(sumWh).toBe(Math.round(totals.at(-1)!));
  };
  fc.assert(fc.property(rowsOf, fc.constantFrom(1, 2, 4, 60), law));
});

test.skipIf(!existsSync(COMMUNITY))(
  "17 measured homes, a year: sums and ratios of reference.json",
  async () => {
    const reference = JSON.parse(await readFile(`${COMMUNITY}/reference.json`, "utf8"));
    const replay = await readReplay({ file: `${COMMUNITY}/community17_hourly.csv` });
    expect(replay.ignoredColumns).toEqual(["price_usd_per_kwh", "carbon_kg_per_kwh"]);
    expect(replay.homes.every((home) => home.importWh instanceof Float64Array)).toBe(true);
    const source = allHomes(replay);
    const sum = { importWh: 0, exportWh: 0, productionWh: 0, sharedWh: 0 };
    for (let slot = source.firstSlot!; slot < source.endSlot!; slot++) {
      let [importWh, exportWh] = [0, 0];
      for (let home = 0; home < replay.homes.length; home++) {
        const energy = source.energyOf({ region: "all", home, slot });
        importWh += energy.importWh;
        exportWh += energy.exportWh;
        sum.productionWh += energy.productionWh;
      }
      sum.importWh += importWh;
      sum.exportWh += exportWh;
      sum.sharedWh += Math.min(importWh, exportWh);
    }
    const ownWh = sum.productionWh - sum.exportWh;
    const loadWh = sum.importWh + ownWh;
    expect(loadWh / 1000).toBeCloseTo(reference.load_kwh, 0);
    expect(sum.productionWh / 1000).toBeCloseTo(reference.pv_kwh, 0);
    expect(sum.importWh / 1000).toBeCloseTo(reference.home_imports_kwh, 0);
    expect(sum.exportWh / 1000).toBeCloseTo(reference.home_exports_kwh, 0);
    const near = (ratio: number, expected: number) =>
      expect(Math.abs(ratio - expected)).toBeLessThan(0.001);
    near(ownWh / loadWh, reference.self_sufficiency_own);
    near((ownWh + sum.sharedWh) / loadWh, reference.self_sufficiency_community);
    near(ownWh / sum.productionWh, reference.self_consumption_own);
    near((ownWh + sum.sharedWh) / sum.productionWh, reference.self_consumption_community);
  },
);

test.skipIf(!existsSync(`${DATA}/ausgrid_customer12_30min`))(
  "Ausgrid customer 12, a leap year: 5,938.4 kWh of load, 1,296.4 kWh of sun",
  async () => {
    const replay = await readReplay({
      file: `${DATA}/ausgrid_customer12_30min/data_2011-2012.csv`,
    });
    expect([replay.rows, replay.rowS]).toEqual([17_568, 1800]);
    const [home] = replay.homes;
    const last = (totals: Float64Array) => Math.round(totals.at(-1)!);
    const productionWh = last(home!.productionWh);
    const loadWh = last(home!.importWh) + productionWh - last(home!.exportWh);
    expect(loadWh / 1000).toBeCloseTo(5938.4, 1);
    expect(productionWh / 1000).toBeCloseTo(1296.4, 1);
  },
);

test.skipIf(!existsSync(`${DATA}/hamlet_sfh_15min`))(
  "HAMLET: a home's 45 days in W are read, a per-unit PV table is refused",
  async () => {
    const replay = await readReplay({ file: `${DATA}/hamlet_sfh_15min/hh_4536_0.csv` });
    expect([replay.rows, replay.rowS, replay.startS]).toEqual([4316, 900, 1_613_343_600]);
    const refused = readReplay({ file: `${DATA}/hamlet_sfh_15min/pv_1_pu.csv` });
    await expect(refused).rejects.toMatchObject({ code: "replay_invalid", facts: { line: 2 } });
  },
);
