/**
 * Method: the examples of RFC 8949, Appendix A (those of our subset decode and encode, the rest is
 * refused); a list of forms that must fail; then properties, among them agreement with `cborg`, an
 * implementation by others: we accept exactly what it accepts, re-encodes to itself, and is ours.
 */
import * as cborg from "cborg";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { fromHex, toHex } from "../../../services/primitives/bytes.ts";
import { type CodecValue, decode, encode } from "../../../services/primitives/codec.ts";
import { GridError } from "../../../services/primitives/errors.ts";
import { CODEC_DEPTH_MAX } from "../../../services/primitives/limits.ts";

const APPENDIX_A: readonly [string, CodecValue][] = [
  ["00", 0],
  ["01", 1],
  ["0a", 10],
  ["17", 23],
  ["1818", 24],
  ["1819", 25],
  ["1864", 100],
  ["1903e8", 1000],
  ["1a000f4240", 1_000_000],
  ["1b000000e8d4a51000", 1_000_000_000_000],
  ["1bffffffffffffffff", 18_446_744_073_709_551_615n],
  ["3bffffffffffffffff", -18_446_744_073_709_551_616n],
  ["20", -1],
  ["29", -10],
  ["3863", -100],
  ["3903e7", -1000],
  ["f4", false],
  ["f5", true],
  ["f6", null],
  ["40", new Uint8Array()],
  ["4401020304", Uint8Array.of(1, 2, 3, 4)],
  ["60", ""],
  ["6161", "a"],
  ["6449455446", "IETF"],
  ["62225c", '"\\'],
  ["62c3bc", "\u00fc"],
  ["63e6b0b4", "\u6c34"],
  ["64f0908591", "\ud800\udd51"],
  ["80", []],
  ["83010203", [1, 2, 3]],
  ["8301820203820405", [1, [2, 3], [4, 5]]],
  [
    "98190102030405060708090a0b0c0d0e0f101112131415161718181819",
    Array.from({ length: 25 }, (_, i) => i + 1),
  ],
  ["a0", new Map()],
  [
    "a201020304",
    new Map([
      [1, 2],
      [3, 4],
    ]),
  ],
];

/** Ours, each worked out by hand from the RFC. */
const WORKED: readonly [string, CodecValue][] = [
  ["1a7fffffff", 2 ** 31 - 1],
  ["1a80000000", 2 ** 31],
  ["1affffffff", 2 ** 32 - 1],
  ["1b0000000100000000", 2 ** 32],
  ["1b001fffffffffffff", Number.MAX_SAFE_INTEGER],
  ["1b0020000000000000", 2n ** 53n],
  ["3b001ffffffffffffe", -Number.MAX_SAFE_INTEGER],
  ["3b001fffffffffffff", -(2n ** 53n)],
  ["18ff", 255],
  ["190100", 256],
  ["19ffff", 65_535],
  ["1a00010000", 65_536],
  ["d283010203", { tag: 18, value: [1, 2, 3] }],
];

describe("what the codec has a form for", () => {
  test.each(APPENDIX_A)("RFC 8949, Appendix A: %s", (hex, value) => {
    expect(decode(fromHex(hex))).toEqual(value);
    expect(toHex(encode(value))).toBe(hex);
  });
  test.each(WORKED)("worked: %s", (hex, value) => {
    expect(decode(fromHex(hex))).toEqual(value);
    expect(toHex(encode(value))).toBe(hex);
  });
  // Section 4.2.1: in the order of their encoded bytes, so 24 (1818) before -1 (20).
  test("map keys are sorted as encoded, whatever the order of insertion", () => {
    const keys = [-25, -1, 300, 24, 0, 23, -24, 70_000, -300];
    const sorted = [0, 23, 24, 300, 70_000, -1, -24, -25, -300];
    const bytes = encode(new Map(keys.map((key) => [key, 0])));
    expect(toHex(bytes)).toBe("a90000170018180019012c001a00011170002000370038180039012b00");
    expect([...(decode(bytes) as Map<number, number>).keys()]).toEqual(sorted);
  });
  test("a bigint that fits a number is encoded like the number", () => {
    expect(encode(5n)).toEqual(encode(5));
    expect(encode(-5n)).toEqual(encode(-5));
    expect(encode(2n ** 40n)).toEqual(encode(2 ** 40));
  });
});

const REFUSED: readonly [string, string, number?][] = [
  ["empty input", ""],
  ["2^64 as a bignum (tag 2)", "c249010000000000000000"],
  ["-2^64 - 1 as a bignum (tag 3)", "c349010000000000000000"],
  ...[
    "f90000 f98000 f93c00 fb3ff199999999999a f93e00 f97bff fa47c35000 fa7f7fffff f90001 f90400",
    "fb7e37e43c8800759c f9c400 fbc010666666666666 f97c00 f97e00 f9fc00 fa7f800000 fa7fc00000",
    "faff800000 fb7ff0000000000000 fb7ff8000000000000 fbfff0000000000000",
  ].flatMap((rows) => rows.split(" ").map((hex): [string, string] => ["float", hex])),
  ["undefined", "f7"],
  ["simple(16)", "f0"],
  ["simple(255)", "f8ff"],
  ["false in two bytes", "f814"],
  ["date text (tag 0)", "c074323031332d30332d32315432303a30343a30305a"],
  ["epoch (tag 1)", "c11a514b67b0"],
  ["epoch float (tag 1)", "c1fb41d452d9ec200000"],
  ["tag 23", "d74401020304"],
  ["encoded CBOR (tag 24)", "d818456449455446"],
  ["URI (tag 32)", "d82076687474703a2f2f7777772e6578616d706c652e636f6d"],
  ["COSE_Sign1 tag, not shortest", "d81283010203", 0],
  ["COSE_Sign (tag 98)", "d86280"],
  ["tag without content", "d2", 1],
  ["map with text keys", "a26161016162820203", 1],
  ["map with text keys in an array", "826161a161626163", 4],
  ["map with a bigint key", "a11bffffffffffffffff00", 1],
  ["map with a boolean key", "a1f500", 1],
  ["map with a byte string key", "a14000", 1],
  ["indefinite byte string", "5f42010243030405ff", 0],
  ["indefinite text", "7f657374726561646d696e67ff", 0],
  ["indefinite empty array", "9fff", 0],
  ["indefinite arrays", "9f018202039f0405ffff", 0],
  ["indefinite outer array", "9f01820203820405ff", 0],
  ["indefinite inner array", "83018202039f0405ff", 5],
  ["indefinite middle array", "83019f0203ff820405", 2],
  ["indefinite map", "bf61610161629f0203ffff", 0],
  ["indefinite map in an array", "826161bf61626163ff", 3],
  ["break alone", "ff", 0],
  ["0 in two bytes", "1800", 0],
  ["23 in two bytes", "1817", 0],
  ["255 in three bytes", "1900ff", 0],
  ["65535 in five bytes", "1a0000ffff", 0],
  ["2^32 - 1 in nine bytes", "1b00000000ffffffff", 0],
  ["-24 in two bytes", "3817", 0],
  ["byte string length, not shortest", "580101", 0],
  ["text length, not shortest", "780161", 0],
  ["array length, not shortest", "980101", 0],
  ["map length, not shortest", "b8010101", 0],
  ["reserved length 28", "1c", 0],
  ["reserved length 30", "9e", 0],
  ["trailing byte", "0000", 1],
  ["trailing value", "8101f6", 2],
  ["duplicate key", "a201020103", 3],
  ["duplicate negative key", "a220022003", 3],
  ["unsorted keys", "a203040102", 3],
  ["negative key before a positive", "a220020102", 3],
  ["unsorted negative keys", "a221022002", 3],
  ["truncated integer", "19ff"],
  ["truncated byte string", "420a"],
  ["truncated text", "62c3"],
  ["truncated array", "8201", 0],
  ["map without its last value", "a101", 2],
  ["4 GB byte string", "5affffffff", 0],
  ["4 GB text", "7affffffff", 0],
  ["4 G array", "9affffffff", 0],
  ["4 G map", "baffffffff", 0],
  ["2^64 - 1 byte string", "5bffffffffffffffff", 0],
  ["2^64 - 1 array", "9bffffffffffffffff", 0],
  ["2^53 map", "bb0020000000000000", 0],
  ["text: a lone continuation byte", "6180", 1],
  ["text: an overlong slash", "62c0af", 1],
  ["text: a surrogate", "63eda080", 1],
  ["text: beyond U+10FFFF", "64f4908080", 1],
];

function refusal(bytes: Uint8Array): GridError<"bytes_malformed"> | null {
  try {
    decode(bytes);
    return null;
  } catch (error) {
    expect(error).toBeInstanceOf(GridError);
    expect((error as GridError).code).toBe("bytes_malformed");
    return error as GridError<"bytes_malformed">;
  }
}

describe("what it refuses", () => {
  test.each(REFUSED)("%s: %s", (_name, hex, offset) => {
    const { facts } = refusal(fromHex(hex)) ?? {};
    expect(facts).toBeDefined();
    if (offset !== undefined) expect(facts?.offset).toBe(offset);
  });

  test("encode refuses what has no form", () => {
    for (const value of [0.5, Number.NaN, Infinity, 2 ** 53, 2n ** 64n, -(2n ** 64n) - 1n]) {
      expect(() => encode(value)).toThrow();
    }
    expect(() => encode(new Map([[0.5, 1]]))).toThrow("no floats");
    expect(() => encode({ tag: 19, value: 0 })).toThrow("COSE_Sign1");
  });

  test.each([
    ["arrays", "81", (inner: CodecValue) => [inner]],
    ["maps", "a100", (inner: CodecValue) => new Map([[0, inner]])],
    ["tags", "d2", (inner: CodecValue) => ({ tag: 18, value: inner })],
  ] as const)("nesting of %s up to CODEC_DEPTH_MAX", (_name, head, wrap) => {
    let value: CodecValue = 7;
    for (let depth = 0; depth < CODEC_DEPTH_MAX; depth++) value = wrap(value);
    const hex = `${head.repeat(CODEC_DEPTH_MAX)}07`;
    expect(toHex(encode(value))).toBe(hex);
    expect(decode(fromHex(hex))).toEqual(value);
    expect(() => encode(wrap(value))).toThrow("nested too deep");
    expect(refusal(fromHex(head + hex))?.facts.what).toBe("nested too deep");
    expect(refusal(fromHex(head.repeat(100_000)))?.facts.what).toBe("nested too deep");
  });
});

/** Any value the codec has a form for, as `decode` returns it, with or without the tag. */
function valuesOf(tags: "with tags" | "without tags"): fc.Arbitrary<CodecValue> {
  const integer = fc
    .oneof(
      fc.integer(),
      fc.maxSafeInteger(),
      fc.constantFrom(23, 24, 255, 256, 65_535, 65_536, 2 ** 32 - 1, 2 ** 32, -24, -25, -256, -257),
    )
    .map((n) => n + 0); // no -0
  const wide = fc
    .bigInt({ min: -(2n ** 64n), max: 2n ** 64n - 1n })
    .filter((n) => n > 2n ** 53n - 1n || n < -(2n ** 53n) + 1n);
  const bytes = fc.uint8Array({ maxLength: 40 });
  const text = fc.string({ unit: "grapheme", maxLength: 30 });
  const leaf = fc.oneof(integer, wide, bytes, text, fc.boolean(), fc.constant(null));
  return fc.letrec<{ value: CodecValue }>((tie) => {
    const inner = tie("value");
    const array = fc.array(inner, { maxLength: 5 });
    const map = fc
      .uniqueArray(fc.tuple(integer, inner), { maxLength: 5, selector: ([key]) => key })
      .map((entries) => new Map(entries));
    const tagged = inner.map((value) => ({ tag: 18, value }));
    const nested: fc.Arbitrary<CodecValue>[] = [array, map];
    if (tags === "with tags") nested.push(tagged);
    return { value: fc.oneof({ maxDepth: 4 }, leaf, ...nested) };
  }).value;
}

/** Bytes near the codec's language: encodings, whole, changed or cut; and plain noise. */
const hostile = fc.oneof(
  fc.uint8Array({ maxLength: 24 }),
  valuesOf("without tags").map(encode),
  fc
    .tuple(
      valuesOf("with tags"),
      fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { maxLength: 3 }),
      fc.nat({ max: 3 }),
    )
    .map(([value, changes, cut]) => {
      const bytes = encode(value);
      for (const [at, byte] of changes) bytes[at % bytes.length] = byte;
      return bytes.subarray(0, Math.max(1, bytes.length - cut));
    }),
);

test("decode(encode(x)) = x", () => {
  fc.assert(
    fc.property(valuesOf("with tags"), (value) => {
      expect(decode(encode(value))).toEqual(value);
    }),
    { numRuns: 1000 },
  );
});

test("any byte string is refused with bytes_malformed or re-encodes to itself", () => {
  fc.assert(
    fc.property(hostile, (bytes) => {
      const error = refusal(bytes);
      if (error === null) expect(encode(decode(bytes))).toEqual(bytes);
      else expect(error.facts.offset).toBeLessThanOrEqual(bytes.length);
    }),
    { numRuns: 5000 },
  );
});

test("cborg writes the same bytes", () => {
  fc.assert(
    fc.property(valuesOf("without tags"), (value) => {
      expect(toHex(encode(value))).toBe(toHex(cborg.encode(value, cborg.rfc8949EncodeOptions)));
    }),
    { numRuns: 500 },
  );
});

test("cborg, strict, reads the same values, and accepts no more of our subset", () => {
  const byCborg = (bytes: Uint8Array): { value: unknown } | null => {
    try {
      const value = cborg.decode(bytes, {
        strict: true,
        allowIndefinite: false,
        allowUndefined: false,
        allowNaN: false,
        allowInfinity: false,
        rejectDuplicateMapKeys: true,
        useMaps: true,
      });
      // It leaves the order of map keys and the form of text unchecked: re-encoding shows them.
      const again = cborg.encode(value, cborg.rfc8949EncodeOptions);
      return isOurs(value) && toHex(again) === toHex(bytes) ? { value } : null;
    } catch {
      return null;
    }
  };
  let accepted = 0;
  const law = (bytes: Uint8Array) => {
    if (bytes.includes(0xd2)) return; // perhaps the COSE tag, which cborg does not know
    const theirs = byCborg(bytes);
    expect(refusal(bytes) === null).toBe(theirs !== null);
    if (theirs === null) return;
    expect(decode(bytes)).toEqual(theirs.value);
    accepted++;
  };
  fc.assert(fc.property(hostile, law), { numRuns: 4000 });
  expect(accepted).toBeGreaterThan(500);
});

function isOurs(value: unknown): boolean {
  if (typeof value === "number") return Number.isSafeInteger(value) && !Object.is(value, -0);
  if (Array.isArray(value)) return value.every(isOurs);
  if (value instanceof Map) {
    return [...value].every(([key, inner]) => Number.isSafeInteger(key) && isOurs(inner));
  }
  return true;
}
