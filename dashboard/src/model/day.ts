/**
 * Days and clock times in a time zone. A day is what lies between two local midnights, so it has
 * 92, 96 or 100 quarter hours; nothing here assumes 24 hours.
 */

/** [startS, endS) of the local day that contains `timeS`, unix seconds. */
export type Day = { readonly startS: number; readonly endS: number };

export function dayOf(timeS: number, timeZone: string): Day {
  const startS = midnightBefore(timeS, timeZone);
  // 30 h after a midnight is inside the next day, whether this one has 23, 24 or 25 hours.
  return { startS, endS: midnightBefore(startS + 30 * 3600, timeZone) };
}

function midnightBefore(timeS: number, timeZone: string): number {
  const localS = timeS + offsetS(timeS, timeZone);
  const midnightLocalS = Math.floor(localS / 86_400) * 86_400;
  const guessS = midnightLocalS - offsetS(timeS, timeZone);
  return midnightLocalS - offsetS(guessS, timeZone);
}

/** Local time minus UTC at `timeS`, seconds. */
function offsetS(timeS: number, timeZone: string): number {
  const parts = new Map(
    formatter("en-US", timeZone, FIELDS)
      .formatToParts(timeS * 1000)
      .map((part) => [part.type, Number(part.value)]),
  );
  const field = (name: Intl.DateTimeFormatPartTypes) => parts.get(name) ?? 0;
  const localMs = Date.UTC(
    field("year"),
    field("month") - 1,
    field("day"),
    field("hour"),
    field("minute"),
    field("second"),
  );
  return localMs / 1000 - timeS;
}

const FIELDS: Intl.DateTimeFormatOptions = {
  year: "numeric",
  month: "numeric",
  day: "numeric",
  hour: "numeric",
  minute: "numeric",
  second: "numeric",
  hourCycle: "h23",
};

export type Tick = { readonly atS: number; readonly label: string };

/** Ticks of a day's axis where the local hour is a multiple of `everyHours`, and its end. */
export function hourTicks(day: Day, form: { everyHours: number; zone: Zone }): Tick[] {
  const ticks: Tick[] = [];
  for (let atS = day.startS; atS < day.endS; atS += 3600) {
    const label = clockText(atS, form.zone);
    if (Number(label.slice(0, 2)) % form.everyHours === 0) ticks.push({ atS, label });
  }
  return [...ticks, { atS: day.endS, label: "24:00" }];
}

/** Where and how times are read. */
export type Zone = { readonly locale: string; readonly timeZone: string };

/** "10:15" */
export function clockText(timeS: number, zone: Zone): string {
  const options = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" } as const;
  return formatter(zone.locale, zone.timeZone, options).format(timeS * 1000);
}

/** "10:15–10:30" */
export function spanText(span: { startS: number; endS: number }, zone: Zone): string {
  return `${clockText(span.startS, zone)}–${clockText(span.endS, zone)}`;
}

/** "Tue 4 March" */
export function dateText(timeS: number, zone: Zone): string {
  const options = { weekday: "short", day: "numeric", month: "long" } as const;
  return formatter(zone.locale, zone.timeZone, options).format(timeS * 1000);
}

/** The zone, or the other where this browser's time-zone data is too old to know it. */
export function knownZone(asked: { timeZone: string; otherwise: string }): string {
  const { timeZone, otherwise } = asked;
  try {
    formatter("en-US", timeZone, FIELDS);
    return timeZone;
  } catch {
    return otherwise;
  }
}

const formatters = new Map<string, Intl.DateTimeFormat>();

function formatter(
  locale: string,
  timeZone: string,
  options: Intl.DateTimeFormatOptions,
): Intl.DateTimeFormat {
  const key = `${locale} ${timeZone} ${JSON.stringify(options)}`;
  const kept = formatters.get(key);
  if (kept !== undefined) return kept;
  const made = new Intl.DateTimeFormat(locale, { ...options, timeZone });
  formatters.set(key, made);
  return made;
}
