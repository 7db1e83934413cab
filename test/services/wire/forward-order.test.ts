/** Method: viem's ABI encoder is the outside truth; then calldata that must not be read. */
import fc from "fast-check";
import { encodeFunctionData, parseAbi } from "viem";
import { expect, test } from "vitest";
import { fromHex, toHex, toHex0x } from "../../../services/primitives/bytes.ts";
import {
  decodeCancelOrder,
  decodePlaceOrder,
  encodeCancelOrder,
  encodePlaceOrder,
} from "../../../services/wire/forward-order.ts";
import { decodeSetLimits } from "../../../services/wire/transaction.ts";

const ABI = parseAbi([
  "function placeOrder(uint64 slot, uint8 side, int64 limitUcPerWh, uint64 energyWh)",
  "function cancelOrder(uint64 slot, uint64 orderId)",
]);
const place = (slot: bigint, side: number, limit: bigint, energy: bigint) =>
  fromHex(
    encodeFunctionData({ abi: ABI, functionName: "placeOrder", args: [slot, side, limit, energy] }),
  );
const cancel = (slot: bigint, id: bigint) =>
  fromHex(encodeFunctionData({ abi: ABI, functionName: "cancelOrder", args: [slot, id] }));

test("calls are encoded as Solidity's ABI does, and read back", () => {
  const whole = fc.maxSafeNat();
  fc.assert(
    fc.property(whole, fc.nat(255), fc.maxSafeInteger(), whole, (slot, side, limit, energy) => {
      const order = { slot, side, limitUcPerWh: limit, energyWh: energy };
      const data = place(BigInt(slot), side, BigInt(limit), BigInt(energy));
      expect(toHex0x(encodePlaceOrder(order))).toBe(toHex0x(data));
      expect(decodePlaceOrder(data)).toEqual(order);
      const taken = { slot, orderId: energy };
      expect(toHex(encodeCancelOrder(taken))).toBe(toHex(cancel(BigInt(slot), BigInt(energy))));
      expect(decodeCancelOrder(encodeCancelOrder(taken))).toEqual(taken);
      expect(decodeCancelOrder(data)).toBeNull();
      expect(decodePlaceOrder(encodeCancelOrder(taken))).toBeNull();
      expect(decodeSetLimits(encodeCancelOrder(taken))).toBeNull();
    }),
  );
});

test("values beyond 2^53 are read as large, for the chain to refuse", () => {
  const max = 2n ** 64n - 1n;
  expect(decodePlaceOrder(place(max, 1, -(2n ** 63n), max))).toEqual({
    slot: 2 ** 64,
    side: 1,
    limitUcPerWh: -(2 ** 63),
    energyWh: 2 ** 64,
  });
});

test.each<[string, Uint8Array]>([
  ["no calldata", new Uint8Array(0)],
  ["another selector", place(1n, 0, 1n, 1n).fill(0, 0, 4)],
  ["a byte too few", place(1n, 0, 1n, 1n).slice(0, -1)],
  ["a byte too many", fromHex(`${toHex(place(1n, 0, 1n, 1n))}00`)],
  ["a slot wider than 64 bits", place(1n, 0, 1n, 1n).fill(1, 4, 5)],
  ["a side wider than 8 bits", place(1n, 0, 1n, 1n).fill(1, 66, 67)],
  ["a limit whose sign does not extend", place(1n, 0, -1n, 1n).fill(0, 68, 69)],
  ["energy wider than 64 bits", place(1n, 0, 1n, 1n).fill(1, 100, 101)],
])("no placeOrder call: %s", (_, data) => {
  expect(decodePlaceOrder(data)).toBeNull();
});

test.each<[string, Uint8Array]>([
  ["another selector", cancel(1n, 1n).fill(0, 0, 4)],
  ["a byte too few", cancel(1n, 1n).slice(0, -1)],
  ["a slot wider than 64 bits", cancel(1n, 1n).fill(1, 4, 5)],
  ["an id wider than 64 bits", cancel(1n, 1n).fill(1, 36, 37)],
])("no cancelOrder call: %s", (_, data) => {
  expect(decodeCancelOrder(data)).toBeNull();
});
