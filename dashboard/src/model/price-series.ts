/**
 * A day's cleared prices as the points of a stepped line. A point holds until the next one; a run
 * of slots ends in a closing point, so that its last slot is drawn; a gap is a null, never a zero.
 */
import type { SlotSummary } from "../../../services/wire/api.ts";
import type { Day } from "./day.ts";

/** x in unix seconds, y in uc/Wh; null breaks the line. */
export type Point = { readonly x: number; readonly y: number | null };

export type PriceSeries = {
  readonly slots: readonly SlotSummary[]; // of the day, rising
  readonly price: readonly Point[];
  readonly buy: readonly Point[]; // empty where buyers paid the price itself all day
  readonly sell: readonly Point[];
  readonly lowest: SlotSummary | null;
  readonly highest: SlotSummary | null;
  readonly missing: number; // slots between the day's first and last that are not there
};

export function priceSeries(slots: readonly SlotSummary[], day: Day): PriceSeries {
  const today = slots.filter((slot) => slot.startS >= day.startS && slot.startS < day.endS);
  const first = today[0];
  const last = today.at(-1);
  const expected = first && last ? last.slot - first.slot + 1 : 0;
  const differs = (pick: (slot: SlotSummary) => number | null) =>
    today.some((slot) => pick(slot) !== null && pick(slot) !== slot.priceUcPerWh);
  const split = differs((slot) => slot.buyPriceUcPerWh) || differs((slot) => slot.sellPriceUcPerWh);
  return {
    slots: today,
    price: steppedLine(today, (slot) => slot.priceUcPerWh),
    buy: split ? steppedLine(today, (slot) => slot.buyPriceUcPerWh) : [],
    sell: split ? steppedLine(today, (slot) => slot.sellPriceUcPerWh) : [],
    lowest: extreme(today, (a, b) => a < b),
    highest: extreme(today, (a, b) => a > b),
    missing: expected - today.length,
  };
}

/** Points at slot starts; each unbroken run ends in a point at its end and a null. */
function steppedLine(
  slots: readonly SlotSummary[],
  pick: (slot: SlotSummary) => number | null,
): Point[] {
  const points: Point[] = [];
  slots.forEach((slot, i) => {
    const y = pick(slot);
    if (y === null) return;
    points.push({ x: slot.startS, y });
    const next = slots[i + 1];
    const runs = next !== undefined && next.slot === slot.slot + 1 && pick(next) !== null;
    if (!runs) points.push({ x: slot.endS, y }, { x: slot.endS, y: null });
  });
  return points;
}

function extreme(
  slots: readonly SlotSummary[],
  beats: (a: number, b: number) => boolean,
): SlotSummary | null {
  let best: SlotSummary | null = null;
  for (const slot of slots) {
    if (slot.priceUcPerWh === null) continue;
    if (best?.priceUcPerWh == null || beats(slot.priceUcPerWh, best.priceUcPerWh)) best = slot;
  }
  return best;
}
