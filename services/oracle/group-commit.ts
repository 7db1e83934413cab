/**
 * Group commit: one write of the store in flight at a time, and it carries everything that waited.
 *
 * Changes are made durable in the order in which they were added, and waiters hear of it in that
 * order: so PUBACKs keep the order of the PUBLISH packets (MQTT 3.1.1, MQTT-4.6.0-2). The first
 * failure is final: memory is then ahead of the disk, and only a restart brings them together.
 */
import type { StoreChange } from "./store.ts";

type Ticket = {
  readonly changes: readonly StoreChange[];
  readonly onDurable: () => void;
  readonly resolve: () => void;
  readonly reject: (failure: unknown) => void;
};

export class GroupCommit {
  readonly #write: (changes: readonly StoreChange[]) => Promise<void>;
  readonly #ticketsMax: number;
  #waiting: Ticket[] = [];
  #inFlight = 0;
  #running: Promise<void> | null = null;
  #failure: { readonly cause: unknown } | null = null;

  constructor(options: {
    readonly write: (changes: readonly StoreChange[]) => Promise<void>;
    readonly ticketsMax: number; // in one write
  }) {
    this.#write = options.write;
    this.#ticketsMax = options.ticketsMax;
  }

  /** Tickets that are not durable yet. */
  get size(): number {
    return this.#waiting.length + this.#inFlight;
  }

  /** What stopped the store, or null. */
  get failure(): unknown {
    return this.#failure?.cause ?? null;
  }

  /**
   * @param onDurable - runs right after the write, in the order of `add`; what it throws is handed
   *   to the caller of `add` and to nobody else
   * @returns resolves after `onDurable`
   */
  add(changes: readonly StoreChange[], onDurable: () => void = () => {}): Promise<void> {
    if (this.#failure !== null) return Promise.reject(this.#failure.cause);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ changes, onDurable, resolve, reject });
      this.#running ??= this.#run();
    });
  }

  /** Resolves when nothing waits any more, whether it was written or failed. */
  async idle(): Promise<void> {
    while (this.#running !== null) await this.#running;
  }

  async #run(): Promise<void> {
    await Promise.resolve(); // what arrives in this turn of the event loop shares the first write
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0, this.#ticketsMax);
      this.#inFlight = batch.length;
      try {
        await this.#write(batch.flatMap((ticket) => ticket.changes));
      } catch (cause) {
        this.#fail(batch, cause);
        break;
      }
      this.#inFlight = 0;
      for (const ticket of batch) settle(ticket);
    }
    this.#running = null;
  }

  #fail(batch: readonly Ticket[], cause: unknown): void {
    this.#failure = { cause };
    const lost = [...batch, ...this.#waiting];
    this.#waiting = [];
    this.#inFlight = 0;
    for (const ticket of lost) ticket.reject(cause);
  }
}

function settle(ticket: Ticket): void {
  try {
    ticket.onDurable();
    ticket.resolve();
  } catch (failure) {
    ticket.reject(failure);
  }
}
