/**
 * Method: rows there and back; keys sort as numbers; a store belongs to one network; what goes
 * wrong on a disk is a coded error that names the directory; the refusal log at its edge.
 */
import { chmodSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, expect, test } from "vitest";
import { RefusalLog } from "../../../services/oracle/refusal-log.ts";
import { type OracleStore, openOracleStore } from "../../../services/oracle/store.ts";
import * as keys from "../../../services/oracle/store-keys.ts";
import * as rows from "../../../services/oracle/store-rows.ts";
import { encode } from "../../../services/primitives/codec.ts";
import { storeFailure } from "../../../services/primitives/store-failure.ts";
import type { Slot, UnixSeconds } from "../../../services/primitives/units.ts";

const genesisHash = new Uint8Array(32).fill(1);
const created: string[] = [];
function directory(): string {
  const made = mkdtempSync(join(tmpdir(), "gridlane-store-"));
  created.push(made);
  return made;
}
afterAll(() => {
  for (const made of created) rmSync(made, { recursive: true, force: true });
});

async function withStore<T>(run: (store: OracleStore) => Promise<T>): Promise<T> {
  const store = await openOracleStore({ directory: directory(), genesisHash });
  try {
    return await run(store);
  } finally {
    await store.close();
  }
}

test("each kind of row reads back as it was written", () => {
  const hash = (n: number) => new Uint8Array(n).fill(n);
  const region = { nextSlot: 9 as Slot, refusedReadings: 4 };
  const state = { boot: -1, seq: 2 ** 53 - 1, recordHash: hash(8), importWh: 3, exportWh: 4 };
  const device = {
    state: { ...state, intervalEndS: 5 as UnixSeconds },
    lastReceivedS: 6 as UnixSeconds,
    quality: 2,
  };
  const emission = { firstSlot: 1 as Slot, slots: 2, importWh: 3, exportWh: 4, quality: 2 };
  const reading = { record: hash(150), salt: hash(32), emission };
  const late = { importWh: 1, exportWh: 2, quality: 0, leaf: hash(32) };
  const refusal = { code: 3, deviceId: null, recordHash: hash(32), timeS: 7 as UnixSeconds };
  expect(rows.decodeRegionRow(rows.encodeRegionRow(region))).toEqual(region);
  expect(rows.decodeDeviceRow(rows.encodeDeviceRow(device))).toEqual(device);
  expect(rows.decodeReadingRow(rows.encodeReadingRow(reading))).toEqual(reading);
  expect(rows.decodeLateRow(rows.encodeLateRow(late))).toEqual(late);
  for (const facts of [
    { measured: null, bound: null },
    { measured: -1, bound: 2 ** 40 },
  ]) {
    const row = { ...refusal, ...facts };
    expect(rows.decodeRefusalRow(rows.encodeRefusalRow(row))).toEqual(row);
  }
  const counts = new Map([[3, 7]]);
  expect(rows.decodeCounts(rows.encodeCounts(counts))).toEqual(counts);
  expect(() => rows.decodeRegionRow(encode([1]))).toThrow("not a stored region");
  expect(() => rows.decodeLateRow(encode([1, 2, 3, 4]))).toThrow("not a stored late energy");
});

test("keys sort as their numbers, and a range of one region or slot holds nothing else", () => {
  const point = fc.record({
    regionIndex: fc.nat(1023),
    slot: fc.nat(2 ** 31 - 1),
    meterIndex: fc.nat(65_535),
  });
  fc.assert(
    fc.property(point, point, (a, b) => {
      const order = a.regionIndex - b.regionIndex || a.slot - b.slot || a.meterIndex - b.meterIndex;
      const [keyA, keyB] = [keys.meterSlotKey(a), keys.meterSlotKey(b)];
      expect(Math.sign(order)).toBe(keyA < keyB ? -1 : keyA > keyB ? 1 : 0);
      const inRegion = keyB >= keys.regionKey(a.regionIndex);
      const before = keyB < keys.after(keys.regionKey(a.regionIndex));
      expect(inRegion && before).toBe(a.regionIndex === b.regionIndex);
      expect(keys.slotOfKey(keyA)).toEqual({ slot: a.slot, meterIndex: a.meterIndex });
    }),
  );
});

test("a store belongs to one network", async () => {
  const at = directory();
  await (await openOracleStore({ directory: at, genesisHash })).close();
  await (await openOracleStore({ directory: at, genesisHash })).close();
  const other = new Uint8Array(32).fill(2);
  await expect(openOracleStore({ directory: at, genesisHash: other })).rejects.toMatchObject({
    code: "genesis_mismatch",
    facts: { found: "01".repeat(32) },
  });
});

test("a second process is told that the store is in use", async () => {
  const at = directory();
  const store = await openOracleStore({ directory: at, genesisHash });
  await expect(openOracleStore({ directory: at, genesisHash })).rejects.toMatchObject({
    code: "database_locked",
    facts: { directory: at },
  });
  await store.close();
});

test("a damaged store is told as such", async () => {
  const at = directory();
  await (await openOracleStore({ directory: at, genesisHash })).close();
  const manifest = readdirSync(at).find((name) => name.startsWith("MANIFEST"))!;
  writeFileSync(join(at, manifest), "not a manifest");
  await expect(openOracleStore({ directory: at, genesisHash })).rejects.toMatchObject({
    code: "database_corrupt",
  });
});

test.skipIf(process.getuid?.() === 0)("a directory without permission is named", async () => {
  const at = directory();
  chmodSync(at, 0o000);
  await expect(openOracleStore({ directory: at, genesisHash })).rejects.toMatchObject({
    code: "permission_denied",
  });
  chmodSync(at, 0o700);
});

test("a file in the way is named", async () => {
  const file = join(directory(), "file");
  writeFileSync(file, "");
  await expect(openOracleStore({ directory: file, genesisHash })).rejects.toMatchObject({
    code: "permission_denied",
    facts: { path: file },
  });
});

test.each([
  ["IO error: /x/000005.log: No space left on device", "LEVEL_IO_ERROR", "disk_full"],
  ["IO error: /x/LOCK: Permission denied", "LEVEL_IO_ERROR", "permission_denied"],
  ["Corruption: checksum mismatch", "LEVEL_CORRUPTION", "database_corrupt"],
])("a write that fails with %s is %s: %s", async (text, code, expected) => {
  const store = await openOracleStore({ directory: directory(), genesisHash });
  await store.close();
  const cause = Object.assign(new Error(text), { code });
  const place = { directory: store.directory, what: "the oracle's store" };
  expect(storeFailure(cause, place)).toMatchObject({ code: expected });
  // The handle is closed: what LevelDB says to that is no disk fault and passes unchanged.
  await expect(store.write([])).rejects.toMatchObject({ code: "LEVEL_DATABASE_NOT_OPEN" });
});

test("beyond the day's rows a refusal is only counted, and a start goes on counting", async () => {
  await withStore(async (store) => {
    const rowsMax = 3;
    const at = { regionIndex: 0, day: 19_675 };
    const refusal = (i: number) => ({
      regionIndex: 0,
      code: 1,
      deviceId: new Uint8Array(16).fill(i),
      recordHash: new Uint8Array(32).fill(i),
      timeS: (at.day * 86_400 + i) as UnixSeconds,
      measured: null,
      bound: null,
    });
    for (let i = 0; i < 5; i++) {
      // A new log each time is a restart each time: everything it knows stands in the store.
      const log = new RefusalLog(store, rowsMax);
      const { row, count } = log.add(refusal(i));
      expect(row === null).toBe(i >= rowsMax);
      await store.write(row === null ? [count] : [row, count]);
    }
    const log = new RefusalLog(store, rowsMax);
    const page = await log.read({ ...at, limit: 10 });
    expect(page.counts).toEqual(new Map([[1, 5]]));
    expect(page.rows.map((row) => row.timeS % 86_400)).toEqual([2, 1, 0]);
    const one = await log.read({ ...at, limit: 10, deviceId: new Uint8Array(16).fill(1) });
    expect(one.rows).toHaveLength(1);
    expect((await log.read({ ...at, limit: 2 })).rows).toHaveLength(2);
    expect((await log.read({ ...at, day: at.day + 1, limit: 2 })).rows).toEqual([]);
    log.add({ ...refusal(0), timeS: ((at.day + 1) * 86_400) as UnixSeconds });
  });
});

test("one write is all or nothing, and the later change of a key holds", async () => {
  await withStore(async (store) => {
    const key = keys.regionKey(1);
    const row = (nextSlot: number) =>
      rows.encodeRegionRow({ nextSlot: nextSlot as Slot, refusedReadings: 0 });
    await store.write([
      { table: "region", key, value: row(1) },
      { table: "region", key, value: row(2) },
    ]);
    expect(store.region(1)).toMatchObject({ nextSlot: 2 });
    await store.write([{ table: "region", key, value: null }]);
    expect(store.region(1)).toBeUndefined();
  });
});
