/**
 * `gridlane demo` as a user types it: it clears slots, ends with a summary, resumes where it
 * stopped, and says plainly what is wrong when it cannot start.
 */
import { join } from "node:path";
import { expect, test } from "vitest";
import { gridlane, inTemporaryDirectory, run } from "../support/command.ts";

const QUICK = ["--slot-seconds", "1", "--http-port", "0", "--mqtt-port", "0"];

test("clears slots, prints one JSON object, and resumes", async () => {
  await inTemporaryDirectory(async (directory) => {
    const data = ["--data", join(directory, "demo")];
    const first = await run(["demo", "--slots", "3", "--json", ...QUICK, ...data]);
    expect(first.code, first.stderr).toBe(0);
    const summary = JSON.parse(first.stdout);
    expect(summary.slots).toBe(3);
    expect(summary.regions).toHaveLength(3);
    for (const region of summary.regions) {
      expect(region).toMatchObject({ slots: 3, refusedReadings: 0 });
      expect(region.tradedWh).toBeGreaterThan(0);
      expect(region.priceMinUcPerWh).toBeLessThanOrEqual(region.priceMaxUcPerWh);
    }
    for (const name of ["selfSufficiencyOwn", "selfConsumptionCommunity"]) {
      expect(summary[name]).toBeGreaterThan(0);
      expect(summary[name]).toBeLessThanOrEqual(1);
    }
    const second = await run(["demo", "--slots", "2", "--json", ...QUICK, ...data]);
    expect(second.code, second.stderr).toBe(0);
    const resumed = JSON.parse(second.stdout);
    expect(resumed.slots).toBe(5);
    expect(resumed.height).toBeGreaterThan(summary.height);
    for (const region of resumed.regions) expect(region.refusedReadings).toBe(0);
  });
});

test("stops cleanly on Ctrl-C and says where it will resume", async () => {
  await inTemporaryDirectory(async (directory) => {
    const demo = gridlane(["demo", ...QUICK, "--data", join(directory, "demo")]);
    await demo.says(/first slot/i);
    expect(await demo.kill("SIGINT")).toBe(0);
    expect(demo.stderr()).toMatch(/stopped/i);
    expect(demo.stderr()).not.toMatch(/\n\s+at /);
  });
});

test("a second demo on the same data, and a port in use, are said in one sentence", async () => {
  await inTemporaryDirectory(async (directory) => {
    const data = ["--data", join(directory, "demo")];
    const demo = gridlane(["demo", ...QUICK, ...data]);
    const [, port = ""] = await demo.says(/http:\/\/127\.0\.0\.1:(\d+)/);
    const locked = await run(["demo", ...QUICK, ...data]);
    expect(locked.code).toBe(1);
    expect(locked.stderr).toMatch(/\[database_locked\]/);
    const other = ["--data", join(directory, "other"), "--slot-seconds", "1", "--mqtt-port", "0"];
    const busy = await run(["demo", "--http-port", port, ...other]);
    expect(busy.code).toBe(1);
    expect(busy.stderr).toMatch(/\[port_in_use\]/);
    for (const { stderr } of [locked, busy]) expect(stderr).not.toMatch(/\n\s+at /);
    expect(await demo.kill("SIGINT")).toBe(0);
  });
});
