/**
 * Method: blocks that nobody asks for. A counter that every block lowers stands for work left over;
 * then the market itself, with payments in flight. Ordering must make blocks until a header carries
 * a hash that nothing changed any more, then fall silent, and go on after a stop in the middle.
 */
import { setImmediate as turn } from "node:timers/promises";
import { afterEach, expect, test, vi } from "vitest";
import type { ChainReader } from "../../../../services/chain/access.ts";
import { createApplication } from "../../../../services/chain/application.ts";
import { PAYMENT_ENTRY } from "../../../../services/chain/payment-entries.ts";
import { openBlockStore } from "../../../../services/ordering/embedded/block-store.ts";
import { startEmbeddedChain } from "../../../../services/ordering/embedded/chain.ts";
import { ManualClock } from "../../../../services/primitives/clock.ts";
import { type MicroCents, unixSeconds } from "../../../../services/primitives/units.ts";
import { encodePay } from "../../../../services/wire/payment.ts";
import { addTransaction, FAILING_AMOUNT } from "../../../support/counter-application.ts";
import { startCounterChain } from "../../../support/counter-chain.ts";
import { temporaryDirectory } from "../../../support/temporary-directory.ts";
import { addressOf, regionsOf, type Who } from "../../chain/payment-chain.ts";

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

/** Until a header carries the hash of the state; then some turns in which nothing may happen. */
async function untilSilent(reader: ChainReader): Promise<number> {
  await vi.waitFor(
    async () => {
      const { height, appHash } = reader.head();
      expect((await reader.block(height))!.header.appHash).toEqual(appHash);
    },
    { timeout: 10_000, interval: 2 },
  );
  const { height } = reader.head();
  for (let i = 0; i < 20; i++) await turn();
  expect(await reader.block(height + 1)).toBeNull();
  expect(reader.head().height).toBe(height);
  return height;
}

async function startCounter(directory: string) {
  const chain = await startCounterChain({ directory, counter: { countsDown: "left" } });
  closing.push(chain.close);
  return chain;
}

// The block that sets the counter, one for each step down, and one whose header proves the last.
test.each([0, 1, 2, 7])(
  "work for %i more blocks is done by itself, and then there is silence",
  async (left) => {
    const chain = await startCounter(temporaryDirectory());
    await chain.writer.submit(addTransaction("other", 1));
    const start = await untilSilent(chain.reader);
    expect(start).toBe(2);
    await chain.writer.submit(addTransaction("left", left));
    const end = await untilSilent(chain.reader);
    // A counter that appears at 0 changes the hash as well.
    expect(end - start).toBe(1 + left + 1);
    expect(chain.application.count("left")).toBe(0);
    for (let height = start + 2; height <= end; height++) {
      expect((await chain.reader.block(height))!.transactions).toEqual([]);
    }
    await chain.writer.submit(addTransaction("other", FAILING_AMOUNT)); // changes nothing
    expect(await untilSilent(chain.reader)).toBe(end + 1);
  },
);

test("after a stop in the middle the next start goes on, and ends where it had to", async () => {
  const directory = temporaryDirectory();
  const first = await startCounter(directory);
  let stopped: Promise<void> | null = null;
  first.reader.onBlock(({ height }) => {
    if (height === 4) stopped = first.stop();
  });
  await first.writer.submit(addTransaction("left", 7));
  await first.ended;
  await stopped;
  expect([first.reader.head().height, first.application.count("left")]).toEqual([4, 4]);
  await closing.pop()!();
  const second = await startCounter(directory);
  expect(await untilSilent(second.reader)).toBe(1 + 7 + 1);
  expect(second.application.count("left")).toBe(0);
});

const A: Who = [0, 0];
const B: Who = [1, 0];
const fixture = regionsOf([1, 1]);

async function startMarket(directory: string) {
  const { genesis } = fixture;
  const store = await openBlockStore({ directory });
  const chain = await startEmbeddedChain({
    genesis,
    createApplication: (stored) => createApplication({ genesis, stored }),
    store,
    sequencerSecretKey: fixture.sequencerSecret,
    clock: new ManualClock(unixSeconds(fixture.slotEndS(0))),
  });
  const close = async () => {
    await chain.stop();
    await store.close();
  };
  closing.push(close);
  return { chain, close };
}

const report = (regionIndex: number, exportWh: number) =>
  fixture.reportTransaction({ regionIndex, slotIndex: 0, importWh: [0], exportWh: [exportWh] });

function payment(nonce: number, amountUc: bigint): Uint8Array {
  const pay = { to: addressOf(fixture, B), amountUc: amountUc as MicroCents };
  return fixture.callTransaction({ regionIndex: 0, memberIndex: 0, nonce, data: encodePay(pay) });
}

test("messages reach their lanes without any transaction, also over a restart", async () => {
  const directory = temporaryDirectory();
  const { chain, close } = await startMarket(directory);
  await chain.writer.submit(report(0, 800)); // A is owed 800 Wh at feed-in, 8,000 uc/Wh
  await chain.writer.submit(report(1, 0));
  const before = await untilSilent(chain.reader);
  const balanceUc = (reader: ChainReader, [r, m]: Who) => reader.lane(r).memberBalanceUc[m];
  expect(balanceUc(chain.reader, A)).toBe(6_400_000n);
  const { height } = await chain.writer.submit(payment(0, 1_000_000n));
  expect(height).toBe(before + 1);
  // The paying block, the one that delivers, the one whose header says so.
  expect(await untilSilent(chain.reader)).toBe(height + 2);
  expect(balanceUc(chain.reader, A)).toBe(5_400_000n);
  expect(balanceUc(chain.reader, B)).toBe(1_000_000n);

  // This time the node stops with the money in flight.
  chain.reader.onBlock((block) => {
    if (block.height === height + 3) void chain.stop();
  });
  await chain.writer.submit(payment(1, 400_000n));
  await chain.ended;
  expect(balanceUc(chain.reader, B)).toBe(1_000_000n);
  closing.splice(closing.indexOf(close), 1);
  await close();
  const again = await startMarket(directory);
  expect(again.chain.recovery.replayedBlocks).toBe(0);
  const end = await untilSilent(again.chain.reader);
  expect(end).toBe(height + 5);
  expect(balanceUc(again.chain.reader, A)).toBe(5_000_000n);
  expect(balanceUc(again.chain.reader, B)).toBe(1_400_000n);

  const range = { beforeHeight: end + 1, limit: 10 };
  const entries = (regionIndex: number) =>
    again.chain.reader.entryRecords({ ...range, regionIndex });
  const told = (await entries(0)).map(({ height: at, entries: [entry] }) => [at, entry!.kind]);
  expect(told).toEqual([
    [height + 3, PAYMENT_ENTRY.sent],
    [height, PAYMENT_ENTRY.sent],
  ]);
  expect((await entries(1)).map((record) => record.height)).toEqual([height + 4, height + 1]);
  const older = { regionIndex: 1, beforeHeight: height + 4, limit: 10 };
  expect(await again.chain.reader.entryRecords(older)).toHaveLength(1);
  expect(await again.chain.reader.entryRecords({ ...older, limit: 0 })).toEqual([]);
  expect(await again.chain.reader.entryRecords({ ...older, beforeHeight: 0 })).toEqual([]);
});
