/** Method: each checked constructor at its edges; slots as half-open intervals, as a property. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { InvariantError } from "../../../services/primitives/errors.ts";
import {
  PRICE_UC_PER_WH_MAX,
  REGISTER_WH_MAX,
  SLOT_S_MAX,
  SLOT_S_MIN,
} from "../../../services/primitives/limits.ts";
import {
  cost,
  microCents,
  price,
  slot,
  slotAt,
  slotEndS,
  slotStartS,
  unixSeconds,
  wattHours,
} from "../../../services/primitives/units.ts";

const NEVER = [0.5, Number.NaN, Infinity, -Infinity, 2 ** 53, -(2 ** 53)];

test.each([
  ["wattHours", wattHours],
  ["unixSeconds", unixSeconds],
  ["slot", slot],
] as const)("%s takes the safe integers from 0 up", (_name, construct) => {
  expect(construct(0)).toBe(0);
  expect(construct(Number.MAX_SAFE_INTEGER)).toBe(Number.MAX_SAFE_INTEGER);
  for (const value of [...NEVER, -1]) expect(() => construct(value)).toThrow(InvariantError);
});

test("a price may be negative, never fractional", () => {
  expect(price(-1)).toBe(-1);
  for (const value of NEVER) expect(() => price(value)).toThrow(InvariantError);
});

test.each([
  [30_000, 1000, 30_000_000n], // 0.30 per kWh, 1 kWh: 0.30
  [-500, 3, -1500n],
  [0, 5, 0n],
  [5, 0, 0n],
  [PRICE_UC_PER_WH_MAX, REGISTER_WH_MAX, 2_814_749_767_106_550_000_000n], // beyond 2^53, exact
])("%i uc/Wh x %i Wh", (priceUcPerWh, energyWh, money) => {
  expect(cost(price(priceUcPerWh), wattHours(energyWh))).toBe(microCents(money));
});

test.each([
  [0, 0],
  [899, 0],
  [900, 1],
  [1_700_000_000, 1_888_888],
])("second %i is in slot %i of 900 s", (timeS, expected) => {
  expect(slotAt(unixSeconds(timeS), 900)).toBe(expected);
});

test("slots tile time: a slot holds its start and not its end", () => {
  const slotLength = fc.integer({ min: SLOT_S_MIN, max: SLOT_S_MAX });
  fc.assert(
    fc.property(fc.nat({ max: 2 ** 31 }), slotLength, (timeS, slotS) => {
      const at = slotAt(unixSeconds(timeS), slotS);
      expect(slotStartS(at, slotS)).toBeLessThanOrEqual(timeS);
      expect(slotEndS(at, slotS)).toBeGreaterThan(timeS);
      expect(slotAt(slotStartS(at, slotS), slotS)).toBe(at);
      expect(slotAt(slotEndS(at, slotS), slotS)).toBe(at + 1);
      expect(slotStartS(slot(at + 1), slotS)).toBe(slotEndS(at, slotS));
    }),
  );
});
