/**
 * Method: the simulated disk against LevelDB's promises, one table of crashes; its `level` beside
 * the real one, the same random operations on both.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Level } from "level";
import { expect, test } from "vitest";
import { type LaneExecutor, sequentialExecutor } from "../../services/chain/lane-executor.ts";
import { createPrng } from "../../services/primitives/prng.ts";
import { GENESIS_SLOT } from "./community.ts";
import { type Cut, Disk } from "./disk.ts";
import { Poisons } from "./poison.ts";
import { openSimulatedLevel } from "./simulated-level.ts";
import { World } from "./world.ts";

const FOREVER = () => false;
const put = (key: string) =>
  ({ type: "put", key, value: Uint8Array.of(key.charCodeAt(0)) }) as const;

/** Writes a to d, `b` with a sync, and crashes while d is on its way; tells what is left. */
async function survivors(seed: string, cut: Cut): Promise<string> {
  const world = new World(seed, 0);
  const disk = new Disk(world, "disk");
  const level = await openSimulatedLevel(disk);
  await Promise.all([
    level.batch([put("a")], { sync: false }),
    level.batch([put("b")], { sync: true }),
    level.batch([put("c")], { sync: false }),
    world.run(100, FOREVER),
  ]);
  level.batch([put("d"), put("e")], { sync: true }).catch(() => expect.unreachable());
  disk.crash(cut);
  await world.run(200, FOREVER);
  return (await (await openSimulatedLevel(disk)).keys().all()).join("");
}

test.each([
  { cut: "power", outcomes: ["ab", "abc", "abcde"] },
  { cut: "process", outcomes: ["abc", "abcde"] },
] as const)("what a $cut cut leaves: $outcomes", async ({ cut, outcomes }) => {
  const found = new Set<string>();
  for (let seed = 0; seed < 40; seed++) found.add(await survivors(`${seed}`, cut));
  expect([...found].sort()).toEqual(outcomes);
});

test("a full disk fails a write, and every one after it until the next opening", async () => {
  const world = new World("full", 0);
  const disk = new Disk(world, "disk");
  const level = await openSimulatedLevel(disk);
  disk.trap("full", 2, () => {});
  const results = Promise.allSettled(["a", "b", "c"].map((key) => level.batch([put(key)])));
  await world.run(100, FOREVER);
  expect((await results).map(({ status }) => status)).toEqual([
    "fulfilled",
    "rejected",
    "rejected",
  ]);
  disk.free();
  const late = Promise.allSettled([level.batch([put("d")])]);
  await world.run(200, FOREVER);
  expect((await late)[0]!.status).toBe("rejected");
  disk.crash("process");
  const again = await openSimulatedLevel(disk);
  await Promise.all([again.batch([put("e")]), world.run(300, FOREVER)]);
  expect(await again.get("a")).toBeDefined();
  expect(await again.get("e")).toBeDefined();
});

test("answers as LevelDB does, sublevels and ranges included", async () => {
  const directory = mkdtempSync(join(tmpdir(), "gridlane-simulation-"));
  const real = new Level<string, Uint8Array>(directory, { valueEncoding: "view" });
  const world = new World("twin", 0);
  await real.open();
  const twin = await openSimulatedLevel(new Disk(world, "disk"));
  const prng = createPrng("twin");
  const word = () => String.fromCharCode(97 + prng.below(6), 97 + prng.below(6));
  try {
    for (let round = 0; round < 60; round++) {
      const operations = Array.from({ length: 1 + prng.below(5) }, () => {
        const [key, value] = [word(), Uint8Array.of(prng.below(256))];
        return prng.below(3) === 0
          ? { type: "del" as const, key }
          : { type: "put" as const, key, value };
      });
      const [gte, lt] = [word(), word()].sort() as [string, string];
      const range = { gte, lt, reverse: prng.below(2) === 0, limit: 1 + prng.below(9) };
      const answers: unknown[] = [];
      for (const level of [real, twin]) {
        const table = level.sublevel<string, Uint8Array>("t", { valueEncoding: "view" });
        const chained = level.batch();
        for (const one of operations) {
          if (one.type === "del") chained.del(one.key, { sublevel: table });
          else chained.put(one.key, one.value, { sublevel: table });
        }
        const work = (async () => {
          await level.batch(operations, { sync: true });
          await chained.write();
          if (round % 10 === 9) await level.clear({ gte, lt });
        })();
        if (level === twin) await world.run(world.nowMs + 100, FOREVER);
        await work;
        const entries = [
          ...(await level.iterator(range).all()),
          ...(await table.iterator(range).all()),
        ];
        answers.push(entries.map(([key, value]) => `${key}=${value[0]}`));
      }
      expect(answers[1]).toEqual(answers[0]);
    }
  } finally {
    await real.close();
    rmSync(directory, { recursive: true });
  }
});

test("a poisoned lane breaks in its slot and step, below the height of its repair", () => {
  const lane = (regionIndex: number) => ({ value: { regionIndex, held: null, curve: null } });
  const healthy: LaneExecutor = {
    ...sequentialExecutor,
    open: ({ jobs }) => {
      const outcomes = jobs.map(({ regionIndex }) => lane(regionIndex));
      return { brought: outcomes, close: () => outcomes as never };
    },
  };
  const rest = { kind: "poisoned-lane", lookS: 60, vainReleases: 0, comesBack: true } as const;
  const poisons = new Poisons([
    { ...rest, region: 1, slot: 3, step: "open" },
    { ...rest, region: 0, slot: 5, step: "close" },
  ]);
  const executor = poisons.executor(healthy);
  const clear = (slot: number, height: number) => {
    const jobs = [{ regionIndex: 0 }, { regionIndex: 1 }];
    const opened = executor.open({ slot: GENESIS_SLOT + slot, jobs, height } as never);
    return [opened.brought, opened.close([])];
  };
  const whole = [lane(0), lane(1)];
  const failure = (regionIndex: number, step: string) => {
    return { failure: { regionIndex, step, message: "a poisoned lane" } };
  };
  expect(clear(2, 7)).toEqual([whole, whole]);
  expect(clear(3, 8)[0]).toEqual([lane(0), failure(1, "open")]);
  expect(clear(5, 9)).toEqual([whole, [failure(0, "close"), lane(1)]]);
  poisons.repair(poisons.faults[0]!);
  expect(clear(3, 9)[0]).toEqual([lane(0), failure(1, "open")]); // as it was, in a replay
  expect(clear(3, 10)).toEqual([whole, whole]);
  poisons.repair(poisons.faults[0]!);
  expect(clear(3, 10)).toEqual([whole, whole]);
  expect([poisons.lastingSlot(0), poisons.lastingSlot(1)]).toEqual([5, null]);
});
