/**
 * Where a replay begins: at genesis, or at the state of a snapshot whose app hash somebody has
 * reason to trust, such as that of an earlier audit. Of a snapshot nothing else is believed: its
 * records must give its roots, and its roots that hash (`chain/snapshot-restore.ts`).
 */

import { COUNTER } from "../chain/lane-columns.ts";
import { createRules } from "../chain/rules.ts";
import { openRestore } from "../chain/snapshot-restore.ts";
import type { ChainState } from "../chain/state.ts";
import { placeOfKey } from "../chain/store-keys.ts";
import { GridError } from "../primitives/errors.ts";
import type { UnixSeconds } from "../primitives/units.ts";
import type { Genesis } from "../wire/genesis.ts";
import type { Header } from "../wire/header.ts";
import { readChunk, readSnapshot } from "./snapshot-files.ts";

export type AuditStart = {
  readonly height: number; // 0: genesis
  readonly timeS: UnixSeconds; // of that block; genesis time at height 0
  readonly records: ReadonlyMap<string, Uint8Array>; // of the state; none at genesis
  readonly parent: Header | null; // of that block, where it is known
  /** Whether a key that is no part of the state may be older than the start. */
  holds(key: string): boolean;
};

export function genesisStart(genesis: Genesis): AuditStart {
  return {
    height: 0,
    timeS: genesis.genesisTimeS as UnixSeconds,
    records: new Map(),
    parent: null,
    holds: () => false,
  };
}

/**
 * The state of a snapshot's directory (`<data>/snapshots/<height>`).
 *
 * @param request.trustedHash - the app hash after the snapshot's height, 32 bytes
 * @throws GridError snapshot_invalid saying what is wrong with it
 */
export function snapshotStart(request: {
  readonly genesis: Genesis;
  readonly directory: string;
  readonly trustedHash: Uint8Array;
}): AuditStart {
  const { genesis, directory, trustedHash: appHash } = request;
  const rules = createRules(genesis);
  const kept = readOrSay(directory);
  const { snapshot } = kept;
  const { height } = snapshot;
  const invalid = (why: string) =>
    new GridError("snapshot_invalid", `${directory}: ${why}`, { height, what: why });
  const { restore, reason } = openRestore(rules, { snapshot, appHash });
  if (restore === null) throw invalid(reason);
  const records = new Map<string, Uint8Array>();
  let state: ChainState | null = null;
  for (let index = 0; index < snapshot.chunks; index++) {
    const chunk = readChunk(kept, index);
    if (chunk === null) throw invalid(`chunk ${index} is damaged`);
    const verdict = restore.apply({ index, chunk, sender: "" });
    if (verdict.result !== "accept") throw invalid(verdict.reason);
    for (const { key, value } of verdict.changes) if (value !== null) records.set(key, value);
    state ??= verdict.state;
  }
  if (state === null) throw invalid("its chunks do not make a state");
  const cleared = state.lanes.map(({ columns }) => Number(columns.counters[COUNTER.cleared]!));
  return {
    height,
    timeS: state.timeS,
    records,
    parent: null, // the header that follows carries the trusted hash
    holds: (key) => {
      const place = placeOfKey(key);
      if (place === null || place.slot === null) return isOfHeight(key, height);
      return place.slot < rules.firstSlot + (cleared[place.regionIndex] ?? 0);
    },
  };
}

function readOrSay(directory: string) {
  try {
    return readSnapshot(directory);
  } catch (failure) {
    if (!(failure instanceof GridError) || failure.code !== "snapshot_invalid") throw failure;
    const facts = failure.facts as GridError<"snapshot_invalid">["facts"];
    throw new GridError("snapshot_invalid", `${directory}: ${failure.message}`, facts);
  }
}

/** Families that are numbered by height: what they hold up to the start is older than it. */
function isOfHeight(key: string, height: number): boolean {
  const match = /\/(\d{14,16})$/.exec(key);
  return match !== null && Number(match[1]) <= height;
}
