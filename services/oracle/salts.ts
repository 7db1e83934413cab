/**
 * Salts of the readings tree: HKDF-SHA-256 (RFC 5869) of the committee's salt secret.
 *
 * Deterministic, so that a repeated record has the same leaf at every member; without the secret
 * nobody can guess one, so a low-entropy reading cannot be found by trying. The extract step does
 * not depend on the record and is done once; expanding 32 bytes is one HMAC.
 */
import { hmacSha256 } from "../crypto/hash.ts";
import { concatBytes, uintBytes, utf8 } from "../primitives/bytes.ts";
import type { Reading } from "../wire/reading.ts";

const LABEL = utf8("gridlane/salt/v1");
const FIRST_BLOCK = Uint8Array.of(1);

export class Salts {
  readonly #pseudoRandomKey: Uint8Array;

  constructor(saltSecret: Uint8Array) {
    this.#pseudoRandomKey = hmacSha256(new Uint8Array(32), saltSecret); // no salt: zeros
  }

  /** 32 bytes for the record of this (device, boot, seq). */
  saltOf({ deviceId, boot, seq }: Pick<Reading, "deviceId" | "boot" | "seq">): Uint8Array {
    const info = saltInfo({ deviceId, boot, seq });
    return hmacSha256(this.#pseudoRandomKey, concatBytes([info, FIRST_BLOCK]));
  }
}

/** HKDF's `info`: fixed widths, so that no two records share one. */
export function saltInfo(record: Pick<Reading, "deviceId" | "boot" | "seq">): Uint8Array {
  return concatBytes([LABEL, record.deviceId, uintBytes(record.boot, 4), uintBytes(record.seq, 8)]);
}
