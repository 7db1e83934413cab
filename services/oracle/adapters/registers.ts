/**
 * From the decimal registers of a telegram to its two totals: the total register where there is
 * one, else the sum of the tariffs.
 */
import { addDecimals, type Decimal, registerWh } from "./decimal.ts";
import {
  type MeterTelegram,
  sortedFlags,
  type TelegramFlag,
  type TelegramFormat,
} from "./telegram.ts";

/** Registers of one direction in Wh, by tariff: 0 is the total. */
export type Direction = Map<number, Decimal>;

export type RegisterSet = {
  readonly importWh: Decimal | null;
  readonly exportWh: Decimal | null;
  readonly flags: readonly TelegramFlag[];
  /**
   * Step of the registers as a power of ten of Wh where the form tells it (decimals of a fixed
   * width, a scaler); null: it does not, and 1 Wh is assumed.
   */
  readonly resolutionExponent: number | null;
};

export function totalOf(direction: Direction): { total: Decimal | null; summed: boolean } {
  const total = direction.get(0);
  if (total !== undefined) return { total, summed: false };
  let sum: Decimal | null = null;
  for (const value of direction.values()) sum = sum === null ? value : addDecimals(sum, value);
  return { total: sum, summed: direction.size > 1 };
}

/** Both directions of a telegram whose registers carry their own exponent (P1, SML, DLMS). */
export function totals(imports: Direction, exports: Direction): RegisterSet {
  const flags: TelegramFlag[] = [];
  const [imported, exported] = [totalOf(imports), totalOf(exports)];
  if (imported.summed || exported.summed) flags.push("tariffs_summed");
  const exponents = [imported.total, exported.total].flatMap((value) => value?.exponent ?? []);
  return {
    importWh: imported.total,
    exportWh: exported.total,
    flags,
    resolutionExponent: exponents.length === 0 ? null : Math.max(...exponents),
  };
}

/** @throws GridError telegram_refused register_invalid */
export function telegramOf(
  format: TelegramFormat,
  parts: RegisterSet & Pick<MeterTelegram, "identification" | "timeS">,
): MeterTelegram {
  const exponent = parts.resolutionExponent ?? 0;
  const registers = [parts.importWh, parts.exportWh].map((value) =>
    value === null ? null : registerWh(format, value, exponent),
  );
  const flags = [...parts.flags];
  if (registers.some((register) => register?.isTruncated)) flags.push("truncated");
  return {
    format,
    identification: parts.identification,
    timeS: parts.timeS,
    importWh: registers[0]?.energyWh ?? null,
    exportWh: registers[1]?.energyWh ?? null,
    resolutionWh: registers.find((register) => register !== null)?.resolutionWh ?? 1,
    flags: sortedFlags(flags),
  };
}
