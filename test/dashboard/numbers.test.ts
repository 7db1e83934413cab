/** Method: worked texts for each unit, then rounding against exact rational arithmetic. */
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  decimalText,
  energyText,
  moneyDigits,
  moneyText,
  priceText,
  shareText,
} from "../../dashboard/src/model/numbers.ts";

test.each([
  { units: 0n, scale: 8, digits: 2, text: "0.00" },
  { units: 5n, scale: 1, digits: 0, text: "1" },
  { units: -5n, scale: 1, digits: 0, text: "-1" },
  { units: -4n, scale: 1, digits: 0, text: "0" },
  { units: 1_234_567_890n, scale: 8, digits: 2, text: "12.35" },
  { units: 42n, scale: 0, digits: 2, text: "42.00" },
  { units: 9_223_372_036_854_775_807n, scale: 8, digits: 4, text: "92233720368.5478" },
])("$units at scale $scale to $digits digits is $text", ({ units, scale, digits, text }) => {
  expect(decimalText(units, { scale, digits })).toBe(text);
});

test("rounding stays within half a last place and is odd around zero", () => {
  const cases = [
    fc.bigInt(-(2n ** 70n), 2n ** 70n),
    fc.integer({ min: 0, max: 9 }),
    fc.integer({ min: 0, max: 9 }),
  ] as const;
  fc.assert(
    fc.property(...cases, (units, scale, digits) => {
      const text = decimalText(units, { scale, digits });
      const [whole = "", fraction = ""] = text.replace("-", "").split(".");
      expect(fraction).toHaveLength(digits);
      const shown = BigInt(whole + fraction) * (text.startsWith("-") ? -1n : 1n);
      // |shown / 10^digits - units / 10^scale| <= 1/2 10^-digits, times 2 * 10^(digits + scale)
      const error = 2n * (shown * 10n ** BigInt(scale) - units * 10n ** BigInt(digits));
      expect(error <= 10n ** BigInt(scale) && error >= -(10n ** BigInt(scale))).toBe(true);
      if (shown !== 0n)
        expect(decimalText(-units, { scale, digits }).replace("-", "")).toBe(text.replace("-", ""));
    }),
  );
});

test.each([
  { energyWh: 0, text: "0.00" },
  { energyWh: 42, text: "0.042" },
  { energyWh: 420, text: "0.42" },
  { energyWh: 4_200, text: "4.20" },
  { energyWh: 42_420, text: "42.4" },
  { energyWh: 4_200_000, text: "4,200" },
])("$energyWh Wh reads $text kWh", ({ energyWh, text }) => {
  expect(energyText(energyWh, "en-GB")).toBe(text);
});

test.each([
  { priceUcPerWh: 30_000, text: "30.00" }, // 0.30 per kWh
  { priceUcPerWh: 1, text: "0.00" }, // 0.01 per MWh
  { priceUcPerWh: 17_125, text: "17.13" },
  { priceUcPerWh: -2_500, text: "\u22122.50" },
])("$priceUcPerWh uc/Wh reads $text ct/kWh", ({ priceUcPerWh, text }) => {
  expect(priceText(priceUcPerWh, "en-GB")).toBe(text);
});

test.each([
  { amountUc: 0n, text: "€0.00" },
  { amountUc: 176_700_000n, text: "€1.77" },
  { amountUc: -8_000_000n, text: "\u2212€0.080" },
  { amountUc: 12_345n, text: "€0.0001" },
  { amountUc: 9_007_199_254_740_993_00000000n, text: "€9,007,199,254,740,993.00" },
])("$amountUc uc reads $text", ({ amountUc, text }) => {
  const form = { amountUc, currency: "EUR", locale: "en-GB", sign: "negative" } as const;
  expect(moneyText(form)).toBe(text);
});

test("a gain carries its plus, and nothing carries none", () => {
  const form = { currency: "CHF", locale: "en-GB", sign: "exceptZero" } as const;
  expect(moneyText({ ...form, amountUc: 100_000_000n })).toBe("+CHF\u00a01.00");
  expect(moneyText({ ...form, amountUc: 0n })).toBe("CHF\u00a00.00");
  expect(moneyDigits(-9_999_999n)).toBe(3);
});

test("a ratio without a denominator has no number", () => {
  expect(shareText(null, "en-GB")).toBeNull();
  expect(shareText(0.2783, "en-GB")).toBe("28%");
});
