/**
 * The node's face to people: statements, sessions, metrics and the API over them, with their own
 * small database. Opened last, closed first.
 */
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { Level } from "level";
import { type Api, createApi } from "../api/api.ts";
import { LevelStatementStore } from "../api/level-statements.ts";
import { serveApi } from "../api/serve.ts";
import { LevelSessionStore } from "../api/session-store.ts";
import { rollUpDays } from "../api/statements.ts";
import type { Broker } from "../broker/broker.ts";
import type { Oracle } from "../oracle/oracle.ts";
import type { EmbeddedChain } from "../ordering/embedded/chain.ts";
import { toHex } from "../primitives/bytes.ts";
import type { Clock } from "../primitives/clock.ts";
import { storeFailure } from "../primitives/store-failure.ts";
import { slotAt } from "../primitives/units.ts";
import { systemClock } from "./clocks.ts";
import type { Log } from "./log.ts";
import { openMetrics } from "./metrics.ts";
import type { NodeOptions } from "./node.ts";
import type { JobStatus } from "./schedule.ts";

/** Slots the chain may lag behind market time, beyond the cut-off, before it is not ready. */
const LAG_SLOTS_MAX = 2;

export type Face = {
  readonly url: string;
  /** Makes the statements of every complete market day that has none yet. */
  rollUp(): Promise<void>;
  /** Where the metrics read the calendar jobs. */
  watchJobs(jobs: () => readonly JobStatus[]): void;
  stop(): Promise<void>;
};

export type FaceParts = {
  readonly options: NodeOptions;
  readonly chain: EmbeddedChain;
  readonly oracle: Oracle;
  /** Refused records since the start, by device id in hexadecimal. */
  readonly refusedBy: ReadonlyMap<string, number>;
  readonly broker: Broker;
  readonly clock: Clock;
  readonly speed: number | null;
  readonly log: Log;
};

export async function startFace(parts: FaceParts): Promise<Face> {
  const { options, chain, log } = parts;
  const { config, keys } = options;
  const directory = join(config.data, "api");
  const database = new Level<string, Uint8Array>(directory, { valueEncoding: "view" });
  await database.open().catch((failure: unknown) => {
    throw storeFailure(failure, { directory, what: "the API's store" });
  });
  let jobs: () => readonly JobStatus[] = () => [];
  const statements = new LevelStatementStore(
    database.sublevel<string, Uint8Array>("statements", { valueEncoding: "view" }),
  );
  const rollUp = async () => {
    // A statement is made once: its day waits until every region has cleared it.
    const untilSlot = chain.reader.head().lastCompleteSlot;
    if (untilSlot === null) return;
    const { timeZone } = config;
    const made = await rollUpDays({ chain: chain.reader, statements, timeZone, untilSlot });
    if (made.length > 0) log.info({ days: made }, "daily statements made");
  };
  let api: Api | null = null;
  try {
    await rollUp(); // what a stopped node missed
    api = createApi({
      chain: chain.reader,
      writer: chain.writer,
      audit: chain.audit,
      oracle: oracleView(parts),
      clock: parts.clock,
      realClock: systemClock({ onStepBack: () => undefined }),
      speed: parts.speed,
      statements,
      sessions: new LevelSessionStore(
        database.sublevel<string, Uint8Array>("sessions", { valueEncoding: "view" }),
      ),
      readiness: () => readiness(parts),
      metrics: openMetrics({
        ...{ chain: chain.reader, oracle: parts.oracle, broker: parts.broker, clock: parts.clock },
        jobs: () => jobs(),
      }),
      dashboardDirectory: options.dashboardDirectory,
      version: options.version,
      timeZone: config.timeZone,
      operatorToken: toHex(keys["operator-token"]),
      random: (length) => new Uint8Array(randomBytes(length)),
      repeat: (run, intervalMs) => {
        const timer = setInterval(run, intervalMs);
        return () => clearInterval(timer);
      },
      onFault: (fault) => log.error({ fault: String(fault) }, "request failed"),
    });
    await api.warmed;
    const server = await serveApi({ api, ...config.http });
    return {
      url: server.url,
      rollUp,
      watchJobs: (read) => {
        jobs = read;
      },
      stop: async () => {
        await server.stop();
        await database.close();
      },
    };
  } catch (failure) {
    api?.close();
    await database.close();
    throw failure;
  }
}

function oracleView({ oracle, refusedBy, options }: FaceParts) {
  return {
    counters: () => {
      const { accepted, duplicates, refused } = oracle.counters();
      return { accepted, duplicate: duplicates, refused: refused as Record<string, number> };
    },
    meterStatus: (regionIndex: number) =>
      oracle.meterStatus(regionIndex).map(({ lastIntervalEndS }, meter) => {
        const { deviceId } = options.genesis.regions[regionIndex]!.meters[meter]!;
        return { lastIntervalEndS, refused: refusedBy.get(deviceId) ?? 0 };
      }),
    keptReading: (at: Parameters<Oracle["keptReading"]>[0]) => oracle.keptReading(at),
    refusals: (query: Parameters<Oracle["refusals"]>[0]) => oracle.refusals(query),
  };
}

/** Not ready while the chain lags behind market time by more than its rules allow. */
function readiness({ chain, clock, options: { genesis }, speed }: FaceParts) {
  const reasons: string[] = [];
  const { lastClearedSlot } = chain.reader.head();
  const genesisSlot = Math.floor(genesis.genesisTimeS / genesis.slotS);
  const cutoffSlots = Math.ceil(genesis.oracle.cutoffS / genesis.slotS);
  const behind = slotAt(clock.nowS(), genesis.slotS) - (lastClearedSlot ?? genesisSlot - 1) - 1;
  if (speed !== null && behind > cutoffSlots + LAG_SLOTS_MAX) {
    reasons.push(`${behind} slots have ended and are not cleared`);
  }
  return { ready: reasons.length === 0, reasons };
}
