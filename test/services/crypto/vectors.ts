/** Signature vectors written by others (Wycheproof, ed25519-speccheck), read where they stand. */
import { existsSync, readFileSync } from "node:fs";
import { concatBytes, fromHex } from "../../../services/primitives/bytes.ts";

const DATA = new URL("../../../../shared/data/crypto/", import.meta.url);
export const vectorsAbsent = !existsSync(DATA);

/** Empty when the data is absent: the suites that use it say that they skip. */
export function readJson<T>(path: string): T | null {
  return vectorsAbsent ? null : (JSON.parse(readFileSync(new URL(path, DATA), "utf8")) as T);
}

type Group = {
  publicKey: { pk?: string; uncompressed?: string };
  tests: { tcId: number; comment: string; msg: string; sig: string; result: string }[];
};
export type Case = {
  readonly name: string;
  readonly comment: string;
  readonly message: Uint8Array;
  readonly signature: Uint8Array;
  readonly publicKey: Uint8Array; // raw, or uncompressed on a Weierstrass curve
  readonly valid: boolean;
};

export function wycheproof(file: string): Case[] {
  const suite = readJson<{ testGroups: Group[] }>(`wycheproof/${file}`);
  return (suite?.testGroups ?? []).flatMap(({ publicKey, tests }) =>
    tests.map((row) => ({
      name: `${row.tcId} ${row.comment}`,
      comment: row.comment,
      message: fromHex(row.msg),
      signature: fromHex(row.sig),
      publicKey: fromHex(publicKey.pk ?? publicKey.uncompressed ?? ""),
      valid: row.result === "valid",
    })),
  );
}

export function compressed(uncompressed: Uint8Array): Uint8Array {
  const prefix = 2 + (uncompressed[64]! & 1);
  return concatBytes([Uint8Array.of(prefix), uncompressed.subarray(1, 33)]);
}

/** r || s of a signature in strict DER (as BIP 66), or null where it is malformed or too wide. */
export function rawFromDer(der: Uint8Array): Uint8Array | null {
  if (der[0] !== 0x30 || der[1] !== der.length - 2 || der.length > 129) return null;
  const r = derInteger(der, 2);
  const s = r && derInteger(der, r.end);
  if (!r || !s || s.end !== der.length) return null;
  return concatBytes([r.value, s.value]);
}

function derInteger(der: Uint8Array, at: number) {
  const length = der[at + 1] ?? 0;
  const end = at + 2 + length;
  if (der[at] !== 2 || length === 0 || end > der.length) return null;
  const digits = der.subarray(at + 2, end);
  const [first = 0, second = 0] = digits;
  if (first >= 0x80 || (first === 0 && length > 1 && second < 0x80)) return null;
  const magnitude = first === 0 ? digits.subarray(1) : digits;
  if (magnitude.length > 32) return null;
  const value = new Uint8Array(32);
  value.set(magnitude, 32 - magnitude.length);
  return { value, end };
}

/** `bytes` with one bit turned over. */
export function flipBit(bytes: Uint8Array, bit: number): Uint8Array {
  const out = bytes.slice();
  const at = bit % (8 * bytes.length);
  out[Math.floor(at / 8)]! ^= 1 << (at % 8);
  return out;
}
