/**
 * Bench of a restart with many meters: the store is opened, the state's records are read and made a
 * state again, its roots hashed and compared, as a ratio to reading the snapshot file of the same
 * state, both in one run with warm file caches. Read once and hashed once stands beside it, since
 * whoever believes a file that he has not hashed has no proof. What genesis alone costs (its hash,
 * keys, rosters) is given apart: it is not state.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createApplication, type MarketApplication } from "../../services/chain/application.ts";
import { RecordLog } from "../../services/chain/change-records.ts";
import { createRules, type Rules } from "../../services/chain/rules.ts";
import { STATE_KEYS } from "../../services/chain/store-keys.ts";
import { loadState } from "../../services/chain/stored-state.ts";
import { sha256 } from "../../services/crypto/hash.ts";
import { SnapshotWriter } from "../../services/node/snapshot-files.ts";
import { openBlockStore } from "../../services/ordering/embedded/block-store.ts";
import { startEmbeddedChain } from "../../services/ordering/embedded/chain.ts";
import { ManualClock } from "../../services/primitives/clock.ts";
import { unixSeconds } from "../../services/primitives/units.ts";
import { createLargeNetwork, type LargeNetwork } from "../support/large-network.ts";

const RUNS = 3;

/** @param shape - default: 1,000,000 meters in 1,000 regions */
export async function benchRestart(
  shape: { readonly regions: number; readonly metersPerRegion: number } = {
    regions: 1000,
    metersPerRegion: 1000,
  },
): Promise<object> {
  const { regions, metersPerRegion } = shape;
  const network = createLargeNetwork(Array.from({ length: regions }, () => metersPerRegion));
  const data = mkdtempSync(join(tmpdir(), "gridlane-bench-"));
  try {
    await settleOneSlot(network, data, regions);
    const rulesStart = performance.now();
    const rules = createRules(network.genesis);
    const genesisMs = performance.now() - rulesStart;
    const restarts: Restart[] = [];
    for (let run = 0; run < RUNS; run++) restarts.push(await restart(rules, data));
    const best = restarts.reduce((a, b) => (total(a) < total(b) ? a : b));
    const floor = readSnapshot(join(data, "snapshots"));
    return {
      ...{ regions, meters: regions * metersPerRegion, snapshotMiB: floor.miB },
      ...{ readMs: floor.readMs, readAndHashMs: floor.readAndHashMs },
      ...{ restartMs: round(total(best)), openMs: round(best.openMs) },
      ...{ recordsMs: round(best.recordsMs), stateMs: round(best.stateMs) },
      ...{ genesisMs: round(genesisMs) },
      ratio: round(total(best) / floor.readMs),
      ratioToReadAndHash: round(total(best) / floor.readAndHashMs),
      residentMiB: Math.round(process.memoryUsage().rss / 2 ** 20),
    };
  } finally {
    rmSync(data, { recursive: true });
  }
}

async function openChain({ genesis, sequencerSecret }: LargeNetwork, data: string) {
  const store = await openBlockStore({ directory: join(data, "chain") });
  let application!: MarketApplication;
  const clock = new ManualClock(unixSeconds(genesis.genesisTimeS + 10 * genesis.slotS));
  const chain = await startEmbeddedChain({
    genesis,
    createApplication: (stored) => {
      application = createApplication({ genesis, stored });
      return application;
    },
    store,
    sequencerSecretKey: sequencerSecret,
    clock,
  });
  const stop = async () => {
    await chain.stop();
    await store.close();
  };
  return { chain, application, stop };
}

/** Every balance and register moves once; then the snapshot of that state is written. */
async function settleOneSlot(network: LargeNetwork, data: string, regions: number): Promise<void> {
  const node = await openChain(network, data);
  const submitted = Array.from({ length: regions }, (_, regionIndex) =>
    node.chain.writer.submit(network.report({ regionIndex, slotIndex: 0 })),
  );
  const refused = (await Promise.all(submitted)).find(({ code }) => code !== 0);
  if (refused !== undefined) throw new Error(`a report was refused: ${refused.info}`);
  const height = node.application.head().height;
  const steps = node.application.snapshot();
  const writer = new SnapshotWriter(join(data, "snapshots"), height);
  for (let step = steps.next(); step.done !== true; step = steps.next()) {
    for (const chunk of step.value) writer.writeChunk(chunk);
  }
  await node.stop();
}

type Restart = Record<"openMs" | "recordsMs" | "stateMs", number>;

function total({ openMs, recordsMs, stateMs }: Restart): number {
  return openMs + recordsMs + stateMs;
}

/** As `chain.ts` does it: all records of the state, then the state with its roots. */
async function restart(rules: Rules, data: string): Promise<Restart> {
  const startMs = performance.now();
  const store = await openBlockStore({ directory: join(data, "chain") });
  const openedMs = performance.now();
  const stored = new Map<string, Uint8Array>();
  for (const keys of STATE_KEYS) {
    const range = { ...keys, order: "rising", limit: Number.POSITIVE_INFINITY } as const;
    for (const { key, value } of await store.applicationRecords(range)) stored.set(key, value);
  }
  const readMs = performance.now();
  if (loadState(rules, new RecordLog(stored).records()) === null) throw new Error("no state");
  const loadedMs = performance.now();
  await store.close();
  return { openMs: openedMs - startMs, recordsMs: readMs - openedMs, stateMs: loadedMs - readMs };
}

/** The floor: the snapshot's chunks, read once; and read and hashed once. */
function readSnapshot(shelf: string) {
  const [partial] = readdirSync(shelf);
  const files = readdirSync(join(shelf, partial!)).map((name) => join(shelf, partial!, name));
  let bytes = 0;
  let readMs = Number.POSITIVE_INFINITY;
  let readAndHashMs = Number.POSITIVE_INFINITY;
  for (let run = 0; run < RUNS; run++) {
    const startMs = performance.now();
    const chunks = files.map((file) => readFileSync(file));
    readMs = Math.min(readMs, performance.now() - startMs);
    for (const chunk of chunks) sha256(chunk);
    readAndHashMs = Math.min(readAndHashMs, performance.now() - startMs);
    bytes = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  }
  return {
    miB: round(bytes / 2 ** 20),
    readMs: round(readMs),
    readAndHashMs: round(readAndHashMs),
  };
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
