/**
 * The signed reading: COSE_Sign1 (RFC 9052) over a deterministic CBOR map of integers.
 *
 * Registers are cumulative, so a lost reading costs resolution, never energy. Exactly one byte
 * string is accepted for each record (schema: `reading.cddl`): the codec is canonical, the header
 * is fixed, and nothing may follow. The signed bytes are the Sig_structure of RFC 9052 section 4.4,
 * with the network's id in external_aad, so a reading of one network is worthless in another.
 */

import { ed25519PublicKey, signEd25519, verifyEd25519 } from "../crypto/ed25519.ts";
import { sha256 } from "../crypto/hash.ts";
import { p256PublicKey, signP256, verifyP256 } from "../crypto/p256.ts";
import { bytesEqual, concatBytes, utf8 } from "../primitives/bytes.ts";
import { type CodecValue, decode, encode } from "../primitives/codec.ts";
import { assert, GridError } from "../primitives/errors.ts";
import { REGISTER_WH_MAX } from "../primitives/limits.ts";
import type { UnixSeconds, WattHours } from "../primitives/units.ts";

export const DEVICE_ID_BYTES = 16;
export const KEY_ID_BYTES = 8;
export const SHORT_HASH_BYTES = 8;

/** COSE algorithm identifiers (RFC 9053): EdDSA with Ed25519, ECDSA with P-256 and SHA-256. */
export const COSE_ALGORITHM = { ed25519: -8, p256: -7 } as const;
export type DeviceAlgorithm = keyof typeof COSE_ALGORITHM;

/** OBIS C.D.E as one integer: C*65536 + D*256 + E. */
export const OBIS_IMPORT = 67_584; // 1.8.0, active energy drawn from the grid
export const OBIS_EXPORT = 133_120; // 2.8.0, active energy fed to the grid

export const TIME_STATUS = { unknown: 0, informative: 1, synchronised: 2, relative: 3 } as const;
export const READING_KIND = { live: 0, backfill: 1, event: 2 } as const;

/**
 * What a reading's signer says about it. Evidence of where a value comes from; the registration
 * says whom to believe (`trust` in genesis).
 */
export const READING_FLAG = {
  gatewaySigned: 1, // signed by a gateway: the meter itself cannot
  imported: 2, // from a document of another system, whose own signature was verified
  registerHeld: 4, // the source showed a register that cannot be; it was not believed
  clockReplaced: 8, // the source told no usable time: read by the gateway's own clock
  sourceDoubtful: 16, // the source itself does not call its value good
} as const;

export type Reading = {
  readonly deviceId: Uint8Array; // 16 B: hash of the first public key, never changes
  readonly boot: number; // uint32, +1 per start of the device
  readonly seq: number; // never resets, +1 per signed record
  readonly intervalEndS: UnixSeconds; // on a slot boundary
  readonly intervalS: number; // seconds covered, a whole number of slots
  readonly importWh: WattHours | null; // register 1.8.0 at intervalEndS; null: the meter has none
  readonly exportWh: WattHours | null; // register 2.8.0
  readonly timeStatus: number; // TIME_STATUS
  readonly clockErrorMs: number; // the device's own estimate, may be negative
  readonly flags: number; // bitset, 0 = nothing to report
  readonly kind: number; // READING_KIND
  readonly firmwareHash: Uint8Array; // 8 B
  readonly previousHash: Uint8Array; // 8 B, `recordHash` of the previous record; zeros for none
  /** Registers are whole multiples of 10^n Wh, n from 0 to 3; left out: 0. */
  readonly resolution?: number;
};

export type SignedReading = {
  readonly reading: Reading;
  readonly algorithm: DeviceAlgorithm;
  readonly keyId: Uint8Array; // 8 B
  readonly payload: Uint8Array; // canonical core, what the leaf commits to
  readonly signature: Uint8Array; // 64 B
};

export type DeviceKey = { readonly algorithm: DeviceAlgorithm; readonly secretKey: Uint8Array };

export function devicePublicKey(key: DeviceKey): Uint8Array {
  return key.algorithm === "ed25519"
    ? ed25519PublicKey(key.secretKey)
    : p256PublicKey(key.secretKey);
}

/** First 16 bytes of the hash of the device's first public key. */
export function deviceIdOf(publicKey: Uint8Array): Uint8Array {
  return sha256(publicKey).slice(0, DEVICE_ID_BYTES);
}

/** First 8 bytes of the hash of the current public key. */
export function keyIdOf(publicKey: Uint8Array): Uint8Array {
  return sha256(publicKey).slice(0, KEY_ID_BYTES);
}

/** What the next record's `previousHash` names: the signed core, not the signature. */
export function recordHash(payload: Uint8Array): Uint8Array {
  return sha256(payload).slice(0, SHORT_HASH_BYTES);
}

/** Leaf of a report's readings tree. The salt makes a low-entropy reading unguessable. */
export function readingLeaf({ payload, salt }: { payload: Uint8Array; salt: Uint8Array }) {
  return sha256(concatBytes([Uint8Array.of(0), sha256(payload), sha256(salt)]));
}

export function encodeReadingPayload(reading: Reading): Uint8Array {
  const { resolution = 0 } = reading;
  const registers = new Map<number, CodecValue>();
  const set = (obis: number, energyWh: number | null) => {
    if (energyWh === null) return;
    const step = 10 ** resolution;
    assert(energyWh % step === 0, "a register is a whole number of its steps");
    registers.set(obis, Math.floor(energyWh / step));
  };
  set(OBIS_IMPORT, reading.importWh);
  set(OBIS_EXPORT, reading.exportWh);
  return encode(
    new Map<number, CodecValue>([
      [1, reading.deviceId],
      [2, reading.boot],
      [3, reading.seq],
      [4, reading.intervalEndS],
      [5, reading.intervalS],
      [6, registers],
      [7, reading.timeStatus],
      [8, reading.clockErrorMs],
      [9, reading.flags],
      [10, reading.kind],
      [11, reading.firmwareHash],
      [12, reading.previousHash],
      [13, resolution],
    ]),
  );
}

export function signReading({
  reading,
  networkId,
  key,
}: {
  reading: Reading;
  networkId: string;
  key: DeviceKey;
}): Uint8Array {
  const payload = encodeReadingPayload(reading);
  const message = signedBytes({ algorithm: key.algorithm, networkId, payload });
  const sign = key.algorithm === "ed25519" ? signEd25519 : signP256;
  const signature = sign({ message, secretKey: key.secretKey });
  return encodeEnvelope({
    algorithm: key.algorithm,
    keyId: keyIdOf(devicePublicKey(key)),
    payload,
    signature,
  });
}

export function encodeEnvelope(record: Omit<SignedReading, "reading">): Uint8Array {
  return encode({
    tag: 18,
    value: [
      PROTECTED_HEADER[record.algorithm],
      new Map<number, CodecValue>([[4, record.keyId]]),
      record.payload,
      record.signature,
    ],
  });
}

export function verifyReading({
  record,
  networkId,
  publicKey,
}: {
  record: SignedReading;
  networkId: string;
  publicKey: Uint8Array;
}): boolean {
  const message = signedBytes({ algorithm: record.algorithm, networkId, payload: record.payload });
  const verify = record.algorithm === "ed25519" ? verifyEd25519 : verifyP256;
  return verify({ signature: record.signature, message, publicKey });
}

/** The only two protected headers there are; made once, compared with each reading. */
const PROTECTED_HEADER: Readonly<Record<DeviceAlgorithm, Uint8Array>> = {
  ed25519: encode(new Map<number, CodecValue>([[1, COSE_ALGORITHM.ed25519]])),
  p256: encode(new Map<number, CodecValue>([[1, COSE_ALGORITHM.p256]])),
};

function signedBytes({
  algorithm,
  networkId,
  payload,
}: {
  algorithm: DeviceAlgorithm;
  networkId: string;
  payload: Uint8Array;
}): Uint8Array {
  const externalAad = concatBytes([utf8("gridlane/reading/v1"), utf8(networkId)]);
  return encode(["Signature1", PROTECTED_HEADER[algorithm], externalAad, payload]);
}

/**
 * Reads the one accepted form of a signed reading; does not verify the signature.
 *
 * @throws GridError bytes_malformed naming the field
 */
export function decodeReading(bytes: Uint8Array): SignedReading {
  const envelope = decode(bytes);
  if (!isTagged(envelope) || !Array.isArray(envelope.value) || envelope.value.length !== 4) {
    return fail("COSE_Sign1 envelope");
  }
  const [header, unprotected, payload, signature] = envelope.value as CodecValue[];
  const algorithm = (Object.keys(COSE_ALGORITHM) as DeviceAlgorithm[]).find(
    (name) => header instanceof Uint8Array && bytesEqual(header, PROTECTED_HEADER[name]),
  );
  if (algorithm === undefined) return fail("protected header");
  if (!(unprotected instanceof Map) || unprotected.size !== 1) return fail("unprotected header");
  const keyId = fixedBytes(unprotected.get(4), KEY_ID_BYTES, "key id");
  if (!(payload instanceof Uint8Array)) return fail("payload");
  return {
    reading: decodePayload(payload),
    algorithm,
    keyId,
    payload,
    signature: fixedBytes(signature, 64, "signature"),
  };
}

const PAYLOAD_KEYS = 13;

function decodePayload(payload: Uint8Array): Reading {
  const map = decode(payload);
  if (!(map instanceof Map) || map.size !== PAYLOAD_KEYS) return fail("payload map");
  const registers = map.get(6);
  if (!(registers instanceof Map)) return fail("registers");
  for (const obis of registers.keys()) {
    if (obis !== OBIS_IMPORT && obis !== OBIS_EXPORT) return fail(`register ${obis}`);
  }
  const resolution = uint(map.get(13), 3, "resolution");
  return {
    deviceId: fixedBytes(map.get(1), DEVICE_ID_BYTES, "device id"),
    boot: uint(map.get(2), 0xffff_ffff, "boot"),
    seq: uint(map.get(3), Number.MAX_SAFE_INTEGER, "seq"),
    intervalEndS: uint(map.get(4), 0xff_ffff_ffff, "interval end") as UnixSeconds,
    intervalS: uint(map.get(5), 86_400 * 366, "interval"),
    importWh: register(registers.get(OBIS_IMPORT), resolution, "register 1.8.0"),
    exportWh: register(registers.get(OBIS_EXPORT), resolution, "register 2.8.0"),
    timeStatus: uint(map.get(7), 3, "time status"),
    clockErrorMs: int(map.get(8), 86_400_000, "clock error"),
    flags: uint(map.get(9), 0xffff_ffff, "flags"),
    kind: uint(map.get(10), 2, "kind"),
    firmwareHash: fixedBytes(map.get(11), SHORT_HASH_BYTES, "firmware hash"),
    previousHash: fixedBytes(map.get(12), SHORT_HASH_BYTES, "previous hash"),
    ...(resolution === 0 ? {} : { resolution }),
  };
}

function isTagged(value: CodecValue): value is { tag: number; value: CodecValue } {
  return typeof value === "object" && value !== null && "tag" in value;
}

function register(value: CodecValue | undefined, resolution: number, what: string) {
  if (value === undefined) return null;
  const energyWh = uint(value, REGISTER_WH_MAX, what) * 10 ** resolution;
  if (energyWh > REGISTER_WH_MAX) return fail(what);
  return energyWh as WattHours;
}

function fixedBytes(value: CodecValue | undefined, length: number, what: string): Uint8Array {
  if (!(value instanceof Uint8Array) || value.length !== length) return fail(what);
  return value;
}

function uint(value: CodecValue | undefined, max: number, what: string): number {
  if (typeof value !== "number" || value < 0 || value > max) return fail(what);
  return value;
}

function int(value: CodecValue | undefined, max: number, what: string): number {
  if (typeof value !== "number" || Math.abs(value) > max) return fail(what);
  return value;
}

function fail(what: string): never {
  throw new GridError("bytes_malformed", `not a reading: ${what}`, { what, offset: 0 });
}
