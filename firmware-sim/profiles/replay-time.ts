/**
 * Period starts as measured files write them, to unix seconds.
 *
 * `2016-07-31T23:00`, with a space for the T, with seconds, with `Z` or an offset; or unix seconds
 * as whole digits. A time without offset is local standard time, `utcOffsetS` ahead of UTC: such a
 * file has no summer time, and a gap or a fold of an hour in it is refused as an uneven row.
 */
const LOCAL = /^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d))?(Z|[+-]\d\d:?\d\d)?)?$/;

/** Null if the text is no time. */
export function replayTimeS(text: string, utcOffsetS: number): number | null {
  if (/^\d{1,11}$/.test(text)) return Number(text);
  const match = LOCAL.exec(text);
  if (match === null) return null;
  const [year, month, day, hour, minute, second] = match
    .slice(1, 7)
    .map((part) => Number(part ?? 0)) as [number, number, number, number, number, number];
  const ms = Date.UTC(year, month - 1, day, hour, minute, second);
  // Date.UTC carries 30 February over into March: what it made must read back the same.
  const back = new Date(ms);
  if (back.getUTCMonth() !== month - 1 || back.getUTCDate() !== day || hour > 23) return null;
  if (minute > 59 || second > 59) return null;
  return ms / 1000 - offsetS(match[7], utcOffsetS);
}

function offsetS(text: string | undefined, utcOffsetS: number): number {
  if (text === undefined) return utcOffsetS;
  if (text === "Z") return 0;
  const minutes = Number(text.slice(1, 3)) * 60 + Number(text.slice(-2));
  return (text[0] === "-" ? -60 : 60) * minutes;
}
