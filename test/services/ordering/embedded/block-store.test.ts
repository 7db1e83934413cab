/**
 * Method: the real LevelDB in a temporary directory. Worked cases of reading back and pruning; then
 * each way in which opening or writing fails, provoked for real (a second process, a full file
 * system, damaged bytes), and the code, facts and fix it must name.
 */

import { execFileSync, spawnSync } from "node:child_process";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import type { StoredBlock } from "../../../../services/chain/access.ts";
import { signBlock } from "../../../../services/ordering/embedded/block.ts";
import {
  type BlockStore,
  openBlockStore,
  PRUNED_PER_COMMIT_MAX,
} from "../../../../services/ordering/embedded/block-store.ts";
import { utf8 } from "../../../../services/primitives/bytes.ts";
import { unixSeconds } from "../../../../services/primitives/units.ts";
import { headerHash } from "../../../../services/wire/header.ts";
import { SEQUENCER_SECRET_KEY } from "../../../support/counter-chain.ts";
import { temporaryDirectory } from "../../../support/temporary-directory.ts";

const APP_HASH = new Uint8Array(32).fill(3);

function blockAt(height: number, parent: StoredBlock | null = null): StoredBlock {
  return signBlock({
    header: {
      chainVersion: 1,
      networkId: "store-test",
      height,
      timeS: unixSeconds(1000 + height),
      parentHash: parent === null ? new Uint8Array(32) : headerHash(parent.header),
      appHash: APP_HASH,
    },
    transactions: [utf8(`transaction ${height}`), utf8("another")],
    secretKey: SEQUENCER_SECRET_KEY,
  });
}

async function commit(
  store: BlockStore,
  height: number,
  { retainHeight = 0, value = utf8(`state at ${height}`) } = {},
): Promise<void> {
  await store.writeBlock(blockAt(height));
  await store.writeCommit({
    state: { height, timeS: unixSeconds(1000 + height), appHash: APP_HASH },
    response: { appHash: APP_HASH, results: [{ code: height, info: "so" }] },
    changes: [{ key: "state", value }],
    retainHeight,
  });
}

async function withStore<T>(directory: string, work: (store: BlockStore) => Promise<T>) {
  const store = await openBlockStore({ directory });
  try {
    return await work(store);
  } finally {
    await store.close();
  }
}

describe("reading back", () => {
  test("a fresh store is empty; what was written is there after reopening", async () => {
    const directory = join(temporaryDirectory(), "made", "by", "opening");
    await withStore(directory, async (store) => {
      expect([store.height, store.base, store.state, store.damage]).toEqual([0, 1, null, null]);
      expect(await store.block(1)).toBeNull();
      await commit(store, 1);
      await commit(store, 2);
    });
    await withStore(directory, async (store) => {
      expect(store.height).toBe(2);
      expect(store.state).toEqual({ height: 2, timeS: 1002, appHash: APP_HASH });
      expect(await store.block(1)).toEqual(blockAt(1));
      expect(await store.response(2)).toEqual({
        appHash: APP_HASH,
        results: [{ code: 2, info: "so" }],
      });
      expect(await store.applicationRecord("state")).toEqual(utf8("state at 2"));
      expect(await store.applicationRecord("absent")).toBeNull();
    });
  });

  test("records come in either order, bounded, and deletions hold", async () => {
    await withStore(temporaryDirectory(), async (store) => {
      await store.writeBlock(blockAt(1));
      const changes = ["a/1", "a/2", "a/3", "b/1"].map((key) => ({ key, value: utf8(key) }));
      const state = { height: 1, timeS: unixSeconds(1), appHash: APP_HASH };
      const response = { appHash: APP_HASH, results: [] };
      await store.writeCommit({ state, response, changes, retainHeight: 0 });
      const deletion = [{ key: "a/2", value: null }];
      await store.writeCommit({ state, response, changes: deletion, retainHeight: 0 });
      const keys = async (order: "rising" | "falling", limit: number) =>
        (await store.applicationRecords({ gte: "a/", lt: "a0", order, limit })).map((r) => r.key);
      expect(await keys("rising", Number.POSITIVE_INFINITY)).toEqual(["a/1", "a/3"]);
      expect(await keys("falling", 1)).toEqual(["a/3"]);
    });
  });

  test("blocks below the retained height go, some at a time, the last one never", async () => {
    const directory = temporaryDirectory();
    await withStore(directory, async (store) => {
      for (let height = 1; height <= PRUNED_PER_COMMIT_MAX + 3; height++)
        await commit(store, height);
      await commit(store, PRUNED_PER_COMMIT_MAX + 4, { retainHeight: 10_000 });
      expect(store.base).toBe(PRUNED_PER_COMMIT_MAX + 1);
      await commit(store, PRUNED_PER_COMMIT_MAX + 5, { retainHeight: 10_000 });
      expect(store.base).toBe(store.height);
    });
    await withStore(directory, async (store) => {
      expect(store.damage).toBeNull();
      expect(await store.block(store.base - 1)).toBeNull();
      expect(await store.block(store.base)).not.toBeNull();
    });
  });

  test("a store belongs to one genesis", async () => {
    const directory = temporaryDirectory();
    await withStore(directory, (store) => store.bind(new Uint8Array(32).fill(1)));
    await withStore(directory, async (store) => {
      await store.bind(new Uint8Array(32).fill(1));
      await expect(store.bind(new Uint8Array(32).fill(2))).rejects.toMatchObject({
        code: "genesis_mismatch",
        facts: { expected: "01".repeat(32), found: "02".repeat(32) },
      });
    });
  });
});

describe("failures name what happened and what to do", () => {
  test("locked, by another process", async () => {
    const directory = temporaryDirectory();
    await withStore(directory, async () => {
      const child = spawnSync(
        process.execPath,
        ["--import", "tsx", fileURLToPath(new URL("./open-store.ts", import.meta.url)), directory],
        { encoding: "utf8" },
      );
      expect(JSON.parse(child.stdout)).toEqual({
        code: "database_locked",
        facts: { directory },
        message: expect.stringMatching(
          /^another process uses the chain's database in .*: stop it first/,
        ),
      });
    });
  });

  test("a file in the way of the directory", async () => {
    const directory = join(temporaryDirectory(), "file");
    writeFileSync(directory, "");
    await expect(openBlockStore({ directory })).rejects.toMatchObject({
      code: "permission_denied",
      facts: { path: directory },
    });
  });
});

/** Only root may mount; elsewhere the mapping above stands alone. */
const mountPoint = mountSmall();

function mountSmall(): string | null {
  const directory = mkdtempSync("/tmp/gridlane-small-");
  const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", "size=2m", "tmpfs", directory]);
  if (mounted.status === 0) return directory;
  rmSync(directory, { recursive: true });
  return null;
}

test.skipIf(mountPoint === null)("a full disk is named, and the store is whole after", async () => {
  const directory = join(mountPoint!, "chain");
  const unpressable = new Uint8Array(300_000);
  for (let i = 0; i < unpressable.length; i++) unpressable[i] = (i * i * 7919 + i * 31) >> 5;
  try {
    const store = await openBlockStore({ directory });
    let written = 0;
    const filling = (async () => {
      for (let height = 1; height < 50; height++) {
        await commit(store, height, { value: unpressable });
        written = height;
      }
    })();
    await expect(filling).rejects.toMatchObject({ code: "disk_full", facts: { directory } });
    await store.close();
    expect(written).toBeGreaterThan(0);
    // With room again, everything that was acknowledged is there.
    execFileSync("mount", ["-o", "remount,size=64m", mountPoint!]);
    await withStore(directory, async (reopened) => {
      expect(reopened.state!.height).toBeGreaterThanOrEqual(written);
      expect(reopened.damage).toBeNull();
      expect(await reopened.block(written)).toEqual(blockAt(written));
    });
  } finally {
    // Lazily: while another test's thread starts a process, that process holds a copy of every open
    // file until it has become its program, and a plain umount then finds the target busy.
    execFileSync("umount", ["--lazy", mountPoint!]);
    rmSync(mountPoint!, { recursive: true });
  }
});

describe("damage", () => {
  async function filled(heights: number): Promise<string> {
    const directory = temporaryDirectory();
    await withStore(directory, async (store) => {
      for (let height = 1; height <= heights; height++) await commit(store, height);
    });
    return directory;
  }

  const logOf = (directory: string) =>
    join(directory, readdirSync(directory).find((name) => name.endsWith(".log"))!);

  test("a torn last write is as if it had not begun", async () => {
    const directory = await filled(3);
    const log = logOf(directory);
    const whole = readFileSync(log);
    // The last record is the commit of block 3: cut into it at several places.
    for (const cut of [1, 7, 20, 60]) {
      writeFileSync(log, whole);
      truncateSync(log, whole.length - cut);
      const copy = join(temporaryDirectory(), "copy");
      execFileSync("cp", ["-r", directory, copy]);
      await withStore(copy, async (store) => {
        expect([store.height, store.state?.height]).toEqual([3, 2]);
        expect(store.damage).toBeNull();
        expect(await store.applicationRecord("state")).toEqual(utf8("state at 2"));
      });
    }
  });

  test("a flipped byte anywhere in the log loses nothing unnoticed", async () => {
    const directory = await filled(6);
    const log = logOf(directory);
    const whole = readFileSync(log);
    const outcomes = new Set<string>();
    for (let at = 0; at < whole.length; at += 61) {
      const copy = join(temporaryDirectory(), "copy");
      execFileSync("cp", ["-r", directory, copy]);
      const bytes = Buffer.from(whole);
      bytes[at]! ^= 0x10;
      writeFileSync(logOf(copy), bytes);
      outcomes.add(await outcomeOf(copy));
    }
    // LevelDB drops the rest of the log: an earlier but whole state, or damage that is named.
    for (const outcome of outcomes) expect(outcome).toMatch(/^(whole \d \d|damaged|named)$/);
    expect(outcomes.size).toBeGreaterThan(1);
  });

  async function outcomeOf(directory: string): Promise<string> {
    try {
      return await withStore(directory, async (store) => {
        if (store.damage !== null) return "damaged";
        const state = store.state?.height ?? 0;
        expect(store.height - state).toBeLessThanOrEqual(1);
        expect(store.height).toBeGreaterThanOrEqual(state);
        for (let height = 1; height <= store.height; height++) {
          expect(await store.block(height)).toEqual(blockAt(height));
        }
        const record = await store.applicationRecord("state");
        expect(record).toEqual(state === 0 ? null : utf8(`state at ${state}`));
        return `whole ${store.height} ${state}`;
      });
    } catch (failure) {
      if ((failure as { code?: string }).code !== "database_corrupt") throw failure;
      return "named";
    }
  }

  test("a missing CURRENT is named, and nothing is removed", async () => {
    const directory = await filled(2);
    rmSync(join(directory, "CURRENT"));
    const before = readdirSync(directory).sort();
    await expect(openBlockStore({ directory })).rejects.toMatchObject({
      code: "database_corrupt",
      facts: { directory, what: "CURRENT is missing" },
    });
    expect(readdirSync(directory).sort()).toEqual(before);
  });

  test("a manifest that is no manifest is named", async () => {
    const directory = await filled(2);
    const manifest = readdirSync(directory).find((name) => name.startsWith("MANIFEST"))!;
    writeFileSync(join(directory, manifest), "not a manifest");
    await expect(openBlockStore({ directory })).rejects.toMatchObject({ code: "database_corrupt" });
  });

  test("a directory of other files is left alone", async () => {
    const directory = temporaryDirectory();
    mkdirSync(join(directory, "logs"));
    await withStore(directory, async (store) => expect(store.height).toBe(0));
  });
});
