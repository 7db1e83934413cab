/**
 * The small parts of the shell: keys, clocks, calendar jobs, log pruning. Method: each against the
 * behaviour its header promises; time is moved by hand where it matters.
 */
import {
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { scaledClock, systemClock } from "../../../services/node/clocks.ts";
import { createKeys, KEY_NAMES, looseKeyFiles, readKeys } from "../../../services/node/keys.ts";
import { openLog, pruneLogs } from "../../../services/node/log.ts";
import { checkExpression, startSchedule } from "../../../services/node/schedule.ts";
import { unixSeconds } from "../../../services/primitives/units.ts";

let directory = "";
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "gridlane-node-"));
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
  rmSync(directory, { recursive: true });
});

test("keys are made once, for their owner alone, and read back", () => {
  const keys = createKeys(join(directory, "keys"));
  expect(Object.keys(keys)).toEqual([...KEY_NAMES]);
  expect(new Set(Object.values(keys).map(String)).size).toBe(KEY_NAMES.length);
  expect(readKeys(join(directory, "keys"))).toEqual(keys);
  const file = join(directory, "keys", "sequencer.key");
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(looseKeyFiles(join(directory, "keys"))).toEqual([]);
  chmodSync(file, 0o644);
  expect(looseKeyFiles(join(directory, "keys"))).toEqual([file]);
  expect(() => createKeys(join(directory, "keys"))).toThrow(/EEXIST/);
});

test("a missing or malformed key names its file", () => {
  createKeys(join(directory, "keys"));
  const file = join(directory, "keys", "oracle-bls.key");
  writeFileSync(file, "not hexadecimal");
  expect(() => readKeys(join(directory, "keys"))).toThrow(/oracle-bls\.key: must hold 64/);
  rmSync(file);
  expect(() => readKeys(join(directory, "keys"))).toThrow(/oracle-bls\.key: key file is missing/);
});

test("the system clock never falls and reports a step back", () => {
  vi.useFakeTimers({ now: 1_000_000_000_000 });
  const steps: number[] = [];
  const clock = systemClock({ onStepBack: (byS) => steps.push(byS) });
  expect(clock.nowS()).toBe(1_000_000_000);
  vi.setSystemTime(999_999_000_000);
  const times = [clock.nowS(), clock.nowS(), clock.nowS()];
  expect(times).toEqual([1_000_000_000, 1_000_000_000, 1_000_000_000]);
  expect(steps).toEqual([1000]);
  vi.setSystemTime(1_000_000_100_000);
  expect(clock.nowS()).toBe(1_000_000_100);
  vi.setSystemTime(1_000_000_090_000);
  expect(clock.nowS()).toBe(1_000_000_100);
  expect(steps).toEqual([1000, 10]);
});

test("a scaled clock runs as many times as fast", () => {
  vi.useFakeTimers({ toFake: ["performance"] });
  const clock = scaledClock({ startS: unixSeconds(900), speed: 90 });
  expect(clock.nowS()).toBe(900);
  vi.advanceTimersByTime(10_000);
  expect(clock.nowS()).toBe(1800);
});

test("a job that fails is counted and comes again; its expression is checked by name", async () => {
  expect(() => checkExpression("dailyStatement", "61 0 * * *")).toThrow(/jobs\.dailyStatement/);
  const failing = { name: "dailyStatement" as const, run: () => Promise.reject(new Error("no")) };
  const schedule = startSchedule({
    jobs: [failing],
    expressions: { dailyStatement: "10 0 * * *", logPruning: "20 0 * * *" },
    timeZone: "Europe/Vienna",
    log: pino({ level: "silent" }),
  });
  const [job] = schedule.status();
  expect(job).toMatchObject({ name: "dailyStatement", failures: 0, lastSuccessS: null });
  expect(job!.nextRunS).toBeGreaterThan(Date.now() / 1000);
  await schedule.stop();
});

test("logs redact secrets; old ones go, today's and foreign files stay", () => {
  const opened = openLog({ directory, level: "info", stderr: "nothing" });
  opened.log.info({ password: "secret", nested: { token: "secret" } }, "event");
  opened.close();
  const [written = ""] = readdirSync(directory);
  const line = readFileSync(join(directory, written), "utf8");
  expect(line).toContain('"msg":"event"');
  expect(line).not.toContain("secret");
  writeFileSync(join(directory, "2020-01-01.log"), "old");
  writeFileSync(join(directory, "notes.txt"), "mine");
  expect(pruneLogs({ directory, keepDays: 14 })).toBe(1);
  const left = readdirSync(directory).sort();
  expect(left).toHaveLength(2);
  expect(left[1]).toBe("notes.txt");
});
