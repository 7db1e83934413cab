/**
 * The native accelerators, loaded on demand: each is optional, because not every machine has a
 * prebuilt binary (hashtree has none for Intel Macs, secp256k1 none for ARM boards).
 *
 * Safe because an absent one is replaced by the portable engine, which accepts exactly the same
 * (tests hold both to the same vectors); `gridlane doctor` says which are absent. `secp256k1` is
 * loaded by its binding: its main file would silently fall back to a third engine, `elliptic`.
 */
import { createRequire } from "node:module";
import type { Accelerator } from "../accelerators.ts";

const load = createRequire(import.meta.url);

function addon<Addon>(name: string): Addon | null {
  try {
    return load(name) as Addon;
  } catch {
    return null;
  }
}

/** libsodium: the caller allocates every output. Refuses SharedArrayBuffer views silently. */
export type Sodium = {
  crypto_sign_seed_keypair(publicKey: Uint8Array, expanded: Uint8Array, seed: Uint8Array): void;
  crypto_sign_detached(signature: Uint8Array, message: Uint8Array, expanded: Uint8Array): void;
  crypto_sign_verify_detached(
    signature: Uint8Array,
    message: Uint8Array,
    publicKey: Uint8Array,
  ): boolean | undefined;
};

export const sodium = () => addon<Sodium>("sodium-native");
export const hashtree = () => addon<typeof import("@chainsafe/hashtree")>("@chainsafe/hashtree");
export const blst = () => addon<typeof import("@chainsafe/blst")>("@chainsafe/blst");
export const secp256k1 = () => addon<typeof import("secp256k1")>("secp256k1/bindings.js");

export function loadAll(): readonly Accelerator[] {
  return [
    { name: "sodium-native", loaded: sodium() !== null },
    { name: "hashtree", loaded: hashtree() !== null },
    { name: "blst", loaded: blst() !== null },
    { name: "secp256k1", loaded: secp256k1() !== null },
  ];
}
