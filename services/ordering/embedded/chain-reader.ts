/**
 * The chain as the rest of the house reads it: live state from the application, history from the
 * store. A head is shown only once its block is durable, so nothing that a reader has seen can be
 * lost by a crash.
 */
import type { ChainReader } from "../../chain/access.ts";
import type { Genesis } from "../../wire/genesis.ts";
import type { BlockStore } from "./block-store.ts";
import type { ReadableApplication } from "./chain.ts";
import type { Sequencer } from "./sequencer.ts";

export function createChainReader({
  genesis,
  application,
  store,
  sequencer,
}: {
  genesis: Genesis;
  application: ReadableApplication;
  store: BlockStore;
  sequencer: Sequencer;
}): ChainReader {
  let head = application.head();
  sequencer.onBlock(() => {
    head = application.head();
  });
  return {
    genesis,
    head: () => head,
    lane: (regionIndex) => application.lane(regionIndex),
    nonce: (address) => application.nonce(address),
    block: (height) => store.block(height),
    onBlock: (listener) => sequencer.onBlock(listener),
  } as ChainReader;
}
