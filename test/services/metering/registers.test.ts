/**
 * Method: one row per rule and edge with its code, value and bound; each pair of rules in order of
 * precedence; then the energy bound against exact arithmetic.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  energyBoundWh,
  type JudgeInput,
  judgeReading,
  nextState,
  openingState,
} from "../../../services/metering/registers.ts";
import { SLOT_ENERGY_WH_MAX } from "../../../services/primitives/limits.ts";
import type { Slot, UnixSeconds, WattHours } from "../../../services/primitives/units.ts";
import type { Reading } from "../../../services/wire/reading.ts";
import { READING_CODE, readingCodeName } from "../../../services/wire/refusals.ts";

const SLOT_S = 900;
const GENESIS_S = 900_000;
const hash = (byte: number) => new Uint8Array(8).fill(byte);

const READING: Reading = {
  deviceId: new Uint8Array(16),
  boot: 3,
  seq: 41,
  intervalEndS: 910_800 as UnixSeconds,
  intervalS: 900,
  importWh: 1200 as WattHours,
  exportWh: 700 as WattHours,
  timeStatus: 2,
  clockErrorMs: 0,
  flags: 0,
  kind: 0,
  firmwareHash: hash(0),
  previousHash: hash(9),
};

type Change = {
  readonly reading?: { readonly [Field in keyof Reading]?: Reading[Field] | number | null };
  readonly state?: Partial<JudgeInput["state"]>;
  readonly role?: JudgeInput["meter"]["role"];
  readonly nowS?: number;
  readonly floorSlot?: number;
};

function input(change: Change): JudgeInput {
  return {
    state: {
      boot: 3,
      seq: 40,
      recordHash: hash(9),
      importWh: 1000,
      exportWh: 500,
      intervalEndS: 909_900 as UnixSeconds,
      ...change.state,
    },
    reading: { ...READING, ...change.reading } as Reading,
    meter: { role: change.role ?? "grid", connectionW: 4000 },
    slotS: SLOT_S,
    nowS: (change.nowS ?? 910_800) as UnixSeconds,
    futureS: 120,
    floorSlot: (change.floorSlot ?? 1000) as Slot,
  };
}

/** name, change, code, and "measured/bound" where the rule has them. */
const CASES: readonly (readonly [string, Change, keyof typeof READING_CODE, string?])[] = [
  ["in order", {}, "accepted"],
  ["nothing used", { reading: { importWh: 1000, exportWh: 500 } }, "accepted"],
  ["a gap in seq, whatever it names", { reading: { seq: 50, previousHash: hash(1) } }, "accepted"],
  ["a new boot that goes on counting", { reading: { boot: 4 } }, "accepted"],
  ["a new boot that lost its counter", { reading: { boot: 4, seq: 0 } }, "accepted"],
  ["the same seq", { reading: { seq: 40 } }, "sequence_replayed", "40/40"],
  ["an older seq", { reading: { seq: 3 } }, "sequence_replayed", "3/40"],
  ["an older boot", { reading: { boot: 2, seq: 99 } }, "sequence_replayed", "2/3"],
  ["another predecessor", { reading: { previousHash: hash(8) } }, "previous_forked", "41/40"],
  [
    "another predecessor over a restart",
    { reading: { boot: 4, previousHash: hash(8) } },
    "previous_forked",
    "41/40",
  ],
  ["120 s early", { nowS: 910_680 }, "accepted"],
  ["121 s early", { nowS: 910_679 }, "time_in_future", "910800/910799"],
  ["in the oldest open slot", { floorSlot: 1011 }, "accepted"],
  ["before the oldest open slot", { floorSlot: 1012 }, "time_stale", "910800/911700"],
  ["off by a second", { reading: { intervalEndS: 910_799 } }, "interval_misaligned", "899/0"],
  ["one and a half slots", { reading: { intervalS: 1350 } }, "interval_misaligned", "1350/900"],
  ["no length", { reading: { intervalS: 0 } }, "interval_misaligned", "0/900"],
  ["two slots in one", { reading: { intervalS: 1800 } }, "accepted"],
  [
    "a slot that is read already",
    { state: { intervalEndS: 910_800 as UnixSeconds } },
    "interval_misaligned",
    "910800/911700",
  ],
  ["no import register", { reading: { importWh: null } }, "register_missing"],
  ["no export register", { reading: { exportWh: null } }, "register_missing"],
  ["a feeder without import", { role: "feeder", reading: { importWh: null } }, "register_missing"],
  ["a feeder without export", { role: "feeder", reading: { exportWh: null } }, "register_missing"],
  ["production without import", { role: "production", reading: { importWh: null } }, "accepted"],
  [
    "production without export",
    { role: "production", reading: { exportWh: null } },
    "register_missing",
  ],
  ["import fell by 1 Wh", { reading: { importWh: 999 } }, "register_decreased", "999/1000"],
  ["export fell by 1 Wh", { reading: { exportWh: 499 } }, "register_decreased", "499/500"],
  ["4 kW x 15 min x 1.1", { reading: { importWh: 2100 } }, "accepted"],
  ["1 Wh more", { reading: { importWh: 2101 } }, "energy_excessive", "1101/1100"],
  ["1 Wh more, exported", { reading: { exportWh: 1601 } }, "energy_excessive", "1101/1100"],
  [
    "three slots may bring three times as much",
    { state: { intervalEndS: 908_100 as UnixSeconds }, reading: { importWh: 4300 } },
    "accepted",
  ],
  [
    "and no more",
    { state: { intervalEndS: 908_100 as UnixSeconds }, reading: { importWh: 4301 } },
    "energy_excessive",
    "3301/3300",
  ],
];

test.each(CASES.map(([name, change, code, values]) => ({ name, change, code, values })))(
  "$name",
  ({ change, code, values }) => {
    const judgement = judgeReading(input(change));
    expect(readingCodeName(judgement.code)).toBe(code);
    const explained = judgement.measured === undefined ? undefined : values;
    expect(`${judgement.measured}/${judgement.bound}`).toBe(explained ?? "undefined/undefined");
  },
);

test("precedence: of two faults the earlier rule answers", () => {
  const faults: Change[] = [
    { reading: { seq: 40 } },
    { reading: { previousHash: hash(8) } },
    { nowS: 900_000 },
    { floorSlot: 2000 },
    { reading: { intervalS: 7 } },
    { reading: { exportWh: null } },
    { reading: { importWh: 999 } },
    { reading: { exportWh: 9999 } },
  ];
  const codes = [3, 5, 6, 35, 7, 37, 8, 10];
  faults.forEach((fault, i) => {
    expect(judgeReading(input(fault)).code).toBe(codes[i]);
    for (const later of faults.slice(i + 1)) {
      const reading = { ...later.reading, ...fault.reading };
      expect(judgeReading(input({ ...later, ...fault, reading })).code).toBe(codes[i]);
    }
  });
});

test("the first reading counts from the opening registers and needs no predecessor", () => {
  const state = openingState({ openingImportWh: 1000, openingExportWh: 700 }, GENESIS_S);
  const first = { reading: { seq: 7_000, boot: 0, importWh: 1500 } };
  expect(judgeReading(input({ ...first, state })).code).toBe(READING_CODE.accepted);
  const below = input({ reading: { importWh: 999 }, state });
  expect(judgeReading(below)).toMatchObject({ code: 8, measured: 999, bound: 1000 });
});

test("the next state keeps a register that the meter does not have", () => {
  const state = openingState({ openingImportWh: 5, openingExportWh: 6 }, GENESIS_S);
  const reading = { ...READING, importWh: null };
  expect(nextState(state, reading, hash(4))).toEqual({
    boot: 3,
    seq: 41,
    recordHash: hash(4),
    importWh: 5,
    exportWh: 700,
    intervalEndS: 910_800,
  });
});

test("the energy bound is exact to the limits of genesis and of a report", () => {
  const exact = (connectionW: number, slotS: number, slots: number) => {
    const bound = (BigInt(connectionW) * 11n * BigInt(slotS) * BigInt(slots)) / 36_000n;
    const most = BigInt(SLOT_ENERGY_WH_MAX) * BigInt(slots);
    return bound < most ? bound : most;
  };
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 10_000_000 }),
      fc.integer({ min: 60, max: 3600 }),
      fc.integer({ min: 1, max: 10_000_000 }),
      (connectionW, slotS, slots) => {
        const bound = energyBoundWh({ connectionW, slotS, slots });
        expect(BigInt(bound)).toBe(exact(connectionW, slotS, slots));
      },
    ),
    { numRuns: 500 },
  );
});
