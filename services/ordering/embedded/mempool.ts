/**
 * Transactions that wait for a block: first in, first out, bounded in number and in bytes.
 *
 * A transaction is refused while the same bytes wait, and for a while after they executed. That is
 * a courtesy to whoever submits twice; replay protection is the application's own.
 */
import type { Submitted } from "../../chain/access.ts";
import { sha256 } from "../../crypto/hash.ts";
import { toHex } from "../../primitives/bytes.ts";
import {
  BLOCK_BYTES_MAX,
  MEMPOOL_BYTES_MAX,
  MEMPOOL_TRANSACTIONS_MAX,
} from "../../primitives/limits.ts";

/** Hashes of executed transactions that are still refused as duplicates. */
export const EXECUTED_REMEMBERED_MAX = 40_000;

export type Waiting = {
  readonly transaction: Uint8Array;
  readonly hash: Uint8Array; // 32 B SHA-256 of the transaction
  readonly id: string; // the hash in hexadecimal
  readonly resolve: (submitted: Submitted) => void;
  readonly reject: (failure: unknown) => void;
};

export type Identity = { readonly hash: Uint8Array; readonly id: string };

export function identify(transaction: Uint8Array): Identity {
  const hash = sha256(transaction);
  return { hash, id: toHex(hash) };
}

export class Mempool {
  readonly #waiting = new Map<string, Waiting>(); // insertion order is arrival order
  readonly #executed = new Set<string>();
  #bytes = 0;

  get size(): number {
    return this.#waiting.size;
  }

  holds(id: string): boolean {
    return this.#waiting.has(id) || this.#executed.has(id);
  }

  fits(transaction: Uint8Array): boolean {
    if (this.#waiting.size >= MEMPOOL_TRANSACTIONS_MAX) return false;
    return this.#bytes + transaction.length <= MEMPOOL_BYTES_MAX;
  }

  add(entry: Waiting): void {
    this.#waiting.set(entry.id, entry);
    this.#bytes += entry.transaction.length;
  }

  /** The oldest ones that fit a block, at most `countMax`. They stay until removed. */
  oldest(countMax: number): Waiting[] {
    const entries: Waiting[] = [];
    let bytes = 0;
    for (const entry of this.#waiting.values()) {
      bytes += entry.transaction.length;
      if (entries.length >= countMax || bytes > BLOCK_BYTES_MAX) break;
      entries.push(entry);
    }
    return entries;
  }

  /** Takes a transaction out; null where it was not waiting. */
  remove(id: string): Waiting | null {
    const entry = this.#waiting.get(id);
    if (entry === undefined) return null;
    this.#waiting.delete(id);
    this.#bytes -= entry.transaction.length;
    return entry;
  }

  /** Takes all out. */
  drain(): Waiting[] {
    const entries = [...this.#waiting.values()];
    this.#waiting.clear();
    this.#bytes = 0;
    return entries;
  }

  rememberExecuted(id: string): void {
    this.#executed.add(id);
    if (this.#executed.size <= EXECUTED_REMEMBERED_MAX) return;
    for (const oldest of this.#executed) {
      this.#executed.delete(oldest);
      break;
    }
  }
}
