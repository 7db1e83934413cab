/**
 * What of a block can be checked before anything is executed: the sequencer's signature and the
 * certificates of its reports. Pure functions of bytes and of genesis, so another thread may answer
 * them ahead of the replay; whatever it does not answer, the replay checks itself.
 */
import { certificateKey, createCertificateCheck } from "../chain/certificates.ts";
import { decodeBody, decodeSignedHeader } from "../ordering/embedded/block.ts";
import { GridError } from "../primitives/errors.ts";
import { verifyHeader } from "../wire/header.ts";
import { decodeReportTransaction, REPORT_TRANSACTION_TYPE } from "../wire/report.ts";

export type CheckContext = {
  readonly sequencerPublicKey: Uint8Array;
  readonly committee: {
    readonly publicKeys: readonly Uint8Array[];
    readonly quorum: number;
    readonly configDigest: Uint8Array;
  };
};
/** Stored bytes of a block. */
export type CheckedBytes = { readonly header: Uint8Array; readonly body: Uint8Array };
export type BlockChecks = {
  readonly signatureValid: boolean | null; // null: no signed header
  readonly certificates: readonly (readonly [key: string, valid: boolean])[];
};

/** Never throws for any bytes. */
export function checkBlocks(context: CheckContext, blocks: readonly CheckedBytes[]): BlockChecks[] {
  const certifies = createCertificateCheck(context);
  return blocks.map(({ header, body }) => ({
    signatureValid: readable(() => {
      const signed = decodeSignedHeader(header);
      return verifyHeader({ ...signed, publicKey: context.sequencerPublicKey });
    }),
    certificates: (readable(() => decodeBody(body)) ?? []).flatMap((bytes) => {
      if (bytes[0] !== REPORT_TRANSACTION_TYPE) return [];
      const transaction = readable(() => decodeReportTransaction(bytes));
      if (transaction === null) return [];
      return [[certificateKey(transaction), certifies(transaction)] as const];
    }),
  }));
}

function readable<Value>(read: () => Value): Value | null {
  try {
    return read();
  } catch (failure) {
    if (!(failure instanceof GridError)) throw failure;
    return null;
  }
}
