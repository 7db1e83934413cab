/** The auditor's own largest remainder: bigint throughout, one unit at a time. */
export function shareOut(total: bigint, weights: readonly number[]): bigint[] {
  const sign = total < 0n ? -1n : 1n;
  const size = total * sign;
  const sum = weights.reduce((all, weight) => all + BigInt(weight), 0n);
  if (size === 0n || sum === 0n) return weights.map(() => 0n);
  const shares = weights.map((weight) => (size * BigInt(weight)) / sum);
  const rests = weights.map((weight, i) => size * BigInt(weight) - shares[i]! * sum);
  let left = size - shares.reduce((all, share) => all + share, 0n);
  for (; left > 0n; left--) {
    let best = 0;
    rests.forEach((rest, i) => {
      if (rest > rests[best]!) best = i;
    });
    shares[best]! += 1n;
    rests[best] = -1n;
  }
  return shares.map((share) => share * sign);
}

export const sum = (values: readonly number[]): number =>
  values.reduce((total, value) => total + value, 0);

export const sumUc = (values: readonly bigint[]): bigint =>
  values.reduce((total, value) => total + value, 0n);
