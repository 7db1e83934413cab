/** Method: topics there and back; a table of what is none; codes that must never move. */
import { expect, test } from "vitest";
import { toHex } from "../../../services/primitives/bytes.ts";
import {
  READING_CODE,
  readingCodeName,
  TRANSACTION_CODE,
  transactionCodeName,
} from "../../../services/wire/refusals.ts";
import { parseDeviceTopic, readingTopic, receiptTopic } from "../../../services/wire/topics.ts";

const deviceId = new Uint8Array(16).fill(0xa7);
const device = toHex(deviceId);

test("a device's topics", () => {
  expect(readingTopic("hill-2", deviceId)).toBe(`gridlane/v1/hill-2/m/${device}/r`);
  expect(receiptTopic("hill-2", deviceId)).toBe(`gridlane/v1/hill-2/m/${device}/ack`);
  for (const [topic, leaf] of [
    [readingTopic("hill-2", deviceId), "r"],
    [receiptTopic("hill-2", deviceId), "ack"],
  ] as const) {
    expect(parseDeviceTopic(topic)).toEqual({ region: "hill-2", deviceId, leaf });
  }
});

test.each([
  "",
  "gridlane/v1",
  `gridlane/v2/hill/m/${device}/r`,
  `energy/v1/hill/m/${device}/r`,
  `gridlane/v1/hill/o/${device}/r`,
  `gridlane/v1/hill/m/${device}`,
  `gridlane/v1/hill/m/${device}/cmd/res`,
  `gridlane/v1/hill/m/${device}/`,
  `gridlane/v1/hill/m/${device}/R`,
  `gridlane/v1/Hill/m/${device}/r`,
  `gridlane/v1/-hill/m/${device}/r`,
  `gridlane/v1/${"h".repeat(32)}/m/${device}/r`,
  `gridlane/v1//m/${device}/r`,
  `gridlane/v1/+/m/${device}/r`,
  `gridlane/v1/hill/m/${device.toUpperCase()}/r`,
  `gridlane/v1/hill/m/${device.slice(1)}/r`,
  `gridlane/v1/hill/m/#/r`,
  `gridlane/v1/hill/m/${device}/r/`,
  `/gridlane/v1/hill/m/${device}/r`,
])("no device topic: %s", (topic) => {
  expect(parseDeviceTopic(topic)).toBeNull();
});

test("codes are frozen: receipts and blocks hold them", () => {
  expect(READING_CODE).toEqual({
    accepted: 0,
    signature_invalid: 1,
    device_unknown: 2,
    sequence_replayed: 3,
    previous_forked: 5,
    time_in_future: 6,
    interval_misaligned: 7,
    register_decreased: 8,
    energy_excessive: 10,
    malformed: 32,
    oversized: 33,
    topic_mismatched: 34,
    time_stale: 35,
    algorithm_mismatched: 36,
    register_missing: 37,
  });
  for (const codes of [READING_CODE, TRANSACTION_CODE]) {
    expect(new Set(Object.values(codes)).size).toBe(Object.keys(codes).length);
  }
});

test("each code has its name, and another has none", () => {
  for (const [name, code] of Object.entries(READING_CODE)) expect(readingCodeName(code)).toBe(name);
  for (const [name, code] of Object.entries(TRANSACTION_CODE)) {
    expect(transactionCodeName(code)).toBe(name);
  }
  expect(readingCodeName(4)).toBe("unknown");
  expect(transactionCodeName(999)).toBe("unknown");
});
