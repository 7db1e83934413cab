/**
 * Method: days of known length in the time-zone database first (daylight saving, a skipped day, a
 * half-hour zone), then the laws: days partition the slots, and a day's name finds it again.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { marketCalendar } from "../../../services/api/market-day.ts";
import { type Slot, slotAt, unixSeconds } from "../../../services/primitives/units.ts";

const at = (iso: string, slotS: number) => slotAt(unixSeconds(Date.parse(iso) / 1000), slotS);

test.each([
  { zone: "Europe/Vienna", day: "2021-03-28", slots: 92, from: "2021-03-27T23:00Z" },
  { zone: "Europe/Vienna", day: "2021-10-31", slots: 100, from: "2021-10-30T22:00Z" },
  { zone: "Europe/Vienna", day: "2021-06-15", slots: 96, from: "2021-06-14T22:00Z" },
  { zone: "UTC", day: "2021-03-28", slots: 96, from: "2021-03-28T00:00Z" },
  { zone: "Australia/Lord_Howe", day: "2021-10-03", slots: 94, from: "2021-10-02T13:30Z" },
  { zone: "Asia/Kathmandu", day: "2021-01-01", slots: 96, from: "2020-12-31T18:15Z" },
  { zone: "Pacific/Apia", day: "2011-12-31", slots: 96, from: "2011-12-30T10:00Z" },
])("$zone $day has $slots slots of a quarter hour", ({ zone, day, slots, from }) => {
  const calendar = marketCalendar({ timeZone: zone, slotS: 900 });
  const found = calendar.named(day);
  expect(found.toSlot - found.fromSlot + 1).toBe(slots);
  expect(found.fromSlot).toBe(at(from, 900));
  expect(calendar.dayOf(found.fromSlot).day).toBe(day);
  expect(calendar.dayOf(found.toSlot).day).toBe(day);
  expect(calendar.dayOf((found.toSlot + 1) as Slot).day).not.toBe(day);
});

test("a day that the calendar skipped has no slots", () => {
  const calendar = marketCalendar({ timeZone: "Pacific/Apia", slotS: 900 });
  expect(() => calendar.named("2011-12-30")).toThrow("the calendar has no such day");
});

test("days partition the slots, for slots from one minute to one hour", () => {
  const zone = fc.constantFrom("Europe/Vienna", "UTC", "America/New_York", "Australia/Lord_Howe");
  const time = fc.integer({ min: 946_684_800, max: 1_893_456_000 }); // 2000 to 2030
  const slotS = fc.constantFrom(60, 300, 900, 1800, 3600);
  const laws = (timeZone: string, timeS: number, length: number) => {
    const slot = slotAt(unixSeconds(timeS), length);
    const day = marketCalendar({ timeZone, slotS: length }).dayOf(slot);
    const calendar = marketCalendar({ timeZone, slotS: length }); // nothing remembered
    expect(day.fromSlot).toBeLessThanOrEqual(slot);
    expect(day.toSlot).toBeGreaterThanOrEqual(slot);
    expect(calendar.dayOf((day.fromSlot - 1) as Slot).toSlot).toBe(day.fromSlot - 1);
    expect(calendar.dayOf((day.toSlot + 1) as Slot).fromSlot).toBe(day.toSlot + 1);
    expect(calendar.named(day.day)).toEqual(day);
  };
  fc.assert(fc.property(zone, time, slotS, laws), { numRuns: 150 });
});
