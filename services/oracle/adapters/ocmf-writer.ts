/**
 * Writes OCMF strictly: one record per signed reading, in the fiscal context (F), since there is no
 * charging transaction; its page number is the reading's own sequence number. Registers are kWh
 * with as many decimals as the meter resolves. Extensions (Z): which signed record this is from,
 * and who had signed it.
 */
import { toHex } from "../../primitives/bytes.ts";
import { assert } from "../../primitives/errors.ts";
import type { MeterTrust } from "../../wire/genesis.ts";
import { type Reading, TIME_STATUS } from "../../wire/reading.ts";

export type OcmfSource = {
  readonly reading: Reading;
  readonly recordHash: Uint8Array; // 32 B, SHA-256 of the signed record's bytes
  readonly trust: MeterTrust;
  readonly networkId: string;
  readonly softwareVersion: string;
};

const TIME_LETTER: Readonly<Record<number, string>> = {
  [TIME_STATUS.unknown]: "U",
  [TIME_STATUS.informative]: "I",
  [TIME_STATUS.synchronised]: "S",
  [TIME_STATUS.relative]: "R",
};

/** The payload's text, to be signed in exactly these bytes. */
export function ocmfPayload(source: OcmfSource): string {
  const { reading, recordHash, trust, networkId, softwareVersion } = source;
  const { importWh, exportWh, resolution = 0 } = reading;
  const moment = `${isoUtc(reading.intervalEndS)} ${TIME_LETTER[reading.timeStatus] ?? "U"}`;
  // RV is written by hand: a number of JSON.stringify would lose its decimals.
  const row = (obis: string, energyWh: number) =>
    `{"TM":${JSON.stringify(moment)},"RV":${kwh(energyWh, resolution)},"RI":"${obis}",` +
    `"RU":"kWh","RT":"AC","EF":"","ST":"G"}`;
  const rows = [
    ...(importWh === null ? [] : [row("01-00:01.08.00*FF", importWh)]),
    ...(exportWh === null ? [] : [row("01-00:02.08.00*FF", exportWh)]),
  ];
  const head = JSON.stringify({
    ...{ FV: "1.4", GI: "gridlane", GS: networkId, GV: softwareVersion },
    ...{ PG: `F${reading.seq}`, MS: toHex(reading.deviceId), MF: toHex(reading.firmwareHash) },
    ...{ IS: false, IL: "NONE", IF: [], IT: "NONE", ID: "" },
    ...{ ZB: reading.boot, ZH: toHex(recordHash), ZT: trust },
  });
  const payload = `${head.slice(0, -1)},"RD":[${rows.join(",")}]}`;
  assert(!payload.includes("|"), "the separator cannot stand in a payload");
  return payload;
}

/** @param signature - DER, ECDSA with P-256 and SHA-256 over the payload's bytes */
export function ocmfRecord(payload: string, signature: Uint8Array): string {
  const tail = JSON.stringify({
    ...{ SA: "ECDSA-secp256r1-SHA256", SE: "hex", SM: "application/x-der", SD: toHex(signature) },
  });
  return `OCMF|${payload}|${tail}`;
}

function kwh(energyWh: number, resolution: number): string {
  const digits = String(energyWh).padStart(4, "0");
  const decimals = digits.slice(-3).slice(0, Math.max(0, 3 - resolution));
  return `${digits.slice(0, -3)}${decimals === "" ? "" : `.${decimals}`}`;
}

/** Days to civil date; source as in `civil-time.ts`. */
function isoUtc(timeS: number): string {
  const days = Math.floor(timeS / 86_400) + 719_468;
  const era = Math.floor(days / 146_097);
  const day = days - era * 146_097;
  const leaps = Math.floor(day / 1460) - Math.floor(day / 36_524) + Math.floor(day / 146_096);
  const year = Math.floor((day - leaps) / 365);
  const ofYear = day - (365 * year + Math.floor(year / 4) - Math.floor(year / 100));
  const month = Math.floor((5 * ofYear + 2) / 153); // from March
  const date = ofYear - Math.floor((153 * month + 2) / 5) + 1;
  const civil = month < 10 ? [era * 400 + year, month + 3] : [era * 400 + year + 1, month - 9];
  const two = (value: number) => String(value).padStart(2, "0");
  const rest = timeS % 86_400;
  const [hour, minute] = [Math.floor(rest / 3600), Math.floor((rest % 3600) / 60)];
  const clock = [hour, minute, rest % 60].map(two).join(":");
  return `${civil[0]}-${two(civil[1]!)}-${two(date)}T${clock},000+0000`;
}
