/** Parsers of command line values: each refuses with the flag's own words. */
import { InvalidArgumentError } from "commander";
import { exactCurrency } from "./words.ts";

export function wholeNumber({ min, max }: { min: number; max: number }) {
  return (text: string): number => {
    const value = Number(text);
    if (!/^-?\d+$/.test(text) || value < min || value > max) {
      throw new InvalidArgumentError(`must be a whole number from ${min} to ${max}`);
    }
    return value;
  };
}

export function positiveNumber(text: string): number {
  const value = Number(text);
  if (!Number.isFinite(value) || value <= 0) throw new InvalidArgumentError("must be above 0");
  return value;
}

/** An amount of currency, exact: "1.25" is 125,000,000 micro-cents. */
export function amountUc({ max }: { max: bigint }) {
  return (text: string): bigint => {
    const match = /^(\d{1,12})(?:\.(\d{1,8}))?$/.exec(text);
    const units = BigInt(match?.[1] ?? "0") * 100_000_000n;
    const value = units + BigInt((match?.[2] ?? "").padEnd(8, "0"));
    if (match !== null && value > 0n && value <= max) return value;
    throw new InvalidArgumentError(
      `must be an amount like 1.25, with at most 8 decimals, above 0, up to ${exactCurrency(max)}`,
    );
  };
}

export function isoDate(text: string): string {
  const isDate = /^\d{4}-\d{2}-\d{2}$/.test(text) && !Number.isNaN(Date.parse(`${text}T00:00Z`));
  if (!isDate) throw new InvalidArgumentError("must be a date like 2017-06-01");
  return text;
}

export const port = wholeNumber({ min: 0, max: 65_535 });
export const days = wholeNumber({ min: 1, max: 3660 });
export const slots = wholeNumber({ min: 1, max: 1_000_000 });
