/**
 * Signatures of transactions, which cost more than all the rest of admission: verified once for
 * each transaction, however often it is judged (mempool, then block), and all those of a block at
 * once where an executor can spread them over workers. In what order they are verified cannot be
 * seen: a signature is good or bad by itself, and judging takes the answers in the block's order.
 */
import { sha256 } from "../crypto/hash.ts";
import { toHex } from "../primitives/bytes.ts";
import { GridError } from "../primitives/errors.ts";
import { MEMPOOL_TRANSACTIONS_MAX, TRANSACTION_BYTES_MAX } from "../primitives/limits.ts";
import { decodeReportEnvelope, REPORT_TRANSACTION_TYPE } from "../wire/report.ts";
import {
  decodeMemberTransaction,
  MEMBER_TRANSACTION_TYPE,
  type SignedMemberTransaction,
} from "../wire/transaction.ts";
import type { CertificateCheck } from "./certificates.ts";
import { Facts } from "./facts.ts";
import type { LaneExecutor } from "./lane-executor.ts";

/** Senders remembered: those of a full mempool and of the block that is made from it. */
export const SENDERS_REMEMBERED_MAX = 2 * MEMPOOL_TRANSACTIONS_MAX;

/** Reads a member's transaction, its sender remembered. Throws as `decodeMemberTransaction`. */
export type MemberReader = {
  (bytes: Uint8Array): SignedMemberTransaction;
  /** Recovers senders that are not remembered, all at once by `recover`, and remembers them. */
  learn(transactions: readonly Uint8Array[], recover: NonNullable<LaneExecutor["senders"]>): void;
};

export function createMemberReader(): MemberReader {
  const senders = new Facts<Uint8Array | null>(SENDERS_REMEMBERED_MAX);
  const keyOf = (bytes: Uint8Array) => toHex(sha256(bytes));
  const read = (bytes: Uint8Array) => {
    const key = keyOf(bytes);
    const known = senders.get(key);
    if (known !== undefined) return decodeMemberTransaction(bytes, () => known);
    const transaction = decodeMemberTransaction(bytes);
    senders.put(key, transaction.sender);
    return transaction;
  };
  return Object.assign(read, {
    learn(transactions: readonly Uint8Array[], recover: NonNullable<LaneExecutor["senders"]>) {
      const unknown = transactions.flatMap((bytes) => {
        const key = keyOf(bytes);
        return senders.get(key) === undefined ? [{ key, bytes }] : [];
      });
      const found = recover(unknown.map(({ bytes }) => bytes));
      unknown.forEach(({ key }, i) => void senders.put(key, found[i]!));
    },
  });
}

/** Who signed a member's transaction; null for bytes that are none, or that nobody signed. */
export function senderOf(bytes: Uint8Array): Uint8Array | null {
  try {
    return decodeMemberTransaction(bytes).sender;
  } catch (failure) {
    if (failure instanceof GridError) return null;
    throw failure;
  }
}

/** Learns the signatures of a block's transactions before the first of them is judged. */
export function learnSignatures(parts: {
  readonly executor: LaneExecutor;
  readonly members: MemberReader;
  readonly certifies: CertificateCheck;
  readonly transactions: readonly Uint8Array[];
}): void {
  const { executor, members, certifies } = parts;
  const fitting = parts.transactions.filter((bytes) => bytes.length <= TRANSACTION_BYTES_MAX);
  if (executor.senders !== undefined) {
    members.learn(
      fitting.filter((bytes) => bytes[0] === MEMBER_TRANSACTION_TYPE),
      executor.senders,
    );
  }
  if (executor.certificates === undefined) return;
  const envelopes = fitting.flatMap((bytes) => {
    return bytes[0] === REPORT_TRANSACTION_TYPE ? envelopeOf(bytes) : [];
  });
  certifies.learn(envelopes, executor.certificates);
}

/** None for bytes that are no report: judging says why. */
function envelopeOf(bytes: Uint8Array) {
  try {
    return [decodeReportEnvelope(bytes)];
  } catch (failure) {
    if (failure instanceof GridError) return [];
    throw failure;
  }
}
