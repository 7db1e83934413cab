/**
 * The demo's clock. Method: fake time, and a file that outlives the clock as it does a kill: what a
 * clock has shown, its successor never goes behind.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { startDemoClock } from "../../../services/cli/demo-clock.ts";
import { GridError } from "../../../services/primitives/errors.ts";
import { unixSeconds } from "../../../services/primitives/units.ts";

let directory = "";
let file = "";
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "gridlane-clock-"));
  file = join(directory, "market-time");
  vi.useFakeTimers({ toFake: ["performance", "setInterval", "clearInterval"] });
});
afterEach(() => {
  vi.useRealTimers();
  rmSync(directory, { recursive: true });
});
const start = () => startDemoClock({ file, startS: unixSeconds(900), speed: 90 });

test("runs at its speed and goes on where a clean stop left it", () => {
  const clock = start();
  expect(clock.nowS()).toBe(900);
  vi.advanceTimersByTime(10_000);
  expect(clock.nowS()).toBe(1800);
  clock.stop();
  expect(start().nowS()).toBe(1800);
});

test("after a kill it is never behind what it has shown", () => {
  const killed = start();
  vi.advanceTimersByTime(7_300);
  const shown = killed.nowS();
  vi.clearAllTimers(); // the process is gone: nothing is renewed, nothing is cleaned up
  const next = start();
  expect(next.nowS()).toBeGreaterThanOrEqual(shown);
  expect(next.nowS()).toBeLessThanOrEqual(shown + 4 * 90); // one reservation, not more
});

test("a stalled process shows no time that it has not reserved", () => {
  const clock = start();
  vi.clearAllTimers(); // renewals stop, real time goes on
  vi.advanceTimersByTime(60_000);
  expect(clock.nowS()).toBe(Number(readFileSync(file, "utf8")));
  expect(clock.nowS()).toBe(900 + 3 * 90);
});

test("jumps forward only", () => {
  const clock = start();
  clock.advanceTo(unixSeconds(5000));
  expect(clock.nowS()).toBe(5000);
  clock.advanceTo(unixSeconds(4000));
  expect(clock.nowS()).toBe(5000);
  clock.stop();
});

test.each(["", "soon", "-5", "1.5"])("a file of '%s' is refused, it is no first start", (text) => {
  writeFileSync(file, text);
  expect(start).toThrow(GridError);
  expect(start).toThrow(/holds no time/);
});
