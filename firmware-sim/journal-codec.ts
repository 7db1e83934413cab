/**
 * Keys and values of the journal's database, all in one place.
 *
 * | key | value |
 * | --- | --- |
 * | `fleet` | [version, next slot] |
 * | `meter/<device>` | the meter's state |
 * | `record/<device>/<seq>` | an unreceipted record: [slot, 0 unsigned or 1 signed, bytes] |
 * | `refused/<device>/<seq>` | [slot, code, receipt time, bytes] |
 * | `count/<device>` | refusals so far: {code: count} |
 *
 * Sequence numbers are 14 hexadecimal digits (2^53), so keys sort as records were written.
 */
import { type CodecValue, decode, encode } from "../services/primitives/codec.ts";
import { assert } from "../services/primitives/errors.ts";
import type { MeterState } from "./meter.ts";

export const JOURNAL_VERSION = 1;
export const FLEET_KEY = "fleet";
export const METER_PREFIX = "meter/";
export const RECORD_PREFIX = "record/";
export const REFUSED_PREFIX = "refused/";
export const COUNT_PREFIX = "count/";

export type StoredRecord = {
  readonly slot: number;
  readonly signed: boolean;
  readonly bytes: Uint8Array;
};
export type RefusedRecord = {
  readonly slot: number;
  readonly code: number; // READING_CODE
  readonly timeS: number; // of the receipt
  readonly bytes: Uint8Array;
};

export function sequenceKey(prefix: string, device: string, seq: number): string {
  return `${prefix}${device}/${seq.toString(16).padStart(14, "0")}`;
}

/** Device and sequence number of a key that `sequenceKey` made. */
export function parseSequenceKey(prefix: string, key: string): { device: string; seq: number } {
  const [device, seq] = key.slice(prefix.length).split("/");
  return { device: device!, seq: Number.parseInt(seq!, 16) };
}

/** All keys that begin with `prefix`, which ends in "/"; "0" is the next character. */
export function rangeOf(prefix: string): { gt: string; lt: string } {
  return { gt: prefix, lt: `${prefix.slice(0, -1)}0` };
}

export function encodeFleet(nextSlot: number): Uint8Array {
  return encode([JOURNAL_VERSION, nextSlot]);
}

export function decodeFleet(bytes: Uint8Array): { version: number; nextSlot: number } {
  const [version, nextSlot] = tuple(bytes, 2) as [number, number];
  return { version, nextSlot };
}

export function encodeMeter(state: MeterState): Uint8Array {
  return encode([
    state.boot,
    state.seq,
    state.importWh,
    state.exportWh,
    state.previousHash,
    state.openSlot,
    state.nextSlot,
  ]);
}

export function decodeMeter(bytes: Uint8Array): MeterState {
  const fields = tuple(bytes, 7);
  return {
    boot: fields[0] as number,
    seq: fields[1] as number,
    importWh: fields[2] as number | null,
    exportWh: fields[3] as number | null,
    previousHash: Uint8Array.from(fields[4] as Uint8Array),
    openSlot: fields[5] as number,
    nextSlot: fields[6] as number,
  };
}

export function encodeRecord(record: StoredRecord): Uint8Array {
  return encode([record.slot, record.signed ? 1 : 0, record.bytes]);
}

export function decodeRecord(value: Uint8Array): StoredRecord {
  const [slot, signed, bytes] = tuple(value, 3) as [number, number, Uint8Array];
  return { slot, signed: signed === 1, bytes: Uint8Array.from(bytes) };
}

export function encodeRefused(record: RefusedRecord): Uint8Array {
  return encode([record.slot, record.code, record.timeS, record.bytes]);
}

export function decodeRefused(value: Uint8Array): RefusedRecord {
  const [slot, code, timeS, bytes] = tuple(value, 4) as [number, number, number, Uint8Array];
  return { slot, code, timeS, bytes: Uint8Array.from(bytes) };
}

export function encodeCounts(counts: ReadonlyMap<number, number>): Uint8Array {
  return encode(counts);
}

export function decodeCounts(value: Uint8Array): Map<number, number> {
  const counts = decode(value);
  assert(counts instanceof Map, "refusal counts are a map");
  return new Map(counts as Map<number, number>);
}

function tuple(bytes: Uint8Array, length: number): readonly CodecValue[] {
  const fields = decode(bytes);
  assert(Array.isArray(fields) && fields.length === length, "a journal value has its fields");
  return fields;
}
