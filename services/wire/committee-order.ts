/**
 * An order of the oracle committee to the chain itself: what no market rule decides, and no single
 * key may. Its authority is a quorum certificate of the committee, by the same keys, bit mask and
 * quorum as a report's, under a statement of its own. Enters the chain as transaction type 0x68.
 *
 * Safe because an order names the configuration it was made under and its place in the sequence of
 * all orders: it executes once, in its turn, on one network.
 */
import { sha256 } from "../crypto/hash.ts";
import { concatBytes, utf8 } from "../primitives/bytes.ts";
import { type CodecValue, decode, encode } from "../primitives/codec.ts";
import { GridError } from "../primitives/errors.ts";
import { CHAIN_VERSION_MAX, COMMITTEE_MEMBERS_MAX, REGIONS_MAX } from "../primitives/limits.ts";
import type { Certificate } from "./report.ts";

export const COMMITTEE_ORDER_TYPE = 0x68;

/** Kinds are consensus: append, never renumber. */
const KIND = { release: 1, upgrade: 2 } as const;

/** What the committee orders. */
export type CommitteeAct =
  /** Lets a quarantined lane catch up and join the market again. */
  | { readonly kind: "release"; readonly regionIndex: number }
  /** Blocks from `height` on follow the rules of `version`. Replaces an upgrade still to come. */
  | { readonly kind: "upgrade"; readonly version: number; readonly height: number };

export type CommitteeOrder = {
  readonly configDigest: Uint8Array; // 32 B, as in a report
  readonly sequence: number; // of all orders of this network: 1, 2, 3, ...
  readonly act: CommitteeAct;
};

export type CommitteeOrderTransaction = {
  readonly order: CommitteeOrder;
  readonly orderBytes: Uint8Array; // what was signed
  readonly certificate: Certificate;
};

export function encodeCommitteeOrder({ configDigest, sequence, act }: CommitteeOrder): Uint8Array {
  const body =
    act.kind === "release"
      ? [KIND.release, act.regionIndex]
      : [KIND.upgrade, act.version, act.height];
  return encode([configDigest, sequence, body]);
}

/** @throws GridError bytes_malformed naming the field */
export function decodeCommitteeOrder(bytes: Uint8Array): CommitteeOrder {
  const fields = decode(bytes);
  if (!Array.isArray(fields) || fields.length !== 3) return fail("fields");
  const [digest, sequence, act] = fields as CodecValue[];
  return {
    configDigest: sized(digest, 32, "configDigest"),
    sequence: within(sequence, { min: 1, max: Number.MAX_SAFE_INTEGER }, "sequence"),
    act: decodeAct(act),
  };
}

function decodeAct(value: CodecValue | undefined): CommitteeAct {
  if (!Array.isArray(value)) return fail("act");
  const [kind, ...rest] = value as CodecValue[];
  if (kind === KIND.release && rest.length === 1) {
    const regionIndex = within(rest[0], { min: 0, max: REGIONS_MAX - 1 }, "regionIndex");
    return { kind: "release", regionIndex };
  }
  if (kind === KIND.upgrade && rest.length === 2) {
    const version = within(rest[0], { min: 1, max: CHAIN_VERSION_MAX }, "version");
    const height = within(rest[1], { min: 1, max: Number.MAX_SAFE_INTEGER }, "height");
    return { kind: "upgrade", version, height };
  }
  return fail("act");
}

/** The bytes that committee members sign. No report's statement begins like this. */
export function committeeOrderStatement(orderBytes: Uint8Array): Uint8Array {
  return concatBytes([utf8("gridlane/committee-order/v1"), sha256(orderBytes)]);
}

export function encodeCommitteeOrderTransaction({
  orderBytes,
  certificate,
}: {
  orderBytes: Uint8Array;
  certificate: Certificate;
}): Uint8Array {
  const body = encode([orderBytes, certificate.signers, certificate.signature]);
  return concatBytes([Uint8Array.of(COMMITTEE_ORDER_TYPE), body]);
}

/**
 * @param bytes - the whole transaction, type byte included
 * @throws GridError bytes_malformed
 */
export function decodeCommitteeOrderTransaction(bytes: Uint8Array): CommitteeOrderTransaction {
  if (bytes[0] !== COMMITTEE_ORDER_TYPE) return fail("type");
  const parts = decode(bytes.subarray(1));
  if (!Array.isArray(parts) || parts.length !== 3) return fail("envelope");
  const [orderBytes, signers, signature] = parts as CodecValue[];
  if (!(orderBytes instanceof Uint8Array)) return fail("order");
  const certificate = {
    signers: within(signers, { min: 0, max: 2 ** COMMITTEE_MEMBERS_MAX - 1 }, "signers"),
    signature: sized(signature, 96, "signature"),
  };
  return { order: decodeCommitteeOrder(orderBytes), orderBytes, certificate };
}

function sized(value: CodecValue | undefined, length: number, what: string): Uint8Array {
  if (!(value instanceof Uint8Array) || value.length !== length) return fail(what);
  return value;
}

function within(
  value: CodecValue | undefined,
  { min, max }: { readonly min: number; readonly max: number },
  what: string,
): number {
  if (typeof value !== "number" || value < min || value > max) return fail(what);
  return value;
}

function fail(what: string): never {
  throw new GridError("bytes_malformed", `not a committee order: ${what}`, { what, offset: 0 });
}
