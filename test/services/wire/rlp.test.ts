/**
 * Method: the RLP suite of ethereum/tests, valid and invalid; there and back for any value; one
 * encoding only: what decodes encodes to the same bytes.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { fromHex, toHex, uintBytes, utf8 } from "../../../services/primitives/bytes.ts";
import { GridError } from "../../../services/primitives/errors.ts";
import { CODEC_DEPTH_MAX } from "../../../services/primitives/limits.ts";
import { decodeRlp, encodeRlp, type RlpValue, rlpListPrefix } from "../../../services/wire/rlp.ts";

const DIRECTORY = "../shared/data/ethereum-tests/RLPTests";
type Json = string | number | readonly Json[];
type Suite = Record<string, { readonly in: Json; readonly out: string }>;

function suite(name: string): [string, Json, string][] {
  const file = join(DIRECTORY, name);
  if (!existsSync(file)) return [];
  const cases = JSON.parse(readFileSync(file, "utf8")) as Suite;
  return Object.entries(cases).map(([title, { in: value, out }]) => [title, value, out]);
}

const valid = suite("rlptest.json");
const random = suite("RandomRLPTests/example.json");
const invalid = suite("invalidRLPTest.json");

/** The suite's notation: text, small integers, "#" with a decimal integer, lists. */
function parseValue(json: Json): RlpValue {
  if (typeof json === "number") return json === 0 ? new Uint8Array(0) : shortest(json);
  if (typeof json !== "string") return json.map(parseValue);
  if (!json.startsWith("#")) return utf8(json);
  const digits = BigInt(json.slice(1)).toString(16);
  return fromHex(digits.length % 2 === 0 ? digits : `0${digits}`);
}

function shortest(value: number): Uint8Array {
  const bytes = uintBytes(value, 6);
  return bytes.subarray(bytes.findIndex((byte) => byte !== 0));
}

test.skipIf(valid.length === 0).each(valid)("%s", (_name, value, out) => {
  expect(toHex(encodeRlp(parseValue(value)))).toBe(out.replace("0x", ""));
  expect(toHex(encodeRlp(decodeRlp(fromHex(out))))).toBe(out.replace("0x", ""));
});

test.skipIf(random.length === 0).each(random)("random: %s", (_name, _value, out) => {
  expect(toHex(encodeRlp(decodeRlp(fromHex(out))))).toBe(out.replace("0x", ""));
});

test.skipIf(invalid.length === 0).each(invalid)("invalid: %s", (_name, _value, out) => {
  expect(() => decodeRlp(fromHex(out))).toThrow(GridError);
});

const { value: anyValue } = fc.letrec<{ value: RlpValue }>((tie) => ({
  value: fc.oneof(
    { depthSize: "small" },
    fc.uint8Array({ maxLength: 80 }),
    fc.array(tie("value"), { maxLength: 5 }),
  ),
}));

test("any value comes back, nested as deep as the codec goes", () => {
  fc.assert(
    fc.property(anyValue, (value) => {
      expect(decodeRlp(encodeRlp(value))).toEqual(value);
    }),
  );
});

test("what decodes encodes to the same bytes; the rest is refused with a code", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      let value: RlpValue;
      try {
        value = decodeRlp(bytes);
      } catch (error) {
        expect(error).toBeInstanceOf(GridError);
        return;
      }
      expect(toHex(encodeRlp(value))).toBe(toHex(bytes));
    }),
    { numRuns: 2000 },
  );
});

test("nesting ends at the limit", () => {
  const nested = (depth: number): RlpValue => (depth === 0 ? [] : [nested(depth - 1)]);
  expect(() => decodeRlp(encodeRlp(nested(CODEC_DEPTH_MAX)))).not.toThrow();
  expect(() => decodeRlp(encodeRlp(nested(CODEC_DEPTH_MAX + 1)))).toThrow("nested too deep");
});

test.each([55, 56, 255, 256, 65_535, 65_536])("lengths around %i bytes", (length) => {
  const bytes = new Uint8Array(length).fill(200);
  expect(decodeRlp(encodeRlp(bytes))).toEqual(bytes);
  expect(decodeRlp(encodeRlp([bytes]))).toEqual([bytes]);
});

test("the first items of a list, without encoding them again", () => {
  const anyItem = fc.letrec<{ value: RlpValue }>((tie) => ({
    value: fc.oneof({ maxDepth: 2 }, fc.uint8Array({ maxLength: 70 }), fc.array(tie("value"))),
  })).value;
  fc.assert(
    fc.property(fc.array(anyItem, { maxLength: 12 }), fc.nat(12), (items, count) => {
      const taken = items.slice(0, count);
      expect(rlpListPrefix(encodeRlp(items), taken.length)).toEqual(encodeRlp(taken));
    }),
  );
});
