/**
 * Method: a matrix of faults, each of which must give exactly its code, one counter, one log row,
 * one receipt, and change nothing else; then repetition, order and limits of ingest; then the trace
 * of a real meter whose register jumps to zero and back.
 */
import { afterEach, expect, test } from "vitest";
import { sha256 } from "../../../services/crypto/hash.ts";
import { bytesEqual, concatBytes, toHex } from "../../../services/primitives/bytes.ts";
import { READING_BYTES_MAX } from "../../../services/primitives/limits.ts";
import type { UnixSeconds, WattHours } from "../../../services/primitives/units.ts";
import { decodeReading, encodeEnvelope } from "../../../services/wire/reading.ts";
import { READING_CODE, type ReadingCodeName } from "../../../services/wire/refusals.ts";
import { receiptTopic } from "../../../services/wire/topics.ts";
import { GENESIS_S, SLOT_S, TestMeter, TestOracle, testGenesis } from "./community.ts";

const METERS = [{}, { algorithm: "p256" }, { role: "production" }, { role: "feeder" }] as const;
const opened: TestOracle[] = [];

async function start(options: Parameters<typeof TestOracle.start>[1] = {}): Promise<TestOracle> {
  const genesis = testGenesis({
    regions: [METERS, [{}]],
    oracle: { correctionWindowS: 4 * SLOT_S },
  });
  const test = await TestOracle.start(genesis, options);
  opened.push(test);
  return test;
}

afterEach(async () => {
  for (const test of opened.splice(0)) await test.close();
});

const meterOf = (meter: number, region = 0) =>
  new TestMeter({ region, meter, algorithm: meter === 1 ? "p256" : "ed25519" });

type Faulty = { readonly topic: string; readonly payload: Uint8Array };
/** A device that has sent one good reading, 1,000 Wh at the end of slot 1, and now goes wrong. */
type Fault = {
  readonly name: string;
  readonly code: ReadingCodeName;
  readonly make: (meter: TestMeter, test: TestOracle) => Faulty | Promise<Faulty>;
};

const endOf = (slotCount: number) => (GENESIS_S + slotCount * SLOT_S) as UnixSeconds;
const wh = (value: number) => value as WattHours;
const from = (meter: TestMeter, payload: Uint8Array) => ({ topic: meter.topic, payload });
const good = { intervalEndS: endOf(2), importWh: wh(1200), exportWh: wh(500) };

function bent(payload: Uint8Array, at: number): Uint8Array {
  const copy = payload.slice();
  copy[copy.length + at]! ^= 1;
  return copy;
}

const FAULTS: readonly Fault[] = [
  {
    name: "one bit of the signature flipped",
    code: "signature_invalid",
    make: (meter) => from(meter, bent(meter.sign(good), -1)),
  },
  {
    name: "signed for another network",
    code: "signature_invalid",
    make: (meter) => from(meter, meter.sign(good, "gridlane-elsewhere")),
  },
  {
    name: "a device that genesis does not name",
    code: "device_unknown",
    make: () => {
      const stranger = new TestMeter({ region: 0, meter: 99 });
      return from(stranger, stranger.sign(good));
    },
  },
  {
    name: "a device of another region",
    code: "device_unknown",
    make: (meter) => ({
      topic: meter.topic.replace("region-0", "region-1"),
      payload: meter.sign(good),
    }),
  },
  {
    name: "a region that genesis does not name",
    code: "device_unknown",
    make: (meter) => ({
      topic: meter.topic.replace("region-0", "nowhere"),
      payload: meter.sign(good),
    }),
  },
  {
    name: "another core under the same (boot, seq)",
    code: "sequence_replayed",
    make: (meter) => from(meter, meter.sign({ ...good, seq: 0, previousHash: new Uint8Array(8) })),
  },
  {
    name: "a record of an earlier boot",
    code: "sequence_replayed",
    make: (meter) => from(meter, meter.sign({ ...good, boot: 0, seq: 7 })),
  },
  {
    name: "a successor that names another predecessor",
    code: "previous_forked",
    make: (meter) => from(meter, meter.sign({ ...good, previousHash: new Uint8Array(8).fill(7) })),
  },
  {
    name: "a clock far ahead",
    code: "time_in_future",
    make: (meter) => from(meter, meter.sign({ ...good, intervalEndS: endOf(9) })),
  },
  {
    name: "a slot whose correction window has closed",
    code: "time_stale",
    make: async (_meter, test) => {
      const late = meterOf(3);
      test.at(8, 300); // slots 1 to 8 close; slots 4 to 8 may be corrected
      await test.oracle.tick();
      return from(late, late.next(3));
    },
  },
  {
    name: "an end between slot boundaries",
    code: "interval_misaligned",
    make: (meter) => from(meter, meter.sign({ ...good, intervalEndS: (endOf(2) - 1) as never })),
  },
  {
    name: "a length that is no whole number of slots",
    code: "interval_misaligned",
    make: (meter) => from(meter, meter.sign({ ...good, intervalS: SLOT_S + 60 })),
  },
  {
    name: "a length of nothing",
    code: "interval_misaligned",
    make: (meter) => from(meter, meter.sign({ ...good, intervalS: 0 })),
  },
  {
    name: "an end that the last reading reached already",
    code: "interval_misaligned",
    make: (meter) => from(meter, meter.sign({ ...good, intervalEndS: endOf(1) })),
  },
  {
    name: "an import register that fell",
    code: "register_decreased",
    make: (meter) => from(meter, meter.sign({ ...good, importWh: wh(999) })),
  },
  {
    name: "an export register that fell",
    code: "register_decreased",
    make: (meter) => from(meter, meter.sign({ ...good, exportWh: wh(499) })),
  },
  {
    name: "more than 11 kW x 15 min x 1.1",
    code: "energy_excessive",
    make: (meter) => from(meter, meter.sign({ ...good, importWh: wh(1000 + 3026) })),
  },
  {
    name: "no bytes",
    code: "malformed",
    make: (meter) => from(meter, new Uint8Array(0)),
  },
  {
    name: "one byte after the end",
    code: "malformed",
    make: (meter) => from(meter, concatBytes([meter.sign(good), Uint8Array.of(0)])),
  },
  {
    name: "one byte more than a payload may have",
    code: "oversized",
    make: (meter) => from(meter, new Uint8Array(READING_BYTES_MAX + 1)),
  },
  {
    name: "another device's topic",
    code: "topic_mismatched",
    make: (meter) => ({ topic: meterOf(3).topic, payload: meter.sign(good) }),
  },
  {
    name: "a leaf that carries no readings",
    code: "topic_mismatched",
    make: (meter) => ({ topic: meter.topic.replace(/r$/, "state"), payload: meter.sign(good) }),
  },
  {
    name: "another key id",
    code: "algorithm_mismatched",
    make: (meter) => {
      const record = decodeReading(meter.sign(good));
      return from(meter, encodeEnvelope({ ...record, keyId: new Uint8Array(8) }));
    },
  },
  {
    name: "another algorithm than the device registered",
    code: "algorithm_mismatched",
    make: (meter) => {
      const record = decodeReading(meter.sign(good));
      return from(meter, encodeEnvelope({ ...record, algorithm: "p256" }));
    },
  },
  {
    name: "a grid meter without its export register",
    code: "register_missing",
    make: (meter) => from(meter, meter.sign({ ...good, exportWh: null })),
  },
  {
    name: "a grid meter without its import register",
    code: "register_missing",
    make: (meter) => from(meter, meter.sign({ ...good, importWh: null })),
  },
  {
    name: "a production meter without its export register",
    code: "register_missing",
    make: () => {
      const production = meterOf(2);
      return from(production, production.sign({ ...good, exportWh: null }));
    },
  },
];

test.each(FAULTS)("$name: $code", async ({ code, make }) => {
  const test = await start();
  const meter = meterOf(0);
  test.at(1);
  await test.send(meter.topic, meter.next(1, { importWh: 1000, exportWh: 500 }));
  const faulty = await make(meter, test);
  test.at(2);
  const before = test.oracle.meterStatus(0);
  const receipt = await test.send(faulty.topic, faulty.payload);

  const [, , , region, , device] = ["", ...faulty.topic.split("/")];
  expect(receipt).toMatchObject({
    code: READING_CODE[code],
    memberId: "o1",
    recordHash: sha256(faulty.payload),
    leafHash: new Uint8Array(32),
    timeS: test.clock.nowS(),
  });
  expect(toHex(receipt!.deviceId)).toBe(device);
  expect(test.receipts.at(-1)?.topic).toBe(receiptTopic(region!, receipt!.deviceId));
  expect(test.oracle.counters()).toMatchObject({
    accepted: 1,
    duplicates: 0,
    refused: { [code]: 1 },
  });
  expect(Object.keys(test.oracle.counters().refused)).toEqual([code]);

  const regionIndex = { "region-0": 0, "region-1": 1 }[region!] ?? null;
  const day = Math.floor(test.clock.nowS() / 86_400);
  const page = await test.oracle.refusals({ regionIndex, day, limit: 10 });
  expect(page.counts).toEqual(new Map([[READING_CODE[code], 1]]));
  expect(page.rows).toHaveLength(1);
  expect(page.rows[0]).toMatchObject({
    code: READING_CODE[code],
    recordHash: sha256(faulty.payload),
  });

  expect(test.oracle.meterStatus(0)).toEqual(before);
  test.at(9, 300);
  await test.oracle.tick();
  const reported = test.chain.reports[0]!;
  expect(reported.reduce((sum, report) => sum + report.refusedReadings, 0)).toBe(
    regionIndex === 0 ? 1 : 0,
  );
  expect(test.chain.importWh[0]).toEqual([1000, 0, 0, 0]);
  expect(test.chain.exportWh[0]).toEqual([500, 0, 0, 0]);
});

test("every code of a refused reading has a row above", () => {
  const covered = new Set(FAULTS.map((fault) => fault.code));
  const codes = Object.keys(READING_CODE).filter((name) => name !== "accepted");
  expect([...covered].sort()).toEqual(codes.sort());
});

test("a topic that names no device gets no answer, but is counted and logged", async () => {
  const test = await start();
  expect(await test.send("gridlane/v1/region-0/m/XYZ/r", new Uint8Array(3))).toBeUndefined();
  expect(test.oracle.counters().refused).toEqual({ topic_mismatched: 1 });
  const day = Math.floor(GENESIS_S / 86_400);
  const page = await test.oracle.refusals({ regionIndex: null, day, limit: 10 });
  expect(page.rows).toMatchObject([{ code: READING_CODE.topic_mismatched, deviceId: null }]);
});

test("exactly the largest payload is still read", async () => {
  const test = await start();
  const receipt = await test.send(meterOf(0).topic, new Uint8Array(READING_BYTES_MAX));
  expect(receipt?.code).toBe(READING_CODE.malformed);
});

test("exactly the connection's bound is taken", async () => {
  const test = await start();
  const meter = meterOf(0);
  test.at(1);
  expect((await test.send(meter.topic, meter.next(1, { importWh: 3025 })))?.code).toBe(0);
});

test("every role and both algorithms are taken, on the live and the backfill topic", async () => {
  const test = await start();
  test.at(1);
  for (const m of [0, 1, 3]) {
    const meter = meterOf(m);
    const topic = m === 3 ? meter.topic.replace(/r$/, "b") : meter.topic;
    expect((await test.send(topic, meter.next(1, { importWh: 5 })))?.code).toBe(0);
  }
  const production = meterOf(2);
  const record = production.next(1, { importWh: null, exportWh: 300 });
  expect((await test.send(production.topic, record))?.code).toBe(0);
  await test.oracle.tick();
  expect(test.chain.importWh[0]).toEqual([5, 5, 0, 5]);
  expect(test.chain.exportWh[0]).toEqual([0, 0, 300, 0]);
});

test("a repeated record gets its first receipt, byte for byte, and changes nothing", async () => {
  const test = await start();
  const meter = meterOf(0);
  test.at(1);
  const record = meter.next(1, { importWh: 700 });
  await Promise.all([
    test.oracle.ingest({ topic: meter.topic, payload: record }),
    test.oracle.ingest({ topic: meter.topic, payload: record }), // before the first is durable
  ]);
  test.at(3);
  await test.send(meter.topic, record);
  await test.restart();
  await test.send(meter.topic, record);
  expect(new Set(test.receipts.map(({ bytes }) => toHex(bytes))).size).toBe(1);
  expect(test.receipts).toHaveLength(4);
  expect(test.oracle.counters()).toMatchObject({ accepted: 0, duplicates: 1, refused: {} });
  await test.oracle.tick();
  expect(test.chain.importWh[0]![0]).toBe(700);
});

test("another valid ECDSA signature over a taken core is a repetition too", async () => {
  const test = await start();
  const meter = meterOf(1);
  test.at(1);
  const record = decodeReading(meter.next(1, { importWh: 700 }));
  const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
  const s = BigInt(`0x${toHex(record.signature.subarray(32))}`);
  const mirrored = (order - s).toString(16).padStart(64, "0");
  const signature = concatBytes([record.signature.subarray(0, 32), Buffer.from(mirrored, "hex")]);
  const [first, second] = [encodeEnvelope(record), encodeEnvelope({ ...record, signature })];
  expect(bytesEqual(first, second)).toBe(false);
  await test.send(meter.topic, first);
  await test.send(meter.topic, second);
  expect(test.oracle.counters()).toMatchObject({ accepted: 1, duplicates: 1, refused: {} });
  expect(test.receipts[1]!.bytes).toEqual(test.receipts[0]!.bytes);
});

test("a repeated refused record gets its first receipt while the reason stands", async () => {
  const test = await start();
  const meter = meterOf(0);
  test.at(1);
  const early = meter.next(3, { importWh: 700 });
  const first = await test.send(meter.topic, early);
  test.at(1, 10);
  await test.send(meter.topic, early);
  expect(first?.code).toBe(READING_CODE.time_in_future);
  expect(test.receipts[1]!.bytes).toEqual(test.receipts[0]!.bytes);
  expect(test.oracle.counters()).toMatchObject({ duplicates: 1, refused: { time_in_future: 1 } });
  test.at(3);
  expect((await test.send(meter.topic, early))?.code).toBe(READING_CODE.accepted);
});

test("answers come in the order of arrival, taken, refused and repeated ones mixed", async () => {
  const test = await start();
  const meters = [meterOf(0), meterOf(1), meterOf(3)];
  test.at(40);
  const arrivals: { topic: string; payload: Uint8Array }[] = [];
  for (let slot = 1; slot <= 40; slot++) {
    for (const meter of meters) arrivals.push(from(meter, meter.next(slot)));
    arrivals.push(from(meterOf(0), Uint8Array.of(slot)), arrivals[0]!);
  }
  const done: number[] = [];
  await Promise.all(arrivals.map((a, i) => test.oracle.ingest(a).then(() => done.push(i))));
  expect(done).toEqual(arrivals.map((_, i) => i));
  expect(test.receipts.map(({ receipt }) => toHex(receipt.recordHash))).toEqual(
    arrivals.map(({ payload }) => toHex(sha256(payload))),
  );
});

test("a register that drops to zero and returns is no energy (refoss trace)", async () => {
  // Opens just below, for 3,737 Wh are more than one slot of an 11 kW connection can bring.
  const genesis = testGenesis({ regions: [[{ openingImportWh: 3717 }]] });
  const test = await TestOracle.start(genesis);
  opened.push(test);
  const meter = meterOf(0);
  const trace = [
    { slot: 1, importWh: 3737, boot: 1, code: "accepted" },
    { slot: 2, importWh: 0, boot: 2, code: "register_decreased" }, // rebooted, register unread
    { slot: 2, importWh: 3746, boot: 2, code: "accepted" },
  ] as const;
  test.at(2, 60);
  for (const { slot, importWh, boot, code } of trace) {
    meter.boot = boot;
    const receipt = await test.send(meter.topic, meter.next(slot, { importWh }));
    expect(receipt?.code).toBe(READING_CODE[code]);
  }
  await test.oracle.tick();
  const reports = test.chain.reports[0]!;
  expect(reports.map((report) => report.importWh[0])).toEqual([20, 9]); // phantom energy: 0
});
