/**
 * OCMF records as a source of a gateway: each is verified before a register of it is looked at.
 * What it then signs is marked as imported: the record's own signature is not part of the reading,
 * so whoever checks the community's books trusts the gateway for it.
 */
import type { Adapter } from "../oracle/adapters/adapters.ts";
import { scanJsonLine } from "../oracle/adapters/framing.ts";
import { ocmfTelegrams, readOcmf } from "../oracle/adapters/ocmf.ts";
import { refuse } from "../oracle/adapters/telegram.ts";
import { verifyOcmf } from "../oracle/ocmf-signature.ts";

/** @param publicKey - the one key whose records are taken: SubjectPublicKeyInfo, DER */
export function ocmfAdapter(publicKey: Uint8Array): Adapter {
  return {
    scan: scanJsonLine, // records come whole, from a file taken apart before
    read: (frame) => {
      const record = readOcmf(frame);
      const verdict = verifyOcmf(record, publicKey);
      if (verdict !== "genuine") return refuse("ocmf", "signature_invalid", verdict);
      return ocmfTelegrams(record);
    },
  };
}
