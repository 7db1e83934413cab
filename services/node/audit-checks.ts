/**
 * What of a block can be checked before anything is executed: the sequencer's signature, who signed
 * the members' transactions, and the certificates of reports. Pure functions of bytes and of
 * genesis, so another thread may answer them ahead of the replay; what it does not answer, the
 * replay finds out itself.
 */
import { senderOf } from "../chain/admission-facts.ts";
import { type Certified, verifyCertificate } from "../chain/certificates.ts";
import type { LaneExecutor } from "../chain/lane-executor.ts";
import { sha256 } from "../crypto/hash.ts";
import { decodeBody, decodeSignedHeader } from "../ordering/embedded/block.ts";
import { toHex } from "../primitives/bytes.ts";
import { GridError } from "../primitives/errors.ts";
import { verifyHeader } from "../wire/header.ts";
import { decodeReportEnvelope, REPORT_TRANSACTION_TYPE, reportStatement } from "../wire/report.ts";
import { MEMBER_TRANSACTION_TYPE } from "../wire/transaction.ts";

export type CheckContext = {
  readonly sequencerPublicKey: Uint8Array;
  readonly committeeKeys: readonly Uint8Array[];
};
/** Stored bytes of a block. */
export type CheckedBytes = { readonly header: Uint8Array; readonly body: Uint8Array };
export type BlockChecks = {
  readonly signatureValid: boolean | null; // null: no signed header
  readonly certificates: ReadonlyMap<string, boolean>; // by `certifiedKey`: all signers signed
  readonly senders: ReadonlyMap<string, Uint8Array | null>; // by the transaction's SHA-256
};

/** Never throws for any bytes. */
export function checkBlocks(context: CheckContext, blocks: readonly CheckedBytes[]): BlockChecks[] {
  const { sequencerPublicKey: publicKey, committeeKeys } = context;
  return blocks.map(({ header, body }) => {
    const certificates = new Map<string, boolean>();
    const senders = new Map<string, Uint8Array | null>();
    for (const bytes of readable(() => decodeBody(body)) ?? []) {
      if (bytes[0] === MEMBER_TRANSACTION_TYPE) senders.set(senderKey(bytes), senderOf(bytes));
      if (bytes[0] !== REPORT_TRANSACTION_TYPE) continue;
      const envelope = readable(() => decodeReportEnvelope(bytes));
      if (envelope === null) continue;
      const certified = { ...envelope.certificate, message: reportStatement(envelope.reportBytes) };
      certificates.set(certifiedKey(certified), verifyCertificate(committeeKeys, certified));
    }
    const signed = readable(() => decodeSignedHeader(header));
    const signatureValid = signed === null ? null : verifyHeader({ ...signed, publicKey });
    return { signatureValid, certificates, senders };
  });
}

/**
 * An executor whose signatures are answered by what was checked ahead, as far as that goes.
 *
 * @param ahead - the checks of the block in the making; null where there are none
 */
export function withChecks(executor: LaneExecutor, ahead: () => BlockChecks | null): LaneExecutor {
  return {
    open: (work) => executor.open(work),
    root: (work) => executor.root(work),
    senders: (transactions) => {
      const known = ahead()?.senders;
      return transactions.map((bytes) => known?.get(senderKey(bytes)) ?? senderOf(bytes));
    },
    certificates: ({ publicKeys, certificates }) => {
      const known = ahead()?.certificates;
      return certificates.map((certified) => {
        return known?.get(certifiedKey(certified)) ?? verifyCertificate(publicKeys, certified);
      });
    },
  };
}

function senderKey(bytes: Uint8Array): string {
  return toHex(sha256(bytes));
}

/** Equal keys have equal answers: what was signed, how, and by whom. */
function certifiedKey({ message, signature, signers }: Certified): string {
  return `${signers}/${toHex(signature)}/${toHex(message)}`;
}

function readable<Value>(read: () => Value): Value | null {
  try {
    return read();
  } catch (failure) {
    if (!(failure instanceof GridError)) throw failure;
    return null;
  }
}
