/**
 * Method: what surrounds the oracle fails on purpose: the disk, the broker, the queue's limit, a
 * stop in the middle. Nothing may be acknowledged that is not durable, and nothing may hang.
 */
import { afterEach, expect, test } from "vitest";
import { GridError } from "../../../services/primitives/errors.ts";
import { INGEST_QUEUE_MAX } from "../../../services/primitives/limits.ts";
import { TestMeter, TestOracle, testGenesis } from "./community.ts";

const opened: TestOracle[] = [];

async function start(options: Parameters<typeof TestOracle.start>[1] = {}): Promise<TestOracle> {
  const test = await TestOracle.start(testGenesis({ regions: [[{}, {}]] }), options);
  opened.push(test);
  return test;
}

afterEach(async () => {
  for (const test of opened.splice(0)) await test.close();
});

const meterOf = (meter: number) => new TestMeter({ region: 0, meter });
const diskFull = new GridError("disk_full", "no space is left", { directory: "/full" });

test("a disk that fails: no receipt, no PUBACK, everything after it is refused too", async () => {
  const failures: unknown[] = [];
  const test = await start({ onFailure: (failure) => failures.push(failure) });
  const meter = meterOf(0);
  test.at(2, 300);
  test.store.write = () => Promise.reject(diskFull);
  const [first, second] = [meter.next(1), meter.next(2)];
  await expect(test.oracle.ingest({ topic: meter.topic, payload: first })).rejects.toBe(diskFull);
  await expect(test.oracle.ingest({ topic: meter.topic, payload: second })).rejects.toBe(diskFull);
  await test.oracle.tick();
  expect(test.receipts).toEqual([]);
  expect(test.chain.transactions).toEqual([]);
  expect(failures).toEqual([diskFull]);
});

test("after the disk's failure and a restart the same records are taken", async () => {
  const test = await start();
  const meter = meterOf(0);
  test.at(1);
  const record = meter.next(1, { importWh: 70 });
  test.store.write = () => Promise.reject(diskFull);
  await expect(test.oracle.ingest({ topic: meter.topic, payload: record })).rejects.toBe(diskFull);
  await test.restart();
  expect((await test.send(meter.topic, record))?.code).toBe(0);
  test.at(1, 300);
  await test.oracle.tick();
  expect(test.chain.importWh).toEqual([[70, 0]]);
});

test("a report whose write fails is never sent", async () => {
  const test = await start();
  test.at(1, 300);
  test.store.write = () => Promise.reject(diskFull);
  await expect(test.oracle.tick()).rejects.toBe(diskFull);
  expect(test.chain.transactions).toEqual([]);
});

test("a receipt that cannot be handed over: the record stands, a repeat is answered", async () => {
  let isBroken = true;
  const test = await start({
    publishReceipt: (topic, bytes) => {
      if (isBroken) throw new Error("the broker is gone");
      handed.push({ topic, bytes });
    },
  });
  const handed: { topic: string; bytes: Uint8Array }[] = [];
  const meter = meterOf(0);
  test.at(1);
  const arrival = { topic: meter.topic, payload: meter.next(1) };
  await expect(test.oracle.ingest(arrival)).rejects.toThrow("the broker is gone");
  isBroken = false;
  await test.oracle.ingest(arrival);
  expect(handed).toHaveLength(1);
  expect(test.oracle.counters()).toMatchObject({ accepted: 1, duplicates: 1 });
});

test("the queue ends at its limit with a code, and goes on when it has drained", async () => {
  const test = await start();
  const write = test.store.write.bind(test.store);
  let release = () => {};
  const gate = new Promise<void>((resolve) => {
    release = resolve;
  });
  test.store.write = async (changes) => {
    await gate;
    await write(changes);
  };
  const nobody = { topic: "gridlane/v1/region-0/m/nobody/r", payload: new Uint8Array(1) };
  const waiting: Promise<void>[] = [];
  for (let i = 0; i < INGEST_QUEUE_MAX; i++) waiting.push(test.oracle.ingest(nobody));
  expect(test.oracle.counters().waiting).toBe(INGEST_QUEUE_MAX);
  await expect(test.oracle.ingest(nobody)).rejects.toMatchObject({
    code: "queue_full",
    facts: { max: INGEST_QUEUE_MAX },
  });
  release();
  await Promise.all(waiting);
  await test.oracle.ingest(nobody);
  expect(test.oracle.counters().refused.topic_mismatched).toBe(INGEST_QUEUE_MAX + 1);
});

test("a stop waits for what was taken and refuses what comes after", async () => {
  const test = await start();
  const meter = meterOf(0);
  test.at(1);
  const taken = test.oracle.ingest({ topic: meter.topic, payload: meter.next(1) });
  await test.oracle.stop();
  await taken;
  expect(test.receipts).toHaveLength(1);
  const after = test.oracle.ingest({ topic: meter.topic, payload: meter.next(2) });
  await expect(after).rejects.toMatchObject({ code: "stopped" });
  await test.oracle.tick();
});
