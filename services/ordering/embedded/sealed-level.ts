/**
 * LevelDB with sealed values, durable batches, and errors a person can act on. Knows no blocks.
 *
 * Safe because each write is one atomic batch with `sync: true`: LevelDB's default survives a crash
 * of the process but not a power cut. Source: LevelDB, doc/index.md, "Synchronous Writes".
 */
import { readdir } from "node:fs/promises";
import { Level } from "level";
import { GridError } from "../../primitives/errors.ts";
import { storeFailure } from "../../primitives/store-failure.ts";
import type { KeyRange } from "./keys.ts";
import { seal, unseal } from "./sealed.ts";
import { chainStore, corrupt } from "./store-errors.ts";

/** A key and its new value, or null to delete. */
export type Change = { readonly key: string; readonly value: Uint8Array | null };

export type RangeQuery = KeyRange & {
  readonly order: "rising" | "falling";
  readonly limit: number; // may be infinite
};

/** How a directory's database is opened; it MUST keep LevelDB's promises about batches. */
export type OpenDatabase = (
  directory: string,
  options: { readonly createIfMissing: boolean },
) => Promise<Level<string, Uint8Array>>;

/**
 * Opens the database, and creates it where there is none, unless told not to.
 *
 * @param options.openDatabase - default: LevelDB in the directory; a simulated disk comes in here
 * @throws GridError database_locked, database_corrupt, permission_denied, disk_full or, where
 *   nothing may be created, file_unreadable
 */
export async function openSealedLevel(
  directory: string,
  {
    createIfMissing = true,
    openDatabase = openLevelDirectory,
  }: { readonly createIfMissing?: boolean; readonly openDatabase?: OpenDatabase } = {},
): Promise<SealedLevel> {
  try {
    return new SealedLevel(directory, await openDatabase(directory, { createIfMissing }));
  } catch (failure) {
    throw storeFailure(failure, chainStore(directory));
  }
}

const openLevelDirectory: OpenDatabase = async (directory, { createIfMissing }) => {
  await refuseHeadless(directory);
  if (!createIfMissing) await refuseAbsent(directory);
  const level = new Level<string, Uint8Array>(directory, {
    valueEncoding: "view",
    createIfMissing,
  });
  await level.open();
  return level;
};

/** Without CURRENT LevelDB would start afresh and remove the tables as obsolete. */
async function refuseHeadless(directory: string): Promise<void> {
  const names = await readdir(directory).catch((failure: NodeJS.ErrnoException): string[] => {
    if (failure.code === "ENOENT") return [];
    throw storeFailure(failure, chainStore(directory));
  });
  const holdsData = names.some((name) => /^(MANIFEST-\d+|\d+\.(ldb|sst|log))$/.test(name));
  if (holdsData && !names.includes("CURRENT")) throw corrupt(directory, "CURRENT is missing");
}

/** LevelDB makes the directory and its lock even where it is told to create nothing. */
async function refuseAbsent(directory: string): Promise<void> {
  const names = await readdir(directory).catch((failure: NodeJS.ErrnoException): string[] => {
    if (failure.code === "ENOENT") return [];
    throw storeFailure(failure, chainStore(directory));
  });
  if (names.includes("CURRENT")) return;
  const file = directory;
  throw new GridError("file_unreadable", `${directory} holds no chain's database`, { file });
}

/** What stood in the database at one instant, whatever is written meanwhile. */
export type LevelView = {
  get(key: string): Promise<Uint8Array | null>;
  /** The first keys of a range in rising order. */
  keys(range: KeyRange, limit: number): Promise<string[]>;
};

export class SealedLevel {
  readonly directory: string;
  readonly #level: Level<string, Uint8Array>;

  constructor(directory: string, level: Level<string, Uint8Array>) {
    this.directory = directory;
    this.#level = level;
  }

  /** @throws GridError database_corrupt where the value fails its seal */
  async get(key: string): Promise<Uint8Array | null> {
    const stored = await this.#guarded(() => this.#level.get(key));
    return stored === undefined ? null : this.#unseal(key, stored);
  }

  async range(query: RangeQuery): Promise<{ readonly key: string; readonly value: Uint8Array }[]> {
    return this.#guarded(async () => {
      const { gte, lt, order, limit } = query;
      const entries = this.#level.iterator({ gte, lt, reverse: order === "falling", limit });
      const records = [];
      for await (const [key, stored] of entries) {
        records.push({ key, value: this.#unseal(key, stored) });
      }
      return records;
    });
  }

  /** Calls `visit` with each key in rising order, without opening the values. */
  async eachKey(range: KeyRange, visit: (key: string) => void): Promise<void> {
    await this.#guarded(async () => {
      for await (const key of this.#level.keys({ ...range })) visit(key);
    });
  }

  /** Reads several records of one instant. The view ends with `read`. */
  async atOneInstant<Value>(read: (view: LevelView) => Promise<Value>): Promise<Value> {
    return this.#guarded(async () => {
      const snapshot = this.#level.snapshot();
      try {
        return await read({
          get: async (key) => {
            const stored = await this.#level.get(key, { snapshot });
            return stored === undefined ? null : this.#unseal(key, stored);
          },
          keys: (range, limit) => this.#level.keys({ ...range, limit, snapshot }).all(),
        });
      } finally {
        await snapshot.close();
      }
    });
  }

  /** All or nothing, and on the disk when this resolves. */
  async write(changes: readonly Change[]): Promise<void> {
    const operations = changes.map(({ key, value }) =>
      value === null
        ? ({ type: "del", key } as const)
        : ({ type: "put", key, value: seal(key, value) } as const),
    );
    await this.#guarded(() => this.#level.batch(operations, { sync: true }));
  }

  /** Removes a range of keys. Neither atomic nor synced: the caller can repeat it. */
  async clear(range: KeyRange): Promise<void> {
    await this.#guarded(() => this.#level.clear({ ...range }));
  }

  async close(): Promise<void> {
    await this.#level.close();
  }

  #unseal(key: string, stored: Uint8Array): Uint8Array {
    const value = unseal(key, stored);
    if (value === null) throw corrupt(this.directory, `record ${key} fails its checksum`);
    return value;
  }

  async #guarded<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (failure) {
      throw storeFailure(failure, chainStore(this.directory));
    }
  }
}
