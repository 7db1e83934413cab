/**
 * One audit: the replay of a source's blocks on a state of its own, and the comparison of all that
 * the source holds with the outcome. Knows its source by `AuditSource` alone.
 */
import type { Application, StoreChange } from "../chain/abci.ts";
import { createApplication } from "../chain/application.ts";
import type { AuditSource } from "../chain/audit-source.ts";
import { wholeRecords } from "../chain/change-records.ts";
import type { LaneExecutor } from "../chain/lane-executor.ts";
import { decodeEntries } from "../chain/payment-entries.ts";
import { valueDifference } from "../chain/record-difference.ts";
import { createRules, type Rules } from "../chain/rules.ts";
import { entryOf, isStateKey, placeOfKey } from "../chain/store-keys.ts";
import { assumedRecord } from "../chain/stored-state.ts";
import type { VersionTable } from "../chain/versions.ts";
import { decodeBody, decodeSignedHeader } from "../ordering/embedded/block.ts";
import { decodeResponse } from "../ordering/embedded/engine-records.ts";
import { requireKnownVersion } from "../ordering/embedded/version-gate.ts";
import { InvariantError } from "../primitives/errors.ts";
import type { UnixSeconds } from "../primitives/units.ts";
import type { AuditHead } from "../wire/audit-page.ts";
import type { Genesis } from "../wire/genesis.ts";
import type { Header } from "../wire/header.ts";
import { blockDifference } from "./audit-block.ts";
import { type BlockChecks, withChecks } from "./audit-checks.ts";
import { compareEnd } from "./audit-end.ts";
import { BlockFeed, type FedBlock } from "./audit-feed.ts";
import { Diverged, type Divergence, decoded, type Place, refuse } from "./audit-finding.ts";
import { HistoryComparison } from "./audit-history.ts";
import { AuditLedger } from "./audit-ledger.ts";
import { type CheckPool, eventLoopTurn } from "./audit-pool.ts";
import type { AuditStart } from "./audit-start.ts";
import { type AuditTotals, addBlock, emptyTotals } from "./audit-totals.ts";

export type AuditProgress = {
  readonly height: number;
  readonly blocks: number; // all that are stored
  readonly slots: number; // cleared so far
};

export class Auditor {
  readonly #source: AuditSource;
  readonly #genesis: Genesis;
  readonly #rules: Rules;
  readonly #pool: CheckPool;
  readonly #start: AuditStart;
  readonly #onProgress: (progress: AuditProgress) => void;
  readonly #application: Application;
  /** What was found out ahead about the block in the making. */
  #checks: BlockChecks | null = null;
  readonly #feed: BlockFeed;
  readonly #history: HistoryComparison;
  readonly #ledger: AuditLedger;
  readonly #totals = emptyTotals();
  /** The state's records as the replay has them: what the store must hold at the end. */
  readonly #state: Map<string, Uint8Array>;
  #height: number;
  #timeS: UnixSeconds;
  #appHash: Uint8Array;
  #parent: Header | null;
  #blocks: number; // all that are known to be stored

  constructor(parts: {
    readonly source: AuditSource;
    readonly genesis: Genesis;
    readonly versions: VersionTable | undefined;
    readonly pool: CheckPool;
    readonly executor: LaneExecutor;
    readonly start: AuditStart;
    readonly head: AuditHead;
    readonly onProgress: (progress: AuditProgress) => void;
  }) {
    const { source, genesis, start } = parts;
    this.#source = source;
    this.#genesis = genesis;
    this.#pool = parts.pool;
    this.#start = start;
    this.#onProgress = parts.onProgress;
    const rules = createRules(genesis);
    this.#rules = rules;
    const { records: stored } = start;
    const executor = withChecks(parts.executor, () => this.#checks);
    const { versions } = parts;
    this.#application = createApplication({ genesis, stored, executor, versions });
    if (start.height === 0) this.#application.initChain();
    this.#state = new Map(stored);
    this.#height = start.height;
    this.#timeS = start.timeS;
    this.#appHash = this.#application.info().lastBlockAppHash;
    this.#parent = start.parent;
    this.#blocks = parts.head.blocks;
    const regionOf = (key: string) => this.#regionOf(key);
    this.#feed = new BlockFeed({ source, pool: this.#pool, fromHeight: start.height + 1 });
    this.#history = new HistoryComparison({ source, genesis, regionOf });
    this.#ledger = new AuditLedger(rules, start);
  }

  get appHash(): Uint8Array {
    return this.#appHash;
  }

  get totals(): Readonly<AuditTotals> {
    return this.#totals;
  }

  /** @returns the first divergence, or null where all is equal */
  async run(head: AuditHead): Promise<Divergence | null> {
    return this.#firstOf(async () => {
      await this.#replay(head.state?.height ?? 0, "compare");
      await this.#history.settle();
      await compareEnd(this.#source, this.#genesis, this.#replayed());
      await this.#ledgerEnd();
      // A block may be written and not executed: it is checked, with no outcome to compare.
      await this.#replay(head.blocks, "execute");
    });
  }

  /** A difference in what waits for comparison came before the one that was thrown. */
  async #firstOf(work: () => Promise<void>): Promise<Divergence | null> {
    try {
      try {
        await work();
      } catch (failure) {
        if (failure instanceof Diverged) await this.#history.settle();
        throw failure;
      }
      await this.#history.settle();
      return null;
    } catch (failure) {
      if (!(failure instanceof Diverged)) throw failure;
      return failure.divergence;
    }
  }

  async #replay(until: number, outcome: "compare" | "execute"): Promise<void> {
    this.#blocks = Math.max(this.#blocks, until);
    this.#feed.extend(until);
    while (this.#height < until) {
      this.#block(await this.#feed.next(), outcome);
      await this.#history.proceed();
      await eventLoopTurn();
      const [height, blocks] = [this.#height, this.#blocks];
      this.#onProgress({ height, blocks, slots: this.#totals.slots });
    }
  }

  #block({ bytes, checks }: FedBlock, outcome: "compare" | "execute"): void {
    requireKnownVersion(this.#application);
    const height = this.#height + 1;
    const at: Place = { block: height, region: null, record: "block" };
    const signed = decoded(at, () => decodeSignedHeader(bytes.header));
    const block = { ...signed, transactions: decoded(at, () => decodeBody(bytes.body)) };
    const { header, transactions } = block;
    const difference = blockDifference({
      ...{ genesis: this.#genesis, block, height, parent: this.#parent, appHash: this.#appHash },
      chainVersion: this.#application.info().nextVersion.version,
      ...{ parentKnown: height === 1 || this.#parent !== null },
      signatureValid: checks?.signatureValid ?? null,
    });
    refuse(at, difference);
    const proposal = { height, timeS: header.timeS, transactions };
    const { accept, reason } = this.#application.processProposal(proposal);
    if (!accept) refuse(at, { field: "proposal", stored: reason, computed: "a valid block" });
    this.#checks = checks;
    const { finalized, changes } = this.#execute(at, () => {
      const answered = this.#application.finalizeBlock(proposal);
      return { finalized: answered, changes: this.#application.commit().changes };
    });
    addBlock(this.#totals, transactions, finalized);
    this.#height = height;
    this.#timeS = header.timeS;
    this.#appHash = finalized.appHash;
    this.#parent = header;
    if (outcome === "compare" || bytes.response !== null) {
      this.#compareResponse(height, bytes.response, finalized);
    }
    this.#takeChanges(height, changes, outcome);
    const found = this.#ledger.block({ transactions, finalized });
    if (found !== null) {
      const region = this.#region(found.regionIndex);
      refuse({ block: height, region, record: found.record }, found.difference);
    }
  }

  /** A broken invariant inside the replay is a finding, and says where. */
  #execute<Result>(at: Place, work: () => Result): Result {
    try {
      return work();
    } catch (failure) {
      if (!(failure instanceof InvariantError)) throw failure;
      const stored = "a committed block";
      throw new Diverged({ ...at, field: "invariant", stored, computed: failure.message });
    }
  }

  #compareResponse(
    height: number,
    bytes: Uint8Array | null,
    finalized: { readonly appHash: Uint8Array; readonly results: readonly { code: number }[] },
  ): void {
    const at: Place = { block: height, region: null, record: "response" };
    const response = bytes === null ? null : decoded(at, () => decodeResponse(bytes));
    const codes = (results: readonly { code: number }[]) => results.map(({ code }) => code);
    const stored = response && { appHash: response.appHash, results: codes(response.results) };
    const computed = { appHash: finalized.appHash, results: codes(finalized.results) };
    refuse(at, valueDifference("", stored, computed));
  }

  /** History is compared at once, state at the end. */
  #takeChanges(
    height: number,
    changes: readonly StoreChange[],
    outcome: "compare" | "execute",
  ): void {
    for (const change of changes) {
      if (!isStateKey(change.key)) {
        const entry = entryOf(change.key);
        if (entry !== null) this.#ledger.entries(decodeEntries(entry, change.value!));
        if (outcome === "compare") this.#history.expect(height, change);
      } else if (change.value === null) this.#state.delete(change.key);
      else this.#state.set(change.key, change.value);
    }
  }

  /** The lanes' balances and energy must be what the ledger has added up from bills and reports. */
  async #ledgerEnd(): Promise<void> {
    const found = this.#ledger.end(wholeRecords(this.#state));
    if (found === null) return;
    const region = this.#region(found.regionIndex);
    refuse({ block: this.#height, region, record: found.record }, found.difference);
  }

  #replayed() {
    return {
      height: () => this.#height,
      state: () => ({ height: this.#height, timeS: this.#timeS, appHash: this.#appHash }),
      records: this.#state,
      catchUp: async (height: number) => {
        await this.#replay(height, "compare");
        await this.#history.settle();
      },
      isHistory: (key: string) => this.#history.made(key) || this.#start.holds(key),
      regionOf: (key: string) => this.#regionOf(key),
      assumed: (key: string) => assumedRecord(this.#rules, key),
    };
  }

  #regionOf(key: string): string | null {
    const place = placeOfKey(key);
    return place === null ? null : this.#region(place.regionIndex);
  }

  #region(regionIndex: number): string {
    return this.#genesis.regions[regionIndex]?.id ?? `region ${regionIndex}`;
  }
}
