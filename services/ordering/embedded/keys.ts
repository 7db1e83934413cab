/**
 * Every key of the block store, built here and nowhere else. Safe because the families differ in
 * their first letter, so no key of one is a prefix of a key of another, and heights have a fixed
 * width, so LevelDB's bytewise order is the order of heights.
 */
import { assert } from "../../primitives/errors.ts";

/** 14 hexadecimal digits hold 2^53, the largest height there can be. */
const HEIGHT_DIGITS = 14;
const FAMILY = { header: "h/", body: "b/", response: "r/", application: "a/" } as const;

/** Format and genesis hash of the store. */
export const META_KEY = "m";
/** Highest block stored (S in the handshake table). */
export const BLOCK_HEIGHT_KEY = "s";
/** Lowest block stored whole; absent while it is 1. */
export const BASE_KEY = "l";
/** Lowest header stored; absent while it is 1. Headers stay when blocks are pruned. */
export const FIRST_HEADER_KEY = "f";
/** Present while the records of a snapshot come into an empty store. */
export const IMPORT_KEY = "i";
/** Height, time and app hash the engine last committed (T in the handshake table). */
export const ENGINE_STATE_KEY = "t";
/** Present while the application's records are made again from the blocks. */
export const REBUILD_KEY = "x";

/** Header and the sequencer's signature: small, so that a walk over the chain stays cheap. */
export function headerKey(height: number): string {
  return FAMILY.header + digits(height);
}

/** The transactions of a block. */
export function bodyKey(height: number): string {
  return FAMILY.body + digits(height);
}

/** What `finalizeBlock` answered. */
export function responseKey(height: number): string {
  return FAMILY.response + digits(height);
}

/** A record of the application, under the key that it chose. */
export function applicationKey(key: string): string {
  return FAMILY.application + key;
}

/** Half-open range of keys. */
export type KeyRange = { readonly gte: string; readonly lt: string };

/** Every key there can be: no text sorts above the last code point. */
export const EVERYTHING: KeyRange = { gte: "", lt: "\u{10ffff}" };
export const HEADERS: KeyRange = family(FAMILY.header);
export const BODIES: KeyRange = family(FAMILY.body);
export const RESPONSES: KeyRange = family(FAMILY.response);
export const APPLICATION: KeyRange = family(FAMILY.application);

/** The application's own key of a stored record. */
export function applicationPart(key: string): string {
  assert(key.startsWith(FAMILY.application), "not a key of the application");
  return key.slice(FAMILY.application.length);
}

/** The height in the key of a header, body or response. */
export function heightOf(key: string): number {
  assert(key.length === 2 + HEIGHT_DIGITS, "not a key with a height");
  return Number.parseInt(key.slice(2), 16);
}

function digits(height: number): string {
  assert(Number.isSafeInteger(height) && height >= 0, "a height is a whole number");
  return height.toString(16).padStart(HEIGHT_DIGITS, "0");
}

/** "0" is the character after "/". */
function family(prefix: string): KeyRange {
  return { gte: prefix, lt: `${prefix.slice(0, -1)}0` };
}
