/**
 * Inputs to fuzz with: plain random bytes, and valid inputs changed by a few operations, on their
 * bytes or on the CBOR, RLP or JSON that they hold. An input is a recipe of plain numbers, so
 * fast-check can shrink it, and equal recipes give equal bytes.
 */
import fc from "fast-check";
import { bytesEqual, concatBytes, fromUtf8, utf8 } from "../../services/primitives/bytes.ts";
import { type CodecValue, decode, encode } from "../../services/primitives/codec.ts";
import { GridError, InvariantError } from "../../services/primitives/errors.ts";
import { decodeRlp, encodeRlp, type RlpValue } from "../../services/wire/rlp.ts";

/** One change: which, and three numbers that it reads as it likes. */
export type Change = {
  readonly kind: ChangeKind;
  readonly a: number;
  readonly b: number;
  readonly c: number;
};

export type Recipe =
  | { readonly from: "nothing"; readonly bytes: Uint8Array }
  | { readonly from: "seed"; readonly seed: number; readonly changes: readonly Change[] };

/** No input grows beyond this. */
const INPUT_BYTES_MAX = 1_048_576;
const NATURAL = 0x7fff_ffff;

const BYTE_CHANGES = {
  flip: (bytes, { a, b }) => {
    const out = bytes.slice();
    if (out.length > 0) out[a % out.length]! ^= 1 << (b % 8);
    return out;
  },
  set: (bytes, { a, b }) => {
    const out = bytes.slice();
    if (out.length > 0) out[a % out.length] = EXTREME_BYTES[b % EXTREME_BYTES.length]!;
    return out;
  },
  cut: (bytes, { a, b }) => {
    const at = a % (bytes.length + 1);
    return concatBytes([bytes.subarray(0, at), bytes.subarray(at + 1 + (b % 16))]);
  },
  end: (bytes, { a }) => bytes.slice(0, a % (bytes.length + 1)),
  insert: (bytes, { a, b, c }) => {
    const noise = Uint8Array.from({ length: 1 + (b % 40) }, (_, i) => (c * (i + 1)) >>> 5);
    return inserted(bytes, a, noise);
  },
  repeat: (bytes, { a, b, c }) => {
    const start = a % (bytes.length + 1);
    const part = bytes.subarray(start, start + 1 + (b % 64));
    return inserted(bytes, start, concatBytes(Array.from({ length: c % 2000 }, () => part)));
  },
  head: (bytes, { a, b }) => {
    const head = LENGTH_HEADS[b % LENGTH_HEADS.length]!;
    const at = a % (bytes.length + 1);
    return concatBytes([bytes.subarray(0, at), head, bytes.subarray(at + 1)]);
  },
  nest: (bytes, { a, b, c }) => {
    const opening = NESTS[b % NESTS.length]!;
    return inserted(bytes, a, concatBytes(Array.from({ length: c % 20_000 }, () => opening)));
  },
} satisfies Record<string, (bytes: Uint8Array, change: Change) => Uint8Array>;

const TREE_CHANGES = [
  "cborReplace",
  "cborRemove",
  "cborDouble",
  "jsonReplace",
  "jsonRemove",
] as const;
const CHANGE_KINDS = [
  ...(Object.keys(BYTE_CHANGES) as (keyof typeof BYTE_CHANGES)[]),
  "splice",
  ...TREE_CHANGES,
  ...TREE_CHANGES, // twice as often: they reach past the form
] as const;
export type ChangeKind = (typeof CHANGE_KINDS)[number];

const EXTREME_BYTES = [
  0x00, 0x01, 0x17, 0x18, 0x1b, 0x7f, 0x80, 0x9f, 0xbf, 0xc0, 0xf7, 0xfb, 0xff,
];
/** CBOR and RLP heads that promise far more than there is. */
const LENGTH_HEADS = [
  [0x5b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
  [0x9b, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff],
  [0x9a, 0xff, 0xff, 0xff, 0xff],
  [0xba, 0x7f, 0xff, 0xff, 0xff],
  [0xbb, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
  [0x99, 0xff, 0xff],
  [0x59, 0xff, 0xff],
  [0xbf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
  [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
  [0xf9, 0xff, 0xff],
  [0x1b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
  [0x3b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
].map((head) => Uint8Array.from(head));
const NESTS = [
  ...[[0x81], [0xd2], [0xa1, 0x01], [0xc1], [0xf8, 0x38]].map((head) => Uint8Array.from(head)),
  ...["[", '{"a":', "{", '"', "9"].map(utf8),
];

const change: fc.Arbitrary<Change> = fc.record({
  kind: fc.constantFrom(...CHANGE_KINDS),
  a: fc.nat(NATURAL),
  b: fc.nat(NATURAL),
  c: fc.nat(NATURAL),
});

/** One input in eight is plain noise. */
export const recipe: fc.Arbitrary<Recipe> = fc.oneof(
  {
    weight: 1,
    arbitrary: fc.record({
      from: fc.constant("nothing" as const),
      bytes: fc.uint8Array({ maxLength: 300 }),
    }),
  },
  {
    weight: 7,
    arbitrary: fc.record({
      from: fc.constant("seed" as const),
      seed: fc.nat(NATURAL),
      changes: fc.array(change, { minLength: 1, maxLength: 4 }),
    }),
  },
);

/** The input of a recipe over these valid inputs. */
export function cook(made: Recipe, seeds: readonly Uint8Array[]): Uint8Array {
  if (made.from === "nothing") return made.bytes;
  let bytes = seeds[made.seed % seeds.length]!;
  for (const step of made.changes) {
    const next = apply(bytes, step, seeds);
    if (next.length <= INPUT_BYTES_MAX) bytes = next;
  }
  return bytes;
}

function apply(bytes: Uint8Array, step: Change, seeds: readonly Uint8Array[]): Uint8Array {
  const { kind, a, b, c } = step;
  if (kind === "splice") {
    const other = seeds[b % seeds.length]!;
    const from = other.subarray(c % (other.length + 1));
    return concatBytes([bytes.subarray(0, a % (bytes.length + 1)), from]);
  }
  if (kind.startsWith("json") || kind.startsWith("cbor")) {
    const changed =
      changeJson(bytes, step) ?? changeCbor(bytes, step) ?? changeRlp(bytes, step) ?? bytes;
    return bytesEqual(changed, bytes) ? BYTE_CHANGES.flip(bytes, step) : changed;
  }
  return BYTE_CHANGES[kind as keyof typeof BYTE_CHANGES](bytes, step);
}

function inserted(bytes: Uint8Array, at: number, part: Uint8Array): Uint8Array {
  const start = at % (bytes.length + 1);
  return concatBytes([bytes.subarray(0, start), part, bytes.subarray(start)]);
}

/** What no schema expects, or only just allows. */
const EXTREMES: readonly CodecValue[] = [
  ...[0, 1, -1, 23, 24, 255, 256, 0xffff, 0x1_0000, 0xffff_ffff, 2 ** 32, 2 ** 53 - 1],
  ...[-(2 ** 31), -(2 ** 53) + 1, 2n ** 53n, 2n ** 63n, 2n ** 64n - 1n, -(2n ** 63n), -(2n ** 64n)],
  ...[null, true, false, "", "a", "__proto__", "\u0000", "x".repeat(1000)],
  ...[new Uint8Array(0), new Uint8Array(1), new Uint8Array(31), new Uint8Array(32).fill(255)],
  ...[new Uint8Array(33), new Uint8Array(96), new Uint8Array(3000)],
  ...[[], [[]], [0, 0, 0, 0, 0], Array.from({ length: 5000 }, () => 0)],
  ...[new Map(), new Map([[1, new Map([[1, 2]])]]), { tag: 18, value: [] }],
];

/** A byte string inside may hold CBOR of its own, and often does. */
function changeCbor(bytes: Uint8Array, step: Change): Uint8Array | null {
  const [offset, value] = decodedFrom(bytes);
  if (offset === null) return null;
  try {
    const changed = encode(changeNode(value, step, 0));
    return concatBytes([bytes.subarray(0, offset), changed]);
  } catch (failure) {
    if (failure instanceof InvariantError) return null; // no encoding: deeper than the codec goes
    throw failure;
  }
}

/** A transaction has a type byte before its value. */
function decodedFrom(bytes: Uint8Array): [number, CodecValue] | [null, null] {
  for (const offset of [0, 1]) {
    try {
      return [offset, decode(bytes.subarray(offset))];
    } catch (failure) {
      if (!(failure instanceof GridError)) throw failure;
    }
  }
  return [null, null];
}

function changeNode(value: CodecValue, step: Change, depth: number): CodecValue {
  const { kind, a, b, c } = step;
  const below = { ...step, a: Math.floor(a / 7), c: Math.floor(c / 3) };
  const isHere = (a + depth) % 4 === 0;
  if (value instanceof Uint8Array && !isHere && depth < 6) {
    const [offset, inner] = value.length > 1 ? decodedFrom(value) : [null, null];
    if (offset === 0 && typeof inner === "object" && inner !== null) {
      return encode(changeNode(inner, below, depth + 1));
    }
  }
  if (Array.isArray(value) && value.length > 0) {
    const items = [...(value as CodecValue[])];
    const at = b % items.length;
    if (isHere && kind === "cborRemove") items.splice(at, 1);
    else if (isHere && kind === "cborDouble") items.splice(at, 0, items[c % items.length]!);
    else items[at] = changeNode(items[at]!, below, depth + 1);
    return items;
  }
  if (value instanceof Map && value.size > 0) {
    const entries = [...value];
    const [key, item] = entries[b % entries.length]!;
    const map = new Map(entries);
    if (isHere && kind === "cborRemove") map.delete(key);
    else map.set(key, changeNode(item, below, depth + 1));
    return map;
  }
  if (typeof value === "object" && value !== null && "tag" in value) {
    return { tag: value.tag, value: changeNode(value.value, below, depth + 1) };
  }
  if (value instanceof Uint8Array && c % 2 === 0)
    return BYTE_CHANGES.flip(value, { ...step, a: c });
  if (typeof value === "number" && c % 3 === 0) return value + (c % 2 === 0 ? 1 : -1);
  return EXTREMES[c % EXTREMES.length]!;
}

/** A transaction of a member is RLP behind its type byte. */
function changeRlp(bytes: Uint8Array, step: Change): Uint8Array | null {
  try {
    const changed = encodeRlp(changeItem(decodeRlp(bytes.subarray(1)), step));
    return concatBytes([bytes.subarray(0, 1), changed]);
  } catch (failure) {
    if (failure instanceof GridError) return null;
    throw failure;
  }
}

function changeItem(value: RlpValue, step: Change): RlpValue {
  const { a, b, c } = step;
  if (!(value instanceof Uint8Array) && value.length > 0 && a % 5 !== 0) {
    const at = b % value.length;
    const below = { ...step, a: Math.floor(a / 5) };
    return value.map((item, i) => (i === at ? changeItem(item, below) : item));
  }
  if (value instanceof Uint8Array && c % 2 === 0) return BYTE_CHANGES.flip(value, step);
  return RLP_EXTREMES[c % RLP_EXTREMES.length]!;
}

const RLP_EXTREMES: readonly RlpValue[] = [
  ...[[], [[]], new Uint8Array(0), new Uint8Array(1), new Uint8Array(32).fill(255)],
  ...[new Uint8Array(33).fill(1), new Uint8Array(20), Uint8Array.of(1), Uint8Array.of(127)],
  ...[new Uint8Array(100_000).fill(7), Array.from({ length: 3000 }, () => new Uint8Array(0))],
];

const JSON_EXTREMES: readonly unknown[] = [
  ...[0, -1, 0.5, 1e300, 2 ** 53, "", "0x", "0x0", "a".repeat(3000), null, true, [], {}, [[[]]]],
  ...[{ __proto__: null }, Array.from({ length: 4000 }, () => "0x00"), `0x${"00".repeat(33)}`],
  ...["9".repeat(300), "-0", "1e3", "\ud800", `0x${"00".repeat(32)}`],
];

function changeJson(bytes: Uint8Array, step: Change): Uint8Array | null {
  try {
    return utf8(JSON.stringify(changeValue(JSON.parse(fromUtf8(bytes)), step)));
  } catch {
    return null; // no JSON to change
  }
}

function changeValue(value: unknown, step: Change): unknown {
  const { kind, a, b, c } = step;
  const below = { ...step, a: Math.floor(a / 5), b: Math.floor(b / 3) };
  if (typeof value !== "object" || value === null) return JSON_EXTREMES[c % JSON_EXTREMES.length];
  const keys = Object.keys(value);
  const key = keys[b % (keys.length + 1)];
  if (key === undefined) return a % 3 === 0 ? JSON_EXTREMES[c % JSON_EXTREMES.length] : value;
  if (Array.isArray(value)) {
    const items: unknown[] = [...value];
    const at = Number(key);
    if (kind === "jsonRemove" && a % 3 === 0) items.splice(at, 1);
    else if (a % 5 === 0) items.push(...items.slice(at, at + 8));
    else items[at] = changeValue(items[at], below);
    return items;
  }
  const fields: Record<string, unknown> = { ...value };
  if (kind === "jsonRemove" && a % 3 === 0) delete fields[key];
  else if (a % 7 === 0) fields[`${key}x`] = fields[key];
  else fields[key] = changeValue(fields[key], below);
  return fields;
}
