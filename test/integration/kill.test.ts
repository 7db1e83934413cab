/**
 * The node is killed with SIGKILL twenty times at random moments of a replay, also while it starts,
 * while the meters in their own process keep publishing. Method: an undisturbed run of the same
 * replay is the truth for the app hash; the CSV itself is the truth for each meter's energy.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { expect, test } from "vitest";
import { readReplay } from "../../firmware-sim/profiles/replay.ts";
import { createReplaySource } from "../../firmware-sim/profiles/replay-source.ts";
import { createApplication } from "../../services/chain/application.ts";
import { STATE_KEYS } from "../../services/chain/store-keys.ts";
import { readGenesis } from "../../services/cli/directory.ts";
import { openBlockStore } from "../../services/ordering/embedded/block-store.ts";
import { createPrng } from "../../services/primitives/prng.ts";
import { type Command, freePort, gridlane, inTemporaryDirectory, run } from "../support/command.ts";

const CSV = "../shared/data/market/household/citylearn_fontana_hourly/community17_hourly.csv";
const hasData = existsSync(CSV);
if (!hasData) process.stdout.write(`skipped: ${CSV} is absent\n`);
const FROM = "2017-06-01";
const SLOTS = 96 * 2;
const KILLS = 20;

type Ports = { readonly http: number; readonly mqtt: number };

function startNode(directory: string, ports: Ports): Command {
  return gridlane(["node", "--config", join(directory, "gridlane.yaml")], {
    GRIDLANE_HTTP_PORT: String(ports.http),
    GRIDLANE_MQTT_PORT: String(ports.mqtt),
    GRIDLANE_CLOCK: "readings",
  });
}

async function status({ http }: Ports): Promise<{ clearedSlots: number; appHash: string }> {
  const answer = await fetch(`http://127.0.0.1:${http}/api/v1/status`);
  return (await answer.json()) as { clearedSlots: number; appHash: string };
}

/** Replays in `directory` while `disturb` does with the node what it likes. */
async function replay(
  directory: string,
  disturb: (first: Command, ports: Ports) => Promise<Command>,
) {
  const ports = { http: await freePort(), mqtt: await freePort() };
  const first = startNode(directory, ports);
  await first.says(/http:\/\/127\.0\.0\.1:\d+/);
  const meters = gridlane([
    ...["meters", "--directory", directory, "--broker", `mqtt://127.0.0.1:${ports.mqtt}`],
    ...["--replay", CSV, "--from", FROM, "--slots", String(SLOTS)],
    ...["--as-fast-as-possible", "--json"],
  ]);
  const node = await disturb(first, ports);
  expect(await meters.ended, meters.stderr()).toBe(0);
  const final = await cleared(ports, SLOTS);
  expect(await node.kill("SIGTERM"), node.stderr()).toBe(0);
  return { appHash: final.appHash, meters: JSON.parse(meters.stdout()) };
}

/** Asks until `slots` have cleared: every reading is in by then, only the last block may not be. */
async function cleared(ports: Ports, slots: number) {
  for (;;) {
    const now = await status(ports);
    if (now.clearedSlots >= slots) return now;
    await delay(20);
  }
}

/** What the chain has settled by meter, read from the stopped node's own store. */
async function settled(directory: string) {
  const genesis = readGenesis(join(directory, "genesis.json"));
  const store = await openBlockStore({ directory: join(directory, "data", "chain") });
  const stored = new Map<string, Uint8Array>();
  for (const range of STATE_KEYS) {
    const all = { ...range, order: "rising", limit: Number.POSITIVE_INFINITY } as const;
    for (const { key, value } of await store.applicationRecords(all)) stored.set(key, value);
  }
  await store.close();
  const lane = createApplication({ genesis, stored }).lane(0);
  return genesis.regions[0]!.meters.map((meter, m) => ({
    ...meter,
    importWh: lane.settledImportWh[m],
    exportWh: lane.settledExportWh[m],
  }));
}

/** The same, straight from the CSV. */
async function measured() {
  const data = await readReplay({ file: CSV, from: FROM });
  const homes = data.homes.map((_, home) => home);
  const source = createReplaySource({ replay: data, slotS: 900, regions: [{ id: "r", homes }] });
  return homes.map((home) => {
    const sum = { importWh: 0, exportWh: 0, productionWh: 0 };
    for (let slot = source.firstSlot!; slot < source.firstSlot! + SLOTS; slot++) {
      const energy = source.energyOf({ region: "r", home, slot });
      for (const name of ["importWh", "exportWh", "productionWh"] as const)
        sum[name] += energy[name];
    }
    return sum;
  });
}

test.skipIf(!hasData)("twenty kills change nothing", { timeout: 900_000 }, async () => {
  await inTemporaryDirectory(async (directory) => {
    const [calm, rough] = [join(directory, "calm"), join(directory, "rough")];
    for (const place of [calm, rough]) {
      const init = await run(["init", place, "--replay", CSV, "--from", FROM, "--seed", "k"]);
      expect(init.code, init.stderr).toBe(0);
    }
    const undisturbed = await replay(calm, async (node) => node);

    const prng = createPrng("twenty kills");
    let kills = 0;
    const disturbed = await replay(rough, async (first, ports) => {
      let node = first;
      for (; kills < KILLS; kills++) {
        if (prng.below(4) > 0) {
          await node.says(/http:\/\/127\.0\.0\.1:\d+/);
          await cleared(ports, Math.floor((kills * SLOTS) / KILLS) + prng.below(4));
          await delay(prng.below(40)); // a random moment inside a slot's work
        } else {
          await delay(prng.below(1500)); // a random moment of the start itself
        }
        expect(await node.kill("SIGKILL")).toBe("SIGKILL");
        node = startNode(rough, ports);
      }
      await node.says(/http:\/\/127\.0\.0\.1:\d+/);
      return node;
    });
    expect(kills).toBe(KILLS);
    expect(disturbed.appHash).toBe(undisturbed.appHash);
    for (const { meters } of [undisturbed, disturbed]) {
      expect(Object.keys(meters.receipts), "only accepted readings").toEqual(["accepted"]);
      expect(meters).toMatchObject({ slots: SLOTS, unreceipted: 0 });
    }
    const truth = await measured();
    const total = { importWh: 0, exportWh: 0 };
    for (const meter of await settled(rough)) {
      if (meter.role === "feeder") continue;
      const home = truth[meter.memberIndex!]!;
      const { importWh, exportWh } = meter;
      if (meter.role === "grid") {
        expect({ importWh, exportWh }).toEqual({
          importWh: home.importWh,
          exportWh: home.exportWh,
        });
        total.importWh += home.importWh;
        total.exportWh += home.exportWh;
      } else expect(exportWh).toBe(home.productionWh);
    }
    expect(total.importWh).toBeGreaterThan(0);
    expect(total.exportWh).toBeGreaterThan(0);
  });
});
