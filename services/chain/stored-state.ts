/**
 * The state's records: how a commit names its head, and how a start reads everything back. What is
 * read is hashed again and must give the app hash of the head, so a store that lost, mixed up or
 * damaged a record is found before the first block.
 */
import { bytesEqual, toHex } from "../primitives/bytes.ts";
import type { CodecValue } from "../primitives/codec.ts";
import { GridError } from "../primitives/errors.ts";
import type { UnixSeconds } from "../primitives/units.ts";
import type { StoreChange } from "./abci.ts";
import { decodeNonces, genesisNonces } from "./admission.ts";
import { decodeForward, EMPTY_FORWARD } from "./forward-state.ts";
import type { PendingReport } from "./lane.ts";
import {
  clearedSlots,
  decodeLane,
  genesisLane,
  type Lane,
  laneSize,
  pendingReport,
} from "./lane.ts";
import type { Rules } from "./rules.ts";
import { corruptRecord, openRecord, sealRecord } from "./sealed-record.ts";
import { type ChainState, rootedState } from "./state.ts";
import {
  admissionKey,
  forwardKey,
  HEAD_KEY,
  isStateKey,
  laneKey,
  pendingKey,
  pendingOf,
} from "./store-keys.ts";

export function headChange(rules: Rules, state: ChainState): StoreChange {
  const { height, timeS, appHash } = state;
  return {
    key: HEAD_KEY,
    value: sealRecord(HEAD_KEY, [rules.genesisHash, height, timeS, appHash]),
  };
}

/** A pending report's record: the bytes that the committee signed. */
export function encodePending(key: string, reportBytes: Uint8Array): Uint8Array {
  return sealRecord(key, reportBytes);
}

/**
 * @returns null where nothing was ever committed
 * @throws GridError database_corrupt, or genesis_mismatch for another network's records
 */
export function loadState(
  rules: Rules,
  stored: ReadonlyMap<string, Uint8Array>,
): ChainState | null {
  const headBytes = stored.get(HEAD_KEY);
  if (headBytes === undefined) {
    const stray = [...stored.keys()].find(isStateKey);
    return stray === undefined ? null : corruptRecord(HEAD_KEY, `is missing beside ${stray}`);
  }
  const head = decodeHead(rules, headBytes);
  const pending = loadPending(rules, stored);
  const lanes = rules.genesis.regions.map((_, r) => loadLane(rules, stored, r, pending[r]!));
  const nonces = rules.genesis.regions.map((region, regionIndex) => {
    const record = stored.get(admissionKey(regionIndex));
    const memberCount = region.members.length;
    if (record === undefined) return genesisNonces(memberCount); // never written: nobody acted
    return decodeNonces({ regionIndex, stored: record, memberCount });
  });
  const state = rootedState({ height: head.height, timeS: head.timeS, lanes, nonces });
  if (!bytesEqual(state.appHash, head.appHash)) {
    return corruptRecord(HEAD_KEY, "does not match the records of the state");
  }
  return state;
}

function decodeHead(rules: Rules, bytes: Uint8Array) {
  const fields = openRecord(HEAD_KEY, bytes);
  if (!Array.isArray(fields) || fields.length !== 4) return corruptRecord(HEAD_KEY, "is no head");
  const [genesisHash, height, timeS, appHash] = fields as readonly CodecValue[];
  const isWhole = (value: CodecValue | undefined): value is number =>
    Number.isSafeInteger(value) && (value as number) >= 0;
  if (!(genesisHash instanceof Uint8Array) || !(appHash instanceof Uint8Array)) {
    return corruptRecord(HEAD_KEY, "has no hashes");
  }
  if (!isWhole(height) || !isWhole(timeS)) return corruptRecord(HEAD_KEY, "has no height or time");
  if (!bytesEqual(genesisHash, rules.genesisHash)) {
    const expected = toHex(rules.genesisHash);
    const found = toHex(genesisHash);
    throw new GridError("genesis_mismatch", `the store is of another genesis: ${found}`, {
      expected,
      found,
    });
  }
  return { height, timeS: timeS as UnixSeconds, appHash };
}

function loadLane(
  rules: Rules,
  stored: ReadonlyMap<string, Uint8Array>,
  regionIndex: number,
  pending: readonly PendingReport[],
): Lane {
  const record = stored.get(laneKey(regionIndex));
  const orders = stored.get(forwardKey(regionIndex)); // none: nobody ever placed an order
  const forward = orders === undefined ? EMPTY_FORWARD : decodeForward(regionIndex, orders);
  // A lane that no block has touched has no record.
  if (record === undefined) {
    const lane = { ...genesisLane(rules, regionIndex), forward };
    return pending.length === 0 ? lane : corruptRecord(laneKey(regionIndex), "is missing");
  }
  const size = laneSize(rules.genesis, regionIndex);
  const lane = decodeLane({ regionIndex, stored: record, size, pending, forward });
  pending.forEach(({ report }, i) => {
    const slot = rules.firstSlot + clearedSlots(lane) + i;
    if (report.slot === slot && report.regionIndex === regionIndex) return;
    corruptRecord(pendingKey(regionIndex, report.slot), "is out of order");
  });
  return lane;
}

/** By region, each in the order of slots. */
function loadPending(
  rules: Rules,
  stored: ReadonlyMap<string, Uint8Array>,
): readonly (readonly PendingReport[])[] {
  const pending = rules.regions.map((): PendingReport[] => []);
  const keys = [...stored.keys()].sort(); // slots have a fixed width
  for (const key of keys) {
    const place = pendingOf(key);
    if (place === null) continue;
    const bytes = openRecord(key, stored.get(key)!);
    const queue = pending[place.regionIndex];
    if (!(bytes instanceof Uint8Array) || queue === undefined) {
      return corruptRecord(key, "is no pending report");
    }
    queue.push(pendingReport(bytes));
  }
  return pending;
}
