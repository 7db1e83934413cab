/**
 * Sharing an integer among claims: energy at the margin of a clearing, money among meters.
 *
 * Pro rata is Hamilton's method: everyone gets floor(total x claim / claims), and the units left
 * over go one each to the largest remainders, ties to the lower tie index. The result sums to the
 * total exactly and no share is off its quota by a whole unit. Products beyond 2^53 take bigint,
 * so no step rounds. Selection is by radix, so it costs O(n) whatever the claims are.
 */
import { assert } from "../primitives/errors.ts";
import type { OrderColumns } from "./orders.ts";
import { sortByKey } from "./radix.ts";
import type { Rationing } from "./rules.ts";

const DIGIT_BITS = 11;
const DIGIT_VALUES = 1 << DIGIT_BITS;
const UINT32_MAX = 0xffff_ffff;

/**
 * Writes each member order's share of `amountWh` into `fillWh`.
 *
 * @param members - positions of the orders that share; the first `memberCount` entries count
 * @param claimedWh - the sum of the members' energies; 0 <= amountWh <= claimedWh <= 2^53 - 1
 */
export function rationOrders(parts: {
  readonly orders: OrderColumns;
  readonly members: Uint32Array;
  readonly memberCount: number;
  readonly amountWh: number;
  readonly claimedWh: number;
  readonly rationing: Rationing;
  readonly fillWh: Float64Array;
}): void {
  const { orders, memberCount, amountWh, claimedWh, fillWh } = parts;
  assert(amountWh >= 0 && amountWh <= claimedWh, "only what is claimed can be shared");
  const members = parts.members.subarray(0, memberCount);
  if (parts.rationing === "time-priority") {
    rationByTime(orders, members, amountWh, fillWh);
    return;
  }
  const claims = new Float64Array(memberCount);
  const ties = new Uint32Array(memberCount);
  for (let k = 0; k < memberCount; k++) {
    claims[k] = orders.energyWh[members[k]!]!;
    ties[k] = orders.tieIndex[members[k]!]!;
  }
  const shares = shareProRata({ total: amountWh, claims, claimed: claimedWh, ties });
  for (let k = 0; k < memberCount; k++) fillWh[members[k]!] = shares[k]!;
}

/** The earliest first: full fills in ascending tie index until the amount is used up. */
function rationByTime(
  orders: OrderColumns,
  members: Uint32Array,
  amountWh: number,
  fillWh: Float64Array,
): void {
  let leftWh = amountWh;
  const byTie = { members, keys: orders.tieIndex, lowest: 0, highest: UINT32_MAX };
  for (const index of sortByKey(byTie)) {
    const wh = Math.min(leftWh, orders.energyWh[index]!);
    fillWh[index] = wh;
    leftWh -= wh;
  }
}

/**
 * Largest-remainder shares of an integer total.
 *
 * @param parts.claims - non-negative integers that sum to `claimed`, 0 < claimed <= 2^53 - 1
 * @param parts.total - 0 <= total <= 2^53 - 1
 * @param parts.ties - unique; the lower takes a contested unit. The claims' own order by default.
 */
export function shareProRata(parts: {
  readonly total: number;
  readonly claims: ArrayLike<number>;
  readonly claimed: number;
  readonly ties?: Uint32Array;
}): Float64Array {
  const { total, claims, claimed } = parts;
  const shares = new Float64Array(claims.length);
  if (total === 0) return shares;
  assert(claimed > 0, "a total needs a claim to go to");
  const remainders = new Float64Array(claims.length);
  let left = total;
  for (let i = 0; i < claims.length; i++) {
    const product = total * claims[i]!;
    if (product <= Number.MAX_SAFE_INTEGER) {
      const share = Math.floor(product / claimed);
      shares[i] = share;
      remainders[i] = product - share * claimed;
    } else {
      const { share, remainder } = wideQuota({ total, claim: claims[i]!, claimed });
      shares[i] = share;
      remainders[i] = remainder;
    }
    left -= shares[i]!;
  }
  addLeftover({ shares, remainders, left, ties: parts.ties });
  return shares;
}

/**
 * Largest-remainder shares of an amount of money, ties to the lower index.
 *
 * @param parts.totalUc - either sign; a negative total is shared like its absolute value
 * @param parts.weights - non-negative integers with a sum in (0, 2^53 - 1]; may be all zero only
 *   if the total is zero
 */
export function shareMoney(parts: {
  readonly totalUc: bigint;
  readonly weights: ArrayLike<number>;
}): BigInt64Array {
  const { totalUc, weights } = parts;
  const amountsUc = new BigInt64Array(weights.length);
  if (totalUc === 0n) return amountsUc;
  let weighed = 0;
  for (let i = 0; i < weights.length; i++) weighed += weights[i]!;
  assert(weighed > 0 && weighed <= Number.MAX_SAFE_INTEGER, "money needs weights to go to");
  const sizeUc = totalUc < 0n ? -totalUc : totalUc;
  const sign = totalUc < 0n ? -1n : 1n;
  // total = unit x weighed + rest: each weight takes unit x weight exactly, only the rest divides.
  const unitUc = sizeUc / BigInt(weighed);
  const rest = Number(sizeUc % BigInt(weighed));
  const extra = shareProRata({ total: rest, claims: weights, claimed: weighed });
  for (let i = 0; i < weights.length; i++) {
    amountsUc[i] = sign * (unitUc * BigInt(weights[i]!) + BigInt(extra[i]!));
  }
  return amountsUc;
}

/** A claim's share of a total rounded down, and what is left over it, in units of 1 / claimed. */
export type Quota = { readonly share: number; readonly remainder: number };

/** floor(total x claim / claimed) and the remainder, exact for all safe integers. */
export function quota(parts: {
  readonly total: number;
  readonly claim: number;
  readonly claimed: number;
}): Quota {
  const product = parts.total * parts.claim;
  if (product > Number.MAX_SAFE_INTEGER) return wideQuota(parts);
  const share = Math.floor(product / parts.claimed);
  return { share, remainder: product - share * parts.claimed };
}

function wideQuota(parts: {
  readonly total: number;
  readonly claim: number;
  readonly claimed: number;
}): Quota {
  const product = BigInt(parts.total) * BigInt(parts.claim);
  const claimed = BigInt(parts.claimed);
  return { share: Number(product / claimed), remainder: Number(product % claimed) };
}

/** floor(value / divisor), toward minus infinity where bigint division truncates; divisor > 0. */
export function floorDivide(value: bigint, divisor: bigint): bigint {
  assert(divisor > 0n, "a divisor must be positive");
  const quotient = value / divisor;
  return value % divisor < 0n ? quotient - 1n : quotient;
}

/** Gives the `left` units to the largest remainders; ties to the lower tie index. */
function addLeftover(parts: {
  readonly shares: Float64Array;
  readonly remainders: Float64Array;
  readonly left: number;
  readonly ties: Uint32Array | undefined;
}): void {
  const { shares, remainders, left, ties } = parts;
  if (left === 0) return;
  const threshold = nthLargest(remainders, left);
  const tied: number[] = [];
  let need = left;
  for (let i = 0; i < shares.length; i++) {
    if (remainders[i]! > threshold) {
      shares[i]! += 1;
      need -= 1;
    } else if (remainders[i] === threshold) {
      tied.push(i);
    }
  }
  const rank = Float64Array.from(tied, (i) => UINT32_MAX - (ties === undefined ? i : ties[i]!));
  const last = nthLargest(rank, need);
  for (let k = 0; k < tied.length; k++) if (rank[k]! >= last) shares[tied[k]!]! += 1;
}

/** The n-th largest of non-negative integers below 2^53, 1 <= n <= length: radix selection. */
export function nthLargest(keys: Float64Array, n: number): number {
  assert(n >= 1 && n <= keys.length, "the rank must be one of the keys'");
  let top = 0;
  for (let i = 0; i < keys.length; i++) if (keys[i]! > top) top = keys[i]!;
  let unit = 1;
  while (top >= unit * DIGIT_VALUES) unit *= DIGIT_VALUES;
  const counts = new Uint32Array(DIGIT_VALUES);
  let candidates = keys;
  let rank = n;
  for (; ; unit = Math.floor(unit / DIGIT_VALUES)) {
    counts.fill(0);
    for (let i = 0; i < candidates.length; i++) counts[digitOf(candidates[i]!, unit)]! += 1;
    let digit = DIGIT_VALUES - 1;
    for (; rank > counts[digit]!; digit--) rank -= counts[digit]!;
    const kept = new Float64Array(counts[digit]!);
    let at = 0;
    for (let i = 0; i < candidates.length; i++) {
      if (digitOf(candidates[i]!, unit) === digit) kept[at++] = candidates[i]!;
    }
    candidates = kept;
    if (unit === 1 || kept.length === 1) return kept[0]!;
  }
}

function digitOf(key: number, unit: number): number {
  return Math.floor(key / unit) & (DIGIT_VALUES - 1);
}
