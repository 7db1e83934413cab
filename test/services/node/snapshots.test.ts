/**
 * Method: the node's snapshots over a real chain of three regions in a temporary directory: taken
 * while blocks are made, kept and thrown away; then each way in which a shelf may be torn, and how
 * far back blocks are kept, as a table.
 */
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, test, vi } from "vitest";
import type { CommittedBlock } from "../../../services/chain/access.ts";
import { createApplication, type MarketApplication } from "../../../services/chain/application.ts";
import { readAnchor, readShelf, snapshotFault } from "../../../services/node/snapshot-files.ts";
import { importSnapshotDirectory } from "../../../services/node/snapshot-transfer.ts";
import { type Retain, Snapshots } from "../../../services/node/snapshots.ts";
import { openBlockStore } from "../../../services/ordering/embedded/block-store.ts";
import { startEmbeddedChain } from "../../../services/ordering/embedded/chain.ts";
import { ManualClock } from "../../../services/primitives/clock.ts";
import { unixSeconds } from "../../../services/primitives/units.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";
import { randomBlocks, threeRegions } from "../chain/workload.ts";

const fixture = threeRegions();
const { genesis } = fixture;
const traffic = randomBlocks(fixture, "node snapshots", 8);

type Settings = { everySlots?: number; keep?: number; retain?: Retain };

async function openNode(data: string, { everySlots = 2, keep = 2, retain = "all" }: Settings = {}) {
  const said: { fields: object; text: string }[] = [];
  const hear = (fields: object, text: string) => void said.push({ fields, text });
  const log = { info: hear, warn: hear } as never;
  const directory = join(data, "snapshots");
  const snapshots = new Snapshots({ directory, everySlots, keep, retain, log });
  const store = await openBlockStore({ directory: join(data, "chain") });
  const clock = new ManualClock(unixSeconds(genesis.genesisTimeS));
  let application!: MarketApplication;
  const chain = await startEmbeddedChain({
    genesis,
    createApplication: (stored) => {
      const retainHeight = () => snapshots.retainHeight(application.head().height);
      const { source } = snapshots;
      application = createApplication({ genesis, stored, snapshots: source, retainHeight });
      return application;
    },
    store,
    sequencerSecretKey: fixture.sequencerSecret,
    clock,
    snapshots: snapshots.source,
  });
  const unfollow = snapshots.follow({
    ...{ reader: chain.reader, application, firstHeight: store.firstHeader },
    timeOf: async (height) => (await store.signedHeader(height))?.header.timeS ?? null,
  });
  const drive = async (blocks: typeof traffic) => {
    for (const { timeS, transactions } of blocks) {
      clock.advanceTo(timeS);
      for (const bytes of transactions) await chain.writer.submit(bytes);
    }
  };
  const stop = async () => {
    await unfollow();
    await chain.stop();
    await store.close();
  };
  return { snapshots, store, chain, application, drive, stop, said, directory };
}

/** Until a snapshot of so many cleared slots, or more, is on the shelf. */
function untilKept({ snapshots }: { snapshots: Snapshots }, slots: number) {
  return vi.waitFor(() => {
    expect(snapshots.kept[0]?.clearedSlots ?? 0).toBeGreaterThanOrEqual(slots);
  }, 10_000);
}

describe("taking", () => {
  test("every so many slots, the newest kept, each the state of its height", async () => {
    const data = temporaryDirectory();
    const node = await openNode(data);
    for (const block of traffic) {
      await node.drive([block]);
      const { clearedSlots } = node.application.head();
      await untilKept(node, 2 * Math.floor(clearedSlots / 2) - 1);
    }
    await node.stop();
    const { kept, ignored } = readShelf(node.directory);
    expect(ignored).toEqual([]);
    expect(kept).toEqual(node.snapshots.kept);
    expect(kept).toHaveLength(2);
    expect(kept[0]!.clearedSlots - kept[1]!.clearedSlots).toBeGreaterThanOrEqual(2);
    expect(readdirSync(node.directory).sort()).toEqual(
      kept.map(({ snapshot }) => String(snapshot.height)).sort(),
    );
    // The blocks up to there, run by hand, give the very same bytes.
    const { chain, stop } = await openNode(data, { everySlots: 1_000_000 });
    const direct = createApplication({ genesis, stored: new Map() });
    direct.initChain();
    const { height } = kept[0]!.snapshot;
    for (let at = 1; at <= height; at++) {
      const { header, transactions } = (await chain.reader.block(at))!;
      direct.finalizeBlock({ height: at, timeS: header.timeS, transactions });
      direct.commit();
    }
    const steps = direct.snapshot();
    let index = 0;
    for (let step = steps.next(); ; step = steps.next()) {
      if (step.done === true) {
        expect(step.value).toEqual(kept[0]!.snapshot);
        break;
      }
      for (const chunk of step.value) {
        const { format } = kept[0]!.snapshot;
        expect(node.snapshots.source.chunk({ height, format, index: index++ })).toEqual(chunk);
      }
    }
    expect(readAnchor(kept[0]!).next).toEqual(await chain.reader.block(height + 1));
    expect(snapshotFault(kept[0]!)).toBeNull();
    await stop();
  });

  test("a shelf that cannot be written is said, and the chain goes on", async () => {
    const data = temporaryDirectory();
    const node = await openNode(data);
    rmSync(node.directory, { recursive: true });
    writeFileSync(node.directory, "in the way");
    await node.drive(traffic);
    await node.stop();
    expect(node.application.head().clearedSlots).toBe(8);
    expect(node.said.some(({ text }) => text === "snapshot failed")).toBe(true);
    expect(node.snapshots.kept).toEqual([]);
  });

  test("a stop in the middle leaves nothing half-made", async () => {
    const node = await openNode(temporaryDirectory(), { everySlots: 1 });
    const { clearedSlots } = node.application.head();
    expect(clearedSlots).toBe(0);
    for (const block of traffic) {
      await node.drive([block]);
      if (node.application.head().clearedSlots > 0) break;
    }
    await node.stop(); // at once: what was begun with the last block may not be finished
    expect(readShelf(node.directory).ignored).toEqual([]);
  });
});

describe("a torn shelf", () => {
  async function shelfOf(change: (place: string) => void) {
    const data = temporaryDirectory();
    const node = await openNode(data, { everySlots: 3, keep: 5 });
    await node.drive(traffic.slice(0, Math.ceil(traffic.length / 2)));
    await untilKept(node, 3);
    await node.stop();
    const [newest] = node.snapshots.kept;
    change(newest!.directory);
    return { data, newest: newest!, directory: node.directory };
  }
  const cut = (name: string) => (place: string) => truncateSync(join(place, name), 40);
  const flip = (name: string) => (place: string) => {
    const bytes = readFileSync(join(place, name));
    bytes[bytes.length >> 1]! ^= 8;
    writeFileSync(join(place, name), bytes);
  };

  test.each([
    ["metadata cut off", cut("metadata"), /metadata fails its checksum/],
    ["metadata with a flipped bit", flip("metadata"), /metadata fails its checksum/],
    ["no metadata", (place: string) => rmSync(join(place, "metadata")), /metadata cannot be read/],
    ["a lost chunk", (place: string) => rmSync(join(place, "chunk-00000")), /chunk-00000 is miss/],
    ["no anchor", (place: string) => rmSync(join(place, "anchor")), /anchor is missing/],
  ])("%s: ignored and named", async (_, change, why) => {
    const { data, newest, directory } = await shelfOf(change);
    const { kept, ignored } = readShelf(directory);
    expect(kept.map(({ snapshot }) => snapshot.height)).not.toContain(newest.snapshot.height);
    expect(ignored).toEqual([
      { directory: newest.directory, why: expect.stringMatching(why) as string },
    ]);
    const node = await openNode(data);
    expect(node.said[0]).toMatchObject({ text: "snapshot ignored" });
    await node.stop();
  });

  test.each([
    ["a chunk cut off", cut("chunk-00000"), /chunk-00000 is damaged/],
    ["a chunk with a flipped bit", flip("chunk-00000"), /chunk-00000 is damaged/],
    ["an anchor with a flipped bit", flip("anchor"), /anchor fails its checksum/],
  ])("%s: found when it is read", async (_, change, why) => {
    const { newest, directory } = await shelfOf(change);
    const [kept] = readShelf(directory).kept;
    expect(snapshotFault(kept!)).toMatch(why);
    const imported = importSnapshotDirectory({
      ...{ source: newest.directory, dataDirectory: temporaryDirectory() },
      ...{ genesis, trustedAppHash: null },
    });
    await expect(imported).rejects.toMatchObject({ code: "snapshot_invalid" });
  });

  test("what a cut run left half-made is named once and goes", async () => {
    const { data, directory } = await shelfOf(() => undefined);
    mkdirSync(join(directory, "77.partial"));
    const node = await openNode(data);
    expect(node.snapshots.ignored).toMatchObject([{ why: "was not finished" }]);
    await node.stop();
    expect(existsSync(join(directory, "77.partial"))).toBe(false);
  });
});

describe("how far back blocks are kept", () => {
  test.each<[string, Retain, (oldest: number, head: number) => number]>([
    ["all", "all", () => 0],
    ["the last block: as far as the oldest snapshot", { blocks: 1 }, (oldest) => oldest],
    ["more blocks than there are", { blocks: 1_000_000 }, () => 0],
    ["some blocks", { blocks: 60 }, (oldest, head) => Math.max(0, Math.min(oldest, head - 59))],
    ["days beyond the chain's age", { days: 100 }, () => 1],
  ])("%s", async (_, retain, expected) => {
    const node = await openNode(temporaryDirectory(), { retain });
    expect(node.snapshots.retainHeight(1000)).toBe(0); // without a snapshot all are needed
    await node.drive(traffic);
    await untilKept(node, 7);
    const { height } = node.chain.reader.head();
    const oldest = node.snapshots.kept.at(-1)!.snapshot.height;
    expect(node.snapshots.retainHeight(height)).toBe(expected(oldest, height));
    await node.stop();
  });

  test("by age: the first block that is not older, found over several blocks", async () => {
    const node = await openNode(temporaryDirectory(), { keep: 1 });
    await node.drive(traffic);
    await untilKept(node, 7);
    await node.stop();
    const oldest = node.snapshots.kept[0]!.snapshot.height;
    const { directory } = node;
    const log = { info: () => undefined, warn: () => undefined } as never;
    const settings = { directory, everySlots: 1000, keep: 1, log };
    const snapshots = new Snapshots({ ...settings, retain: { days: 1 } });
    const listeners: ((block: CommittedBlock) => void)[] = [];
    const reader = { onBlock: (listen: (typeof listeners)[0]) => listeners.push(listen) };
    const timeOf = async (height: number) => (height <= 5000 ? 100 * height : null);
    const [application, firstHeight] = [{} as MarketApplication, 1];
    snapshots.follow({ reader: reader as never, application, timeOf, firstHeight });
    const tell = (timeS: number) => {
      for (const listen of listeners) listen({ timeS, slotRecords: [] } as never);
    };
    const shows = (height: number) =>
      vi.waitFor(() => expect(snapshots.retainHeight(5000)).toBe(height), 5000);
    tell(86_400 + 500); // block 5 is just a day old
    await shows(5);
    tell(86_400 + 501);
    await shows(6);
    for (let i = 0; i < 3; i++) tell(86_400 + 400_000);
    await shows(oldest); // never past the snapshot
  });
});
