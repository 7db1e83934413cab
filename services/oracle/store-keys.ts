/**
 * Every key of the oracle's store. Fixed-width lower-case hexadecimal, so that keys sort as their
 * numbers do and no key is the prefix of another one of its table.
 */
import { toHex } from "../primitives/bytes.ts";

/** One sublevel each. Renaming one orphans its rows. */
export const TABLES = [
  "meta", // "genesis": hash of the genesis this store belongs to
  "region", // cursor of the region's reports
  "device", // running state of each meter
  "reading", // accepted records with their salt: what erasure deletes
  "receipt", // receipt of each accepted record, by (device, boot, seq)
  "refused", // receipt of each refused record that is logged, by record hash
  "late", // energy found after its slot was reported, until a report carries it
  "report", // own signed statements, as transactions
  "leaves", // salted leaves behind each own report: they outlive the readings they hide
  "refusal", // log rows
  "refusals", // counters by code
] as const;
export type Table = (typeof TABLES)[number];

/** Stands for "no region of this network" where a refused record names none. */
export const NO_REGION = 0xffff;

const hex = (value: number, width: number) => value.toString(16).padStart(width, "0");

export const GENESIS_KEY = "genesis";
export const regionKey = (regionIndex: number) => hex(regionIndex, 4);
export const deviceKey = (deviceId: Uint8Array) => toHex(deviceId);
export const recordKey = (recordHash: Uint8Array) => toHex(recordHash);

/** Readings, late energy: by region, slot (a reading's last one) and meter. */
export function meterSlotKey(at: {
  readonly regionIndex: number;
  readonly slot: number;
  readonly meterIndex: number;
}): string {
  return `${slotKey(at)}/${hex(at.meterIndex, 4)}`;
}

/** Reports and their leaves; and the lower bound of a slot's rows in `reading` and `late`. */
export function slotKey(at: { readonly regionIndex: number; readonly slot: number }): string {
  return `${hex(at.regionIndex, 4)}/${hex(at.slot, 10)}`;
}

export function slotOfKey(key: string): { readonly slot: number; readonly meterIndex: number } {
  const [, slot, meter] = key.split("/");
  return {
    slot: Number.parseInt(slot ?? "", 16),
    meterIndex: Number.parseInt(meter ?? "0", 16),
  };
}

export function sequenceKey(record: {
  readonly deviceId: Uint8Array;
  readonly boot: number;
  readonly seq: number;
}): string {
  return `${toHex(record.deviceId)}/${hex(record.boot, 8)}/${hex(record.seq, 14)}`;
}

/** Counters of one region and market day; and the lower bound of that day's log rows. */
export function dayKey(at: { readonly regionIndex: number; readonly day: number }): string {
  return `${hex(at.regionIndex, 4)}/${hex(at.day, 6)}`;
}

export function refusalKey(at: {
  readonly regionIndex: number;
  readonly day: number;
  readonly counter: number;
}): string {
  return `${dayKey(at)}/${hex(at.counter, 8)}`;
}

/** Above every key that begins with `prefix`: "~" sorts after "/" and every digit. */
export const after = (prefix: string) => `${prefix}/~`;
