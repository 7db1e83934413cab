/**
 * Method: one chain on disk, run by software that knows version 1, then by software that knows 2.
 * The old one must stop right before the activation height with everything acknowledged on the disk
 * and refuse to start again; the new one goes on. Then headers of a version that is not in force.
 */
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import type { Submitted } from "../../../../services/chain/access.ts";
import { createApplication } from "../../../../services/chain/application.ts";
import { VERSIONS, type VersionTable } from "../../../../services/chain/versions.ts";
import { signBlock } from "../../../../services/ordering/embedded/block.ts";
import {
  type BlockStore,
  openBlockStore,
} from "../../../../services/ordering/embedded/block-store.ts";
import {
  type EmbeddedChain,
  startEmbeddedChain,
} from "../../../../services/ordering/embedded/chain.ts";
import { ManualClock } from "../../../../services/primitives/clock.ts";
import { headerHash } from "../../../../services/wire/header.ts";
import { createMarketFixture } from "../../../support/market-fixture.ts";
import { poisonedExecutor } from "../../../support/poisoned-executor.ts";
import { temporaryDirectory } from "../../../support/temporary-directory.ts";

const fixture = createMarketFixture({
  label: "upgrade",
  regions: [{ id: "east", limits: [undefined] }],
});
const { genesis, sequencerSecret } = fixture;
const FIRST = VERSIONS.get(1)!;
const OLD: VersionTable = new Map([[1, FIRST]]);
const NEW: VersionTable = new Map([
  [1, FIRST],
  [2, { ...FIRST, limitsNoticeSlots: 3 }],
]);
const H = 12;

const open: { chain: EmbeddedChain; store: BlockStore }[] = [];
afterEach(async () => {
  for (const { chain, store } of open.splice(0)) {
    await chain.stop().catch(() => {});
    await store.close();
  }
});

async function start(directory: string, versions: VersionTable): Promise<EmbeddedChain> {
  const store = await openBlockStore({ directory: join(directory, "chain") });
  try {
    const chain = await startEmbeddedChain({
      genesis,
      createApplication: (stored) => createApplication({ genesis, stored, versions }),
      store,
      sequencerSecretKey: sequencerSecret,
      clock: new ManualClock(fixture.slotEndS(40)),
    });
    open.push({ chain, store });
    return chain;
  } catch (failure) {
    await store.close();
    throw failure;
  }
}

async function stop(): Promise<void> {
  const [last] = open.splice(-1);
  await last!.chain.stop().catch(() => {});
  await last!.store.close();
}

const report = (slotIndex: number) =>
  fixture.reportTransaction({
    ...{ regionIndex: 0, slotIndex },
    ...{ importWh: [slotIndex + 1], exportWh: [0] },
  });
const upgrade = fixture.committeeTransaction({
  act: { kind: "upgrade", version: 2, height: H },
  sequence: 1,
});

/** Runs old software against the activation height; what it acknowledged. */
async function runOld(directory: string): Promise<Submitted[]> {
  const chain = await start(directory, OLD);
  const acknowledged = [await chain.writer.submit(upgrade)];
  for (let s = 0; s < H; s++) {
    const answer = await chain.writer.submit(report(s)).catch((failure: unknown) => failure);
    if (answer instanceof Error) {
      expect(answer).toMatchObject({ code: "upgrade_required", facts: { version: 2, height: H } });
      break;
    }
    acknowledged.push(answer as Submitted);
  }
  await expect(chain.ended).rejects.toMatchObject({ code: "upgrade_required" });
  expect(chain.reader.head()).toMatchObject({ height: H - 1, chainVersion: 2 });
  await stop();
  return acknowledged;
}

test("old software stops before the height and starts no more; new software goes on", async () => {
  const directory = temporaryDirectory();
  const acknowledged = await runOld(directory);
  expect(acknowledged.every(({ code, height }) => code === 0 && height < H)).toBe(true);
  await expect(start(directory, OLD)).rejects.toMatchObject({
    code: "upgrade_required",
    facts: { version: 2, height: H },
  });
  const chain = await start(directory, NEW);
  const slots = acknowledged.length - 1; // beside the order
  expect(chain.reader.head().clearedSlots).toBe(slots);
  const next = await chain.writer.submit(report(slots));
  expect(next.code).toBe(0);
  for (let height = 1; height <= next.height; height++) {
    const block = await chain.reader.block(height);
    expect(block!.header.chainVersion).toBe(height < H ? 1 : 2);
  }
  await stop();
  const again = await start(directory, NEW);
  expect(again.recovery).toMatchObject({ replayedBlocks: 0 });
  await stop();
  await expect(start(directory, OLD)).rejects.toMatchObject({ code: "upgrade_required" });
});

test("new software from the start gives the same blocks", async () => {
  const [one, other] = [temporaryDirectory(), temporaryDirectory()];
  const acknowledged = await runOld(one);
  const first = await start(one, NEW);
  await first.writer.submit(report(acknowledged.length - 1));
  const second = await start(other, NEW);
  await second.writer.submit(upgrade);
  for (let s = 0; s < acknowledged.length; s++) await second.writer.submit(report(s));
  expect(second.reader.head().appHash).toEqual(first.reader.head().appHash);
});

test.each([1, 3])(
  "a block of version %i is refused where version 2 is in force",
  async (version) => {
    const directory = temporaryDirectory();
    await runOld(directory);
    const store = await openBlockStore({ directory: join(directory, "chain") });
    const parent = await store.block(H - 1);
    const { appHash } = store.state!;
    const header = {
      chainVersion: version,
      networkId: genesis.networkId,
      height: H,
      timeS: parent!.header.timeS,
      parentHash: headerHash(parent!.header),
      appHash,
    };
    const block = signBlock({ header, transactions: [], secretKey: sequencerSecret });
    await store.writeBlock(block);
    await store.close();
    await expect(start(directory, NEW)).rejects.toMatchObject({
      code: "database_corrupt",
      message: expect.stringContaining(
        `block ${H} bears chain version ${version}, but version 2 is in force`,
      ),
    });
  },
);

test("a released lane finishes catching up over blocks that nobody asked for", async () => {
  const pair = createMarketFixture({
    label: "catch up",
    regions: [
      { id: "east", limits: [undefined] },
      { id: "west", limits: [undefined] },
    ],
  });
  const slow: VersionTable = new Map([[1, { ...FIRST, catchUpSlotsPerBlockMax: 2 }]]);
  let poisoned = true;
  const executor = poisonedExecutor(({ regionIndex }) => poisoned && regionIndex === 1);
  const store = await openBlockStore({ directory: join(temporaryDirectory(), "chain") });
  const chain = await startEmbeddedChain({
    genesis: pair.genesis,
    createApplication: (stored) =>
      createApplication({ genesis: pair.genesis, stored, executor, versions: slow }),
    store,
    sequencerSecretKey: pair.sequencerSecret,
    clock: new ManualClock(pair.slotEndS(40)),
  });
  open.push({ chain, store });
  for (let slotIndex = 0; slotIndex < 7; slotIndex++) {
    for (const regionIndex of [0, 1]) {
      const energy = { importWh: [1], exportWh: [0] };
      await chain.writer.submit(pair.reportTransaction({ regionIndex, slotIndex, ...energy }));
    }
  }
  expect(chain.reader.head()).toMatchObject({ clearedSlots: 7, lanesOut: [{ clearedSlots: 0 }] });
  poisoned = false;
  const act = { kind: "release", regionIndex: 1 } as const;
  const { height } = await chain.writer.submit(pair.committeeTransaction({ act, sequence: 1 }));
  await expect.poll(() => chain.reader.head().lanesOut).toEqual([]);
  // 2, 2, 2 and 1 slots, and a header that proves the last ones.
  await expect.poll(() => chain.reader.head().height).toBe(height + 4);
  const last = pair.slotAtIndex(6);
  const proof = await chain.reader.billProof({ regionIndex: 1, slot: last, leafIndex: 0 });
  expect(proof?.header.height).toBe(height + 4);
});
