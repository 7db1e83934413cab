/**
 * What every `Application` (services/chain/abci.ts) owes to whatever orders its blocks.
 *
 * Method: a plain run of a workload is the reference. A driver then runs the same blocks through
 * random logs of the grammar of calls: repeated initChain, several rounds with proposals that lose,
 * replays without rounds, crashes between any two calls, restarts from what was committed; and
 * checkTx, query and info anywhere. Every log must pass the grammar, and every height must give the
 * results and the app hash of the reference. An application with the power of snapshots also boots
 * by state sync (`state-sync-suite.ts`).
 */
import { describe, expect, test } from "vitest";
import type { Application, Block, Finalized } from "../../services/chain/abci.ts";
import { toHex } from "../../services/primitives/bytes.ts";
import { createPrng, type Prng } from "../../services/primitives/prng.ts";
import { type AbciCall, grammarFault } from "./abci-grammar.ts";

export type ApplicationSubject = {
  /** A fresh instance over what was committed; it must not write to `stored`. */
  create(stored: ReadonlyMap<string, Uint8Array>): Application;
  /** Blocks of heights 1, 2, ...: at least five, with transactions that succeed and that fail. */
  readonly blocks: readonly Block[];
  /** Random logs to drive; the default takes about a second for a quick application. */
  readonly runs?: number;
};

export type Step = {
  readonly results: string;
  readonly appHash: string;
  readonly slotRecords: number;
};

export function applicationSuite(name: string, subject: () => ApplicationSubject): void {
  describe(`${name} is an application`, () => {
    test("starts at height 0 without an app hash, and initChain is idempotent", () => {
      const app = subject().create(new Map());
      expect(app.info()).toEqual({ lastBlockHeight: 0, lastBlockAppHash: new Uint8Array(0) });
      const first = app.initChain().appHash;
      expect(first).toHaveLength(32);
      expect(app.initChain().appHash).toEqual(first);
      expect(app.info()).toEqual({ lastBlockHeight: 0, lastBlockAppHash: first });
    });

    test("answers each transaction in order, and the same on every run", () => {
      const { blocks } = subject();
      const reference = plainRun(subject());
      expect(plainRun(subject())).toEqual(reference);
      reference.forEach((step, i) => {
        expect(JSON.parse(step.results)).toHaveLength(blocks[i]!.transactions.length);
      });
      const codes = reference.flatMap((step) => JSON.parse(step.results) as number[]);
      expect(codes).toContain(0);
      expect(codes.some((code) => code !== 0)).toBe(true);
    });

    test("an empty block leaves the app hash unchanged", () => {
      const { create, blocks } = subject();
      const app = create(new Map());
      let hash = toHex(app.initChain().appHash);
      let height = 0;
      let timeS = blocks[0]!.timeS; // nothing is due at the time of the block before
      for (const block of blocks) {
        height += 1;
        const empty = emptied({ ...block, height, timeS });
        timeS = block.timeS;
        expect(toHex(app.finalizeBlock(empty).appHash)).toBe(hash);
        app.commit();
        height += 1;
        hash = toHex(app.finalizeBlock({ ...block, height }).appHash);
        app.commit();
      }
    });

    test("reports what is committed, not what is finalized", () => {
      const { create, blocks } = subject();
      const app = create(new Map());
      const genesis = app.initChain().appHash;
      const finalized = app.finalizeBlock(blocks[0]!);
      expect(app.info()).toEqual({ lastBlockHeight: 0, lastBlockAppHash: genesis });
      app.commit();
      expect(app.info()).toEqual({ lastBlockHeight: 1, lastBlockAppHash: finalized.appHash });
    });

    test("accepts its own proposals, and blocks that others made of any transactions", () => {
      const { create, blocks } = subject();
      const app = create(new Map());
      app.initChain();
      for (const block of blocks) {
        const { transactions } = app.prepareProposal(block);
        expect(app.processProposal({ ...block, transactions })).toMatchObject({ accept: true });
        expect(app.processProposal(block)).toMatchObject({ accept: true });
        app.finalizeBlock(block);
        app.commit();
      }
    });

    test("checkTx and query never throw, whatever the bytes", () => {
      const { create, blocks } = subject();
      const app = create(new Map());
      app.initChain();
      const prng = createPrng("conformance/bytes");
      for (let i = 0; i < 200; i++) {
        expect(app.checkTx(randomBytes(prng)).code).toBeTypeOf("number");
        const path = String.fromCharCode(...randomBytes(prng).subarray(0, 12));
        expect(app.query({ path, data: randomBytes(prng) }).code).toBeTypeOf("number");
      }
      app.finalizeBlock(blocks[0]!);
      app.commit();
    });

    test("any log of the grammar gives the reference, through crashes and replays", () => {
      const reference = plainRun(subject());
      const runs = subject().runs ?? 25;
      for (let seed = 0; seed < runs; seed++) {
        const calls = drive(subject(), reference, createPrng(`conformance/${seed}`));
        expect(grammarFault(calls), `seed ${seed}`).toBeNull();
      }
    });
  });
}

function emptied(block: Block): Block {
  return { ...block, transactions: [] };
}

export function stepOf({ results, appHash, slotRecords }: Finalized): Step {
  return {
    results: JSON.stringify(results.map(({ code }) => code)),
    appHash: toHex(appHash),
    slotRecords: slotRecords.length,
  };
}

export function plainRun({ create, blocks }: ApplicationSubject): Step[] {
  const app = create(new Map());
  app.initChain();
  return blocks.map((block) => {
    const step = stepOf(app.finalizeBlock(block));
    app.commit();
    return step;
  });
}

/** One random log over all blocks. Returns its calls. */
function drive(subject: ApplicationSubject, reference: readonly Step[], prng: Prng): AbciCall[] {
  const { create, blocks } = subject;
  const calls: AbciCall[] = [];
  let stored: ReadonlyMap<string, Uint8Array> = new Map();
  let crashes = 0;
  // More crashes than this would only repeat: a log must end.
  const crashesMax = 2 * blocks.length;
  const crash = () => crashes < crashesMax && prng.below(8) === 0 && ++crashes > 0;

  for (;;) {
    const app = create(new Map(stored));
    calls.push({ call: "boot" });
    const { lastBlockHeight: booted, lastBlockAppHash } = app.info();
    calls.push({ call: "info", height: booted });
    if (booted > 0) expect(toHex(lastBlockAppHash)).toBe(reference[booted - 1]!.appHash);
    noise(app, blocks, prng);
    if (crash()) continue;
    if (booted === 0) {
      app.initChain();
      calls.push({ call: "initChain" });
    }
    let alive = true;
    for (let height = booted + 1; alive && height <= blocks.length; height++) {
      const block = blocks[height - 1]!;
      alive = !crash();
      if (!alive) break;
      rounds(app, block, blocks, prng, calls);
      noise(app, blocks, prng);
      calls.push({ call: "finalizeBlock", height });
      expect(stepOf(app.finalizeBlock(block))).toEqual(reference[height - 1]);
      noise(app, blocks, prng);
      alive = !crash();
      if (!alive) break;
      calls.push({ call: "commit" });
      const { changes } = app.commit();
      alive = !crash(); // the answer may be lost before it is persisted
      if (!alive) break;
      const next = new Map(stored);
      for (const { key, value } of changes) {
        if (value === null) next.delete(key);
        else next.set(key, value.slice());
      }
      stored = next;
    }
    if (alive) return calls;
  }
}

/** Zero to three rounds; all but the block itself lose. */
function rounds(
  app: Application,
  block: Block,
  blocks: readonly Block[],
  prng: Prng,
  calls: AbciCall[],
): void {
  for (let round = prng.below(4); round > 0; round--) {
    const other = blocks[prng.below(blocks.length)]!.transactions;
    const candidate = { ...block, transactions: prng.below(2) === 0 ? other : block.transactions };
    if (prng.below(2) === 0) {
      calls.push({ call: "prepareProposal" });
      const { transactions } = app.prepareProposal(candidate);
      if (prng.below(3) === 0) continue;
      calls.push({ call: "processProposal" });
      app.processProposal({ ...candidate, transactions });
    } else {
      calls.push({ call: "processProposal" });
      app.processProposal(candidate);
    }
  }
}

/** What may come at any time. */
export function noise(app: Application, blocks: readonly Block[], prng: Prng): void {
  for (let i = prng.below(3); i > 0; i--) {
    const { transactions } = blocks[prng.below(blocks.length)]!;
    const pick = prng.below(4);
    if (pick === 0) app.info();
    else if (pick === 1) app.query({ path: "head", data: new Uint8Array(0) });
    else if (pick === 2) app.checkTx(randomBytes(prng));
    else if (transactions.length > 0) app.checkTx(transactions[prng.below(transactions.length)]!);
  }
}

export function randomBytes(prng: Prng): Uint8Array {
  return Uint8Array.from({ length: prng.below(80) }, () => prng.below(256));
}
