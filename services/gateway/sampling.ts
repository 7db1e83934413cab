/**
 * From a telegram to a sample: which of its registers stands for which of the meter's, and when it
 * was read. A telegram's own time is taken where it has one that agrees with the gateway's clock;
 * else the moment of its arrival, and the reading says so.
 */
import type { MeterTelegram } from "../oracle/adapters/telegram.ts";
import { READING_FUTURE_S_MAX } from "../primitives/limits.ts";
import { READING_FLAG } from "../wire/reading.ts";
import type { Registers } from "./register-guard.ts";
import type { Sample } from "./slot-aligner.ts";

/**
 * both: the source has both registers. import: it has no export register, which therefore stays at
 * its registered opening. production: its import register counts what a generator produced.
 */
export type Counts = "both" | "import" | "production";

/**
 * @param state - the meter's last signed registers; null: its role has no such register
 * @returns null where a register that the meter needs is missing
 */
export function registersOf(
  { importWh, exportWh }: MeterTelegram,
  { counts, state }: { counts: Counts; state: Registers },
): Registers | null {
  if (counts === "production") {
    return importWh === null ? null : { importWh: state.importWh, exportWh: importWh };
  }
  const exported = counts === "import" ? state.exportWh : exportWh;
  const imported = state.importWh === null ? null : importWh;
  if (exported === null || (state.importWh !== null && imported === null)) return null;
  return { importWh: imported, exportWh: exported };
}

/** @returns null where only the telegram's time counts and it has none */
export function sampleOf(
  telegram: MeterTelegram,
  registers: Registers,
  { nowS, time }: { nowS: number; time: "auto" | "telegram" },
): Sample | null {
  const { timeS, flags, resolutionWh } = telegram;
  const doubtful = flags.includes("status_doubtful") ? READING_FLAG.sourceDoubtful : 0;
  const rest = { ...registers, resolutionWh };
  if (time === "telegram") {
    return timeS === null ? null : { ...rest, readS: timeS, flags: doubtful, isMeterTime: true };
  }
  const mayBeOld = flags.includes("backfill");
  const isNear = timeS !== null && Math.abs(timeS - nowS) <= READING_FUTURE_S_MAX;
  if (timeS !== null && (isNear || (mayBeOld && timeS <= nowS))) {
    return { ...rest, readS: timeS, flags: doubtful, isMeterTime: true };
  }
  if (mayBeOld) return null; // old, and nobody knows how old
  return { ...rest, readS: nowS, flags: doubtful | READING_FLAG.clockReplaced, isMeterTime: false };
}
