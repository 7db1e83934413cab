/**
 * Certificates of reports: a quorum of the committee signed these bytes. Each costs a pairing, and
 * a report meets the check twice (mempool, then block), so answers are remembered: the check is a
 * pure function of its bytes, and forgetting one costs time only.
 */
import { verifyBlsAggregate } from "../crypto/bls.ts";
import { sha256 } from "../crypto/hash.ts";
import { toHex } from "../primitives/bytes.ts";
import { COMMITTEE_MEMBERS_MAX } from "../primitives/limits.ts";
import { type ReportTransaction, reportStatement } from "../wire/report.ts";
import type { Rules } from "./rules.ts";

/** Answers remembered; the oldest goes first. */
export const CERTIFICATES_REMEMBERED_MAX = 4096;

export type CertificateCheck = (transaction: ReportTransaction) => boolean;

/** Names what was signed, by whom and how: equal keys have equal answers. */
export function certificateKey({ reportBytes, certificate }: ReportTransaction): string {
  const bitmask = Uint32Array.of(certificate.signers);
  const signers = new Uint8Array(bitmask.buffer);
  return toHex(sha256(sha256(reportBytes), signers, certificate.signature));
}

/**
 * @param answers - what somebody has worked out ahead with this same check, by `certificateKey`:
 *   another thread of this process, never anything from outside
 */
export function createCertificateCheck(
  { committee }: Pick<Rules, "committee">,
  answers: ReadonlyMap<string, boolean> = new Map(),
): CertificateCheck {
  const remembered = new Map<string, boolean>();
  return (transaction) => {
    const signerKeys = signersOf(transaction.certificate.signers, committee.publicKeys);
    if (signerKeys === null || signerKeys.length < committee.quorum) return false;
    const { reportBytes, certificate } = transaction;
    const key = certificateKey(transaction);
    const known = answers.get(key) ?? remembered.get(key);
    if (known !== undefined) return known;
    const valid = verifyBlsAggregate({
      signature: certificate.signature,
      message: reportStatement(reportBytes),
      publicKeys: signerKeys,
    });
    if (remembered.size >= CERTIFICATES_REMEMBERED_MAX) {
      for (const oldest of remembered.keys()) {
        remembered.delete(oldest);
        break;
      }
    }
    remembered.set(key, valid);
    return valid;
  };
}

/** Keys of the members whose bits are set; null where a bit names nobody. */
function signersOf(signers: number, publicKeys: readonly Uint8Array[]): Uint8Array[] | null {
  const keys: Uint8Array[] = [];
  for (let m = 0; m < COMMITTEE_MEMBERS_MAX; m++) {
    if (Math.floor(signers / 2 ** m) % 2 === 0) continue;
    const key = publicKeys[m];
    if (key === undefined) return null;
    keys.push(key);
  }
  return keys;
}
