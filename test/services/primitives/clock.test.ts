/** Method: the one law of a clock, that time never falls, on the clock that simulations drive. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { ManualClock } from "../../../services/primitives/clock.ts";
import { type UnixSeconds, unixSeconds } from "../../../services/primitives/units.ts";

test("time stands still until it is moved, and a time already passed is ignored", () => {
  const clock = new ManualClock(unixSeconds(1000));
  expect(clock.nowS()).toBe(1000);
  clock.advanceTo(unixSeconds(1060));
  clock.advanceTo(unixSeconds(1030));
  expect(clock.nowS()).toBe(1060);
  expect(() => clock.advanceTo(1060.5 as UnixSeconds)).toThrow("safe integer");
});

test("now is the latest time it was given", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(), { minLength: 1 }), (times) => {
      const clock = new ManualClock(unixSeconds(0));
      for (const timeS of times) clock.advanceTo(unixSeconds(timeS));
      expect(clock.nowS()).toBe(Math.max(...times));
    }),
  );
});
