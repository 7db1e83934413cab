/**
 * Entries under construction: each transfer takes from one account what it gives to another, so
 * entries made of transfers alone sum to zero by construction. `post` checks it all the same.
 */
import { assert } from "../primitives/errors.ts";
import { type Accounts, fittingUc, INSTITUTION, type Institution } from "./accounts.ts";

export type Holder = { readonly member: number } | { readonly institution: Institution };

/** @param transfer.amountUc - either sign; a negative amount goes the other way */
export function transfer(
  entries: Accounts,
  { from, to, amountUc }: { from: Holder; to: Holder; amountUc: bigint },
): void {
  credit(entries, from, -amountUc);
  credit(entries, to, amountUc);
}

function credit(entries: Accounts, holder: Holder, amountUc: bigint): void {
  if ("member" in holder) {
    assert(holder.member < entries.memberUc.length, "an entry names a member of the region");
    entries.memberUc[holder.member]! += amountUc;
  } else {
    entries.institutionUc[INSTITUTION[holder.institution]]! += amountUc;
  }
}

/** Two entries that sum to zero, posted at once: for what moves outside a slot's settlement. */
export function postTransfer(
  balances: Accounts,
  { from, to, amountUc }: { from: Holder; to: Holder; amountUc: bigint },
): void {
  addToBalance(balances, from, -amountUc);
  addToBalance(balances, to, amountUc);
}

function addToBalance(balances: Accounts, holder: Holder, amountUc: bigint): void {
  if ("member" in holder) {
    assert(holder.member < balances.memberUc.length, "an entry names a member of the region");
    balances.memberUc[holder.member] = fittingUc(balances.memberUc[holder.member]! + amountUc);
  } else {
    const at = INSTITUTION[holder.institution];
    balances.institutionUc[at] = fittingUc(balances.institutionUc[at]! + amountUc);
  }
}
