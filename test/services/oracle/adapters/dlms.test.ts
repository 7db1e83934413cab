/**
 * Method: the HAN captures against their index (checksum, all OBIS values), refusals with their
 * reasons, single bit flips, frames out of a stream, and dates with and without deviation.
 */
import { expect, test } from "vitest";
import { crc16X25 } from "../../../../services/oracle/adapters/crc16.ts";
import {
  type DlmsEntry,
  readDlms,
  readNotification,
} from "../../../../services/oracle/adapters/dlms.ts";
import { readDsmr, scanDsmr } from "../../../../services/oracle/adapters/dsmr.ts";
import { Framer } from "../../../../services/oracle/adapters/framing.ts";
import { scanDlms } from "../../../../services/oracle/adapters/hdlc.ts";
import { concatBytes, fromHex, toHex } from "../../../../services/primitives/bytes.ts";
import { bitFlips, captureJson, hasCaptures, outcome, pieces } from "./captures.ts";

type Frame = {
  name: string;
  hex: string;
  hdlcFcsOk?: boolean;
  decoded?: (readonly [string, string | number, string?])[];
};
const frames = new Map(
  (hasCaptures ? captureJson<Frame[]>("dlms-han/frames.json") : []).map((one) => [one.name, one]),
);
const frame = (name: string) => fromHex(frames.get(name)!.hex);
const read = (bytes: Uint8Array) => readDlms(bytes, { utcOffsetS: 3600 });
const at = (text: string) => Date.parse(text) / 1000;

/** IEC 62056-6-2, as far as the captures need it. */
const UNITS: Readonly<Record<number, string>> = {
  ...{ 27: "W", 29: "var", 30: "Wh", 32: "varh", 33: "A", 35: "V" },
};

function plain({ obis: [a, b, c, d, e], value, scaler, unit }: DlmsEntry) {
  const code = `${a}-${b}:${c}.${d}.${e}`;
  if (value instanceof Uint8Array) return [code, toHex(value)];
  return [code, Number(`${value}e${scaler}`), UNITS[unit!]];
}

test.skipIf(!hasCaptures)("the two good HDLC captures decode to every recorded value", () => {
  let values = 0;
  for (const { name, hdlcFcsOk, decoded } of frames.values()) {
    if (hdlcFcsOk !== true) continue;
    const found = readNotification(frame(name)).entries.map(plain);
    expect(found, name).toEqual(decoded);
    values += found.length;
  }
  expect(values).toBe(54);
});

test.skipIf(!hasCaptures).each([
  ["aidon_test_buffer", "2021-12-10T16:57:00+01:00", 63_068_772, 0],
  ["correct_aidon_frame", "2025-04-17T08:57:10+01:00", 27_878, 0],
  ["decoded_dlsm_cosem_data", "2021-09-27T09:47:15+02:00", 12_937, 0],
])("registers of %s", (name, time, importWh, exportWh) => {
  expect(read(frame(name))).toMatchObject({ timeS: at(time), importWh, exportWh, resolutionWh: 1 });
});

test.skipIf(!hasCaptures).each([
  ["faulty_aidon_frame", "malformed"],
  ["faulty_aidon_frame_2", "malformed"],
  ["hdlc_small_frame", "malformed"],
  ["hdlc_empty_frame", "incomplete"],
  ["mbus_frame", "malformed"], // the first of two, and more behind its end
  ["mbus_energy_frame", "unsupported"], // a water meter's
  ["mbus_with_decoded_german_dlsm_cosem_data", "malformed"],
  ["ascii_frame_single", "unsupported"],
])("%s is refused", (name, reason) => {
  expect(outcome(() => read(frame(name)))).toBe(reason);
});

test.skipIf(!hasCaptures)("an encrypted M-Bus frame says so, another protocol too", () => {
  const [encrypted] = new Framer(scanDlms).push(frame("mbus_frame")).frames;
  expect(outcome(() => read(encrypted!))).toBe("encrypted");
});

test.skipIf(!hasCaptures)("each single bit flip of a frame is refused", () => {
  for (const flipped of bitFlips(frame("aidon_test_buffer"))) {
    expect(typeof outcome(() => read(flipped))).toBe("string");
  }
});

test.skipIf(!hasCaptures)("a good checksum over a wrong length of the header is refused", () => {
  const body = frame("aidon_test_buffer").slice(1, -3);
  body[7]! ^= 1; // a bit of the header's own checksum
  const fcs = crc16X25(body);
  const whole = concatBytes([Uint8Array.of(0x7e), body, Uint8Array.of(fcs & 255, fcs >> 8, 0x7e)]);
  expect(outcome(() => read(whole))).toBe("checksum_invalid");
});

test.skipIf(!hasCaptures)("without a zone a local time is told, not guessed", () => {
  const telegram = readDlms(frame("aidon_test_buffer"), { utcOffsetS: null });
  expect(telegram).toMatchObject({ timeS: null, importWh: 63_068_772, flags: ["time_unusable"] });
});

test.skipIf(!hasCaptures)(
  "a stream gives the good frames in any pieces, whatever is between",
  () => {
    const good = ["aidon_test_buffer", "correct_aidon_frame"].map(frame);
    const names = [
      "faulty_aidon_frame",
      "hdlc_small_frame",
      "mbus_energy_frame",
      "hdlc_empty_frame",
    ];
    const bad = names.map(frame);
    const stream = concatBytes([bad[0]!, good[0]!, bad[1]!, bad[2]!, bad[3]!, good[1]!, good[0]!]);
    for (let seed = 1; seed <= 20; seed++) {
      const framer = new Framer(scanDlms);
      const found = [...pieces(stream, seed)].flatMap((piece) => framer.push(piece).frames);
      const texts = found
        .map((one) => outcome(() => read(one)))
        .filter((one) => typeof one !== "string");
      expect(texts).toEqual([good[0]!, good[1]!, good[0]!].map(read));
    }
  },
);

test.skipIf(!hasCaptures)("the P1 text frames of the same collection read as P1", () => {
  const stream = concatBytes([frame("ascii_frame_multi"), frame("ascii_frame_single")]);
  const found = new Framer(scanDsmr).push(concatBytes([stream, Uint8Array.of(13, 10)])).frames;
  expect(found.map((one) => readDsmr(one, { utcOffsetS: null }))).toMatchObject([
    { timeS: at("2025-04-27T13:22:20+01:00"), importWh: 13_139_107, exportWh: 0 },
    { timeS: at("2025-04-27T16:08:40+01:00"), importWh: 13_139_968, exportWh: 0 },
  ]);
});
