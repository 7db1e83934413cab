/**
 * What a store holds when it is opened: the engine's own records, and whether any block or response
 * is missing. LevelDB's recovery of a damaged log drops batches without a word, so gaps are looked
 * for here. What can be derived from the blocks can be made again; a lost block is named.
 */
import { decode } from "../../primitives/codec.ts";
import { GridError } from "../../primitives/errors.ts";
import type { EngineState, Rebuild } from "./engine-records.ts";
import { decodeMeta, decodeRebuild, decodeState } from "./engine-records.ts";
import {
  BASE_KEY,
  BLOCK_HEIGHT_KEY,
  ENGINE_STATE_KEY,
  FIRST_HEADER_KEY,
  HEADERS,
  heightOf,
  IMPORT_KEY,
  type KeyRange,
  META_KEY,
  REBUILD_KEY,
  RESPONSES,
} from "./keys.ts";
import type { SealedLevel } from "./sealed-level.ts";
import { corrupt } from "./store-errors.ts";

export const FORMAT = 1;

/** What opening found out of order and a replay can mend: from block 1, or from a snapshot. */
export type Damage = {
  readonly what: string;
  /** The block whose outcome is lost: a replay must begin with it or before; null: anywhere. */
  readonly lostHeight: number | null;
};

export type FoundStore = {
  readonly genesisHash: Uint8Array | null; // null before the first start
  readonly isImporting: boolean;
  readonly firstHeader: number;
  readonly base: number;
  readonly height: number;
  readonly state: EngineState | null;
  readonly rebuild: Rebuild | null;
  readonly damage: Damage | null;
};

/** @throws GridError database_corrupt where no replay could mend it */
export async function findStore(
  level: SealedLevel,
  { writes }: { readonly writes: "allowed" | "refused" },
): Promise<FoundStore> {
  const { directory } = level;
  const meta = await level.get(META_KEY);
  const { format, genesisHash } =
    meta === null ? { format: FORMAT, genesisHash: null } : decodeMeta(meta);
  if (format !== FORMAT) throw corrupt(directory, `unknown format ${format}`);
  const place = {
    genesisHash,
    height: (await numberAt(level, BLOCK_HEIGHT_KEY)) ?? 0,
    base: (await numberAt(level, BASE_KEY)) ?? 1,
    firstHeader: (await numberAt(level, FIRST_HEADER_KEY)) ?? 1,
  };
  const isImporting = (await level.get(IMPORT_KEY)) !== null;
  if (isImporting) {
    const what = "an import of a snapshot was cut short: import it again";
    if (writes === "refused") throw corrupt(directory, what);
    return { ...place, isImporting, state: null, rebuild: null, damage: null };
  }
  await checkHeaders(level, place);
  const mark = await level.get(REBUILD_KEY);
  if (mark !== null && writes === "refused") {
    throw corrupt(directory, "a rebuild was cut short: start the node, which goes on with it");
  }
  const rebuild = mark === null ? null : decodeRebuild(mark);
  return { ...place, isImporting, rebuild, ...(await findState(level, { ...place, rebuild })) };
}

async function numberAt(level: SealedLevel, key: string): Promise<number | null> {
  const value = await level.get(key);
  if (value === null) return null;
  const number = decode(value);
  if (!Number.isSafeInteger(number)) throw corrupt(level.directory, `record ${key} is no number`);
  return number as number;
}

/** A lost block cannot be made again: only a backup has it. */
async function checkHeaders(
  level: SealedLevel,
  { firstHeader, height }: { readonly firstHeader: number; readonly height: number },
): Promise<void> {
  const { end, isBroken } = await walk(level, HEADERS, firstHeader);
  if (isBroken || end < height) throw corrupt(level.directory, `block ${end + 1} is missing`);
  if (end > height) throw corrupt(level.directory, "the height of the blocks is stale");
}

/** The application's records and the responses can be made again from the blocks. */
async function findState(
  level: SealedLevel,
  place: { readonly base: number; readonly height: number; readonly rebuild: Rebuild | null },
): Promise<Pick<FoundStore, "state" | "damage">> {
  const damaged = (what: string, state: EngineState | null, lostHeight: number | null = null) => {
    return { state, damage: { what, lostHeight } };
  };
  let state: EngineState | null = null;
  try {
    const stored = await level.get(ENGINE_STATE_KEY);
    if (stored !== null) state = decodeState(stored);
    if (place.rebuild !== null) return { state, damage: null };
    const committed = state?.height ?? 0;
    const { end, isBroken } = await walk(level, RESPONSES, place.base);
    if (isBroken || end < committed) {
      return damaged(`response ${end + 1} is missing`, state, end + 1);
    }
    // A response may stand one ahead of the state (`writeResponse`), and a block too.
    const isStale = end > committed + 1 || place.height > committed + 1;
    if (isStale || (stored === null && end > 0)) {
      return damaged("the engine's state is stale", state);
    }
    return { state, damage: null };
  } catch (failure) {
    if (!(failure instanceof GridError) || failure.code !== "database_corrupt") throw failure;
    return damaged((failure as GridError<"database_corrupt">).facts.what, state);
  }
}

/** The last height of a family without a gap from `from` on, and whether more follow a gap. */
async function walk(
  level: SealedLevel,
  range: KeyRange,
  from: number,
): Promise<{ readonly end: number; readonly isBroken: boolean }> {
  let next = from;
  let isBroken = false;
  await level.eachKey(range, (key) => {
    if (!isBroken && heightOf(key) === next) next++;
    else isBroken = true;
  });
  return { end: next - 1, isBroken };
}
