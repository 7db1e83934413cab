/**
 * How this browser reads numbers and times. The words are English, so the locale is one of its; the
 * days and clocks are the community's, wherever it is looked at from.
 */
import { computed } from "@preact/signals";
import * as day from "../model/day.ts";
import { knownZone, type Zone } from "../model/day.ts";
import * as numbers from "../model/numbers.ts";
import { status } from "./market.ts";

const LOCALE = navigator.languages.find((language) => /^en\b/i.test(language)) ?? "en-GB";

/** The browser's, until the status is there; nothing with a time is drawn before. */
const BROWSER_TIME_ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone;
const timeZone = computed(() => {
  const named = status.value.value?.timeZone ?? BROWSER_TIME_ZONE;
  return knownZone({ timeZone: named, otherwise: BROWSER_TIME_ZONE });
});

/** Where and how times are read. */
export function zone(): Zone {
  return { locale: LOCALE, timeZone: timeZone.value };
}

/** kWh, without the unit */
export const energy = (energyWh: number) => numbers.energyText(energyWh, LOCALE);
/** ct/kWh, without the unit */
export const price = (priceUcPerWh: number) => numbers.priceText(priceUcPerWh, LOCALE);
export const count = (value: number) => numbers.countText(value, LOCALE);
export const share = (ratio: number | null) => numbers.shareText(ratio, LOCALE);
export const clock = (timeS: number) => day.clockText(timeS, zone());
export const date = (timeS: number) => day.dateText(timeS, zone());
export const span = (slot: { startS: number; endS: number }) => day.spanText(slot, zone());

export function money(amountUc: bigint): string {
  return numbers.moneyText({ amountUc, currency: currency(), locale: LOCALE, sign: "negative" });
}

/** With a plus: for what came in or went out. */
export function signedMoney(amountUc: bigint): string {
  return numbers.moneyText({ amountUc, currency: currency(), locale: LOCALE, sign: "exceptZero" });
}

/** The network's currency; nothing with money is drawn before the status is there. */
function currency(): string {
  return status.value.value?.currency ?? "XXX";
}
