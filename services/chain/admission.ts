/**
 * Admission: who may act, and in which order. It owns the nonce of every member's address, so that
 * a signed transaction takes effect at most once. Its root is SSZ hash_tree_root of
 * List[List[uint64, 2^16], 2^10]: nonces by region and member.
 */
import { merkleRoot, mixInLength } from "../crypto/merkle.ts";
import { concatBytes, toHex } from "../primitives/bytes.ts";
import type { CodecValue } from "../primitives/codec.ts";
import { MEMBERS_PER_REGION_MAX, REGIONS_MAX } from "../primitives/limits.ts";
import type { Genesis } from "../wire/genesis.ts";
import { chunksOf } from "./lane-columns.ts";
import { corruptRecord, openRecord, sealRecord } from "./sealed-record.ts";
import { admissionKey } from "./store-keys.ts";

export type MemberPlace = { readonly regionIndex: number; readonly memberIndex: number };

/** Address in hexadecimal -> member. Fixed at genesis. */
export type Directory = ReadonlyMap<string, MemberPlace>;

export function createDirectory(genesis: Genesis): Directory {
  const places = new Map<string, MemberPlace>();
  genesis.regions.forEach((region, regionIndex) => {
    region.members.forEach((member, memberIndex) => {
      places.set(member.address, { regionIndex, memberIndex });
    });
  });
  return places;
}

export function memberAt(directory: Directory, address: Uint8Array): MemberPlace | null {
  return directory.get(toHex(address)) ?? null;
}

/** Next nonces of one region's members, and their root. Immutable once committed. */
export type Nonces = { readonly column: BigUint64Array; readonly root: Uint8Array };

const NONCES_PER_CHUNK = 4;

/** A column whose memory is whole chunks, so that it is hashed as it lies. */
function nonceColumn(memberCount: number): BigUint64Array {
  const chunks = Math.ceil(memberCount / NONCES_PER_CHUNK);
  return new BigUint64Array(NONCES_PER_CHUNK * chunks).subarray(0, memberCount);
}

export function rootedNonces(column: BigUint64Array): Nonces {
  const limit = Math.ceil(MEMBERS_PER_REGION_MAX / NONCES_PER_CHUNK);
  return { column, root: mixInLength(merkleRoot(chunksOf(column), limit), column.length) };
}

export function genesisNonces(memberCount: number): Nonces {
  return rootedNonces(nonceColumn(memberCount));
}

/** A column to work on; `rootedNonces` makes it a value again. */
export function copyNonceColumn(nonces: Nonces): BigUint64Array {
  const column = nonceColumn(nonces.column.length);
  column.set(nonces.column);
  return column;
}

export function admissionRoot(regions: readonly Pick<Nonces, "root">[]): Uint8Array {
  const roots = concatBytes(regions.map(({ root }) => root));
  return mixInLength(merkleRoot(roots, REGIONS_MAX), regions.length);
}

export function encodeNonces(regionIndex: number, { column }: Nonces): Uint8Array {
  return sealRecord(admissionKey(regionIndex), [...column]);
}

/** @throws GridError database_corrupt */
export function decodeNonces(parts: {
  readonly regionIndex: number;
  readonly stored: Uint8Array;
  readonly memberCount: number;
}): Nonces {
  const key = admissionKey(parts.regionIndex);
  const values = openRecord(key, parts.stored);
  if (!Array.isArray(values) || values.length !== parts.memberCount) {
    return corruptRecord(key, "has not the size of its region");
  }
  const column = nonceColumn(parts.memberCount);
  for (const [m, value] of (values as readonly CodecValue[]).entries()) {
    const isInteger = typeof value === "number" || typeof value === "bigint";
    if (!isInteger || value < 0) return corruptRecord(key, "holds something that is no nonce");
    column[m] = BigInt(value); // the codec has no integer beyond 64 bits
  }
  return rootedNonces(column);
}
