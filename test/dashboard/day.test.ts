/** Method: days of a zone with daylight saving, of others, and the laws of a calendar. */
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  clockText,
  dateText,
  dayOf,
  hourTicks,
  knownZone,
  spanText,
} from "../../dashboard/src/model/day.ts";

const VIENNA = "Europe/Vienna";
const utcS = (text: string) => Date.parse(text) / 1000;

test.each([
  { name: "an ordinary day", noon: "2025-06-17T10:00Z", zone: VIENNA, slots: 96 },
  { name: "the spring day", noon: "2025-03-30T10:00Z", zone: VIENNA, slots: 92 },
  { name: "the autumn day", noon: "2025-10-26T10:00Z", zone: VIENNA, slots: 100 },
  {
    name: "a zone off by a quarter hour",
    noon: "2025-06-17T06:00Z",
    zone: "Asia/Kathmandu",
    slots: 96,
  },
  { name: "a half-hour saving", noon: "2025-04-06T01:00Z", zone: "Australia/Lord_Howe", slots: 98 },
])("$name has $slots quarter hours", ({ noon, zone, slots }) => {
  const day = dayOf(utcS(noon), zone);
  expect((day.endS - day.startS) / 900).toBe(slots);
  expect(clockText(day.startS, { locale: "en-GB", timeZone: zone })).toBe("00:00");
  expect(clockText(day.endS, { locale: "en-GB", timeZone: zone })).toBe("00:00");
});

test("days of a zone follow each other without gap, and contain their times", () => {
  const timesS = fc.integer({ min: utcS("1990-01-01T00:00Z"), max: utcS("2037-01-01T00:00Z") });
  const zones = fc.constantFrom(VIENNA, "UTC", "America/New_York", "Asia/Kolkata");
  fc.assert(
    fc.property(timesS, zones, (timeS, zone) => {
      const day = dayOf(timeS, zone);
      expect(timeS).toBeGreaterThanOrEqual(day.startS);
      expect(timeS).toBeLessThan(day.endS);
      expect(dayOf(day.endS, zone).startS).toBe(day.endS);
      expect(dayOf(day.startS, zone)).toEqual(day);
    }),
    { numRuns: 300 },
  );
});

test("the autumn day's axis names its second hour twice, the spring day's skips it", () => {
  const zone = { locale: "en-GB", timeZone: VIENNA };
  const labels = (noon: string) =>
    hourTicks(dayOf(utcS(noon), VIENNA), { everyHours: 1, zone }).map((tick) => tick.label);
  expect(labels("2025-10-26T10:00Z").filter((label) => label === "02:00")).toHaveLength(2);
  expect(labels("2025-03-30T10:00Z")).not.toContain("02:00");
  const wide = hourTicks(dayOf(utcS("2025-06-17T10:00Z"), VIENNA), { everyHours: 6, zone });
  expect(wide.map((tick) => tick.label)).toEqual(["00:00", "06:00", "12:00", "18:00", "24:00"]);
});

test("slots and days are read in the zone's own time", () => {
  const zone = { locale: "en-GB", timeZone: VIENNA };
  const startS = utcS("2025-06-17T12:15Z");
  expect(spanText({ startS, endS: startS + 900 }, zone)).toBe("14:15–14:30");
  expect(dateText(startS, zone)).toBe("Tue 17 June");
});

test("a zone that this machine's data lacks falls back, and is not drawn wrong", () => {
  const otherwise = "Asia/Tokyo";
  expect(knownZone({ timeZone: VIENNA, otherwise })).toBe(VIENNA);
  expect(knownZone({ timeZone: "Europe/Newtown", otherwise })).toBe(otherwise);
});
