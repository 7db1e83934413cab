/**
 * Method: a table of columns with their bytes by hand; there and back for any column; every other
 * byte string is refused, or is the one form of what it reads as.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { fromHex, toHex } from "../../../services/primitives/bytes.ts";
import { GridError } from "../../../services/primitives/errors.ts";
import { columnNumbers, encodeColumn, readColumn } from "../../../services/wire/integer-column.ts";

const read = (bytes: Uint8Array, count: number, kind: "number" | "bigint" = "number") =>
  readColumn(bytes, 0, { what: "column", count, kind });

test.each([
  [[], ""],
  [[0], "1100"],
  [[7, 7, 7], "1107"],
  [[-1, -1], "11ff"],
  [[127, -128], "017f80"],
  [[128, 0], "0280000000"],
  [[-129, 1], "027fff0100"],
  [[32_768, 0], "040080000000000000"],
  [[2_147_483_648, 0], "0800000080000000000000000000000000"],
  [[-2_147_483_649], "18ffffff7fffffffff"],
  [[Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER], "08ffffffffffff1f00010000000000e0ff"],
])("%j is %s", (values, hex) => {
  expect(toHex(encodeColumn(values, values.length))).toBe(hex);
  const column = read(fromHex(hex), values.length);
  expect([...columnNumbers(column)]).toEqual(values);
  expect(values.map((_, i) => column.bigintAt(i))).toEqual(values.map(BigInt));
});

const anyNumbers = fc
  .tuple(fc.constantFrom(3, 7, 8, 15, 16, 31, 32, 53), fc.nat())
  .chain(([bits]) =>
    fc.array(
      fc.integer({ min: -(2 ** (bits - 1)), max: 2 ** (bits - 1) }).map((n) => n),
      { maxLength: 9 },
    ),
  );

test("any numbers come back, and as words", () => {
  fc.assert(
    fc.property(anyNumbers, (values) => {
      const column = read(encodeColumn(values, values.length), values.length);
      expect([...columnNumbers(column)]).toEqual(values.map((value) => value + 0));
      const words = new Int32Array(3 * values.length);
      column.writeWords(words, { from: 0, to: values.length }, { start: 1, stride: 3 });
      const view = new DataView(new ArrayBuffer(8));
      values.forEach((value, i) => {
        view.setInt32(0, words[3 * i + 1]!, true);
        view.setInt32(4, words[3 * i + 2]!, true);
        expect(view.getBigInt64(0, true)).toBe(BigInt(value));
        expect(words[3 * i]).toBe(0);
      });
    }),
  );
});

test("any 64-bit integers come back, and safe ones are the same bytes as numbers", () => {
  const wide = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
  const some = fc.oneof(wide, fc.maxSafeInteger().map(BigInt), fc.integer().map(BigInt));
  fc.assert(
    fc.property(fc.array(some, { maxLength: 6 }), (values) => {
      const bytes = encodeColumn(BigInt64Array.from(values), values.length);
      const column = read(bytes, values.length, "bigint");
      expect(values.map((_, i) => column.bigintAt(i))).toEqual(values);
      if (!values.every((value) => Number.isSafeInteger(Number(value)))) return;
      expect(encodeColumn(values.map(Number), values.length)).toEqual(bytes);
    }),
  );
});

test.each([
  ["an unknown code", "0300", 1],
  ["a code without a width", "1000", 1],
  ["an end too early", "0100", 2],
  ["one value, repeated", "010505", 2],
  ["one value, alone in a wide column", "0105", 1],
  ["a width too large", "0205000600", 2],
  ["a uniform value too wide", "120500", 3],
  ["beyond 2^53 - 1", `08${"ff".repeat(7)}7f${"00".repeat(8)}`, 2],
  ["no bytes", "", 1],
])("refused: %s", (_, hex, count) => {
  expect(() => read(fromHex(hex), count)).toThrow(GridError);
});

test("bytes that are read are the one form of their column", () => {
  const anyBytes = fc.oneof(
    fc.uint8Array({ maxLength: 40 }),
    fc
      .tuple(fc.constantFrom(1, 2, 4, 8, 17, 18, 20, 24), fc.uint8Array({ maxLength: 40 }))
      .map(([code, rest]) => Uint8Array.of(code, ...rest)),
  );
  fc.assert(
    fc.property(anyBytes, fc.integer({ min: 1, max: 5 }), (bytes, count) => {
      try {
        const column = read(bytes, count, "bigint");
        const values = Array.from({ length: count }, (_, i) => column.bigintAt(i));
        expect(encodeColumn(BigInt64Array.from(values), count)).toEqual(column.bytes.slice());
      } catch (failure) {
        expect(failure).toBeInstanceOf(GridError);
      }
    }),
  );
});
