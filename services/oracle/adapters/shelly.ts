/**
 * Shelly Gen2 and later: `NotifyStatus` and `NotifyFullStatus` messages, a component's own status
 * topic, or the whole status. Registers are in Wh: of `emdata:N` (three phases), `em1data:N` (one
 * clamp) and `switch:N` (a plug), where what a plug returned is also in `aenergy`, so that it is
 * subtracted (evcc, meter/shelly/gen2.go).
 */
import { type Decimal, parseDecimal, subtractDecimals } from "./decimal.ts";
import {
  at,
  isNumber,
  isObject,
  type JsonObject,
  type JsonValue,
  parseJsonText,
  textAt,
} from "./json-text.ts";
import { telegramOf } from "./registers.ts";
import { type AdapterSettings, type MeterTelegram, refuse } from "./telegram.ts";

const COMPONENTS = ["emdata:0", "em1data:0", "switch:0"] as const;

/** @throws GridError telegram_refused */
export function readShelly(
  bytes: Uint8Array,
  { component }: Pick<AdapterSettings, "component">,
): MeterTelegram {
  const document = parseJsonText("shelly", bytes);
  if (!isObject(document)) return refuse("shelly", "malformed", "no JSON object");
  const status = statusOf(document);
  const name = component ?? COMPONENTS.find((each) => status.has(each));
  const found = name === undefined ? undefined : status.get(name);
  // A component's own topic carries it bare.
  const own = name === undefined && hasRegisters(status) ? status : found;
  if (!isObject(own)) return refuse("shelly", "unsupported", `no ${name ?? COMPONENTS.join(", ")}`);
  const ts = at(document, "params", "ts") ?? at(status, "sys", "unixtime");
  const time = isNumber(ts) ? parseDecimal(ts.text) : null;
  return telegramOf("shelly", {
    ...registersOf(own),
    flags: time === null && isNumber(ts) ? ["time_unusable"] : [],
    timeS: time === null ? null : wholeSeconds(time),
    identification: textAt(document, "src") ?? textAt(status, "sys", "mac"),
    resolutionExponent: null,
  });
}

function statusOf(document: JsonObject): JsonObject {
  for (const key of ["params", "status", "result"]) {
    const inner = document.get(key);
    if (isObject(inner)) return inner;
  }
  return document;
}

function hasRegisters(status: JsonObject): boolean {
  return ["total_act", "total_act_energy", "aenergy"].some((key) => status.has(key));
}

function registersOf(own: JsonObject): { importWh: Decimal | null; exportWh: Decimal | null } {
  if (own.has("aenergy")) {
    const both = register(at(own, "aenergy", "total"), "aenergy.total");
    const returned = register(at(own, "ret_aenergy", "total"), "ret_aenergy.total");
    if (both === null || returned === null) return { importWh: both, exportWh: returned };
    const drawn = subtractDecimals(both, returned);
    return { importWh: drawn.digits < 0n ? NOTHING : drawn, exportWh: returned };
  }
  const stem = own.has("total_act") ? "total_act" : "total_act_energy";
  const returned = stem === "total_act" ? "total_act_ret" : "total_act_ret_energy";
  return {
    importWh: register(own.get(stem), stem),
    exportWh: register(own.get(returned), returned),
  };
}

const NOTHING: Decimal = { digits: 0n, exponent: 0 };

function register(value: JsonValue | undefined, what: string): Decimal | null {
  if (value === undefined || value === null) return null;
  const number = isNumber(value) ? parseDecimal(value.text) : null;
  return number ?? refuse("shelly", "register_invalid", what);
}

function wholeSeconds({ digits, exponent }: Decimal): number | null {
  const scale = 10n ** BigInt(Math.abs(exponent));
  const seconds = exponent >= 0 ? digits * scale : BigInt(digits) / scale;
  return seconds > 0n && seconds < 4_102_444_800n ? Number(seconds) : null;
}
