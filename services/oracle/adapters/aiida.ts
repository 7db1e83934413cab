/**
 * The JSON that AIIDA (eddie-energy/eddie) takes from national adapters: the Austrian one with an
 * object per OBIS code (values in Wh, unix time each; an entry with time 0 was never read), and the
 * French Teleinfo reader's (registers EAST and EAIT, or BASE, HCHC and HCHP, in Wh, as raw text).
 */
import { unixSecondsOfIso } from "./civil-time.ts";
import { addDecimals, type Decimal, parseDecimal } from "./decimal.ts";
import { at, isNumber, isObject, type JsonObject, parseJsonText, textAt } from "./json-text.ts";
import { telegramOf } from "./registers.ts";
import { type MeterTelegram, refuse, type TelegramFlag } from "./telegram.ts";

const OBIS = /^\d{1,3}-\d{1,3}:\d{1,3}\.\d{1,3}\.\d{1,3}$/;
const TELEINFO_MARKS = ["ADSC", "ADCO"];

/** @throws GridError telegram_refused */
export function readAiida(bytes: Uint8Array): MeterTelegram {
  const document = parseJsonText("aiida", bytes);
  if (!isObject(document)) return refuse("aiida", "malformed", "no JSON object");
  if (TELEINFO_MARKS.some((mark) => document.has(mark))) return teleinfo(document);
  if (![...document.keys()].some((key) => OBIS.test(key))) {
    return refuse("aiida", "unsupported", "neither an OBIS code nor Teleinfo in it");
  }
  const imported = obisRegister(document, "1-0:1.8.0");
  const exported = obisRegister(document, "1-0:2.8.0");
  const times = [imported, exported].flatMap((register) => register?.timeS ?? []);
  return telegramOf("aiida", {
    importWh: imported?.value ?? null,
    exportWh: exported?.value ?? null,
    flags: [],
    timeS: times.length === 0 ? null : Math.max(...times), // both had been read by then
    identification: textAt(document, "0-0:96.1.0", "value") ?? textAt(document, "name"),
    resolutionExponent: null,
  });
}

function obisRegister(
  document: JsonObject,
  code: string,
): { value: Decimal; timeS: number } | null {
  const entry = document.get(code);
  if (entry === undefined) return null;
  const [value, time] = [at(entry, "value"), at(entry, "time")];
  const number = isNumber(value) ? parseDecimal(value.text) : null;
  const timeS = isNumber(time) && /^\d{1,10}$/.test(time.text) ? Number(time.text) : null;
  if (number === null || timeS === null) return refuse("aiida", "register_invalid", code);
  return timeS === 0 ? null : { value: number, timeS };
}

function teleinfo(document: JsonObject): MeterTelegram {
  const flags: TelegramFlag[] = [];
  const date = textAt(document, "DATE", "timestamp", "date");
  const timeS = date === null ? null : unixSecondsOfIso(date, null);
  if (date !== null && timeS === null) flags.push("time_unusable");
  const tariffs = ["HCHC", "HCHP"].flatMap((key) => rawRegister(document, key) ?? []);
  const [first, second] = tariffs;
  const summed = first && second ? addDecimals(first, second) : null;
  const total = rawRegister(document, "EAST") ?? rawRegister(document, "BASE");
  if (total === null && summed !== null) flags.push("tariffs_summed");
  return telegramOf("aiida", {
    importWh: total ?? summed,
    exportWh: rawRegister(document, "EAIT"),
    flags,
    timeS,
    identification: textAt(document, "ADSC", "raw") ?? textAt(document, "ADCO", "raw"),
    resolutionExponent: null,
  });
}

function rawRegister(document: JsonObject, key: string): Decimal | null {
  const raw = at(document, key, "raw");
  if (raw === undefined) return null;
  const text = typeof raw === "string" && /^\d{1,12}$/.test(raw) ? raw : "";
  return parseDecimal(text) ?? refuse("aiida", "register_invalid", key);
}
