/**
 * DLMS/COSEM push at the customer port (HAN): a data-notification with OBIS codes, values, scalers
 * and units, over HDLC, M-Bus or bare.
 *
 * Two layouts are met: a list of {OBIS, value, {scaler, unit}} (Aidon), and a flat structure of
 * OBIS, value, {scaler, unit} in a row. A value without scaler and unit is not guessed.
 * Source: IEC 62056-5-3 (A-XDR encoding), IEC 62056-6-2 (units: 30 is Wh).
 */
import { toHex } from "../../primitives/bytes.ts";
import {
  TELEGRAM_BYTES_MAX,
  TELEGRAM_DEPTH_MAX,
  TELEGRAM_VALUES_MAX,
} from "../../primitives/limits.ts";
import { unixSecondsOf } from "./civil-time.ts";
import { shiftDecimal } from "./decimal.ts";
import { hdlcContent, mbusContent } from "./hdlc.ts";
import { type Direction, telegramOf, totals } from "./registers.ts";
import { type AdapterSettings, type MeterTelegram, refuse, type TelegramFlag } from "./telegram.ts";

export type DlmsValue = null | boolean | bigint | Uint8Array | readonly DlmsValue[];
export type DlmsEntry = {
  readonly obis: Uint8Array; // 6 B
  readonly value: DlmsValue;
  readonly scaler: number;
  readonly unit: number | null; // null: the telegram does not say
};
export type DlmsNotification = {
  readonly dateTime: Uint8Array | null; // 12 B, of the notification itself
  readonly entries: readonly DlmsEntry[];
};

const DATA_NOTIFICATION = 0x0f;
const UNIT_WH = 30;
/** Logical device name, meter number: text. */
const IDENTIFICATIONS = ["000060010000ff", "0000600100ff", "00002a0000ff"];

/** @throws GridError telegram_refused */
export function readDlms(
  frame: Uint8Array,
  { utcOffsetS }: Pick<AdapterSettings, "utcOffsetS">,
): MeterTelegram {
  const { dateTime, entries } = readNotification(frame);
  const imports: Direction = new Map();
  const exports: Direction = new Map();
  const flags: TelegramFlag[] = [];
  let stamp = dateTime;
  let identification: string | null = null;
  for (const { obis, value, scaler, unit } of entries) {
    const [a, , c, d, e] = obis;
    if (value instanceof Uint8Array) {
      if (value.length === 12 && toHex(obis) === "0000010000ff") stamp = value;
      if (IDENTIFICATIONS.includes(toHex(obis))) identification = printable(value);
    }
    const direction = c === 1 ? imports : c === 2 ? exports : null;
    if (a !== 1 || d !== 8 || e! > 9 || direction === null) continue;
    if (typeof value !== "bigint" || unit !== UNIT_WH) continue;
    if (direction.has(e!)) return refuse("dlms", "malformed", `register ${c}.8.${e} twice`);
    direction.set(e!, shiftDecimal({ digits: value, exponent: 0 }, scaler));
  }
  const timeS = stamp === null ? null : dateTimeOf(stamp, utcOffsetS);
  if (stamp !== null && timeS === null) flags.push("time_unusable");
  const set = totals(imports, exports);
  return telegramOf("dlms", { ...set, flags: [...set.flags, ...flags], timeS, identification });
}

/** @throws GridError telegram_refused */
export function readNotification(frame: Uint8Array): DlmsNotification {
  if (frame.length > TELEGRAM_BYTES_MAX) return refuse("dlms", "oversized", `${frame.length} B`);
  const content =
    frame[0] === 0x7e ? hdlcContent(frame) : frame[0] === 0x68 ? mbusContent(frame) : frame;
  const hasLlc = content[0] === 0xe6 && content[1] === 0xe7 && content[2] === 0;
  const reader = new Reader(hasLlc ? content.subarray(3) : content);
  const tag = reader.byte();
  if (tag === 0xdb || tag === 0xdd) return refuse("dlms", "encrypted", "a ciphered notification");
  if (tag !== DATA_NOTIFICATION) return refuse("dlms", "unsupported", `service ${tag}`);
  reader.take(4); // invoke id and priority
  const length = reader.byte();
  // An octet string, with or without its type tag: both are met.
  const dateTime = length === 9 ? reader.take(reader.byte()) : reader.take(length);
  const list = reader.value(0);
  if (!reader.isAtEnd) return refuse("dlms", "malformed", "something after the list");
  if (!Array.isArray(list)) return refuse("dlms", "unsupported", "a notification without list");
  return {
    dateTime: dateTime.length === 12 ? dateTime : null,
    entries: entriesOf(list as readonly DlmsValue[]),
  };
}

function entriesOf(list: readonly DlmsValue[]): DlmsEntry[] {
  const entries: DlmsEntry[] = [];
  for (let i = 0; i < list.length; i++) {
    const item = list[i]!;
    if (Array.isArray(item)) {
      entries.push(...entriesOf(item as readonly DlmsValue[]));
      continue;
    }
    const value = list[i + 1];
    if (!(item instanceof Uint8Array) || item.length !== 6 || value === undefined) continue;
    if (Array.isArray(value)) continue;
    const [scaler, unit] = scalerUnit(list[i + 2]);
    entries.push({ obis: item, value, scaler, unit });
    i += unit === null ? 1 : 2;
  }
  return entries;
}

function scalerUnit(value: DlmsValue | undefined): [number, number | null] {
  const [scaler, unit] = Array.isArray(value) ? (value as readonly DlmsValue[]) : [];
  if (typeof scaler !== "bigint" || typeof unit !== "bigint") return [0, null];
  const power = Number(scaler);
  return Math.abs(power) > 12
    ? refuse("dlms", "malformed", `scaler ${power}`)
    : [power, Number(unit)];
}

/** Bytes of the fixed-length types, and whether they are signed. */
const NUMBERS: Readonly<Record<number, readonly [number, "signed" | "unsigned"]>> = {
  5: [4, "signed"],
  6: [4, "unsigned"],
  15: [1, "signed"],
  16: [2, "signed"],
  17: [1, "unsigned"],
  18: [2, "unsigned"],
  20: [8, "signed"],
  21: [8, "unsigned"],
  22: [1, "unsigned"], // enum
};
const TEXTS = [9, 10, 12]; // octet, visible and UTF-8 string

class Reader {
  readonly #bytes: Uint8Array;
  #at = 0;
  #values = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  byte(): number {
    return this.take(1)[0]!;
  }

  take(length: number): Uint8Array {
    if (this.#at + length > this.#bytes.length) {
      return refuse("dlms", "malformed", `a value that runs out, at byte ${this.#at}`);
    }
    this.#at += length;
    return this.#bytes.slice(this.#at - length, this.#at);
  }

  value(depth: number): DlmsValue {
    this.#values++;
    if (depth > TELEGRAM_DEPTH_MAX || this.#values > TELEGRAM_VALUES_MAX) {
      return refuse("dlms", "oversized", "too many values, or too deep");
    }
    const type = this.byte();
    if (type === 0) return null;
    if (type === 1 || type === 2) {
      const items: DlmsValue[] = [];
      for (let left = this.#length(); left > 0; left--) items.push(this.value(depth + 1));
      return items;
    }
    if (type === 3) return this.byte() !== 0;
    if (TEXTS.includes(type)) return this.take(this.#length());
    const [size, sign] = NUMBERS[type] ?? [0, "unsigned"];
    if (size === 0) return refuse("dlms", "malformed", `type ${type}, at byte ${this.#at}`);
    let number = 0n;
    for (const byte of this.take(size)) number = number * 256n + BigInt(byte);
    return sign === "signed" ? BigInt.asIntN(8 * size, number) : number;
  }

  #length(): number {
    const first = this.byte();
    if (first < 0x80) return first;
    if (first > 0x82) return refuse("dlms", "malformed", "a length of too many bytes");
    let length = 0;
    for (const byte of this.take(first & 0x7f)) length = length * 256 + byte;
    return length;
  }
}

/** 12 bytes: year, month, day, weekday, h, m, s, 1/100, deviation in minutes, status. */
function dateTimeOf(bytes: Uint8Array, utcOffsetS: number | null): number | null {
  const [y1, y2, month, day, , hour, minute, second, , d1, d2] = bytes;
  const deviation = (((d1! << 8) | d2!) << 16) >> 16;
  // 0x8000: not told. Else what must be added to local time to get UTC.
  const offsetS = deviation === -32_768 ? utcOffsetS : -60 * deviation;
  if (offsetS === null || Math.abs(offsetS) > 50_400) return null;
  const date = { year: (y1! << 8) | y2!, month: month!, day: day! };
  return unixSecondsOf({ ...date, hour: hour!, minute: minute!, second: second! }, offsetS);
}

function printable(bytes: Uint8Array): string {
  const text = String.fromCharCode(...bytes.subarray(0, 64));
  return /^[\x20-\x7e]+$/.test(text) ? text : toHex(bytes);
}
