/**
 * Every key of the application's store, built here and nowhere else. Safe because no family is a
 * prefix of another and numbers have a fixed width, so bytewise order is numeric order.
 *
 * State (handed back to `createApplication`): head, lane, forward, admission, pending, and change:
 * what changed of a record of these since it was last written whole (`change-records.ts`). History
 * (read by those who want it, never by execution): slot, proof.
 */
import { assert } from "../primitives/errors.ts";
import { CHANGES_PER_RECORD_MAX, REGIONS_MAX } from "../primitives/limits.ts";
import type { Slot } from "../primitives/units.ts";

const FAMILY = {
  head: "head/",
  lane: "lane/",
  forward: "forward/",
  admission: "admission/",
  pending: "pending/",
  change: "change/",
  slot: "slot/",
  proof: "proof/",
} as const;
const STATE = [
  FAMILY.head,
  FAMILY.lane,
  FAMILY.forward,
  FAMILY.admission,
  FAMILY.pending,
  FAMILY.change,
];

const REGION_DIGITS = 4;
const SLOT_DIGITS = 16;
const CHANGE_DIGITS = 3;

/** Height, time, app hash and slots cleared of the last commit. */
export const HEAD_KEY = `${FAMILY.head}last`;

/** A region's columns. */
export function laneKey(regionIndex: number): string {
  return FAMILY.lane + region(regionIndex);
}

/** A region's forward market: open orders, positions, flows. */
export function forwardKey(regionIndex: number): string {
  return FAMILY.forward + region(regionIndex);
}

/** Nonces of a region's members. */
export function admissionKey(regionIndex: number): string {
  return FAMILY.admission + region(regionIndex);
}

/** A report on the chain whose slot has not cleared yet. */
export function pendingKey(regionIndex: number, slot: Slot): string {
  return `${FAMILY.pending}${region(regionIndex)}/${slotDigits(slot)}`;
}

/** The change of a record since it was last written whole, from 1. */
export function changeKey(key: string, number: number): string {
  assert(number >= 1 && number <= CHANGES_PER_RECORD_MAX, "a change's number");
  return `${FAMILY.change}${key}/${String(number).padStart(CHANGE_DIGITS, "0")}`;
}

/** Which record a change is of, and its number, or null. */
export function changeOf(key: string): { readonly key: string; readonly number: number } | null {
  const match = /^change\/(.+)\/(\d{3})$/.exec(key);
  return match === null ? null : { key: match[1]!, number: Number(match[2]) };
}

/** An encoded SlotRecord (`wire/slot-record.ts`), not sealed: it is also what others read. */
export function slotKey(regionIndex: number, slot: Slot): string {
  return `${FAMILY.slot}${region(regionIndex)}/${slotDigits(slot)}`;
}

/** A sealed ReceiptsPath (`proofs.ts`): how a slot's receipts root stands in the app hash. */
export function proofKey(regionIndex: number, slot: Slot): string {
  return `${FAMILY.proof}${region(regionIndex)}/${slotDigits(slot)}`;
}

/** Half-open range of keys. */
export type KeyRange = { readonly gte: string; readonly lt: string };

/** Slot records of a region with slots in [fromSlot, toSlot]. */
export function slotKeys(
  regionIndex: number,
  slots: { readonly fromSlot: Slot; readonly toSlot: Slot },
): KeyRange {
  const from = slotKey(regionIndex, slots.fromSlot);
  // "~" is above every digit.
  return { gte: from, lt: `${slotKey(regionIndex, slots.toSlot)}~` };
}

/** Whether `createApplication` wants the record of this key. */
export function isStateKey(key: string): boolean {
  return STATE.some((family) => key.startsWith(family));
}

/** All families of keys that `createApplication` wants, as ranges. */
export const STATE_KEYS: readonly KeyRange[] = STATE.map((family) => ({
  gte: family,
  lt: `${family.slice(0, -1)}0`, // "0" is the character after "/"
}));

/** Region and slot in the key of a pending report, or null. */
export function pendingOf(key: string): { regionIndex: number; slot: Slot } | null {
  const match = /^pending\/(\d{4})\/(\d{16})$/.exec(key);
  if (match === null) return null;
  return { regionIndex: Number(match[1]), slot: Number(match[2]) as Slot };
}

/** What a key names, or null for none of ours: `slot` is null in the families that have none. */
export function placeOfKey(key: string): {
  readonly family: "lane" | "admission" | "pending" | "slot" | "proof";
  readonly regionIndex: number;
  readonly slot: Slot | null;
} | null {
  const match =
    /^(lane|admission)\/(\d{4})$/.exec(key) ??
    /^(pending|slot|proof)\/(\d{4})\/(\d{16})$/.exec(key);
  if (match === null) return null;
  const family = match[1] as "lane" | "admission" | "pending" | "slot" | "proof";
  const slot = match[3] === undefined ? null : (Number(match[3]) as Slot);
  return { family, regionIndex: Number(match[2]), slot };
}

function region(index: number): string {
  assert(Number.isSafeInteger(index) && index >= 0 && index < REGIONS_MAX, "a region's index");
  return String(index).padStart(REGION_DIGITS, "0");
}

function slotDigits(slot: Slot): string {
  assert(Number.isSafeInteger(slot) && slot >= 0, "a slot is a whole number");
  return String(slot).padStart(SLOT_DIGITS, "0");
}

const families = Object.values(FAMILY);
assert(
  families.every((a) => families.every((b) => a === b || !a.startsWith(b))),
  "key families must be prefix-free",
);
assert(REGIONS_MAX <= 10 ** REGION_DIGITS, "every region's index must fit its digits");
assert(CHANGES_PER_RECORD_MAX < 10 ** CHANGE_DIGITS, "every change's number must fit its digits");
