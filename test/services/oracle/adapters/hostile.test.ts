/**
 * Method: random and mutated bytes into every adapter and framer: each ends with a telegram or a
 * coded refusal, never with another error, within bounded memory; the edges of the size limits.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { ADAPTERS, STREAM_FORMATS } from "../../../../services/oracle/adapters/adapters.ts";
import { Framer } from "../../../../services/oracle/adapters/framing.ts";
import { ADAPTER_SETTINGS } from "../../../../services/oracle/adapters/telegram.ts";
import { concatBytes, fromHex, utf8 } from "../../../../services/primitives/bytes.ts";
import { REGISTER_WH_MAX, TELEGRAM_BYTES_MAX } from "../../../../services/primitives/limits.ts";
import { capture, captureJson, hasCaptures, outcome } from "./captures.ts";

const SETTINGS = { ...ADAPTER_SETTINGS, utcOffsetS: 3600, importField: "a", exportField: "" };

/** Whole frames of each format to mutate. */
const seeds: Record<string, Uint8Array[]> = {
  dsmr: [utf8("/A\r\n\r\n0-0:1.0.0(200512135409S)\r\n1-0:1.8.0(000001.5*kWh)\r\n!\r\n")],
  sml: [],
  dlms: [],
  tasmota: [utf8('{"Time":"2026-01-01T00:00:00","ENERGY":{"Total":[1.5,2]}}')],
  shelly: [utf8('{"params":{"ts":1.5,"emdata:0":{"total_act":1.5,"total_act_ret":2}}}')],
  aiida: [utf8('{"1-0:1.8.0":{"value":5,"time":1697623015},"EAST":{"raw":"1"},"ADSC":{}}')],
  "home-assistant": [utf8('{"a":"1.5","time":"2026-01-01T00:00:00Z"}'), utf8("unavailable")],
  openems: [
    utf8('{"method":"resendData","params":{"1700000000000":{"_sum/GridBuyActiveEnergy":1}}}'),
  ],
};
if (hasCaptures) {
  seeds.dsmr!.push(capture("dsmr-p1/TELEGRAM_V5.txt"), capture("dsmr-p1/TELEGRAM_V5_EON_HU.txt"));
  const files = ["EMH_eHZ361L5R.bin", "HOLLEY_DTZ541-ZDBA.bin"];
  for (const file of files) {
    seeds.sml!.push(...new Framer(ADAPTERS.sml.scan).push(capture(`sml/${file}`)).frames);
  }
  for (const { hex } of captureJson<{ hex: string }[]>("dlms-han/frames.json")) {
    seeds.dlms!.push(fromHex(hex));
  }
}

const anyBytes = fc.uint8Array({ maxLength: 300 });
const mutation = fc.record({
  seed: fc.nat(),
  at: fc.double({ min: 0, max: 1, noNaN: true }),
  cut: fc.nat({ max: 8 }),
  insert: fc.uint8Array({ maxLength: 8 }),
});

test.each(STREAM_FORMATS)("%s: whatever comes, a telegram or a coded refusal", (format) => {
  const { read } = ADAPTERS[format];
  const known = seeds[format]!;
  const mutated = mutation.map(({ seed, at, cut, insert }) => {
    const whole = known[seed % Math.max(known.length, 1)] ?? new Uint8Array(0);
    const start = Math.floor(at * whole.length);
    return concatBytes([whole.subarray(0, start), insert, whole.subarray(start + cut)]);
  });
  fc.assert(
    fc.property(fc.oneof(anyBytes, mutated), (bytes) => {
      const found = outcome(() => read(bytes, SETTINGS));
      if (typeof found === "string") return;
      for (const { importWh, exportWh, timeS } of found) {
        for (const register of [importWh, exportWh]) {
          if (register === null) continue;
          expect(Number.isSafeInteger(register)).toBe(true);
          expect(register >= 0 && register <= REGISTER_WH_MAX).toBe(true);
        }
        expect(timeS === null || Number.isSafeInteger(timeS)).toBe(true);
      }
    }),
    { numRuns: 1500 },
  );
});

test("SML and DLMS: nesting and lengths that lie end in a refusal", () => {
  const wrap = (body: Uint8Array) => concatBytes([Uint8Array.of(0x0f, 0, 0, 0, 0, 0), body]);
  const deep = wrap(new Uint8Array(4000).fill(1)); // an array of one array of one array ...
  expect(outcome(() => ADAPTERS.dlms.read(deep, SETTINGS))).toBe("oversized");
  const long = wrap(Uint8Array.of(9, 0x82, 0xff, 0xff));
  expect(outcome(() => ADAPTERS.dlms.read(long, SETTINGS))).toBe("malformed");
  const many = wrap(concatBytes([Uint8Array.of(1, 0x82, 0xff, 0xff), new Uint8Array(5000)]));
  expect(outcome(() => ADAPTERS.dlms.read(many, SETTINGS))).toBe("oversized");
});

test.each(STREAM_FORMATS)("%s: a stream never holds more than TELEGRAM_BYTES_MAX", (format) => {
  const start: Record<string, Uint8Array> = {
    ...{ dsmr: utf8("/"), sml: fromHex("1b1b1b1b01010101"), dlms: fromHex("7ea7ff") },
  };
  const framer = new Framer(ADAPTERS[format].scan);
  const opening = start[format] ?? utf8("{");
  const filler = new Uint8Array(1000).fill(0x31);
  let dropped = framer.push(opening).droppedBytes;
  for (let pushed = 0; pushed < 5 * TELEGRAM_BYTES_MAX; pushed += filler.length) {
    dropped += framer.push(filler).droppedBytes;
    expect(framer.waiting).toBeLessThanOrEqual(TELEGRAM_BYTES_MAX);
  }
  expect(dropped).toBeGreaterThan(3 * TELEGRAM_BYTES_MAX);
});

test("framers: any bytes in any pieces give the same frames as in one piece", () => {
  const marks = ["/", "\r\n!", "\n", "{", "}", "~", "h"].map(utf8);
  const more = ["1b1b1b1b01010101", "1b1b1b1b1a000000", "1b", "7ea00a"].map(fromHex);
  const part = fc.oneof(fc.constantFrom(...marks, ...more), fc.uint8Array({ maxLength: 12 }));
  fc.assert(
    fc.property(fc.array(part, { maxLength: 30 }), fc.array(fc.nat({ max: 20 })), (parts, cuts) => {
      const stream = concatBytes(parts);
      for (const format of STREAM_FORMATS) {
        const whole = new Framer(ADAPTERS[format].scan).push(stream);
        const framer = new Framer(ADAPTERS[format].scan);
        const frames: Uint8Array[] = [];
        let dropped = 0;
        let at = 0;
        for (const size of [...cuts, stream.length]) {
          const found = framer.push(stream.subarray(at, at + size));
          frames.push(...found.frames);
          dropped += found.droppedBytes;
          at = Math.min(at + size, stream.length);
        }
        expect(frames).toEqual(whole.frames);
        const kept = frames.reduce((sum, frame) => sum + frame.length, 0);
        expect(dropped + kept + framer.waiting, format).toBe(stream.length);
      }
    }),
    { numRuns: 500 },
  );
});
