/**
 * The oracle of one committee member: signed readings in, certified reports out.
 *
 * It owns no timer, clock, socket or disk of its own: all are handed in. `ingest` is called for
 * each MQTT message, `tick` by the node's timer and after each block; both at any time.
 *
 * Safe because a slot is closed in memory, its report and the rows behind it are made durable in
 * one write that follows every reading it counts, and only then the certificate leaves. After a
 * crash the store holds a prefix of that history: a reading is in it with its receipt or not at
 * all, and for a slot that was signed only the stored bytes are ever sent again.
 */
import type { ChainHead, LaneView, Submitted } from "../chain/access.ts";
import type { KeptReading } from "../chain/proofs.ts";
import type { Clock } from "../primitives/clock.ts";
import { GridError } from "../primitives/errors.ts";
import { type Slot, slotEndS, type UnixSeconds } from "../primitives/units.ts";
import type { Genesis } from "../wire/genesis.ts";
import { type Committee, type OracleKeys, openCommittee } from "./committee.ts";
import type { IngestCounters } from "./ingest.ts";
import { keptReading, type MeterSlot } from "./kept-readings.ts";
import { OracleMember } from "./member.ts";
import type { Refusal, RefusalPage, RefusalQuery } from "./refusal-log.ts";
import { Region } from "./region.ts";
import type { OracleStore } from "./store.ts";

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
  /** Closes what is due and submits what the chain lacks; resolves when nothing is left to do. */
  tick(): Promise<void>;
  counters(): OracleCounters;
  refusals(query: RefusalQuery): Promise<RefusalPage>;
  meterStatus(regionIndex: number): MeterStatus[];
  /** The record behind a report's leaf; null where there is none, or it was erased. */
  keptReading(at: MeterSlot): KeptReading | null;
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
    if (reported !== null && reported >= region.nextSlot) {
      throw storeOutdated(store, region, reported);
    }
  }
  const member = new OracleMember(options, committee, regions);
  const refusals = member.refusals;
  options.log.info({ member: committee.memberId, regions: regions.length }, "oracle started");
  member.tickSoon(); // the chain may lack reports that were signed before
  return {
    ingest: (arrival) => member.ingest(arrival),
    tick: () => member.tick(),
    counters: () => member.counters(),
    refusals: (query) => refusals.read(query),
    meterStatus: (regionIndex) => statusOf(regions[regionIndex]),
    keptReading: (at) => {
      const meter = regions[at.regionIndex]?.meters[at.meterIndex];
      if (meter === undefined) return null;
      const lastSlot = Math.floor(meter.state.intervalEndS / genesis.slotS) - 1;
      return keptReading(store, at, lastSlot);
    },
    nextSlot: (regionIndex) => regions[regionIndex]!.nextSlot,
    stop: () => member.stop(),
  };
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
