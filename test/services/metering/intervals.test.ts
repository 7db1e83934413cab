/**
 * Method: worked splits; then random histories (loss, delay, reordering, repetition, resets,
 * restarts, a moving correction window) against the invariant: all slot energies ever emitted for a
 * meter sum to its last accepted register minus its opening register.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { correctionFloor, emissionOf, slotEnergies } from "../../../services/metering/intervals.ts";
import { judgeReading, nextState, openingState } from "../../../services/metering/registers.ts";
import { SLOT_ENERGY_WH_MAX } from "../../../services/primitives/limits.ts";
import type { Slot, UnixSeconds, WattHours } from "../../../services/primitives/units.ts";
import type { Reading } from "../../../services/wire/reading.ts";
import { READING_CODE } from "../../../services/wire/refusals.ts";
import { QUALITY } from "../../../services/wire/report.ts";

const SLOT_S = 900;
const GENESIS_SLOT = 1000 as Slot;
const none = new Uint8Array(8);

function readingAt(slotEnd: number, fields: Partial<Reading>): Reading {
  return {
    deviceId: new Uint8Array(16),
    boot: 1,
    seq: 0,
    intervalEndS: (slotEnd * SLOT_S) as UnixSeconds,
    intervalS: SLOT_S,
    importWh: 0 as WattHours,
    exportWh: 0 as WattHours,
    timeStatus: 2,
    clockErrorMs: 0,
    flags: 0,
    kind: 0,
    firmwareHash: none,
    previousHash: none,
    ...fields,
  };
}

/** slots since genesis that the reading ends after, oldest open slot, registers -> per slot. */
test.each([
  { name: "one slot is actual", end: 1, floor: 0, wh: [7, 3], slots: [[0, 7, 3]], quality: "A" },
  {
    name: "three slots share, the earliest take the rest",
    end: 3,
    floor: 0,
    wh: [11, 1],
    slots: [
      [0, 4, 1],
      [1, 4, 0],
      [2, 3, 0],
    ],
    quality: "E",
  },
  {
    name: "closed slots leave their energy to the open ones",
    end: 4,
    floor: 2,
    wh: [9, 0],
    slots: [
      [2, 5, 0],
      [3, 4, 0],
    ],
    quality: "E",
  },
  {
    name: "one open slot of many is a guess",
    end: 4,
    floor: 3,
    wh: [9, 8],
    slots: [[3, 9, 8]],
    quality: "E",
  },
])("$name", ({ end, floor, wh, slots, quality }) => {
  const state = openingState({ openingImportWh: 100, openingExportWh: 50 }, GENESIS_SLOT * SLOT_S);
  const reading = readingAt(GENESIS_SLOT + end, {
    importWh: (100 + wh[0]!) as WattHours,
    exportWh: (50 + wh[1]!) as WattHours,
  });
  const floorSlot = (GENESIS_SLOT + floor) as Slot;
  const emission = emissionOf({ state, reading, slotS: SLOT_S, floorSlot });
  const energies = [...slotEnergies(emission)];
  expect(energies.map((e) => [e.slot - GENESIS_SLOT, e.importWh, e.exportWh])).toEqual(slots);
  const letter = { [QUALITY.actual]: "A", [QUALITY.estimated]: "E" }[emission.quality];
  expect(energies.every((e) => e.quality === emission.quality)).toBe(true);
  expect(letter).toBe(quality);
});

test.each([
  { nextSlot: 1000, windowS: 86_400, floor: 1000 },
  { nextSlot: 1050, windowS: 86_400, floor: 1000 },
  { nextSlot: 1100, windowS: 86_400, floor: 1003 },
  { nextSlot: 1100, windowS: 0, floor: 1099 }, // ended just when the report's slot starts
  { nextSlot: 1100, windowS: 1799, floor: 1098 },
  { nextSlot: 1100, windowS: 1800, floor: 1097 },
])("window of $windowS s before slot $nextSlot opens at $floor", ({ nextSlot, windowS, floor }) => {
  const window = { correctionWindowS: windowS, slotS: SLOT_S, genesisSlot: GENESIS_SLOT };
  expect(correctionFloor({ nextSlot: nextSlot as Slot, ...window })).toBe(floor);
});

const step = fc.record({
  skipSlots: fc.nat(30), // slots without a record before this one
  importWh: fc.nat(4000),
  exportWh: fc.nat(4000),
  reset: fc.boolean(), // the register shows zero for this record only
  restart: fc.boolean(),
});
const history = fc.array(step, { minLength: 1, maxLength: 30 }).chain((steps) =>
  fc.record({
    steps: fc.constant(steps),
    // Indexes into the records, in any order, some never, some often.
    arrivals: fc.array(fc.nat(steps.length - 1), { maxLength: 60 }),
    windowSlots: fc.nat(40),
    lead: fc.nat(3), // how far reports run behind market time, slots
  }),
);

type History = typeof history extends fc.Arbitrary<infer H> ? H : never;

test("emitted energy is the register step for any order of loss, delay and repetition", () => {
  const law = ({ steps, arrivals, windowSlots, lead }: History) => {
    const meter = { role: "grid", connectionW: 40_000 } as const;
    const opening = { openingImportWh: 123, openingExportWh: 45 };
    let [slotEnd, importWh, exportWh, boot] = [GENESIS_SLOT as number, 123, 45, 1];
    const records = steps.map((s, seq) => {
      slotEnd += 1 + s.skipSlots;
      importWh += s.importWh;
      exportWh += s.exportWh;
      if (s.restart) boot++;
      const registers = s.reset ? { importWh: 0, exportWh: 0 } : { importWh, exportWh };
      return readingAt(slotEnd, { ...(registers as Partial<Reading>), boot, seq });
    });
    let state = openingState(opening, GENESIS_SLOT * SLOT_S);
    let nextSlot = GENESIS_SLOT as number;
    const emitted = { importWh: 0, exportWh: 0 };
    const slots = new Set<number>();
    for (const at of arrivals) {
      const reading = records[at]!;
      nextSlot = Math.max(nextSlot, reading.intervalEndS / SLOT_S - lead);
      const floorSlot = correctionFloor({
        nextSlot: nextSlot as Slot,
        genesisSlot: GENESIS_SLOT,
        correctionWindowS: windowSlots * SLOT_S,
        slotS: SLOT_S,
      });
      const nowS = (slotEnd * SLOT_S) as UnixSeconds;
      const judge = { state, reading, meter, slotS: SLOT_S, nowS, futureS: 0, floorSlot };
      // The records of this history name no predecessor: that rule has its own tests.
      const recordHash = none;
      if (
        judgeReading({ ...judge, state: { ...state, recordHash } }).code !== READING_CODE.accepted
      )
        continue;
      for (const energy of slotEnergies(emissionOf({ state, reading, slotS: SLOT_S, floorSlot }))) {
        expect(slots.has(energy.slot)).toBe(false); // a slot gets energy once
        slots.add(energy.slot);
        expect(energy.slot).toBeGreaterThanOrEqual(floorSlot);
        expect(energy.importWh).toBeLessThanOrEqual(SLOT_ENERGY_WH_MAX);
        emitted.importWh += energy.importWh;
        emitted.exportWh += energy.exportWh;
      }
      state = nextState(state, reading, recordHash);
    }
    expect(emitted).toEqual({
      importWh: state.importWh - opening.openingImportWh,
      exportWh: state.exportWh - opening.openingExportWh,
    });
  };
  fc.assert(fc.property(history, law), { numRuns: 2000 });
});
