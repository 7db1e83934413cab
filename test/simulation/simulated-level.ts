/**
 * A `level` database on a simulated disk: abstract-level above, so that encodings, sublevels,
 * chained batches and iterators are the ones of production; `disk.ts` below.
 */
import { AbstractIterator, AbstractLevel } from "abstract-level";
import type { Level } from "level";
import type { Disk, Write } from "./disk.ts";

type Range = {
  readonly gt?: string;
  readonly gte?: string;
  readonly lt?: string;
  readonly lte?: string;
  readonly reverse?: boolean;
  readonly limit?: number;
};
type Operation =
  | { readonly type: "put"; readonly key: string; readonly value: Uint8Array }
  | { readonly type: "del"; readonly key: string };

/** Opens the disk for its present life: a crash makes the handle useless. */
export async function openSimulatedLevel(disk: Disk): Promise<Level<string, Uint8Array>> {
  const level = new SimulatedLevel(disk);
  await level.open();
  // `level` declares of `get` that it always finds something; abstract-level itself does not.
  return level as unknown as Level<string, Uint8Array>;
}

class SimulatedLevel extends AbstractLevel<string | Buffer | Uint8Array, string, Uint8Array> {
  readonly disk: Disk;
  readonly life: number;

  constructor(disk: Disk) {
    const encodings = { utf8: true, view: true };
    super({ encodings, getSync: true, has: false, seek: false } as never, {
      valueEncoding: "view",
    });
    this.disk = disk;
    this.life = disk.life;
  }

  get location(): string {
    return this.disk.name;
  }

  async _get(key: string): Promise<Uint8Array | undefined> {
    return this.disk.get(this.life, key)?.slice();
  }

  _getSync(key: string): Uint8Array | undefined {
    return this.disk.get(this.life, key)?.slice();
  }

  _put(key: string, value: Uint8Array, options: { sync?: boolean }): Promise<void> {
    return this.#write([[key, value]], options);
  }

  _del(key: string, options: { sync?: boolean }): Promise<void> {
    return this.#write([[key, null]], options);
  }

  _batch(operations: readonly Operation[], options: { sync?: boolean }): Promise<void> {
    return this.#write(
      operations.map((one) => [one.key, one.type === "put" ? one.value : null] as const),
      options,
    );
  }

  _clear(range: Range): Promise<void> {
    return this.#write(
      this.entries(range).map(([key]) => [key, null] as const),
      {},
    );
  }

  _iterator(range: Range): SimulatedIterator {
    return new SimulatedIterator(this, range);
  }

  /** Bytes are copied on the way in and out: nobody shares memory with a disk. */
  #write(write: Write, { sync = false }: { sync?: boolean }): Promise<void> {
    const copied = write.map(([key, value]) => [key, value && Uint8Array.from(value)] as const);
    return this.disk.write(this.life, copied, { sync });
  }

  entries(range: Range): (readonly [string, Uint8Array])[] {
    const { gt, gte, lt, lte, reverse = false, limit = -1 } = range;
    const found = this.disk.entries(this.life, (key) => {
      if (gte !== undefined ? key < gte : gt !== undefined && key <= gt) return false;
      return lte !== undefined ? key <= lte : lt === undefined || key < lt;
    });
    if (reverse) found.reverse();
    const taken = limit < 0 ? found : found.slice(0, limit);
    return taken.map(([key, value]) => [key, value.slice()] as const);
  }
}

class SimulatedIterator extends AbstractIterator<SimulatedLevel, string, Uint8Array> {
  readonly #entries: (readonly [string, Uint8Array])[];
  #at = 0;

  constructor(level: SimulatedLevel, range: Range) {
    super(level, range as never);
    this.#entries = level.entries(range);
  }

  async _next(): Promise<readonly [string, Uint8Array] | undefined> {
    return this.#entries[this.#at++];
  }

  async _nextv(size: number): Promise<(readonly [string, Uint8Array])[]> {
    const found = this.#entries.slice(this.#at, this.#at + size);
    this.#at += found.length;
    return found;
  }

  async _all(): Promise<(readonly [string, Uint8Array])[]> {
    const found = this.#entries.slice(this.#at);
    this.#at = this.#entries.length;
    return found;
  }
}
