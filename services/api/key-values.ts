/**
 * The little of a sorted key-value database that this folder needs, in abstract-level's own words:
 * a `level` database or a sublevel of it (string keys, `valueEncoding: "view"`) fits as it is.
 */
export type KeyValues = {
  get(key: string): Promise<Uint8Array | undefined>;
  /** All or nothing; durable when it resolves, given `sync`. */
  batch(
    operations: ({ type: "put"; key: string; value: Uint8Array } | { type: "del"; key: string })[],
    options: { sync: boolean },
  ): Promise<void>;
  iterator(range: {
    gte: string;
    lte: string;
    reverse?: boolean;
    limit?: number;
  }): AsyncIterable<[string, Uint8Array]>;
};
