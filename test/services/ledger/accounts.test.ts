/** Method: a worked posting, refusals of what would break the books, then conservation. */
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  createAccounts,
  INSTITUTION,
  INSTITUTIONS,
  post,
  sumOfAccounts,
} from "../../../services/ledger/accounts.ts";
import { type Holder, postTransfer, transfer } from "../../../services/ledger/transfers.ts";
import { InvariantError } from "../../../services/primitives/errors.ts";

test("a posting moves what its transfers say", () => {
  const balances = createAccounts(2);
  const entries = createAccounts(2);
  transfer(entries, { from: { member: 0 }, to: { member: 1 }, amountUc: 700n });
  transfer(entries, { from: { member: 1 }, to: { institution: "retailer" }, amountUc: 200n });
  transfer(entries, { from: { institution: "treasury" }, to: { member: 0 }, amountUc: -50n });
  post(balances, entries);
  expect([...balances.memberUc]).toEqual([-750n, 500n]);
  expect(balances.institutionUc[INSTITUTION.retailer]).toBe(200n);
  expect(balances.institutionUc[INSTITUTION.treasury]).toBe(50n);
  expect(sumOfAccounts(balances)).toBe(0n);
});

test("the column of institutions has the order of its names", () => {
  expect(INSTITUTIONS.map((name) => INSTITUTION[name])).toEqual([0, 1, 2, 3]);
});

test("entries that do not sum to zero are a bug, and change nothing", () => {
  const balances = createAccounts(1);
  const entries = createAccounts(1);
  entries.memberUc[0] = 1n;
  expect(() => post(balances, entries)).toThrow(InvariantError);
  expect([...balances.memberUc]).toEqual([0n]);
});

test("entries of another region are a bug", () => {
  expect(() => post(createAccounts(1), createAccounts(2))).toThrow(InvariantError);
});

test("a transfer names a member that exists", () => {
  const transfers = () =>
    transfer(createAccounts(1), { from: { member: 0 }, to: { member: 1 }, amountUc: 1n });
  expect(transfers).toThrow(InvariantError);
});

test("a posted transfer gives what it takes, and never wraps", () => {
  const balances = createAccounts(2);
  postTransfer(balances, { from: { member: 0 }, to: { institution: "neighbours" }, amountUc: 7n });
  postTransfer(balances, { from: { institution: "neighbours" }, to: { member: 1 }, amountUc: 5n });
  expect([...balances.memberUc]).toEqual([-7n, 5n]);
  expect(balances.institutionUc[INSTITUTION.neighbours]).toBe(2n);
  expect(sumOfAccounts(balances)).toBe(0n);
  const most = { from: { member: 0 }, to: { member: 1 }, amountUc: 2n ** 63n - 5n };
  expect(() => postTransfer(balances, most)).toThrow(InvariantError);
  const nobody = { from: { member: 2 }, to: { member: 1 }, amountUc: 1n };
  expect(() => postTransfer(balances, nobody)).toThrow(InvariantError);
});

test("a balance never wraps around 64 bits", () => {
  const balances = createAccounts(1);
  const entries = createAccounts(1);
  const most = 2n ** 63n - 1n;
  transfer(entries, { from: { institution: "retailer" }, to: { member: 0 }, amountUc: most });
  post(balances, entries);
  expect(balances.memberUc[0]).toBe(most);
  const one = createAccounts(1);
  transfer(one, { from: { institution: "retailer" }, to: { member: 0 }, amountUc: 1n });
  expect(() => post(balances, one)).toThrow(InvariantError);
});

test("whatever is transferred, all accounts sum to zero", () => {
  const holder: fc.Arbitrary<Holder> = fc.oneof(
    fc.nat(4).map((member) => ({ member })),
    fc.constantFrom(...INSTITUTIONS).map((institution) => ({ institution })),
  );
  const moves = fc.array(
    fc.record({ from: holder, to: holder, amountUc: fc.bigInt(-(10n ** 12n), 10n ** 12n) }),
    { maxLength: 40 },
  );
  fc.assert(
    fc.property(moves, (transfers) => {
      const balances = createAccounts(5);
      const entries = createAccounts(5);
      for (const move of transfers) transfer(entries, move);
      post(balances, entries);
      post(balances, entries);
      expect(sumOfAccounts(balances)).toBe(0n);
    }),
  );
});
