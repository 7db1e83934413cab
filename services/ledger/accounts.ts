/**
 * A region's accounts: one balance per member, and four of institutions, as 64-bit columns.
 *
 * Safe because balances change only through `post`, which takes a slot's entries as a whole and
 * only where they sum to zero, and through `postTransfer`, which gives what it takes; a balance
 * that would leave 64 bits is a bug and stops the block.
 */
import { assert } from "../primitives/errors.ts";
import type { MicroCents } from "../primitives/units.ts";

/**
 * Order is consensus: it is the order of the column. `neighbours` is the clearing account between
 * regions: over all regions it sums to zero. The grid operator gets line fees, the treasury
 * congestion rent.
 */
export const INSTITUTIONS = ["retailer", "neighbours", "gridOperator", "treasury"] as const;
export type Institution = (typeof INSTITUTIONS)[number];
export const INSTITUTION: Readonly<Record<Institution, number>> = {
  retailer: 0,
  neighbours: 1,
  gridOperator: 2,
  treasury: 3,
};

/** Balances, or the entries of one slot: > 0 is owed to the holder, < 0 is owed by them. */
export type Accounts = {
  readonly memberUc: BigInt64Array; // by member index
  readonly institutionUc: BigInt64Array; // by INSTITUTION
};

const INT64_MAX = 2n ** 63n - 1n;

export function createAccounts(memberCount: number): Accounts {
  return {
    memberUc: new BigInt64Array(memberCount),
    institutionUc: new BigInt64Array(INSTITUTIONS.length),
  };
}

/** Exact sum of all accounts. */
export function sumOfAccounts(accounts: Accounts): MicroCents {
  let sumUc = 0n;
  for (const uc of accounts.memberUc) sumUc += uc;
  for (const uc of accounts.institutionUc) sumUc += uc;
  return sumUc as MicroCents;
}

/** Adds a slot's entries to the balances. Entries MUST sum to zero and name the same members. */
export function post(balances: Accounts, entries: Accounts): void {
  assert(balances.memberUc.length === entries.memberUc.length, "entries name the region's members");
  assert(sumOfAccounts(entries) === 0n, "a slot's entries sum to zero");
  addColumn(balances.memberUc, entries.memberUc);
  addColumn(balances.institutionUc, entries.institutionUc);
}

function addColumn(balanceUc: BigInt64Array, entryUc: BigInt64Array): void {
  for (let i = 0; i < balanceUc.length; i++) {
    if (entryUc[i] !== 0n) balanceUc[i] = fittingUc(balanceUc[i]! + entryUc[i]!);
  }
}

/** A balance that was computed, where it fits its column. */
export function fittingUc(uc: bigint): bigint {
  assert(uc <= INT64_MAX && uc >= -INT64_MAX - 1n, "a balance fits 64 bits");
  return uc;
}
