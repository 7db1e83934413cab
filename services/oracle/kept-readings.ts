/**
 * Which signed record stands behind a report's leaf, and its path in the report's readings tree:
 * the oracle's part of a reading's proof. For the owner's eyes alone: record and salt are private,
 * and nobody can open the leaf without them once they are erased.
 */
import type { KeptReading } from "../chain/proofs.ts";
import { CHUNK_BYTES } from "../crypto/merkle.ts";
import { bytesEqual } from "../primitives/bytes.ts";
import { PROOF_SEARCH_SLOTS_MAX } from "../primitives/limits.ts";
import type { Slot } from "../primitives/units.ts";
import { decodeReading, readingLeaf } from "../wire/reading.ts";
import { decodeReportTransaction, QUALITY, type Report } from "../wire/report.ts";
import { readingSiblings } from "./readings-tree.ts";
import type { OracleStore } from "./store.ts";

export type MeterSlot = {
  readonly regionIndex: number;
  readonly slot: Slot; // of the report
  readonly meterIndex: number;
};

/**
 * @param lastSlot - the newest slot that the meter has covered
 * @returns null where the report used no record of the meter, or the record was erased
 */
export function keptReading(
  store: OracleStore,
  at: MeterSlot,
  lastSlot: number,
): KeptReading | null {
  const transaction = store.report(at);
  const row = store.leaves(at);
  if (transaction === undefined || row === undefined) return null;
  const { meterIndex } = at;
  const leaf = row.leaves.subarray(CHUNK_BYTES * meterIndex, CHUNK_BYTES * (meterIndex + 1));
  if (leaf.length === 0 || leaf.every((byte) => byte === 0)) return null;
  const covered = coveredSlot(decodeReportTransaction(transaction).report, meterIndex);
  if (covered === null) return null;
  const end = Math.min(lastSlot, covered + PROOF_SEARCH_SLOTS_MAX);
  for (let slot = covered; slot <= end; slot++) {
    const reading = store.reading({ ...at, slot });
    if (reading === undefined) continue;
    const { record, salt } = reading;
    const { payload } = decodeReading(record);
    if (!bytesEqual(readingLeaf({ payload, salt }), leaf)) return null;
    return { meterIndex, record, salt, siblings: readingSiblings(row.leaves, meterIndex) };
  }
  return null;
}

/** A slot that the record behind the leaf covers: the report's own, or the meter's newest late. */
function coveredSlot(report: Report, meterIndex: number): number | null {
  if (report.quality[meterIndex] !== QUALITY.missing) return report.slot;
  const late = report.late.filter((entry) => entry.meterIndex === meterIndex);
  return late.at(-1)?.slot ?? null;
}
