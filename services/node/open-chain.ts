/** The chain of a node with what the node keeps beside it: snapshots, and blocks as far as told. */
import { join } from "node:path";
import { createApplication, type MarketApplication } from "../chain/application.ts";
import type { LaneExecutor } from "../chain/lane-executor.ts";
import type { BlockStore } from "../ordering/embedded/block-store.ts";
import { type EmbeddedChain, startEmbeddedChain } from "../ordering/embedded/chain.ts";
import type { Clock } from "../primitives/clock.ts";
import type { Genesis } from "../wire/genesis.ts";
import type { NodeConfig } from "./config.ts";
import type { NodeKeys } from "./keys.ts";
import type { Log } from "./log.ts";
import { Snapshots } from "./snapshots.ts";

const DAY_S = 86_400;

/** One a day, unless the configuration says otherwise. */
export function openSnapshots({
  config,
  genesis,
  log,
}: {
  config: NodeConfig;
  genesis: Genesis;
  log: Log;
}): Snapshots {
  const { keep, everySlots = Math.ceil(DAY_S / genesis.slotS) } = config.snapshots;
  const directory = join(config.data, "snapshots");
  return new Snapshots({ directory, everySlots, keep, retain: config.retain, log });
}

export async function openChain({
  genesis,
  blockStore: store,
  keys,
  clock,
  executor,
  snapshots,
}: {
  genesis: Genesis;
  blockStore: BlockStore;
  keys: NodeKeys;
  clock: Clock;
  executor: LaneExecutor;
  snapshots: Snapshots;
}): Promise<{
  readonly chain: EmbeddedChain;
  /** Begins to take snapshots; returns the way to stop. */
  follow(): () => Promise<void>;
}> {
  let application!: MarketApplication;
  const retainHeight = () => snapshots.retainHeight(application.head().height);
  const { source } = snapshots;
  const chain = await startEmbeddedChain({
    genesis,
    createApplication: (stored) => {
      const common = { genesis, stored, executor };
      application = createApplication({ ...common, snapshots: source, retainHeight });
      return application;
    },
    store,
    sequencerSecretKey: keys.sequencer,
    clock,
    snapshots: source,
  });
  const timeOf = async (height: number) => (await store.signedHeader(height))?.header.timeS ?? null;
  const { reader } = chain;
  const firstHeight = store.firstHeader;
  return { chain, follow: () => snapshots.follow({ reader, application, timeOf, firstHeight }) };
}
