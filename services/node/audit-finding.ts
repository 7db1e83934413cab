/** What an audit finds: the first place where stored and computed part, and how it is thrown. */
import type { Difference } from "../chain/record-difference.ts";
import { GridError } from "../primitives/errors.ts";

export type Place = {
  readonly block: number; // the block that it belongs to; the last one for the state at the end
  readonly region: string | null; // the lane; null where it is no single region's
  readonly record: string; // "block", "response", "engine state", or the key of a record
};
export type Divergence = Difference & Place;

/** Thrown through the walk and caught once: the first divergence ends an audit. */
export class Diverged extends Error {
  readonly divergence: Divergence;
  constructor(divergence: Divergence) {
    super("diverged");
    this.divergence = divergence;
  }
}

export function refuse(at: Place, difference: Difference | null): asserts difference is null {
  if (difference !== null) throw new Diverged({ ...at, ...difference });
}

/** Whole by its checksum and yet of no known form: somebody wrote it so. */
export function decoded<Value>(at: Place, read: () => Value): Value {
  try {
    return read();
  } catch (failure) {
    if (!(failure instanceof GridError) || failure.code !== "bytes_malformed") throw failure;
    const { message: stored } = failure;
    throw new Diverged({ ...at, field: "encoding", stored, computed: "its canonical form" });
  }
}
