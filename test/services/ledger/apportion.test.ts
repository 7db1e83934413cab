/** Method: worked shares with known answers, then the laws of the largest remainder. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { apportion, floorDivide } from "../../../services/ledger/apportion.ts";
import { InvariantError } from "../../../services/primitives/errors.ts";

describe("worked shares", () => {
  test.each([
    { name: "exact", total: 10n, weights: [1, 1, 2], shares: [3n, 2n, 5n] },
    { name: "largest remainder first", total: 10n, weights: [6, 3, 2], shares: [5n, 3n, 2n] },
    { name: "ties to the lower index", total: 2n, weights: [1, 1, 1, 1], shares: [1n, 1n, 0n, 0n] },
    { name: "negative like positive", total: -10n, weights: [6, 3, 2], shares: [-5n, -3n, -2n] },
    { name: "nothing for no weight", total: 7n, weights: [0, 3, 0, 4], shares: [0n, 3n, 0n, 4n] },
    { name: "zero total, no weights", total: 0n, weights: [0, 0], shares: [0n, 0n] },
    { name: "zero total, nobody", total: 0n, weights: [], shares: [] },
    {
      name: "beyond 2^53",
      total: 2n ** 62n + 1n,
      weights: [2 ** 50, 2 ** 50],
      shares: [2n ** 61n + 1n, 2n ** 61n],
    },
  ])("$name", ({ total, weights, shares }) => {
    expect([...apportion(total, weights)]).toEqual(shares);
  });

  test.each([
    { name: "money without weights", total: 1n, weights: [0, 0] },
    { name: "money for nobody", total: -1n, weights: [] },
    { name: "a negative weight", total: 1n, weights: [2, -1] },
    { name: "a fraction", total: 1n, weights: [0.5] },
    { name: "weights beyond 2^53", total: 1n, weights: [2 ** 53 - 1, 1] },
    { name: "a total beyond 64 bits", total: 2n ** 63n, weights: [1] },
  ])("$name is a bug", ({ total, weights }) => {
    expect(() => apportion(total, weights)).toThrow(InvariantError);
  });
});

const weights = fc.oneof(
  fc.array(fc.nat(20), { minLength: 1, maxLength: 30 }),
  fc.array(
    fc.maxSafeNat().map((n) => Math.floor(n / 64)),
    { minLength: 1, maxLength: 30 },
  ),
);
const total = fc.oneof(fc.bigInt(-1000n, 1000n), fc.bigInt(-(2n ** 63n) + 1n, 2n ** 63n - 1n));

test("shares sum to the total, stay within one of their quota, keep the order of weights", () => {
  fc.assert(
    fc.property(total, weights, (totalUc, shape) => {
      const sum = shape.reduce((a, b) => a + b, 0);
      fc.pre(sum > 0);
      const shares = apportion(totalUc, shape);
      expect(shares.reduce((a, b) => a + b, 0n)).toBe(totalUc);
      const size = totalUc < 0n ? -totalUc : totalUc;
      shape.forEach((weight, i) => {
        const share = totalUc < 0n ? -shares[i]! : shares[i]!;
        const floor = (size * BigInt(weight)) / BigInt(sum);
        const exact = (size * BigInt(weight)) % BigInt(sum) === 0n;
        expect(share === floor || (share === floor + 1n && !exact)).toBe(true);
        shape.forEach((other, j) => {
          const otherShare = totalUc < 0n ? -shares[j]! : shares[j]!;
          if (weight > other || (weight === other && i < j)) {
            expect(share >= otherShare).toBe(true);
          }
        });
      });
      expect(apportion(-totalUc, shape).map((uc) => -uc)).toEqual(shares);
    }),
    { numRuns: 500 },
  );
});

/** The obviously right twin: one unit at a time to the largest remainder left. */
test("agrees with handing out units one by one", () => {
  const slow = (totalUc: bigint, shape: readonly number[]): bigint[] => {
    const sum = BigInt(shape.reduce((a, b) => a + b, 0));
    const quotas = shape.map((weight) => totalUc * BigInt(weight));
    const shares = quotas.map((quota) => quota / sum);
    const left = quotas.map((quota) => quota % sum);
    while (shares.reduce((a, b) => a + b, 0n) < totalUc) {
      let best = 0;
      for (let i = 1; i < left.length; i++) if (left[i]! > left[best]!) best = i;
      shares[best]! += 1n;
      left[best] = -1n;
    }
    return shares;
  };
  fc.assert(
    fc.property(fc.bigInt(0n, 10_000n), weights, (totalUc, shape) => {
      fc.pre(shape.some((weight) => weight > 0));
      expect([...apportion(totalUc, shape)]).toEqual(slow(totalUc, shape));
    }),
    { numRuns: 300 },
  );
});

test.each([
  [7n, 2n, 3n],
  [-7n, 2n, -4n],
  [-8n, 2n, -4n],
  [0n, 5n, 0n],
])("floor(%s / %s) = %s", (value, by, floor) => {
  expect(floorDivide(value, by)).toBe(floor);
});
