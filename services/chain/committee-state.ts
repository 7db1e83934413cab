/**
 * What orders of the committee have left behind, as a value. Its root is SSZ hash_tree_root of
 *
 *   CommitteeState = Container {
 *     executedOrders:  uint64               the next order has this number + 1
 *     upgradeVersion:  List[uint64, 2^10]   rising
 *     upgradeHeight:   List[uint64, 2^10]   rising; only the last may be still to come
 *   }
 *
 * @chainsafe/ssz is the oracle of the tests.
 */
import { merkleRoot } from "../crypto/merkle.ts";
import { concatBytes } from "../primitives/bytes.ts";
import type { CodecValue } from "../primitives/codec.ts";
import { CHAIN_UPGRADES_MAX } from "../primitives/limits.ts";
import { listRootOf, uint64Chunk } from "./number-lists.ts";
import { corruptRecord, openRecord, sealRecord } from "./sealed-record.ts";
import { COMMITTEE_KEY } from "./store-keys.ts";
import type { Upgrade } from "./versions.ts";

export type CommitteeParts = {
  readonly executedOrders: number;
  readonly upgrades: readonly Upgrade[]; // rising by height and version
};
/** Immutable. */
export type CommitteeState = CommitteeParts & { readonly root: Uint8Array };

const FIELDS = 3;

export function rootedCommittee({ executedOrders, upgrades }: CommitteeParts): CommitteeState {
  const list = { width: 8, limit: CHAIN_UPGRADES_MAX } as const;
  const chunks = concatBytes([
    uint64Chunk(executedOrders),
    listRootOf(
      upgrades.map(({ version }) => version),
      list,
    ),
    listRootOf(
      upgrades.map(({ height }) => height),
      list,
    ),
  ]);
  return { executedOrders, upgrades, root: merkleRoot(chunks, FIELDS) };
}

/** A chain to which nothing was ever ordered. */
export const EMPTY_COMMITTEE: CommitteeState = rootedCommittee({ executedOrders: 0, upgrades: [] });

export function encodeCommittee({ executedOrders, upgrades }: CommitteeState): Uint8Array {
  const rows = upgrades.map(({ version, height }) => [version, height]);
  return sealRecord(COMMITTEE_KEY, [executedOrders, rows]);
}

/** @throws GridError database_corrupt */
export function decodeCommittee(stored: Uint8Array): CommitteeState {
  const refuse = () => corruptRecord(COMMITTEE_KEY, "is no state of the committee's orders");
  const value = openRecord(COMMITTEE_KEY, stored);
  if (!Array.isArray(value) || value.length !== 2) return refuse();
  const [executedOrders, rows] = value as CodecValue[];
  if (!isWhole(executedOrders) || !Array.isArray(rows)) return refuse();
  if (rows.length > CHAIN_UPGRADES_MAX) return refuse();
  const upgrades = (rows as CodecValue[]).map((row) => {
    if (!Array.isArray(row) || row.length !== 2) return refuse();
    const [version, height] = row as CodecValue[];
    return isWhole(version) && isWhole(height) ? { version, height } : refuse();
  });
  return rootedCommittee({ executedOrders, upgrades });
}

function isWhole(value: CodecValue | undefined): value is number {
  return typeof value === "number" && value >= 0;
}
