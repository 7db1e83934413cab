/**
 * A small second application for the ordering socket: named counters. A transaction is the text
 * "add <name> <amount>". Its app hash covers the counters alone, so an empty block leaves it as it
 * is. It keeps its records in the store of ordering, or in a file of its own (`ownFile`).
 */
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import type { Application, Block, Finalized } from "../../services/chain/abci.ts";
import type { ChainHead, LaneView, StateView } from "../../services/chain/access.ts";
import { sha256 } from "../../services/crypto/hash.ts";
import { fromUtf8, utf8 } from "../../services/primitives/bytes.ts";
import { decode, encode } from "../../services/primitives/codec.ts";
import { microCents, type UnixSeconds } from "../../services/primitives/units.ts";
import { TRANSACTION_CODE } from "../../services/wire/refusals.ts";
import type { AbciCall } from "../conformance/abci-grammar.ts";

/** The amount that executes with a code of its own: to see a failed transaction in a block. */
export const FAILING_AMOUNT = 666;
export const FAILED_CODE = 99;
const HEAD_KEY = "head";
const COUNT_PREFIX = "n/";

export type CounterOptions = {
  readonly stored?: ReadonlyMap<string, Uint8Array>;
  readonly ownFile?: string;
  /** Texts that no proposal may hold; checkTx takes them all the same. */
  readonly unproposable?: ReadonlySet<string>;
  /** Texts that prepareProposal leaves out. */
  readonly dropped?: Set<string>;
  /** A counter that each block lowers by one before its transactions: work left over. */
  readonly countsDown?: string;
  /** Every call, in order, for the grammar of calls. */
  readonly calls?: AbciCall[];
};

export type CounterApplication = Application & {
  head(): ChainHead;
  lane(regionIndex: number): LaneView;
  nonce(address: Uint8Array): number;
  view(): StateView;
  count(name: string): number;
};

type Committed = {
  readonly height: number;
  readonly timeS: number;
  readonly counts: ReadonlyMap<string, number>;
};

export function addTransaction(name: string, amount: number): Uint8Array {
  return utf8(`add ${name} ${amount}`);
}

export function createCounterApplication(options: CounterOptions = {}): CounterApplication {
  const { calls = [], dropped = new Set(), unproposable = new Set() } = options;
  let committed = options.ownFile === undefined ? fromRecords(options.stored) : fromFile(options);
  let next: Committed | null = null;
  let initialised = committed.height > 0;
  calls.push({ call: "boot" });
  return {
    info: () => {
      calls.push({ call: "info", height: committed.height });
      const appHash = initialised ? hashOf(committed.counts) : new Uint8Array(0);
      return {
        lastBlockHeight: committed.height,
        lastBlockAppHash: appHash,
        nextVersion: { version: 1, isKnown: true },
      };
    },
    initChain: () => {
      calls.push({ call: "initChain" });
      initialised = true;
      next = null;
      return { appHash: hashOf(committed.counts) };
    },
    checkTx: (transaction) => checkTransaction(transaction),
    prepareProposal: ({ transactions }) => {
      calls.push({ call: "prepareProposal" });
      return { transactions: transactions.filter((bytes) => !dropped.has(textOf(bytes))) };
    },
    processProposal: ({ transactions }) => {
      calls.push({ call: "processProposal" });
      const bad = transactions.map(textOf).find((text) => unproposable.has(text));
      return { accept: bad === undefined, reason: bad === undefined ? "" : `holds "${bad}"` };
    },
    finalizeBlock: (block) => {
      calls.push({ call: "finalizeBlock", height: block.height });
      const executed = execute(committed, block, options.countsDown);
      next = executed.next;
      return executed.finalized;
    },
    commit: () => {
      calls.push({ call: "commit" });
      if (next === null) throw new Error("commit without finalizeBlock");
      const changes = options.ownFile === undefined ? changesOf(committed, next) : [];
      committed = next;
      next = null;
      if (options.ownFile !== undefined) toFile(options.ownFile, committed);
      return { changes, retainHeight: 0 };
    },
    query: ({ data }) => {
      const count = committed.counts.get(textOf(data));
      return { code: count === undefined ? 2 : 0, value: encode(count ?? null) };
    },
    head: () => ({
      height: committed.height,
      timeS: committed.timeS as UnixSeconds,
      appHash: hashOf(committed.counts),
      clearedSlots: 0,
      lastClearedSlot: null,
      lastCompleteSlot: null,
      lanesOut: [],
      chainVersion: 1,
      committee: { nextSequence: 1, upgrades: [] },
    }),
    lane: emptyLane,
    nonce: () => 0,
    view() {
      const head = this.head();
      const laneProof = () => {
        throw new Error("a counter has no lanes");
      };
      return { head: () => head, lane: emptyLane, nonce: () => 0, laneProof };
    },
    count: (name) => committed.counts.get(name) ?? 0,
  };
}

function checkTransaction(transaction: Uint8Array) {
  if (parse(transaction) === null) return { code: TRANSACTION_CODE.malformed, info: "no addition" };
  return { code: TRANSACTION_CODE.ok, info: "" };
}

function parse(transaction: Uint8Array): { name: string; amount: number } | null {
  const match = /^add ([a-z0-9-]+) (\d{1,9})$/.exec(textOf(transaction));
  return match === null ? null : { name: match[1]!, amount: Number(match[2]) };
}

/** Bytes that are no text read as an empty one, which nothing understands. */
function textOf(bytes: Uint8Array): string {
  try {
    return fromUtf8(bytes);
  } catch {
    return "";
  }
}

function execute(
  before: Committed,
  block: Block,
  countsDown = "",
): { finalized: Finalized; next: Committed } {
  const counts = new Map(before.counts);
  const left = counts.get(countsDown) ?? 0;
  if (left > 0) counts.set(countsDown, left - 1);
  const results = block.transactions.map((transaction) => {
    const addition = parse(transaction);
    if (addition === null) return { code: TRANSACTION_CODE.malformed, info: "no addition" };
    if (addition.amount === FAILING_AMOUNT) return { code: FAILED_CODE, info: "asked to fail" };
    counts.set(addition.name, (counts.get(addition.name) ?? 0) + addition.amount);
    return { code: TRANSACTION_CODE.ok, info: "" };
  });
  const next = { height: block.height, timeS: block.timeS, counts };
  const finalized = { results, appHash: hashOf(counts), slotRecords: [], laneFailures: [] };
  return { finalized, next };
}

function hashOf(counts: ReadonlyMap<string, number>): Uint8Array {
  const names = [...counts.keys()].sort((a, b) => (a < b ? -1 : 1));
  return sha256(encode(names.map((name) => [name, counts.get(name)!])));
}

function changesOf(before: Committed, after: Committed) {
  const changed = [...after.counts].filter(([name, count]) => before.counts.get(name) !== count);
  return [
    { key: HEAD_KEY, value: encode([after.height, after.timeS]) },
    ...changed.map(([name, count]) => ({ key: COUNT_PREFIX + name, value: encode(count) })),
  ];
}

function fromRecords(stored: ReadonlyMap<string, Uint8Array> = new Map()): Committed {
  const head = stored.get(HEAD_KEY);
  const [height, timeS] = head === undefined ? [0, 0] : (decode(head) as [number, number]);
  const counts = new Map<string, number>();
  for (const [key, value] of stored) {
    if (key.startsWith(COUNT_PREFIX)) {
      counts.set(key.slice(COUNT_PREFIX.length), decode(value) as number);
    }
  }
  return { height, timeS, counts };
}

function fromFile({ ownFile }: CounterOptions): Committed {
  let text: string;
  try {
    text = readFileSync(ownFile!, "utf8");
  } catch {
    return { height: 0, timeS: 0, counts: new Map() };
  }
  const { height, timeS, counts } = JSON.parse(text);
  return { height, timeS, counts: new Map(counts) };
}

function toFile(file: string, { height, timeS, counts }: Committed): void {
  writeFileSync(`${file}.new`, JSON.stringify({ height, timeS, counts: [...counts] }));
  renameSync(`${file}.new`, file);
}

function emptyLane(): LaneView {
  const zero = microCents(0n);
  return {
    reportedSlot: null,
    clearedSlots: 0,
    quarantine: null,
    limits: [],
    pendingLimits: [],
    memberBalanceUc: [],
    retailerBalanceUc: zero,
    neighboursBalanceUc: zero,
    gridOperatorBalanceUc: zero,
    treasuryBalanceUc: zero,
    settledImportWh: new Float64Array(0),
    settledExportWh: new Float64Array(0),
    forwardOrders: [],
    forwardPositions: [],
  };
}
