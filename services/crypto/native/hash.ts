/**
 * Hashing by OpenSSL, and by hashtree where there are whole Merkle levels: one call hashes n pairs
 * with the widest vector unit of the machine. Falls back to the portable engine without the addon.
 */
import { createHash, createHmac, hash, hkdfSync } from "node:crypto";
import type { HkdfInput } from "../hash.ts";
import { pairsInto as portablePairsInto } from "../portable/hash.ts";
import { hashtree } from "./addons.ts";

const accelerator = hashtree();

export function sha256Of(parts: readonly Uint8Array[]): Uint8Array {
  if (parts.length === 1) return sha256One(parts[0]!);
  const state = createHash("sha256");
  for (const part of parts) state.update(part);
  return plain(state.digest());
}

export function sha256OfStream(pieces: Iterable<Uint8Array>): Uint8Array {
  const state = createHash("sha256");
  for (const piece of pieces) state.update(piece);
  return plain(state.digest());
}

function sha256One(bytes: Uint8Array): Uint8Array {
  if (bytes.length !== 64 || accelerator === null) return plain(hash("sha256", bytes, "buffer"));
  const out = new Uint8Array(32);
  accelerator.hashInto(bytes, out);
  return out;
}

export function hmac(key: Uint8Array, message: Uint8Array): Uint8Array {
  return plain(createHmac("sha256", key).update(message).digest());
}

export function hkdf({ secret, salt, info, length }: HkdfInput): Uint8Array {
  return new Uint8Array(hkdfSync("sha256", secret, salt, info, length));
}

export const pairsInto = accelerator === null ? portablePairsInto : accelerator.hashInto;

/** The same bytes without Buffer's methods, whose `slice` shares memory where ours must copy. */
function plain(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
