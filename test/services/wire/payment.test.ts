/** Method: viem's ABI encoder is the outside truth; then calldata that must not be read. */
import fc from "fast-check";
import { encodeFunctionData, parseAbi } from "viem";
import { expect, test } from "vitest";
import { fromHex, toHex, toHex0x } from "../../../services/primitives/bytes.ts";
import { InvariantError } from "../../../services/primitives/errors.ts";
import type { MicroCents } from "../../../services/primitives/units.ts";
import { decodeCancelOrder, encodeCancelOrder } from "../../../services/wire/forward-order.ts";
import { decodePay, encodePay } from "../../../services/wire/payment.ts";
import { decodeSetLimits } from "../../../services/wire/transaction.ts";

const ABI = parseAbi(["function pay(address to, uint64 amountUc)"]);
const pay = (to: Uint8Array, amount: bigint) =>
  fromHex(
    encodeFunctionData({ abi: ABI, functionName: "pay", args: [toHex0x(to) as "0x", amount] }),
  );
const address = fc.uint8Array({ minLength: 20, maxLength: 20 });
const uint64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });

test("a call is encoded as Solidity's ABI does, and read back exactly", () => {
  fc.assert(
    fc.property(address, uint64, (to, amount) => {
      const amountUc = amount as MicroCents;
      const data = pay(to, amount);
      expect(toHex(encodePay({ to, amountUc }))).toBe(toHex(data));
      expect(decodePay(data)).toEqual({ to: Uint8Array.from(to), amountUc });
      expect(decodeCancelOrder(data)).toBeNull();
      expect(decodeSetLimits(data)).toBeNull();
    }),
  );
});

const SOME = new Uint8Array(20).fill(7);

test.each<[string, Uint8Array]>([
  ["no calldata", new Uint8Array(0)],
  ["another selector", pay(SOME, 1n).fill(0, 0, 4)],
  ["another call of two words", encodeCancelOrder({ slot: 1, orderId: 1 })],
  ["a byte too few", pay(SOME, 1n).slice(0, -1)],
  ["a byte too many", fromHex(`${toHex(pay(SOME, 1n))}00`)],
  ["an address wider than 20 bytes", pay(SOME, 1n).fill(1, 15, 16)],
  ["an amount wider than 64 bits", pay(SOME, 1n).fill(1, 59, 60)],
])("no pay call: %s", (_, data) => {
  expect(decodePay(data)).toBeNull();
});

test.each<[string, Uint8Array, bigint]>([
  ["an address of 19 bytes", new Uint8Array(19), 1n],
  ["an amount below 0", SOME, -1n],
  ["an amount of 65 bits", SOME, 2n ** 64n],
])("%s has no encoding", (_, to, amount) => {
  expect(() => encodePay({ to, amountUc: amount as MicroCents })).toThrow(InvariantError);
});
