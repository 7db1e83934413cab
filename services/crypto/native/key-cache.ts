/**
 * Keys as an engine wants them, by their bytes: bounded, least recently used out first.
 *
 * Safe because it is a pure function's memory: whether a key is cached changes no answer. Keys that
 * the engine refuses are not kept, so nobody can push good keys out with bad ones.
 */
import { assert } from "../../primitives/errors.ts";

export class KeyCache<Key> {
  readonly #keys = new Map<string, Key>(); // a Map iterates in the order of insertion
  readonly #capacity: number;
  readonly #read: (bytes: Uint8Array) => Key | null;

  constructor(capacity: number, read: (bytes: Uint8Array) => Key | null) {
    assert(capacity > 0, "a cache holds at least one key");
    this.#capacity = capacity;
    this.#read = read;
  }

  get size(): number {
    return this.#keys.size;
  }

  /** Null if `read` refuses the bytes. */
  get(bytes: Uint8Array): Key | null {
    const name = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
    const known = this.#keys.get(name);
    if (known !== undefined) {
      this.#keys.delete(name);
      this.#keys.set(name, known);
      return known;
    }
    const key = this.#read(bytes);
    if (key === null) return null;
    if (this.#keys.size >= this.#capacity) this.#evictOldest();
    this.#keys.set(name, key);
    return key;
  }

  #evictOldest(): void {
    for (const oldest of this.#keys.keys()) {
      this.#keys.delete(oldest);
      return;
    }
  }
}
