/**
 * Records that hold state are sealed: SHA-256 over key and payload stands before the payload, so a
 * record that decayed, was cut off, or stands under another's key is found when it is read.
 */
import { sha256 } from "../crypto/hash.ts";
import { bytesEqual, concatBytes, utf8 } from "../primitives/bytes.ts";
import { type CodecValue, decode, encode } from "../primitives/codec.ts";
import { GridError } from "../primitives/errors.ts";

export const SEAL_BYTES = 32;

export function sealRecord(key: string, value: CodecValue): Uint8Array {
  const payload = encode(value);
  return concatBytes([sealOf(key, payload), payload]);
}

/** @throws GridError database_corrupt naming the key */
export function openRecord(key: string, stored: Uint8Array): CodecValue {
  const payload = stored.subarray(SEAL_BYTES);
  const seal = stored.subarray(0, SEAL_BYTES);
  if (!bytesEqual(seal, sealOf(key, payload))) return corruptRecord(key, "fails its checksum");
  return decode(payload);
}

export function corruptRecord(key: string, why: string): never {
  throw new GridError("database_corrupt", `stored record ${key} ${why}`, {
    directory: "",
    what: key,
  });
}

function sealOf(key: string, payload: Uint8Array): Uint8Array {
  return sha256(utf8(`gridlane/record/${key.length}/${key}`), payload);
}
