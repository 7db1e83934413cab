/**
 * Sealed values: each stored value carries a CRC-32 over its key and itself. LevelDB checks its log
 * but not the table blocks it reads (`verify_checksums` is off and cannot be switched on), so a
 * flipped bit on the disk would otherwise come back as data. The key is part of the sum, so that a
 * value under the wrong key is found too. It guards against decay, not against an adversary.
 */
import { crc32 } from "node:zlib";
import { bytesEqual, concatBytes, uintBytes, utf8 } from "../../primitives/bytes.ts";

const SEAL_BYTES = 4;

export function seal(key: string, value: Uint8Array): Uint8Array {
  return concatBytes([sealOf(key, value), value]);
}

/** The value, or null where the seal does not hold. */
export function unseal(key: string, stored: Uint8Array): Uint8Array | null {
  if (stored.length < SEAL_BYTES) return null;
  // LevelDB hands out Buffers, whose `slice` does not copy: nobody else shall meet one.
  const value = new Uint8Array(
    stored.buffer,
    stored.byteOffset + SEAL_BYTES,
    stored.length - SEAL_BYTES,
  );
  return bytesEqual(stored.subarray(0, SEAL_BYTES), sealOf(key, value)) ? value : null;
}

function sealOf(key: string, value: Uint8Array): Uint8Array {
  return uintBytes(crc32(value, crc32(utf8(key))), SEAL_BYTES);
}
