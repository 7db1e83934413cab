/**
 * Method: the sequential executor is the specification. Random blocks over 1 to 200 lanes run on 1,
 * 2, 4 and 8 threads that are slow at random, so that starts and ends come in any order, and of
 * which one dies or stands still with a lane in its hands: every result, app hash and stored byte
 * must be the specification's. The conformance suite of applications runs over threads as well.
 */
import { setEnvironmentData } from "node:worker_threads";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Block } from "../../../services/chain/abci.ts";
import { createApplication } from "../../../services/chain/application.ts";
import {
  type LaneExecutor,
  type OpenJob,
  sequentialExecutor,
} from "../../../services/chain/lane-executor.ts";
import { createRules } from "../../../services/chain/rules.ts";
import { genesisState } from "../../../services/chain/state.ts";
import { sha256 } from "../../../services/crypto/hash.ts";
import {
  createLaneWorkers,
  type LaneWorkers,
  laneWorkerCount,
} from "../../../services/node/lane-workers.ts";
import { toHex } from "../../../services/primitives/bytes.ts";
import type { Genesis } from "../../../services/wire/genesis.ts";
import { applicationSuite } from "../../conformance/application-suite.ts";
import { blocksOfMany, manyRegions, randomBlocks, threeRegions } from "../chain/workload.ts";

const FAULTY = new URL("./faulty-lane-worker.mjs", import.meta.url);
const replaced: string[] = [];

function faults(plan: { seed: string; dies?: number; stands?: number; job?: number }): void {
  setEnvironmentData("lane faults", { dies: -1, stands: -1, job: 1, ...plan });
}

function start(workers: number, caller: "works" | "waits", patienceMs = 60_000): LaneWorkers {
  return createLaneWorkers({
    ...{ workers, caller, entry: FAULTY, stallMs: 300, patienceMs, metersMin: 0 },
    onReplaced: ({ why }) => replaced.push(why),
  });
}

/** Everything that a chain of these blocks gives to others, as text. */
function run(genesis: Genesis, blocks: readonly Block[], executor: LaneExecutor): string[] {
  const app = createApplication({ genesis, stored: new Map(), executor });
  app.initChain();
  return blocks.map((block) => {
    const { results, appHash, slotRecords } = app.finalizeBlock(block);
    const changes = app.commit().changes.map(({ key, value }) => {
      return `${key}=${value === null ? "" : toHex(sha256(value))}`;
    });
    const bills = slotRecords.map((record) => toHex(record.bills.bytes)).join();
    return [JSON.stringify(results), toHex(appHash), bills, ...changes].join("\n");
  });
}

faults({ seed: "start" });
const pools = [start(1, "works"), start(2, "waits"), start(4, "waits"), start(8, "works")];
beforeAll(() => Promise.all(pools.map((pool) => pool.ready())));
afterAll(() => Promise.all(pools.map((pool) => pool.stop())));

test.each([1, 2, 3, 17, 64, 200])("%i lanes give the same bytes on any threads", (lanes) => {
  const fixture = manyRegions(`lanes ${lanes}`, lanes);
  const blocks = blocksOfMany(fixture, `lanes ${lanes}`, lanes > 100 ? 2 : 4);
  const expected = run(fixture.genesis, blocks, sequentialExecutor);
  expect(expected.join()).toContain("slot/0000");
  for (const pool of pools) {
    faults({ seed: `lanes ${lanes}` });
    expect(run(fixture.genesis, blocks, pool)).toEqual(expected);
  }
});

describe("a thread with a lane in its hands", () => {
  const fixture = manyRegions("mid-lane", 40);
  const blocks = blocksOfMany(fixture, "mid-lane", 4);
  let expected: string[] = [];
  beforeAll(() => {
    expected = run(fixture.genesis, blocks, sequentialExecutor);
  });

  test.each([
    ["dies", 1],
    ["dies", 12],
    ["stands", 8],
  ] as const)(
    "%s at its job %i: the same bytes, and another thread in its place",
    async (fate, job) => {
      faults({ seed: "mid-lane", [fate]: 1, job });
      const pool = start(2, "waits", 0);
      await pool.ready();
      const before = replaced.length;
      expect(run(fixture.genesis, blocks, pool)).toEqual(expected);
      await expect.poll(() => replaced.length).toBe(before + 1);
      expect(pool.size).toBe(2);
      faults({ seed: "after" });
      await pool.ready();
      expect(run(fixture.genesis, blocks, pool)).toEqual(expected);
      await pool.stop();
    },
  );
});

test("threads that cannot start leave their work to the caller, and are given up", async () => {
  const { genesis } = threeRegions();
  const blocks = randomBlocks(threeRegions(), "no threads", 3);
  const gone: string[] = [];
  const pool = createLaneWorkers({
    ...{ workers: 2, metersMin: 0, entry: new URL("./absent-worker.mjs", import.meta.url) },
    onReplaced: ({ why }) => gone.push(why),
  });
  expect(run(genesis, blocks, pool)).toEqual(run(genesis, blocks, sequentialExecutor));
  await expect.poll(() => pool.size, { timeout: 60_000 }).toBe(0);
  expect(gone[0]).toContain("absent-worker");
  expect(run(genesis, blocks, pool)).toEqual(run(genesis, blocks, sequentialExecutor));
  await pool.stop();
});

test("a lane that fails is the same outcome on any thread, and leaves the others alone", () => {
  const fixture = manyRegions("poison", 6);
  const rules = createRules(fixture.genesis);
  const { lanes } = genesisState(rules);
  const slot = fixture.slotAtIndex(0);
  // No lane has a report yet: opening each is a broken invariant.
  const jobs: OpenJob[] = lanes.map((lane, regionIndex) => ({ regionIndex, lane, held: null }));
  const expected = sequentialExecutor.open({ rules, slot, height: 1, jobs }).brought;
  expect(expected).toHaveLength(6);
  expect(expected[3]).toEqual({
    failure: { regionIndex: 3, step: "open", message: "a due slot has its report" },
  });
  for (const pool of pools) {
    expect(pool.open({ rules, slot, height: 1, jobs }).brought).toEqual(expected);
  }
});

test.each([
  [{ configured: "auto", cores: 2, meters: 1999 }, 0],
  [{ configured: "auto", cores: 2, meters: 2000 }, 1],
  [{ configured: "auto", cores: 1, meters: 1_000_000 }, 0],
  [{ configured: "auto", cores: 64, meters: 1_000_000 }, 8],
  [{ configured: 3, cores: 2, meters: 10 }, 3],
  [{ configured: 0, cores: 64, meters: 1_000_000 }, 0],
] as const)("%j: %i threads beside the caller's", (parts, workers) => {
  expect(laneWorkerCount(parts)).toBe(workers);
});

const conformance = threeRegions();
applicationSuite("the market chain on threads", () => ({
  create: (stored) =>
    createApplication({ genesis: conformance.genesis, stored, executor: pools[1]! }),
  blocks: randomBlocks(conformance, "conformance on threads", 3),
  runs: 4,
}));
