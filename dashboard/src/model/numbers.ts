/**
 * Numbers as people read them: kWh, ct/kWh and currency from integer Wh, uc/Wh and micro-cents.
 * Rounding is integer arithmetic (half away from zero); no amount passes through a float.
 */

export type Decimal = `${number}`;

/**
 * `units / 10^scale` as a decimal text with exactly `digits` places, rounded half away from zero.
 *
 * @param form.scale - places of the unit: 3 for Wh in kWh, 8 for micro-cents in currency
 */
export function decimalText(units: bigint, form: { scale: number; digits: number }): Decimal {
  const { scale, digits } = form;
  const magnitude = units < 0n ? -units : units;
  const dropped = 10n ** BigInt(Math.max(0, scale - digits));
  const kept = (magnitude + dropped / 2n) / dropped;
  const padded = kept * 10n ** BigInt(Math.max(0, digits - scale));
  const text = padded.toString().padStart(digits + 1, "0");
  const whole = text.slice(0, text.length - digits);
  const fraction = digits === 0 ? "" : `.${text.slice(text.length - digits)}`;
  // "-0.00" would be a sign without an amount.
  const sign = units < 0n && padded !== 0n ? "-" : "";
  return `${sign}${whole}${fraction}` as Decimal;
}

/** Places after the point for an energy in kWh, so that about three figures are seen. */
export function energyDigits(energyWh: number): number {
  if (energyWh === 0) return 2;
  if (energyWh < 100) return 3;
  if (energyWh < 10_000) return 2;
  return energyWh < 100_000 ? 1 : 0;
}

/** Energy in kWh without its unit. */
export function energyText(energyWh: number, locale: string): string {
  const digits = energyDigits(energyWh);
  return plain(decimalText(BigInt(energyWh), { scale: 3, digits }), { locale, digits });
}

/** Price in ct/kWh without its unit: 1 uc/Wh is 0.001 ct/kWh. */
export function priceText(priceUcPerWh: number, locale: string): string {
  const digits = 2;
  return plain(decimalText(BigInt(priceUcPerWh), { scale: 3, digits }), { locale, digits });
}

/** Places for an amount: whole cents, or what shows two figures of a small one. */
export function moneyDigits(amountUc: bigint): number {
  const magnitude = amountUc < 0n ? -amountUc : amountUc;
  if (magnitude === 0n || magnitude >= 10_000_000n) return 2; // from 0.10
  return magnitude >= 1_000_000n ? 3 : 4;
}

/** Money with its currency. `sign` shows a plus where the direction is the message. */
export function moneyText(form: {
  amountUc: bigint;
  currency: string;
  locale: string;
  sign: "negative" | "exceptZero";
}): string {
  const digits = moneyDigits(form.amountUc);
  const text = decimalText(form.amountUc, { scale: 8, digits });
  const options = {
    style: "currency",
    currency: form.currency,
    currencyDisplay: "narrowSymbol",
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
    signDisplay: form.sign,
  } as const;
  return withMinus(formatter(form.locale, options).format(text));
}

/** A ratio 0..1 as whole per cent; null has no number. */
export function shareText(share: number | null, locale: string): string | null {
  if (share === null) return null;
  return formatter(locale, { style: "percent", maximumFractionDigits: 0 }).format(share);
}

export function countText(count: number, locale: string): string {
  return formatter(locale, {}).format(count);
}

function plain(text: Decimal, form: { locale: string; digits: number }): string {
  const { locale, digits } = form;
  const options = { minimumFractionDigits: digits, maximumFractionDigits: digits };
  return withMinus(formatter(locale, options).format(text));
}

/** English locales write a hyphen, which a line may break after; a minus stays with its number. */
function withMinus(text: string): string {
  return text.replace("-", "\u2212");
}

const formatters = new Map<string, Intl.NumberFormat>();

/** Making a formatter costs more than using it; there are about a dozen of them. */
function formatter(locale: string, options: Intl.NumberFormatOptions): Intl.NumberFormat {
  const key = `${locale} ${JSON.stringify(options)}`;
  const kept = formatters.get(key);
  if (kept !== undefined) return kept;
  const made = new Intl.NumberFormat(locale, options);
  formatters.set(key, made);
  return made;
}
