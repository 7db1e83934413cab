/**
 * The oracle of one committee member: signed readings in, certified reports out.
 *
 * It owns no timer, clock, socket or disk of its own: all are handed in. `ingest` is called for each
 * MQTT message, `tick` by the node's timer and after each block; both may be called at any time.
 *
 * Safe because a slot is closed in memory, its report and the rows behind it are made durable in one
 * write that follows every reading it counts, and only then the certificate leaves. After a crash
 * the store holds a prefix of that history: a reading is in it with its receipt or not at all, and
 * for a slot that was signed only the stored bytes are ever sent again.
 */
import type { ChainHead, LaneView, Submitted } from "../chain/access.ts";
import { ed25519PublicKey } from "../crypto/ed25519.ts";
import type { Clock } from "../primitives/clock.ts";
import { assert, GridError } from "../primitives/errors.ts";
import {
  INGEST_BATCH_READINGS_MAX,
  READING_FUTURE_S_MAX,
  REPORTS_PER_WRITE_MAX,
} from "../primitives/limits.ts";
import { type Slot, slotEndS, type UnixSeconds } from "../primitives/units.ts";
import { type Genesis, oracleConfigDigest } from "../wire/genesis.ts";
import { transactionCodeName } from "../wire/refusals.ts";
import { encodeReport, encodeReportTransaction, type Report } from "../wire/report.ts";
import { type Committee, type OracleKeys, openCommittee } from "./committee.ts";
import { GroupCommit } from "./group-commit.ts";
import { Ingest, type IngestCounters } from "./ingest.ts";
import { type Refusal, RefusalLog, type RefusalPage, type RefusalQuery } from "./refusal-log.ts";
import { Region } from "./region.ts";
import type { OracleStore, StoreChange } from "./store.ts";
import { slotKey } from "./store-keys.ts";
import { Submitter } from "./submitter.ts";

/** A logger such as pino: facts first, then the event's name. */
export type OracleLog = {
  info(facts: object, event: string): void;
  warn(facts: object, event: string): void;
  error(facts: object, event: string): void;
};

/** Points of no return, in the life of a record and of a report: where crash tests strike. */
export type OracleStep = "received" | "durable" | "acknowledged" | "signed" | "submitted";

export type OracleOptions = {
  readonly genesis: Genesis;
  readonly keys: OracleKeys;
  readonly store: OracleStore; // stays the caller's: closed after `stop`
  readonly clock: Clock;
  readonly chain: {
    head(): ChainHead;
    lane(regionIndex: number): LaneView;
    submit(transaction: Uint8Array): Promise<Submitted>;
  };
  /** Called after the record is durable. */
  readonly publishReceipt: (topic: string, payload: Uint8Array) => void;
  readonly log: OracleLog;
  /** Market seconds after the start in which no slot is cut off, so that journals can drain. */
  readonly startGraceS: number;
  /** How far a reading may run ahead of market time; more where readings drive the clock. */
  readonly futureS?: number;
  readonly onRefusal?: (refusal: Refusal) => void;
  /** After each accepted reading is durable, before its slot may close: moves a driven clock. */
  readonly onAccepted?: (intervalEndS: UnixSeconds) => void;
  /** The store failed: nothing is taken in any more, the process should stop and start again. */
  readonly onFailure?: (failure: unknown) => void;
  readonly onStep?: (step: OracleStep) => void;
};

export type OracleCounters = IngestCounters & {
  readonly reportsClosed: number;
  readonly reportsSubmitted: number;
  readonly reportsRefused: number;
  readonly waiting: number; // records and reports that are not durable yet
  readonly lateEntries: number; // that wait for a report
};

export type MeterStatus = {
  readonly lastIntervalEndS: UnixSeconds | null; // null: never heard of
  readonly lastReceivedS: UnixSeconds | null; // market time
  readonly quality: number; // QUALITY; missing while a reported slot lacks this meter
  readonly boot: number; // -1: never heard of
  readonly seq: number;
};

export type Oracle = {
  /** Resolves when durable, in the order of the calls. @throws GridError queue_full, stopped */
  ingest(arrival: { readonly topic: string; readonly payload: Uint8Array }): Promise<void>;
  /** Closes what is due and submits what the chain lacks; resolves when nothing more is to do now. */
  tick(): Promise<void>;
  counters(): OracleCounters;
  refusals(query: RefusalQuery): Promise<RefusalPage>;
  meterStatus(regionIndex: number): MeterStatus[];
  /** The slot of the region's next report. */
  nextSlot(regionIndex: number): Slot;
  /** Takes nothing more in, waits for what is under way. */
  stop(): Promise<void>;
};

/**
 * @throws GridError oracle_key_unknown, argument_invalid: keys or genesis do not fit
 * @throws GridError store_outdated where the chain has reports that this store does not know
 */
export async function startOracle(options: OracleOptions): Promise<Oracle> {
  const { genesis, store } = options;
  const committee = openCommittee(genesis, options.keys);
  if (committee.quorum > 1) throw quorumUnreachable(committee);
  const regions = genesis.regions.map((_, index) => new Region(genesis, index));
  for (const region of regions) {
    await region.restore(store);
    const reported = options.chain.lane(region.index).reportedSlot;
    if (reported !== null && reported >= region.nextSlot) throw storeOutdated(store, region, reported);
  }
  const member = new OracleMember(options, committee, regions);
  const refusals = member.refusals;
  options.log.info({ member: committee.memberId, regions: regions.length }, "oracle started");
  return {
    ingest: (arrival) => member.ingest(arrival),
    tick: () => member.tick(),
    counters: () => member.counters(),
    refusals: (query) => refusals.read(query),
    meterStatus: (regionIndex) => statusOf(regions[regionIndex]),
    nextSlot: (regionIndex) => regions[regionIndex]!.nextSlot,
    stop: () => member.stop(),
  };
}

class OracleMember {
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
        this.#tickSoon();
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
  #tickSoon(): void {
    if (this.#isTickPending) return;
    this.#isTickPending = true;
    queueMicrotask(() => {
      this.#isTickPending = false;
      this.tick().catch((failure) => {
        this.#options.log.error({ err: failure }, "oracle tick failed");
        this.#options.onFailure?.(failure);
      });
    });
  }
}

function statusOf(region: Region | undefined): MeterStatus[] {
  return (region?.meters ?? []).map((meter) => ({
    lastIntervalEndS: meter.lastReceivedS === null ? null : meter.state.intervalEndS,
    lastReceivedS: meter.lastReceivedS,
    quality: region!.currentQuality(meter),
    boot: meter.state.boot,
    seq: meter.state.seq,
  }));
}

function quorumUnreachable({ quorum }: Committee) {
  return new GridError(
    "argument_invalid",
    `genesis asks for ${quorum} oracle signatures, and this oracle is a committee of one`,
    { argument: "oracle.members", value: String(quorum) },
  );
}

function storeOutdated(store: OracleStore, region: Region, reported: Slot) {
  const endS = slotEndS(reported, region.rules.slotS);
  return new GridError(
    "store_outdated",
    `the chain has the report of ${region.id} up to ${endS} (unix s), the oracle's store in ` +
      `${store.directory} only knows of earlier ones: bring back the newer store`,
    { directory: store.directory, have: region.nextSlot - 1, need: reported },
  );
}

function stopped() {
  return new GridError("stopped", "the oracle is stopping: send it again after the start", {
    what: "oracle",
  });
}
