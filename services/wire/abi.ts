/**
 * Calls of a region's market in Solidity's ABI: four bytes of selector, then one word of 32 bytes
 * per argument, big-endian. Only canonical words are read (a sign extends, nothing stands above 64
 * bits), so a call has one encoding. Source: Solidity's contract ABI specification.
 */
import { keccak256 } from "../crypto/hash.ts";
import { bytesEqual, utf8 } from "../primitives/bytes.ts";

const WORD_BYTES = 32;
const SELECTOR_BYTES = 4;
/** Where the 64 bits of a word start. */
const VALUE_AT = 24;

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

function wordAt(data: Uint8Array, place: number): Uint8Array {
  const start = SELECTOR_BYTES + WORD_BYTES * place;
  return data.subarray(start, start + WORD_BYTES);
}
