/**
 * Bench of the embedded broker: the same load against an empty hook and against one that makes each
 * reading durable (group commit: one synced record for all that waited) before the PUBACK, in turn
 * and in one run.
 * The load runs in a process of its own. Budget: the durable rate is at least 0.8 of the empty one.
 */
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { ReadingHandler } from "../../services/broker/broker.ts";
import { startEmbeddedBroker } from "../../services/broker/embedded.ts";
import {
  openSealedLevel,
  type SealedLevel,
} from "../../services/ordering/embedded/sealed-level.ts";
import { concatBytes, fromHex } from "../../services/primitives/bytes.ts";
import { READINGS_IN_FLIGHT_PER_DEVICE_MAX } from "../../services/primitives/limits.ts";

export type BrokerBench = {
  readonly emptyPerS: number; // QoS 1 messages a second, acknowledged
  readonly durablePerS: number;
  readonly ratio: number; // of the rates, durable / empty: what the budget is about
  readonly cpuRatio: number; // of the CPU time a message takes, empty / durable: free of the disk
};

const DEVICES = 200;
const READINGS = 200; // of each device, in each round
const ROUNDS = 3;
const LOAD = fileURLToPath(new URL("./broker-load.ts", import.meta.url));

/** The least that a durable hook can do: one write in flight, carrying all that waited. */
class Journal {
  readonly #level: SealedLevel;
  #waiting: { readonly payload: Uint8Array; readonly done: () => void }[] = [];
  #isWriting = false;
  #records = 0;

  constructor(level: SealedLevel) {
    this.#level = level;
  }

  append(payload: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ payload, done: resolve });
      if (!this.#isWriting) this.#writeAll().catch(reject);
    });
  }

  async #writeAll(): Promise<void> {
    this.#isWriting = true;
    while (this.#waiting.length > 0) {
      const group = this.#waiting;
      this.#waiting = [];
      const value = concatBytes(group.map(({ payload }) => payload));
      await this.#level.write([
        { key: `group/${String(this.#records++).padStart(12, "0")}`, value },
      ]);
      for (const { done } of group) done();
    }
    this.#isWriting = false;
  }
}

/** The best of a few rounds each, taken in turn: noise only ever slows down. */
export async function benchBroker(): Promise<BrokerBench> {
  const directory = mkdtempSync(join(tmpdir(), "gridlane-bench-"));
  const level = await openSealedLevel(directory);
  const journal = new Journal(level);
  const durable: ReadingHandler = ({ payload }) => journal.append(payload);
  const worst: Measured = { perS: 0, cpuUs: Number.POSITIVE_INFINITY };
  const best = { empty: worst, durable: worst };
  try {
    await measure(async () => {}); // warm
    for (let round = 0; round < ROUNDS; round++) {
      best.empty = better(best.empty, await measure(async () => {}));
      best.durable = better(best.durable, await measure(durable));
    }
  } finally {
    await level.close();
    rmSync(directory, { recursive: true });
  }
  return {
    emptyPerS: Math.round(best.empty.perS),
    durablePerS: Math.round(best.durable.perS),
    ratio: best.durable.perS / best.empty.perS,
    cpuRatio: best.empty.cpuUs / best.durable.cpuUs,
  };
}

/** Messages a second, and CPU microseconds of this process for each. */
type Measured = { readonly perS: number; readonly cpuUs: number };

function better(a: Measured, b: Measured): Measured {
  return { perS: Math.max(a.perS, b.perS), cpuUs: Math.min(a.cpuUs, b.cpuUs) };
}

async function measure(onReading: ReadingHandler): Promise<Measured> {
  const broker = await startEmbeddedBroker({
    host: "127.0.0.1",
    port: 0,
    credentials: ({ username }) => ({
      kind: "device",
      deviceId: fromHex(username),
      region: "bench",
    }),
    onReading,
  });
  const window = String(READINGS_IN_FLIGHT_PER_DEVICE_MAX);
  const args = ["--import", "tsx", LOAD, broker.url, String(DEVICES), String(READINGS), window];
  const before = process.cpuUsage();
  try {
    const { stdout } = await promisify(execFile)(process.execPath, args);
    const { user, system } = process.cpuUsage(before);
    const count = DEVICES * READINGS;
    return { perS: (1000 * count) / Number(stdout), cpuUs: (user + system) / count };
  } finally {
    await broker.stop();
  }
}
