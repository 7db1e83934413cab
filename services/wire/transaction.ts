/**
 * Transactions are EIP-2718 envelopes. People send ordinary signed Ethereum transactions of type 2
 * (EIP-1559), so any wallet works; the oracle sends type 0x67 (`report.ts`). A member's transaction
 * calls its region's market at `marketAddress`; fees are rules of the law, so gas costs nothing.
 */
import { keccak256 } from "../crypto/hash.ts";
import {
  type RecoverableDigest,
  recoverAddress,
  secp256k1Address,
  signSecp256k1,
} from "../crypto/secp256k1.ts";
import { bytesEqual, concatBytes, uintBytes, utf8 } from "../primitives/bytes.ts";
import { GridError } from "../primitives/errors.ts";
import { PRICE_UC_PER_WH_MAX } from "../primitives/limits.ts";
import { abiInt64, callSelector, isCall, readAbiInt64 } from "./abi.ts";
import { decodeRlp, encodeRlp, type RlpValue, rlpListPrefix } from "./rlp.ts";

export const MEMBER_TRANSACTION_TYPE = 0x02;

/** The fields of an EIP-1559 transaction that this chain reads. */
export type MemberTransaction = {
  readonly chainId: number;
  readonly nonce: number;
  readonly to: Uint8Array; // 20 B
  readonly data: Uint8Array;
};
export type SignedMemberTransaction = MemberTransaction & {
  readonly sender: Uint8Array | null; // 20 B; null where the signature recovers no key
};

const MARKET_PREFIX = concatBytes([new Uint8Array(14), utf8("lane")]);

/** 14 zero bytes, "lane", region index as 2 big-endian bytes. */
export function marketAddress(regionIndex: number): Uint8Array {
  return concatBytes([MARKET_PREFIX, uintBytes(regionIndex, 2)]);
}

/** The region whose market lives at `address`, or null. */
export function regionOfMarket(address: Uint8Array): number | null {
  if (!bytesEqual(address.subarray(0, 18), MARKET_PREFIX)) return null;
  return address[18]! * 256 + address[19]!;
}

const SET_LIMITS_SELECTOR = callSelector("setLimits(int64,int64)");

export type Limits = {
  readonly minSellUcPerWh: number; // sells at or above this
  readonly maxBuyUcPerWh: number; // buys at or below this
};

/** Calldata of `setLimits(int64 minSellUcPerWh, int64 maxBuyUcPerWh)`, Solidity ABI. */
export function encodeSetLimits(limits: Limits): Uint8Array {
  return concatBytes([
    SET_LIMITS_SELECTOR,
    abiInt64(limits.minSellUcPerWh),
    abiInt64(limits.maxBuyUcPerWh),
  ]);
}

/** @returns null where the calldata is no canonical setLimits call with prices in range */
export function decodeSetLimits(data: Uint8Array): Limits | null {
  if (!isCall(data, { selector: SET_LIMITS_SELECTOR, words: 2 })) return null;
  const minSellUcPerWh = readPrice(data, 0);
  const maxBuyUcPerWh = readPrice(data, 1);
  if (minSellUcPerWh === null || maxBuyUcPerWh === null) return null;
  return { minSellUcPerWh, maxBuyUcPerWh };
}

function readPrice(data: Uint8Array, place: number): number | null {
  const value = readAbiInt64(data, place);
  return value === null || Math.abs(value) > PRICE_UC_PER_WH_MAX ? null : value;
}

export function signMemberTransaction({
  transaction,
  secretKey,
}: {
  transaction: MemberTransaction;
  secretKey: Uint8Array;
}): Uint8Array {
  const body = unsignedBody(transaction);
  const digest = keccak256(envelope(body));
  const { r, s, yParity } = signSecp256k1({ digest, secretKey });
  return envelope([...body, shortest(yParity), trimmed(r), trimmed(s)]);
}

/** The address that `secretKey` signs for. */
export const memberAddress = secp256k1Address;

/** Gas limit is fixed: the market precompile's price is zero, and a wallet needs a number. */
const GAS_LIMIT = 100_000;

function unsignedBody(transaction: MemberTransaction): RlpValue[] {
  return [
    shortest(transaction.chainId),
    shortest(transaction.nonce),
    shortest(0), // maxPriorityFeePerGas
    shortest(0), // maxFeePerGas
    shortest(GAS_LIMIT),
    transaction.to,
    shortest(0), // value
    transaction.data,
    [], // access list
  ];
}

/** Fields that are signed: all but the signature's three. */
const SIGNED_FIELDS = 9;

function envelope(body: RlpValue): Uint8Array {
  return typed(encodeRlp(body));
}

function typed(body: Uint8Array): Uint8Array {
  return concatBytes([Uint8Array.of(MEMBER_TRANSACTION_TYPE), body]);
}

/**
 * Reads a type-2 envelope and recovers its sender.
 *
 * @param recover - what recovers the address from the signature; a cache may answer first
 * @throws GridError bytes_malformed naming the field
 */
export function decodeMemberTransaction(
  bytes: Uint8Array,
  recover: (signed: () => RecoverableDigest) => Uint8Array | null = (signed) =>
    recoverAddress(signed()),
): SignedMemberTransaction {
  if (bytes[0] !== MEMBER_TRANSACTION_TYPE) return fail("type");
  const fields = decodeRlp(bytes.subarray(1));
  if (fields instanceof Uint8Array || fields.length !== 12) return fail("fields");
  const [chainId, nonce, priority, maxFee, gasLimit, to, value, data, accessList] = fields;
  for (const [name, field] of Object.entries({ priority, maxFee, gasLimit, value })) {
    if (!(field instanceof Uint8Array) || field.length > 32 || field[0] === 0) return fail(name);
  }
  if (accessList instanceof Uint8Array || accessList?.length !== 0) return fail("access list");
  if (!(to instanceof Uint8Array) || to.length !== 20) return fail("to");
  if (!(data instanceof Uint8Array)) return fail("data");
  if (!(value instanceof Uint8Array) || value.length !== 0) return fail("value");
  const yParity = integer(fields[9], "yParity");
  if (yParity !== 0 && yParity !== 1) return fail("yParity");
  const [r, s] = [word(fields[10], "r"), word(fields[11], "s")];
  return {
    chainId: integer(chainId, "chainId"),
    nonce: integer(nonce, "nonce"),
    to,
    data,
    sender: recover(() => {
      const body = rlpListPrefix(bytes.subarray(1), SIGNED_FIELDS);
      return { digest: keccak256(typed(body)), r, s, yParity };
    }),
  };
}

/** What wallets call a transaction's hash: 32 B, keccak of the whole envelope. */
export function memberTransactionHash(bytes: Uint8Array): Uint8Array {
  return keccak256(bytes);
}

function shortest(value: number): Uint8Array {
  let width = 0;
  while (value >= 256 ** width && value > 0) width++;
  return uintBytes(value, width);
}

function trimmed(wordBytes: Uint8Array): Uint8Array {
  const first = wordBytes.findIndex((byte) => byte !== 0);
  return first < 0 ? new Uint8Array(0) : wordBytes.subarray(first);
}

function integer(field: RlpValue | undefined, what: string): number {
  if (!(field instanceof Uint8Array) || field.length > 6 || field[0] === 0) return fail(what);
  return field.reduce((value, byte) => value * 256 + byte, 0);
}

function word(field: RlpValue | undefined, what: string): Uint8Array {
  if (!(field instanceof Uint8Array) || field.length > 32 || field[0] === 0) return fail(what);
  const out = new Uint8Array(32);
  out.set(field, 32 - field.length);
  return out;
}

function fail(what: string): never {
  throw new GridError("bytes_malformed", `not a transaction: ${what}`, { what, offset: 0 });
}
