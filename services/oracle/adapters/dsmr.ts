/**
 * DSMR and ESMR P1 telegrams, V2.2 to V5, with their relatives (Fluvius, Luxembourg, Sweden,
 * Hungary, Ireland, Easymeter): text lines between "/" and "!". From V4 on a CRC-16/ARC over both
 * marks and all between follows; what names its version and lacks it is refused.
 */
import { TELEGRAM_BYTES_MAX, TELEGRAM_VALUES_MAX } from "../../primitives/limits.ts";
import { unixSecondsOf } from "./civil-time.ts";
import { crc16Arc } from "./crc16.ts";
import { parseDecimal, shiftDecimal } from "./decimal.ts";
import type { Scanner } from "./framing.ts";
import { type Direction, telegramOf, totals } from "./registers.ts";
import { type AdapterSettings, type MeterTelegram, refuse, type TelegramFlag } from "./telegram.ts";

const SLASH = 0x2f;
const BANG = 0x21;
const LINE_FEED = 0x0a;

/**
 * Begins at "/", ends with the line of "!". No line of a telegram holds a "/", so the last one is
 * the start: what was cut off before it is dropped.
 */
export const scanDsmr: Scanner = (bytes, resume) => {
  let start = resume === 0 ? -1 : 0;
  for (let from = resume; ; ) {
    const end = bytes.indexOf(LINE_FEED, from);
    const line = bytes.subarray(from, end < 0 ? bytes.length : end);
    const slash = line.lastIndexOf(SLASH);
    if (slash >= 0) start = from + slash;
    if (end < 0) return { kind: "wait", start: start < 0 ? from : start, resume: from };
    if (start >= 0 && start < from && line[0] === BANG)
      return { kind: "frame", start, end: end + 1 };
    from = end + 1;
  }
};

const LINE = /^\d+-\d+:(\d+\.\d+\.\d+)(?:\*\d+)?((?:\([^()]*\))+)$/;
/** Active energy, total and tariffs 1 to 9: C is 1 or 2. */
const ENERGY = /^([12])\.8\.(\d)$/;
const VALUE = /^\((\d{1,12}(?:\.\d{1,10})?)\*(k?Wh)\)$/;
const CHECKSUM = /^[0-9A-F]{1,4}$/;

/** In this order the meter's own number is looked for. */
const IDENTIFICATIONS = ["96.1.1", "96.1.0", "96.1.255", "0.0.0"] as const;

/** @throws GridError telegram_refused */
export function readDsmr(
  bytes: Uint8Array,
  { utcOffsetS }: Pick<AdapterSettings, "utcOffsetS">,
): MeterTelegram {
  const { lines, hasChecksum } = checkedLines(bytes);
  const values = new Map<string, string>();
  const directions = new Map<string, Direction>([
    ["1", new Map()],
    ["2", new Map()],
  ]);
  for (const line of lines) {
    const match = LINE.exec(line);
    if (match === null) continue; // a text, or the second line of an old gas reading
    const [, code = "", rest = ""] = match;
    const energy = line.startsWith("1-") ? ENERGY.exec(code) : null;
    if (energy !== null) addRegister(directions.get(energy[1]!)!, Number(energy[2]), rest, code);
    else if (line.startsWith("0-0:") || line.startsWith("1-")) {
      // The first one is the electricity meter's; others hang behind it on the M-Bus.
      if (!values.has(code)) values.set(code, rest.slice(1, rest.indexOf(")")));
    }
  }
  if (values.has("0.2.8") && !hasChecksum) {
    return refuse("dsmr", "checksum_invalid", "this version's telegrams end with a checksum");
  }
  const flags: TelegramFlag[] = [];
  const stamp = values.get("1.0.0");
  const timeS = stamp === undefined ? null : stampOf(stamp, utcOffsetS ?? 3600);
  if (stamp !== undefined && timeS === null) flags.push("time_unusable");
  const set = totals(directions.get("1")!, directions.get("2")!);
  const identification = IDENTIFICATIONS.map((code) => plainText(values.get(code))).find(
    (text) => text !== null,
  );
  return telegramOf("dsmr", {
    ...set,
    flags: [...set.flags, ...flags],
    timeS,
    identification: identification ?? null,
  });
}

function checkedLines(bytes: Uint8Array): { lines: readonly string[]; hasChecksum: boolean } {
  if (bytes.length > TELEGRAM_BYTES_MAX) return refuse("dsmr", "oversized", `${bytes.length} B`);
  if (bytes[0] !== SLASH) return refuse("dsmr", "malformed", "no / at its start");
  let end = bytes.lastIndexOf(BANG);
  while (end > 0 && bytes[end - 1] !== LINE_FEED) end = bytes.lastIndexOf(BANG, end - 1);
  if (end < 1) return refuse("dsmr", "incomplete", "no line of ! at its end");
  const checksum = latin1(bytes.subarray(end + 1)).split(/\r?\n/, 1)[0]!;
  const body = bytes.subarray(0, end + 1);
  if (checksum !== "") {
    if (!CHECKSUM.test(checksum)) return refuse("dsmr", "malformed", "no checksum after the !");
    // Compared as a number: some meters leave leading zeros out.
    if (Number.parseInt(checksum, 16) !== crc16Arc(body)) {
      return refuse("dsmr", "checksum_invalid", "CRC-16/ARC from / to !");
    }
  }
  const lines = latin1(body).split(/\r?\n/);
  if (lines.length > TELEGRAM_VALUES_MAX) return refuse("dsmr", "oversized", "too many lines");
  return { lines, hasChecksum: checksum !== "" };
}

function addRegister(direction: Direction, tariff: number, rest: string, code: string): void {
  const [, number, unit] = VALUE.exec(rest) ?? [];
  const value = number === undefined ? null : parseDecimal(number);
  if (value === null) refuse("dsmr", "register_invalid", `register ${code}`);
  if (direction.has(tariff)) refuse("dsmr", "malformed", `register ${code} twice`);
  direction.set(tariff, shiftDecimal(value, unit === "kWh" ? 3 : 0));
}

/** YYMMDDhhmmssX in local time; X tells summer from winter, so the repeated hour is no riddle. */
function stampOf(stamp: string, standardOffsetS: number): number | null {
  const match = /^(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)([SW])$/.exec(stamp);
  if (match === null) return null;
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map(Number);
  if (year! >= 70) return null; // 1970 of an empty clock
  const offsetS = standardOffsetS + (match[7] === "S" ? 3600 : 0);
  const date = { year: 2000 + year!, month: month!, day: day! };
  return unixSecondsOf({ ...date, hour: hour!, minute: minute!, second: second! }, offsetS);
}

/** Numbers are often written as the hexadecimal of their letters. */
function plainText(value: string | undefined): string | null {
  if (value === undefined || value === "") return null;
  if (value.length % 2 !== 0 || !/^(?:[2-6][0-9A-Fa-f]|7[0-9A-Ea-e])+$/.test(value)) return value;
  const letters = value.match(/../g)!.map((pair) => String.fromCharCode(Number.parseInt(pair, 16)));
  const text = letters.join("");
  return /^[0-9A-Za-z -]+$/.test(text) ? text.trim() : value;
}

function latin1(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}
