/**
 * A simulated disk with one LevelDB log on it: what a crash keeps, and how a disk fails.
 *
 * LevelDB's promises, and no more: a batch is atomic; a synced batch and everything before it is
 * there after any crash; after it, a power cut keeps any prefix of the log (a batch torn by it
 * fails its checksum and is dropped), and a killed process what was completed. A batch whose write
 * failed may be there or not after the next opening, and nothing can be written before it (LevelDB,
 * db/db_impl.cc, `RecordBackgroundError`). Bits may flip in what lies on the disk.
 */
import type { Prng } from "../../services/primitives/prng.ts";
import type { World } from "./world.ts";

/** A key and its new value, or null to delete. */
export type Write = readonly (readonly [key: string, value: Uint8Array | null])[];

/** What survives beside the synced batches: all that was completed, or any prefix of it. */
export type Cut = "process" | "power";

export type Damage = {
  readonly key: string;
  isThere(): boolean;
  undo(): void; // as from a backup
};

/** How long writes take, virtual milliseconds. */
const SYNC_MS = 4;
const APPEND_MS = 1;

type Batch = { readonly write: Write; isComplete: boolean };
type Trap = { readonly kind: "cut" | "full" | "read"; left: number; readonly spring: () => void };

export class Disk {
  readonly name: string;
  readonly #world: World;
  readonly #prng: Prng;
  readonly #durable = new Map<string, Uint8Array>();
  #live = new Map<string, Uint8Array>();
  #keys: string[] | null = []; // of #live, sorted; null: to be sorted again
  #log: Batch[] = []; // since the last sync
  #lastDoneMs = 0;
  #traps: Trap[] = [];
  #isFull = false;
  wasFull = false; // once in this run
  #hasFailed = false; // LevelDB takes no write after a failed one until it is opened again
  /** Rises with each crash: what an older life of the process asks is never answered. */
  #life = 0;
  writes = 0;

  constructor(world: World, name: string) {
    this.name = name;
    this.#world = world;
    this.#prng = world.prng.fork(`disk/${name}`);
  }

  get life(): number {
    return this.#life;
  }

  /** Springs at the n-th write (or read) from now. */
  trap(kind: Trap["kind"], count: number, spring: () => void): void {
    this.#traps.push({ kind, left: count, spring });
  }

  disarm(): void {
    this.#traps = [];
  }

  get(life: number, key: string): Uint8Array | undefined {
    this.#read(life);
    return this.#live.get(key);
  }

  /** Entries of a range as they are now, in the order of keys. */
  entries(life: number, within: (key: string) => boolean): (readonly [string, Uint8Array])[] {
    this.#read(life);
    this.#keys ??= [...this.#live.keys()].sort();
    return this.#keys.filter(within).map((key) => [key, this.#live.get(key)!] as const);
  }

  /** Resolves when the batch is in the log, and on the disk where `sync`; never after a crash. */
  write(life: number, write: Write, { sync }: { readonly sync: boolean }): Promise<void> {
    if (life !== this.#life) return never();
    this.writes++;
    const batch = { write, isComplete: false };
    this.#log.push(batch);
    if (this.#sprung("cut")) return never();
    if (this.#sprung("full")) this.#fill();
    const fails = this.#isFull;
    return new Promise((resolve, reject) => {
      const doneMs = Math.max(this.#world.nowMs, this.#lastDoneMs) + (sync ? SYNC_MS : APPEND_MS);
      this.#lastDoneMs = doneMs;
      this.#world.at(doneMs, () => {
        if (life !== this.#life) return;
        if (fails || this.#hasFailed) {
          this.#hasFailed = true;
          reject(ioError(`${this.name}/000003.log: No space left on device`));
          return;
        }
        batch.isComplete = true;
        this.#apply(this.#live, write);
        if (sync) this.#sync(batch);
        resolve();
      });
    });
  }

  /** The process is gone, and with a power cut what was not synced, from some batch on. */
  crash(cut: Cut): void {
    this.#life++;
    this.#hasFailed = false;
    const complete = this.#log.filter((batch) => batch.isComplete).length;
    const least = cut === "process" ? complete : 0;
    const kept = least + this.#prng.below(this.#log.length - least + 1);
    for (const { write } of this.#log.slice(0, kept)) this.#apply(this.#durable, write);
    this.#log = [];
    this.#live = new Map(this.#durable);
    this.#keys = null;
    this.#lastDoneMs = 0;
    this.#traps = []; // a trap is for one life
  }

  #fill(): void {
    this.#isFull = true;
    this.wasFull = true;
  }

  free(): void {
    this.#isFull = false;
  }

  /** Flips a bit of a stored value while nobody runs; returns what undoes it. */
  flip(matches: (key: string) => boolean): Damage | null {
    const keys = [...this.#durable.keys()].filter(matches).sort();
    if (keys.length === 0) return null;
    const key = keys[this.#prng.below(keys.length)]!;
    const good = this.#durable.get(key)!;
    const bad = good.slice();
    if (bad.length === 0) return null;
    bad[this.#prng.below(bad.length)]! ^= 1 << this.#prng.below(8);
    this.#put(key, bad);
    const isThere = () => this.#live.get(key) === bad; // a rebuild may have written it anew
    return {
      key,
      isThere,
      undo: () => {
        if (isThere()) this.#put(key, good);
      },
    };
  }

  #put(key: string, value: Uint8Array): void {
    this.#durable.set(key, value);
    this.#live.set(key, value);
  }

  #read(life: number): void {
    if (life !== this.#life) throw ioError(`${this.name}: read by a process that is gone`);
    if (this.#sprung("read")) throw ioError(`${this.name}/000005.ldb: Input/output error`);
  }

  #sprung(kind: Trap["kind"]): boolean {
    const trap = this.#traps.find((one) => one.kind === kind && --one.left === 0);
    trap?.spring();
    return trap !== undefined;
  }

  #sync(last: Batch): void {
    const end = this.#log.indexOf(last) + 1;
    for (const { write } of this.#log.splice(0, end)) this.#apply(this.#durable, write);
  }

  #apply(to: Map<string, Uint8Array>, write: Write): void {
    for (const [key, value] of write) {
      if (to === this.#live && to.has(key) !== (value !== null)) this.#keys = null;
      if (value === null) to.delete(key);
      else to.set(key, value);
    }
  }
}

function never(): Promise<never> {
  return new Promise(() => {});
}

/** As classic-level hands on what LevelDB says. */
function ioError(what: string): Error {
  return Object.assign(new Error(`IO error: ${what}`), { code: "LEVEL_IO_ERROR" });
}
