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
import {
  type ForwardBook,
  type ForwardReader,
  openForwardBook,
  readForward,
} from "./forward-book.ts";
import { clearedSlots, copyLane, genesisLane, type Lane } from "./lane.ts";
import { laneStateRoot } from "./lane-root.ts";
import { growHistory } from "./receipts-history.ts";
import { type AppTree, appTree, type LaneRoots } from "./roots.ts";
import type { Rules } from "./rules.ts";
import type { JudgedState } from "./transactions.ts";

/** Immutable. */
export type ChainState = {
  readonly height: number; // 0: genesis
  readonly timeS: UnixSeconds; // of the last block; genesis time at height 0
  readonly lanes: readonly Lane[];
  readonly laneRoots: readonly LaneRoots[];
  readonly nonces: readonly Nonces[]; // by region
  readonly appHash: Uint8Array;
};

export function genesisState(rules: Rules): ChainState {
  const { genesis } = rules;
  return rootedState({
    height: 0,
    timeS: genesis.genesisTimeS as UnixSeconds,
    lanes: genesis.regions.map((_, r) => genesisLane(rules, r)),
    nonces: genesis.regions.map((region) => genesisNonces(region.members.length)),
  });
}

/** A state with all its roots made from its parts. */
export function rootedState(parts: {
  readonly height: number;
  readonly timeS: UnixSeconds;
  readonly lanes: readonly Lane[];
  readonly nonces: readonly Nonces[];
}): ChainState {
  const laneRoots = parts.lanes.map((lane) => ({
    state: laneStateRoot(lane),
    receipts: growHistory({
      frontier: lane.columns.historyFrontier,
      length: clearedSlots(lane),
      leaves: [],
    }).root,
  }));
  return { ...parts, laneRoots, appHash: stateTree(laneRoots, parts.nonces).appHash };
}

export function stateTree(laneRoots: readonly LaneRoots[], nonces: readonly Nonces[]): AppTree {
  return appTree(laneRoots, admissionRoot(nonces));
}

/** A block's working copy: reads fall through to the state until something was written. */
export type Draft = JudgedState & {
  /** The lane, as a copy that may be written. */
  ownLane(regionIndex: number): Lane;
  setLane(regionIndex: number, lane: Lane): void;
  raiseNonce(place: MemberPlace): void;
  forward(regionIndex: number): ForwardReader;
  /** The region's forward market, to be written. */
  ownForward(regionIndex: number): ForwardBook;
  /** Puts what was written of forward markets into their lanes; ends writing to them. */
  sealForward(): void;
  /** What was written: regions in rising order. */
  lanes(): ReadonlyMap<number, Lane>;
  nonceColumns(): ReadonlyMap<number, BigUint64Array>;
};

export function createDraft(state: ChainState): Draft {
  const lanes: (Lane | undefined)[] = state.lanes.map(() => undefined);
  const columns: (BigUint64Array | undefined)[] = state.lanes.map(() => undefined);
  const books: (ForwardBook | undefined)[] = state.lanes.map(() => undefined);
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
