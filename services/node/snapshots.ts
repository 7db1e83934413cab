/**
 * The node's own snapshots: taken every so many slots while the chain goes on, kept on a shelf,
 * oldest thrown away; and how far back blocks are kept, which never goes past the oldest snapshot:
 * from it and the blocks after it everything can be made again.
 *
 * Safe because a committed state never changes: it is encoded lane by lane, and blocks are made in
 * between. A snapshot that fails (a full disk) is reported and tried again with the next slot.
 */
import { mkdirSync } from "node:fs";
import { rm } from "node:fs/promises";
import type { Snapshot } from "../chain/abci.ts";
import type { ChainReader, CommittedBlock } from "../chain/access.ts";
import type { MarketApplication } from "../chain/application.ts";
import type { SnapshotSource } from "../chain/snapshot.ts";
import { assert } from "../primitives/errors.ts";
import { storeFailure } from "../primitives/store-failure.ts";
import type { Log } from "./log.ts";
import {
  chunkOf,
  type IgnoredSnapshot,
  type KeptSnapshot,
  readShelf,
  removePartial,
  SnapshotWriter,
} from "./snapshot-files.ts";

export type SnapshotsOptions = {
  readonly directory: string;
  readonly everySlots: number;
  readonly keep: number; // at least 1
  readonly retain: Retain;
  readonly log: Pick<Log, "info" | "warn">;
};

/** Blocks that stay beside those that the snapshots need. */
export type Retain = "all" | { readonly blocks: number } | { readonly days: number };

/** Headers looked at with one block, so that a late start does not stall it. */
const HEADERS_PER_BLOCK_MAX = 256;
const DAY_S = 86_400;

type Chain = {
  readonly reader: ChainReader;
  readonly application: Pick<MarketApplication, "snapshot" | "head">;
  /** Time of a block, also of one that was pruned; null where there is none. */
  readonly timeOf: (height: number) => Promise<number | null>;
  readonly firstHeight: number; // lowest block whose time is known
};

export class Snapshots {
  readonly #options: SnapshotsOptions;
  #kept: readonly KeptSnapshot[];
  /** Found at the start and not used: doctor and log name them. */
  readonly ignored: readonly IgnoredSnapshot[];
  #taking: Promise<void> | null = null;
  #awaited: () => void = () => undefined;
  #isStopping = false;
  #isAging = false;
  /** Blocks below are older than the days that are kept. */
  #oldestKept = 1;

  /** @throws GridError permission_denied */
  constructor(options: SnapshotsOptions) {
    this.#options = options;
    const { directory, log } = options;
    try {
      mkdirSync(directory, { recursive: true });
    } catch (failure) {
      throw storeFailure(failure, { directory, what: "the snapshots" });
    }
    const { kept, ignored } = readShelf(directory);
    this.#kept = kept;
    this.ignored = ignored;
    for (const { directory: place, why } of ignored) log.warn({ place, why }, "snapshot ignored");
    removePartial(ignored);
  }

  get kept(): readonly KeptSnapshot[] {
    return this.#kept;
  }

  /** For the application and for ordering: always what is on the shelf now. */
  readonly source: SnapshotSource = {
    list: () => this.#kept.map(({ snapshot }) => snapshot),
    chunk: (place) => chunkOf(this.#kept, place),
  };

  /** For the application's commit. Node-local, and never above the oldest snapshot. */
  readonly retainHeight = (headHeight: number): number => {
    const { retain } = this.#options;
    const oldest = this.#kept.at(-1);
    if (retain === "all" || oldest === undefined) return 0;
    const wanted = "blocks" in retain ? headHeight - retain.blocks + 1 : this.#oldestKept;
    return Math.max(0, Math.min(wanted, oldest.snapshot.height));
  };

  /** Follows the chain. Returns the way to stop, which waits for what is being written. */
  follow(chain: Chain): () => Promise<void> {
    this.#oldestKept = chain.firstHeight;
    const unsubscribe = chain.reader.onBlock((block) => {
      this.#awaited(); // any block after the one that a snapshot waits with
      this.#age(chain, block);
      if (block.slotRecords.length > 0) this.#takeIfDue(chain);
    });
    return async () => {
      this.#isStopping = true;
      this.#awaited();
      unsubscribe();
      await this.#taking;
    };
  }

  #takeIfDue(chain: Chain): void {
    const { everySlots, log } = this.#options;
    const { height, clearedSlots } = chain.application.head();
    const last = this.#kept[0]?.clearedSlots ?? 0;
    if (this.#taking !== null || clearedSlots - last < everySlots) return;
    this.#taking = this.#take(chain, clearedSlots)
      .catch((failure: unknown) => {
        // The chain goes on without it: what fails here loses nothing that was acknowledged.
        const why = failure instanceof Error ? failure.message : String(failure);
        log.warn({ height, why }, "snapshot failed");
      })
      .finally(() => {
        this.#taking = null;
      });
  }

  async #take(chain: Chain, clearedSlots: number): Promise<void> {
    const { directory, keep, log } = this.#options;
    const { height } = chain.application.head();
    const steps = chain.application.snapshot(); // of this very state, whatever blocks follow
    const follows = this.#blockAfter(chain, height);
    const writer = new SnapshotWriter(directory, height);
    try {
      const snapshot = await this.#write(steps, writer);
      await follows;
      if (snapshot === null || this.#isStopping) return await writer.discard();
      const [signed, next] = await Promise.all([
        chain.reader.block(height),
        chain.reader.block(height + 1),
      ]);
      assert(signed !== null && next !== null, "a block above the last snapshot is not pruned");
      const anchor = { signed, next };
      const regions = chain.reader.genesis.regions.length;
      const kept = await writer.finish({ snapshot, clearedSlots, regions, anchor });
      const all = [kept, ...this.#kept];
      this.#kept = all.slice(0, keep);
      for (const old of all.slice(keep)) await rm(old.directory, { recursive: true, force: true });
      log.info({ height, chunks: snapshot.chunks }, "snapshot taken");
    } catch (failure) {
      await writer.discard();
      throw failure;
    }
  }

  /** Null where the node is stopping. */
  async #write(
    steps: Generator<readonly Uint8Array[], Snapshot, void>,
    writer: SnapshotWriter,
  ): Promise<Snapshot | null> {
    for (let step = steps.next(); ; step = steps.next()) {
      if (step.done === true) return step.value;
      for (const chunk of step.value) writer.writeChunk(chunk);
      await new Promise((resolve) => setImmediate(resolve)); // blocks go first
      if (this.#isStopping) return null;
    }
  }

  /** Settles when the block after a height is there, or the node stops. */
  #blockAfter({ reader }: Chain, height: number): Promise<void> {
    if (this.#isStopping || reader.head().height > height) return Promise.resolve();
    return new Promise((resolve) => {
      this.#awaited = resolve;
    });
  }

  /** Moves the oldest block that is kept by its age; a failing look-up only keeps more. */
  #age({ timeOf }: Chain, { timeS }: CommittedBlock): void {
    const { retain, log } = this.#options;
    if (retain === "all" || "blocks" in retain || this.#isAging) return;
    this.#isAging = true;
    const fromS = timeS - retain.days * DAY_S;
    const walk = async () => {
      for (let looked = 0; looked < HEADERS_PER_BLOCK_MAX; looked++) {
        const at = await timeOf(this.#oldestKept);
        if (at === null || at >= fromS) return;
        this.#oldestKept += 1;
      }
    };
    walk()
      .catch((failure: unknown) => log.warn({ why: String(failure) }, "retention not moved"))
      .finally(() => {
        this.#isAging = false;
      });
  }
}
