/** Method: each limit of the simulator at its edge, one below and one beyond. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { readReplay } from "../../firmware-sim/profiles/replay.ts";
import { provisionFleet } from "../../firmware-sim/provision.ts";
import {
  FLEET_DEVICES_MAX,
  REPLAY_HOMES_MAX,
  REPLAY_ROWS_MAX,
} from "../../services/primitives/limits.ts";
import { removeTestDirectories, testDirectory } from "./support/fleet.ts";

afterAll(removeTestDirectories);

test("a fleet of FLEET_DEVICES_MAX meters is made, one more is refused by its number", () => {
  const fleet = (meters: number) => {
    const homes = Array.from({ length: meters - 1 }, (_, h) => ({
      label: `h${h}`,
      hasPanels: false,
    }));
    return provisionFleet({ seed: "limit", regions: [{ id: "r", homes }] }).devices.length;
  };
  expect(fleet(100)).toBe(100);
  const facts = { argument: "homes", value: String(FLEET_DEVICES_MAX + 1) };
  const beyond = { code: "argument_invalid", facts };
  expect(() => fleet(FLEET_DEVICES_MAX + 1)).toThrow(expect.objectContaining(beyond));
  expect(fleet(FLEET_DEVICES_MAX)).toBe(FLEET_DEVICES_MAX);
});

async function replay({ homes, rows }: { homes: number; rows: number }) {
  const names = Array.from({ length: homes }, (_, h) => `h${h}_load_kwh`);
  const cells = ",0".repeat(homes);
  const lines = Array.from({ length: rows }, (_, r) => `${r * 900}${cells}`);
  const file = join(await testDirectory(), "homes.csv");
  await writeFile(file, `${["timestamp", ...names].join(",")}\n${lines.join("\n")}\n`);
  return readReplay({ file });
}

test("REPLAY_HOMES_MAX homes are read, one more is refused", async () => {
  expect((await replay({ homes: REPLAY_HOMES_MAX, rows: 2 })).homes).toHaveLength(REPLAY_HOMES_MAX);
  const beyond = { code: "replay_invalid", message: expect.stringContaining("more than") };
  await expect(replay({ homes: REPLAY_HOMES_MAX + 1, rows: 2 })).rejects.toMatchObject(beyond);
});

test("REPLAY_ROWS_MAX rows are read, one more is refused", async () => {
  expect((await replay({ homes: 1, rows: REPLAY_ROWS_MAX })).rows).toBe(REPLAY_ROWS_MAX);
  const beyond = { code: "replay_invalid", message: expect.stringContaining("more than") };
  await expect(replay({ homes: 1, rows: REPLAY_ROWS_MAX + 1 })).rejects.toMatchObject(beyond);
});
