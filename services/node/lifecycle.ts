/** How a node's parts end: in reverse order of their start, and for one reason. */

/** What runs, last started first; `unwind` stops each and goes on where one fails. */
export class Stack {
  readonly #stops: (() => Promise<void>)[] = [];

  push(stop: () => Promise<void>): void {
    this.#stops.push(stop);
  }

  async unwind(): Promise<void> {
    let failure: unknown = null;
    for (let stop = this.#stops.pop(); stop !== undefined; stop = this.#stops.pop()) {
      await stop().catch((error: unknown) => {
        failure ??= error;
      });
    }
    if (failure !== null) throw failure;
  }
}

/** The first thing that ends the node. */
export class Ending {
  readonly promise: Promise<void>;
  #resolve!: () => void;
  #reject!: (failure: unknown) => void;

  constructor() {
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.promise.catch(() => undefined); // who awaits `ended` hears of it; nobody else must
  }

  fail(failure: unknown): void {
    this.#reject(failure);
  }

  finish(): void {
    this.#resolve();
  }
}
