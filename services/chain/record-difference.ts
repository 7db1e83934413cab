/**
 * Where two versions of one stored record differ, named as a person would name it: the field, what
 * is stored and what was computed. For auditors: execution never asks.
 *
 * Safe because bytes are compared first: a difference that no field shows is still a difference.
 */
import { bytesEqual, toHex } from "../primitives/bytes.ts";
import type { CodecValue } from "../primitives/codec.ts";
import { GridError } from "../primitives/errors.ts";
import type { Genesis } from "../wire/genesis.ts";
import { decodeReport } from "../wire/report.ts";
import { decodeSlotRecord } from "../wire/slot-record.ts";
import { laneSize } from "./lane.ts";
import { laneBytes, laneColumns } from "./lane-columns.ts";
import { openRecord } from "./sealed-record.ts";
import { HEAD_KEY, placeOfKey } from "./store-keys.ts";

/** Values as text; `(absent)` where one side has none. */
export type Difference = {
  readonly field: string; // e.g. `bills[3].amountUc`
  readonly stored: string;
  readonly computed: string;
};

const ABSENT = "(absent)";
const WHOLE = "(whole record)";
const HEAD_FIELDS = ["genesisHash", "height", "timeS", "appHash"];
/** Longer byte strings are columns: they are compared element by element. */
const HASH_BYTES_MAX = 64;

/** @returns null where the two are the same bytes */
export function recordDifference(
  genesis: Genesis,
  record: {
    readonly key: string; // `store-keys.ts`
    readonly stored: Uint8Array | null;
    readonly computed: Uint8Array | null;
  },
): Difference | null {
  const { key, stored, computed } = record;
  if (stored === null && computed === null) return null;
  if (stored === null || computed === null) {
    return { field: WHOLE, stored: bytesText(stored), computed: bytesText(computed) };
  }
  if (bytesEqual(stored, computed)) return null;
  let form: unknown;
  try {
    form = readRecord(genesis, key, stored);
  } catch (failure) {
    if (!(failure instanceof GridError)) throw failure;
    return { field: WHOLE, stored: failure.message, computed: bytesText(computed) };
  }
  const found = valueDifference("", form, readRecord(genesis, key, computed));
  return found ?? { field: WHOLE, stored: bytesText(stored), computed: bytesText(computed) };
}

/** A record's fields by name. */
function readRecord(genesis: Genesis, key: string, bytes: Uint8Array): unknown {
  const place = placeOfKey(key);
  if (place?.family === "slot") return readSlotRecord(bytes);
  const value = openRecord(key, bytes);
  if (key === HEAD_KEY) return named(HEAD_FIELDS, value);
  if (place?.family === "lane") return readLane(genesis, place.regionIndex, value);
  if (place?.family === "pending" && value instanceof Uint8Array) return decodeReport(value);
  if (place?.family === "proof") return named(["slotIndex", "nodes"], value);
  if (place?.family === "admission") return { nonces: value };
  return value;
}

/** Another form inside intact bytes makes the reader of a slot record fail in its own ways. */
function readSlotRecord(bytes: Uint8Array): unknown {
  try {
    const record = decodeSlotRecord(bytes);
    return { ...record, bills: [...record.bills] };
  } catch (failure) {
    if (failure instanceof GridError) throw failure;
    throw new GridError("bytes_malformed", `not a slot record: ${String(failure)}`, {
      what: "slot record",
      offset: 0,
    });
  }
}

function readLane(genesis: Genesis, regionIndex: number, value: CodecValue): unknown {
  if (!(value instanceof Uint8Array) || regionIndex >= genesis.regions.length) return value;
  const size = laneSize(genesis, regionIndex);
  if (value.length !== laneBytes(size)) return value;
  const memory = new SharedArrayBuffer(value.length);
  new Uint8Array(memory).set(value);
  const { memory: _, ...columns } = laneColumns(memory, size);
  return columns;
}

function named(names: readonly string[], value: CodecValue): unknown {
  if (!Array.isArray(value) || value.length !== names.length) return value;
  return Object.fromEntries(names.map((name, i) => [name, value[i]]));
}

/** The first place where two values differ, depth first in the order of fields. */
export function valueDifference(path: string, a: unknown, b: unknown): Difference | null {
  if (isList(a) && isList(b)) {
    if (!(a instanceof Uint8Array) || a.length > HASH_BYTES_MAX || a.length !== b.length) {
      return listDifference(path, a, b);
    }
  } else if (isFields(a) && isFields(b)) {
    for (const name of new Set([...Object.keys(a), ...Object.keys(b)])) {
      const below = valueDifference(path === "" ? name : `${path}.${name}`, a[name], b[name]);
      if (below !== null) return below;
    }
    return null;
  }
  const [stored, computed] = [valueText(a), valueText(b)];
  return stored === computed ? null : { field: path === "" ? WHOLE : path, stored, computed };
}

type List = ArrayLike<unknown>;

function listDifference(path: string, a: List, b: List): Difference | null {
  const count = Math.max(a.length, b.length);
  for (let i = 0; i < count; i++) {
    const below = valueDifference(`${path}[${i}]`, a[i], b[i]);
    if (below !== null) return below;
  }
  return null;
}

function isList(value: unknown): value is List {
  return Array.isArray(value) || (ArrayBuffer.isView(value) && !(value instanceof DataView));
}

function isFields(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !isList(value);
}

/** One value as text. Lists and records of different kinds are told apart by their JSON. */
export function valueText(value: unknown): string {
  if (value === undefined) return ABSENT;
  if (value instanceof Uint8Array) return bytesText(value);
  if (typeof value === "string") return value;
  if (typeof value !== "object" || value === null) return String(value);
  return JSON.stringify(value, (_, item: unknown) => {
    if (typeof item === "bigint") return item.toString();
    return item instanceof Uint8Array ? toHex(item) : item;
  });
}

function bytesText(bytes: Uint8Array | null): string {
  if (bytes === null) return ABSENT;
  if (bytes.length <= HASH_BYTES_MAX) return toHex(bytes);
  return `${toHex(bytes.subarray(0, HASH_BYTES_MAX))}... (${bytes.length} bytes)`;
}
