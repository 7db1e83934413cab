/**
 * What an auditor asks of one stored block before it executes it: that it is the next one, hangs on
 * the one before, holds the transactions it names, says the app hash that the replay came to, and
 * bears the sequencer's signature. The signature comes last, so that an altered field is named.
 */
import type { StoredBlock } from "../chain/access.ts";
import { type Difference, valueDifference } from "../chain/record-difference.ts";
import { transactionsRoot } from "../ordering/embedded/block.ts";
import { fromHex, toHex } from "../primitives/bytes.ts";
import { BLOCK_TRANSACTIONS_MAX } from "../primitives/limits.ts";
import type { Genesis } from "../wire/genesis.ts";
import { type Header, headerHash, verifyHeader } from "../wire/header.ts";

/** @returns the first thing wrong with the block, or null */
export function blockDifference(parts: {
  readonly genesis: Genesis;
  readonly block: StoredBlock;
  readonly height: number; // where it is stored
  readonly chainVersion: number; // in force at this height
  readonly parent: Header | null; // null before block 1, and where the one before is not known
  readonly parentKnown: boolean; // false for the first block after a snapshot without its block
  readonly appHash: Uint8Array; // the replay's, after height - 1
  /** Whether the sequencer signed, where another thread has checked it; else it is checked here. */
  readonly signatureValid: boolean | null;
}): Difference | null {
  const { genesis, block, height, parent, appHash } = parts;
  const { header, signature, transactions } = block;
  if (transactions.length > BLOCK_TRANSACTIONS_MAX) {
    const most = `at most ${BLOCK_TRANSACTIONS_MAX}`;
    return { field: "transactions", stored: String(transactions.length), computed: most };
  }
  const computed: Omit<Header, "timeS"> = {
    chainVersion: parts.chainVersion,
    networkId: genesis.networkId,
    height,
    parentHash: parentHashOf(parts),
    transactionsRoot: transactionsRoot(transactions),
    appHash,
  };
  const { timeS, ...stored } = header;
  const field = valueDifference("", stored, computed);
  if (field !== null) return { ...field, field: `header.${field.field}` };
  const earliestS = parent?.timeS ?? genesis.genesisTimeS;
  if (timeS < earliestS) {
    return { field: "header.timeS", stored: String(timeS), computed: `at least ${earliestS}` };
  }
  const publicKey = fromHex(genesis.sequencerPublicKey);
  if (parts.signatureValid ?? verifyHeader({ header, signature, publicKey })) return null;
  const by = `a signature by ${genesis.sequencerPublicKey}`;
  return { field: "signature", stored: toHex(signature), computed: by };
}

function parentHashOf({ block, parent, parentKnown }: Parameters<typeof blockDifference>[0]) {
  if (!parentKnown) return block.header.parentHash; // the app hash and the signature stand for it
  return parent === null ? new Uint8Array(32) : headerHash(parent);
}
