/**
 * Method: the life of slots by hand (complete, cut off, late, spanning a gap, grace after a start),
 * against a chain that checks every report; then random loss, delay, repetition, restarts and
 * refusals of the chain against the one law that matters: reported energy = register step.
 */
import fc from "fast-check";
import { afterEach, expect, test } from "vitest";
import { CHUNK_BYTES, merkleRoot, mixInLength } from "../../../services/crypto/merkle.ts";
import { startOracle } from "../../../services/oracle/oracle.ts";
import { openOracleStore } from "../../../services/oracle/store.ts";
import { toHex } from "../../../services/primitives/bytes.ts";
import { GridError } from "../../../services/primitives/errors.ts";
import { METERS_PER_REGION_MAX } from "../../../services/primitives/limits.ts";

import { genesisHash } from "../../../services/wire/genesis.ts";
import { decodeReading, readingLeaf } from "../../../services/wire/reading.ts";
import { READING_CODE, TRANSACTION_CODE } from "../../../services/wire/refusals.ts";
import { QUALITY, type Report } from "../../../services/wire/report.ts";
import {
  GENESIS_SLOT,
  ORACLE_KEYS,
  SILENT,
  SLOT_S,
  seedOf,
  TestMeter,
  TestOracle,
  testGenesis,
} from "./community.ts";

const A = QUALITY.actual;
const E = QUALITY.estimated;
const N = QUALITY.missing;
const opened: TestOracle[] = [];

type GenesisOptions = Parameters<typeof testGenesis>[0];
type OracleOverrides = Parameters<typeof TestOracle.start>[1];

async function start(regions: GenesisOptions["regions"], options: OracleOverrides = {}) {
  const oracle = { cutoffS: 300, correctionWindowS: 8 * SLOT_S };
  const test = await TestOracle.start(testGenesis({ regions, oracle }), options);
  opened.push(test);
  return test;
}

afterEach(async () => {
  for (const test of opened.splice(0)) await test.close();
});

const meterOf = (meter: number, region = 0) => new TestMeter({ region, meter });
const row = ({ slot, importWh, exportWh, quality, late }: Report) => ({
  slot: slot - GENESIS_SLOT,
  importWh: [...importWh],
  exportWh: [...exportWh],
  quality: [...quality],
  late: late.map((entry) => [
    entry.slot - GENESIS_SLOT,
    entry.meterIndex,
    entry.importWh,
    entry.exportWh,
    entry.quality,
  ]),
});

test("a slot closes by itself when every meter is there and the slot is over", async () => {
  const test = await start([[{}, {}]]);
  const [a, b] = [meterOf(0), meterOf(1)];
  test.at(1, -60); // readings may come up to 120 s early; the slot is not over yet
  await test.send(a.topic, a.next(1, { importWh: 100 }));
  await test.send(b.topic, b.next(1, { exportWh: 40 }));
  await test.oracle.tick();
  expect(test.chain.reports[0]).toEqual([]);
  test.at(1);
  await test.oracle.tick();
  expect(test.chain.reports[0]!.map(row)).toEqual([
    { slot: 0, importWh: [100, 0], exportWh: [0, 40], quality: [A, A], late: [] },
  ]);
  expect(test.oracle.counters()).toMatchObject({ reportsClosed: 1, reportsSubmitted: 1 });
});

test("ingest alone closes and submits: no timer is needed for a complete slot", async () => {
  const test = await start([[{}]]);
  const meter = meterOf(0);
  test.at(1);
  const submitted = new Promise<void>((resolve) => {
    const execute = test.chain.execute.bind(test.chain);
    test.chain.execute = (transaction) => {
      queueMicrotask(resolve);
      return execute(transaction);
    };
  });
  await test.oracle.ingest({ topic: meter.topic, payload: meter.next(1, { importWh: 5 }) });
  await submitted;
  expect(test.chain.importWh).toEqual([[5]]);
});

test("at the cut-off a slot closes without the missing, whose energy comes late", async () => {
  const test = await start([[{}, {}]]);
  const [a, b] = [meterOf(0), meterOf(1)];
  test.at(1);
  await test.send(a.topic, a.next(1, { importWh: 100 }));
  test.at(1, 299);
  await test.oracle.tick();
  expect(test.chain.reports[0]).toEqual([]);
  test.at(1, 300);
  await test.oracle.tick();
  test.at(2);
  await test.send(b.topic, b.next(1, { importWh: 7 }));
  await test.send(a.topic, a.next(2, { importWh: 150 }));
  await test.send(b.topic, b.next(2, { importWh: 9 }));
  await test.oracle.tick();
  expect(test.chain.reports[0]!.map(row)).toEqual([
    { slot: 0, importWh: [100, 0], exportWh: [0, 0], quality: [A, N], late: [] },
    { slot: 1, importWh: [50, 2], exportWh: [0, 0], quality: [A, A], late: [[0, 1, 7, 0, A]] },
  ]);
});

test("a reading after a gap is shared out: exact in total, estimated in shape", async () => {
  const test = await start([[{}, {}]]);
  const [a, b] = [meterOf(0), meterOf(1)];
  for (const slot of [1, 2]) {
    test.at(slot, 300);
    await test.send(a.topic, a.next(slot));
    await test.oracle.tick();
  }
  test.at(3, 10);
  await test.send(b.topic, b.next(3, { importWh: 11, exportWh: 4 }));
  await test.send(a.topic, a.next(3));
  await test.oracle.tick();
  expect(row(test.chain.reports[0]![2]!)).toEqual({
    slot: 2,
    importWh: [0, 3],
    exportWh: [0, 1],
    quality: [A, E],
    late: [
      [0, 1, 4, 2, E],
      [1, 1, 4, 1, E],
    ],
  });
  expect(test.oracle.meterStatus(0)[1]).toMatchObject({ quality: E, boot: 1, seq: 0 });
});

test("a gap longer than the correction window loses shape, not energy", async () => {
  const test = await start([[{}, {}]]);
  const b = meterOf(1);
  for (let slot = 1; slot <= 12; slot++) {
    test.at(slot, 300);
    await test.oracle.tick();
  }
  test.at(13);
  await test.send(b.topic, b.next(13, { importWh: 13_000 }));
  test.at(13, 300);
  await test.oracle.tick();
  const last = test.chain.reports[0]!.at(-1)!;
  expect(last.late.map((entry) => entry.slot - GENESIS_SLOT)).toEqual([
    3, 4, 5, 6, 7, 8, 9, 10, 11,
  ]);
  expect(last.quality[1]).toBe(E);
  expect(test.chain.importWh[0]).toEqual([0, 13_000]);
});

test("after a start nothing is cut off before the grace has passed", async () => {
  const test = await start([[{}, {}]], { startGraceS: 600 });
  const [a, b] = [meterOf(0), meterOf(1)];
  await test.oracle.stop();
  await test.store.close();
  test.at(3); // three slots passed without an oracle
  await test.open();
  await test.oracle.tick();
  expect(test.chain.reports[0]).toEqual([]);
  for (const meter of [a, b]) await test.send(meter.topic, meter.next(1, { importWh: 50 }));
  await test.oracle.tick();
  expect(test.chain.reports[0]!.map((report) => [...report.quality])).toEqual([[A, A]]);
  test.at(3, 600);
  await test.oracle.tick();
  expect(test.chain.reports[0]!.map((report) => [...report.quality])).toEqual([
    [A, A],
    [N, N],
    [N, N],
  ]);
});

test("the readings root is the tree of salted leaves by meter index", async () => {
  const test = await start([[{}, {}, {}]]);
  const b = meterOf(1);
  test.at(1);
  const record = b.next(1, { importWh: 100 });
  const receipt = await test.send(b.topic, record);
  test.at(1, 300);
  await test.oracle.tick();
  const stored = test.store.reading({ regionIndex: 0, slot: GENESIS_SLOT, meterIndex: 1 })!;
  expect(toHex(stored.record)).toBe(toHex(record));
  const { payload } = decodeReading(record);
  const leaf = readingLeaf({ payload, salt: stored.salt });
  expect(toHex(receipt!.leafHash)).toBe(toHex(leaf));
  const chunks = new Uint8Array(3 * CHUNK_BYTES);
  chunks.set(leaf, CHUNK_BYTES);
  const root = mixInLength(merkleRoot(chunks, METERS_PER_REGION_MAX), 3);
  expect(toHex(test.chain.reports[0]![0]!.readingsRoot)).toBe(toHex(root));
});

test("a late record stands in the tree of the report that carries its energy", async () => {
  const test = await start([[{}]]);
  const meter = meterOf(0);
  test.at(1, 300);
  await test.oracle.tick();
  const receipt = await test.send(meter.topic, meter.next(1, { importWh: 100 }));
  test.at(2, 300);
  await test.oracle.tick();
  const root = mixInLength(merkleRoot(receipt!.leafHash, METERS_PER_REGION_MAX), 1);
  expect(toHex(test.chain.reports[0]![1]!.readingsRoot)).toBe(toHex(root));
});

test("erasing raw readings keeps energy, receipts and repetition", async () => {
  const test = await start([[{}, {}]]);
  const [a, b] = [meterOf(0), meterOf(1)];
  test.at(1);
  const record = a.next(1, { importWh: 100 });
  await test.send(a.topic, record);
  await test.send(b.topic, b.next(1, { importWh: 1 }));
  await test.oracle.tick();
  const toSlot = GENESIS_SLOT;
  expect(await test.store.eraseReadings({ regionIndex: 0, meterIndex: 0, toSlot })).toBe(1);
  expect(test.store.reading({ regionIndex: 0, slot: toSlot, meterIndex: 0 })).toBeUndefined();
  expect(test.store.reading({ regionIndex: 0, slot: toSlot, meterIndex: 1 })).toBeDefined();
  await test.restart();
  expect((await test.send(a.topic, record))?.code).toBe(READING_CODE.accepted);
  expect(test.oracle.counters()).toMatchObject({ accepted: 0, duplicates: 1 });
});

test("regions close apart from each other", async () => {
  const test = await start([[{}], [{}]]);
  const far = meterOf(0, 1);
  test.at(1);
  await test.send(far.topic, far.next(1, { importWh: 3 }));
  await test.oracle.tick();
  expect(test.chain.reports.map((reports) => reports.length)).toEqual([0, 1]);
  expect(test.oracle.nextSlot(0)).toBe(GENESIS_SLOT);
  expect(test.oracle.nextSlot(1)).toBe(GENESIS_SLOT + 1);
});

test("a chain that cannot answer, is full or too early gets the same bytes later", async () => {
  const test = await start([[{}]]);
  const down = new GridError("stopped", "the chain is stopping", { what: "chain" });
  const { mempool_full, report_premature } = TRANSACTION_CODE;
  test.chain.nextAnswers = [down, mempool_full, report_premature];
  test.at(2, 300);
  for (const expected of [0, 0, 0, 2]) {
    await test.oracle.tick();
    expect(test.chain.reports[0]).toHaveLength(expected);
  }
  expect(test.oracle.counters()).toMatchObject({ reportsSubmitted: 2, reportsRefused: 0 });
});

test("a report that the chain has already counts as done", async () => {
  const test = await start([[{}]]);
  test.chain.nextAnswers = [new GridError("stopped", "lost the answer", { what: "chain" })];
  test.at(1, 300);
  await test.oracle.tick();
  test.chain.execute(test.store.report({ regionIndex: 0, slot: GENESIS_SLOT })!);
  test.at(2, 300);
  await test.oracle.tick();
  expect(test.chain.reports[0]).toHaveLength(2);
});

test("a report that the chain refuses is told once and asked again", async () => {
  const told: unknown[] = [];
  const log = { info: () => {}, warn: () => {}, error: (facts: object) => told.push(facts) };
  const test = await start([[{}]], { log });
  const { certificate_invalid } = TRANSACTION_CODE;
  test.chain.nextAnswers = [certificate_invalid, certificate_invalid];
  test.at(1, 300);
  for (let i = 0; i < 3; i++) await test.oracle.tick();
  expect(told).toMatchObject([{ code: "certificate_invalid", slot: GENESIS_SLOT }]);
  expect(test.chain.reports[0]).toHaveLength(1);
});

test("keys that genesis does not name, or a larger quorum, do not start", async () => {
  const test = await start([[{}]]);
  const { genesis, store, clock, chain } = test;
  const others = { publishReceipt: () => {}, log: SILENT, startGraceS: 0 };
  const base = { store, clock, chain, ...others, genesis };
  for (const key of ["blsSecretKey", "receiptSecretKey"] as const) {
    const keys = { ...ORACLE_KEYS, [key]: seedOf("a stranger").fill(1, 0, 1) };
    await expect(startOracle({ ...base, keys })).rejects.toMatchObject({
      code: "oracle_key_unknown",
    });
  }
  const member = { ...genesis.oracle.members[0]!, id: "o2" };
  const two = {
    ...genesis,
    oracle: { ...genesis.oracle, members: [genesis.oracle.members[0]!, member] },
  };
  await expect(startOracle({ ...base, genesis: two, keys: ORACLE_KEYS })).rejects.toMatchObject({
    code: "argument_invalid",
  });
  const forged = { ...genesis.oracle.members[0]!, blsPossession: "00".repeat(96) };
  const unproved = { ...genesis, oracle: { ...genesis.oracle, members: [forged] } };
  await expect(
    startOracle({ ...base, genesis: unproved, keys: ORACLE_KEYS }),
  ).rejects.toMatchObject({ facts: { argument: "oracle.members.0.blsPossession" } });
});

test("a store that is behind the chain does not start: it would count twice", async () => {
  const test = await start([[{}]]);
  test.at(1, 300);
  await test.oracle.tick();
  const directory = `${test.directory}-older`;
  const store = await openOracleStore({ directory, genesisHash: genesisHash(test.genesis) });
  const { genesis, clock, chain } = test;
  const publishReceipt = () => {};
  const log = { info: () => {}, warn: () => {}, error: () => {} };
  await expect(
    startOracle({
      ...{ genesis, clock, chain, store, publishReceipt, log },
      keys: ORACLE_KEYS,
      startGraceS: 0,
    }),
  ).rejects.toMatchObject({ code: "store_outdated" });
  await store.close();
});

/** One event of a random history. Registers rise by `step` a slot at each meter. */
const event = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant("slot" as const), step: fc.nat(500) }) },
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant("deliver" as const),
      pick: fc.nat(),
      keep: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("lose" as const), pick: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("restart" as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("outage" as const),
      slots: fc.integer({ min: 1, max: 12 }),
    }),
  },
);

test("reported energy is the register step, for any loss, delay, repetition, restart", async () => {
  const law = async (
    events: readonly (typeof event extends fc.Arbitrary<infer E> ? E : never)[],
  ) => {
    const test = await start([[{ openingImportWh: 70 }, { openingExportWh: 5 }]]);
    const meters = [meterOf(0), meterOf(1)];
    const registers = [
      { importWh: 70, exportWh: 0 },
      { importWh: 0, exportWh: 5 },
    ];
    const opening = structuredClone(registers);
    const accepted = structuredClone(registers);
    const journal: { m: number; payload: Uint8Array }[] = [];
    let slot = 0;
    const deliver = async (at: number, keep: boolean) => {
      const entry = journal[at];
      if (entry === undefined) return;
      if (!keep) journal.splice(at, 1);
      const before = test.oracle.counters().accepted;
      await test.send(meters[entry.m]!.topic, entry.payload);
      if (test.oracle.counters().accepted === before) return;
      const { importWh, exportWh } = decodeReading(entry.payload).reading;
      accepted[entry.m] = { importWh: importWh!, exportWh: exportWh! };
    };
    for (const action of events) {
      if (action.do === "slot") {
        slot++;
        meters.forEach((meter, m) => {
          registers[m]!.importWh += action.step + m;
          registers[m]!.exportWh += Math.floor(action.step / 3);
          journal.push({ m, payload: meter.next(slot, registers[m]) });
        });
        test.at(slot, action.step); // some slots reach the cut-off, some do not
      } else if (action.do === "deliver")
        await deliver(action.pick % (journal.length || 1), action.keep);
      else if (action.do === "lose") journal.splice(action.pick % (journal.length || 1), 1);
      else if (action.do === "restart") await test.restart();
      else {
        slot += action.slots;
        test.at(slot, 300);
      }
      await test.oracle.tick();
    }
    // All that waits gets its report: time passes without new readings.
    test.at(slot + 2, 300);
    await test.oracle.tick();
    expect(test.oracle.counters().lateEntries).toBe(0);
    expect(test.chain.importWh[0]).toEqual(
      accepted.map((r, m) => r.importWh - opening[m]!.importWh),
    );
    expect(test.chain.exportWh[0]).toEqual(
      accepted.map((r, m) => r.exportWh - opening[m]!.exportWh),
    );
    await opened.pop()!.close();
  };
  await fc.assert(fc.asyncProperty(fc.array(event, { minLength: 5, maxLength: 40 }), law), {
    numRuns: 30,
  });
});
