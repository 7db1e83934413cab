/**
 * Versions of the chain: which rules hold at a height. A network starts with the version in its
 * genesis; orders of the committee schedule later ones, each from a height on. What differs between
 * versions stands in a table, one entry a version, and nowhere else: execution reads it through
 * `Rules.byVersion`, so blocks below an activation height execute for ever as they did.
 *
 * To change a rule: give it a field in `VersionRules`, with its old value in the old entries and
 * its new one in a new entry; use the field where the rule is applied; keep every golden block log
 * as it is. A repaired bug that had an effect is a changed rule: the old version keeps the bug.
 */
import { assert, GridError } from "../primitives/errors.ts";
import type { Rules } from "./rules.ts";

/** Rules that may differ from version to version: plain data, as workers are handed a copy. */
export type VersionRules = {
  /** Changed limits hold from the slot that begins this many slots after the block's own. */
  readonly limitsNoticeSlots: number;
  /** Slots that a released lane catches up on in one block, at most. */
  readonly catchUpSlotsPerBlockMax: number;
  /** An upgrade is ordered at least this many blocks ahead. */
  readonly upgradeNoticeBlocksMin: number;
};

export type VersionTable = ReadonlyMap<number, VersionRules>;

/** Every version that this software can execute. */
export const VERSIONS: VersionTable = new Map([
  [1, { limitsNoticeSlots: 1, catchUpSlotsPerBlockMax: 32, upgradeNoticeBlocksMin: 10 }],
]);

/** From `height` on, `version`. */
export type Upgrade = { readonly version: number; readonly height: number };

/** What the block of a height bears, and whether this software can make it. */
export type NextVersion = { readonly version: number; readonly isKnown: boolean };

/** @param upgrades - rising by height */
export function versionAt(
  {
    genesisVersion,
    upgrades,
  }: {
    readonly genesisVersion: number;
    readonly upgrades: readonly Upgrade[];
  },
  height: number,
): number {
  return upgrades.findLast((upgrade) => upgrade.height <= height)?.version ?? genesisVersion;
}

/** Why a node stops before a block. */
export function upgradeRequired(upgrade: Upgrade): GridError<"upgrade_required"> {
  const { version, height } = upgrade;
  return new GridError(
    "upgrade_required",
    `from block ${height} on the chain follows version ${version}, which this software does not ` +
      "know: install one that does and start again; nothing is lost",
    { version, height },
  );
}

/** The rules of a network under each version that this software knows. */
export type Editions = {
  /** Under the version of genesis. */
  readonly first: Rules;
  /** Null for a version that this software does not know. */
  of(version: number): Rules | null;
};

/** @param first - the rules under the version of genesis */
export function createEditions(first: Rules, table: VersionTable): Editions {
  const byVersion = table.get(first.version);
  assert(byVersion !== undefined, "the version of genesis is known");
  const editions = new Map([[first.version, { ...first, byVersion }]]);
  for (const [version, rules] of table) {
    if (version !== first.version) editions.set(version, { ...first, version, byVersion: rules });
  }
  return {
    first: editions.get(first.version)!,
    of: (version) => editions.get(version) ?? null,
  };
}
