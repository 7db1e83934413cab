/**
 * Method: a size that devices can afford; there and back for any reading; then everything that must
 * not be read: each field out of its range, other encodings of the same value (by cborg), any
 * changed byte, another network, another key.
 */
import * as cborg from "cborg";
import fc from "fast-check";
import { expect, test } from "vitest";
import { concatBytes, toHex } from "../../../services/primitives/bytes.ts";
import { type CodecValue, decode, encode } from "../../../services/primitives/codec.ts";
import { GridError } from "../../../services/primitives/errors.ts";
import { REGISTER_WH_MAX } from "../../../services/primitives/limits.ts";
import {
  type DeviceAlgorithm,
  decodeReading,
  devicePublicKey,
  encodeEnvelope,
  encodeReadingPayload,
  keyIdOf,
  OBIS_EXPORT,
  OBIS_IMPORT,
  type Reading,
  signReading,
  verifyReading,
} from "../../../services/wire/reading.ts";
import { NETWORK_ID, sampleKey, sampleReading } from "./samples.ts";

const key = sampleKey("ed25519");
const signed = (reading: Reading, networkId = NETWORK_ID) =>
  signReading({ reading, networkId, key });

/** The sample with some payload keys replaced; undefined removes one. Not signed again. */
function tampered(changes: Record<number, CodecValue | undefined>): Uint8Array {
  const record = decodeReading(signed(sampleReading("ed25519")));
  const map = new Map(decode(record.payload) as ReadonlyMap<number, CodecValue>);
  for (const [name, value] of Object.entries(changes)) {
    if (value === undefined) map.delete(Number(name));
    else map.set(Number(name), value);
  }
  return encodeEnvelope({ ...record, payload: encode(map) });
}

test("a reading with both registers takes 175 bytes", () => {
  expect(signed(sampleReading("ed25519"))).toHaveLength(175);
});

const bytesOf = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const register = fc.option(fc.integer({ min: 0, max: REGISTER_WH_MAX }));
const anyReading = fc.record({
  deviceId: bytesOf(16),
  boot: fc.integer({ min: 0, max: 0xffff_ffff }),
  seq: fc.maxSafeNat(),
  intervalEndS: fc.integer({ min: 0, max: 0xff_ffff_ffff }),
  intervalS: fc.integer({ min: 0, max: 86_400 * 366 }),
  importWh: register,
  exportWh: register,
  timeStatus: fc.nat(3),
  clockErrorMs: fc.integer({ min: -86_400_000, max: 86_400_000 }),
  flags: fc.integer({ min: 0, max: 0xffff_ffff }),
  kind: fc.nat(2),
  firmwareHash: bytesOf(8),
  previousHash: bytesOf(8),
}) as unknown as fc.Arbitrary<Reading>;

test("any reading comes back as it was signed, and its core encodes to the same bytes", () => {
  fc.assert(
    fc.property(anyReading, (reading) => {
      const bytes = signed(reading);
      const record = decodeReading(bytes);
      expect(record.reading).toEqual(reading);
      expect(toHex(encodeReadingPayload(record.reading))).toBe(toHex(record.payload));
      expect(toHex(encodeEnvelope(record))).toBe(toHex(bytes));
    }),
    { numRuns: 200 },
  );
});

test.each<DeviceAlgorithm>(["ed25519", "p256"])(
  "%s: only its own key and network verify",
  (name) => {
    const own = sampleKey(name);
    const reading = sampleReading(name);
    const bytes = signReading({ reading, networkId: NETWORK_ID, key: own });
    const record = decodeReading(bytes);
    const publicKey = devicePublicKey(own);
    expect(record).toMatchObject({ algorithm: name, keyId: keyIdOf(publicKey) });
    expect(verifyReading({ record, networkId: NETWORK_ID, publicKey })).toBe(true);
    expect(verifyReading({ record, networkId: `${NETWORK_ID}x`, publicKey })).toBe(false);
    const other = devicePublicKey({ algorithm: name, secretKey: new Uint8Array(32).fill(5) });
    expect(verifyReading({ record, networkId: NETWORK_ID, publicKey: other })).toBe(false);
  },
);

test("any changed byte is refused or does not verify", () => {
  const bytes = signed(sampleReading("ed25519"));
  const publicKey = devicePublicKey(key);
  for (let i = 0; i < bytes.length; i++) {
    const changed = bytes.slice();
    changed[i]! ^= 1 << (i % 8);
    let taken = false;
    try {
      const record = decodeReading(changed);
      // The key id is not signed: the oracle compares it with the registered one.
      const sameKey = toHex(record.keyId) === toHex(keyIdOf(publicKey));
      taken = sameKey && verifyReading({ record, networkId: NETWORK_ID, publicKey });
    } catch (error) {
      expect(error).toBeInstanceOf(GridError);
    }
    expect(taken, `byte ${i}`).toBe(false);
  }
});

test("random bytes are refused with a code and nothing else", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      expect(() => decodeReading(bytes)).toThrow(GridError);
    }),
  );
});

const registers = (entries: readonly (readonly [number, CodecValue])[]) => new Map(entries);

test.each<[string, Record<number, CodecValue | undefined>]>([
  ["device id", { 1: new Uint8Array(15) }],
  ["device id", { 1: "0123456789abcdef" }],
  ["boot", { 2: 2 ** 32 }],
  ["boot", { 2: -1 }],
  ["seq", { 3: 2n ** 53n }],
  ["interval end", { 4: 2 ** 40 }],
  ["interval", { 5: 86_400 * 366 + 1 }],
  ["registers", { 6: [] }],
  ["register 1.8.0", { 6: registers([[OBIS_IMPORT, -1]]) }],
  ["register 1.8.0", { 6: registers([[OBIS_IMPORT, REGISTER_WH_MAX + 1]]) }],
  ["register 2.8.0", { 6: registers([[OBIS_EXPORT, null]]) }],
  ["register 67840", { 6: registers([[67_840, 1]]) }],
  ["time status", { 7: 4 }],
  ["clock error", { 8: 86_400_001 }],
  ["clock error", { 8: -86_400_001 }],
  ["flags", { 9: 2 ** 32 }],
  ["kind", { 10: 3 }],
  ["firmware hash", { 11: new Uint8Array(9) }],
  ["previous hash", { 12: new Uint8Array(7) }],
  ["resolution", { 13: 4 }],
  ["payload map", { 13: undefined }],
  ["payload map", { 14: 0 }],
])("refused by name: %s %o", (field, changes) => {
  expect(() => decodeReading(tampered(changes))).toThrow(`not a reading: ${field}`);
});

test("registers in kWh count as Wh, up to the largest register", () => {
  const inKwh = (kwh: number) => tampered({ 6: registers([[OBIS_IMPORT, kwh]]), 13: 3 });
  expect(decodeReading(inKwh(25_688)).reading.importWh).toBe(25_688_000);
  const largest = Math.floor(REGISTER_WH_MAX / 1000);
  expect(decodeReading(inKwh(largest)).reading.importWh).toBe(largest * 1000);
  expect(() => decodeReading(inKwh(largest + 1))).toThrow("register 1.8.0");
});

test("a resolution is signed, comes back, and makes another record of the same registers", () => {
  const reading = { ...sampleReading("ed25519"), importWh: 25_688_000, exportWh: 1000 } as Reading;
  const coarse = { ...reading, resolution: 3 };
  const record = decodeReading(signed(coarse));
  expect(record.reading).toEqual(coarse);
  expect(toHex(encodeReadingPayload(record.reading))).toBe(toHex(record.payload));
  expect(record.payload).not.toEqual(encodeReadingPayload(reading));
  const uneven = { ...coarse, exportWh: 1001 } as Reading;
  expect(() => encodeReadingPayload(uneven)).toThrow("whole number of its steps");
});

test("a meter without a register says so by leaving it out", () => {
  const reading = { ...sampleReading("ed25519"), importWh: null };
  expect(decodeReading(signed(reading)).reading).toMatchObject({
    importWh: null,
    exportWh: reading.exportWh,
  });
});

/** The envelope's four fields in their only form, and cborg to write them in others. */
const envelope = (() => {
  const { payload, keyId, signature } = decodeReading(signed(sampleReading("ed25519")));
  return { header: encode(new Map([[1, -8]])), keyId, payload, signature };
})();
const tag = (value: unknown, number = 18) => cborg.encode(new cborg.Tagged(number, value));
const { header, keyId, payload, signature } = envelope;
const kid = new Map([[4, keyId]]);

test("cborg writes the same envelope, byte for byte", () => {
  const bytes = tag([header, kid, payload, signature]);
  expect(toHex(bytes)).toBe(toHex(signed(sampleReading("ed25519"))));
});

test.each<[string, Uint8Array]>([
  ["no tag", cborg.encode([header, kid, payload, signature])],
  ["COSE_Sign's tag", tag([header, kid, payload, signature], 98)],
  ["a fifth field", tag([header, kid, payload, signature, 0])],
  ["three fields", tag([header, kid, payload])],
  [
    "an algorithm outside the header",
    tag([header, new Map<number, unknown>([...kid, [1, -8]]), payload, signature]),
  ],
  ["an empty protected header", tag([new Uint8Array(0), kid, payload, signature])],
  ["ES384", tag([encode(new Map([[1, -35]])), kid, payload, signature])],
  [
    "a critical header",
    tag([
      encode(
        new Map([
          [1, -8],
          [2, 4],
        ]),
      ),
      kid,
      payload,
      signature,
    ]),
  ],
  ["an algorithm in two bytes", tag([Uint8Array.of(0xa1, 1, 0x38, 7), kid, payload, signature])],
  ["no key id", tag([header, new Map(), payload, signature])],
  ["a key id of text", tag([header, new Map([[4, "11"]]), payload, signature])],
  ["a detached payload", tag([header, kid, null, signature])],
  ["a signature of 63 bytes", tag([header, kid, payload, signature.slice(1)])],
  [
    "a payload with a trailing byte",
    tag([header, kid, concatBytes([payload, Uint8Array.of(0)]), signature]),
  ],
  ["a trailing byte", concatBytes([tag([header, kid, payload, signature]), Uint8Array.of(0)])],
  ["nested tags", tag(new cborg.Tagged(18, [header, kid, payload, signature]))],
])("refused: %s", (_name, bytes) => {
  expect(() => decodeReading(bytes)).toThrow(GridError);
});
