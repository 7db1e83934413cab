/**
 * Method: the table row by row, first as a pure plan, then on real stores that were stopped right
 * before each step of a block, with an application that keeps its records in the store and with one
 * that keeps them in a file of its own. After each restart the chain must stand where an
 * undisturbed one stands, and the log of calls must obey the grammar.
 */

import { copyFileSync, existsSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { STEPS, type Step } from "../../../../services/ordering/embedded/apply.ts";
import {
  type Heights,
  type Plan,
  planHandshake,
} from "../../../../services/ordering/embedded/handshake.ts";
import { type AbciCall, grammarFault } from "../../../conformance/abci-grammar.ts";
import { addTransaction, type CounterOptions } from "../../../support/counter-application.ts";
import { startCounterChain } from "../../../support/counter-chain.ts";
import { temporaryDirectory } from "../../../support/temporary-directory.ts";

describe("the table", () => {
  const at = (application: number, store: number, state: number, base = 1): Heights => ({
    application,
    store,
    state,
    base,
  });
  const fatal = (reason: RegExp) => ({ kind: "fatal", reason: expect.stringMatching(reason) });
  const table: [string, Heights, Plan | ReturnType<typeof fatal>][] = [
    ["S = 0", at(0, 0, 0), { kind: "done" }],
    ["S = 0 but A > 0", at(3, 0, 0), fatal(/application stands at height 3, the blocks end at 0/)],
    ["0 < A < base - 1", at(3, 9, 9, 5), fatal(/blocks begin at 5/)],
    ["A = base - 1", at(4, 9, 9, 5), { kind: "reapply", from: 5, to: 9 }],
    ["A = 0, blocks pruned", at(0, 9, 9, 2), fatal(/blocks begin at 2/)],
    ["S < A", at(6, 5, 5), fatal(/application stands at height 6/)],
    ["S < T", at(4, 4, 5), fatal(/engine's state stands at height 5/)],
    ["S > T + 1", at(3, 5, 3), fatal(/engine's state stands at height 3/)],
    ["S = T, A < S", at(2, 5, 5), { kind: "reapply", from: 3, to: 5 }],
    ["S = T, A = 0", at(0, 5, 5), { kind: "reapply", from: 1, to: 5 }],
    ["S = T, A = S", at(5, 5, 5), { kind: "done" }],
    ["S = T + 1, A < T", at(2, 6, 5), { kind: "reapply_then_apply", from: 3 }],
    ["S = T + 1, A = T", at(5, 6, 5), { kind: "apply" }],
    ["S = T + 1, A = S", at(6, 6, 5), { kind: "adopt_response" }],
    ["first block stored only", at(0, 1, 0), { kind: "apply" }],
  ];
  test.each(table)("%s", (_, heights, plan) => {
    expect(planHandshake(heights)).toEqual(plan);
  });
});

const STORAGES = ["shared", "own"] as const;
const AMOUNTS = [5, 7, 11, 13];

function count(calls: readonly AbciCall[], name: AbciCall["call"]): number {
  return calls.filter(({ call }) => call === name).length;
}

async function submitAll(chain: Awaited<ReturnType<typeof startCounterChain>>, from = 0) {
  for (const [i, amount] of AMOUNTS.entries()) {
    if (i >= from) await chain.writer.submit(addTransaction(`step-${i}`, amount));
  }
}

function counterIn(directory: string, storage: (typeof STORAGES)[number]): CounterOptions {
  return storage === "own" ? { ownFile: join(directory, "counter.json") } : {};
}

async function undisturbed(storage: (typeof STORAGES)[number]) {
  const directory = temporaryDirectory();
  const chain = await startCounterChain({
    directory: join(directory, "chain"),
    counter: counterIn(directory, storage),
  });
  await submitAll(chain);
  const { appHash } = chain.reader.head();
  await chain.close();
  return appHash;
}

describe.each(STORAGES)("a stop before each step, records %s", (storage) => {
  // The block is stored from "finalize" on; the application's file holds it from "write_state" on.
  const expected: Record<Step, { replayed: number; adopted: boolean }> = {
    write_block: { replayed: 0, adopted: false },
    finalize: { replayed: 1, adopted: false },
    write_response: { replayed: 1, adopted: false },
    commit: { replayed: 1, adopted: false },
    write_state:
      storage === "own" ? { replayed: 0, adopted: true } : { replayed: 1, adopted: false },
    acknowledge: { replayed: 0, adopted: false },
  };

  test.each(STEPS.flatMap((step) => [1, 3].map((height) => ({ step, height }))))(
    "before $step of block $height",
    async ({ step, height }) => {
      const directory = temporaryDirectory();
      const calls: AbciCall[] = [];
      const counter = { ...counterIn(directory, storage), calls };
      let at = 0;
      const stopped = await startCounterChain({
        directory: join(directory, "chain"),
        counter,
        faults: {
          before: (next) => {
            if (next === "write_block") at++;
            if (next === step && at === height) throw new Error("power cut");
          },
        },
      });
      await expect(submitAll(stopped)).rejects.toThrow("power cut");
      await expect(stopped.ended).rejects.toThrow("power cut");
      await stopped.store.close();
      expect(grammarFault(calls)).toBeNull();

      calls.length = 0;
      const again = await startCounterChain({ directory: join(directory, "chain"), counter });
      const { replayed, adopted } = expected[step];
      expect(again.recovery).toEqual({
        initialised: count(calls, "initChain") > 0,
        replayedBlocks: replayed,
        adoptedResponse: adopted,
        rebuiltBecause: null,
      });
      const applicationBefore = step === "acknowledge" || adopted ? height : height - 1;
      expect(count(calls, "initChain") > 0).toBe(applicationBefore === 0);
      const isStored = step !== "write_block";
      for (const [i, amount] of AMOUNTS.entries()) {
        // One addition a block, and no proof block between: block n holds addition n - 1.
        const holds = i < height - 1 || (i === height - 1 && isStored);
        expect(again.application.count(`step-${i}`)).toBe(holds ? amount : 0);
      }
      await submitAll(again, isStored ? height : height - 1);
      expect(again.reader.head().appHash).toEqual(await undisturbed(storage));
      expect(grammarFault(calls)).toBeNull();
      await again.close();
    },
  );
});

describe("an application that keeps its own records", () => {
  async function prepared() {
    const directory = temporaryDirectory();
    const ownFile = join(directory, "counter.json");
    const start = (calls: AbciCall[] = []) =>
      startCounterChain({ directory: join(directory, "chain"), counter: { ownFile, calls } });
    return { directory, ownFile, start };
  }

  test("that is older than the chain is brought up by replay", async () => {
    const { ownFile, start } = await prepared();
    const first = await start();
    await first.writer.submit(addTransaction("a", 1));
    await first.close();
    const heightThen = first.store.height;
    copyFileSync(ownFile, `${ownFile}.old`);
    const second = await start();
    await submitAll(second);
    await second.close();
    copyFileSync(`${ownFile}.old`, ownFile);
    const third = await start();
    expect(third.recovery).toMatchObject({ initialised: false });
    expect(third.recovery.replayedBlocks).toBeGreaterThanOrEqual(AMOUNTS.length);
    expect(third.recovery.replayedBlocks).toBeLessThanOrEqual(third.store.height - heightThen + 1);
    expect(third.application.count("step-3")).toBe(13);
    await third.close();
  });

  test("that lost everything is initialised again and replayed from block 1", async () => {
    const { ownFile, start } = await prepared();
    const first = await start();
    await submitAll(first);
    const { appHash } = first.reader.head();
    await first.close();
    rmSync(ownFile);
    const calls: AbciCall[] = [];
    const second = await start(calls);
    expect(second.recovery.initialised).toBe(true);
    expect(count(calls, "finalizeBlock")).toBe(second.store.height);
    expect(second.reader.head().appHash).toEqual(appHash);
    await second.close();
  });

  test("that is ahead of the blocks is refused: the blocks were rolled back", async () => {
    const { directory, start } = await prepared();
    const first = await start();
    await submitAll(first);
    await first.close();
    rmSync(join(directory, "chain"), { recursive: true });
    await expect(start()).rejects.toMatchObject({
      code: "database_corrupt",
      facts: {
        what: expect.stringMatching(/application stands at height \d, the blocks end at 0/),
      },
    });
  });

  test("that answers differently now is refused, naming the block", async () => {
    const { ownFile, start } = await prepared();
    const first = await start();
    await submitAll(first);
    await first.close();
    rmSync(ownFile);
    // Another program in the same place: it starts from a count that genesis does not have.
    const counts = [["extra", 1]];
    writeFileSync(ownFile, JSON.stringify({ height: 1, timeS: 0, counts }));
    await expect(start()).rejects.toMatchObject({
      code: "database_corrupt",
      facts: { what: expect.stringMatching(/^block 2 led to app hash [0-9a-f]{16} when .* now$/) },
    });
  });
});

test("at height 0 InitChain comes on every start", async () => {
  const directory = temporaryDirectory();
  for (let i = 0; i < 3; i++) {
    const calls: AbciCall[] = [];
    const chain = await startCounterChain({ directory, counter: { calls } });
    expect(count(calls, "initChain")).toBe(1);
    expect(chain.reader.head()).toMatchObject({ height: 0 });
    await chain.close();
  }
  expect(existsSync(join(directory, "CURRENT"))).toBe(true);
});
