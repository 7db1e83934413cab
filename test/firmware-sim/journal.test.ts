/** Method: the life of a record across reopening, limits at their edge, what can go wrong. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Level } from "level";
import { afterAll, expect, test } from "vitest";
import { Journal, type JournalRecord } from "../../firmware-sim/journal.ts";
import { bootMeter, type MeterState, newMeter } from "../../firmware-sim/meter.ts";
import { toHex } from "../../services/primitives/bytes.ts";
import {
  JOURNAL_RECORDS_PER_DEVICE_MAX,
  REFUSED_RECORDS_PER_DEVICE_MAX,
} from "../../services/primitives/limits.ts";
import { READING_CODE } from "../../services/wire/refusals.ts";
import { FIRST_SLOT, removeTestDirectories, testDevices, testDirectory } from "./support/fleet.ts";

afterAll(removeTestDirectories);
const [FIRST, SECOND] = testDevices();
const A = toHex(FIRST!.deviceId);
const B = toHex(SECOND!.deviceId);
const STATE: MeterState = {
  ...bootMeter(newMeter(FIRST!, FIRST_SLOT)),
  importWh: 2 ** 40,
  previousHash: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8),
};
const unsigned = (device: string, seq: number): JournalRecord => ({
  device,
  seq,
  slot: FIRST_SLOT + seq,
  bytes: Uint8Array.of(seq % 256, 0),
  state: "unsigned",
});
const commit = (journal: Journal, records: JournalRecord[]) =>
  journal.commit({ nextSlot: FIRST_SLOT + 1, states: new Map([[A, STATE]]), records });
const summary = (journal: Journal, device: string) =>
  journal.records(device).map(({ seq, state, bytes }) => [seq, state, ...bytes]);

test("new, sent, receipted: only a receipt removes, reopening forgets nothing else", async () => {
  const directory = await testDirectory();
  let journal = await Journal.open(directory);
  expect([journal.nextSlot, journal.state(A)]).toEqual([null, null]);
  const records = [unsigned(A, 1), unsigned(A, 2), unsigned(A, 300), unsigned(B, 1)];
  await commit(journal, records);
  records[0]!.bytes = Uint8Array.of(1, 99);
  await journal.storeSigned([records[0]!]);
  records[0]!.state = "sent";
  await journal.close();

  journal = await Journal.open(directory);
  expect(journal.nextSlot).toBe(FIRST_SLOT + 1);
  expect(journal.state(A)).toEqual(STATE);
  // Sent before the restart is new after it: everything unreceipted goes out again.
  expect(summary(journal, A)).toEqual([
    [1, "new", 1, 99],
    [2, "unsigned", 2, 0],
    [300, "unsigned", 44, 0],
  ]);
  const [first, second] = journal.records(A);
  journal.settle(first!, { code: READING_CODE.accepted, timeS: 5 });
  journal.settle(second!, { code: READING_CODE.register_decreased, timeS: 6 });
  expect(() => journal.settle(second!, { code: 0, timeS: 6 })).toThrow("ends once");
  await journal.close();

  journal = await Journal.open(directory);
  expect(summary(journal, A)).toEqual([[300, "unsigned", 44, 0]]);
  expect(journal.recordCount(B)).toBe(1);
  expect(journal.refused(A)).toEqual([
    { slot: FIRST_SLOT + 2, code: 8, timeS: 6, bytes: Uint8Array.of(2, 0) },
  ]);
  expect([...journal.refusals(A)]).toEqual([[8, 1]]);
  expect([...journal.refusals(B)]).toEqual([]);
  await journal.close();
});

test("JOURNAL_RECORDS_PER_DEVICE_MAX records of a device fit, and no more", async () => {
  const journal = await Journal.open(await testDirectory());
  const many = Array.from({ length: JOURNAL_RECORDS_PER_DEVICE_MAX }, (_, k) => unsigned(A, k + 1));
  await commit(journal, many.slice(0, -1));
  expect(journal.isFull(A)).toBe(false);
  await commit(journal, many.slice(-1));
  expect([journal.isFull(A), journal.isFull(B)]).toEqual([true, false]);
  await expect(commit(journal, [unsigned(A, 9_999)])).rejects.toThrow("full journal");
  journal.settle(many[0]!, { code: 0, timeS: 1 });
  expect(journal.isFull(A)).toBe(false);
  await journal.close();
});

test("the refused list keeps the latest, the counts keep all", async () => {
  const directory = await testDirectory();
  let journal = await Journal.open(directory);
  const count = REFUSED_RECORDS_PER_DEVICE_MAX + 3;
  const records = Array.from({ length: count }, (_, k) => unsigned(A, k + 1));
  await commit(journal, records);
  for (const record of records) journal.settle(record, { code: 35, timeS: record.seq });
  const expected = records.slice(3).map(({ seq }) => seq);
  expect(journal.refused(A).map(({ timeS }) => timeS)).toEqual(expected);
  await journal.close();
  journal = await Journal.open(directory);
  expect(journal.refused(A).map(({ timeS }) => timeS)).toEqual(expected);
  expect([...journal.refusals(A)]).toEqual([[35, count]]);
  await journal.close();
});

test("a journal in use is database_locked, and still works for its holder", async () => {
  const directory = await testDirectory();
  const journal = await Journal.open(directory);
  await expect(Journal.open(directory)).rejects.toMatchObject({
    code: "database_locked",
    facts: { directory },
  });
  await commit(journal, [unsigned(A, 1)]);
  await journal.close();
});

test.each([
  { what: "a broken value", key: `meter/${A}`, value: Uint8Array.of(0xff) },
  { what: "a value of another shape", key: `meter/${A}`, value: Uint8Array.of(0x80) },
  { what: "another version", key: "fleet", value: Uint8Array.of(0x82, 0x18, 99, 0x01) },
])("$what is database_corrupt", async ({ key, value }) => {
  const directory = await testDirectory();
  const db = new Level<string, Uint8Array>(directory, { valueEncoding: "view" });
  await db.put(key, value);
  await db.close();
  await expect(Journal.open(directory)).rejects.toMatchObject({
    code: "database_corrupt",
    facts: { directory },
  });
});

test("a damaged database file is database_corrupt", async () => {
  const directory = await testDirectory();
  await (await Journal.open(directory)).close();
  await writeFile(join(directory, "CURRENT"), "MANIFEST-999999\n");
  await expect(Journal.open(directory)).rejects.toMatchObject({ code: "database_corrupt" });
});
