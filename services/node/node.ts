/**
 * A running node: opens the stores, starts ordering, oracle, broker, API and calendar in that
 * order, and stops them in the reverse. Everything the pure layers may not have is handed in here.
 */
import { availableParallelism } from "node:os";
import { join } from "node:path";
import type { Broker } from "../broker/broker.ts";
import type { ChainReader, ChainWriter } from "../chain/access.ts";
import { type LaneExecutor, sequentialExecutor } from "../chain/lane-executor.ts";
import { blsSecretKey } from "../crypto/bls.ts";
import { type Oracle, type OracleOptions, startOracle } from "../oracle/oracle.ts";
import { type OracleStore, openOracleStore } from "../oracle/store.ts";
import { openBlockStore } from "../ordering/embedded/block-store.ts";
import type { EmbeddedChain } from "../ordering/embedded/chain.ts";
import { toHex } from "../primitives/bytes.ts";
import { type Clock, ManualClock } from "../primitives/clock.ts";
import { READING_FUTURE_S_MAX } from "../primitives/limits.ts";
import { unixSeconds } from "../primitives/units.ts";
import { type Genesis, genesisHash } from "../wire/genesis.ts";
import { readingCodeName } from "../wire/refusals.ts";
import { watchLanes } from "./alarms.ts";
import { openBroker } from "./broker-door.ts";
import { systemClock } from "./clocks.ts";
import type { NodeConfig } from "./config.ts";
import { type Face, startFace } from "./face.ts";
import type { NodeKeys } from "./keys.ts";
import { createLaneWorkers, laneWorkerCount } from "./lane-workers.ts";
import { Ending, Stack } from "./lifecycle.ts";
import { type Log, type OpenLog, openLog, pruneLogs } from "./log.ts";
import { openChain, openSnapshots } from "./open-chain.ts";
import { type Schedule, startSchedule } from "./schedule.ts";

/** How often the oracle looks whether a slot's cut-off has come, real milliseconds. */
const TICK_MS = 250;

export type NodeOptions = {
  readonly config: NodeConfig; // paths absolute
  readonly genesis: Genesis;
  readonly keys: NodeKeys;
  readonly credentials: ReadonlyMap<string, string>; // deviceId hex -> SHA-256 of its password
  readonly version: string;
  readonly dashboardDirectory: string | null; // built page, or null: the API alone
  /** Instead of the configured one: a demo's clock, with its speed. */
  readonly clock?: { readonly clock: Clock; readonly speed: number };
  /** Warnings on stderr, or in the log file alone where the caller talks itself. */
  readonly stderr: "warnings" | "nothing";
};

export type RunningNode = {
  readonly httpUrl: string;
  readonly mqttUrl: string;
  readonly chain: ChainReader;
  readonly writer: ChainWriter;
  readonly oracle: Oracle;
  readonly clock: Clock;
  /** Rejects when the node cannot go on (a full disk, a damaged store); resolves after `stop`. */
  readonly ended: Promise<void>;
  stop(): Promise<void>;
};

/** @throws GridError saying what keeps the node from starting; nothing is left running then. */
export async function startNode(options: NodeOptions): Promise<RunningNode> {
  const starting = new Stack();
  try {
    return await start(options, starting);
  } catch (failure) {
    await starting.unwind();
    throw failure;
  }
}

async function start(options: NodeOptions, stack: Stack): Promise<RunningNode> {
  const { config, genesis, keys } = options;
  const logDirectory = join(config.data, "logs");
  const opened = openLog({
    directory: logDirectory,
    level: config.log.level,
    stderr: options.stderr,
  });
  stack.push(async () => opened.close());
  const { log } = opened;
  const ended = new Ending();

  const blockStore = await openBlockStore({ directory: join(config.data, "chain") });
  stack.push(() => blockStore.close());
  const oracleStore = await openOracleStore({
    directory: join(config.data, "oracle"),
    genesisHash: genesisHash(genesis),
  });
  stack.push(() => oracleStore.close());

  const { clock, speed, driven } = chooseClock(options, log);
  const snapshots = openSnapshots({ config, genesis, log });
  const executor = openLanes(options, log, stack);
  const opening = { genesis, blockStore, keys, clock, executor, snapshots };
  const { chain, follow } = await openChain(opening);
  stack.push(() => chain.stop());
  stack.push(follow());
  const stopWatching = watchLanes(chain.reader, log);
  stack.push(async () => stopWatching());
  chain.ended.catch((failure) => ended.fail(failure));
  driven?.advanceTo(chain.reader.head().timeS);

  let broker: Broker | null = null;
  const refusedBy = new Map<string, number>();
  const oracle = await openOracle({
    options,
    store: oracleStore,
    chain,
    clock,
    driven,
    speed,
    log,
    publish: (topic, payload) => {
      // A receipt that finds no broker is asked for again: the meter resends until it has one.
      broker
        ?.publish({ topic, payload })
        .catch((error) => log.warn({ topic, error: String(error) }, "receipt not sent"));
    },
    onFailure: (failure) => ended.fail(failure),
    onRefusal: ({ deviceId, code }) => {
      const device = deviceId === null ? "unknown" : toHex(deviceId);
      if (options.credentials.has(device)) refusedBy.set(device, (refusedBy.get(device) ?? 0) + 1);
      log.warn({ device, code: readingCodeName(code) }, "reading refused");
    },
  });
  stack.push(() => oracle.stop());

  broker = await openBroker({ options, oracle });
  stack.push(() => (broker as Broker).stop());

  const face = await startFace({ options, chain, oracle, refusedBy, broker, clock, speed, log });
  stack.push(() => face.stop());
  const schedule = openCalendar({ options, face, log: opened, logDirectory });
  stack.push(() => schedule.stop());
  face.watchJobs(() => schedule.status());

  stack.push(startTicking(oracle, chain.reader, (failure) => ended.fail(failure)));
  log.info(
    { http: face.url, mqtt: broker.url, height: chain.reader.head().height },
    "node started",
  );
  return {
    httpUrl: face.url,
    mqttUrl: broker.url,
    chain: chain.reader,
    writer: chain.writer,
    oracle,
    clock,
    ended: ended.promise,
    stop: async () => {
      log.info({}, "node stopping");
      await stack.unwind();
      ended.finish();
    },
  };
}

function chooseClock({ config, genesis, clock }: NodeOptions, log: Log) {
  if (clock !== undefined) return { ...clock, driven: null };
  if (config.clock === "system") {
    const onStepBack = (byS: number) => log.warn({ byS }, "machine clock set back");
    return { clock: systemClock({ onStepBack }), speed: 1, driven: null };
  }
  const driven = new ManualClock(unixSeconds(genesis.genesisTimeS));
  return { clock: driven, speed: null, driven };
}

/** Lane workers, where there are to be any. */
function openLanes({ config, genesis }: NodeOptions, log: Log, stack: Stack): LaneExecutor {
  const meters = genesis.regions.reduce((sum, region) => sum + region.meters.length, 0);
  const cores = availableParallelism();
  const workers = laneWorkerCount({ configured: config.lanes.workers, cores, meters });
  if (workers === 0) return sequentialExecutor;
  const lanes = createLaneWorkers({
    workers,
    onReplaced: (thread) => log.warn(thread, "lane worker replaced"),
  });
  stack.push(() => lanes.stop());
  log.info({ workers }, "lane workers started");
  return lanes;
}

async function openOracle({
  options: { config, genesis, keys },
  store,
  chain,
  clock,
  driven,
  speed,
  log,
  publish,
  onFailure,
  onRefusal,
}: {
  options: NodeOptions;
  store: OracleStore;
  chain: EmbeddedChain;
  clock: Clock;
  driven: ManualClock | null;
  speed: number | null;
  log: Log;
  publish: (topic: string, payload: Uint8Array) => void;
  onFailure: (failure: unknown) => void;
  onRefusal: NonNullable<OracleOptions["onRefusal"]>;
}): Promise<Oracle> {
  const oracle = await startOracle({
    genesis,
    keys: {
      blsSecretKey: blsSecretKey(keys["oracle-bls"]),
      receiptSecretKey: keys["oracle-receipt"],
      saltSecret: keys["oracle-salt"],
    },
    store,
    clock,
    chain: {
      head: () => chain.reader.head(),
      lane: (regionIndex) => chain.reader.lane(regionIndex),
      submit: (transaction) => chain.writer.submit(transaction),
    },
    publishReceipt: publish,
    log,
    // Where readings drive the clock nothing is cut off by waiting, and the next slot is "future".
    startGraceS: Math.ceil(config.startGraceS * (speed ?? 0)),
    futureS: driven === null ? READING_FUTURE_S_MAX : genesis.slotS,
    onAccepted: (intervalEndS) => driven?.advanceTo(intervalEndS),
    onFailure,
    onRefusal,
  });
  for (let region = 0; driven !== null && region < genesis.regions.length; region++) {
    for (const meter of oracle.meterStatus(region)) {
      if (meter.lastIntervalEndS !== null) driven.advanceTo(meter.lastIntervalEndS);
    }
  }
  return oracle;
}

function openCalendar({
  options: { config },
  face,
  log,
  logDirectory,
}: {
  options: NodeOptions;
  face: Face;
  log: OpenLog;
  logDirectory: string;
}): Schedule {
  return startSchedule({
    jobs: [
      { name: "dailyStatement", run: () => face.rollUp() },
      {
        name: "logPruning",
        run: async () => {
          log.rotate();
          const pruned = pruneLogs({ directory: logDirectory, keepDays: config.log.keepDays });
          log.log.info({ pruned }, "logs pruned");
        },
      },
    ],
    expressions: config.jobs,
    timeZone: config.timeZone,
    log: log.log,
  });
}

/** Looks for due slots by a timer and after each block. Returns the way to stop. */
function startTicking(
  oracle: Oracle,
  chain: ChainReader,
  onFailure: (failure: unknown) => void,
): () => Promise<void> {
  const tick = () => void oracle.tick().catch(onFailure);
  const timer = setInterval(tick, TICK_MS);
  const unsubscribe = chain.onBlock(tick);
  tick();
  return async () => {
    clearInterval(timer);
    unsubscribe();
  };
}
