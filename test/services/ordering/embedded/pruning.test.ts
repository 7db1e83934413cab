/**
 * Method: the market on embedded ordering with random traffic, pruned behind its snapshots. Every
 * bill that was ever issued must stay provable and every slot readable; then the pruned store is
 * damaged in each way that a replay must mend, or that it cannot, with and without snapshots that
 * will do. Last, a second chain begins with a snapshot of the first and follows its blocks.
 */
import { cpSync } from "node:fs";
import { join } from "node:path";
import { Level } from "level";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import {
  createApplication,
  type MarketApplication,
} from "../../../../services/chain/application.ts";
import { verifyBillProof } from "../../../../services/chain/light-client/verify-bill.ts";
import { NO_SNAPSHOTS, type SnapshotSource } from "../../../../services/chain/snapshot.ts";
import { laneKey } from "../../../../services/chain/store-keys.ts";
import { createStoreAuditSource } from "../../../../services/ordering/embedded/audit-source.ts";
import {
  type BlockStore,
  inspectBlockStore,
  openBlockStore,
} from "../../../../services/ordering/embedded/block-store.ts";
import {
  type EmbeddedChain,
  startEmbeddedChain,
} from "../../../../services/ordering/embedded/chain.ts";
import {
  importBlocks,
  importSnapshot,
  type SnapshotAnchor,
} from "../../../../services/ordering/embedded/import-snapshot.ts";
import {
  applicationKey,
  bodyKey,
  ENGINE_STATE_KEY,
  responseKey,
} from "../../../../services/ordering/embedded/keys.ts";
import { openSealedLevel } from "../../../../services/ordering/embedded/sealed-level.ts";
import { fromHex } from "../../../../services/primitives/bytes.ts";
import { ManualClock } from "../../../../services/primitives/clock.ts";
import { encode } from "../../../../services/primitives/codec.ts";
import { type Slot, unixSeconds } from "../../../../services/primitives/units.ts";
import type { SlotRecord } from "../../../../services/wire/slot-record.ts";
import { sourceOf, type Taken } from "../../../conformance/state-sync-suite.ts";
import { temporaryDirectory } from "../../../support/temporary-directory.ts";
import { randomBlocks, threeRegions } from "../../chain/workload.ts";

const fixture = threeRegions();
const { genesis } = fixture;
const traffic = randomBlocks(fixture, "pruning", 8);
const sequencerPublicKey = fromHex(genesis.sequencerPublicKey);

type Node = {
  readonly chain: EmbeddedChain;
  readonly store: BlockStore;
  readonly application: MarketApplication;
  readonly clock: ManualClock;
  stop(): Promise<void>;
};

async function openNode(
  directory: string,
  {
    snapshots = NO_SNAPSHOTS,
    retainHeight = () => 0,
  }: { snapshots?: SnapshotSource; retainHeight?: () => number } = {},
): Promise<Node> {
  const store = await openBlockStore({ directory });
  const clock = new ManualClock(unixSeconds(genesis.genesisTimeS));
  let application!: MarketApplication;
  try {
    const chain = await startEmbeddedChain({
      genesis,
      createApplication: (stored) => {
        application = createApplication({ genesis, stored, snapshots, retainHeight });
        return application;
      },
      store,
      sequencerSecretKey: fixture.sequencerSecret,
      clock,
      snapshots,
    });
    const stop = async () => {
      await chain.stop();
      await store.close();
    };
    return { chain, store, application, clock, stop };
  } catch (failure) {
    await store.close();
    throw failure;
  }
}

function take(application: MarketApplication): Taken {
  const chunks: Uint8Array[] = [];
  const steps = application.snapshot();
  for (let step = steps.next(); ; step = steps.next()) {
    if (step.done === true) return { snapshot: step.value, chunks };
    chunks.push(...step.value);
  }
}

async function drive(node: Node, blocks: typeof traffic): Promise<void> {
  for (const { timeS, transactions } of blocks) {
    node.clock.advanceTo(timeS);
    for (const bytes of transactions) await node.chain.writer.submit(bytes);
  }
  await settled(node);
}

/** Until the proof block of the last change is there. */
async function settled({ chain }: Node): Promise<void> {
  await vi.waitFor(async () => {
    const { height, appHash } = chain.reader.head();
    expect((await chain.reader.block(height))!.header.appHash).toEqual(appHash);
  }, 10_000);
}

const pruned = temporaryDirectory(); // of a node that has stopped
const whole = temporaryDirectory(); // the same chain without pruning
const announced: SlotRecord[] = [];
const kept: Taken[] = []; // newest first
let head: ReturnType<EmbeddedChain["reader"]["head"]>;
let base = 0;

beforeAll(async () => {
  const source: SnapshotSource = {
    list: () => sourceOf(kept).list(),
    chunk: (place) => sourceOf(kept).chunk(place),
  };
  const retainHeight = () => kept.at(-1)?.snapshot.height ?? 0;
  const node = await openNode(pruned, { snapshots: source, retainHeight });
  const twin = await openNode(whole);
  node.chain.reader.onBlock(({ slotRecords }) => announced.push(...slotRecords));
  const third = Math.floor(traffic.length / 3);
  await drive(node, traffic.slice(0, third));
  kept.unshift(take(node.application));
  await drive(node, traffic.slice(third, 2 * third));
  kept.unshift(take(node.application));
  await drive(node, traffic.slice(2 * third));
  head = node.chain.reader.head();
  base = node.store.base;
  for (const [from, to] of [
    [0, third],
    [third, 2 * third],
    [2 * third, traffic.length],
  ]) {
    await drive(twin, traffic.slice(from, to)); // proof blocks stand where the first node has them
  }
  expect(twin.chain.reader.head()).toEqual(head);
  await node.stop();
  await twin.stop();
});

async function strayKeys({ store }: Node): Promise<readonly string[]> {
  return (await createStoreAuditSource(store).keys("")).strays;
}

async function expectAllProvable({ chain }: Node): Promise<void> {
  expect(announced.length).toBe(8 * 3);
  for (const record of announced) {
    const { regionIndex, slot, bills } = record;
    expect(await chain.reader.slotRecord(regionIndex, slot)).toEqual(record);
    for (const [leafIndex, bill] of [...bills].entries()) {
      const proof = (await chain.reader.billProof({ regionIndex, slot, leafIndex }))!;
      expect(verifyBillProof({ bill, proof, sequencerPublicKey })).toBeNull();
    }
  }
}

function copyOf(directory: string): string {
  const copy = join(temporaryDirectory(), "chain");
  cpSync(directory, copy, { recursive: true });
  return copy;
}

describe("pruning", () => {
  test("bodies and responses go below the oldest snapshot; headers stay", async () => {
    const node = await openNode(copyOf(pruned), { snapshots: sourceOf(kept) });
    const oldest = kept.at(-1)!.snapshot.height;
    expect(base).toBe(oldest);
    expect(node.store.base).toBe(oldest);
    expect(oldest).toBeGreaterThan(3);
    for (let height = 1; height <= head.height; height++) {
      const signed = (await node.store.signedHeader(height))!;
      expect(signed.header.height).toBe(height);
      expect((await node.chain.reader.block(height)) === null).toBe(height < oldest);
      expect((await node.store.response(height)) === null).toBe(height < oldest);
    }
    expect(await strayKeys(node)).toEqual([]);
    expect(node.store.damage).toBeNull();
    expect(node.chain.recovery).toMatchObject({ replayedBlocks: 0, rebuiltBecause: null });
    await node.stop();
  });

  test("every bill of the past is provable, every slot readable, after a restart", async () => {
    const node = await openNode(copyOf(pruned));
    await expectAllProvable(node);
    const slots = { fromSlot: 0 as Slot, toSlot: (2 ** 40) as Slot, limit: 1000 };
    expect(await node.chain.reader.slotRecords({ regionIndex: 1, ...slots })).toHaveLength(8);
    await node.stop();
  });
});

describe("a damaged store whose first blocks are gone", () => {
  async function damaged(change: (level: Level<string, Uint8Array>) => Promise<void>) {
    const directory = copyOf(pruned);
    const level = new Level<string, Uint8Array>(directory, { valueEncoding: "view" });
    await change(level);
    await level.close();
    return directory;
  }
  const flip = (key: string) => async (level: Level<string, Uint8Array>) => {
    const bytes = Uint8Array.from((await level.get(key))!);
    bytes[bytes.length >> 1]! ^= 0x20;
    await level.put(key, bytes);
  };
  const lose = (key: string) => (level: Level<string, Uint8Array>) => level.del(key);
  const newest = () => kept[0]!.snapshot.height;
  const oldest = () => kept.at(-1)!.snapshot.height;

  test.each([
    ["a lane with a flipped bit", () => flip(applicationKey(laneKey(1))), newest],
    ["a lost lane", () => lose(applicationKey(laneKey(0))), newest],
    ["the engine's state with a flipped bit", () => flip(ENGINE_STATE_KEY), newest],
    ["the engine's state lost", () => lose(ENGINE_STATE_KEY), newest],
    ["the last response lost", () => lose(responseKey(head.height)), newest],
    [
      "a response lost from before the last snapshot",
      () => lose(responseKey(kept[0]!.snapshot.height)),
      oldest,
    ],
  ])("%s heals from a snapshot and the blocks after it", async (_, change, from) => {
    const directory = await damaged(change());
    const node = await openNode(directory, { snapshots: sourceOf(kept) });
    expect(node.chain.recovery).toMatchObject({
      initialised: false,
      replayedBlocks: head.height - from(),
      rebuiltBecause: expect.stringContaining(`from the snapshot of height ${from()}`),
    });
    expect(node.chain.reader.head()).toEqual(head);
    await expectAllProvable(node);
    expect(await strayKeys(node)).toEqual([]);
    await node.stop();
    const again = await openNode(directory, { snapshots: sourceOf(kept) });
    expect(again.chain.recovery).toMatchObject({ replayedBlocks: 0, rebuiltBecause: null });
    expect(take(again.application).snapshot).toEqual(take(node.application).snapshot);
    await again.stop();
  });

  test("a damaged snapshot is passed over for an older one", async () => {
    const directory = await damaged(flip(applicationKey(laneKey(1))));
    const snapshots: SnapshotSource = {
      ...sourceOf(kept),
      chunk: (place) => (place.height === newest() ? null : sourceOf(kept).chunk(place)),
    };
    const node = await openNode(directory, { snapshots });
    expect(node.chain.recovery.replayedBlocks).toBe(head.height - oldest());
    expect(node.chain.reader.head()).toEqual(head);
    await node.stop();
  });

  test("a snapshot of another chain under the right height is passed over", async () => {
    const other = createApplication({ genesis, stored: new Map() });
    other.initChain();
    for (let height = 1; height <= newest(); height++) {
      other.finalizeBlock({ height, timeS: traffic[0]!.timeS, transactions: [] });
      other.commit();
    }
    const directory = await damaged(flip(applicationKey(laneKey(1))));
    const node = await openNode(directory, { snapshots: sourceOf([take(other), kept.at(-1)!]) });
    expect(node.chain.recovery.replayedBlocks).toBe(head.height - oldest());
    await node.stop();
  });

  test.each([
    ["no snapshot is kept", () => NO_SNAPSHOTS, /not stored, and no snapshot is kept/],
    [
      "the only one is damaged",
      () => ({ ...sourceOf(kept), chunk: () => null }),
      /height \d+ will not do: chunk 0 is missing or damaged/,
    ],
  ])("is refused in a sentence, and left as it is, where %s", async (_, snapshots, sentence) => {
    const directory = await damaged(flip(applicationKey(laneKey(1))));
    for (let times = 0; times < 2; times++) {
      await expect(openNode(directory, { snapshots: snapshots() })).rejects.toMatchObject({
        code: "database_corrupt",
        facts: { what: expect.stringMatching(sentence) },
      });
    }
    const node = await openNode(directory, { snapshots: sourceOf(kept) });
    expect(node.chain.reader.head()).toEqual(head);
    await node.stop();
  });

  test("a body that is lost above the snapshot is named", async () => {
    const directory = await damaged(async (level) => {
      await lose(bodyKey(head.height - 1))(level);
      await flip(applicationKey(laneKey(1)))(level);
    });
    await expect(openNode(directory, { snapshots: sourceOf(kept) })).rejects.toMatchObject({
      code: "database_corrupt",
      facts: { what: `body of block ${head.height - 1} is missing` },
    });
  });

  test("a rebuild that was cut short goes on, from a snapshot again", async () => {
    const directory = await damaged(flip(applicationKey(laneKey(1))));
    // The first rebuild ends at a lost body, with its mark set; then the body comes back.
    const copy = copyOf(directory);
    const level = await openSealedLevel(copy);
    const body = (await level.get(bodyKey(head.height)))!;
    await level.write([{ key: bodyKey(head.height), value: null }]);
    await level.close();
    await expect(openNode(copy, { snapshots: sourceOf(kept) })).rejects.toThrow(/body of block/);
    const mended = await openSealedLevel(copy);
    await mended.write([{ key: bodyKey(head.height), value: body }]);
    await mended.close();
    const node = await openNode(copy, { snapshots: sourceOf(kept) });
    expect(node.chain.recovery.rebuiltBecause).toBe("an earlier rebuild was cut short");
    expect(node.chain.reader.head()).toEqual(head);
    await expectAllProvable(node);
    await node.stop();
    // Cut between the clearing and the snapshot's state: nothing there may be believed.
    const bare = await openSealedLevel(copy);
    await bare.write([
      { key: "x", value: encode([newest(), encode(null)]) },
      { key: ENGINE_STATE_KEY, value: null },
    ]);
    await bare.close();
    const once = await openNode(copy, { snapshots: sourceOf(kept) });
    expect(once.chain.recovery.rebuiltBecause).toMatch(/cut short; made again from the snapshot/);
    expect(once.chain.reader.head()).toEqual(head);
    await once.stop();
  });
});

describe("a chain that begins with a snapshot", () => {
  let anchor: SnapshotAnchor;
  let source: BlockStore;
  beforeAll(async () => {
    source = await openBlockStore({ directory: whole });
    const { height } = kept[1]!.snapshot;
    anchor = {
      signed: (await source.signedHeader(height))!,
      next: (await source.block(height + 1))!,
    };
  });
  afterAll(() => source.close());

  const opening = (store: BlockStore) => ({
    ...{ genesis, store },
    createApplication: (stored: ReadonlyMap<string, Uint8Array>) =>
      createApplication({ genesis, stored }),
  });
  const importing = (store: BlockStore) => ({
    ...opening(store),
    ...{ snapshot: kept[1]!.snapshot, anchor, trustedAppHash: null as Uint8Array | null },
    chunkAt: (index: number) => kept[1]!.chunks[index]!,
  });
  async function* blocksFrom(height: number) {
    for (let at = height; at <= source.height; at++) yield (await source.block(at))!;
  }
  async function withStore<T>(directory: string, work: (store: BlockStore) => Promise<T>) {
    const store = await openBlockStore({ directory });
    try {
      return await work(store);
    } finally {
      await store.close();
    }
  }

  test("goes on with the blocks of its source, and makes the same next ones", async () => {
    const directory = temporaryDirectory();
    const { height } = kept[1]!.snapshot;
    const executed = await withStore(directory, async (store) => {
      await importSnapshot({ ...importing(store), trustedAppHash: anchor.next.header.appHash });
      return importBlocks({ ...opening(store), blocks: blocksFrom(height + 1) });
    });
    expect(executed).toBe(head.height - height);
    const copy = copyOf(whole);
    const [node, twin] = [await openNode(directory), await openNode(copy)];
    expect([node.store.base, node.store.firstHeader]).toEqual([height + 1, height]);
    expect(node.chain.reader.head()).toEqual(head);
    expect(await strayKeys(node)).toEqual([]);
    expect(take(node.application)).toEqual(take(twin.application));
    const more = randomBlocks(fixture, "pruning", 8).slice(-2);
    for (const each of [node, twin]) await drive(each, more);
    expect(node.chain.reader.head()).toEqual(twin.chain.reader.head());
    for (let at = head.height; at <= node.chain.reader.head().height; at++) {
      expect(await node.chain.reader.block(at)).toEqual(await twin.chain.reader.block(at));
    }
    const { regionIndex, slot, bills } = announced.at(-1)!;
    const proof = (await node.chain.reader.billProof({ regionIndex, slot, leafIndex: 0 }))!;
    expect(verifyBillProof({ bill: [...bills][0]!, proof, sequencerPublicKey })).toBeNull();
    for (const each of [node, twin]) await each.stop();
  });

  test("cut at any chunk it starts over, and until then opens for nothing else", async () => {
    const directory = temporaryDirectory();
    await withStore(directory, async (store) => {
      const cut = importSnapshot({
        ...importing(store),
        chunkAt: () => {
          throw new Error("cut");
        },
      });
      await expect(cut).rejects.toThrow("cut");
    });
    const cutShort = { code: "database_corrupt", facts: { what: /cut short/ } };
    cutShort.facts.what = expect.stringMatching(/import of a snapshot was cut short/);
    await expect(openNode(directory)).rejects.toMatchObject(cutShort);
    await expect(inspectBlockStore({ directory })).rejects.toMatchObject(cutShort);
    await withStore(directory, (store) => importSnapshot(importing(store)));
    const blocks = blocksFrom(1);
    await withStore(directory, (store) => importBlocks({ ...opening(store), blocks }));
    const node = await openNode(directory);
    expect(node.chain.reader.head()).toEqual(head);
    await node.stop();
  });

  test.each([
    ["an app hash that is not the trusted one", { trustedAppHash: new Uint8Array(32) }, /trusted/],
    ["a damaged chunk", { chunkAt: () => new Uint8Array(9) }, /chunk 0 is not the one/],
    ["a missing chunk", { chunkAt: () => null }, /chunk 0 is missing/],
  ])("%s is refused by name", async (_, change, sentence) => {
    await withStore(temporaryDirectory(), async (store) => {
      await expect(importSnapshot({ ...importing(store), ...change })).rejects.toMatchObject({
        code: "snapshot_invalid",
        message: expect.stringMatching(sentence),
      });
    });
  });

  test("an anchor that the sequencer did not sign, or of another height, is refused", async () => {
    const { signed, next } = anchor;
    const forged = (change: object) => ({ ...next, header: { ...next.header, ...change } });
    const wrong: SnapshotAnchor[] = [
      { signed, next: forged({ appHash: new Uint8Array(32) }) },
      { signed, next: { ...next, transactions: [Uint8Array.of(1)] } },
      { signed: { ...signed, signature: new Uint8Array(64) }, next },
      { signed: next, next },
    ];
    for (const each of wrong) {
      await withStore(temporaryDirectory(), async (store) => {
        await expect(importSnapshot({ ...importing(store), anchor: each })).rejects.toMatchObject({
          code: "snapshot_invalid",
        });
        expect(store.isImporting).toBe(false);
      });
    }
  });

  test("a store that holds a chain takes none", async () => {
    await withStore(copyOf(whole), async (store) => {
      await expect(importSnapshot(importing(store))).rejects.toMatchObject({
        code: "argument_invalid",
      });
    });
  });

  test("a block that is not the next one is refused, and nothing of it is kept", async () => {
    const directory = temporaryDirectory();
    await withStore(directory, async (store) => {
      await importSnapshot(importing(store));
      const { height } = store;
      const [second, first] = [
        (await source.block(height + 2))!,
        (await source.block(height + 1))!,
      ];
      for (const block of [second, { ...first, transactions: [Uint8Array.of(1)] }]) {
        const blocks = [block];
        await expect(importBlocks({ ...opening(store), blocks })).rejects.toMatchObject({
          code: "block_rejected",
        });
        expect(store.height).toBe(height);
      }
      expect(await importBlocks({ ...opening(store), blocks: [first, second] })).toBe(2);
    });
  });
});
