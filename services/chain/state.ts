/**
 * The chain's state as a value, and the draft a block works on. A draft copies a lane or a region's
 * nonces before the first write, so the state before the block stays whole whatever happens: to
 * give a block up is to forget its draft.
 */
import type { UnixSeconds } from "../primitives/units.ts";
import {
  admissionRoot,
  copyNonceColumn,
  genesisNonces,
  type MemberPlace,
  type Nonces,
} from "./admission.ts";
import { type CommitteeState, EMPTY_COMMITTEE } from "./committee-state.ts";
import {
  type ForwardBook,
  type ForwardReader,
  openForwardBook,
  readForward,
} from "./forward-book.ts";
import { clearedSlots, copyLane, genesisLane, type Lane } from "./lane.ts";
import { laneStateRoot } from "./lane-root.ts";
import { openPost, type Post } from "./message-post.ts";
import type { PaymentEntry } from "./payment-entries.ts";
import { growHistory } from "./receipts-history.ts";
import { type AppTree, appTree, type LaneRoots } from "./roots.ts";
import type { Rules } from "./rules.ts";
import type { JudgedState } from "./transactions.ts";
import { versionAt } from "./versions.ts";

/** Immutable. */
export type ChainState = {
  readonly height: number; // 0: genesis
  readonly timeS: UnixSeconds; // of the last block; genesis time at height 0
  readonly lanes: readonly Lane[];
  readonly laneRoots: readonly LaneRoots[];
  readonly nonces: readonly Nonces[]; // by region
  readonly committee: CommitteeState;
  readonly appHash: Uint8Array;
};

export function genesisState(rules: Rules): ChainState {
  const { genesis } = rules;
  return rootedState({
    height: 0,
    timeS: genesis.genesisTimeS as UnixSeconds,
    lanes: genesis.regions.map((_, r) => genesisLane(rules, r)),
    nonces: genesis.regions.map((region) => genesisNonces(region.members.length)),
    committee: EMPTY_COMMITTEE,
  });
}

/** A state with all its roots made from its parts. */
export function rootedState(parts: {
  readonly height: number;
  readonly timeS: UnixSeconds;
  readonly lanes: readonly Lane[];
  readonly nonces: readonly Nonces[];
  readonly committee: CommitteeState;
}): ChainState {
  const laneRoots = parts.lanes.map((lane) => ({
    state: laneStateRoot(lane),
    receipts: growHistory({
      frontier: lane.columns.historyFrontier,
      length: clearedSlots(lane),
      leaves: [],
    }).root,
    outbox: lane.messages.outboxRoot,
  }));
  return { ...parts, laneRoots, appHash: stateTree({ ...parts, laneRoots }).appHash };
}

/** The chain version that a block of `height` bears, as far as `state` knows. */
export function dueVersion(rules: Rules, state: ChainState, height: number): number {
  const { upgrades } = state.committee;
  return versionAt({ genesisVersion: rules.genesis.chainVersion, upgrades }, height);
}

export function stateTree({
  laneRoots,
  nonces,
  committee,
}: Pick<ChainState, "laneRoots" | "nonces" | "committee">): AppTree {
  return appTree(laneRoots, { admission: admissionRoot(nonces), committee: committee.root });
}

/** A block's working copy: reads fall through to the state until something was written. */
export type Draft = JudgedState & {
  /** The lane, as a copy that may be written. */
  ownLane(regionIndex: number): Lane;
  setLane(regionIndex: number, lane: Lane): void;
  setCommittee(committee: CommitteeState): void;
  raiseNonce(place: MemberPlace): void;
  forward(regionIndex: number): ForwardReader;
  /** The region's forward market, to be written. */
  ownForward(regionIndex: number): ForwardBook;
  /** Puts what was written of forward markets into their lanes; ends writing to them. */
  sealForward(): void;
  /** What the lane consumes of its inbox in this block, in order. */
  collect: Post["collect"];
  send: Post["send"];
  /** Puts what was sent into inboxes and outboxes; ends the post. */
  sealMessages(): void;
  /** Puts down why balances of a region changed. */
  record(regionIndex: number, entry: PaymentEntry): void;
  /** What was put down: regions in rising order. */
  entries(): ReadonlyMap<number, readonly PaymentEntry[]>;
  /** What was written: regions in rising order. */
  lanes(): ReadonlyMap<number, Lane>;
  nonceColumns(): ReadonlyMap<number, BigUint64Array>;
};

export function createDraft(state: ChainState): Draft {
  const lanes: (Lane | undefined)[] = state.lanes.map(() => undefined);
  const columns: (BigUint64Array | undefined)[] = state.lanes.map(() => undefined);
  const books: (ForwardBook | undefined)[] = state.lanes.map(() => undefined);
  const entries: (PaymentEntry[] | undefined)[] = state.lanes.map(() => undefined);
  const post = openPost(state.lanes.map(({ messages }) => messages));
  let { committee } = state;
  const written = <T>(parts: readonly (T | undefined)[]) =>
    new Map(parts.flatMap((part, r) => (part === undefined ? [] : [[r, part] as const])));
  const ownLane = (r: number) => {
    const lane = lanes[r] ?? copyLane(state.lanes[r]!);
    lanes[r] = lane;
    return lane;
  };
  return {
    lane: (r) => lanes[r] ?? state.lanes[r]!,
    nonce: ({ regionIndex, memberIndex }) =>
      (columns[regionIndex] ?? state.nonces[regionIndex]!.column)[memberIndex]!,
    ownLane,
    get committee() {
      return committee;
    },
    setCommittee(changed) {
      committee = changed;
    },
    forward: (r) => books[r] ?? readForward(state.lanes[r]!.forward),
    ownForward(r) {
      const book = books[r] ?? openForwardBook(state.lanes[r]!.forward);
      books[r] = book;
      return book;
    },
    sealForward() {
      books.forEach((book, r) => {
        if (book !== undefined) lanes[r] = { ...ownLane(r), forward: book.seal() };
      });
    },
    inFlight: post.inFlight,
    collect: post.collect,
    send: post.send,
    sealMessages() {
      for (const [r, messages] of post.seal()) lanes[r] = { ...ownLane(r), messages };
    },
    record(r, entry) {
      const own = entries[r] ?? [];
      own.push(entry);
      entries[r] = own;
    },
    entries: () => written(entries),
    setLane(r, lane) {
      lanes[r] = lane;
    },
    raiseNonce({ regionIndex, memberIndex }) {
      const column = columns[regionIndex] ?? copyNonceColumn(state.nonces[regionIndex]!);
      column[memberIndex]! += 1n;
      columns[regionIndex] = column;
    },
    lanes: () => written(lanes),
    nonceColumns: () => written(columns),
  };
}
