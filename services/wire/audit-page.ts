/**
 * What an auditor reads of a chain, page by page, and the bytes of each page on its way from
 * somebody else's node. Entries are bytes as they are stored, so nothing is lost between the store
 * and the auditor, and a lie in a store stays the same lie.
 *
 * Safe because the reader of a page bounds the number of values before it makes any, and checks
 * every one: a hostile page costs no more than its own size.
 */
import { type CodecValue, decode, encode } from "../primitives/codec.ts";
import { GridError } from "../primitives/errors.ts";
import {
  AUDIT_BLOCKS_PER_PAGE_MAX,
  AUDIT_KEY_CHARACTERS_MAX,
  AUDIT_KEYS_PER_PAGE_MAX,
  AUDIT_RECORDS_PER_PAGE_MAX,
} from "../primitives/limits.ts";
import type { UnixSeconds } from "../primitives/units.ts";

/** What the engine last committed. */
export type CommittedState = {
  readonly height: number; // 0: genesis
  readonly timeS: UnixSeconds;
  readonly appHash: Uint8Array; // after `height`
};

export type AuditHead = {
  readonly genesisHash: Uint8Array; // 32 B
  readonly base: number; // lowest stored block
  readonly blocks: number; // highest stored block, 0 for none; at most one above the state's
  readonly state: CommittedState | null; // null before the first start
};

/** One block, as stored. */
export type BlockBytes = {
  readonly header: Uint8Array; // with its signature
  readonly body: Uint8Array; // the transactions
  readonly response: Uint8Array | null; // null: not executed yet
};

/** Keys in rising order, all from one instant. */
export type KeyPage = {
  readonly height: number; // of that instant
  readonly keys: readonly string[]; // of the application's records
  readonly strays: readonly string[]; // that no block accounts for, beside the application's
  readonly next: string | null; // where the following page goes on; null: this is the last
};

export type StateRecord = { readonly key: string; readonly value: Uint8Array };

/** Records of the state in rising order of their keys, all from one instant. */
export type StatePage = {
  readonly state: CommittedState | null; // at that instant
  readonly records: readonly StateRecord[];
  readonly next: string | null;
};

/** Keys that nobody of ours wrote may be longer than ours. */
const ANY_KEY_CHARACTERS_MAX = 16 * AUDIT_KEY_CHARACTERS_MAX;

export function encodeAuditHead({ genesisHash, base, blocks, state }: AuditHead): Uint8Array {
  return encode([genesisHash, base, blocks, stateFields(state)]);
}

/** @throws GridError bytes_malformed, as all readers of pages */
export function decodeAuditHead(bytes: Uint8Array): AuditHead {
  const [genesisHash, base, blocks, state] = fieldsOf(bytes, { count: 4, itemsMax: 8 });
  return {
    genesisHash: hash(genesisHash, "genesis hash"),
    base: whole(base, "base"),
    blocks: whole(blocks, "blocks"),
    state: readState(state),
  };
}

export function encodeBlockPage(blocks: readonly BlockBytes[]): Uint8Array {
  return encode(blocks.map(({ header, body, response }) => [header, body, response]));
}

export function decodeBlockPage(bytes: Uint8Array): BlockBytes[] {
  const blocks = list(decode(bytes, 1 + 4 * AUDIT_BLOCKS_PER_PAGE_MAX), "page of blocks");
  return blocks.map((item) => {
    const [header, body, response] = fields(item, 3, "block");
    return {
      header: bytesOf(header, "header"),
      body: bytesOf(body, "body"),
      response: response === null ? null : bytesOf(response, "response"),
    };
  });
}

export function encodeRecordPage(records: readonly (Uint8Array | null)[]): Uint8Array {
  return encode(records);
}

export function decodeRecordPage(bytes: Uint8Array): (Uint8Array | null)[] {
  const records = list(decode(bytes, 1 + AUDIT_RECORDS_PER_PAGE_MAX), "page of records");
  return records.map((record) => (record === null ? null : bytesOf(record, "record")));
}

export function encodeKeyPage({ height, keys, strays, next }: KeyPage): Uint8Array {
  return encode([height, keys, strays, next]);
}

export function decodeKeyPage(bytes: Uint8Array): KeyPage {
  const itemsMax = 5 + AUDIT_KEYS_PER_PAGE_MAX;
  const [height, keys, strays, next] = fieldsOf(bytes, { count: 4, itemsMax });
  return {
    height: whole(height, "height"),
    keys: list(keys, "keys").map((key) => text(key, "key")),
    strays: list(strays, "strays").map((key) => text(key, "stray key")),
    next: next === null ? null : text(next, "next"),
  };
}

export function encodeStatePage({ state, records, next }: StatePage): Uint8Array {
  return encode([stateFields(state), records.map(({ key, value }) => [key, value]), next]);
}

export function decodeStatePage(bytes: Uint8Array): StatePage {
  const itemsMax = 8 + 3 * AUDIT_RECORDS_PER_PAGE_MAX;
  const [state, records, next] = fieldsOf(bytes, { count: 3, itemsMax });
  return {
    state: readState(state),
    records: list(records, "records").map((record) => {
      const [key, value] = fields(record, 2, "record");
      return { key: text(key, "key"), value: bytesOf(value, "value") };
    }),
    next: next === null ? null : text(next, "next"),
  };
}

function stateFields(state: CommittedState | null): CodecValue {
  return state === null ? null : [state.height, state.timeS, state.appHash];
}

function readState(value: CodecValue | undefined): CommittedState | null {
  if (value === null) return null;
  const [height, timeS, appHash] = fields(value, 3, "state");
  return {
    height: whole(height, "height"),
    timeS: whole(timeS, "time") as UnixSeconds,
    appHash: hash(appHash, "app hash"),
  };
}

function fieldsOf(bytes: Uint8Array, form: { count: number; itemsMax: number }): CodecValue[] {
  return fields(decode(bytes, form.itemsMax), form.count, "page");
}

function fields(value: CodecValue | undefined, count: number, what: string): CodecValue[] {
  const items = list(value, what);
  return items.length === count ? items : fail(what);
}

function list(value: CodecValue | undefined, what: string): CodecValue[] {
  return Array.isArray(value) ? (value as CodecValue[]) : fail(what);
}

function whole(value: CodecValue | undefined, what: string): number {
  return typeof value === "number" && value >= 0 ? value : fail(what);
}

function text(value: CodecValue | undefined, what: string): string {
  const fits = typeof value === "string" && value.length <= ANY_KEY_CHARACTERS_MAX;
  return fits ? value : fail(what);
}

function hash(value: CodecValue | undefined, what: string): Uint8Array {
  return value instanceof Uint8Array && value.length === 32 ? value : fail(what);
}

function bytesOf(value: CodecValue | undefined, what: string): Uint8Array {
  return value instanceof Uint8Array ? value : fail(what);
}

function fail(what: string): never {
  throw new GridError("bytes_malformed", `not a page of an audit: ${what}`, { what, offset: 0 });
}
