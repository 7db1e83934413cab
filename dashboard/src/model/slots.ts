/**
 * The slots a page knows of one region: merged from pages of the API and events of the stream, by
 * slot number. What is not there is not there: nothing is filled in.
 */
import type { SlotSummary } from "../../../services/wire/api.ts";

/** Slots kept per region: a 25-hour day of the shortest slots that a dashboard is asked to draw. */
export const SLOTS_KEPT_MAX = 400;

/** `known` and `fresh` by rising slot, the fresh one where both have it, the newest kept. */
export function mergeSlots(
  known: readonly SlotSummary[],
  fresh: readonly SlotSummary[],
): SlotSummary[] {
  const bySlot = new Map(known.map((slot) => [slot.slot, slot]));
  for (const slot of fresh) bySlot.set(slot.slot, slot);
  return [...bySlot.values()].sort((a, b) => a.slot - b.slot).slice(-SLOTS_KEPT_MAX);
}

/** A row of the live list: a cleared slot, or a run of slots that nobody has heard of. */
export type SlotRow =
  | { readonly kind: "cleared"; readonly slot: SlotSummary }
  | { readonly kind: "missing"; readonly fromS: number; readonly toS: number };

/** Newest first, at most `count` cleared slots, with the gaps between them. */
export function recentRows(slots: readonly SlotSummary[], count: number): SlotRow[] {
  const rows: SlotRow[] = [];
  const newest = slots.slice(-count).reverse();
  newest.forEach((slot, i) => {
    const later = newest[i - 1];
    if (later !== undefined && later.slot !== slot.slot + 1) {
      rows.push({ kind: "missing", fromS: slot.endS, toS: later.startS });
    }
    rows.push({ kind: "cleared", slot });
  });
  return rows;
}
