/**
 * The block header of embedded ordering, and the sequencer's signature over it. `appHash` is the
 * state *before* this block, as in CometBFT: the bills of block h are proved by header h + 1.
 */
import { verifyEd25519 } from "../crypto/ed25519.ts";
import { sha256 } from "../crypto/hash.ts";
import { concatBytes, utf8 } from "../primitives/bytes.ts";
import { type CodecValue, decode, encode } from "../primitives/codec.ts";
import { GridError } from "../primitives/errors.ts";
import type { UnixSeconds } from "../primitives/units.ts";

export type Header = {
  readonly chainVersion: number;
  readonly networkId: string;
  readonly height: number; // from 1
  readonly timeS: UnixSeconds; // market time, never below its parent's
  readonly parentHash: Uint8Array; // 32 B, zeros at height 1
  readonly transactionsRoot: Uint8Array; // 32 B, over the transactions' SHA-256
  readonly appHash: Uint8Array; // 32 B, after block height - 1
};

export function encodeHeader(header: Header): Uint8Array {
  return encode([
    header.chainVersion,
    header.networkId,
    header.height,
    header.timeS,
    header.parentHash,
    header.transactionsRoot,
    header.appHash,
  ]);
}

/** @throws GridError bytes_malformed */
export function decodeHeader(bytes: Uint8Array): Header {
  const fields = decode(bytes);
  if (!Array.isArray(fields) || fields.length !== 7) return fail("fields");
  const [chainVersion, networkId, height, timeS, parentHash, transactionsRoot, appHash] =
    fields as CodecValue[];
  if (typeof networkId !== "string") return fail("networkId");
  return {
    chainVersion: integer(chainVersion, "chainVersion"),
    networkId,
    height: integer(height, "height"),
    timeS: integer(timeS, "timeS") as UnixSeconds,
    parentHash: hash(parentHash, "parentHash"),
    transactionsRoot: hash(transactionsRoot, "transactionsRoot"),
    appHash: hash(appHash, "appHash"),
  };
}

export function headerHash(header: Header): Uint8Array {
  return sha256(encodeHeader(header));
}

/** What the sequencer signs. */
export function headerSignedBytes(header: Header): Uint8Array {
  return concatBytes([utf8("gridlane/header/v1"), headerHash(header)]);
}

export function verifyHeader({
  header,
  signature,
  publicKey,
}: {
  header: Header;
  signature: Uint8Array;
  publicKey: Uint8Array;
}): boolean {
  return verifyEd25519({ signature, message: headerSignedBytes(header), publicKey });
}

function integer(value: CodecValue | undefined, what: string): number {
  if (typeof value !== "number" || value < 0) return fail(what);
  return value;
}

function hash(value: CodecValue | undefined, what: string): Uint8Array {
  if (!(value instanceof Uint8Array) || value.length !== 32) return fail(what);
  return value;
}

function fail(what: string): never {
  throw new GridError("bytes_malformed", `not a header: ${what}`, { what, offset: 0 });
}
