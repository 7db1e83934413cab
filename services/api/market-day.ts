/**
 * Market days: the calendar day of a slot's start in the community's time zone. A day has 92 slots
 * of 15 minutes when clocks go forward and 100 when they go back, so its slots are never computed
 * by multiplication: the edges are searched in what the time-zone database says (ICU, by Intl).
 */
import { assert } from "../primitives/errors.ts";
import { type Slot, slot } from "../primitives/units.ts";

export type MarketDay = {
  readonly day: string; // YYYY-MM-DD
  readonly fromSlot: Slot; // first slot that starts in the day
  readonly toSlot: Slot; // last one
};

export type MarketCalendar = {
  /** The day that `at` starts in. O(1) within the day asked for last. */
  dayOf(at: Slot): MarketDay;
  /** The day of that name. @throws InvariantError where the calendar never had it */
  named(day: string): MarketDay;
};

/** @param timeZone - IANA name; @param slotS - slot length, seconds */
export function marketCalendar({
  timeZone,
  slotS,
}: {
  timeZone: string;
  slotS: number;
}): MarketCalendar {
  // The Swedish locale writes dates as ISO 8601 does.
  const format = new Intl.DateTimeFormat("sv-SE", { timeZone, dateStyle: "short" });
  const nameOf = (at: number) => format.format(at * slotS * 1000);
  const slotsIn = (seconds: number) => Math.ceil(seconds / slotS);
  let latest: MarketDay | null = null;

  const dayOf = (at: Slot): MarketDay => {
    if (latest !== null && at >= latest.fromSlot && at <= latest.toSlot) return latest;
    const day = nameOf(at);
    // No day is longer than 26 hours: a daylight-saving step is at most two.
    const reach = slotsIn(26 * 3600) + 1;
    const fromSlot = firstSlot(Math.max(0, at - reach), at, (s) => nameOf(s) >= day);
    const toSlot = firstSlot(at, at + reach, (s) => nameOf(s) > day) - 1;
    latest = { day, fromSlot: slot(fromSlot), toSlot: slot(toSlot) };
    return latest;
  };
  return {
    dayOf,
    named: (day) => {
      const noonS = Math.floor(Date.parse(`${day}T12:00:00Z`) / 1000);
      assert(Number.isSafeInteger(noonS), "a market day is written YYYY-MM-DD");
      const reach = slotsIn(40 * 3600);
      const noon = Math.floor(noonS / slotS);
      const at = firstSlot(Math.max(0, noon - reach), noon + reach, (s) => nameOf(s) >= day);
      const found = dayOf(slot(at));
      assert(found.day === day, "the calendar has no such day");
      return found;
    },
  };
}

/** Least slot in [low, high] for which `reached` holds, given that it never stops holding. */
function firstSlot(low: number, high: number, reached: (at: number) => boolean): number {
  let [from, to] = [low, high];
  while (from < to) {
    const middle = Math.floor((from + to) / 2);
    if (reached(middle)) to = middle;
    else from = middle + 1;
  }
  return from;
}
