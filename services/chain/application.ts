/**
 * The market as an ABCI application: `abci.ts` on one side, `state-transition.ts` on the other, and
 * the last committed state between them. Mempool, proposals and queries see that state only; a
 * block becomes state at `commit`, and a block that fails leaves nothing behind.
 *
 * Queries (value: canonical CBOR unless named a root): `head` [height, timeS, appHash, cleared
 * slots]; `lanes/<region>/state-root`, `lanes/<region>/receipts-root`, `admission/root` (32 bytes);
 * `lanes/<region>/slots` [reported, cleared]; `nonce` with an address of 20 bytes as data.
 */
import { encode } from "../primitives/codec.ts";
import { assert } from "../primitives/errors.ts";
import {
  BLOCK_BYTES_MAX,
  BLOCK_TRANSACTIONS_MAX,
  SNAPSHOTS_LISTED_MAX,
} from "../primitives/limits.ts";
import type { Slot, UnixSeconds } from "../primitives/units.ts";
import type { Genesis } from "../wire/genesis.ts";
import type {
  Application,
  Block,
  ChunkVerdict,
  Finalized,
  Snapshot,
  SnapshotPower,
} from "./abci.ts";
import type { ChainHead, LaneView } from "./access.ts";
import { admissionRoot, memberAt } from "./admission.ts";
import { createMemberReader } from "./admission-facts.ts";
import { createCertificateCheck } from "./certificates.ts";
import { RecordLog } from "./change-records.ts";
import { readForward } from "./forward-book.ts";
import { clearedSlots, laneView, reportedSlots } from "./lane.ts";
import { type LaneExecutor, sequentialExecutor } from "./lane-executor.ts";
import { createRules, type Rules } from "./rules.ts";
import { encodeSnapshot, NO_SNAPSHOTS, type SnapshotSource } from "./snapshot.ts";
import { openRestore, type SnapshotRestore } from "./snapshot-restore.ts";
import { type ChainState, genesisState } from "./state.ts";
import { type Applied, applyBlock } from "./state-transition.ts";
import { headChange, loadState } from "./stored-state.ts";
import { judgeTransaction } from "./transactions.ts";

/** The application with its read side: what `ordering` needs to answer as a ChainReader. */
export type MarketApplication = Application &
  SnapshotPower & {
    head(): ChainHead;
    lane(regionIndex: number): LaneView;
    /** Next nonce of an address; 0 for one that is no member's. */
    nonce(address: Uint8Array): number;
    /** The committed state as a snapshot; blocks may be executed between its steps. */
    snapshot(): Generator<readonly Uint8Array[], Snapshot, void>;
  };

/**
 * @param stored - all records whose key is a state key (`store-keys.ts`); others are ignored
 * @param executor - who runs the lanes; the default runs them one after another
 * @param snapshots - what this node keeps and offers to others; the default: none
 * @param retainHeight - asked at each commit: blocks below are no more needed here; 0: keep all
 * @throws GridError database_corrupt, genesis_mismatch, or config_invalid for keys in genesis
 */
export function createApplication({
  genesis,
  stored,
  executor = sequentialExecutor,
  snapshots = NO_SNAPSHOTS,
  retainHeight = () => 0,
}: {
  genesis: Genesis;
  stored: ReadonlyMap<string, Uint8Array>;
  executor?: LaneExecutor;
  snapshots?: SnapshotSource;
  retainHeight?: () => number;
}): MarketApplication {
  const rules = createRules(genesis);
  const certifies = createCertificateCheck(rules);
  const members = createMemberReader();
  let records = new RecordLog(stored);
  let committed: ChainState = loadState(rules, records.records()) ?? genesisState(rules);
  let initialised = committed.height > 0;
  let finalized: Applied | null = null;
  let restore: SnapshotRestore | null = null;

  return {
    info: () => ({
      lastBlockHeight: committed.height,
      lastBlockAppHash: initialised ? committed.appHash : new Uint8Array(0),
    }),
    initChain() {
      assert(committed.height === 0, "a chain starts once");
      initialised = true;
      finalized = null;
      return { appHash: committed.appHash };
    },
    checkTx: (bytes) => {
      const state = judgedState(committed);
      // Before block 1 there is no time yet: it may come before genesis time.
      const notBeforeS = committed.height === 0 ? (0 as UnixSeconds) : committed.timeS;
      return judgeTransaction({ rules, certifies, members, state, timeS: null, notBeforeS }, bytes)
        .result;
    },
    prepareProposal: (block) => ({ transactions: fitting(block.transactions) }),
    processProposal: (block) => {
      const reason = proposalFault(committed, block);
      return { accept: reason === "", reason };
    },
    finalizeBlock(block): Finalized {
      finalized = null; // a block that fails must not leave an earlier one to commit
      restore = null;
      const applied = applyBlock({ rules, certifies, members, executor, state: committed, block });
      finalized = applied;
      const { results, slotRecords, state } = applied;
      return { results, appHash: state.appHash, slotRecords };
    },
    commit() {
      assert(finalized !== null, "commit follows finalizeBlock");
      const { state, changes } = finalized;
      committed = state;
      initialised = true;
      finalized = null;
      return {
        changes: records.write([...changes(), headChange(rules, committed)]),
        retainHeight: retainHeight(),
      };
    },
    listSnapshots: () => snapshots.list().slice(0, SNAPSHOTS_LISTED_MAX),
    loadSnapshotChunk: (place) => ({ chunk: snapshots.chunk(place) ?? new Uint8Array(0) }),
    offerSnapshot(offer) {
      restore = null;
      if (committed.height > 0) {
        return { result: "abort", reason: `the state stands at height ${committed.height}` };
      }
      const { restore: opened, ...answer } = openRestore(rules, offer);
      restore = opened;
      records = new RecordLog(new Map());
      return answer;
    },
    applySnapshotChunk(part) {
      if (restore === null) return NOTHING_OFFERED;
      const { state, ...verdict } = restore.apply(part);
      if (verdict.result === "reject_snapshot") restore = null;
      if (state !== null) {
        committed = state;
        initialised = true;
        finalized = null;
        restore = null;
      }
      return { ...verdict, changes: records.write(verdict.changes) };
    },
    snapshot: () => encodeSnapshot(rules, committed),
    query: ({ path, data }) => answerQuery(rules, committed, path, data),
    head: () => headOf(rules, committed),
    lane: (r) => laneView(laneAt(committed, r), rules.firstSlot),
    nonce: (address) => nonceOf(rules, committed, address),
  };
}

const NOTHING_OFFERED: ChunkVerdict = {
  result: "abort",
  reason: "no snapshot was accepted before this chunk",
  refetchChunks: [],
  rejectSenders: [],
  changes: [],
};

function judgedState(state: ChainState) {
  return {
    lane: (r: number) => state.lanes[r]!,
    forward: (r: number) => readForward(state.lanes[r]!.forward),
    nonce: ({ regionIndex, memberIndex }: { regionIndex: number; memberIndex: number }) =>
      state.nonces[regionIndex]!.column[memberIndex]!,
  };
}

function laneAt(state: ChainState, regionIndex: number) {
  const lane = state.lanes[regionIndex];
  assert(lane !== undefined, "a lane is one of the regions'");
  return lane;
}

/** In order, as long as they fit a block. What fails would only be answered with its code. */
function fitting(transactions: readonly Uint8Array[]): Uint8Array[] {
  let bytes = 0;
  const taken: Uint8Array[] = [];
  for (const transaction of transactions) {
    bytes += transaction.length;
    if (bytes > BLOCK_BYTES_MAX || taken.length === BLOCK_TRANSACTIONS_MAX) break;
    taken.push(transaction);
  }
  return taken;
}

/** Empty where the block is fine. Transactions that fail are no fault: they get their code. */
function proposalFault(state: ChainState, { height, timeS, transactions }: Block): string {
  if (height !== state.height + 1) return `height ${height}, next is ${state.height + 1}`;
  if (!Number.isSafeInteger(timeS) || timeS < 0) return "time is no whole number of seconds";
  if (state.height > 0 && timeS < state.timeS) return `time ${timeS} below ${state.timeS}`;
  if (transactions.length > BLOCK_TRANSACTIONS_MAX) return "too many transactions";
  const bytes = transactions.reduce((sum, transaction) => sum + transaction.length, 0);
  return bytes > BLOCK_BYTES_MAX ? "too many bytes" : "";
}

function headOf(rules: Rules, state: ChainState): ChainHead {
  const cleared = clearedSlots(state.lanes[0]!);
  return {
    height: state.height,
    timeS: state.timeS,
    appHash: state.appHash,
    clearedSlots: cleared,
    lastClearedSlot: cleared === 0 ? null : ((rules.firstSlot + cleared - 1) as Slot),
  };
}

function nonceOf(rules: Rules, state: ChainState, address: Uint8Array): number {
  const place = memberAt(rules.directory, address);
  return place === null ? 0 : Number(judgedState(state).nonce(place));
}

const UNKNOWN_PATH = { code: 1, value: new Uint8Array(0) };
const NOTHING_THERE = { code: 2, value: new Uint8Array(0) };

function answerQuery(rules: Rules, state: ChainState, path: string, data: Uint8Array) {
  const found = (value: Uint8Array) => ({ code: 0, value });
  if (path === "head") {
    const { height, timeS, appHash, clearedSlots: cleared } = headOf(rules, state);
    return found(encode([height, timeS as UnixSeconds, appHash, cleared]));
  }
  if (path === "admission/root") return found(admissionRoot(state.nonces));
  if (path === "nonce") {
    if (data.length !== 20) return NOTHING_THERE;
    return found(encode(nonceOf(rules, state, data)));
  }
  const match = /^lanes\/(\d{1,4})\/(state-root|receipts-root|slots)$/.exec(path);
  if (match === null) return UNKNOWN_PATH;
  const regionIndex = Number(match[1]);
  const lane = state.lanes[regionIndex];
  if (lane === undefined) return NOTHING_THERE;
  if (match[2] === "slots") return found(encode([reportedSlots(lane), clearedSlots(lane)]));
  const roots = state.laneRoots[regionIndex]!;
  return found(match[2] === "state-root" ? roots.state : roots.receipts);
}
