/**
 * The blocks of a source in order, fetched ahead of the replay and handed to the threads that check
 * them. Holds at most AHEAD_BATCHES_MAX batches, so a fast source cannot fill the memory.
 */
import type { AuditSource } from "../chain/audit-source.ts";
import { assert, GridError } from "../primitives/errors.ts";
import type { BlockBytes } from "../wire/audit-page.ts";
import type { BlockChecks } from "./audit-checks.ts";
import type { CheckPool, CheckTicket } from "./audit-pool.ts";

/** Blocks of one batch, and batches fetched and not replayed yet. */
const BATCH_BLOCKS = 16;
const AHEAD_BATCHES_MAX = 24;

export type FedBlock = {
  readonly bytes: BlockBytes;
  readonly checks: BlockChecks | null; // null: not checked ahead
};

type Batch = { readonly blocks: readonly BlockBytes[]; readonly ticket: CheckTicket };

export class BlockFeed {
  readonly #source: AuditSource;
  readonly #pool: CheckPool;
  readonly #batches: Batch[] = [];
  #next: number; // to be fetched
  #until = 0;
  #fetching: Promise<void> | null = null;
  #current: { blocks: readonly BlockBytes[]; checks: readonly BlockChecks[] | null; at: number };

  /** @param parts.fromHeight - of the first block */
  constructor(parts: {
    readonly source: AuditSource;
    readonly pool: CheckPool;
    readonly fromHeight: number;
  }) {
    this.#source = parts.source;
    this.#pool = parts.pool;
    this.#next = parts.fromHeight;
    this.#current = { blocks: [], checks: null, at: 0 };
  }

  /** There are blocks up to `height`. */
  extend(height: number): void {
    this.#until = Math.max(this.#until, height);
    this.#fetchAhead();
  }

  /** The next block; there must be one by `extend`. */
  async next(): Promise<FedBlock> {
    if (this.#current.at === this.#current.blocks.length) await this.#turnBatch();
    const { blocks, checks, at } = this.#current;
    this.#current.at++;
    return { bytes: blocks[at]!, checks: checks?.[at] ?? null };
  }

  async #turnBatch(): Promise<void> {
    while (this.#batches.length === 0) {
      assert(this.#next <= this.#until || this.#fetching !== null, "the feed has a next block");
      this.#fetchAhead();
      await this.#fetching;
    }
    const { blocks, ticket } = this.#batches.shift()!;
    this.#fetchAhead();
    this.#current = { blocks, checks: await ticket.take(), at: 0 };
  }

  #fetchAhead(): void {
    if (this.#fetching !== null) return;
    const isEnough = this.#batches.length >= AHEAD_BATCHES_MAX || this.#next > this.#until;
    if (isEnough) return;
    const fetching = this.#fetch().finally(() => {
      this.#fetching = null;
    });
    fetching.catch(() => undefined); // whoever needs the blocks meets the failure
    this.#fetching = fetching;
  }

  async #fetch(): Promise<void> {
    while (this.#next <= this.#until && this.#batches.length < AHEAD_BATCHES_MAX) {
      const range = { fromHeight: this.#next, toHeight: this.#until };
      const page = await this.#source.blocks(range);
      if (page.length === 0) {
        const value = String(this.#next);
        const message = `${this.#source.name} does not give block ${value}`;
        throw new GridError("resource_unknown", message, { what: "block", value });
      }
      this.#next += page.length;
      for (let at = 0; at < page.length; at += BATCH_BLOCKS) {
        const blocks = page.slice(at, at + BATCH_BLOCKS);
        this.#batches.push({ blocks, ticket: this.#pool.submit(blocks) });
      }
    }
  }
}
