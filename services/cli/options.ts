/** Parsers of command line values: each refuses with the flag's own words. */
import { InvalidArgumentError } from "commander";

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

export function isoDate(text: string): string {
  const isDate = /^\d{4}-\d{2}-\d{2}$/.test(text) && !Number.isNaN(Date.parse(`${text}T00:00Z`));
  if (!isDate) throw new InvalidArgumentError("must be a date like 2017-06-01");
  return text;
}

export const port = wholeNumber({ min: 0, max: 65_535 });
export const days = wholeNumber({ min: 1, max: 3660 });
export const slots = wholeNumber({ min: 1, max: 1_000_000 });
