/**
 * Method: each fault on one genuine record, checked for the one rule it breaks and for none other,
 * by the wire format's own reader and verifier; then plans: shares, windows, composition,
 * repetition.
 */
import { expect, test } from "vitest";
import { createFaultInjector, FAULT_HISTORY_MAX } from "../../firmware-sim/fault-injector.ts";
import { FAULTS, type FaultName } from "../../firmware-sim/faults.ts";
import { bootMeter, closeInterval, measure, newMeter } from "../../firmware-sim/meter.ts";
import { bytesEqual, toHex } from "../../services/primitives/bytes.ts";
import { READING_BYTES_MAX } from "../../services/primitives/limits.ts";
import {
  decodeReading,
  recordHash,
  signReading,
  verifyReading,
} from "../../services/wire/reading.ts";
import { READING_CODE } from "../../services/wire/refusals.ts";
import { FIRST_SLOT, NETWORK_ID, SLOT_S, testDevices } from "./support/fleet.ts";

const DEVICE = testDevices()[0]!;
const NAME = toHex(DEVICE.deviceId);

/** `count` records of the device, 100 Wh a slot. */
function genuine(count: number) {
  let state = bootMeter(newMeter(DEVICE, FIRST_SLOT));
  return Array.from({ length: count }, (_, k) => {
    const slot = FIRST_SLOT + k;
    state = measure(state, slot, { importWh: 100, exportWh: 0 });
    const closed = closeInterval({ state, device: DEVICE, slotS: SLOT_S, kind: "live" });
    state = closed.state;
    const { reading } = closed;
    const bytes = signReading({ reading, networkId: NETWORK_ID, key: DEVICE.key });
    return { device: DEVICE, slot, reading, bytes };
  });
}

const injector = (fault: FaultName, share = 1) =>
  createFaultInjector({
    rules: [{ fault, share }],
    networkId: NETWORK_ID,
    seed: "s",
    travels: "direct",
  });

/** What the fault puts behind the third of three records. */
function addedBy(fault: FaultName) {
  const inject = injector(fault);
  const records = genuine(3);
  const outputs = records.map((record) => inject(record));
  const added = outputs[2]!.filter((one) => one.fault !== null);
  expect(added.every((one) => one.fault === fault)).toBe(true);
  return { records, last: records[2]!, output: outputs[2]!, added };
}
const verifies = (bytes: Uint8Array, publicKey = DEVICE.publicKey) =>
  verifyReading({ record: decodeReading(bytes), networkId: NETWORK_ID, publicKey });

test("every fault is listed once, and its codes exist", () => {
  expect(FAULTS.map(({ name }) => name)).toEqual([
    ...["duplicate", "replay", "future-time", "wrong-signature", "malformed", "oversized"],
    ...["unknown-device", "borrowed-topic", "register-decrease", "gap"],
  ]);
  for (const { expects } of FAULTS)
    for (const name of expects) expect(READING_CODE).toHaveProperty(name);
});

test("duplicate: the very bytes again", () => {
  const { last, output } = addedBy("duplicate");
  expect(output.map(({ bytes }) => bytes)).toEqual([last.bytes, last.bytes]);
});

test("replay: an earlier record's very bytes", () => {
  const { records, added } = addedBy("replay");
  expect(records.slice(0, 2).some(({ bytes }) => bytesEqual(bytes, added[0]!.bytes))).toBe(true);
  expect(injector("replay")(records[0]!)).toHaveLength(1); // nothing to replay yet
});

test("future-time: next in the chain, well signed, on a slot boundary, beyond a week", () => {
  const { last, added } = addedBy("future-time");
  const { reading } = decodeReading(added[0]!.bytes);
  expect(verifies(added[0]!.bytes)).toBe(true);
  expect(reading.seq).toBe(last.reading.seq + 1);
  expect(reading.previousHash).toEqual(recordHash(decodeReading(last.bytes).payload));
  expect(reading.intervalEndS % SLOT_S).toBe(0);
  expect(reading.intervalEndS - last.reading.intervalEndS).toBeGreaterThan(7 * 86_400);
});

test("wrong-signature: canonical, but nobody signed it", () => {
  const { added } = addedBy("wrong-signature");
  expect(decodeReading(added[0]!.bytes).reading.deviceId).toEqual(DEVICE.deviceId);
  expect(verifies(added[0]!.bytes)).toBe(false);
});

test("malformed and oversized: no readings", () => {
  const malformed = addedBy("malformed").added[0]!;
  expect(() => decodeReading(malformed.bytes)).toThrow();
  expect(addedBy("oversized").added[0]!.bytes).toHaveLength(READING_BYTES_MAX + 1);
});

test("unknown-device and borrowed-topic: well signed by a stranger, on either topic", () => {
  for (const fault of ["unknown-device", "borrowed-topic"] as const) {
    const { added } = addedBy(fault);
    const { reading } = decodeReading(added[0]!.bytes);
    expect(reading.deviceId).not.toEqual(DEVICE.deviceId);
    expect(added[0]!.deviceId).toEqual(
      fault === "unknown-device" ? reading.deviceId : DEVICE.deviceId,
    );
    expect(verifies(added[0]!.bytes)).toBe(false);
  }
});

test("register-decrease: next in the chain, well signed, lower", () => {
  const { last, added } = addedBy("register-decrease");
  const { reading } = decodeReading(added[0]!.bytes);
  expect(verifies(added[0]!.bytes)).toBe(true);
  expect(reading).toMatchObject({ seq: 4, importWh: 150, intervalEndS: last.reading.intervalEndS });
});

test("gap: the record is gone, and later replays do not know it", () => {
  expect(addedBy("gap").output).toEqual([]);
});

test("a rule hits its device, its slots, its share; the same ones again after a restart", () => {
  const records = genuine(200);
  const hit = (rule: object) => {
    const rules = [{ fault: "duplicate" as const, share: 1, ...rule }];
    const options = { rules, networkId: NETWORK_ID, seed: "s", travels: "broker" as const };
    const inject = createFaultInjector(options);
    return records.filter((record) => inject(record).length === 2).map(({ slot }) => slot);
  };
  expect(hit({ fromSlot: FIRST_SLOT + 5, untilSlot: FIRST_SLOT + 7 })).toEqual([
    FIRST_SLOT + 5,
    FIRST_SLOT + 6,
  ]);
  expect(hit({ device: NAME })).toHaveLength(200);
  expect(hit({ device: "00".repeat(16) })).toHaveLength(0);
  expect(hit({ share: 0 })).toHaveLength(0);
  expect(hit({ share: 0.3 }).length).toBeGreaterThan(35);
  expect(hit({ share: 0.3 }).length).toBeLessThan(85);
  expect(hit({ share: 0.3 })).toEqual(hit({ share: 0.3 }));
});

test("rules compose: each adds behind the record, and after a loss nothing follows", () => {
  const plan = (...faults: FaultName[]) =>
    createFaultInjector({
      rules: faults.map((fault) => ({ fault, share: 1 })),
      networkId: NETWORK_ID,
      seed: "s",
      travels: "direct",
    });
  const [record] = genuine(1);
  const names = (...faults: FaultName[]) => plan(...faults)(record!).map(({ fault }) => fault);
  expect(names("duplicate", "malformed")).toEqual([null, "duplicate", "malformed"]);
  expect(names("malformed", "gap", "duplicate")).toEqual(["malformed"]);
});

test("history is bounded", () => {
  const inject = injector("replay");
  const records = genuine(FAULT_HISTORY_MAX + 40);
  const replayed = records.map((record) => inject(record)).at(-1)![1]!;
  const at = records.findIndex(({ bytes }) => bytesEqual(bytes, replayed.bytes));
  expect(at).toBeGreaterThanOrEqual(records.length - 1 - FAULT_HISTORY_MAX);
});

test.each([
  { rule: { fault: "earthquake", share: 1 } },
  { rule: { fault: "gap", share: 1.5 } },
  { rule: { fault: "gap", share: Number.NaN } },
  { rule: { fault: "unknown-device", share: 1 } }, // cannot travel over a device's own connection
])("refuses the rule $rule", ({ rule }) => {
  const rules = [rule as { fault: FaultName; share: number }];
  const make = () =>
    createFaultInjector({ rules, networkId: NETWORK_ID, seed: "s", travels: "broker" });
  expect(make).toThrow(expect.objectContaining({ code: "argument_invalid" }));
});
