/**
 * The one rule that divides money: largest remainder (Hamilton's method). Shares sum to the total
 * exactly, none is off its quota by a whole micro-cent, and a tie goes to the lower index.
 *
 * Safe because products that leave 2^53 take bigint, so no step rounds. Source: Balinski & Young,
 * 1982, Fair Representation, on the method of Hamilton.
 */
import { assert } from "../primitives/errors.ts";

const INT64_MAX = 2n ** 63n - 1n;

/**
 * Shares `totalUc` in proportion to `weights`.
 *
 * @param totalUc - either sign, |total| < 2^63; a negative total is shared like its absolute value
 * @param weights - non-negative integers whose sum is a safe integer; all zero only if the total is
 */
export function apportion(totalUc: bigint, weights: ArrayLike<number>): BigInt64Array {
  const sharesUc = new BigInt64Array(weights.length);
  if (totalUc === 0n) return sharesUc;
  let weighed = 0;
  for (let i = 0; i < weights.length; i++) {
    assert(Number.isSafeInteger(weights[i]) && weights[i]! >= 0, "a weight is a whole number");
    weighed += weights[i]!;
  }
  assert(weighed > 0, "money needs weights to go to");
  assert(Number.isSafeInteger(weighed), "weights must sum to a safe integer");
  const sizeUc = totalUc < 0n ? -totalUc : totalUc;
  assert(sizeUc <= INT64_MAX, "a total of money fits 64 bits");
  const sign = totalUc < 0n ? -1n : 1n;
  // total = unit x weighed + rest: each takes unit x weight exactly, and only the rest divides.
  const unitUc = sizeUc / BigInt(weighed);
  const extraUc = shareRest(Number(sizeUc % BigInt(weighed)), weights, weighed);
  for (let i = 0; i < weights.length; i++) {
    sharesUc[i] = sign * (unitUc * BigInt(weights[i]!) + BigInt(extraUc[i]!));
  }
  return sharesUc;
}

/** Largest-remainder shares of `rest`, 0 <= rest < weighed. */
function shareRest(rest: number, weights: ArrayLike<number>, weighed: number): Float64Array {
  const shares = new Float64Array(weights.length);
  const remainders = new Float64Array(weights.length);
  const contenders: number[] = [];
  let left = rest;
  for (let i = 0; i < weights.length; i++) {
    const product = rest * weights[i]!;
    if (product <= Number.MAX_SAFE_INTEGER) {
      shares[i] = Math.floor(product / weighed);
      remainders[i] = product - shares[i]! * weighed;
    } else {
      const exact = BigInt(rest) * BigInt(weights[i]!);
      shares[i] = Number(exact / BigInt(weighed));
      remainders[i] = Number(exact % BigInt(weighed));
    }
    left -= shares[i]!;
    if (remainders[i]! > 0) contenders.push(i);
  }
  if (left === 0) return shares;
  contenders.sort((a, b) => remainders[b]! - remainders[a]! || a - b);
  assert(left < contenders.length, "what is left goes once to some of the remainders");
  for (let k = 0; k < left; k++) shares[contenders[k]!]! += 1;
  return shares;
}

/** floor(value / by), by > 0, toward minus infinity: for averages that people read, not to pay. */
export function floorDivide(value: bigint, by: bigint): bigint {
  assert(by > 0n, "a divisor is positive");
  const rest = value % by;
  return (value - (rest < 0n ? rest + by : rest)) / by;
}
