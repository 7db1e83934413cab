/** Method: worked shares, then random claims against largest remainder by definition (sorted). */
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  floorDivide,
  nthLargest,
  quota,
  shareMoney,
  shareProRata,
} from "../../../services/market/ration.ts";

test.each([
  { total: 10, claims: [1, 1, 1], shares: [4, 3, 3] },
  { total: 2, claims: [1, 1, 1], shares: [1, 1, 0] },
  { total: 0, claims: [5, 7], shares: [0, 0] },
  { total: 12, claims: [5, 7], shares: [5, 7] },
  { total: 1, claims: [5, 7], shares: [0, 1] },
  { total: 7, claims: [0, 3, 0, 3], shares: [0, 4, 0, 3] },
  { total: 2 ** 52, claims: [2 ** 51, 2 ** 51, 1], shares: [2 ** 51, 2 ** 51 - 1, 1] },
])("$total over $claims", ({ total, claims, shares }) => {
  const claimed = claims.reduce((sum, claim) => sum + claim, 0);
  expect([...shareProRata({ total, claims, claimed })]).toEqual(shares);
});

test("a tie goes to the lower tie index, not to the earlier place", () => {
  const ties = Uint32Array.of(9, 4_000_000_000, 2);
  const shares = shareProRata({ total: 2, claims: [1, 1, 1], claimed: 3, ties });
  expect([...shares]).toEqual([1, 0, 1]);
});

test.each([
  { totalUc: 100n, weights: [1, 2], amounts: [33n, 67n] },
  { totalUc: -100n, weights: [1, 2], amounts: [-33n, -67n] },
  { totalUc: 1n, weights: [3, 3], amounts: [1n, 0n] },
  { totalUc: 0n, weights: [0, 0], amounts: [0n, 0n] },
  { totalUc: 10n ** 17n + 1n, weights: [1, 0], amounts: [10n ** 17n + 1n, 0n] },
])("money $totalUc over $weights", ({ totalUc, weights, amounts }) => {
  expect([...shareMoney({ totalUc, weights })]).toEqual(amounts);
});

test("money without anybody to go to breaks a precondition", () => {
  expect(() => shareMoney({ totalUc: 1n, weights: [0] })).toThrow("weights");
});

const claim = fc.oneof(fc.integer({ min: 0, max: 5 }), fc.integer({ min: 0, max: 2 ** 45 }));
const claims = fc.array(claim, { minLength: 1, maxLength: 30 });

test("shares are the largest remainders by definition", () => {
  const law = (list: number[], ppm: number, keys: number[]) => {
    const claimed = list.reduce((sum, each) => sum + each, 0);
    if (claimed === 0) return;
    const total = Number((BigInt(claimed) * BigInt(ppm)) / 1_000_000n);
    const ties = Uint32Array.from(list, (_, i) => keys[i % keys.length]! * 64 + i);
    const exact = list.map((each, i) => {
      const product = BigInt(total) * BigInt(each);
      const share = Number(product / BigInt(claimed));
      return { i, share, remainder: product % BigInt(claimed), tie: ties[i]! };
    });
    const wanted = exact.map(({ share }) => share);
    const left = total - wanted.reduce((sum, share) => sum + share, 0);
    const first = (a: (typeof exact)[0], b: (typeof exact)[0]) =>
      a.remainder === b.remainder ? a.tie - b.tie : a.remainder > b.remainder ? -1 : 1;
    for (const { i } of exact.toSorted(first).slice(0, left)) wanted[i]! += 1;
    expect([...shareProRata({ total, claims: list, claimed, ties })]).toEqual(wanted);
  };
  const keys = fc.array(fc.nat(1_000_000), { minLength: 1 });
  fc.assert(fc.property(claims, fc.nat(1_000_000), keys, law), { numRuns: 1500 });
});

test("money conserves, and each share is within one unit of its quota", () => {
  const law = (totalUc: bigint, weights: number[]) => {
    const weighed = BigInt(weights.reduce((sum, weight) => sum + weight, 0));
    if (weighed === 0n) return;
    const amounts = shareMoney({ totalUc, weights });
    expect(amounts.reduce((sum, amount) => sum + amount, 0n)).toBe(totalUc);
    weights.forEach((weight, i) => {
      const off = amounts[i]! * weighed - totalUc * BigInt(weight);
      expect(off < weighed && off > -weighed).toBe(true);
    });
  };
  const money = fc.bigInt({ min: -(10n ** 18n), max: 10n ** 18n });
  fc.assert(fc.property(money, claims, law), { numRuns: 1000 });
});

test("radix selection finds what sorting finds", () => {
  const key = fc.oneof(fc.nat(3), fc.nat(5000), fc.maxSafeNat());
  const law = (keys: number[], pick: number) => {
    const n = 1 + (pick % keys.length);
    const sorted = keys.toSorted((a, b) => b - a);
    expect(nthLargest(Float64Array.from(keys), n)).toBe(sorted[n - 1]);
  };
  const keys = fc.array(key, { minLength: 1, maxLength: 200 });
  fc.assert(fc.property(keys, fc.nat(), law), { numRuns: 1000 });
});

test.each([
  [7n, 2n, 3n],
  [-7n, 2n, -4n],
  [-8n, 2n, -4n],
  [0n, 5n, 0n],
])("floor of %s / %s is %s", (value, divisor, floor) => {
  expect(floorDivide(value, divisor)).toBe(floor);
});

test("quota is exact where the product leaves the safe integers", () => {
  const law = (total: number, share: number, claimed: number) => {
    const product = BigInt(total) * BigInt(share);
    const { share: whole, remainder } = quota({ total, claim: share, claimed });
    expect(BigInt(whole) * BigInt(claimed) + BigInt(remainder)).toBe(product);
    expect(remainder >= 0 && remainder < claimed).toBe(true);
  };
  const positive = fc.integer({ min: 1, max: 2 ** 48 });
  fc.assert(fc.property(positive, positive, fc.integer({ min: 2 ** 46, max: 2 ** 52 }), law));
});
