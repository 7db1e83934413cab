/**
 * A block of embedded ordering: made, signed and stored here. The header is what a proof leads to;
 * the transactions hang on it by an SSZ List[Bytes32, 20000] of their SHA-256.
 */
import type { StoredBlock } from "../../chain/access.ts";
import { signEd25519 } from "../../crypto/ed25519.ts";
import { sha256 } from "../../crypto/hash.ts";
import { merkleRoot, mixInLength } from "../../crypto/merkle.ts";
import { concatBytes } from "../../primitives/bytes.ts";
import { decode, encode } from "../../primitives/codec.ts";
import { GridError } from "../../primitives/errors.ts";
import { BLOCK_TRANSACTIONS_MAX } from "../../primitives/limits.ts";
import { decodeHeader, encodeHeader, type Header, headerSignedBytes } from "../../wire/header.ts";

export type SignedHeader = { readonly header: Header; readonly signature: Uint8Array };

/** 32 bytes that commit to every transaction and to their order. */
export function transactionsRoot(transactions: readonly Uint8Array[]): Uint8Array {
  const leaves = concatBytes(transactions.map((transaction) => sha256(transaction)));
  return mixInLength(merkleRoot(leaves, BLOCK_TRANSACTIONS_MAX), transactions.length);
}

export function signBlock({
  header,
  transactions,
  secretKey,
}: {
  header: Omit<Header, "transactionsRoot">;
  transactions: readonly Uint8Array[];
  secretKey: Uint8Array;
}): StoredBlock {
  const complete = { ...header, transactionsRoot: transactionsRoot(transactions) };
  const signature = signEd25519({ message: headerSignedBytes(complete), secretKey });
  return { header: complete, signature, transactions };
}

export function encodeSignedHeader({ header, signature }: SignedHeader): Uint8Array {
  return encode([encodeHeader(header), signature]);
}

/** @throws GridError bytes_malformed */
export function decodeSignedHeader(bytes: Uint8Array): SignedHeader {
  const pair = decode(bytes);
  if (!Array.isArray(pair) || pair.length !== 2) return fail("signed header");
  const [header, signature] = pair as unknown[];
  if (!(header instanceof Uint8Array) || !(signature instanceof Uint8Array)) {
    return fail("signed header");
  }
  return { header: decodeHeader(header), signature };
}

export function encodeBody(transactions: readonly Uint8Array[]): Uint8Array {
  return encode(transactions);
}

/** @throws GridError bytes_malformed */
export function decodeBody(bytes: Uint8Array): Uint8Array[] {
  const items = decode(bytes);
  if (!Array.isArray(items)) return fail("block body");
  return items.map((item: unknown) => (item instanceof Uint8Array ? item : fail("block body")));
}

function fail(what: string): never {
  throw new GridError("bytes_malformed", `not a ${what}`, { what, offset: 0 });
}
