/**
 * Faults that meters, links and forgers put into a stream of records, as data: a fault says what
 * follows a record on the wire, and whether the record itself is lost. `fault-injector.ts` applies
 * a plan of them.
 *
 * Each fault breaks one rule of the oracle and no other, so its code in `expects` is the test.
 * What is forged beside a record takes the next sequence number, since a refused record takes
 * none.
 */
import { concatBytes } from "../services/primitives/bytes.ts";
import { READING_BYTES_MAX, READING_FUTURE_S_MAX } from "../services/primitives/limits.ts";
import type { Prng } from "../services/primitives/prng.ts";
import { unixSeconds, wattHours } from "../services/primitives/units.ts";
import {
  type DeviceKey,
  decodeReading,
  deviceIdOf,
  devicePublicKey,
  encodeEnvelope,
  encodeReadingPayload,
  type Reading,
  recordHash,
  signReading,
} from "../services/wire/reading.ts";
import type { ReadingCodeName } from "../services/wire/refusals.ts";
import type { Device } from "./provision.ts";

export type FaultName =
  | "duplicate"
  | "replay"
  | "future-time"
  | "wrong-signature"
  | "malformed"
  | "oversized"
  | "unknown-device"
  | "borrowed-topic"
  | "register-decrease"
  | "gap";

export type FaultyRecord = {
  readonly deviceId: Uint8Array; // of the topic it goes out on
  readonly bytes: Uint8Array;
  readonly fault: FaultName | null; // null: genuine
};

export type FaultContext = {
  readonly device: Device;
  readonly reading: Reading; // of the record at hand
  readonly bytes: Uint8Array;
  readonly history: readonly Uint8Array[]; // earlier genuine records, oldest first
  readonly networkId: string;
  readonly prng: Prng;
};

export type Fault = {
  readonly name: FaultName;
  readonly summary: string;
  /** Codes of the receipt for what the fault adds; empty where it adds nothing. */
  readonly expects: readonly ReadingCodeName[];
  /** What follows the record. Empty if the record at hand gives no occasion. */
  readonly adds: (context: FaultContext) => readonly Omit<FaultyRecord, "fault">[];
  readonly record: "kept" | "lost";
  /** A device's own connection may publish it: its topic is the device's. */
  readonly travels: "broker" | "direct";
};

export const FAULTS: readonly Fault[] = [
  {
    name: "duplicate",
    summary: "the record twice, as QoS 1 allows",
    expects: ["accepted"],
    adds: ({ device, bytes }) => [{ deviceId: device.deviceId, bytes }],
    record: "kept",
    travels: "broker",
  },
  {
    name: "replay",
    summary: "an old record of the same meter again",
    expects: ["accepted", "sequence_replayed", "time_stale"],
    adds: ({ device, history, prng }) =>
      history.length === 0
        ? []
        : [{ deviceId: device.deviceId, bytes: history[prng.below(history.length)]! }],
    record: "kept",
    travels: "broker",
  },
  {
    name: "future-time",
    summary: "a record that ends a week ahead",
    expects: ["time_in_future"],
    adds: (context) => [
      forge(context, (next) => ({
        ...next,
        intervalEndS: unixSeconds(
          next.intervalEndS +
            Math.ceil((READING_FUTURE_S_MAX + 604_800) / next.intervalS) * next.intervalS,
        ),
      })),
    ],
    record: "kept",
    travels: "broker",
  },
  {
    name: "wrong-signature",
    summary: "a record whose signature does not hold",
    expects: ["signature_invalid"],
    adds: (context) => {
      const forged = decodeReading(forge(context, (next) => next).bytes);
      const signature = forged.signature.slice();
      signature[0]! ^= 1;
      return [
        { deviceId: context.device.deviceId, bytes: encodeEnvelope({ ...forged, signature }) },
      ];
    },
    record: "kept",
    travels: "broker",
  },
  {
    name: "malformed",
    summary: "the record without its last byte",
    expects: ["malformed"],
    adds: ({ device, bytes }) => [{ deviceId: device.deviceId, bytes: bytes.slice(0, -1) }],
    record: "kept",
    travels: "broker",
  },
  {
    name: "oversized",
    summary: "more bytes than a reading may have",
    expects: ["oversized"],
    adds: ({ device, bytes }) => {
      const padding = new Uint8Array(READING_BYTES_MAX + 1 - bytes.length);
      return [{ deviceId: device.deviceId, bytes: concatBytes([bytes, padding]) }];
    },
    record: "kept",
    travels: "broker",
  },
  {
    name: "unknown-device",
    summary: "a well-signed record of a meter that nobody registered, on its own topic",
    expects: ["device_unknown"],
    adds: ({ reading, networkId, prng }) => {
      const stranger = signAsStranger({ reading, networkId, prng });
      return [{ deviceId: stranger.deviceId, bytes: stranger.bytes }];
    },
    record: "kept",
    travels: "direct", // the broker's access rules stop it before the oracle sees it
  },
  {
    name: "borrowed-topic",
    summary: "a well-signed record of another device on this device's topic",
    expects: ["topic_mismatched"],
    adds: ({ device, reading, networkId, prng }) => [
      {
        deviceId: device.deviceId,
        bytes: signAsStranger({ reading, networkId, prng }).bytes,
      },
    ],
    record: "kept",
    travels: "broker",
  },
  {
    name: "register-decrease",
    summary: "a record whose registers fell back",
    expects: ["register_decreased"],
    adds: (context) => {
      const { importWh, exportWh } = context.reading;
      if ((importWh ?? 0) + (exportWh ?? 0) === 0) return [];
      const lower = (registerWh: number | null) =>
        registerWh === null ? null : wattHours(Math.floor(registerWh / 2));
      const fallen = { importWh: lower(importWh), exportWh: lower(exportWh) };
      return [forge(context, (next) => ({ ...next, ...fallen }))];
    },
    record: "kept",
    travels: "broker",
  },
  {
    name: "gap",
    summary: "the meter numbers and signs the record, and loses it",
    expects: [],
    adds: () => [],
    record: "lost",
    travels: "broker",
  },
];

/** Signs what the device would say next, changed by `change`. */
function forge(
  { device, reading, networkId }: FaultContext,
  change: (next: Reading) => Reading,
): { deviceId: Uint8Array; bytes: Uint8Array } {
  const next = change({
    ...reading,
    seq: reading.seq + 1,
    previousHash: recordHash(encodeReadingPayload(reading)),
  });
  const bytes = signReading({ reading: next, networkId, key: device.key });
  return { deviceId: device.deviceId, bytes };
}

function signAsStranger({
  reading,
  networkId,
  prng,
}: {
  reading: Reading;
  networkId: string;
  prng: Prng;
}): { deviceId: Uint8Array; bytes: Uint8Array } {
  const secretKey = Uint8Array.from({ length: 32 }, () => prng.below(256));
  const key: DeviceKey = { algorithm: "ed25519", secretKey };
  const deviceId = deviceIdOf(devicePublicKey(key));
  return { deviceId, bytes: signReading({ reading: { ...reading, deviceId }, networkId, key }) };
}
