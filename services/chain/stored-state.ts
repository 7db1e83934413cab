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
import { decodeNonces, encodeNonces, genesisNonces, type Nonces } from "./admission.ts";
import { decodeCommittee, EMPTY_COMMITTEE, encodeCommittee } from "./committee-state.ts";
import { decodeForward, EMPTY_FORWARD, encodeForward } from "./forward-state.ts";
import type { PendingReport } from "./lane.ts";
import {
  clearedSlots,
  decodeLane,
  encodeLane,
  genesisLane,
  type Lane,
  laneSize,
  pendingReport,
} from "./lane.ts";
import { decodeMessages, EMPTY_MESSAGES, encodeMessages } from "./message-state.ts";
import type { Rules } from "./rules.ts";
import { corruptRecord, openRecord, sealRecord } from "./sealed-record.ts";
import { type ChainState, rootedState } from "./state.ts";
import {
  admissionKey,
  COMMITTEE_KEY,
  forwardKey,
  HEAD_KEY,
  isStateKey,
  laneKey,
  messagesKey,
  pendingKey,
  pendingOf,
  placeOfKey,
} from "./store-keys.ts";

/** A record of the state, whole. */
export type StateRecord = { readonly key: string; readonly value: Uint8Array };

export function headChange(rules: Rules, state: ChainState): StoreChange {
  return headRecord(rules, state);
}

function headRecord(rules: Rules, { height, timeS, appHash }: ChainState): StateRecord {
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
  const nonces = rules.genesis.regions.map((_, r) => loadNonces(rules, stored, r));
  const orders = stored.get(COMMITTEE_KEY); // none: nothing was ever ordered
  const committee = orders === undefined ? EMPTY_COMMITTEE : decodeCommittee(orders);
  const { height, timeS } = head;
  const state = rootedState({ height, timeS, lanes, nonces, committee });
  if (!bytesEqual(state.appHash, head.appHash)) {
    return corruptRecord(HEAD_KEY, "does not match the records of the state");
  }
  return state;
}

/** One region's part of the state. */
export type RegionState = { readonly lane: Lane; readonly nonces: Nonces };

/** What a snapshot holds of a region: a record of every kind, whether a block wrote it or not. */
export function regionRecords(regionIndex: number, { lane, nonces }: RegionState): StateRecord[] {
  const records = [
    { key: laneKey(regionIndex), value: encodeLane(regionIndex, lane) },
    { key: forwardKey(regionIndex), value: encodeForward(regionIndex, lane.forward) },
    { key: messagesKey(regionIndex), value: encodeMessages(regionIndex, lane.messages) },
    { key: admissionKey(regionIndex), value: encodeNonces(regionIndex, nonces) },
    ...lane.pending.map(({ report, bytes }) => {
      const key = pendingKey(regionIndex, report.slot);
      return { key, value: encodePending(key, bytes) };
    }),
  ];
  return records.sort((a, b) => (a.key < b.key ? -1 : 1));
}

/**
 * Reads back what `regionRecords` made. `stored` holds records of this region alone.
 *
 * @throws GridError database_corrupt or bytes_malformed
 */
export function loadRegion(
  rules: Rules,
  stored: ReadonlyMap<string, Uint8Array>,
  regionIndex: number,
): RegionState {
  const pending = loadPending(rules, stored)[regionIndex]!;
  const lane = loadLane(rules, stored, regionIndex, pending);
  return { lane, nonces: loadNonces(rules, stored, regionIndex) };
}

/** The record that stands for one of the state which no block has written; null for no such key. */
export function assumedRecord(rules: Rules, key: string): Uint8Array | null {
  if (key === COMMITTEE_KEY) return encodeCommittee(EMPTY_COMMITTEE);
  const regionIndex = placeOfKey(key)?.regionIndex;
  const region = regionIndex === undefined ? undefined : rules.genesis.regions[regionIndex];
  if (regionIndex === undefined || region === undefined) return null;
  const nonces = genesisNonces(region.members.length);
  const records = regionRecords(regionIndex, { lane: genesisLane(rules, regionIndex), nonces });
  return records.find((record) => record.key === key)?.value ?? null;
}

/** What a snapshot holds beside its regions: records of the state that are no region's. */
export function globalRecords(rules: Rules, state: ChainState): StateRecord[] {
  const committee = { key: COMMITTEE_KEY, value: encodeCommittee(state.committee) };
  return [headRecord(rules, state), committee];
}

/** @throws GridError database_corrupt, or genesis_mismatch for another network's record */
export function decodeHead(rules: Rules, bytes: Uint8Array) {
  const refuse = () => corruptRecord(HEAD_KEY, "is no head");
  const fields = openRecord(HEAD_KEY, bytes);
  if (!Array.isArray(fields) || fields.length !== 4) return refuse();
  const [genesisHash, height, timeS, appHash] = fields as readonly CodecValue[];
  const isWhole = (value: CodecValue | undefined): value is number =>
    Number.isSafeInteger(value) && (value as number) >= 0;
  if (!(genesisHash instanceof Uint8Array) || !(appHash instanceof Uint8Array)) return refuse();
  if (!isWhole(height) || !isWhole(timeS)) return refuse();
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
  const post = stored.get(messagesKey(regionIndex)); // none: it never met a message
  const messages = post === undefined ? EMPTY_MESSAGES : decodeMessages(regionIndex, post);
  // A lane that no block has touched has no record.
  if (record === undefined) {
    const lane = { ...genesisLane(rules, regionIndex), forward, messages };
    return pending.length === 0 ? lane : corruptRecord(laneKey(regionIndex), "is missing");
  }
  const size = laneSize(rules.genesis, regionIndex);
  const lane = decodeLane({ regionIndex, stored: record, size, pending, forward, messages });
  pending.forEach(({ report }, i) => {
    const slot = rules.firstSlot + clearedSlots(lane) + i;
    if (report.slot === slot && report.regionIndex === regionIndex) return;
    corruptRecord(pendingKey(regionIndex, report.slot), "is out of order");
  });
  return lane;
}

function loadNonces(
  rules: Rules,
  stored: ReadonlyMap<string, Uint8Array>,
  regionIndex: number,
): Nonces {
  const record = stored.get(admissionKey(regionIndex));
  const memberCount = rules.genesis.regions[regionIndex]!.members.length;
  if (record === undefined) return genesisNonces(memberCount); // never written: nobody acted
  return decodeNonces({ regionIndex, stored: record, memberCount });
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
