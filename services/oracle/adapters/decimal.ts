/**
 * Decimal numbers as they are written: digits and a power of ten, never a binary float. So 0.1 kWh
 * is 100 Wh, and sums of tariffs or phases are exact before anything is cut to whole Wh.
 */
import { REGISTER_WH_MAX } from "../../primitives/limits.ts";
import { refuse, type TelegramFormat } from "./telegram.ts";

/** digits x 10^exponent. */
export type Decimal = { readonly digits: bigint; readonly exponent: number };

/** Longer texts are no register of any meter; bounds the work of one number. */
const TEXT_MAX = 40;
const EXPONENT_MAX = 30;
const FORM = /^(-?)(\d+)(?:\.(\d*))?(?:[eE]([+-]?\d{1,3}))?$/;

/** Null where the text is no decimal number of reasonable size. */
export function parseDecimal(text: string): Decimal | null {
  const match = text.length > TEXT_MAX ? null : FORM.exec(text);
  if (match === null) return null;
  const [, sign = "", whole = "", fraction = "", power = "0"] = match;
  const magnitude = BigInt(whole + fraction);
  const exponent = Number(power) - fraction.length;
  if (Math.abs(exponent) > EXPONENT_MAX) return null;
  return { digits: sign === "-" ? -magnitude : magnitude, exponent };
}

export function addDecimals(a: Decimal, b: Decimal): Decimal {
  const exponent = Math.min(a.exponent, b.exponent);
  return { digits: scaled(a, exponent) + scaled(b, exponent), exponent };
}

export function subtractDecimals(a: Decimal, b: Decimal): Decimal {
  return addDecimals(a, { digits: -b.digits, exponent: b.exponent });
}

export function shiftDecimal(value: Decimal, places: number): Decimal {
  return { digits: value.digits, exponent: value.exponent + places };
}

function scaled({ digits, exponent }: Decimal, to: number): bigint {
  return digits * 10n ** BigInt(exponent - to);
}

/** A register in whole Wh; what is finer is cut off, never rounded up. */
export type RegisterWh = {
  readonly energyWh: number;
  readonly isTruncated: boolean;
  readonly resolutionWh: number; // 10^exponent, at least 1
};

/**
 * @param value - in Wh
 * @throws GridError telegram_refused register_invalid
 */
export function registerWh(
  format: TelegramFormat,
  value: Decimal,
  resolutionExponent: number,
): RegisterWh {
  if (value.digits < 0n) return refuse(format, "register_invalid", "a register below zero");
  const divisor = 10n ** BigInt(Math.max(0, -value.exponent));
  const whole = value.exponent >= 0 ? scaled(value, 0) : BigInt(value.digits) / divisor;
  if (whole > BigInt(REGISTER_WH_MAX)) {
    return refuse(format, "register_invalid", "a register beyond every meter");
  }
  return {
    energyWh: Number(whole),
    isTruncated: value.exponent < 0 && value.digits % divisor !== 0n,
    resolutionWh: 10 ** Math.min(Math.max(resolutionExponent, 0), 12),
  };
}
