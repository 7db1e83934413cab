/**
 * The two choices a law makes about a uniform price: which point of the clearing interval becomes
 * the price, and how the margin is shared. Both are total functions of integers.
 *
 * Safe because every choice lies inside [low, high]; and because floor(low + t (high - low)) of two
 * optimal price vectors is optimal again for every t in [0, 1]: optimal prices are given by
 * constraints p_i - p_j <= c and a <= p_i <= b with integer constants, and floor keeps those.
 */
import { assert } from "../primitives/errors.ts";

/**
 * `midpoint`: floor((low + high) / 2). `k-weighted`: low + floor(k (high - low)).
 * `last-accepted-sell`: the clearing price nearest to the dearest accepted ask. An accepted ask is
 * at most `low`, so that is `low`; it differs from the ask itself where a rejected bid stands above
 * it, and paying less than a rejected bid would leave that bid envious. `last-accepted-buy`:
 * `high`, likewise.
 */
export type PriceRule =
  | { readonly kind: "midpoint" }
  | { readonly kind: "last-accepted-sell" }
  | { readonly kind: "last-accepted-buy" }
  | { readonly kind: "k-weighted"; readonly kPpm: number };

/** `pro-rata`: largest remainder, ties to the lower tie index. `time-priority`: by tie index. */
export type Rationing = "pro-rata" | "time-priority";

export type ClearingRule = {
  readonly price: PriceRule;
  readonly rationing: Rationing;
  /** Prices are multiples of it (1 by default); limits and fees must be multiples too. */
  readonly tickUcPerWh?: number;
};

export const MIDPOINT_PRO_RATA: ClearingRule = {
  price: { kind: "midpoint" },
  rationing: "pro-rata",
};

const PPM = 1_000_000;
const HALF_PPM = 500_000;

/**
 * The price that the rule picks from a clearing interval.
 *
 * @param interval - null marks an unbounded end. With one end known, that end is the price.
 * @returns null only if both ends are unbounded
 */
export function choosePrice(
  interval: { readonly lowUcPerWh: number | null; readonly highUcPerWh: number | null },
  rule: ClearingRule,
): number | null {
  const { lowUcPerWh: low, highUcPerWh: high } = interval;
  if (low === null) return high;
  if (high === null) return low;
  assert(low <= high, "a clearing interval must not be empty");
  const tick = rule.tickUcPerWh ?? 1;
  return low + Math.floor(((high - low) * weightPpm(rule.price)) / (PPM * tick)) * tick;
}

function weightPpm(rule: PriceRule): number {
  switch (rule.kind) {
    case "midpoint":
      return HALF_PPM;
    case "last-accepted-sell":
      return 0;
    case "last-accepted-buy":
      return PPM;
    case "k-weighted":
      assert(rule.kPpm >= 0 && rule.kPpm <= PPM, "k must be in [0, 1e6] ppm");
      return rule.kPpm;
  }
}
