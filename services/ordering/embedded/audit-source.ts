/**
 * A block store as an auditor reads it, of a stopped node or of a running one: stored bytes, page
 * by page. Writes nothing; a running node's blocks go on meanwhile.
 */
import type { AuditSource } from "../../chain/audit-source.ts";
import { STATE_KEYS } from "../../chain/store-keys.ts";
import { decode } from "../../primitives/codec.ts";
import {
  AUDIT_BLOCKS_PER_PAGE_MAX,
  AUDIT_KEYS_PER_PAGE_MAX,
  AUDIT_PAGE_BYTES_MAX,
  AUDIT_RECORDS_PER_PAGE_MAX,
} from "../../primitives/limits.ts";
import type { BlockBytes, StateRecord } from "../../wire/audit-page.ts";
import type { BlockStore } from "./block-store.ts";
import { decodeState } from "./engine-records.ts";
import {
  APPLICATION,
  applicationKey,
  applicationPart,
  BASE_KEY,
  BLOCK_HEIGHT_KEY,
  bodyKey,
  ENGINE_STATE_KEY,
  EVERYTHING,
  FIRST_HEADER_KEY,
  headerKey,
  heightOf,
  IMPORT_KEY,
  META_KEY,
  REBUILD_KEY,
  responseKey,
} from "./keys.ts";
import type { LevelView } from "./sealed-level.ts";
import { corrupt } from "./store-errors.ts";

const SINGLE_KEYS = [
  ...[META_KEY, BLOCK_HEIGHT_KEY, BASE_KEY, FIRST_HEADER_KEY],
  ...[ENGINE_STATE_KEY, REBUILD_KEY, IMPORT_KEY],
];
/** The application's state in the order of its keys. */
const STATE_RANGES = STATE_KEYS.map(({ gte, lt }) => ({
  gte: applicationKey(gte),
  lt: applicationKey(lt),
})).sort((a, b) => (a.gte < b.gte ? -1 : 1));

export function createStoreAuditSource(store: BlockStore): AuditSource {
  return {
    name: store.directory,
    head: () =>
      store.atOneInstant(async (view) => ({
        genesisHash: store.genesisHash ?? new Uint8Array(32),
        base: await numberAt(view, BASE_KEY, 1),
        blocks: await numberAt(view, BLOCK_HEIGHT_KEY, 0),
        state: await stateAt(view),
      })),
    blocks: ({ fromHeight, toHeight }) =>
      store.atOneInstant((view) => readBlocks(store, view, { fromHeight, toHeight })),
    records: (keys) => store.atOneInstant((view) => readRecords(view, keys)),
    keys: (after) => store.atOneInstant((view) => readKeys(view, after)),
    state: (after) =>
      store.atOneInstant(async (view) => ({
        state: await stateAt(view),
        ...(await readState(store, view, after)),
      })),
  };
}

async function numberAt(view: LevelView, key: string, absent: number): Promise<number> {
  const value = await view.get(key);
  return value === null ? absent : (decode(value) as number); // opening found it to be one
}

async function stateAt(view: LevelView) {
  const value = await view.get(ENGINE_STATE_KEY);
  return value === null ? null : decodeState(value);
}

async function readBlocks(
  store: BlockStore,
  view: LevelView,
  range: { readonly fromHeight: number; readonly toHeight: number },
): Promise<BlockBytes[]> {
  const highest = await numberAt(view, BLOCK_HEIGHT_KEY, 0);
  const last = Math.min(range.toHeight, highest, range.fromHeight + AUDIT_BLOCKS_PER_PAGE_MAX - 1);
  const blocks: BlockBytes[] = [];
  let bytes = 0;
  for (let height = range.fromHeight; height <= last && bytes < AUDIT_PAGE_BYTES_MAX; height++) {
    const header = await view.get(headerKey(height));
    const body = await view.get(bodyKey(height));
    if (header === null) throw corrupt(store.directory, `block ${height} is missing`);
    if (body === null) throw corrupt(store.directory, `body of block ${height} is missing`);
    const response = await view.get(responseKey(height));
    blocks.push({ header, body, response });
    bytes += header.length + body.length + (response?.length ?? 0);
  }
  return blocks;
}

async function readRecords(
  view: LevelView,
  keys: readonly string[],
): Promise<(Uint8Array | null)[]> {
  const records: (Uint8Array | null)[] = [];
  let bytes = 0;
  for (const key of keys.slice(0, AUDIT_RECORDS_PER_PAGE_MAX)) {
    if (bytes >= AUDIT_PAGE_BYTES_MAX) break;
    const record = await view.get(applicationKey(key));
    records.push(record);
    bytes += record?.length ?? 0;
  }
  return records;
}

/** The cursor is the last key that was looked at, of whatever family. */
async function readKeys(view: LevelView, after: string) {
  const base = await numberAt(view, BASE_KEY, 1);
  const firstHeader = await numberAt(view, FIRST_HEADER_KEY, 1);
  const height = await numberAt(view, BLOCK_HEIGHT_KEY, 0);
  const range = { gte: `${after}\u0000`, lt: EVERYTHING.lt };
  const found = await view.keys(after === "" ? EVERYTHING : range, AUDIT_KEYS_PER_PAGE_MAX);
  const isStray = (key: string) => {
    if (SINGLE_KEYS.includes(key)) return false;
    const at = /^[hbr]\/[0-9a-f]{14}$/.test(key) ? heightOf(key) : Number.NaN;
    const first = key.startsWith("h") ? firstHeader : base;
    return !(at >= first && at <= height);
  };
  const isOfApplication = (key: string) => key >= APPLICATION.gte && key < APPLICATION.lt;
  return {
    height,
    keys: found.filter(isOfApplication).map(applicationPart),
    strays: found.filter((key) => !isOfApplication(key) && isStray(key)),
    next: found.length < AUDIT_KEYS_PER_PAGE_MAX ? null : found.at(-1)!,
  };
}

async function readState(store: BlockStore, view: LevelView, after: string) {
  const records: StateRecord[] = [];
  const from = after === "" ? "" : `${applicationKey(after)}\u0000`;
  let bytes = 0;
  for (const range of STATE_RANGES) {
    if (from >= range.lt) continue;
    const limit = AUDIT_RECORDS_PER_PAGE_MAX - records.length;
    let { gte } = range;
    if (from > gte) gte = from;
    for (const key of limit === 0 ? [] : await view.keys({ gte, lt: range.lt }, limit)) {
      const value = await view.get(key);
      if (value === null) throw corrupt(store.directory, `record ${key} is missing`);
      records.push({ key: applicationPart(key), value });
      bytes += value.length;
      if (bytes >= AUDIT_PAGE_BYTES_MAX) return { records, next: records.at(-1)!.key };
    }
  }
  const isFull = records.length === AUDIT_RECORDS_PER_PAGE_MAX;
  return { records, next: isFull ? records.at(-1)!.key : null };
}
