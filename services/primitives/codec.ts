/**
 * The one canonical codec: deterministic CBOR (RFC 8949, section 4.2.1), strict in both directions.
 *
 * Safe because each value has exactly one encoding and each accepted byte string has exactly one
 * value: shortest integer heads, definite lengths, map keys sorted bytewise and unique, no floats,
 * no simple values but true, false and null, no trailing bytes. Only tag 18 (COSE_Sign1) exists.
 * Depth and length are bounded by the input, so hostile bytes cost no more than their own size.
 */
import { concatBytes, fromUtf8, uintBytes, utf8 } from "./bytes.ts";
import { assert, GridError } from "./errors.ts";
import { CODEC_DEPTH_MAX } from "./limits.ts";

/** Integer keys only: names belong to the schema (a CDDL file or a type), not to the wire. */
export type CodecMap = ReadonlyMap<number, CodecValue>;
export type CodecValue =
  | number // a safe integer
  | bigint // decoded only where the integer is beyond 2^53 - 1; any 64-bit one may be encoded
  | string
  | boolean
  | null
  | Uint8Array
  | readonly CodecValue[]
  | CodecMap
  | Tagged;
export type Tagged = { readonly tag: number; readonly value: CodecValue };

const TAG_COSE_SIGN1 = 18;
const UINT64_MAX = 2n ** 64n - 1n;

/** Encodes `value` in its only form. Throws InvariantError on what the codec has no form for. */
export function encode(value: CodecValue): Uint8Array {
  const parts: Uint8Array[] = [];
  write(value, parts, 0);
  return concatBytes(parts);
}

function write(value: CodecValue, parts: Uint8Array[], depth: number): void {
  assert(depth <= CODEC_DEPTH_MAX, "canonical value is nested too deep");
  if (typeof value === "number") {
    assert(Number.isSafeInteger(value), "the codec has no floats");
    parts.push(value >= 0 ? head(0, value) : head(1, -1 - value));
  } else if (typeof value === "bigint") {
    assert(value <= UINT64_MAX && value >= -UINT64_MAX - 1n, "integer beyond 64 bits");
    parts.push(value >= 0n ? head(0, value) : head(1, -1n - value));
  } else if (typeof value === "string") {
    assert(value.isWellFormed(), "text must be well-formed Unicode");
    const bytes = utf8(value);
    parts.push(head(3, bytes.length), bytes);
  } else if (typeof value === "boolean") {
    parts.push(Uint8Array.of(value ? 0xf5 : 0xf4));
  } else if (value === null) {
    parts.push(Uint8Array.of(0xf6));
  } else if (value instanceof Uint8Array) {
    parts.push(head(2, value.length), value);
  } else if (value instanceof Map) {
    writeMap(value, parts, depth);
  } else if (isArray(value)) {
    parts.push(head(4, value.length));
    for (const item of value) write(item, parts, depth + 1);
  } else {
    const tagged = value as Tagged;
    assert(tagged.tag === TAG_COSE_SIGN1, "the only tag is COSE_Sign1");
    parts.push(head(6, tagged.tag));
    write(tagged.value, parts, depth + 1);
  }
}

function isArray(value: unknown): value is readonly CodecValue[] {
  return Array.isArray(value);
}

function writeMap(map: CodecMap, parts: Uint8Array[], depth: number): void {
  // Bytewise order of encoded integer keys: 0, 1, 2, ... then -1, -2, ...
  const keys = [...map.keys()].sort((a, b) =>
    a >= 0 !== b >= 0 ? (a >= 0 ? -1 : 1) : Math.abs(a) - Math.abs(b),
  );
  parts.push(head(5, keys.length));
  for (const key of keys) {
    write(key, parts, depth + 1);
    write(map.get(key) as CodecValue, parts, depth + 1);
  }
}

function head(major: number, argument: number | bigint): Uint8Array {
  const first = major << 5;
  if (argument < 24) return Uint8Array.of(first | Number(argument));
  if (argument < 0x100) return Uint8Array.of(first | 24, Number(argument));
  if (argument < 0x1_0000) return concatBytes([Uint8Array.of(first | 25), width(argument, 2)]);
  if (argument < 0x1_0000_0000) return concatBytes([Uint8Array.of(first | 26), width(argument, 4)]);
  return concatBytes([Uint8Array.of(first | 27), width(argument, 8)]);
}

function width(argument: number | bigint, bytes: number): Uint8Array {
  if (bytes < 8) return uintBytes(Number(argument), bytes);
  const out = new Uint8Array(8);
  new DataView(out.buffer).setBigUint64(0, BigInt(argument));
  return out;
}

/**
 * Decodes one value that fills `bytes` exactly.
 *
 * @param itemsMax - values in it, containers included: memory is bounded by them and the bytes
 * @throws GridError bytes_malformed with the offset of the first byte that breaks a rule
 */
export function decode(bytes: Uint8Array, itemsMax = Number.POSITIVE_INFINITY): CodecValue {
  const reader = new Reader(bytes, itemsMax);
  const value = reader.value(0);
  if (reader.at !== bytes.length) reader.fail("trailing bytes", reader.at);
  return value;
}

class Reader {
  at = 0;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #itemsLeft: number;

  constructor(bytes: Uint8Array, itemsMax: number) {
    this.#bytes = bytes;
    this.#itemsLeft = itemsMax;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  fail(what: string, offset: number): never {
    throw new GridError("bytes_malformed", `not canonical: ${what} at byte ${offset}`, {
      what,
      offset,
    });
  }

  value(depth: number): CodecValue {
    const start = this.at;
    if (depth > CODEC_DEPTH_MAX) this.fail("nested too deep", start);
    if (start >= this.#bytes.length) this.fail("unexpected end", start);
    if (this.#itemsLeft-- <= 0) this.fail("too many values", start);
    const first = this.#bytes[start]!;
    const major = first >> 5;
    if (major === 7) {
      this.at++;
      if (first === 0xf4) return false;
      if (first === 0xf5) return true;
      if (first === 0xf6) return null;
      return this.fail("float or simple value", start);
    }
    const argument = this.argument();
    if (major === 0) return argument;
    if (major === 1) {
      if (typeof argument === "number" && argument < Number.MAX_SAFE_INTEGER) return -1 - argument;
      return -1n - BigInt(argument);
    }
    if (major === 6) {
      if (argument !== TAG_COSE_SIGN1) this.fail("unknown tag", start);
      return { tag: TAG_COSE_SIGN1, value: this.value(depth + 1) };
    }
    if (typeof argument === "bigint") return this.fail("length beyond the input", start);
    if (argument > this.#bytes.length - this.at) this.fail("length beyond the input", start);
    if (major === 2) return this.take(argument);
    if (major === 3) return this.text(argument);
    if (major === 4) return this.array(argument, depth);
    return this.map(argument, depth);
  }

  take(length: number): Uint8Array {
    this.at += length;
    return this.#bytes.subarray(this.at - length, this.at);
  }

  text(length: number): string {
    const start = this.at;
    try {
      return fromUtf8(this.take(length));
    } catch {
      return this.fail("text that is not UTF-8", start);
    }
  }

  array(length: number, depth: number): CodecValue[] {
    const items: CodecValue[] = [];
    for (let i = 0; i < length; i++) items.push(this.value(depth + 1));
    return items;
  }

  map(length: number, depth: number): CodecMap {
    const map = new Map<number, CodecValue>();
    let previous = Number.NaN;
    for (let i = 0; i < length; i++) {
      const start = this.at;
      const key = this.value(depth + 1);
      if (typeof key !== "number") return this.fail("map key that is no integer", start);
      const rises =
        i === 0 || (previous >= 0 ? key < 0 || key > previous : key < 0 && key < previous);
      if (!rises) this.fail("map keys out of order", start);
      previous = key;
      map.set(key, this.value(depth + 1));
    }
    return map;
  }

  /** The head's argument, in its shortest form only. */
  argument(): number | bigint {
    const start = this.at;
    const info = this.#bytes[this.at++]! & 0x1f;
    if (info < 24) return info;
    if (info > 27) return this.fail("indefinite or reserved length", start);
    const size = 1 << (info - 24);
    if (this.#bytes.length - this.at < size) this.fail("unexpected end", start);
    this.at += size;
    const at = this.at - size;
    if (size === 8) {
      const wide = this.#view.getBigUint64(at);
      if (wide < 0x1_0000_0000n) this.fail("integer not in shortest form", start);
      return wide <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(wide) : wide;
    }
    const value =
      size === 1
        ? this.#view.getUint8(at)
        : size === 2
          ? this.#view.getUint16(at)
          : this.#view.getUint32(at);
    const floor = size === 1 ? 24 : size === 2 ? 0x100 : 0x1_0000;
    if (value < floor) this.fail("integer not in shortest form", start);
    return value;
  }
}
