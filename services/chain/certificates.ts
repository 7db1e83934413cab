/**
 * Certificates of reports: a quorum of the committee signed these bytes. Each costs a pairing, and
 * a report meets the check twice (mempool, then block), so answers are remembered: the check is a
 * pure function of its bytes, and forgetting one costs time only.
 */
import { verifyBlsAggregate } from "../crypto/bls.ts";
import { sha256 } from "../crypto/hash.ts";
import { toHex } from "../primitives/bytes.ts";
import { COMMITTEE_MEMBERS_MAX } from "../primitives/limits.ts";
import { type ReportEnvelope, reportStatement } from "../wire/report.ts";
import { Facts } from "./facts.ts";
import type { Rules } from "./rules.ts";

/** Answers remembered; the oldest goes first. */
export const CERTIFICATES_REMEMBERED_MAX = 4096;

export type CertificateCheck = {
  (transaction: ReportEnvelope): boolean;
  /** Verifies those that are not remembered, all at once by `verify`, and remembers the answers. */
  learn(envelopes: readonly ReportEnvelope[], verify: VerifyCertificates): void;
};

/** A quorum's signature over a statement, and whose it has to be. */
export type Certified = {
  readonly message: Uint8Array;
  readonly signature: Uint8Array;
  readonly signers: number; // bitmask
};

/** By certificate: whether all its signers signed. */
export type VerifyCertificates = (work: {
  readonly publicKeys: readonly Uint8Array[]; // the committee's
  readonly certificates: readonly Certified[];
}) => readonly boolean[];

export function createCertificateCheck({ committee }: Rules): CertificateCheck {
  const { publicKeys } = committee;
  const remembered = new Facts<boolean>(CERTIFICATES_REMEMBERED_MAX);
  const isQuorum = (signers: number) => {
    return (signersOf(signers, publicKeys)?.length ?? 0) >= committee.quorum;
  };
  const check = (envelope: ReportEnvelope) => {
    if (!isQuorum(envelope.certificate.signers)) return false;
    const key = keyOf(envelope);
    return (
      remembered.get(key) ??
      remembered.put(key, verifyCertificate(publicKeys, certifiedBy(envelope)))
    );
  };
  return Object.assign(check, {
    learn(envelopes: readonly ReportEnvelope[], verify: VerifyCertificates) {
      const unknown = envelopes.flatMap((envelope) => {
        const key = keyOf(envelope);
        const isOpen = remembered.get(key) === undefined && isQuorum(envelope.certificate.signers);
        return isOpen ? [{ key, certified: certifiedBy(envelope) }] : [];
      });
      const certificates = unknown.map(({ certified }) => certified);
      const answers = verify({ publicKeys, certificates });
      unknown.forEach(({ key }, i) => void remembered.put(key, answers[i]!));
    },
  });
}

function keyOf({ reportBytes, certificate }: ReportEnvelope): string {
  const bitmask = Uint32Array.of(certificate.signers);
  return toHex(sha256(sha256(reportBytes), new Uint8Array(bitmask.buffer), certificate.signature));
}

function certifiedBy({ reportBytes, certificate }: ReportEnvelope): Certified {
  return { ...certificate, message: reportStatement(reportBytes) };
}

export function verifyCertificate(
  publicKeys: readonly Uint8Array[],
  { message, signature, signers }: Certified,
): boolean {
  const keys = signersOf(signers, publicKeys);
  return keys !== null && verifyBlsAggregate({ signature, message, publicKeys: keys });
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
