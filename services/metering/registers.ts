/**
 * Validation of one signed reading against what is known of its meter: the V-rules that need no
 * key. Signature (V01) and registration (V02) are judged before, by the oracle.
 *
 * Safe because a meter signs cumulative registers: a reading that is lost, late or repeated can
 * never create energy, and one that would make a register fall is refused, not corrected.
 * Source: rule numbers of the validation table in the oracle's README.
 */
import { bytesEqual } from "../primitives/bytes.ts";
import { SLOT_ENERGY_WH_MAX } from "../primitives/limits.ts";
import type { Slot, UnixSeconds } from "../primitives/units.ts";
import type { MeterRole } from "../wire/genesis.ts";
import { type Reading, SHORT_HASH_BYTES } from "../wire/reading.ts";
import { READING_CODE, type ReadingCode } from "../wire/refusals.ts";

/** The running state of one meter: what the last accepted reading left behind. */
export type RegisterState = {
  readonly boot: number; // -1 before the first reading
  readonly seq: number; // -1 before the first reading
  readonly recordHash: Uint8Array; // 8 B, of the last accepted record; zeros before the first
  readonly importWh: number; // register 1.8.0 as last accepted, or the opening one
  readonly exportWh: number; // register 2.8.0
  readonly intervalEndS: UnixSeconds; // energy up to here is emitted; genesis time at first
};

export type Judgement = {
  readonly code: ReadingCode;
  readonly measured?: number; // what broke the rule, in the rule's unit
  readonly bound?: number; // what it had to keep to
};

export type JudgeInput = {
  readonly state: RegisterState;
  readonly reading: Reading;
  readonly meter: { readonly role: MeterRole; readonly connectionW: number };
  readonly slotS: number;
  readonly nowS: UnixSeconds; // market time
  readonly futureS: number; // how far a reading may run ahead of it
  readonly floorSlot: Slot; // oldest slot that may still be corrected, see `correctionFloor`
};

/** The state of a meter that has not spoken yet: its registers at move-in, at genesis. */
export function openingState(
  meter: { readonly openingImportWh: number; readonly openingExportWh: number },
  genesisTimeS: number,
): RegisterState {
  return {
    boot: -1,
    seq: -1,
    recordHash: new Uint8Array(SHORT_HASH_BYTES),
    importWh: meter.openingImportWh,
    exportWh: meter.openingExportWh,
    intervalEndS: genesisTimeS as UnixSeconds,
  };
}

/** The state after `reading` was accepted. A register the meter does not have stays as it was. */
export function nextState(
  state: RegisterState,
  reading: Reading,
  recordHash: Uint8Array,
): RegisterState {
  return {
    boot: reading.boot,
    seq: reading.seq,
    recordHash,
    importWh: reading.importWh ?? state.importWh,
    exportWh: reading.exportWh ?? state.exportWh,
    intervalEndS: reading.intervalEndS,
  };
}

const ACCEPTED: Judgement = { code: READING_CODE.accepted };
/** In order of precedence: the first rule that objects is the answer. */
const RULES = [
  sequenceReplayed, // V03
  previousForked, // V05
  timeInFuture, // V06
  timeStale,
  intervalMisaligned, // V07
  registerMissing,
  registerDecreased, // V08
  energyExcessive, // V10
] as const satisfies readonly ((input: JudgeInput) => Judgement | null)[];

/** The first rule of `RULES` that objects, with the value and bound it compared; or accepted. */
export function judgeReading(input: JudgeInput): Judgement {
  for (const rule of RULES) {
    const objection = rule(input);
    if (objection !== null) return objection;
  }
  return ACCEPTED;
}

/** V03: (boot, seq) must rise, boot first. A meter that restarts may have lost its counter. */
function sequenceReplayed({ state, reading }: JudgeInput): Judgement | null {
  const code = READING_CODE.sequence_replayed;
  if (reading.boot < state.boot) return { code, measured: reading.boot, bound: state.boot };
  if (reading.boot > state.boot || reading.seq > state.seq) return null;
  return { code, measured: reading.seq, bound: state.seq };
}

/** V05: the direct successor of the last record must name it. A clone of a key cannot. */
function previousForked({ state, reading }: JudgeInput): Judgement | null {
  if (state.seq < 0 || reading.seq !== state.seq + 1) return null;
  if (bytesEqual(reading.previousHash, state.recordHash)) return null;
  return { code: READING_CODE.previous_forked, measured: reading.seq, bound: state.seq };
}

function timeInFuture({ reading, nowS, futureS }: JudgeInput): Judgement | null {
  const bound = nowS + futureS;
  if (reading.intervalEndS <= bound) return null;
  return { code: READING_CODE.time_in_future, measured: reading.intervalEndS, bound };
}

/** The reading's last slot can no longer be corrected: its energy has nowhere to go. */
function timeStale({ reading, floorSlot, slotS }: JudgeInput): Judgement | null {
  const bound = (floorSlot + 1) * slotS;
  if (reading.intervalEndS >= bound) return null;
  return { code: READING_CODE.time_stale, measured: reading.intervalEndS, bound };
}

/** V07: ends on a slot boundary, covers whole slots, and reaches past the last reading. */
function intervalMisaligned({ state, reading, slotS }: JudgeInput): Judgement | null {
  const code = READING_CODE.interval_misaligned;
  if (reading.intervalEndS % slotS !== 0) {
    return { code, measured: reading.intervalEndS % slotS, bound: 0 };
  }
  if (reading.intervalS === 0 || reading.intervalS % slotS !== 0) {
    return { code, measured: reading.intervalS, bound: slotS };
  }
  if (reading.intervalEndS > state.intervalEndS) return null;
  return { code, measured: reading.intervalEndS, bound: state.intervalEndS + slotS };
}

/** A grid or feeder meter needs both registers, a production meter the export register. */
function registerMissing({ reading, meter }: JudgeInput): Judgement | null {
  const lacksImport = reading.importWh === null && meter.role !== "production";
  if (!lacksImport && reading.exportWh !== null) return null;
  return { code: READING_CODE.register_missing };
}

function registerDecreased({ state, reading }: JudgeInput): Judgement | null {
  const code = READING_CODE.register_decreased;
  const importWh = reading.importWh ?? state.importWh;
  const exportWh = reading.exportWh ?? state.exportWh;
  if (importWh < state.importWh) return { code, measured: importWh, bound: state.importWh };
  if (exportWh < state.exportWh) return { code, measured: exportWh, bound: state.exportWh };
  return null;
}

/** V10: the connection's power x time x 1.1, for each direction since the last reading. */
function energyExcessive({ state, reading, meter, slotS }: JudgeInput): Judgement | null {
  const slots = Math.floor((reading.intervalEndS - state.intervalEndS) / slotS);
  const bound = energyBoundWh({ connectionW: meter.connectionW, slotS, slots });
  const measured = Math.max(
    (reading.importWh ?? state.importWh) - state.importWh,
    (reading.exportWh ?? state.exportWh) - state.exportWh,
  );
  if (measured <= bound) return null;
  return { code: READING_CODE.energy_excessive, measured, bound };
}

/**
 * floor(connectionW x slots x slotS / 3600 x 1.1), and never more than a report can carry.
 *
 * @param connectionW - at most 1e7
 * @param slotS - at most 3600
 * @returns Wh
 */
export function energyBoundWh(input: {
  readonly connectionW: number;
  readonly slotS: number;
  readonly slots: number;
}): number {
  // Split, so that no product leaves the safe integers: a slot's bound, and its remainder x slots.
  const tenthWattSeconds = input.connectionW * 11 * input.slotS;
  const wholeWh = Math.floor(tenthWattSeconds / 36_000) * input.slots;
  const restWh = Math.floor(((tenthWattSeconds % 36_000) * input.slots) / 36_000);
  return Math.min(wholeWh + restWh, SLOT_ENERGY_WH_MAX * input.slots);
}
