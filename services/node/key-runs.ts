/**
 * A set of keys that end in a number, such as `slot/0001/0000000001234567`: kept as runs of
 * consecutive numbers under their beginnings, so that a year of slots costs as much as one.
 */
type Run = { first: number; last: number };

export class KeyRuns {
  readonly #runs = new Map<string, Run[]>(); // by beginning; rising, with gaps between them
  readonly #others = new Set<string>();

  add(key: string): void {
    const { beginning, number } = parse(key);
    if (number === null) {
      this.#others.add(key);
      return;
    }
    const runs = this.#runs.get(beginning) ?? [];
    this.#runs.set(beginning, runs);
    const at = placeOf(runs, number);
    const before = runs[at - 1];
    const after = runs[at];
    if (before !== undefined && number <= before.last) return;
    const joinsBefore = before?.last === number - 1;
    const joinsAfter = after?.first === number + 1;
    if (joinsBefore && joinsAfter) {
      before.last = after.last;
      runs.splice(at, 1);
    } else if (joinsBefore) before.last = number;
    else if (joinsAfter) after.first = number;
    else runs.splice(at, 0, { first: number, last: number });
  }

  has(key: string): boolean {
    const { beginning, number } = parse(key);
    if (number === null) return this.#others.has(key);
    const runs = this.#runs.get(beginning) ?? [];
    const run = runs[placeOf(runs, number) - 1];
    return run !== undefined && number <= run.last;
  }
}

/** The number has a fixed width, so that no two keys have the same. */
function parse(key: string): { readonly beginning: string; readonly number: number | null } {
  const match = /^(.*\/)(\d{14,16})$/.exec(key);
  if (match === null) return { beginning: key, number: null };
  const number = Number(match[2]);
  if (!Number.isSafeInteger(number)) return { beginning: key, number: null };
  return { beginning: `${match[1]}${match[2]!.length}:`, number };
}

/** How many runs begin at or below a number. */
function placeOf(runs: readonly Run[], number: number): number {
  let [low, high] = [0, runs.length];
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (runs[middle]!.first <= number) low = middle + 1;
    else high = middle;
  }
  return low;
}
