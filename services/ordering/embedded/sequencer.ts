/**
 * The loop of embedded ordering: all that waits goes into the next block; the block is durable
 * before it is executed, the outcome before anybody hears of it. One block at a time, so a slow
 * disk makes blocks larger, not latencies longer.
 *
 * While the app hash is another than the last header's, empty blocks follow even where nothing
 * waits, so that a header carries the new hash and bills can be proved, and so that an application
 * can finish what a block left over, such as messages in flight (CometBFT's rule). This ends where
 * the application's work does: the first block that changes nothing is the last.
 */
import type { Block, TransactionResult } from "../../chain/abci.ts";
import type { CommittedBlock, StoredBlock, Submitted } from "../../chain/access.ts";
import { bytesEqual } from "../../primitives/bytes.ts";
import type { Clock } from "../../primitives/clock.ts";
import { assert, GridError } from "../../primitives/errors.ts";
import { BLOCK_TRANSACTIONS_MAX, TRANSACTION_BYTES_MAX } from "../../primitives/limits.ts";
import { type UnixSeconds, unixSeconds } from "../../primitives/units.ts";
import type { Genesis } from "../../wire/genesis.ts";
import { type Header, headerHash } from "../../wire/header.ts";
import { TRANSACTION_CODE } from "../../wire/refusals.ts";
import { type Applier, applyBlock } from "./apply.ts";
import { signBlock } from "./block.ts";
import { identify, Mempool, type Waiting } from "./mempool.ts";
import { requireKnownVersion } from "./version-gate.ts";

export type SequencerOptions = {
  readonly applier: Applier;
  readonly genesis: Genesis;
  readonly secretKey: Uint8Array; // 32 B, Ed25519
  readonly clock: Clock;
  readonly parent: StoredBlock | null; // the last block on the disk
};

export class Sequencer {
  readonly #options: SequencerOptions;
  readonly #mempool = new Mempool();
  readonly #listeners = new Set<(block: CommittedBlock) => void>();
  #tip: Header | null; // of the last block
  #run: Promise<void> = Promise.resolve();
  #isRunning = false;
  #failure: unknown = null;
  #isStopping = false;
  /** Transactions still to be proposed alone, after a proposal that the application refused. */
  #alone = 0;
  /** Settles when the sequencer ends: resolves after `stop`, rejects where it cannot go on. */
  readonly ended: Promise<void>;
  #end!: { readonly resolve: () => void; readonly reject: (failure: unknown) => void };

  constructor(options: SequencerOptions) {
    this.#options = options;
    this.#tip = options.parent?.header ?? null;
    this.ended = new Promise((resolve, reject) => {
      this.#end = { resolve, reject };
    });
    this.ended.catch(() => {}); // whoever cares awaits it; a failure also reaches each submitter
  }

  /** Makes the blocks that an earlier run still owes. */
  start(): void {
    this.#wake();
  }

  onBlock(listener: (block: CommittedBlock) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  submit(transaction: Uint8Array): Promise<Submitted> {
    if (this.#failure !== null) return Promise.reject(this.#failure);
    if (this.#isStopping) return Promise.reject(stopped());
    const { hash, id } = identify(transaction);
    const refusal = this.#refusal(transaction, id);
    if (refusal !== null) return Promise.resolve({ ...refusal, hash, height: 0 });
    return new Promise((resolve, reject) => {
      this.#mempool.add({ transaction, hash, id, resolve, reject });
      this.#wake();
    });
  }

  /** Ends after the block in the making; what still waits is refused with `stopped`. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    await this.#run;
    for (const waiting of this.#mempool.drain()) waiting.reject(stopped());
    this.#end.resolve();
  }

  #refusal(transaction: Uint8Array, id: string): TransactionResult | null {
    if (transaction.length > TRANSACTION_BYTES_MAX) {
      const info = `${transaction.length} bytes, at most ${TRANSACTION_BYTES_MAX}`;
      return { code: TRANSACTION_CODE.oversized, info };
    }
    if (this.#mempool.holds(id)) {
      return { code: TRANSACTION_CODE.duplicate, info: "waits already, or was executed" };
    }
    if (!this.#mempool.fits(transaction)) {
      const info = `${this.#mempool.size} transactions wait already`;
      return { code: TRANSACTION_CODE.mempool_full, info };
    }
    const checked = this.#options.applier.application.checkTx(transaction);
    return checked.code === TRANSACTION_CODE.ok ? null : checked;
  }

  #wake(): void {
    if (this.#isRunning || this.#failure !== null) return;
    this.#isRunning = true;
    this.#run = this.#produceAll().catch((failure: unknown) => this.#fail(failure));
  }

  /** Disk full, a broken invariant: nobody may believe that the chain still moves. */
  #fail(failure: unknown): void {
    this.#failure = failure;
    for (const waiting of this.#mempool.drain()) waiting.reject(failure);
    this.#end.reject(failure);
  }

  async #produceAll(): Promise<void> {
    try {
      // Let everything that arrives in this turn of the event loop into the first block.
      await Promise.resolve();
      while (!this.#isStopping) {
        requireKnownVersion(this.#options.applier.application);
        const candidates = this.#mempool.oldest(this.#alone > 0 ? 1 : BLOCK_TRANSACTIONS_MAX);
        if (candidates.length === 0 && !this.#owesBlock()) return;
        if (!(await this.#produce(candidates))) return;
      }
    } finally {
      // In the same turn as the decision to return, or a submission in between would be missed.
      this.#isRunning = false;
    }
  }

  #owesBlock(): boolean {
    const { state } = this.#options.applier.store;
    if (this.#tip === null || state === null) return false;
    return !bytesEqual(this.#tip.appHash, state.appHash);
  }

  /** Makes one block. False where there is nothing to make one of. */
  async #produce(candidates: readonly Waiting[]): Promise<boolean> {
    const { application } = this.#options.applier;
    const draft = this.#draft(candidates.map((waiting) => waiting.transaction));
    const { transactions } = application.prepareProposal(draft);
    if (candidates.length > 0 && transactions.length === 0) return this.#dropRefused(candidates);
    const proposal = { ...draft, transactions };
    const verdict = application.processProposal(proposal);
    if (!verdict.accept) {
      this.#discard({ candidates, height: draft.height, reason: verdict.reason });
      return true;
    }
    await this.#commit(proposal);
    if (candidates.length > 0) this.#alone = Math.max(0, this.#alone - 1);
    return true;
  }

  #draft(transactions: readonly Uint8Array[]): Block {
    const { clock, genesis } = this.#options;
    const parentS = this.#tip?.timeS ?? unixSeconds(genesis.genesisTimeS);
    const timeS = Math.max(parentS, clock.nowS()) as UnixSeconds;
    return { height: this.#options.applier.store.height + 1, timeS, transactions };
  }

  /**
   * The application wants none of them in a block: answer those it refuses by now. The others wait
   * for the next submission, since asking again at once would give the same answer.
   */
  #dropRefused(candidates: readonly Waiting[]): boolean {
    let dropped = 0;
    for (const { id, transaction, hash, resolve } of candidates) {
      const checked = this.#options.applier.application.checkTx(transaction);
      if (checked.code === TRANSACTION_CODE.ok) continue;
      this.#mempool.remove(id);
      resolve({ ...checked, hash, height: 0 });
      dropped++;
    }
    return dropped > 0;
  }

  /**
   * The application refused its own proposal. One transaction is at fault; the others must not go
   * down with it, so each is proposed alone, and the one that fails alone is thrown out.
   */
  #discard({
    candidates,
    height,
    reason,
  }: {
    candidates: readonly Waiting[];
    height: number;
    reason: string;
  }): void {
    assert(candidates.length > 0, "an application must accept an empty block");
    if (candidates.length > 1) {
      this.#alone = candidates.length;
      return;
    }
    this.#alone = Math.max(0, this.#alone - 1);
    for (const { id, reject } of candidates) {
      this.#mempool.remove(id);
      reject(new GridError("block_rejected", `no valid block: ${reason}`, { height, reason }));
    }
  }

  async #commit(proposal: Block): Promise<void> {
    const { applier } = this.#options;
    const block = this.#sign(proposal);
    applier.faults?.before("write_block");
    await applier.store.writeBlock(block);
    const finalized = await applyBlock(applier, block);
    this.#tip = block.header;
    applier.faults?.before("acknowledge");
    this.#acknowledge(block, finalized.results);
    const { height, timeS } = block.header;
    const committed: CommittedBlock = { height, timeS, ...finalized };
    for (const listener of [...this.#listeners]) listener(committed);
  }

  #sign({ height, timeS, transactions }: Block): StoredBlock {
    const { applier, genesis, secretKey } = this.#options;
    const { state } = applier.store;
    assert(state !== null, "a chain starts from the state of genesis");
    assert(state.height === height - 1, "a block builds on the committed state");
    const header = {
      chainVersion: applier.application.info().nextVersion.version,
      networkId: genesis.networkId,
      height,
      timeS,
      parentHash: this.#tip === null ? new Uint8Array(32) : headerHash(this.#tip),
      appHash: state.appHash,
    };
    return signBlock({ header, transactions, secretKey });
  }

  #acknowledge(block: StoredBlock, results: readonly TransactionResult[]): void {
    block.transactions.forEach((transaction, i) => {
      const { hash, id } = identify(transaction);
      const result = results[i]!;
      if (result.code === TRANSACTION_CODE.ok) this.#mempool.rememberExecuted(id);
      this.#mempool.remove(id)?.resolve({ ...result, hash, height: block.header.height });
    });
  }
}

function stopped() {
  return new GridError("stopped", "the node is stopping: submit the transaction again later", {
    what: "sequencer",
  });
}
