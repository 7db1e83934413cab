/** Method: worked rows, then the laws: total order, round trips, agreement with Node's Buffer. */
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  bytesEqual,
  compareBytes,
  concatBytes,
  fromHex,
  fromUtf8,
  toHex,
  toHex0x,
  uintBytes,
  utf8,
} from "../../../services/primitives/bytes.ts";
import { GridError } from "../../../services/primitives/errors.ts";

const bytes = fc.uint8Array({ maxLength: 40 });

test.each([
  ["", []],
  ["00", [0]],
  ["00ff", [0, 255]],
  ["0x00Ff", [0, 255]],
  ["0x", []],
])("fromHex(%j)", (text, expected) => {
  expect([...fromHex(text)]).toEqual(expected);
});

test.each(["0", "0x0", "0g", "-1", " 00", "00 ", "0x0x00", "0X00", "1.", "\u0660\u0660"])(
  "fromHex(%j) is refused",
  (text) => {
    expect(() => fromHex(text)).toThrow(GridError);
    expect(() => fromHex(text)).toThrow(expect.objectContaining({ code: "bytes_malformed" }));
  },
);

test.each([
  [0, 1, "00"],
  [255, 1, "ff"],
  [256, 2, "0100"],
  [1, 4, "00000001"],
  [2 ** 32 - 1, 4, "ffffffff"],
  [2 ** 48 - 1, 6, "ffffffffffff"],
  [Number.MAX_SAFE_INTEGER, 8, "001fffffffffffff"],
])("uintBytes(%i, %i)", (value, width, hex) => {
  expect(toHex(uintBytes(value, width))).toBe(hex);
});

test.each([
  [256, 1],
  [-1, 4],
  [0.5, 4],
  [Number.NaN, 4],
  [2 ** 53, 8],
  [1, 0],
])("uintBytes(%d, %i) breaks an invariant", (value, width) => {
  expect(() => uintBytes(value, width)).toThrow();
});

test.each([
  ["", "", 0],
  ["", "00", -1],
  ["00", "0000", -1],
  ["01", "0000", 1],
  ["7f", "80", -1],
  ["ff", "00ff", 1],
])("compareBytes(%j, %j) has the sign %i", (a, b, sign) => {
  expect(Math.sign(compareBytes(fromHex(a), fromHex(b)))).toBe(sign);
});

test("text: well-formed UTF-8 in, and nothing else out", () => {
  expect(toHex(utf8("Zähler ⚡"))).toBe("5ac3a4686c657220e29aa1");
  expect(fromUtf8(fromHex("efbbbf61"))).toBe("\ufeffa"); // a byte order mark is text like any other
  for (const hex of ["80", "c0af", "eda080", "f4908080", "e282"]) {
    expect(() => fromUtf8(fromHex(hex))).toThrow(TypeError);
  }
});

test("hexadecimal, concatenation and order agree with Buffer", () => {
  fc.assert(
    fc.property(bytes, bytes, bytes, (a, b, c) => {
      expect(toHex(a)).toBe(Buffer.from(a).toString("hex"));
      expect(toHex0x(a)).toBe(`0x${toHex(a)}`);
      expect(fromHex(toHex(a))).toEqual(a);
      expect(fromHex(toHex(a).toUpperCase())).toEqual(a);
      expect(concatBytes([a, b, c])).toEqual(new Uint8Array(Buffer.concat([a, b, c])));
      expect(Math.sign(compareBytes(a, b))).toBe(Buffer.compare(a, b));
      expect(bytesEqual(a, b)).toBe(Buffer.compare(a, b) === 0);
      expect(bytesEqual(a, a.slice())).toBe(true);
    }),
  );
});

test("concatBytes gives memory of its own", () => {
  const part = Uint8Array.of(1);
  concatBytes([part])[0] = 9;
  expect(part[0]).toBe(1);
});
