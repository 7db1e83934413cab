/**
 * Tasmota's energy telemetry, as on `tele/<device>/SENSOR` and in STATUS8: `ENERGY.Total` in kWh,
 * an array on devices of several channels; `ENERGY.ExportActive` where the device counts export.
 * Its time is local, without a zone, so it is of use only where the zone is told.
 */
import { unixSecondsOfIso } from "./civil-time.ts";
import { addDecimals, type Decimal, parseDecimal, shiftDecimal } from "./decimal.ts";
import { at, isNumber, type JsonValue, parseJsonText, textAt } from "./json-text.ts";
import { telegramOf } from "./registers.ts";
import { type AdapterSettings, type MeterTelegram, refuse, type TelegramFlag } from "./telegram.ts";

/** @throws GridError telegram_refused */
export function readTasmota(
  bytes: Uint8Array,
  { utcOffsetS }: Pick<AdapterSettings, "utcOffsetS">,
): MeterTelegram {
  const document = parseJsonText("tasmota", bytes);
  const sensors = at(document, "StatusSNS") ?? document;
  const energy = at(sensors, "ENERGY");
  if (energy === undefined) return refuse("tasmota", "unsupported", "no ENERGY in it");
  const flags: TelegramFlag[] = [];
  const time = textAt(sensors, "Time");
  const timeS = time === null ? null : unixSecondsOfIso(time, utcOffsetS);
  if (time !== null && timeS === null) flags.push("time_unusable");
  const importWh = total(at(energy, "Total"), "ENERGY.Total", flags);
  const exportWh = total(at(energy, "ExportActive"), "ENERGY.ExportActive", flags);
  const registers = { importWh, exportWh, resolutionExponent: null };
  return telegramOf("tasmota", { ...registers, flags, timeS, identification: null });
}

function total(value: JsonValue | undefined, what: string, flags: TelegramFlag[]): Decimal | null {
  if (value === undefined || value === null) return null;
  const channels: readonly JsonValue[] = Array.isArray(value) ? value : [value as JsonValue];
  if (channels.length > 1) flags.push("channels_summed");
  let sum: Decimal | null = null;
  for (const channel of channels) {
    const number = isNumber(channel) ? parseDecimal(channel.text) : null;
    if (number === null) return refuse("tasmota", "register_invalid", what);
    sum = sum === null ? number : addDecimals(sum, number);
  }
  return sum === null ? refuse("tasmota", "register_invalid", what) : shiftDecimal(sum, 3);
}
