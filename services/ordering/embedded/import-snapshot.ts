/**
 * A chain that begins with a snapshot instead of block 1: the state comes from the snapshot, which
 * is verified against the app hash in a header that the sequencer signed; the blocks after it come
 * from whoever has them, each verified before it is stored and executed as any other.
 *
 * Safe to cut anywhere: until the last record of the snapshot is in, the store bears a mark and
 * opens for nothing but the same import, which starts over; after that it is any other chain.
 */
import type { Snapshot } from "../../chain/abci.ts";
import type { StoredBlock } from "../../chain/access.ts";
import { bytesEqual, fromHex, toHex } from "../../primitives/bytes.ts";
import { GridError } from "../../primitives/errors.ts";
import { type Genesis, genesisHash } from "../../wire/genesis.ts";
import { headerHash, verifyHeader } from "../../wire/header.ts";
import { applyBlock } from "./apply.ts";
import type { SignedHeader } from "./block.ts";
import type { BlockStore } from "./block-store.ts";
import { openChainState, type ReadableApplication } from "./chain.ts";
import { blockFault } from "./handshake.ts";
import { applySnapshot } from "./rebuild.ts";

/** What ties a snapshot to the chain: the header of its height, and the block that follows. */
export type SnapshotAnchor = {
  readonly signed: SignedHeader;
  readonly next: StoredBlock; // its header carries the app hash of the snapshot's height
};

type Opening = {
  readonly genesis: Genesis;
  readonly store: BlockStore;
  readonly createApplication: (stored: ReadonlyMap<string, Uint8Array>) => ReadableApplication;
};

/**
 * @param parts.trustedAppHash - what the snapshot must come to, where it is known from elsewhere
 *   than the sequencer's signature; null: the signature is enough
 * @throws GridError argument_invalid where the store holds a chain already, genesis_mismatch,
 *   snapshot_invalid
 */
export async function importSnapshot(
  parts: Opening & {
    readonly snapshot: Snapshot;
    readonly anchor: SnapshotAnchor;
    readonly chunkAt: (index: number) => Uint8Array | null;
    readonly trustedAppHash: Uint8Array | null;
  },
): Promise<void> {
  const { genesis, store, snapshot, anchor } = parts;
  const { height } = snapshot;
  if (store.height > 0 && !store.isImporting) {
    const { directory } = store;
    throw new GridError("argument_invalid", `${directory} holds a chain already: name another`, {
      ...{ argument: "directory", value: directory },
    });
  }
  requireGenesis(store, genesis);
  const invalid = (what: string) =>
    new GridError("snapshot_invalid", `the snapshot of height ${height} is refused: ${what}`, {
      ...{ height, what },
    });
  const fault = anchorFault(genesis, height, anchor);
  if (fault !== null) throw invalid(fault);
  const { appHash } = anchor.next.header;
  const { trustedAppHash } = parts;
  if (trustedAppHash !== null && !bytesEqual(trustedAppHash, appHash)) {
    throw invalid(`the chain's app hash is ${toHex(appHash)}, not the trusted one`);
  }
  await store.startImport(genesisHash(genesis));
  const application = parts.createApplication(new Map());
  const refused = await applySnapshot({
    ...{ application, snapshot, appHash, chunkAt: parts.chunkAt },
    onRecords: (changes) => store.writeImported(changes),
  });
  if (refused !== null) throw invalid(refused);
  const { timeS } = anchor.signed.header;
  if (application.head().timeS !== timeS) throw invalid("it tells another time than its block");
  await store.finishImport(anchor.signed, { height, timeS, appHash });
}

function requireGenesis(store: BlockStore, genesis: Genesis): void {
  const [expected, found] = [genesisHash(genesis), store.genesisHash];
  if (found === null || bytesEqual(found, expected)) return;
  const message = `${store.directory} holds the chain of another genesis: name another directory`;
  const facts = { expected: toHex(expected), found: toHex(found) };
  throw new GridError("genesis_mismatch", message, facts);
}

function anchorFault(
  genesis: Genesis,
  height: number,
  { signed, next }: SnapshotAnchor,
): string | null {
  const publicKey = fromHex(genesis.sequencerPublicKey);
  if (signed.header.height !== height || next.header.height !== height + 1) {
    return `its headers are of heights ${signed.header.height} and ${next.header.height}`;
  }
  if (signed.header.networkId !== genesis.networkId) return "its headers are of another network";
  if (!verifyHeader({ ...signed, publicKey })) {
    return `the header of ${height} does not bear the sequencer's signature`;
  }
  if (!bytesEqual(next.header.parentHash, headerHash(signed.header))) {
    return `block ${height + 1} does not follow the header of ${height}`;
  }
  return blockFault({ block: next, parent: signed.header, publicKey });
}

/**
 * Stores and executes blocks that come from elsewhere, from the next one on; lower ones are passed
 * over. Nothing may order blocks of its own meanwhile.
 *
 * @returns how many were executed
 * @throws GridError block_rejected naming the first that is not the sequencer's next block
 */
export async function importBlocks(
  parts: Opening & { readonly blocks: AsyncIterable<StoredBlock> | Iterable<StoredBlock> },
): Promise<number> {
  const { genesis, store } = parts;
  const { applier } = await openChainState(parts);
  const publicKey = fromHex(genesis.sequencerPublicKey);
  let executed = 0;
  for await (const block of parts.blocks) {
    const { height, appHash } = block.header;
    if (height <= store.height) continue;
    const refuse = (reason: string) =>
      new GridError("block_rejected", `block ${height} is refused: ${reason}`, { height, reason });
    const parent = (await store.signedHeader(height - 1))?.header ?? null;
    if (height !== store.height + 1 || parent === null) {
      throw refuse(`the next one is ${store.height + 1}`);
    }
    const fault = blockFault({ block, parent, publicKey });
    if (fault !== null) throw refuse(fault);
    if (!bytesEqual(appHash, store.state!.appHash)) throw refuse("it builds on another app hash");
    const { timeS } = block.header;
    const { transactions } = block;
    const verdict = applier.application.processProposal({ height, timeS, transactions });
    if (!verdict.accept) throw refuse(verdict.reason);
    await store.writeBlock(block);
    await applyBlock(applier, block);
    executed++;
  }
  return executed;
}
