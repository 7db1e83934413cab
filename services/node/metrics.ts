/**
 * Prometheus metrics, read from their owners when scraped: nothing is counted twice. Names follow
 * CometBFT's vocabulary under our prefix where the thing is the same.
 */
import { collectDefaultMetrics, Gauge, Registry } from "prom-client";
import type { Broker } from "../broker/broker.ts";
import type { ChainReader } from "../chain/access.ts";
import type { Oracle } from "../oracle/oracle.ts";
import type { Clock } from "../primitives/clock.ts";
import type { JobStatus } from "./schedule.ts";

export function openMetrics({
  chain,
  oracle,
  broker,
  clock,
  jobs,
}: {
  chain: ChainReader;
  oracle: Oracle;
  broker: Broker;
  clock: Clock;
  jobs: () => readonly JobStatus[];
}): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry, prefix: "gridlane_" });
  const gauge = (name: string, help: string, read: () => number) =>
    new Gauge({
      name: `gridlane_${name}`,
      help,
      registers: [registry],
      collect() {
        this.set(read());
      },
    });
  const labelled = (name: string, help: string, label: string, read: () => [string, number][]) =>
    new Gauge({
      name: `gridlane_${name}`,
      help,
      labelNames: [label],
      registers: [registry],
      collect() {
        this.reset();
        for (const [value, count] of read()) this.set({ [label]: value }, count);
      },
    });
  const regions = chain.genesis.regions;

  gauge("consensus_height", "Last committed block.", () => chain.head().height);
  gauge("consensus_block_time_seconds", "Market time of the last block.", () => chain.head().timeS);
  gauge("market_time_seconds", "Market time now.", () => clock.nowS());
  gauge("slots_cleared", "Slots cleared since genesis.", () => chain.head().clearedSlots);
  gauge("lanes_quarantined", "Regions whose lane is quarantined or catches up.", () => {
    return chain.head().lanesOut.length;
  });
  labelled("meters_reporting", "Meters that reached the last closed slot.", "region", () =>
    regions.map(({ id }, r) => {
      const endS = oracle.nextSlot(r) * chain.genesis.slotS;
      const reporting = oracle
        .meterStatus(r)
        .filter((meter) => meter.lastIntervalEndS !== null && meter.lastIntervalEndS >= endS);
      return [id, reporting.length];
    }),
  );
  gauge("readings_accepted", "Readings taken since the start.", () => oracle.counters().accepted);
  gauge("readings_duplicate", "Readings seen again.", () => oracle.counters().duplicates);
  labelled("readings_refused", "Readings refused since the start, by code.", "code", () =>
    Object.entries(oracle.counters().refused),
  );
  gauge("oracle_waiting", "Records and reports not durable yet.", () => oracle.counters().waiting);
  gauge("oracle_late_entries", "Late energy that waits for a report.", () => {
    return oracle.counters().lateEntries;
  });
  labelled("broker", "Broker counters since the start.", "counter", () =>
    Object.entries(broker.counters),
  );
  labelled("job_failures", "Failures of a calendar job since the start.", "job", () =>
    jobs().map((job) => [job.name, job.failures]),
  );
  labelled("job_last_success_seconds", "Last success of a calendar job.", "job", () =>
    jobs().map((job) => [job.name, job.lastSuccessS ?? 0]),
  );
  return registry;
}
