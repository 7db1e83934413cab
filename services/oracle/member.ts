/**
 * The running oracle: ingest, closing and submission around one group commit.
 *
 * One closing pass runs at a time. A report's rows join the same queue of writes as the readings it
 * counts, behind them; that order is what makes a crash at any instant harmless.
 */
import { ed25519PublicKey } from "../crypto/ed25519.ts";
import { assert, GridError } from "../primitives/errors.ts";
import {
  INGEST_BATCH_READINGS_MAX,
  READING_FUTURE_S_MAX,
  REPORTS_PER_WRITE_MAX,
} from "../primitives/limits.ts";
import type { Slot, UnixSeconds } from "../primitives/units.ts";
import { oracleConfigDigest } from "../wire/genesis.ts";
import { transactionCodeName } from "../wire/refusals.ts";
import { encodeReport, encodeReportTransaction, type Report } from "../wire/report.ts";
import type { Committee } from "./committee.ts";
import { GroupCommit } from "./group-commit.ts";
import { Ingest } from "./ingest.ts";
import type { OracleCounters, OracleOptions } from "./oracle.ts";
import { RefusalLog } from "./refusal-log.ts";
import type { Region } from "./region.ts";
import type { StoreChange } from "./store.ts";
import { slotKey } from "./store-keys.ts";
import { Submitter } from "./submitter.ts";

export class OracleMember {
  readonly refusals: RefusalLog;
  readonly #options: OracleOptions;
  readonly #committee: Committee;
  readonly #regions: readonly Region[];
  readonly #commit: GroupCommit;
  readonly #ingest: Ingest;
  readonly #submitters: readonly Submitter[];
  readonly #durableBefore: Slot[]; // by region: reports of earlier slots are durable
  readonly #configDigest: Uint8Array;
  readonly #startS: UnixSeconds;
  #closing: Promise<void> | null = null;
  #isTickPending = false;
  #isStopped = false;
  #reports = { closed: 0, submitted: 0, refused: 0 };

  constructor(options: OracleOptions, committee: Committee, regions: readonly Region[]) {
    this.#options = options;
    this.#committee = committee;
    this.#regions = regions;
    this.#configDigest = oracleConfigDigest(options.genesis);
    this.#startS = options.clock.nowS();
    this.#durableBefore = regions.map((region) => region.nextSlot);
    this.refusals = new RefusalLog(options.store);
    this.#commit = new GroupCommit({
      write: (changes) => this.#write(changes),
      ticketsMax: INGEST_BATCH_READINGS_MAX,
    });
    this.#ingest = this.#openIngest();
    this.#submitters = regions.map((region) => this.#openSubmitter(region));
  }

  ingest(arrival: { topic: string; payload: Uint8Array }): Promise<void> {
    if (this.#isStopped) return Promise.reject(stopped());
    this.#options.onStep?.("received");
    return this.#ingest.take(arrival);
  }

  async tick(): Promise<void> {
    if (this.#isStopped || this.#commit.failure !== null) return;
    await this.#close();
    await Promise.all(this.#submitters.map((submitter) => this.#submit(submitter)));
  }

  counters(): OracleCounters {
    let lateEntries = 0;
    for (const region of this.#regions) lateEntries += region.lateEntries;
    return {
      ...this.#ingest.counters(),
      reportsClosed: this.#reports.closed,
      reportsSubmitted: this.#reports.submitted,
      reportsRefused: this.#reports.refused,
      waiting: this.#commit.size,
      lateEntries,
    };
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#closing?.catch(() => {});
    await Promise.all(this.#submitters.map((submitter) => submitter.stop()));
    await this.#commit.idle();
  }

  async #write(changes: readonly StoreChange[]): Promise<void> {
    try {
      await this.#options.store.write(changes);
    } catch (failure) {
      this.#options.log.error({ err: failure }, "oracle store failed");
      this.#options.onFailure?.(failure);
      throw failure;
    }
    this.#options.onStep?.("durable");
  }

  /** One closing pass at a time; a call during a pass is answered by the pass after it. */
  async #close(): Promise<void> {
    while (this.#closing !== null) await this.#closing;
    this.#closing = this.#closeDue().finally(() => {
      this.#closing = null;
    });
    await this.#closing;
  }

  async #closeDue(): Promise<void> {
    for (;;) {
      const closed = this.#closeSome();
      if (closed.length === 0) return;
      const changes = closed.flatMap((report) => report.changes);
      await this.#commit.add(changes, () => {
        for (const { region, slot } of closed) {
          this.#durableBefore[region.index] = (slot + 1) as Slot;
        }
        this.#reports.closed += closed.length;
        this.#options.onStep?.("signed");
      });
    }
  }

  #closeSome() {
    const nowS = this.#options.clock.nowS();
    const isGraceOver = nowS >= this.#startS + this.#options.startGraceS;
    const now = { nowS, cutoff: isGraceOver ? "open" : "held" } as const;
    const closed: { region: Region; slot: Slot; changes: StoreChange[] }[] = [];
    for (const region of this.#regions) {
      while (closed.length < REPORTS_PER_WRITE_MAX && region.isDue(now)) {
        const { report, changes } = region.close(this.#configDigest);
        closed.push({ region, slot: report.slot, changes: [...changes, this.#sign(report)] });
      }
    }
    return closed;
  }

  /** Signs a report, once for each region and slot: the row is durable before anybody sees it. */
  #sign(report: Report): StoreChange {
    assert(this.#options.store.report(report) === undefined, "a slot is signed once");
    const reportBytes = encodeReport(report);
    const share = this.#committee.sign(reportBytes);
    const certificate = this.#committee.certify(reportBytes, [share]);
    assert(certificate !== null, "a committee of one is its own quorum");
    const value = encodeReportTransaction({ reportBytes, certificate });
    return { table: "report", key: slotKey(report), value };
  }

  async #submit(submitter: Submitter): Promise<void> {
    try {
      await submitter.run();
    } catch (failure) {
      // The chain could not answer; the next tick asks again.
      this.#options.log.warn({ err: failure }, "report not submitted");
      if (!(failure instanceof GridError)) throw failure;
    }
  }

  #openIngest(): Ingest {
    const { genesis, keys, store, clock, publishReceipt } = this.#options;
    return new Ingest({
      networkId: genesis.networkId,
      regions: new Map(this.#regions.map((region) => [region.id, region])),
      store,
      commit: this.#commit,
      refusals: this.refusals,
      clock,
      futureS: this.#options.futureS ?? READING_FUTURE_S_MAX,
      member: {
        id: this.#committee.memberId,
        receiptSecretKey: keys.receiptSecretKey,
        receiptPublicKey: ed25519PublicKey(keys.receiptSecretKey),
        saltSecret: keys.saltSecret,
      },
      publishReceipt: (topic, payload) => {
        publishReceipt(topic, payload);
        this.#options.onStep?.("acknowledged");
      },
      onAccepted: ({ intervalEndS }) => {
        this.#options.onAccepted?.(intervalEndS);
        this.tickSoon();
      },
      onRefused: (refusal) => this.#options.onRefusal?.(refusal),
    });
  }

  #openSubmitter(region: Region): Submitter {
    const { chain, store, log } = this.#options;
    const regionIndex = region.index;
    return new Submitter({
      wantedSlot: () => {
        const reported = chain.lane(regionIndex).reportedSlot;
        return (reported === null ? region.rules.genesisSlot : reported + 1) as Slot;
      },
      durableBefore: () => this.#durableBefore[regionIndex]!,
      report: (slot) => store.report({ regionIndex, slot }),
      submit: (transaction) => chain.submit(transaction),
      onSubmitted: () => {
        this.#reports.submitted++;
        this.#options.onStep?.("submitted");
      },
      onRefused: (slot, { code, info }) => {
        this.#reports.refused++;
        const facts = { region: region.id, slot, code: transactionCodeName(code), info };
        log.error(facts, "report refused by the chain");
      },
    });
  }

  /** One tick for all readings of a batch, after the last of them has been answered. */
  tickSoon(): void {
    if (this.#isTickPending) return;
    this.#isTickPending = true;
    queueMicrotask(() => {
      this.#isTickPending = false;
      this.tick().catch((failure) => {
        if (this.#commit.failure !== null) return; // told already
        this.#options.log.error({ err: failure }, "oracle tick failed");
        this.#options.onFailure?.(failure);
      });
    });
  }
}

function stopped() {
  return new GridError("stopped", "the oracle is stopping: send it again after the start", {
    what: "oracle",
  });
}
