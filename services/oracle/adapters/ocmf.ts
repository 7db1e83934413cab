/**
 * OCMF, the Open Charge Metering Format (S.A.F.E., version 1.4): `OCMF|payload|signature`, both
 * JSON. A tolerant reader: the corpus spells OBIS codes in six ways, writes numbers as text, and
 * leaves out what repeats. The payload's bytes are kept as sent, for they are what is signed.
 */
import { fromUtf8, utf8 } from "../../primitives/bytes.ts";
import { OCMF_READINGS_MAX, OCMF_RECORD_BYTES_MAX } from "../../primitives/limits.ts";
import { unixSecondsOfIso } from "./civil-time.ts";
import { type Decimal, parseDecimal, shiftDecimal } from "./decimal.ts";
import { at, isNumber, type JsonValue, parseJsonText, textAt } from "./json-text.ts";
import { type Direction, telegramOf, totals } from "./registers.ts";
import { type MeterTelegram, refuse, type TelegramFlag } from "./telegram.ts";

export type OcmfSignature = {
  readonly algorithm: string; // SA, such as ECDSA-secp256r1-SHA256
  readonly encoding: "hex" | "base64";
  readonly data: string; // SD, as written
};
export type OcmfReading = {
  readonly timeS: number | null;
  readonly timeStatus: string | null; // U unknown, I informative, S synchronised, R relative
  readonly transaction: string | null; // TX: B begin, C charging, E end, ...
  readonly value: Decimal | null; // RV, in RU
  readonly obis: string | null; // RI, as written
  readonly unit: string | null; // RU
  readonly status: string | null; // ST: G is good
  readonly error: string | null; // EF: E energy, t time
};
export type OcmfRecord = {
  readonly payload: Uint8Array; // as signed
  readonly signature: OcmfSignature;
  readonly pagination: string | null; // PG
  readonly gatewaySerial: string | null; // GS
  readonly meterSerial: string | null; // MS
  readonly readings: readonly OcmfReading[];
};

const DEFAULT_ALGORITHM = "ECDSA-secp256r1-SHA256";

/** @throws GridError telegram_refused */
export function readOcmf(record: Uint8Array): OcmfRecord {
  if (record.length > OCMF_RECORD_BYTES_MAX) {
    return refuse("ocmf", "oversized", `${record.length} bytes`);
  }
  const parts = textOf(record).trim().split("|");
  const [header, payloadText, signatureText] = parts;
  if (header !== "OCMF" || parts.length !== 3) {
    return refuse("ocmf", "malformed", "not the three parts OCMF|payload|signature");
  }
  const payload = utf8(payloadText!);
  const document = parseJsonText("ocmf", payload, OCMF_RECORD_BYTES_MAX);
  const readings = at(document, "RD");
  if (!Array.isArray(readings)) return refuse("ocmf", "malformed", "no list of readings RD");
  if (readings.length > OCMF_READINGS_MAX) return refuse("ocmf", "oversized", "too many readings");
  return {
    payload,
    signature: signatureOf(utf8(signatureText!)),
    pagination: textAt(document, "PG"),
    gatewaySerial: textAt(document, "GS"),
    meterSerial: textAt(document, "MS"),
    readings: readingsOf(readings),
  };
}

function textOf(record: Uint8Array): string {
  try {
    return fromUtf8(record);
  } catch {
    return refuse("ocmf", "malformed", "no UTF-8");
  }
}

function signatureOf(bytes: Uint8Array): OcmfSignature {
  const document = parseJsonText("ocmf", bytes, OCMF_RECORD_BYTES_MAX);
  const data = textAt(document, "SD");
  const encoding = textAt(document, "SE") ?? "hex";
  const mime = textAt(document, "SM") ?? "application/x-der";
  if (data === null) return refuse("ocmf", "malformed", "no signature data SD");
  if (encoding !== "hex" && encoding !== "base64") {
    return refuse("ocmf", "unsupported", `signature encoding ${encoding}`);
  }
  if (mime !== "application/x-der") return refuse("ocmf", "unsupported", `signature form ${mime}`);
  return { algorithm: textAt(document, "SA") ?? DEFAULT_ALGORITHM, encoding, data };
}

/** What a reading leaves out is as in the reading before it. */
function readingsOf(list: readonly JsonValue[]): OcmfReading[] {
  const last = new Map<string, string>();
  return list.map((item) => {
    const field = (key: string) => {
      const own = at(item, key);
      if (typeof own === "string") last.set(key, own);
      return last.get(key) ?? null;
    };
    const [moment = "", timeStatus] = (field("TM") ?? "").split(" ");
    const value = at(item, "RV");
    const text = isNumber(value) ? value.text : typeof value === "string" ? value.trim() : "";
    return {
      timeS: unixSecondsOfIso(moment, null),
      timeStatus: timeStatus ?? null,
      transaction: field("TX"),
      value: parseDecimal(text),
      obis: field("RI"),
      unit: field("RU"),
      status: field("ST"),
      error: field("EF"),
    };
  });
}

/** Spellings: 1-b:1.8.0, 1-b:1.8.e, 01-00:01.08.00.FF, 1-0:2.8.0.FF, 1-0:1.8.0*198, 1-0:1.8.0 */
const OBIS =
  /^[0-9a-fA-F]{1,2}-[0-9a-fA-F]{1,2}:([0-9a-fA-F]{1,2})\.0?8\.([0-9eE]{1,2})(?:[.*](\w+))?$/;
/** C codes: 1 and 2 of IEC 62056; B0, B1 and C0, C1 are OCMF's totals of mains and device. */
const IMPORT_CODES = ["1", "01", "B0", "B1"];
const EXPORT_CODES = ["2", "02", "C0", "C1"];
/** F: the current total. Others, such as 198, count one transaction. */
const TOTAL_CODES = [undefined, "255", "FF", "xx", "XX"];

/**
 * The cumulative registers of a record, one telegram per moment, oldest first. Readings without a
 * moment of their own or of a transaction register are no telegram.
 */
export function ocmfTelegrams(record: OcmfRecord): readonly MeterTelegram[] {
  const moments = new Map<number, { imports: Direction; exports: Direction; doubtful: boolean }>();
  for (const reading of record.readings) {
    const place = registerOf(reading);
    if (place === null || reading.timeS === null) continue;
    const moment = moments.get(reading.timeS) ?? {
      imports: new Map(),
      exports: new Map(),
      doubtful: false,
    };
    moments.set(reading.timeS, moment);
    moment[place.direction].set(place.tariff, place.value);
    const isGood = reading.status === "G" && !/[Et]/.test(reading.error ?? "");
    moment.doubtful ||= !isGood;
  }
  return [...moments]
    .sort(([a], [b]) => a - b)
    .map(([timeS, { imports, exports, doubtful }]) => {
      const set = totals(imports, exports);
      const flags: TelegramFlag[] = doubtful ? [...set.flags, "status_doubtful"] : [...set.flags];
      const identification = record.meterSerial ?? record.gatewaySerial;
      return telegramOf("ocmf", { ...set, flags, timeS, identification });
    });
}

function registerOf({ obis, value, unit }: OcmfReading) {
  const match = obis === null ? null : OBIS.exec(obis);
  if (match === null || value === null) return null;
  const [, code = "", tariff = "", storage] = match;
  const isImport = IMPORT_CODES.includes(code.toUpperCase());
  if (!isImport && !EXPORT_CODES.includes(code.toUpperCase())) return null;
  if (!TOTAL_CODES.includes(storage) || (unit !== "kWh" && unit !== "Wh")) return null;
  return {
    direction: isImport ? ("imports" as const) : ("exports" as const),
    tariff: /^[eE]$/.test(tariff) ? 0 : Number.parseInt(tariff, 10),
    value: shiftDecimal(value, unit === "kWh" ? 3 : 0),
  };
}
