/**
 * Method: a node that goes on while it is audited over HTTP: the audit catches up, and gives up by
 * code where the node never holds still. Then the same chain from a snapshot that it took: the
 * trusted hash decides what is believed, also where the blocks before were pruned.
 */
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test, vi } from "vitest";
import { createApplication, type MarketApplication } from "../../../services/chain/application.ts";
import type { AuditSource } from "../../../services/chain/audit-source.ts";
import { auditDirectory, auditSource } from "../../../services/node/audit.ts";
import { createHttpAuditSource } from "../../../services/node/audit-http.ts";
import { snapshotStart } from "../../../services/node/audit-start.ts";
import { readShelf } from "../../../services/node/snapshot-files.ts";
import { type Retain, Snapshots } from "../../../services/node/snapshots.ts";
import { openBlockStore } from "../../../services/ordering/embedded/block-store.ts";
import { startEmbeddedChain } from "../../../services/ordering/embedded/chain.ts";
import { applicationKey } from "../../../services/ordering/embedded/keys.ts";
import { openSealedLevel } from "../../../services/ordering/embedded/sealed-level.ts";
import { fromHex } from "../../../services/primitives/bytes.ts";
import { ManualClock } from "../../../services/primitives/clock.ts";
import { AUDIT_STATE_PASSES_MAX } from "../../../services/primitives/limits.ts";
import { unixSeconds } from "../../../services/primitives/units.ts";
import { decodeSlotRecord, encodeSlotRecord } from "../../../services/wire/slot-record.ts";
import { serveAudit } from "../../support/audit-server.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";
import { randomBlocks, threeRegions } from "../chain/workload.ts";

const fixture = threeRegions();
const { genesis } = fixture;
const traffic = randomBlocks(fixture, "live audit", 12);

async function openNode(data: string, retain: Retain = "all") {
  const log = { info: () => {}, warn: () => {} } as never;
  const directory = join(data, "snapshots");
  const snapshots = new Snapshots({ directory, everySlots: 2, keep: 1, retain, log });
  const store = await openBlockStore({ directory: join(data, "chain") });
  const clock = new ManualClock(unixSeconds(genesis.genesisTimeS));
  let application!: MarketApplication;
  const chain = await startEmbeddedChain({
    genesis,
    createApplication: (stored) => {
      const retainHeight = () => snapshots.retainHeight(application.head().height);
      application = createApplication({
        ...{ genesis, stored, snapshots: snapshots.source, retainHeight },
      });
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
  const left = [...traffic];
  return {
    chain,
    snapshots,
    /** The next blocks of the traffic; false when there are none left. */
    drive: async (count: number): Promise<boolean> => {
      for (const { timeS, transactions } of left.splice(0, count)) {
        clock.advanceTo(timeS);
        for (const bytes of transactions) await chain.writer.submit(bytes);
      }
      return left.length > 0;
    },
    stop: async () => {
      await unfollow();
      await chain.stop();
      await store.close();
    },
  };
}

test("a node that goes on is audited to where it has come", async () => {
  const node = await openNode(temporaryDirectory());
  await node.drive(4);
  const server = await serveAudit(node.chain.audit);
  try {
    const source = createHttpAuditSource(server);
    const before = await source.head();
    let walks = 0;
    const moving: AuditSource = {
      ...source,
      state: async (after) => {
        if (walks++ < 3) await node.drive(1); // it moves under the walk
        return source.state(after);
      },
    };
    const report = await auditSource({ genesis, source: moving });
    expect(report.divergence).toBeNull();
    expect(report.totals.blocks).toBeGreaterThan(before.blocks);
    await node.drive(traffic.length);
    expect((await auditSource({ genesis, source })).divergence).toBeNull();
  } finally {
    await server.stop();
    await node.stop();
  }
}, 60_000);

test("a node that never holds still is given up by code", async () => {
  const node = await openNode(temporaryDirectory());
  await node.drive(1);
  let walks = 0;
  const restless: AuditSource = {
    ...node.chain.audit,
    state: async (after) => {
      walks++;
      const { height } = node.chain.reader.head();
      while (node.chain.reader.head().height === height) expect(await node.drive(1)).toBe(true);
      return node.chain.audit.state(after);
    },
  };
  try {
    await expect(auditSource({ genesis, source: restless })).rejects.toMatchObject({
      ...{ code: "head_moving", facts: { passes: AUDIT_STATE_PASSES_MAX } },
    });
    expect(walks).toBe(AUDIT_STATE_PASSES_MAX);
  } finally {
    await node.stop();
  }
}, 60_000);

const data = temporaryDirectory();
const pruned = temporaryDirectory();

beforeAll(async () => {
  for (const [directory, retain] of [
    [data, "all"],
    [pruned, { blocks: 1 }],
  ] as const) {
    const node = await openNode(directory, retain);
    while (await node.drive(1)) {
      if (node.snapshots.kept.length > 0) break;
    }
    await vi.waitFor(() => expect(node.snapshots.kept.length).toBeGreaterThan(0), 20_000);
    await node.drive(traffic.length);
    await vi.waitFor(() => expect(node.snapshots.kept[0]!.clearedSlots).toBeGreaterThan(0), 20_000);
    await node.stop();
  }
}, 60_000);

/** The oldest snapshot on the shelf. */
function snapshotOf(directory: string) {
  const { kept } = readShelf(join(directory, "snapshots"));
  const { snapshot, directory: place } = kept.at(-1)!;
  return { height: snapshot.height, place };
}

/** What an auditor knows who was there before: here, from the header that follows. */
async function appHashAt(height: number, directory = data): Promise<Uint8Array> {
  const store = await openBlockStore({ directory: join(directory, "chain") });
  try {
    return (await store.signedHeader(height + 1))!.header.appHash;
  } finally {
    await store.close();
  }
}

test("from a snapshot with a trusted hash, and to the same end", async () => {
  const { height, place } = snapshotOf(data);
  const trustedHash = await appHashAt(height);
  const start = snapshotStart({ genesis, directory: place, trustedHash });
  const whole = await auditDirectory({ genesis, dataDirectory: data });
  expect(whole.divergence).toBeNull();
  const part = await auditDirectory({ genesis, dataDirectory: data, start });
  expect(part).toMatchObject({ divergence: null, fromHeight: height, appHash: whole.appHash });
  expect(part.totals.blocks).toBe(whole.totals.blocks - height);
  expect(part.totals.slots).toBeLessThan(whole.totals.slots);
});

test("a hash that is not the snapshot's, and a snapshot that was changed", async () => {
  const { height, place } = snapshotOf(data);
  const trustedHash = await appHashAt(height);
  const other = trustedHash.map((byte, i) => (i === 5 ? byte ^ 1 : byte));
  expect(() => snapshotStart({ genesis, directory: place, trustedHash: other })).toThrow(
    expect.objectContaining({ code: "snapshot_invalid" }),
  );
  const copy = join(temporaryDirectory(), String(height));
  cpSync(place, copy, { recursive: true });
  const chunk = join(copy, "chunk-00000");
  const bytes = readFileSync(chunk);
  bytes[100]! ^= 1;
  writeFileSync(chunk, bytes);
  expect(() => snapshotStart({ genesis, directory: copy, trustedHash })).toThrow(
    expect.objectContaining({ code: "snapshot_invalid" }),
  );
});

test("a true snapshot of another chain's height does not fit the next header", async () => {
  const { height, place } = snapshotOf(data);
  const start = snapshotStart({
    ...{ genesis, directory: place, trustedHash: await appHashAt(height) },
  });
  const late = { ...start, height: start.height - 1 };
  const report = await auditDirectory({ genesis, dataDirectory: data, start: late });
  expect(report.divergence).toMatchObject({ block: height, record: "block" });
});

test("lies after the snapshot are found, and those before it are not looked at", async () => {
  const { height, place } = snapshotOf(data);
  const trustedHash = await appHashAt(height);
  const start = snapshotStart({ genesis, directory: place, trustedHash });
  for (const when of ["before", "after"] as const) {
    const copy = temporaryDirectory();
    cpSync(data, copy, { recursive: true });
    const level = await openSealedLevel(join(copy, "chain"));
    const range = { gte: "a/slot/", lt: "a/slot0", order: "rising", limit: 1000 } as const;
    const records = (await level.range(range)).map(({ key, value }) => ({
      ...{ key, record: decodeSlotRecord(value) },
    }));
    const { key, record } = records.find(
      (each) => each.record.height > height === (when === "after"),
    )!;
    const value = encodeSlotRecord({ ...record, tradedWh: record.tradedWh + 1 });
    await level.write([{ key, value }]);
    await level.close();
    const { divergence } = await auditDirectory({ genesis, dataDirectory: copy, start });
    if (when === "before") expect(divergence).toBeNull();
    else {
      expect(divergence).toMatchObject({
        ...{
          block: record.height,
          field: "tradedWh",
          record: key.slice(applicationKey("").length),
        },
      });
    }
  }
}, 60_000);

test("a pruned chain is refused from genesis and audited from its snapshot", async () => {
  const { height, place } = snapshotOf(pruned);
  await expect(auditDirectory({ genesis, dataDirectory: pruned })).rejects.toMatchObject({
    code: "blocks_pruned",
  });
  const trustedHash = await appHashAt(height, pruned);
  const start = snapshotStart({ genesis, directory: place, trustedHash });
  const report = await auditDirectory({ genesis, dataDirectory: pruned, start });
  expect(report).toMatchObject({ divergence: null, fromHeight: height });
  expect(fromHex(report.appHash)).toHaveLength(32);
});
