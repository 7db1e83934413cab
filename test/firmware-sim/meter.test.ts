/** Method: one meter's life by hand, then random energies against the laws of registers. */
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  bootMeter,
  closeInterval,
  type MeterState,
  measure,
  newMeter,
  unsignedRecord,
} from "../../firmware-sim/meter.ts";
import { decodeReading, encodeReadingPayload, recordHash } from "../../services/wire/reading.ts";
import { FIRST_SLOT, SLOT_S, testDevices } from "./support/fleet.ts";

const device = (role: string) => testDevices().find((one) => one.role === role)!;

test("a grid meter counts both directions, numbers its records and names the one before", () => {
  const grid = device("grid");
  let state = bootMeter(newMeter(grid, FIRST_SLOT));
  state = measure(state, FIRST_SLOT, { importWh: 120, exportWh: 5 });
  const first = closeInterval({ state, device: grid, slotS: SLOT_S, kind: "live" });
  expect(first.reading).toMatchObject({
    boot: 1,
    seq: 1,
    intervalEndS: (FIRST_SLOT + 1) * SLOT_S,
    intervalS: SLOT_S,
    importWh: 120,
    exportWh: 5,
    kind: 0,
    previousHash: new Uint8Array(8),
  });
  // No record of the next slot: the one after covers both.
  state = measure(first.state, FIRST_SLOT + 1, { importWh: 30, exportWh: 0 });
  state = measure(bootMeter(state), FIRST_SLOT + 2, { importWh: 0, exportWh: 40 });
  const second = closeInterval({ state, device: grid, slotS: SLOT_S, kind: "backfill" });
  expect(second.reading).toMatchObject({
    boot: 2,
    seq: 2,
    intervalEndS: (FIRST_SLOT + 3) * SLOT_S,
    intervalS: 2 * SLOT_S,
    importWh: 150,
    exportWh: 45,
    kind: 1,
    previousHash: recordHash(encodeReadingPayload(first.reading)),
  });
  expect(decodeReading(unsignedRecord(grid, second.reading)).reading).toEqual(second.reading);
});

test("a production meter has no import register", () => {
  const state = measure(newMeter(device("production"), 5), 5, { importWh: 0, exportWh: 9 });
  expect(state).toMatchObject({ importWh: null, exportWh: 9, nextSlot: 6 });
});

test.each([
  { why: "a slot again", slot: 4, importWh: 1 },
  { why: "a slot too early", slot: 6, importWh: 1 },
  { why: "a fraction", slot: 5, importWh: 0.5 },
  { why: "a negative", slot: 5, importWh: -1 },
])("$why is a bug", ({ slot, importWh }) => {
  expect(() => measure(newMeter(device("grid"), 5), slot, { importWh, exportWh: 0 })).toThrow();
});

test("registers never fall, sums are exact, the chain is whole, whatever is skipped", () => {
  const step = fc.record({
    importWh: fc.nat({ max: 10_000_000 }),
    exportWh: fc.nat({ max: 10_000_000 }),
    isClosed: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 30 }), (steps) => {
      const grid = device("grid");
      let state: MeterState = bootMeter(newMeter(grid, 0));
      let [importWh, exportWh, coveredS, seq] = [0, 0, 0, 0];
      steps.forEach((energy, slot) => {
        state = measure(state, slot, energy);
        importWh += energy.importWh;
        exportWh += energy.exportWh;
        if (!energy.isClosed) return;
        const { previousHash } = state;
        const closed = closeInterval({ state, device: grid, slotS: SLOT_S, kind: "live" });
        expect(closed.reading).toMatchObject({ importWh, exportWh, seq: ++seq, previousHash });
        coveredS += closed.reading.intervalS;
        expect(closed.reading.intervalEndS).toBe(coveredS);
        state = closed.state;
      });
    }),
  );
});
