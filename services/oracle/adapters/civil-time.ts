/**
 * Calendar fields to unix seconds, for telegrams that write local time. Proleptic Gregorian, no
 * leap seconds. Source: days_from_civil (H. Hinnant, chrono-Compatible Low-Level Date Algorithms).
 */
export type CivilTime = {
  readonly year: number;
  readonly month: number; // 1..12
  readonly day: number;
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
};

const YEAR_MIN = 2000; // no gateway reads a meter that remembers less; 1970 is an empty battery
const YEAR_MAX = 2099;
const MONTH_DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] as const;

/**
 * @param offsetS - what the local time is ahead of UTC
 * @returns null where the fields are no moment between 2000 and 2099
 */
export function unixSecondsOf(time: CivilTime, offsetS: number): number | null {
  const { year, month, day, hour, minute, second } = time;
  if (!(year >= YEAR_MIN && year <= YEAR_MAX && month >= 1 && month <= 12)) return null;
  if (!(day >= 1 && day <= daysOf(year, month))) return null;
  if (!(hour <= 23 && minute <= 59 && second <= 59)) return null;
  return daysFromCivil(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second - offsetS;
}

function daysOf(year: number, month: number): number {
  const isLeap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  return month === 2 && isLeap ? 29 : MONTH_DAYS[month - 1]!;
}

/** Days since 1970-01-01; the year begins in March, so that the leap day is its last. */
function daysFromCivil(year: number, month: number, day: number): number {
  const y = month <= 2 ? year - 1 : year;
  const era = Math.floor(y / 400);
  const yearOfEra = y - era * 400;
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
  const leaps = Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100);
  return era * 146_097 + yearOfEra * 365 + leaps + dayOfYear - 719_468;
}

const ISO = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:[.,]\d{1,9})?\s?(Z|[+-]\d\d:?\d\d)?$/;

/**
 * ISO 8601 text; its own offset goes before `utcOffsetS`.
 *
 * @returns null for what is no such text, or has no offset while none is given
 */
export function unixSecondsOfIso(text: string, utcOffsetS: number | null): number | null {
  const match = text.length > 40 ? null : ISO.exec(text);
  if (match === null) return null;
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map(Number);
  const offsetS = match[7] === undefined ? utcOffsetS : offsetOf(match[7]);
  if (offsetS === null) return null;
  const time = { year: year!, month: month!, day: day!, hour: hour!, minute: minute! };
  return unixSecondsOf({ ...time, second: second! }, offsetS);
}

function offsetOf(text: string): number {
  if (text === "Z") return 0;
  const digits = text.slice(1).replace(":", "");
  const seconds = Number(digits.slice(0, 2)) * 3600 + Number(digits.slice(2)) * 60;
  return text.startsWith("-") ? -seconds : seconds;
}
