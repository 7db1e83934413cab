/**
 * Method: the sequencer over the counter application on a real store. Worked cases for what a
 * submitter, a reader and a listener see; each refusal at its edge; headers checked as a light
 * client would; then damage to single records, which a replay mends or which is named.
 */

import { setImmediate as turn } from "node:timers/promises";
import { Level } from "level";
import { afterEach, describe, expect, test, vi } from "vitest";
import type { CommittedBlock } from "../../../../services/chain/access.ts";
import { sha256 } from "../../../../services/crypto/hash.ts";
import { transactionsRoot } from "../../../../services/ordering/embedded/block.ts";
import { openBlockStore } from "../../../../services/ordering/embedded/block-store.ts";
import { startEmbeddedChain } from "../../../../services/ordering/embedded/chain.ts";
import {
  applicationKey,
  bodyKey,
  ENGINE_STATE_KEY,
  headerKey,
  responseKey,
} from "../../../../services/ordering/embedded/keys.ts";
import { Mempool } from "../../../../services/ordering/embedded/mempool.ts";
import { fromHex, toHex, utf8 } from "../../../../services/primitives/bytes.ts";
import { ManualClock } from "../../../../services/primitives/clock.ts";
import {
  BLOCK_BYTES_MAX,
  MEMPOOL_BYTES_MAX,
  MEMPOOL_TRANSACTIONS_MAX,
  TRANSACTION_BYTES_MAX,
} from "../../../../services/primitives/limits.ts";
import { unixSeconds } from "../../../../services/primitives/units.ts";
import { headerHash, verifyHeader } from "../../../../services/wire/header.ts";
import { TRANSACTION_CODE } from "../../../../services/wire/refusals.ts";
import {
  addTransaction,
  createCounterApplication,
  FAILED_CODE,
  FAILING_AMOUNT,
} from "../../../support/counter-application.ts";
import {
  COUNTER_GENESIS,
  COUNTER_STATE_KEYS,
  startCounterChain,
} from "../../../support/counter-chain.ts";
import { temporaryDirectory } from "../../../support/temporary-directory.ts";

type Chain = Awaited<ReturnType<typeof startCounterChain>>;
const open: Chain[] = [];
afterEach(async () => {
  for (const chain of open.splice(0)) await chain.close();
});

async function start(options: Partial<Parameters<typeof startCounterChain>[0]> = {}) {
  const chain = await startCounterChain({ directory: temporaryDirectory(), ...options });
  open.push(chain);
  return chain;
}

async function reopen(
  chain: Chain,
  options: Partial<Parameters<typeof startCounterChain>[0]> = {},
) {
  open.splice(open.indexOf(chain), 1);
  await chain.close();
  return start({ directory: chain.store.directory, ...options });
}

/** Until the proof block has been made: two turns of the loop after a change, none without. */
async function untilHeight(chain: Chain, height: number) {
  await vi.waitFor(() => expect(chain.reader.head().height).toBe(height), {
    timeout: 10_000,
    interval: 2,
  });
}

describe("submitting", () => {
  test("everything that waits goes into the next block, in order of arrival", async () => {
    const chain = await start();
    const names = ["c", "a", "b"];
    const submitted = await Promise.all(
      names.map((name, i) => chain.writer.submit(addTransaction(name, i))),
    );
    expect(submitted.map(({ code, height }) => [code, height])).toEqual([
      [0, 1],
      [0, 1],
      [0, 1],
    ]);
    expect(submitted[0]!.hash).toEqual(sha256(addTransaction("c", 0)));
    const block = (await chain.reader.block(1))!;
    expect(block.transactions).toEqual(names.map((name, i) => addTransaction(name, i)));
  });

  test("what resolved is durable and visible", async () => {
    const chain = await start();
    const { height } = await chain.writer.submit(addTransaction("a", 4));
    expect(chain.reader.head().height).toBe(height);
    expect(chain.application.count("a")).toBe(4);
    const again = await reopen(chain);
    expect(again.application.count("a")).toBe(4);
    expect(again.reader.head().height).toBeGreaterThanOrEqual(height);
  });

  test("transactions that arrive while a block is made share the next one", async () => {
    const chain = await start();
    const first = chain.writer.submit(addTransaction("a", 1));
    await turn();
    const rest = ["b", "c", "d"].map((name) => chain.writer.submit(addTransaction(name, 1)));
    const heights = (await Promise.all([first, ...rest])).map(({ height }) => height);
    expect(heights).toEqual([1, 2, 2, 2]);
  });

  test("a transaction that fails in its block is in the block, with its code", async () => {
    const chain = await start();
    const failing = addTransaction("a", FAILING_AMOUNT);
    expect(await chain.writer.submit(failing)).toMatchObject({
      code: FAILED_CODE,
      info: "asked to fail",
      height: 1,
    });
    expect((await chain.reader.block(1))!.transactions).toEqual([failing]);
    // Nothing executed, so the same bytes may come again.
    expect(await chain.writer.submit(failing)).toMatchObject({ code: FAILED_CODE, height: 2 });
  });

  test("refusals: malformed, oversized, duplicate while waiting and after", async () => {
    const chain = await start();
    expect(await chain.writer.submit(utf8("nonsense"))).toMatchObject({
      code: TRANSACTION_CODE.malformed,
      height: 0,
    });
    const oversized = new Uint8Array(TRANSACTION_BYTES_MAX + 1);
    expect(await chain.writer.submit(oversized)).toMatchObject({
      code: TRANSACTION_CODE.oversized,
      height: 0,
    });
    const [first, second] = await Promise.all([
      chain.writer.submit(addTransaction("a", 1)),
      chain.writer.submit(addTransaction("a", 1)),
    ]);
    expect([first.code, second.code]).toEqual([0, TRANSACTION_CODE.duplicate]);
    expect(await chain.writer.submit(addTransaction("a", 1))).toMatchObject({
      code: TRANSACTION_CODE.duplicate,
    });
    expect(chain.application.count("a")).toBe(1);
  });

  test("a full mempool refuses the next one, and serves those it took", async () => {
    const chain = await start();
    const all = Array.from({ length: MEMPOOL_TRANSACTIONS_MAX + 1 }, (_, i) =>
      chain.writer.submit(addTransaction(`n${i}`, 1)),
    );
    expect(await all.at(-1)).toMatchObject({ code: TRANSACTION_CODE.mempool_full, height: 0 });
    const taken = await Promise.all(all.slice(0, -1));
    expect(taken.every(({ code, height }) => code === 0 && height === 1)).toBe(true);
  });

  test("what a block has no room for waits for the next, bounded in bytes", () => {
    const mempool = new Mempool();
    const transaction = new Uint8Array(TRANSACTION_BYTES_MAX);
    let count = 0;
    for (; mempool.fits(transaction); count++) {
      const id = String(count);
      mempool.add({ transaction, hash: utf8(id), id, resolve: () => {}, reject: () => {} });
    }
    expect(count).toBe(Math.floor(MEMPOOL_BYTES_MAX / TRANSACTION_BYTES_MAX));
    const block = mempool.oldest(1000);
    expect(block.map(({ id }) => id)).toEqual(
      Array.from({ length: Math.floor(BLOCK_BYTES_MAX / TRANSACTION_BYTES_MAX) }, (_, i) => `${i}`),
    );
    for (const { id } of block) mempool.remove(id);
    expect(mempool.oldest(1)[0]!.id).toBe(String(block.length));
    expect(mempool.fits(transaction)).toBe(true);
  });
});

describe("blocks", () => {
  test("headers chain, carry the state before, and bear the sequencer's signature", async () => {
    const chain = await start();
    await chain.writer.submit(addTransaction("a", 1));
    await chain.writer.submit(addTransaction("b", 2));
    await untilHeight(chain, 3);
    const publicKey = fromHex(COUNTER_GENESIS.sequencerPublicKey);
    let parentHash: Uint8Array = new Uint8Array(32);
    const hashes = [createCounterApplication().initChain().appHash];
    for (let height = 1; height <= 3; height++) {
      const { header, signature, transactions } = (await chain.reader.block(height))!;
      expect(verifyHeader({ header, signature, publicKey })).toBe(true);
      expect(header).toMatchObject({ chainVersion: 1, networkId: "counter-test", height });
      expect(header.parentHash).toEqual(parentHash);
      expect(header.transactionsRoot).toEqual(transactionsRoot(transactions));
      hashes.push(header.appHash);
      parentHash = headerHash(header);
    }
    expect(hashes[1]).toEqual(hashes[0]); // block 1 carries genesis
    expect(new Set(hashes.map(toHex)).size).toBe(3);
    expect(chain.reader.head().appHash).toEqual(hashes[3]);
    expect(await chain.reader.block(4)).toBeNull();
  });

  test("one proof block follows a change, none follows itself, none without a change", async () => {
    const chain = await start();
    const heights: number[] = [];
    chain.reader.onBlock(({ height }) => heights.push(height));
    await chain.writer.submit(addTransaction("a", 1));
    await untilHeight(chain, 2);
    expect((await chain.reader.block(2))!.transactions).toEqual([]);
    expect((await chain.reader.block(2))!.header.appHash).toEqual(chain.reader.head().appHash);
    await chain.writer.submit(addTransaction("a", FAILING_AMOUNT)); // changes nothing
    await turn();
    const again = await reopen(chain);
    await turn();
    expect(again.reader.head().height).toBe(3);
    expect(heights).toEqual([1, 2, 3]);
  });

  test("a proof block that a stop cut off is made on the next start", async () => {
    const chain = await start();
    await chain.writer.submit(addTransaction("a", 1));
    const stopped = chain.stop(); // before the loop comes to the proof block
    await stopped;
    const height = chain.store.height;
    const again = await reopen(chain);
    await untilHeight(again, 2);
    expect(height).toBeLessThanOrEqual(2);
    expect((await again.reader.block(2))!.transactions).toEqual([]);
  });

  test("time is market time, never below the parent's, and never before genesis", async () => {
    const clock = new ManualClock(unixSeconds(0));
    const chain = await start({ clock });
    const timeOf = async (height: number) => (await chain.reader.block(height))!.header.timeS;
    await chain.writer.submit(addTransaction("a", 1));
    expect(await timeOf(1)).toBe(COUNTER_GENESIS.genesisTimeS);
    clock.advanceTo(unixSeconds(COUNTER_GENESIS.genesisTimeS + 777));
    const { height } = await chain.writer.submit(addTransaction("b", 1));
    expect(await timeOf(height)).toBe(COUNTER_GENESIS.genesisTimeS + 777);
    const slow = await reopen(chain, { clock: new ManualClock(unixSeconds(5)) });
    const { height: next } = await slow.writer.submit(addTransaction("c", 1));
    expect((await slow.reader.block(next))!.header.timeS).toBe(COUNTER_GENESIS.genesisTimeS + 777);
  });

  test("listeners hear each block once, in order, after it is readable", async () => {
    const chain = await start();
    const heard: CommittedBlock[] = [];
    const off = chain.reader.onBlock((block) => {
      expect(chain.reader.head().height).toBe(block.height);
      heard.push(block);
    });
    await chain.writer.submit(addTransaction("a", 1));
    await chain.writer.submit(addTransaction("b", FAILING_AMOUNT));
    expect(heard.map(({ height }) => height)).toEqual([1, 2]);
    expect(heard[1]!.results).toEqual([{ code: FAILED_CODE, info: "asked to fail" }]);
    off();
    await chain.writer.submit(addTransaction("c", 1));
    expect(heard.filter(({ results }) => results.length > 0)).toHaveLength(2);
  });
});

describe("an application that objects", () => {
  test("to one transaction of a block loses that one alone", async () => {
    const chain = await start({ counter: { unproposable: new Set(["add bad 1"]) } });
    const all = ["a", "bad", "b"].map((name) => chain.writer.submit(addTransaction(name, 1)));
    const settled = await Promise.allSettled(all);
    expect(settled.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
    expect(settled[1]).toMatchObject({
      reason: { code: "block_rejected", facts: { reason: 'holds "add bad 1"' } },
    });
    expect([chain.application.count("a"), chain.application.count("b")]).toEqual([1, 1]);
    const { code, height } = await chain.writer.submit(addTransaction("c", 1));
    expect([code, height]).toEqual([0, chain.reader.head().height]);
  });

  test("by leaving transactions out keeps them waiting", async () => {
    const dropped = new Set(["add later 1"]);
    const chain = await start({ counter: { dropped } });
    const later = chain.writer.submit(addTransaction("later", 1));
    const now = await chain.writer.submit(addTransaction("now", 1));
    expect(now).toMatchObject({ code: 0, height: 1 });
    dropped.clear();
    await chain.writer.submit(addTransaction("more", 1));
    expect(await later).toMatchObject({ code: 0 });
  });
});

describe("stopping", () => {
  test("refuses what waits and what comes, and finishes the block in the making", async () => {
    const chain = await start();
    const inBlock = chain.writer.submit(addTransaction("a", 1));
    await turn(); // the block is being written
    const waiting = chain.writer.submit(addTransaction("b", 1));
    const stopping = chain.stop();
    await expect(waiting).rejects.toMatchObject({ code: "stopped" });
    expect(await inBlock).toMatchObject({ code: 0, height: 1 });
    await stopping;
    await expect(chain.ended).resolves.toBeUndefined();
    await expect(chain.writer.submit(addTransaction("c", 1))).rejects.toMatchObject({
      code: "stopped",
    });
  });

  test("a failing disk ends the chain: submitters and `ended` hear of it", async () => {
    const failure = new Error("no space");
    const chain = await start({
      faults: {
        before: (step) => {
          if (step === "write_state") throw failure;
        },
      },
    });
    await expect(chain.writer.submit(addTransaction("a", 1))).rejects.toBe(failure);
    await expect(chain.writer.submit(addTransaction("b", 1))).rejects.toBe(failure);
    await expect(chain.ended).rejects.toBe(failure);
    expect(chain.reader.head().height).toBe(0); // never shown what is not durable
  });

  test("a sequencer key that genesis does not name is refused", async () => {
    const store = await openBlockStore({ directory: temporaryDirectory() });
    const starting = startEmbeddedChain({
      genesis: COUNTER_GENESIS,
      createApplication: (stored) => createCounterApplication({ stored }),
      store,
      sequencerSecretKey: new Uint8Array(32).fill(8),
      clock: new ManualClock(unixSeconds(0)),
      stateKeys: COUNTER_STATE_KEYS,
    });
    await expect(starting).rejects.toMatchObject({
      code: "argument_invalid",
      message: expect.stringContaining("use the key file that was made with this genesis"),
    });
    await store.close();
  });
});

describe("damage to single records", () => {
  /** Changes the stored bytes of a key behind the store's back. */
  async function tamper(
    directory: string,
    key: string,
    change: (bytes: Uint8Array) => Uint8Array | null,
  ) {
    const level = new Level<string, Uint8Array>(directory, { valueEncoding: "view" });
    const bytes = (await level.get(key))!;
    const changed = change(Uint8Array.from(bytes));
    if (changed === null) await level.del(key);
    else await level.put(key, changed);
    await level.close();
  }

  const flip = (bytes: Uint8Array) => {
    bytes[bytes.length - 1]! ^= 1;
    return bytes;
  };

  async function filled() {
    const chain = await start();
    for (let i = 1; i <= 4; i++) await chain.writer.submit(addTransaction("a", i));
    await untilHeight(chain, 5);
    const { appHash } = chain.reader.head();
    open.splice(open.indexOf(chain), 1);
    await chain.close();
    return { directory: chain.store.directory, appHash };
  }

  test.each([
    { name: "a flipped bit in a count", key: applicationKey("n/a"), change: flip },
    { name: "a flipped bit in the head", key: applicationKey("head"), change: flip },
    { name: "a flipped bit in the engine's state", key: ENGINE_STATE_KEY, change: flip },
    { name: "a lost engine state", key: ENGINE_STATE_KEY, change: () => null },
    { name: "a lost response", key: responseKey(3), change: () => null },
    { name: "the last response lost", key: responseKey(5), change: () => null },
  ])("$name is mended from the blocks", async ({ key, change }) => {
    const { directory, appHash } = await filled();
    await tamper(directory, key, change);
    const mended = await start({ directory });
    expect(mended.recovery).toMatchObject({ initialised: true, replayedBlocks: 5 });
    expect(mended.recovery.rebuiltBecause).toEqual(expect.any(String));
    expect(mended.reader.head()).toMatchObject({ height: 5, appHash });
    expect(mended.application.count("a")).toBe(10);
    const again = await reopen(mended);
    expect(again.recovery).toMatchObject({ replayedBlocks: 0, rebuiltBecause: null });
  });

  test("a rebuild that was cut short goes on where it stopped", async () => {
    const { directory, appHash } = await filled();
    await tamper(directory, applicationKey("n/a"), flip);
    let applied = 0;
    const faults = {
      before: (step: string) => {
        if (step === "finalize" && ++applied === 3) throw new Error("power cut");
      },
    };
    await expect(start({ directory, faults })).rejects.toThrow("power cut");
    const resumed = await start({ directory });
    expect(resumed.recovery).toEqual({
      initialised: false,
      replayedBlocks: 3,
      adoptedResponse: false,
      rebuiltBecause: "an earlier rebuild was cut short",
    });
    expect(resumed.reader.head()).toMatchObject({ height: 5, appHash });
  });

  test.each([
    { name: "a flipped bit in a header", key: headerKey(3), change: flip, what: /h\/0*3 fails/ },
    { name: "a flipped bit in a body", key: bodyKey(3), change: flip, what: /b\/0*3 fails/ },
    { name: "a lost block", key: headerKey(3), change: () => null, what: /block 3 is missing/ },
    {
      name: "a lost first block",
      key: headerKey(1),
      change: () => null,
      what: /block 1 is missing/,
    },
    {
      name: "a lost last block",
      key: headerKey(5),
      change: () => null,
      what: /block 5 is missing/,
    },
    { name: "a lost body", key: bodyKey(3), change: () => null, what: /body of block 3/ },
  ])("$name is named, when the block is needed", async ({ key, change, what }) => {
    const { directory } = await filled();
    await tamper(directory, key, change);
    await tamper(directory, applicationKey("n/a"), flip); // so that all blocks are needed
    await expect(start({ directory })).rejects.toMatchObject({
      code: "database_corrupt",
      facts: { directory, what: expect.stringMatching(what) },
    });
  });
});
