/**
 * The few writers of protobuf (proto3) that hashing and signing in CometBFT need. Safe because the
 * result is fixed byte for byte: fields in rising order, scalars left out where they are zero, as
 * gogoproto writes them. There is no reader: nothing here comes from the wire as protobuf.
 * Source: protobuf.dev/programming-guides/encoding.
 */
import { concatBytes, utf8 } from "../../../primitives/bytes.ts";
import { assert } from "../../../primitives/errors.ts";

const VARINT = 0;
const FIXED64 = 1;
const LENGTH = 2;
const UINT64_MAX = 2n ** 64n - 1n;

/** 64 bits, negative numbers as two's complement: 1 to 10 bytes. */
export function varint(value: bigint): Uint8Array {
  let rest = BigInt.asUintN(64, value);
  assert(value <= UINT64_MAX && value >= -(2n ** 63n), "a varint holds 64 bits");
  const bytes: number[] = [];
  while (rest > 0x7fn) {
    bytes.push(Number(rest & 0x7fn) + 0x80);
    rest >>= 7n;
  }
  bytes.push(Number(rest));
  return Uint8Array.from(bytes);
}

function tag(field: number, wireType: number): Uint8Array {
  return varint(BigInt(field * 8 + wireType));
}

const NOTHING = new Uint8Array(0);

export function integerField(field: number, value: bigint | number): Uint8Array {
  const wide = BigInt(value);
  return wide === 0n ? NOTHING : concatBytes([tag(field, VARINT), varint(wide)]);
}

export function sfixed64Field(field: number, value: bigint | number): Uint8Array {
  const wide = BigInt(value);
  if (wide === 0n) return NOTHING;
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigInt64(0, wide, true);
  return concatBytes([tag(field, FIXED64), bytes]);
}

export function bytesField(field: number, value: Uint8Array): Uint8Array {
  return value.length === 0 ? NOTHING : messageField(field, value);
}

export function stringField(field: number, value: string): Uint8Array {
  return bytesField(field, utf8(value));
}

/** An embedded message, written also where it is empty (gogoproto's `nullable = false`). */
export function messageField(field: number, message: Uint8Array): Uint8Array {
  return concatBytes([tag(field, LENGTH), lengthPrefixed(message)]);
}

export function lengthPrefixed(message: Uint8Array): Uint8Array {
  return concatBytes([varint(BigInt(message.length)), message]);
}
