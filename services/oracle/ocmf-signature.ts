/**
 * Signatures of OCMF records, by Node's own cryptography: the format allows seven curves, and
 * OpenSSL has them all. No settled path depends on it: what is imported is signed anew by the
 * gateway, and what is exported is a document.
 */
import { createPublicKey, type KeyObject, sign, verify } from "node:crypto";
import { fromHex } from "../primitives/bytes.ts";
import { GridError } from "../primitives/errors.ts";
import type { OcmfRecord } from "./adapters/ocmf.ts";

/** Names of OCMF, with the corpus's own spellings, to OpenSSL's. */
const CURVES: Readonly<Record<string, string>> = {
  secp192k1: "secp192k1",
  secp192r1: "prime192v1",
  secp256k1: "secp256k1",
  secp256r1: "prime256v1",
  secp384r1: "secp384r1",
  brainpool256r1: "brainpoolP256r1",
  brainpoolP256r1: "brainpoolP256r1",
  brainpool384r1: "brainpoolP384r1",
  brainpoolP384r1: "brainpoolP384r1",
};

/**
 * genuine: the key's signature is over exactly this payload. forged: it is not, or names another
 * curve, or is no signature at all. key_unusable: nothing can be said.
 */
export type OcmfVerdict = "genuine" | "forged" | "key_unusable";

/** @param publicKey - SubjectPublicKeyInfo, DER */
export function verifyOcmf(record: OcmfRecord, publicKey: Uint8Array): OcmfVerdict {
  const key = importKey(publicKey);
  if (key === null) return "key_unusable";
  const { algorithm } = record.signature;
  const curve = CURVES[/^ECDSA-(\w+)-SHA256$/.exec(algorithm)?.[1] ?? ""];
  if (curve === undefined || key.asymmetricKeyDetails?.namedCurve !== curve) return "forged";
  const signature = signatureBytes(record);
  if (signature === null) return "forged";
  try {
    return verify("sha256", record.payload, key, signature) ? "genuine" : "forged";
  } catch {
    return "forged"; // OpenSSL refuses to read it as a signature
  }
}

function importKey(publicKey: Uint8Array): KeyObject | null {
  try {
    const key = createPublicKey({ key: Buffer.from(publicKey), format: "der", type: "spki" });
    return key.asymmetricKeyType === "ec" ? key : null;
  } catch {
    return null;
  }
}

function signatureBytes({ signature: { data, encoding } }: OcmfRecord): Uint8Array | null {
  if (encoding === "base64") {
    return /^[A-Za-z0-9+/]+={0,2}$/.test(data)
      ? Uint8Array.from(Buffer.from(data, "base64"))
      : null;
  }
  try {
    return fromHex(data);
  } catch (error) {
    if (error instanceof GridError) return null;
    throw error;
  }
}

/** ECDSA over P-256 with SHA-256, DER. */
export function signOcmf(payload: Uint8Array, privateKey: KeyObject): Uint8Array {
  return Uint8Array.from(sign("sha256", payload, privateKey));
}
