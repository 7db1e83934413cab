/**
 * RLP, the encoding of Ethereum transactions, strict: one encoding per value, so that a
 * transaction's hash names it. Source: Ethereum yellow paper, appendix B. Consensus code, hence
 * ours and small; tested on the ethereum/tests RLP suite.
 */
import { concatBytes, uintBytes } from "../primitives/bytes.ts";
import { GridError } from "../primitives/errors.ts";
import { CODEC_DEPTH_MAX } from "../primitives/limits.ts";

export type RlpValue = Uint8Array | readonly RlpValue[];

export function encodeRlp(value: RlpValue): Uint8Array {
  if (value instanceof Uint8Array) {
    if (value.length === 1 && value[0]! < 0x80) return value;
    return concatBytes([lengthHead(0x80, value.length), value]);
  }
  const body = concatBytes(value.map(encodeRlp));
  return concatBytes([lengthHead(0xc0, body.length), body]);
}

function lengthHead(base: number, length: number): Uint8Array {
  if (length < 56) return Uint8Array.of(base + length);
  let width = 1;
  while (length >= 256 ** width) width++;
  return concatBytes([Uint8Array.of(base + 55 + width), uintBytes(length, width)]);
}

/** @throws GridError bytes_malformed with the offset of the item that breaks a rule */
export function decodeRlp(bytes: Uint8Array): RlpValue {
  const { value, end } = item(bytes, 0, bytes.length, 0);
  if (end !== bytes.length) return fail("trailing bytes", end);
  return value;
}

/**
 * The encoding of the list of the first `count` items of an encoded list: copied, not encoded
 * again, which is the same as there is one encoding.
 *
 * @param bytes - a list that `decodeRlp` has taken, with at least that many items
 */
export function rlpListPrefix(bytes: Uint8Array, count: number): Uint8Array {
  const { from, end } = extent(bytes, 0, bytes.length, 0xc0);
  let at = from;
  for (let i = 0; i < count; i++) at = item(bytes, at, end, 1).end;
  return concatBytes([lengthHead(0xc0, at - from), bytes.subarray(from, at)]);
}

function item(
  bytes: Uint8Array,
  start: number,
  limit: number,
  depth: number,
): { value: RlpValue; end: number } {
  if (depth > CODEC_DEPTH_MAX) return fail("nested too deep", start);
  if (start >= limit) return fail("unexpected end", start);
  const first = bytes[start]!;
  if (first < 0x80) return { value: bytes.subarray(start, start + 1), end: start + 1 };
  const isList = first >= 0xc0;
  const { from, end } = extent(bytes, start, limit, isList ? 0xc0 : 0x80);
  if (!isList) {
    if (end - from === 1 && bytes[from]! < 0x80) return fail("byte not in shortest form", start);
    return { value: bytes.subarray(from, end), end };
  }
  const items: RlpValue[] = [];
  let at = from;
  while (at < end) {
    const next = item(bytes, at, end, depth + 1);
    items.push(next.value);
    at = next.end;
  }
  return { value: items, end };
}

function extent(bytes: Uint8Array, start: number, limit: number, base: number) {
  const short = bytes[start]! - base;
  let from = start + 1;
  let length = short;
  if (short > 55) {
    const width = short - 55;
    from += width;
    if (width > 6 || from > limit) return fail("length beyond the input", start);
    length = 0;
    for (let i = start + 1; i < from; i++) length = length * 256 + bytes[i]!;
    if (length < 56 || bytes[start + 1] === 0) return fail("length not in shortest form", start);
  }
  if (length > limit - from) return fail("length beyond the input", start);
  return { from, end: from + length };
}

function fail(what: string, offset: number): never {
  throw new GridError("bytes_malformed", `not RLP: ${what} at byte ${offset}`, { what, offset });
}
