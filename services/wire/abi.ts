/**
 * Calls of a region's market in Solidity's ABI: four bytes of selector, then one word of 32 bytes
 * per argument, big-endian. Only canonical words are read (a sign extends, nothing stands above 64
 * bits), so a call has one encoding. Source: Solidity's contract ABI specification.
 */
import { keccak256 } from "../crypto/hash.ts";
import { bytesEqual, utf8 } from "../primitives/bytes.ts";
import { assert } from "../primitives/errors.ts";

const WORD_BYTES = 32;
const SELECTOR_BYTES = 4;
/** Where the 64 bits of a word start. */
const VALUE_AT = 24;
const ADDRESS_BYTES = 20;

/** First four bytes of keccak(signature). */
export function callSelector(signature: string): Uint8Array {
  return keccak256(utf8(signature)).slice(0, SELECTOR_BYTES);
}

/** Whether `data` calls this function, with as many words as it takes. */
export function isCall(
  data: Uint8Array,
  { selector, words }: { readonly selector: Uint8Array; readonly words: number },
): boolean {
  const length = SELECTOR_BYTES + WORD_BYTES * words;
  return data.length === length && bytesEqual(data.subarray(0, SELECTOR_BYTES), selector);
}

/** @param value - a safe integer of either sign */
export function abiInt64(value: number): Uint8Array {
  const word = new Uint8Array(WORD_BYTES).fill(value < 0 ? 0xff : 0);
  new DataView(word.buffer).setBigInt64(VALUE_AT, BigInt(value));
  return word;
}

/** @returns the word at `place` as int64; beyond 2^53 the nearest number; null if not canonical */
export function readAbiInt64(data: Uint8Array, place: number): number | null {
  const word = wordAt(data, place);
  const value = new DataView(word.buffer, word.byteOffset).getBigInt64(VALUE_AT);
  const sign = value < 0n ? 0xff : 0;
  return word.subarray(0, VALUE_AT).some((byte) => byte !== sign) ? null : Number(value);
}

/** The same for uint64, and for narrower types: the caller knows the range. */
export function readAbiUint64(data: Uint8Array, place: number): number | null {
  const word = wordAt(data, place);
  const value = new DataView(word.buffer, word.byteOffset).getBigUint64(VALUE_AT);
  return word.subarray(0, VALUE_AT).some((byte) => byte !== 0) ? null : Number(value);
}

/** @param value - 0 to 2^64 - 1 */
export function abiUint64(value: bigint): Uint8Array {
  const word = new Uint8Array(WORD_BYTES);
  assert(value >= 0n && value < 2n ** 64n, "a uint64 argument fits 64 bits");
  new DataView(word.buffer).setBigUint64(VALUE_AT, value);
  return word;
}

/** The word at `place` as uint64, exactly; null if not canonical. */
export function readAbiBigUint64(data: Uint8Array, place: number): bigint | null {
  const word = wordAt(data, place);
  if (word.subarray(0, VALUE_AT).some((byte) => byte !== 0)) return null;
  return new DataView(word.buffer, word.byteOffset).getBigUint64(VALUE_AT);
}

/** @param address - 20 B */
export function abiAddress(address: Uint8Array): Uint8Array {
  assert(address.length === ADDRESS_BYTES, "an address has 20 bytes");
  const word = new Uint8Array(WORD_BYTES);
  word.set(address, WORD_BYTES - ADDRESS_BYTES);
  return word;
}

/** The word at `place` as an address of 20 bytes, copied; null if not canonical. */
export function readAbiAddress(data: Uint8Array, place: number): Uint8Array | null {
  const word = wordAt(data, place);
  const start = WORD_BYTES - ADDRESS_BYTES;
  return word.subarray(0, start).some((byte) => byte !== 0) ? null : word.slice(start);
}

function wordAt(data: Uint8Array, place: number): Uint8Array {
  const start = SELECTOR_BYTES + WORD_BYTES * place;
  return data.subarray(start, start + WORD_BYTES);
}
