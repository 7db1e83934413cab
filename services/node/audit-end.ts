/**
 * The state at the end of a replay: every record of it and nothing beside it. A source that is a
 * running node moves on meanwhile; then what was read is thrown away, the replay catches up and the
 * walk begins anew, AUDIT_STATE_PASSES_MAX times at most.
 */
import type { AuditSource } from "../chain/audit-source.ts";
import { wholeRecords } from "../chain/change-records.ts";
import { valueDifference } from "../chain/record-difference.ts";
import { changeOf, HEAD_KEY, isStateKey } from "../chain/store-keys.ts";
import { bytesEqual } from "../primitives/bytes.ts";
import { GridError } from "../primitives/errors.ts";
import { AUDIT_STATE_PASSES_MAX } from "../primitives/limits.ts";
import type { CommittedState, KeyPage } from "../wire/audit-page.ts";
import type { Genesis } from "../wire/genesis.ts";
import { Diverged, refuse } from "./audit-finding.ts";
import { boundedDifference } from "./audit-history.ts";

/** Keys of nobody's that are kept for the finding: one would do. */
const UNKNOWN_KEYS_MAX = 1024;

/** What the replay has come to, and how to take it further. */
export type Replayed = {
  readonly height: () => number;
  readonly state: () => CommittedState; // at that height
  readonly records: ReadonlyMap<string, Uint8Array>; // of that state
  /** Replays up to a height that the source has executed. */
  catchUp(height: number): Promise<void>;
  /** Whether the replay, or what it began with, made a record that is no part of the state. */
  isHistory(key: string): boolean;
  regionOf(key: string): string | null;
  /** What a record that is not there stands for; null: nothing. */
  assumed(key: string): Uint8Array | null;
};

type StoredState = {
  readonly state: CommittedState | null;
  readonly records: ReadonlyMap<string, Uint8Array>;
  readonly keys: readonly string[]; // that the replay did not make, beside the state's
  readonly stray: string | undefined; // the first one
};

/** @throws Diverged; GridError head_moving where the source never holds still for one walk */
export async function compareEnd(
  source: AuditSource,
  genesis: Genesis,
  replayed: Replayed,
): Promise<void> {
  const stored = await readStored(source, replayed);
  const block = replayed.height();
  if (stored.state !== null) {
    const at = { block, region: null, record: "engine state" };
    refuse(at, valueDifference("", stored.state, replayed.state()));
  }
  const { stray } = stored;
  if (stray !== undefined) {
    const difference = { field: "(whole record)", stored: "(something)", computed: "(absent)" };
    throw new Diverged({ block, region: null, record: stray, ...difference });
  }
  // Whole records on both sides: when one was written as a change is each node's own affair.
  const computedRecords = wholeRecords(replayed.records);
  const records = wholeOrRefuse({ genesis, block, records: stored.records, replayed });
  // The head says what the others come to: the record that is at fault is named before it.
  const keys = new Set([
    ...computedRecords.keys(),
    ...records.keys(),
    ...stored.keys.filter((key) => !replayed.isHistory(key)),
  ]);
  keys.delete(HEAD_KEY);
  for (const key of [...[...keys].sort(), HEAD_KEY]) {
    const computed = computedRecords.get(key) ?? null;
    const found = records.get(key) ?? (isStateKey(key) ? null : await one(source, key));
    if (found === null || computed === null) {
      // A snapshot, and a node that began with one, hold records that others have never written.
      const assumed = replayed.assumed(key);
      const only = found ?? computed;
      if (assumed !== null && only !== null && bytesEqual(only, assumed)) continue;
    }
    const difference = boundedDifference(genesis, { key, stored: found, computed });
    refuse({ block, region: replayed.regionOf(key), record: key }, difference);
  }
}

/** A change that does not fit its record is a finding; so is one that somebody made up. */
function wholeOrRefuse({
  genesis,
  block,
  records,
  replayed,
}: {
  readonly genesis: Genesis;
  readonly block: number;
  readonly records: ReadonlyMap<string, Uint8Array>;
  readonly replayed: Replayed;
}) {
  try {
    return wholeRecords(records);
  } catch (failure) {
    if (!(failure instanceof GridError)) throw failure;
    const { what } = failure.facts as { readonly what: string };
    const record = failure.code === "database_corrupt" ? what : "change";
    const key = changeOf(record)?.key ?? record;
    const region = replayed.regionOf(key);
    // The record that the change builds on may be the one at fault: then its field is named.
    const base = { stored: records.get(key) ?? null, computed: replayed.records.get(key) ?? null };
    refuse({ block, region, record: key }, boundedDifference(genesis, { key, ...base }));
    const at = { block, region, record };
    const difference = { field: "(whole record)", stored: failure.message };
    throw new Diverged({ ...at, record, ...difference, computed: "a change that fits" });
  }
}

async function one(source: AuditSource, key: string): Promise<Uint8Array | null> {
  const [record] = await source.records([key]);
  return record ?? null;
}

/** A whole walk over the keys, and over the state of one height after it. */
async function readStored(source: AuditSource, replayed: Replayed): Promise<StoredState> {
  const unknown = await readKeys(source, replayed);
  for (let pass = 1; pass <= AUDIT_STATE_PASSES_MAX; pass++) {
    const found = await readState(source, replayed);
    if (found !== null) return { ...found, ...unknown };
  }
  const { name } = source;
  const passes = AUDIT_STATE_PASSES_MAX;
  const message = `${name}: its state changed in each of ${passes} walks: audit it when less is on`;
  throw new GridError("head_moving", message, { name, passes });
}

/** Null where the source went on before the walk was over. */
async function readState(source: AuditSource, replayed: Replayed) {
  const records = new Map<string, Uint8Array>();
  let unknown = 0;
  for (let after = ""; ; ) {
    const page = await source.state(after);
    const height = page.state?.height ?? 0;
    if (height > replayed.height()) {
      await replayed.catchUp(height);
      return null;
    }
    for (const { key, value } of page.records) {
      records.set(key, value);
      if (!replayed.records.has(changeOf(key)?.key ?? key)) unknown++;
    }
    if (page.next === null || unknown > UNKNOWN_KEYS_MAX) return { state: page.state, records };
    after = page.next;
  }
}

/**
 * Keys of no block. Others only ever come, so pages of several heights are as good as of one: the
 * walk over the state that follows takes the replay beyond them all.
 */
async function readKeys(source: AuditSource, replayed: Replayed) {
  let keys: string[] = [];
  let [stray] = [] as string[];
  const isUnknown = (key: string) => !isStateKey(key) && !replayed.isHistory(key);
  for (let after: string | null = ""; after !== null && keys.length <= UNKNOWN_KEYS_MAX; ) {
    const page: KeyPage = await source.keys(after);
    keys.push(...page.keys.filter(isUnknown));
    stray ??= page.strays[0];
    after = page.next;
    if (keys.length <= UNKNOWN_KEYS_MAX) continue;
    const head = await source.head();
    await replayed.catchUp(head.state?.height ?? 0);
    keys = keys.filter(isUnknown);
  }
  return { keys, stray };
}
