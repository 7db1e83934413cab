/**
 * OpenEMS edge to backend, JSON-RPC: `timestampedData`, `aggregatedData` and `resendData` carry
 * {epochMillis: {"component/Channel": value}}. Registers are the cumulated energies in Wh: of the
 * whole site `_sum/GridBuyActiveEnergy` and `_sum/GridSellActiveEnergy`; of a grid meter its
 * ActiveProductionEnergy is what was bought, ActiveConsumptionEnergy what was sold, since OpenEMS
 * counts from the site's side (io.openems.edge.meter.api.ElectricityMeter).
 */
import { type Decimal, parseDecimal } from "./decimal.ts";
import { at, isNumber, isObject, type JsonObject, parseJsonText } from "./json-text.ts";
import { telegramOf } from "./registers.ts";
import { type AdapterSettings, type MeterTelegram, refuse } from "./telegram.ts";

const METHODS = ["timestampedData", "aggregatedData", "resendData"];
const SITE = "_sum";

/** One telegram for each moment that carries a register, oldest first. */
export function readOpenems(
  bytes: Uint8Array,
  { component }: Pick<AdapterSettings, "component">,
): readonly MeterTelegram[] {
  const document = parseJsonText("openems", bytes);
  const method = at(document, "method");
  const moments = at(document, "params");
  if (typeof method !== "string" || !METHODS.includes(method) || !isObject(moments)) {
    return refuse("openems", "unsupported", `none of ${METHODS.join(", ")}`);
  }
  const source = component ?? SITE;
  const telegrams: MeterTelegram[] = [];
  for (const [millis, channels] of moments) {
    if (!/^\d{12,14}$/.test(millis) || !isObject(channels)) {
      return refuse("openems", "malformed", "params that are no channels by time");
    }
    const names =
      source === SITE
        ? ["GridBuyActiveEnergy", "GridSellActiveEnergy"]
        : ["ActiveProductionEnergy", "ActiveConsumptionEnergy"];
    const [importWh, exportWh] = names.map((name) => channel(channels, `${source}/${name}`));
    if (importWh === null && exportWh === null) continue;
    telegrams.push(
      telegramOf("openems", {
        importWh: importWh ?? null,
        exportWh: exportWh ?? null,
        flags: method === "resendData" ? ["backfill"] : [],
        timeS: Math.floor(Number(millis) / 1000),
        identification: source,
        resolutionExponent: null,
      }),
    );
  }
  return telegrams.sort((a, b) => a.timeS! - b.timeS!);
}

function channel(channels: JsonObject, name: string): Decimal | null {
  const value = channels.get(name);
  if (value === undefined || value === null) return null;
  const number = isNumber(value) ? parseDecimal(value.text) : null;
  return number ?? refuse("openems", "register_invalid", name);
}
