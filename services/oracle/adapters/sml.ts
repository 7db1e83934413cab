/**
 * SML as German meters push it over the optical port: a frame between escape sequences with a
 * CRC-16/X-25, in it a GetListResponse with OBIS registers, each with unit and scaler.
 *
 * Without the customer's PIN a meter shows whole kWh (scaler 3); so each value keeps its step.
 * Source: BSI TR-03109-1 annex IV; units of IEC 62056-62 (30 is Wh).
 */
import { bytesEqual, toHex } from "../../primitives/bytes.ts";
import { TELEGRAM_BYTES_MAX } from "../../primitives/limits.ts";
import { crc16X25 } from "./crc16.ts";
import { shiftDecimal } from "./decimal.ts";
import type { Scanner } from "./framing.ts";
import { type Direction, telegramOf, totals } from "./registers.ts";
import { SmlReader, type SmlValue } from "./sml-values.ts";
import { type MeterTelegram, refuse } from "./telegram.ts";

const ESCAPE = 0x1b;
const START = Uint8Array.of(0x1b, 0x1b, 0x1b, 0x1b, 1, 1, 1, 1);
const END = 0x1a;

function isEscape(bytes: Uint8Array, at: number): boolean {
  for (let i = 0; i < 4; i++) if (bytes[at + i] !== ESCAPE) return false;
  return true;
}

/** Start sequence to end sequence; a start sequence inside begins afresh. */
export const scanSml: Scanner = (bytes, resume) => {
  let start = resume === 0 ? -1 : 0;
  let at = bytes.indexOf(ESCAPE, resume);
  while (at >= 0 && at + 8 <= bytes.length) {
    if (!isEscape(bytes, at)) at = bytes.indexOf(ESCAPE, at + 1);
    else if (bytesEqual(bytes.subarray(at, at + 8), START)) {
      start = at;
      at = bytes.indexOf(ESCAPE, at + 8);
    } else if (start < 0) at = bytes.indexOf(ESCAPE, at + 1);
    else if (bytes[at + 4] === END) return { kind: "frame", start, end: at + 8 };
    else at = bytes.indexOf(ESCAPE, at + (isEscape(bytes, at + 4) ? 8 : 1));
  }
  // Fewer than eight bytes from an escape on may still become a mark.
  const open = at < 0 ? bytes.length : at;
  return { kind: "wait", start: start < 0 ? open : start, resume: open };
};

export type SmlEntry = {
  readonly obis: Uint8Array; // 6 B, A to F
  readonly unit: number | null;
  readonly scaler: number;
  readonly value: SmlValue;
};
export type SmlList = {
  readonly serverId: Uint8Array;
  readonly timeS: number | null; // where the meter has a clock and not only a counter of seconds
  readonly entries: readonly SmlEntry[];
};

const UNIT_WH = 30n;
const GET_LIST_RESPONSE = 0x0701n;

/** @throws GridError telegram_refused */
export function readSml(frame: Uint8Array): MeterTelegram {
  const lists = readSmlLists(frame);
  const imports: Direction = new Map();
  const exports: Direction = new Map();
  for (const { entries } of lists) for (const entry of entries) add(entry, imports, exports);
  const timeS = lists.find((list) => list.timeS !== null)?.timeS ?? null;
  return telegramOf("sml", {
    ...totals(imports, exports),
    timeS,
    identification: identificationOf(lists),
  });
}

function add({ obis, unit, scaler, value }: SmlEntry, imports: Direction, exports: Direction) {
  const [a, , c, d, e] = obis;
  const direction = c === 1 ? imports : c === 2 ? exports : null;
  if (a !== 1 || d !== 8 || e! > 9 || direction === null) return;
  if (typeof value !== "bigint" || unit !== Number(UNIT_WH)) return;
  if (direction.has(e!)) return refuse("sml", "malformed", `register ${c}.8.${e} twice`);
  direction.set(e!, shiftDecimal({ digits: value, exponent: 0 }, scaler));
}

function identificationOf(lists: readonly SmlList[]): string | null {
  const [list] = lists;
  if (list === undefined) return null;
  return list.serverId.length === 0 ? null : toHex(list.serverId);
}

/** All value lists of one frame. @throws GridError telegram_refused */
export function readSmlLists(frame: Uint8Array): readonly SmlList[] {
  const reader = new SmlReader(payloadOf(frame));
  const lists: SmlList[] = [];
  for (reader.skipZeros(); !reader.isAtEnd; reader.skipZeros()) {
    const message = reader.value();
    if (!Array.isArray(message) || message.length !== 6 || !Array.isArray(message[3])) {
      return refuse("sml", "malformed", "a message of other than six parts");
    }
    const [tag, body] = message[3] as readonly SmlValue[];
    if (tag === GET_LIST_RESPONSE) lists.push(listOf(body));
  }
  return lists;
}

/** Checks the frame and undoes its escaping. */
function payloadOf(frame: Uint8Array): Uint8Array {
  if (frame.length > TELEGRAM_BYTES_MAX) return refuse("sml", "oversized", `${frame.length} B`);
  const end = frame.length - 8;
  const hasMarks = end >= 8 && isEscape(frame, end) && frame[end + 4] === END;
  if (!hasMarks || !bytesEqual(frame.subarray(0, 8), START)) {
    return refuse("sml", "incomplete", "no frame between its escape sequences");
  }
  const crc = frame[end + 6]! | (frame[end + 7]! << 8); // low byte first
  if (crc16X25(frame.subarray(0, end + 6)) !== crc) {
    return refuse("sml", "checksum_invalid", "CRC-16/X-25 of the frame");
  }
  const padding = frame[end + 5]!;
  if (padding > 3) return refuse("sml", "malformed", `${padding} bytes of padding`);
  const out: number[] = [];
  for (let at = 8; at < end - padding; at++) {
    if (isEscape(frame, at) && isEscape(frame, at + 4)) at += 4;
    else if (isEscape(frame, at)) return refuse("sml", "malformed", "an escape inside");
    else {
      out.push(frame[at]!);
      continue;
    }
    out.push(ESCAPE, ESCAPE, ESCAPE, ESCAPE);
    at += 3;
  }
  return Uint8Array.from(out);
}

function listOf(body: SmlValue | undefined): SmlList {
  if (!Array.isArray(body) || body.length !== 7) {
    return refuse("sml", "malformed", "a value list of other than seven parts");
  }
  const [, serverId, , sensorTime, entries] = body as readonly SmlValue[];
  if (!(serverId instanceof Uint8Array) || !Array.isArray(entries)) {
    return refuse("sml", "malformed", "a value list without server or entries");
  }
  return {
    serverId,
    timeS: timestampOf(sensorTime),
    entries: (entries as readonly SmlValue[]).map(entryOf),
  };
}

function entryOf(entry: SmlValue): SmlEntry {
  if (!Array.isArray(entry) || entry.length !== 7) {
    return refuse("sml", "malformed", "an entry of other than seven parts");
  }
  const [obis, , , unit, scaler, value] = entry as readonly SmlValue[];
  if (!(obis instanceof Uint8Array) || obis.length !== 6 || value === undefined) {
    return refuse("sml", "malformed", "an entry without OBIS code");
  }
  const power = typeof scaler === "bigint" ? Number(scaler) : 0;
  if (Math.abs(power) > 12) return refuse("sml", "malformed", `scaler ${power}`);
  return { obis, unit: typeof unit === "bigint" ? Number(unit) : null, scaler: power, value };
}

/** SML_Time is a choice: 1 a counter of seconds, 2 a Unix time, 3 local time with its offsets. */
function timestampOf(time: SmlValue | undefined): number | null {
  if (!Array.isArray(time) || time.length !== 2) return null;
  const [choice, value] = time as readonly SmlValue[];
  const moment = choice === 3n && Array.isArray(value) ? (value as readonly SmlValue[])[0] : value;
  if ((choice !== 2n && choice !== 3n) || typeof moment !== "bigint") return null;
  const seconds = Number(moment);
  return seconds >= 946_684_800 && seconds < 4_102_444_800 ? seconds : null; // 2000 to 2099
}
