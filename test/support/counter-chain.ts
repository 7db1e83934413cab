/** A counter application on embedded ordering in a directory: where the ordering tests start. */
import { ed25519PublicKey } from "../../services/crypto/ed25519.ts";
import type { ApplicationStorage, Faults } from "../../services/ordering/embedded/apply.ts";
import { openBlockStore } from "../../services/ordering/embedded/block-store.ts";
import { startEmbeddedChain } from "../../services/ordering/embedded/chain.ts";
import { toHex } from "../../services/primitives/bytes.ts";
import { type Clock, ManualClock } from "../../services/primitives/clock.ts";
import { unixSeconds } from "../../services/primitives/units.ts";
import type { Genesis } from "../../services/wire/genesis.ts";
import {
  type CounterApplication,
  type CounterOptions,
  createCounterApplication,
} from "./counter-application.ts";

export const SEQUENCER_SECRET_KEY = new Uint8Array(32).fill(7);
/** All records of the counter application are state. */
export const COUNTER_STATE_KEYS = [{ gte: "", lt: "\u{ffff}" }];

const GENESIS_TIME_S = 1_700_000_100;

/** Ordering reads the network's name, time and sequencer key, and hashes the rest. */
export const COUNTER_GENESIS: Genesis = {
  chainVersion: 1,
  networkId: "counter-test",
  chainId: 4242,
  currency: "EUR",
  genesisTimeS: GENESIS_TIME_S,
  slotS: 900,
  sequencerPublicKey: toHex(ed25519PublicKey(SEQUENCER_SECRET_KEY)),
  oracle: { members: [], faultyMax: 0, cutoffS: 60, correctionWindowS: 0 },
  retailUcPerWh: 30_000,
  feedInUcPerWh: 8_000,
  regions: [],
  lines: [],
};

export async function startCounterChain({
  directory,
  faults,
  clock = new ManualClock(unixSeconds(GENESIS_TIME_S + 1000)),
  counter = {},
}: {
  directory: string;
  faults?: Faults;
  clock?: Clock;
  counter?: CounterOptions;
}) {
  const store = await openBlockStore({ directory });
  let application!: CounterApplication;
  const applicationStorage: ApplicationStorage = counter.ownFile === undefined ? "shared" : "own";
  try {
    const chain = await startEmbeddedChain({
      genesis: COUNTER_GENESIS,
      createApplication: (stored) => {
        application = createCounterApplication({ stored, ...counter });
        return application;
      },
      store,
      sequencerSecretKey: SEQUENCER_SECRET_KEY,
      clock,
      stateKeys: COUNTER_STATE_KEYS,
      applicationStorage,
      ...(faults === undefined ? {} : { faults }),
    });
    const close = async () => {
      await chain.stop();
      await store.close();
    };
    return { ...chain, store, application, close };
  } catch (failure) {
    await store.close();
    throw failure;
  }
}
