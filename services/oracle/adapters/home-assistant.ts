/**
 * Home Assistant style: whatever a device publishes on a state topic, with the place of each
 * register told by the installer: `a.b.c`, or "" where the payload is the number itself.
 *
 * "unavailable", "unknown" and null are no zero: such a telegram carries no register.
 */
import { unixSecondsOfIso } from "./civil-time.ts";
import { type Decimal, parseDecimal, shiftDecimal } from "./decimal.ts";
import { at, isNumber, isObject, type JsonValue, parseJsonText, textAt } from "./json-text.ts";
import { telegramOf } from "./registers.ts";
import { type AdapterSettings, type MeterTelegram, refuse } from "./telegram.ts";

const UNIT_EXPONENT = { Wh: 0, kWh: 3, MWh: 6 } as const;
const NO_VALUE = ["unavailable", "unknown", "None", ""];
const TIME_KEYS = ["time", "timestamp", "last_seen", "last_updated"];

/** @throws GridError telegram_refused */
export function readHomeAssistant(
  bytes: Uint8Array,
  settings: Pick<AdapterSettings, "importField" | "exportField" | "unit" | "utcOffsetS">,
): MeterTelegram {
  const document = documentOf(bytes);
  const { importField, exportField, unit, utcOffsetS } = settings;
  const time = isObject(document)
    ? TIME_KEYS.map((key) => textAt(document, key)).find((text) => text !== null)
    : undefined;
  const timeS = time === undefined || time === null ? null : unixSecondsOfIso(time, utcOffsetS);
  return telegramOf("home-assistant", {
    importWh: fieldAt(document, importField, unit),
    exportWh: fieldAt(document, exportField, unit),
    flags: time && timeS === null ? ["time_unusable"] : [],
    timeS,
    identification: null,
    resolutionExponent: null,
  });
}

/** A bare state such as `12.5` or `unavailable` is no JSON of its own. */
function documentOf(bytes: Uint8Array): JsonValue {
  const text = bytes.length > 40 ? "" : String.fromCharCode(...bytes).trim();
  if (NO_VALUE.includes(text) && bytes.length <= 40) return null;
  return parseJsonText("home-assistant", bytes);
}

function fieldAt(
  document: JsonValue,
  field: string | null,
  unit: AdapterSettings["unit"],
): Decimal | null {
  if (field === null) return null;
  const value = field === "" ? document : at(document, ...field.split("."));
  if (value === undefined || value === null) return null;
  if (typeof value === "string" && NO_VALUE.includes(value)) return null;
  const text = isNumber(value) ? value.text : value;
  const number = typeof text === "string" ? parseDecimal(text) : null;
  if (number === null) return refuse("home-assistant", "register_invalid", `field "${field}"`);
  return shiftDecimal(number, UNIT_EXPONENT[unit]);
}
