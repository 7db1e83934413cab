/**
 * Method: the 37 captures against their index: frames, checksums and every value of the first list;
 * bit flips of a frame; frames out of any pieces. The index was made by another decoder, and agrees
 * with libsml's printed values.
 */
import { expect, test } from "vitest";
import { Framer } from "../../../../services/oracle/adapters/framing.ts";
import {
  readSml,
  readSmlLists,
  type SmlEntry,
  scanSml,
} from "../../../../services/oracle/adapters/sml.ts";
import { concatBytes, fromHex, toHex } from "../../../../services/primitives/bytes.ts";
import { bitFlips, capture, captureJson, hasCaptures, outcome, pieces } from "./captures.ts";

type Value = { obis: string; unit: string | number | null; scaler: number; raw: string | number };
type Row = {
  file: string;
  completeMessages: number;
  crcX25Ok: number;
  firstMessageList: Value[] | null;
};
const rows = hasCaptures ? captureJson<Row[]>("sml/index.json") : [];
const framesOf = (bytes: Uint8Array) => new Framer(scanSml).push(bytes).frames;

function obisText([a, b, c, d, e, f]: Uint8Array): string {
  return `${a}-${b}:${c}.${d}.${e}*${f}`;
}

function plain({ obis, unit, scaler, value }: SmlEntry) {
  const raw =
    value instanceof Uint8Array ? toHex(value) : typeof value === "bigint" ? Number(value) : value;
  return { obis: obisText(obis), isWh: unit === 30, scaler, raw };
}

test.skipIf(!hasCaptures)("37 captures: frames, checksums and first lists as recorded", () => {
  const sums = { files: 0, frames: 0, read: 0 };
  for (const { file, completeMessages, crcX25Ok, firstMessageList } of rows) {
    const frames = framesOf(capture(`sml/${file}`));
    const outcomes = frames.map((frame) => outcome(() => readSmlLists(frame)));
    const good = outcomes.filter((one) => typeof one !== "string");
    expect({ file, frames: frames.length, read: good.length }).toEqual({
      ...{ file, frames: completeMessages, read: crcX25Ok },
    });
    for (const bad of outcomes) if (typeof bad === "string") expect(bad).toBe("checksum_invalid");
    sums.files++;
    sums.frames += frames.length;
    sums.read += good.length;
    if (firstMessageList === null) continue;
    const [first] = good[0]!.filter(({ entries }) => entries.length > 0);
    expect(first!.entries.map(plain), file).toEqual(
      firstMessageList.map(({ obis, unit, scaler, raw }) => {
        return { obis, isWh: unit === "Wh", scaler, raw };
      }),
    );
  }
  expect(sums).toEqual({ files: 37, frames: 232, read: 227 });
});

test.skipIf(!hasCaptures).each([
  ["DZG_DVS-7412.2_jmberg", 5_430_157, 26_244_572, 1, "truncated"],
  ["EMH_eHZ-GW8E2A500AK2", 14_800_125, null, 1, "tariffs_summed,truncated"],
  ["ITRON_OpenWay-3.HZ_with_PIN", 25_892_776, null, 1, "truncated"],
  ["ITRON_OpenWay-3.HZ_without_PIN", 25_688_000, null, 1000, ""],
  ["ISKRA_MT631-D1A52-K0z-H01_without_PIN", 2_043_000, 0, 1000, ""],
  ["DrNeuhaus_SMARTY_ix-130", null, 4373, 1, ""],
  ["EasyMeter_Q3A_A1064V1009", 2_941_646, 110_073, 1, "truncated"],
])("registers of %s", (file, importWh, exportWh, resolutionWh, flags) => {
  const first = framesOf(capture(`sml/${file}.bin`)).find((frame) => {
    return typeof outcome(() => readSml(frame)) !== "string";
  });
  const { flags: found, ...telegram } = readSml(first!);
  expect(telegram).toMatchObject({ importWh, exportWh, resolutionWh });
  expect(found.join()).toBe(flags);
});

test.skipIf(!hasCaptures)("each single bit flip of a frame is refused", () => {
  for (const file of ["EMH_eHZ361L5R.bin", "ITRON_OpenWay-3.HZ.bin"]) {
    const [frame] = framesOf(capture(`sml/${file}`));
    for (const flipped of bitFlips(frame!))
      expect(typeof outcome(() => readSml(flipped))).toBe("string");
  }
});

test.skipIf(!hasCaptures)("a stream gives the same frames in any pieces", () => {
  const stream = concatBytes(rows.slice(0, 8).map(({ file }) => capture(`sml/${file}`)));
  const whole = framesOf(stream).map(toHex);
  for (let seed = 1; seed <= 10; seed++) {
    const framer = new Framer(scanSml);
    const frames = [...pieces(stream, seed)].flatMap((piece) => framer.push(piece).frames);
    expect(frames.map(toHex)).toEqual(whole);
  }
});

test("an escape inside is undone, a value may end in its first byte", () => {
  // A list of one octet string of eight 1b, escaped; then padding of none.
  const inner = "1b1b1b1b1b1b1b1b";
  const body = `1b1b1b1b01010101${inner}1b1b1b1b1a00`;
  const [frame] = framesOf(fromHex(`00001b${body}ffff`));
  expect(toHex(frame!)).toBe(`${body}ffff`);
});
