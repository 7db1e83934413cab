/**
 * Integers of one column as bytes, in one form only: a code, then little-endian two's complement
 * values of the least width that holds them all, or a single value where all are the same. So a
 * column is written and read by copies of memory, and what never varies costs a few bytes.
 *
 * Code: the width 1, 2, 4 or 8; plus 16 where one value stands for all. A column without values is
 * no bytes at all. How many values there are is the schema's business.
 *
 * Safe because reading refuses every other form: a width that is too large, a repeated value, an
 * integer beyond 2^53 - 1 in a column of numbers.
 */
import { assert, GridError } from "../primitives/errors.ts";

const UNIFORM = 16;
const WORD = 0x1_0000_0000;

type Width = 1 | 2 | 4 | 8;

/** Values of a column; of numbers, unless `bigint` was asked for. */
export type IntegerColumn = {
  readonly length: number;
  readonly bytes: Uint8Array; // as encoded, the code first; a view
  readonly isUniform: boolean; // one value for all; true for an empty column
  /** A value as a number. MUST NOT be asked of a column of bigints beyond 2^53 - 1. */
  at(index: number): number;
  bigintAt(index: number): bigint;
  /**
   * Writes values `from` to `to` as 64-bit two's complement into `words`: low word, high word.
   *
   * @param place.start - word of the first value, @param place.stride - words between values
   */
  writeWords(
    words: Int32Array,
    range: { readonly from: number; readonly to: number },
    place: { readonly start: number; readonly stride: number },
  ): void;
};

/** @param values - safe integers, or 64-bit ones; the first `count` of them */
export function encodeColumn(values: ArrayLike<number> | BigInt64Array, count: number): Uint8Array {
  if (count === 0) return new Uint8Array(0);
  return values instanceof BigInt64Array
    ? encodeBigints(values, count)
    : encodeNumbers(values, count);
}

function encodeNumbers(values: ArrayLike<number>, count: number): Uint8Array {
  const first = values[0]!;
  let least = first;
  let greatest = first;
  for (let i = 0; i < count; i++) {
    const value = values[i]!;
    if (value < least) least = value;
    if (value > greatest) greatest = value;
  }
  const isInteger = Number.isSafeInteger(least) && Number.isSafeInteger(greatest);
  assert(isInteger, "a column holds safe integers");
  const width = widthOf(least, greatest);
  const written = least === greatest ? 1 : count;
  const bytes = new Uint8Array(1 + width * written);
  bytes[0] = least === greatest ? width + UNIFORM : width;
  const view = new DataView(bytes.buffer);
  if (width === 1) for (let i = 0; i < written; i++) bytes[1 + i] = values[i]!;
  else if (width === 2)
    for (let i = 0; i < written; i++) view.setInt16(1 + 2 * i, values[i]!, true);
  else if (width === 4)
    for (let i = 0; i < written; i++) view.setInt32(1 + 4 * i, values[i]!, true);
  else {
    for (let i = 0; i < written; i++) {
      const high = Math.floor(values[i]! / WORD);
      view.setUint32(1 + 8 * i, values[i]! - high * WORD, true);
      view.setInt32(5 + 8 * i, high, true);
    }
  }
  return bytes;
}

/** Where every value is a safe integer the bytes are the same as those of numbers. */
function encodeBigints(values: BigInt64Array, count: number): Uint8Array {
  const words = new Int32Array(values.buffer, values.byteOffset, 2 * count);
  const numbers = new Float64Array(count);
  let areSafe = true;
  for (let i = 0; i < count; i++) {
    const value = words[2 * i + 1]! * WORD + (words[2 * i]! >>> 0);
    numbers[i] = value;
    if (!Number.isSafeInteger(value)) areSafe = false;
  }
  if (areSafe) return encodeNumbers(numbers, count);
  const first = values[0]!;
  const isUniform = values.subarray(0, count).every((value) => value === first);
  const written = isUniform ? 1 : count;
  const bytes = new Uint8Array(1 + 8 * written);
  bytes[0] = isUniform ? 8 + UNIFORM : 8;
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < written; i++) view.setBigInt64(1 + 8 * i, values[i]!, true);
  return bytes;
}

function widthOf(least: number, greatest: number): Width {
  if (least >= -0x80 && greatest < 0x80) return 1;
  if (least >= -0x8000 && greatest < 0x8000) return 2;
  return least >= -0x8000_0000 && greatest < 0x8000_0000 ? 4 : 8;
}

/**
 * The column that begins at `offset` of `bytes`; `column.bytes.length` tells where it ends.
 *
 * @param form.kind - what its values are: safe integers, or any of 64 bits
 * @throws GridError bytes_malformed naming `form.what`
 */
export function readColumn(
  bytes: Uint8Array,
  offset: number,
  form: {
    readonly what: string;
    readonly count: number;
    readonly kind: "number" | "bigint";
  },
): IntegerColumn {
  const { what, count, kind } = form;
  const fail = (why: string): never => {
    throw new GridError("bytes_malformed", `not a column: ${what}: ${why}`, { what, offset });
  };
  if (count === 0) return openColumn(bytes.subarray(offset, offset), 0);
  const code = bytes[offset] ?? 0;
  const width = code % UNIFORM;
  const isUniform = code === width + UNIFORM;
  if (![1, 2, 4, 8].includes(width) || (code !== width && !isUniform)) return fail("unknown code");
  const end = offset + 1 + width * (isUniform ? 1 : count);
  if (end > bytes.length) return fail("unexpected end");
  const column = openColumn(bytes.subarray(offset, end), count);
  const fault = columnFault(column, kind);
  return fault === null ? column : fail(fault);
}

/** Like `readColumn`, of bytes that this program has just written itself. */
export function trustColumn(
  bytes: Uint8Array,
  offset: number,
  { count }: { readonly count: number },
): IntegerColumn {
  if (count === 0) return openColumn(bytes.subarray(offset, offset), 0);
  const code = bytes[offset]!;
  const width = code % UNIFORM;
  const end = offset + 1 + width * (code > UNIFORM ? 1 : count);
  return openColumn(bytes.subarray(offset, end), count);
}

/** Why the bytes are not the column's only form, or null. */
function columnFault(column: IntegerColumn, kind: "number" | "bigint"): string | null {
  const width = column.bytes[0]! % UNIFORM;
  const stored = column.isUniform ? 1 : column.length;
  const words = new Int32Array(2 * stored);
  column.writeWords(words, { from: 0, to: stored }, { start: 0, stride: 2 });
  let least = Infinity;
  let greatest = -Infinity;
  let varies = column.isUniform;
  for (let i = 0; i < stored; i++) {
    const value = words[2 * i + 1]! * WORD + (words[2 * i]! >>> 0);
    if (value < least) least = value;
    if (value > greatest) greatest = value;
    if (words[2 * i] !== words[0] || words[2 * i + 1] !== words[1]) varies = true;
  }
  if (!varies) return "one value, repeated";
  const isSafe = least >= Number.MIN_SAFE_INTEGER && greatest <= Number.MAX_SAFE_INTEGER;
  if (kind === "number" && !isSafe) return "an integer beyond 2^53 - 1";
  return widthOf(least, greatest) === width ? null : "wider than it must be";
}

/** A column over bytes whose form is known to be right. */
export function openColumn(bytes: Uint8Array, length: number): IntegerColumn {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const isUniform = length === 0 || bytes[0]! > UNIFORM;
  const width = length === 0 ? 1 : bytes[0]! % UNIFORM;
  const step = isUniform ? 0 : width;
  const at = (i: number): number => {
    const offset = 1 + step * i;
    if (width === 1) return view.getInt8(offset);
    if (width === 2) return view.getInt16(offset, true);
    if (width === 4) return view.getInt32(offset, true);
    return view.getInt32(offset + 4, true) * WORD + view.getUint32(offset, true);
  };
  return {
    length,
    bytes,
    isUniform,
    at,
    bigintAt: (i) => (width === 8 ? view.getBigInt64(1 + step * i, true) : BigInt(at(i))),
    writeWords(words, { from, to }, { start, stride }) {
      let word = start;
      for (let i = from; i < to; i++, word += stride) {
        const offset = 1 + step * i;
        if (width === 8) {
          words[word] = view.getInt32(offset, true);
          words[word + 1] = view.getInt32(offset + 4, true);
          continue;
        }
        const value =
          width === 1
            ? view.getInt8(offset)
            : width === 2
              ? view.getInt16(offset, true)
              : view.getInt32(offset, true);
        words[word] = value;
        words[word + 1] = value >> 31;
      }
    },
  };
}

/** All values, as numbers. */
export function columnNumbers(column: IntegerColumn): Float64Array {
  const numbers = new Float64Array(column.length);
  for (let i = 0; i < numbers.length; i++) numbers[i] = column.at(i);
  return numbers;
}
