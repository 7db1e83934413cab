/**
 * Method: worked cases for what is believed and what stands for a slot, the recorded reboot glitch
 * first; then random register traces with glitches and gaps against the laws: nothing signed was
 * unread, registers never fall, their sum is exact.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { judgeRegisters } from "../../../services/gateway/register-guard.ts";
import { registersOf, sampleOf } from "../../../services/gateway/sampling.ts";
import {
  type Sample,
  SlotAligner,
  type SlotSample,
} from "../../../services/gateway/slot-aligner.ts";
import type { MeterTelegram } from "../../../services/oracle/adapters/telegram.ts";
import { READING_FLAG } from "../../../services/wire/reading.ts";

const CONNECTION_W = 17_250;
const SLOT_S = 900;

function sample(readS: number, importWh: number, own: Partial<Sample> = {}): Sample {
  const rest = { exportWh: 0, resolutionWh: 1, flags: 0, isMeterTime: true };
  return { readS, importWh, ...rest, ...own };
}

/** What a gateway signs of a trace of (time, import register): guard, then aligner. */
function signed(
  trace: readonly (readonly [number, number])[],
  { openingWh, endSlot }: { openingWh: number; endSlot: number },
) {
  const aligner = new SlotAligner({ slotS: SLOT_S, nextSlot: 0 });
  let last = { atS: 0, importWh: openingWh, exportWh: 0 };
  const closed: SlotSample[] = [];
  let held = 0;
  for (const [atS, importWh] of trace) {
    const next = { atS, importWh, exportWh: 0 };
    const rules = { connectionW: CONNECTION_W, resolutionWh: 1 };
    if (judgeRegisters({ last, next, ...rules }).kind === "held") held++;
    else {
      last = next;
      closed.push(...aligner.take(sample(atS, importWh)));
    }
  }
  closed.push(...aligner.closeBefore(endSlot));
  return { held, slots: closed.map(({ slot, sample: of }) => [slot, of.readS, of.importWh]) };
}

test("the recorded reboot: 3.737, unavailable, 0.000, 3.746 kWh makes 9 Wh", () => {
  // At a slot's end: the last value before it is the one that stands.
  const across = [
    [600, 3737],
    [898, 0],
    [901, 3746],
    [1500, 3800],
  ] as const;
  expect(signed(across, { openingWh: 3737, endSlot: 2 })).toEqual({
    ...{ held: 1 },
    slots: [
      [0, 600, 3737],
      [1, 1500, 3800],
    ],
  });
  // A counter that starts at zero would count 3.746 kWh anew; the signed steps are 9 Wh.
  const inside = [
    [600, 3737],
    [602, 0],
    [603, 0],
    [604, 3746],
  ] as const;
  expect(signed(inside, { openingWh: 3737, endSlot: 1 })).toEqual({
    held: 2,
    slots: [[0, 604, 3746]],
  });
});

test.each([
  ["rises as the connection allows", 0, 60, 316, "believed"],
  ["rises faster", 0, 60, 318, "register_jumped"],
  ["comes in a burst", 1000, 1000, 1300, "believed"],
  ["stays", 1000, 2000, 1000, "believed"],
  ["falls by one", 1000, 2000, 999, "register_fell"],
  ["jumps after a day away", 1000, 86_400, 400_000, "believed"],
  ["is ten times itself after a day away", 1000, 86_400, 5_000_000, "register_jumped"],
])("a register that %s", (_, before, atS, after, expected) => {
  const belief = judgeRegisters({
    last: { atS: before === 1000 ? 1000 : 0, importWh: before, exportWh: null },
    next: { atS, importWh: after, exportWh: null },
    ...{ connectionW: CONNECTION_W, resolutionWh: 1 },
  });
  expect(belief.kind === "held" ? belief.why : belief.kind).toBe(expected);
});

test("a register in whole kWh may take its step at once", () => {
  const step = { atS: 10, importWh: 1000, exportWh: 0 };
  const last = { atS: 0, importWh: 0, exportWh: 0 };
  const rules = { connectionW: CONNECTION_W, last, next: step };
  expect(judgeRegisters({ ...rules, resolutionWh: 1000 }).kind).toBe("believed");
  expect(judgeRegisters({ ...rules, resolutionWh: 1 }).kind).toBe("held");
});

test.each([
  ["before the end, the last counts", [100, 500, 899], [], [0, 899]],
  ["at the end it belongs to the slot that ends, at once", [100, 900], [0, 900], null],
  ["after the end: the one before it", [100, 901], [0, 100], [1, 901]],
  ["one only", [1], [], [0, 1]],
  ["of a slot already closed", [900, 850], [0, 900], null],
  ["out of order within a slot", [500, 400], [], [0, 500]],
  ["nothing for three slots", [100, 3700], [0, 100], [4, 3700]],
])("which register stands for a slot: %s", (_, times, during, afterwards) => {
  const aligner = new SlotAligner({ slotS: SLOT_S, nextSlot: 0 });
  const closed = times.flatMap((time) => aligner.take(sample(time, time)));
  const row = ({ slot, sample: of }: SlotSample) => [slot, of.readS];
  expect(closed.flatMap(row)).toEqual(during);
  expect(aligner.closeBefore(10).map(row)).toEqual(afterwards === null ? [] : [afterwards]);
  expect(aligner.closeBefore(10)).toEqual([]);
});

test("laws over random traces: read as signed, never falling, exact in sum", () => {
  const step = fc.record({
    afterS: fc.integer({ min: 1, max: 2000 }),
    wh: fc.integer({ min: 0, max: 4 }), // within any connection
    glitch: fc.constantFrom<"none" | "zero" | "low" | "high">(
      "none",
      "none",
      "none",
      "zero",
      "low",
      "high",
    ),
  });
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 60 }), (steps) => {
      let [atS, register] = [0, 3000];
      const genuine = new Map<number, number>();
      const trace: [number, number][] = [[1, register]];
      genuine.set(1, register);
      for (const { afterS, wh, glitch } of steps) {
        atS += afterS;
        register += wh;
        if (glitch === "none") genuine.set(atS, register);
        if (glitch === "zero") trace.push([atS, 0]);
        else if (glitch === "low") trace.push([atS, register - 500]);
        else trace.push([atS, glitch === "high" ? register + 1e9 : register]);
      }
      const { slots } = signed(trace, { openingWh: 3000, endSlot: 1000 });
      const registers = slots.map(([, , importWh]) => importWh!);
      for (const [slot, readS, importWh] of slots) {
        expect(genuine.get(readS!)).toBe(importWh);
        expect(readS! > slot! * SLOT_S && readS! <= (slot! + 1) * SLOT_S).toBe(true);
      }
      expect([...registers].sort((a, b) => a - b)).toEqual(registers);
      const lastGenuine = [...genuine.values()].at(-1);
      expect(registers.at(-1)).toBe(lastGenuine);
    }),
    { numRuns: 500 },
  );
});

function telegram(own: Partial<MeterTelegram>): MeterTelegram {
  const nobody = { format: "dsmr", identification: null, timeS: null } as const;
  return { ...nobody, importWh: 7, exportWh: 3, resolutionWh: 1, flags: [], ...own };
}

const GRID = { importWh: 5, exportWh: 2 };
const PRODUCTION = { importWh: null, exportWh: 2 };

test.each([
  ["both registers", {}, "both", GRID, { importWh: 7, exportWh: 3 }],
  ["one missing", { exportWh: null }, "both", GRID, null],
  ["no export register", { exportWh: null }, "import", GRID, { importWh: 7, exportWh: 2 }],
  [
    "a generator's own count",
    { exportWh: null },
    "production",
    PRODUCTION,
    { importWh: null, exportWh: 7 },
  ],
  ["a generator's export register", {}, "both", PRODUCTION, { importWh: null, exportWh: 3 }],
  ["nothing", { importWh: null, exportWh: null }, "both", PRODUCTION, null],
] as const)("which registers count: %s", (_, own, counts, state, expected) => {
  expect(registersOf(telegram(own), { counts, state })).toEqual(expected);
});

const REPLACED = READING_FLAG.clockReplaced;

test.each([
  ["agrees with the clock", { timeS: 1000 }, "auto", [1000, true, 0]],
  ["is off by more than two minutes", { timeS: 700 }, "auto", [1050, false, REPLACED]],
  ["is in the future", { timeS: 1171 }, "auto", [1050, false, REPLACED]],
  ["is absent", {}, "auto", [1050, false, REPLACED]],
  ["is old by the source's own word", { timeS: 10, flags: ["backfill"] }, "auto", [10, true, 0]],
  ["is absent and old", { flags: ["backfill"] }, "auto", null],
  ["alone counts", { timeS: 10 }, "telegram", [10, true, 0]],
  ["alone counts and is absent", {}, "telegram", null],
  ["is good, the value not", { timeS: 1050, flags: ["status_doubtful"] }, "auto", [1050, true, 16]],
] as const)("a telegram's time that %s", (_, own, time, expected) => {
  const found = sampleOf(telegram(own), GRID, { nowS: 1050, time });
  const row = found === null ? null : [found.readS, found.isMeterTime, found.flags];
  expect(row).toEqual(expected);
});
