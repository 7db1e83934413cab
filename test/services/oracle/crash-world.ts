/** The world that survives the crashes: what the meters have measured, and files of hex lines. */
import { existsSync, readFileSync } from "node:fs";
import type { OracleStep } from "../../../services/oracle/oracle.ts";
import { fromHex } from "../../../services/primitives/bytes.ts";
import { SLOT_S, TestMeter, testGenesis } from "./community.ts";

/** Where a life may end: the oracle's own steps, and both sides of the chain's memory. */
export const CRASH_POINTS = [
  "received",
  "durable",
  "acknowledged",
  "signed",
  "submitting",
  "executed",
  "submitted",
] as const satisfies readonly (OracleStep | "submitting" | "executed")[];
export type CrashPoint = (typeof CRASH_POINTS)[number];

export const CRASH_SLOTS = 8;
const METERS = 4;

export const crashGenesis = () =>
  testGenesis({
    regions: [Array.from({ length: METERS }, () => ({}))],
    oracle: { cutoffS: 300, correctionWindowS: 20 * SLOT_S },
  });

export type CrashRecord = {
  readonly meterIndex: number;
  readonly sentInSlot: number;
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly importWh: number; // register
};

/**
 * Meter 0 sends each slot's record in time, 1 sends none of slots 1 to 3, 2 sends those of slots 2
 * to 5 together in slot 5, 3 sends each in the slot after.
 */
export function crashRecords(): CrashRecord[] {
  return Array.from({ length: METERS }, (_, meterIndex) => {
    const meter = new TestMeter({ region: 0, meter: meterIndex });
    const records: CrashRecord[] = [];
    for (let slot = 1; slot <= CRASH_SLOTS; slot++) {
      const importWh = slot * (100 + meterIndex) + (slot % 3);
      const payload = meter.next(slot, { importWh });
      const sentInSlot = [slot, slot, slot < 2 ? slot : Math.max(slot, 5), slot + 1][meterIndex]!;
      if (meterIndex === 1 && slot <= 3) continue;
      records.push({ meterIndex, sentInSlot, topic: meter.topic, payload, importWh });
    }
    return records;
  }).flat();
}

export function readHexLines(file: string): Uint8Array[] {
  if (!existsSync(file)) return [];
  const lines = readFileSync(file, "utf8").split("\n");
  // A line without its end was being written when the process died: it does not count.
  return lines.slice(0, -1).map(fromHex);
}
