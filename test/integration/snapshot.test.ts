/**
 * Method: `snapshot list`, `export` and `import` as an operator types them. A community runs with
 * simulated meters, takes snapshots and prunes; a second node begins with an export of it and
 * must stand where the first stood; then torn, foreign and missing snapshots, each in a sentence.
 */
import {
  copyFileSync,
  cpSync,
  mkdirSync,
  readFileSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readGenesis } from "../../services/cli/directory.ts";
import { importSnapshotDirectory } from "../../services/node/snapshot-transfer.ts";
import { inspectBlockStore } from "../../services/ordering/embedded/block-store.ts";
import { gridlane, inTemporaryDirectory, run } from "../support/command.ts";

const FAST = { GRIDLANE_CLOCK: "readings", GRIDLANE_HTTP_PORT: "0", GRIDLANE_MQTT_PORT: "0" };
const SLOTS = 7;

async function runVillage(village: string): Promise<void> {
  const config = join(village, "gridlane.yaml");
  const yaml = readFileSync(config, "utf8");
  writeFileSync(config, `${yaml}snapshots: { everySlots: 2, keep: 2 }\nretain: { blocks: 1 }\n`);
  const node = gridlane(["node", "--config", config], FAST);
  const [, broker = ""] = await node.says(/(mqtt:\/\/127\.0\.0\.1:\d+)/);
  const paced = ["--slots", String(SLOTS), "--as-fast-as-possible", "--json"];
  const meters = await run(["meters", "--directory", village, "--broker", broker, ...paced]);
  expect(meters.code, meters.stderr).toBe(0);
  const ended = await node.kill("SIGINT");
  expect(ended, node.stderr()).toBe(0);
}

/** The same community on another machine: its agreements and keys, but no data. */
function secondNode(village: string, directory: string): string {
  mkdirSync(directory);
  for (const name of ["gridlane.yaml", "genesis.json", "credentials.json"]) {
    copyFileSync(join(village, name), join(directory, name));
  }
  cpSync(join(village, "keys"), join(directory, "keys"), { recursive: true });
  return join(directory, "gridlane.yaml");
}

async function statusOf(config: string): Promise<{ height: number; appHash: string }> {
  const node = gridlane(["node", "--config", config], FAST);
  const [, url = ""] = await node.says(/(http:\/\/127\.0\.0\.1:\d+)/);
  const status = await fetch(`${url}/api/v1/status`);
  const { height, appHash } = (await status.json()) as { height: number; appHash: string };
  expect(await node.kill("SIGINT")).toBe(0);
  return { height, appHash };
}

test("a second node begins with the first one's snapshot and stands where it stood", async () => {
  await inTemporaryDirectory(async (directory) => {
    const village = join(directory, "village");
    expect((await run(["init", village, "--homes", "6", "--json"])).code).toBe(0);
    const config = join(village, "gridlane.yaml");
    await runVillage(village);

    const list = await run(["snapshot", "list", "--config", config, "--json"]);
    expect(list.code, list.stderr).toBe(0);
    const { snapshots, ignored } = JSON.parse(list.stdout);
    expect(ignored).toEqual([]);
    // How many slots clear while one is written is the machine's affair.
    const [newest, oldest] = [snapshots[0], snapshots.at(-1)];
    for (const { clearedSlots, fault } of snapshots) {
      expect(clearedSlots).toBeGreaterThanOrEqual(2);
      expect(fault).toBeNull();
    }

    const store = await inspectBlockStore({ directory: join(village, "data", "chain") });
    const { height, base } = store;
    expect(base).toBeLessThanOrEqual(oldest.height);
    expect(await store.signedHeader(1)).not.toBeNull();
    await store.close();
    const first = await statusOf(config);

    const stick = join(directory, "stick");
    const at = ["--height", String(oldest.height)];
    const out = await run(["snapshot", "export", stick, "--config", config, ...at, "--json"]);
    expect(out.code, out.stderr).toBe(0);
    const exported = JSON.parse(out.stdout);
    expect(exported).toMatchObject({ height: oldest.height, appHash: oldest.appHash });
    expect(exported.blocks).toBe(height - oldest.height);

    const config2 = secondNode(village, join(directory, "second"));
    const pin = ["--app-hash", oldest.appHash];
    const came = await run(["snapshot", "import", stick, "--config", config2, ...pin, "--json"]);
    expect(came.code, came.stderr).toBe(0);
    const imported = JSON.parse(came.stdout);
    expect(imported).toMatchObject({ height: first.height, appHash: first.appHash });
    // Once more: the snapshot is there already, and no block is new.
    const request = { source: stick, dataDirectory: join(directory, "second", "data") };
    const genesis = readGenesis(join(village, "genesis.json"));
    const again = importSnapshotDirectory({ ...request, genesis, trustedAppHash: null });
    expect(await again).toEqual(imported);
    // The oracle's store is not the chain's: who moves the whole node brings it along.
    cpSync(join(village, "data", "oracle"), join(directory, "second", "data", "oracle"), {
      recursive: true,
    });
    const second = await statusOf(config2);
    expect([second.height, second.appHash]).toEqual([first.height, first.appHash]);
    // Torn and unfinished ones are named, and never used.
    const shelf = join(village, "data", "snapshots");
    truncateSync(join(shelf, String(newest.height), "chunk-00000"), 50);
    mkdirSync(join(shelf, "99.partial"));
    const torn = await run(["snapshot", "list", "--config", config]);
    expect(torn.code).toBe(4);
    expect(torn.stdout).toMatch(/chunk-00000 is damaged/);
    expect(torn.stderr).toMatch(/ignored .*99\.partial: was not finished/);
  });
});
