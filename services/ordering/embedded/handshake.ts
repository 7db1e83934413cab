/**
 * What a restart does, by three heights: A the application's, S the highest stored block, T the
 * engine's state. The rows are CometBFT's own, so that one application serves both.
 * Source: CometBFT v0.38, consensus/replay.go.
 */
import type { StoredBlock } from "../../chain/access.ts";
import { bytesEqual, fromHex, toHex } from "../../primitives/bytes.ts";
import { assert } from "../../primitives/errors.ts";
import { unixSeconds } from "../../primitives/units.ts";
import type { Genesis } from "../../wire/genesis.ts";
import { type Header, headerHash, verifyHeader } from "../../wire/header.ts";
import { type Applier, applyBlock, reapplyBlock } from "./apply.ts";
import { transactionsRoot } from "./block.ts";
import type { BlockStore } from "./block-store.ts";
import { corrupt } from "./store-errors.ts";

/** What a start found and did, for the log and for `gridlane doctor`. */
export type Recovery = {
  readonly initialised: boolean; // InitChain was called: the application stood at height 0
  readonly replayedBlocks: number;
  readonly adoptedResponse: boolean; // the application was one ahead of the engine's state
  readonly rebuiltBecause: string | null; // damage that a replay mended
};

export type Heights = {
  readonly application: number; // A
  readonly store: number; // S
  readonly state: number; // T
  readonly base: number; // lowest stored block
};

/** One row of the table. */
export type Plan =
  | { readonly kind: "done" }
  | { readonly kind: "reapply"; readonly from: number; readonly to: number } // S = T
  | { readonly kind: "reapply_then_apply"; readonly from: number } // S = T + 1, A < T
  | { readonly kind: "apply" } // S = T + 1, A = T
  | { readonly kind: "adopt_response" } // S = T + 1, A = S
  | { readonly kind: "fatal"; readonly reason: string };

/** The table itself. */
export function planHandshake({ application, store, state, base }: Heights): Plan {
  if (store < application) {
    return fatal(`the application stands at height ${application}, the blocks end at ${store}`);
  }
  if (store < state || store > state + 1) {
    return fatal(`the engine's state stands at height ${state}, the blocks end at ${store}`);
  }
  if (store === 0) return { kind: "done" };
  if (application < base - 1) {
    return fatal(`the application stands at height ${application}, the blocks begin at ${base}`);
  }
  if (store === state) {
    if (application === store) return { kind: "done" };
    return { kind: "reapply", from: application + 1, to: store };
  }
  if (application === store) return { kind: "adopt_response" };
  if (application === state) return { kind: "apply" };
  return { kind: "reapply_then_apply", from: application + 1 };
}

function fatal(reason: string): Plan {
  return { kind: "fatal", reason };
}

/**
 * Brings application, blocks and engine state together.
 *
 * @throws GridError database_corrupt where they cannot belong together
 */
export async function handshake({
  applier,
  genesis,
  rebuiltBecause,
}: {
  applier: Applier;
  genesis: Genesis;
  rebuiltBecause: string | null;
}): Promise<Recovery> {
  const { application, store } = applier;
  const initialised = application.info().lastBlockHeight === 0;
  if (initialised) await initChain(applier, genesis);
  const before = application.info().lastBlockHeight;
  let adoptedResponse = false;
  if (store.rebuild !== null) {
    for (let height = stateHeight(store) + 1; height <= store.height; height++) {
      await replay({ applier, genesis, height, apply: applyBlock });
    }
    await store.finishRebuild();
  } else {
    const heights = {
      application: before,
      store: store.height,
      state: stateHeight(store),
      base: store.base,
    };
    const plan = planHandshake(heights);
    adoptedResponse = plan.kind === "adopt_response";
    await follow({ applier, genesis, plan });
  }
  expectAppHash(applier);
  const replayedBlocks = application.info().lastBlockHeight - before;
  return { initialised, replayedBlocks, adoptedResponse, rebuiltBecause };
}

async function initChain({ application, store }: Applier, genesis: Genesis): Promise<void> {
  const { appHash } = application.initChain();
  const { state } = store;
  if (state === null) {
    const timeS = unixSeconds(genesis.genesisTimeS);
    await store.writeCommit({
      state: { height: 0, timeS, appHash },
      response: null,
      changes: [],
      retainHeight: 0,
    });
  } else if (state.height === 0 && !bytesEqual(state.appHash, appHash)) {
    throw otherAppHash({ store, height: 0, expected: state.appHash, found: appHash });
  }
}

async function follow({
  applier,
  genesis,
  plan,
}: {
  applier: Applier;
  genesis: Genesis;
  plan: Plan;
}): Promise<void> {
  const { store } = applier;
  if (plan.kind === "done") return;
  if (plan.kind === "fatal") throw corrupt(store.directory, plan.reason);
  if (plan.kind === "adopt_response") return adoptResponse(applier);
  if (plan.kind === "apply")
    return replay({ applier, genesis, height: store.height, apply: applyBlock });
  const to = plan.kind === "reapply" ? plan.to : store.height - 1;
  for (let height = plan.from; height <= to; height++) {
    await replay({ applier, genesis, height, apply: reapplyBlock });
  }
  if (plan.kind === "reapply_then_apply") {
    await replay({ applier, genesis, height: store.height, apply: applyBlock });
  }
}

async function replay({
  applier,
  genesis,
  height,
  apply,
}: {
  applier: Applier;
  genesis: Genesis;
  height: number;
  apply: typeof applyBlock;
}): Promise<void> {
  const { store } = applier;
  const block = await store.block(height);
  if (block === null) throw corrupt(store.directory, `block ${height} is missing`);
  await requireAuthentic({ store, block, publicKey: fromHex(genesis.sequencerPublicKey) });
  // Asked for before the block is applied: applying the last one moves the engine's state.
  const expected = await knownAppHash(store, height);
  const { appHash: found } = await apply(applier, block);
  if (expected !== null && !bytesEqual(expected, found)) {
    throw otherAppHash({ store, height, expected, found });
  }
}

/** A block that was altered under an intact checksum must not be executed. */
async function requireAuthentic({
  store,
  block,
  publicKey,
}: {
  store: BlockStore;
  block: StoredBlock;
  publicKey: Uint8Array;
}): Promise<void> {
  const parent = (await store.signedHeader(block.header.height - 1))?.header ?? null;
  const fault = blockFault({ block, parent, publicKey });
  if (fault !== null) throw corrupt(store.directory, fault);
}

/** Why a block is not one of the sequencer's, or null. */
export function blockFault({
  block: { header, signature, transactions },
  parent,
  publicKey,
}: {
  block: StoredBlock;
  parent: Header | null; // null where it is not known
  publicKey: Uint8Array;
}): string | null {
  const what = `block ${header.height}`;
  if (!verifyHeader({ header, signature, publicKey })) {
    return `${what} does not bear the sequencer's signature`;
  }
  if (!bytesEqual(header.transactionsRoot, transactionsRoot(transactions))) {
    return `${what} holds other transactions than its header names`;
  }
  if (parent !== null && !bytesEqual(header.parentHash, headerHash(parent))) {
    return `${what} does not follow the block before it`;
  }
  return null;
}

/** The app hash after `height` that an earlier run left behind, in a header or in its state. */
export async function knownAppHash(store: BlockStore, height: number): Promise<Uint8Array | null> {
  const next = await store.signedHeader(height + 1);
  if (next !== null) return next.header.appHash;
  for (const known of [store.state, store.rebuild?.target]) {
    if (known?.height === height) return known.appHash;
  }
  return (await store.response(height))?.appHash ?? null;
}

/** The application committed the block before the crash: take over what it answered then. */
async function adoptResponse({ application, store }: Applier): Promise<void> {
  const { height } = store;
  const response = await store.response(height);
  const signed = await store.signedHeader(height);
  if (response === null || signed === null) {
    throw corrupt(store.directory, `the application's answer to block ${height} is missing`);
  }
  const found = application.info().lastBlockAppHash;
  if (!bytesEqual(response.appHash, found)) {
    throw otherAppHash({ store, height, expected: response.appHash, found });
  }
  const state = { height, timeS: signed.header.timeS, appHash: response.appHash };
  await store.writeCommit({ state, response, changes: [], retainHeight: 0 });
}

function expectAppHash({ application, store }: Applier): void {
  const { state } = store;
  assert(state !== null, "a handshake leaves an engine state behind");
  const { lastBlockAppHash, lastBlockHeight } = application.info();
  assert(lastBlockHeight === state.height, "a handshake ends with equal heights");
  // Before block 1 an application may not know its hash again without InitChain, which it got.
  if (state.height > 0 && !bytesEqual(lastBlockAppHash, state.appHash)) {
    const { height, appHash: expected } = state;
    throw otherAppHash({ store, height, expected, found: lastBlockAppHash });
  }
}

function stateHeight(store: BlockStore): number {
  return store.state?.height ?? 0;
}

function otherAppHash({
  store,
  height,
  expected,
  found,
}: {
  store: BlockStore;
  height: number;
  expected: Uint8Array;
  found: Uint8Array;
}) {
  const [was, is] = [toHex(expected).slice(0, 16), toHex(found).slice(0, 16)];
  const what = `block ${height} led to app hash ${was} when it was made and leads to ${is} now`;
  return corrupt(store.directory, what);
}
