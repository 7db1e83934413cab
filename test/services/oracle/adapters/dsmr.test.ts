/**
 * Method: the 13 captured telegrams against their index (checksums) and against registers read off
 * by eye; every single bit flip of a checksummed one; streams in any pieces, with garbage between.
 */
import { expect, test } from "vitest";
import { crc16Arc, crc16X25 } from "../../../../services/oracle/adapters/crc16.ts";
import { readDsmr, scanDsmr } from "../../../../services/oracle/adapters/dsmr.ts";
import { Framer } from "../../../../services/oracle/adapters/framing.ts";
import { ADAPTER_SETTINGS } from "../../../../services/oracle/adapters/telegram.ts";
import { concatBytes, utf8 } from "../../../../services/primitives/bytes.ts";
import { bitFlips, capture, captureJson, hasCaptures, outcome, pieces } from "./captures.ts";

const read = (bytes: Uint8Array) => readDsmr(bytes, ADAPTER_SETTINGS);
const at = (text: string) => Date.parse(text) / 1000;
const text = (telegram: string) => utf8(telegram.replaceAll("\n", "\r\n"));

/** File name without prefix: identification, time, import, export, resolution, flags. */
const TELEGRAMS: Readonly<Record<string, readonly unknown[]>> = {
  V2_2: ["00000000000000", null, 2002, 2002, 1, "tariffs_summed"],
  V3: ["K8EG004046395507", null, 24_691_356, 24_691_356, 1, "tariffs_summed"],
  V4_2: [
    ...["3960221976967177082151037881335713", at("2016-11-13T20:57:57+01:00")],
    ...[3_016_829, 0, 1, "tariffs_summed"],
  ],
  V5: ["K8EG004046395507", at("2017-01-02T19:20:02+01:00"), 6825, 2444, 1, "tariffs_summed"],
  V5_TWO_MBUS: [
    ...["E0044007382246019", at("2020-04-26T22:33:25+02:00")],
    ...[2_375_582, 0, 1, "tariffs_summed"],
  ],
  UNPADDED_CRC: ["ADC3100000158491", at("2026-02-15T20:05:23+01:00"), null, null, 1, ""],
  FLUVIUS_V171: [
    ...["1SAG3101021605", at("2020-05-12T13:54:09+02:00"), 15_792, 11, 1, "tariffs_summed"],
  ],
  FLUVIUS_V171_ALT: [
    ...["1SAG3100721326", at("2023-11-02T12:15:48+01:00")],
    ...[571_562, 5, 1, "tariffs_summed"],
  ],
  ESY5Q3DB1024_V304: ["1ESY1313002565", null, 52_185_782, 19_949_322, 1, "truncated"],
  ESY5Q3DA1004_V304: ["1ESY1336001560", null, 32_549_506, null, 1, "truncated"],
  SAGEMCOM_T210_D_R: [null, at("2022-10-06T15:50:14+02:00"), 6_545_766, 58, 1, ""],
  ISKRA_IE: ["09610", at("2023-02-02T13:27:47+02:00"), 20_363, 20_563, 1, "tariffs_summed"],
  V5_EON_HU: ["890082200002160", at("2023-07-24T15:07:30+02:00"), 173_640, 627_177, 1, ""],
};

test("check values of the two checksums", () => {
  expect(crc16Arc(utf8("123456789"))).toBe(0xbb3d);
  expect(crc16X25(utf8("123456789"))).toBe(0x906e);
});

test.skipIf(!hasCaptures)("all captured telegrams read as recorded", () => {
  type Row = { name: string; bytes: number; crc16Computed: string; crcOk: boolean | null };
  const rows = captureJson<Row[]>("dsmr-p1/index.json");
  expect(rows).toHaveLength(13);
  for (const { name, bytes, crcOk, crc16Computed } of rows) {
    const telegram = capture(`dsmr-p1/${name}.txt`);
    expect(new TextDecoder().decode(telegram)).toHaveLength(bytes);
    const bang = Buffer.from(telegram).indexOf("\n!") + 2;
    expect(crc16Arc(telegram.subarray(0, bang)), name).toBe(Number.parseInt(crc16Computed, 16));
    expect(crcOk, name).not.toBe(false);
    const found = read(telegram);
    const { identification, timeS, importWh, exportWh, resolutionWh, flags } = found;
    expect([identification, timeS, importWh, exportWh, resolutionWh, flags.join()], name).toEqual(
      TELEGRAMS[name.replace("TELEGRAM_", "")],
    );
  }
});

test.skipIf(!hasCaptures)("each single bit flip of a checksummed telegram is refused", () => {
  let flips = 0;
  for (const name of ["V4_2", "V5", "UNPADDED_CRC", "FLUVIUS_V171"]) {
    const telegram = capture(`dsmr-p1/TELEGRAM_${name}.txt`);
    const end = Buffer.from(telegram).lastIndexOf("!") + 1 + (name === "UNPADDED_CRC" ? 3 : 4);
    const whole = read(telegram);
    for (const flipped of bitFlips(telegram.subarray(0, end))) {
      const found = outcome(() => read(concatBytes([flipped, utf8("\r\n")])));
      if (typeof found !== "string") expect(found, "only what changes nothing").not.toEqual(whole);
      expect(typeof found, name).toBe("string");
      flips++;
    }
  }
  expect(flips).toBe(24_368);
});

test.each([
  ["no start", "x\n!\n", "malformed"],
  ["no end", "/A\n\n1-0:1.8.0(1*Wh)\n", "incomplete"],
  [
    "a version without checksum",
    "/A\n\n1-3:0.2.8(50)\n1-0:1.8.0(000001.000*kWh)\n!\n",
    "checksum_invalid",
  ],
  ["a wrong checksum", "/A\n\n1-0:1.8.0(1*Wh)\n!0000\n", "checksum_invalid"],
  ["no checksum after the mark", "/A\n\n1-0:1.8.0(1*Wh)\n!zz\n", "malformed"],
  ["a register without unit", "/A\n\n1-0:1.8.0(000001.000)\n!\n", "register_invalid"],
  ["a register twice", "/A\n\n1-0:1.8.0(1*Wh)\n1-0:1.8.0(2*Wh)\n!\n", "malformed"],
  ["a register beyond every meter", "/A\n\n1-0:1.8.0(999999999999*kWh)\n!\n", "register_invalid"],
  ["too many bytes", `/A\n${"1-0:0.0.0(0)\n".repeat(1400)}!\n`, "oversized"],
])("%s is refused", (_, telegram, reason) => {
  expect(outcome(() => read(text(telegram)))).toBe(reason);
});

test.each([
  ["winter", "261025023000W", "2026-10-25T02:30:00+01:00"],
  ["summer, the same hour once more", "261025023000S", "2026-10-25T02:30:00+02:00"],
  ["leap day", "240229000000W", "2024-02-29T00:00:00+01:00"],
])("time: %s", (_, stamp, expected) => {
  const telegram = read(text(`/A\n\n0-0:1.0.0(${stamp})\n1-0:1.8.0(1*Wh)\n!\n`));
  expect(telegram).toMatchObject({ timeS: at(expected), flags: [] });
});

test.each(["700101010000W", "230229000000W", "231301000000W", "2310010000", "231001250000S"])(
  "a time that is none is told, not guessed: %s",
  (stamp) => {
    const telegram = read(text(`/A\n\n0-0:1.0.0(${stamp})\n1-0:1.8.0(1*Wh)\n!\n`));
    expect(telegram).toMatchObject({ timeS: null, importWh: 1, flags: ["time_unusable"] });
  },
);

test.skipIf(!hasCaptures)(
  "a stream gives the same telegrams in any pieces, garbage between",
  () => {
    const names = captureJson<{ name: string }[]>("dsmr-p1/index.json").map(({ name }) => name);
    const whole = names.map((name) => capture(`dsmr-p1/${name}.txt`));
    // A telegram cut off by the next one, and noise without a start mark.
    const cut = whole[3]!.subarray(0, 500);
    const noise = utf8("\r\n\u0000garbage!1234\r\n");
    const stream = concatBytes([noise, ...whole.flatMap((one) => [one, noise]), cut, ...whole]);
    for (let seed = 1; seed <= 20; seed++) {
      const framer = new Framer(scanDsmr);
      const frames = [...pieces(stream, seed)].flatMap((piece) => framer.push(piece).frames);
      expect(frames.map((frame) => outcome(() => read(frame)))).toEqual(
        [...whole, ...whole].map((telegram) => outcome(() => read(telegram))),
      );
    }
  },
);
