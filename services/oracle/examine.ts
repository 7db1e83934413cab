/**
 * Everything that is asked of a record before its energy counts, in a fixed order of precedence:
 * size, topic, form, device, identity, algorithm and key, signature, repetition, then the V-rules.
 * Reads state, changes none.
 *
 * The broker's idea of who sent something is not trusted: the payload's signature decides, and the
 * topic only has to agree with it.
 */
import { type Judgement, judgeReading } from "../metering/registers.ts";
import { bytesEqual } from "../primitives/bytes.ts";
import { GridError } from "../primitives/errors.ts";
import { READING_BYTES_MAX } from "../primitives/limits.ts";
import type { UnixSeconds } from "../primitives/units.ts";
import { decodeReading, type SignedReading, verifyReading } from "../wire/reading.ts";
import { READING_CODE, type ReadingCode } from "../wire/refusals.ts";
import { parseDeviceTopic } from "../wire/topics.ts";
import type { Meter, Region } from "./region.ts";

export type Arrival = { readonly topic: string; readonly payload: Uint8Array };

/** Who a record says it is from, as far as it could be read. */
export type Sender = {
  readonly region: string; // id, as in the topic
  readonly deviceId: Uint8Array; // of the topic
};

export type Examined = {
  readonly sender: Sender | null; // null: no device topic, so nobody to answer to
  readonly region: Region | null;
  readonly record: SignedReading | null; // null where unreadable
  readonly judgement: Judgement;
  readonly meter: Meter | null; // of an authentic record
};

export type ExamineContext = {
  readonly regions: ReadonlyMap<string, Region>; // by id
  readonly networkId: string;
  readonly nowS: UnixSeconds;
  readonly futureS: number;
};

/** Leaves that carry readings: live and backfill. */
const READING_LEAVES: readonly string[] = ["r", "b"];

export function examine({ topic, payload }: Arrival, context: ExamineContext): Examined {
  const address = parseDeviceTopic(topic);
  const sender = address && { region: address.region, deviceId: address.deviceId };
  const region = (address && context.regions.get(address.region)) ?? null;
  const refused = (code: ReadingCode, record: SignedReading | null = null, facts = {}) => ({
    sender,
    region,
    record,
    judgement: { code, ...facts },
    meter: null,
  });
  if (payload.length > READING_BYTES_MAX) {
    const facts = { measured: payload.length, bound: READING_BYTES_MAX };
    return refused(READING_CODE.oversized, null, facts);
  }
  if (address === null || !READING_LEAVES.includes(address.leaf)) {
    return refused(READING_CODE.topic_mismatched);
  }
  const record = decoded(payload);
  if (record === null) return refused(READING_CODE.malformed);
  const meter = region?.meter(address.deviceId);
  if (region === null || meter === undefined) return refused(READING_CODE.device_unknown, record);
  const code = authenticity(record, meter, context.networkId);
  if (code !== READING_CODE.accepted) return refused(code, record);
  const judgement = judgeReading({
    state: meter.state,
    reading: record.reading,
    meter,
    slotS: region.rules.slotS,
    nowS: context.nowS,
    futureS: context.futureS,
    floorSlot: region.floorSlot,
  });
  return { sender, region, record, judgement, meter };
}

function authenticity(record: SignedReading, meter: Meter, networkId: string): ReadingCode {
  if (!bytesEqual(record.reading.deviceId, meter.deviceId)) return READING_CODE.topic_mismatched;
  const sameKey = bytesEqual(record.keyId, meter.keyId);
  if (record.algorithm !== meter.algorithm || !sameKey) return READING_CODE.algorithm_mismatched;
  const authentic = verifyReading({ record, networkId, publicKey: meter.publicKey });
  return authentic ? READING_CODE.accepted : READING_CODE.signature_invalid;
}

function decoded(payload: Uint8Array): SignedReading | null {
  try {
    return decodeReading(payload);
  } catch (error) {
    if (error instanceof GridError) return null;
    throw error;
  }
}
