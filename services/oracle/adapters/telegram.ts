/**
 * What every adapter makes of a telegram: who it is from, when, and the cumulative registers.
 *
 * Adapters are pure and stand at the border to hostile bytes: each ends in bounded time with a
 * telegram or with one GridError `telegram_refused` that names format, reason and place.
 */
import { GridError } from "../../primitives/errors.ts";

export type TelegramFormat =
  | "dsmr"
  | "sml"
  | "dlms"
  | "tasmota"
  | "shelly"
  | "aiida"
  | "home-assistant"
  | "openems"
  | "ocmf";

/** One reason, one cause. */
export type TelegramReason =
  | "oversized" // more than TELEGRAM_BYTES_MAX, or more values or nesting than allowed
  | "incomplete" // ends before its own end mark
  | "checksum_invalid"
  | "malformed"
  | "encrypted" // needs the customer's key
  | "unsupported" // well-formed, but no kind of telegram that carries registers
  | "register_invalid" // negative, beyond REGISTER_WH_MAX, or in a unit that is no energy
  | "signature_invalid"; // of a format that signs

/** What a reader of the value must know; none of them makes it wrong. */
export type TelegramFlag =
  | "tariffs_summed" // the total is the sum of the tariff registers
  | "channels_summed" // the total is the sum of phases or channels
  | "truncated" // finer than 1 Wh; the rest is cut off, and comes with a later telegram
  | "time_unusable" // a time is there, but is no date, or local time of an unknown zone
  | "backfill" // sent later than measured, by the source's own word
  | "status_doubtful"; // the source itself does not call the value good

export type MeterTelegram = {
  readonly format: TelegramFormat;
  readonly identification: string | null; // what the meter calls itself
  readonly timeS: number | null; // unix seconds at which the registers were read; null: not told
  readonly importWh: number | null; // 1.8.0; null: not in this telegram
  readonly exportWh: number | null; // 2.8.0
  readonly resolutionWh: number; // coarsest step of a register here: 1, 10, 100, 1000 ...
  readonly flags: readonly TelegramFlag[]; // sorted, unique
};

/** What telegrams do not say themselves and whoever installs the gateway knows. */
export type AdapterSettings = {
  /** Local standard time's distance from UTC where a telegram has local time; null: unknown. */
  readonly utcOffsetS: number | null;
  /** Shelly's or OpenEMS's component, such as `emdata:0` or `meter0`; null: the usual one. */
  readonly component: string | null;
  /** Home Assistant style: where the registers stand, as `a.b.c`; "" is the payload itself. */
  readonly importField: string | null;
  readonly exportField: string | null;
  readonly unit: "Wh" | "kWh" | "MWh"; // of those fields
};
export const ADAPTER_SETTINGS: AdapterSettings = {
  utcOffsetS: null,
  component: null,
  importField: null,
  exportField: null,
  unit: "kWh",
};

export function refuse(format: TelegramFormat, reason: TelegramReason, what: string): never {
  const message = `${format} telegram refused, ${reason.replaceAll("_", " ")}: ${what}`;
  throw new GridError("telegram_refused", message, { format, reason, what });
}

export function sortedFlags(flags: Iterable<TelegramFlag>): readonly TelegramFlag[] {
  return [...new Set(flags)].sort();
}
