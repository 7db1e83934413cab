/**
 * Sorting positions by an integer key: least-significant-digit radix sort. Stable, O(n) for keys of
 * bounded width, and the result never depends on anything but keys and given order.
 */
const DIGIT_BITS = 8;
const DIGIT_VALUES = 1 << DIGIT_BITS;

/**
 * The members in ascending order of key; equal keys keep their given order.
 *
 * @param parts.members - positions into `keys`; not changed
 * @param parts.keys - integers with lowest <= key and key - lowest < 2^32
 */
export function sortByKey(parts: {
  readonly members: Uint32Array;
  readonly keys: Int32Array | Uint32Array;
  readonly lowest: number;
  readonly highest: number;
}): Uint32Array {
  const { members, keys, lowest } = parts;
  let ascending = true;
  for (let k = 1; k < members.length && ascending; k++) {
    ascending = keys[members[k - 1]!]! <= keys[members[k]!]!;
  }
  if (ascending) return members;
  const bits = 32 - Math.clz32(parts.highest - lowest);
  let from = members.slice();
  let to = new Uint32Array(members.length);
  const starts = new Uint32Array(DIGIT_VALUES);
  for (let shift = 0; shift < bits; shift += DIGIT_BITS) {
    starts.fill(0);
    for (let k = 0; k < from.length; k++) {
      starts[((keys[from[k]!]! - lowest) >>> shift) & (DIGIT_VALUES - 1)]! += 1;
    }
    let sum = 0;
    for (let digit = 0; digit < DIGIT_VALUES; digit++) {
      const size = starts[digit]!;
      starts[digit] = sum;
      sum += size;
    }
    for (let k = 0; k < from.length; k++) {
      const member = from[k]!;
      to[starts[((keys[member]! - lowest) >>> shift) & (DIGIT_VALUES - 1)]!++] = member;
    }
    [from, to] = [to, from];
  }
  return from;
}

/** All positions of a column with `count` entries, ascending. */
export function allPositions(count: number): Uint32Array {
  const positions = new Uint32Array(count);
  for (let i = 0; i < count; i++) positions[i] = i;
  return positions;
}
