/**
 * Threads that check signatures ahead of the replay. The replay never depends on them: a batch that
 * no thread has begun is handed back unchecked, a thread that dies answers nothing more, and while
 * the replay waits for one batch it checks a later one itself.
 */
import { Worker } from "node:worker_threads";
import { assert } from "../primitives/errors.ts";
import { AUDIT_WORKERS_MAX } from "../primitives/limits.ts";
import {
  type BlockChecks,
  type CheckContext,
  type CheckedBytes,
  checkBlocks,
} from "./audit-checks.ts";

export type CheckTicket = {
  /** The answers by block; null where nobody has begun with the batch, or its thread died. */
  take(): Promise<readonly BlockChecks[] | null>;
};
export type CheckPool = {
  submit(blocks: readonly CheckedBytes[]): CheckTicket;
  close(): Promise<void>;
};

/** Everything is left to the replay. */
export const NO_POOL: CheckPool = {
  submit: () => ({ take: async () => null }),
  close: async () => {},
};

type Job = {
  readonly blocks: readonly CheckedBytes[];
  readonly done: Promise<readonly BlockChecks[] | null>;
  readonly resolve: (answers: readonly BlockChecks[] | null) => void;
  state: "waiting" | "begun" | "done";
};

/** @param request.workers - from 1 to AUDIT_WORKERS_MAX */
export function startCheckPool(request: {
  readonly workers: number;
  readonly context: CheckContext;
}): CheckPool {
  assert(request.workers <= AUDIT_WORKERS_MAX, "an audit has a bounded number of threads");
  return new ThreadPool(request.workers, request.context);
}

class ThreadPool implements CheckPool {
  readonly #context: CheckContext;
  readonly #threads: readonly Worker[];
  readonly #waiting: Job[] = [];
  readonly #idle: Worker[] = [];
  readonly #begun = new Map<Worker, Job>();

  constructor(workers: number, context: CheckContext) {
    this.#context = context;
    this.#threads = Array.from({ length: workers }, () => this.#start());
  }

  #start(): Worker {
    const thread = new Worker(new URL("./audit-worker.mjs", import.meta.url), {
      workerData: this.#context,
    });
    thread.on("message", (answers: "ready" | readonly BlockChecks[]) => {
      if (answers !== "ready") this.#finish(thread, answers);
      this.#idle.push(thread);
      this.#assign();
    });
    thread.on("error", () => this.#bury(thread));
    thread.on("exit", () => this.#bury(thread));
    thread.unref(); // an audit that ends early does not wait for it
    return thread;
  }

  #finish(thread: Worker, answers: readonly BlockChecks[] | null): void {
    const job = this.#begun.get(thread);
    this.#begun.delete(thread);
    if (job !== undefined) settle(job, answers);
  }

  #bury(thread: Worker): void {
    this.#finish(thread, null);
    const at = this.#idle.indexOf(thread);
    if (at >= 0) this.#idle.splice(at, 1);
  }

  #assign(): void {
    while (this.#idle.length > 0 && this.#waiting.length > 0) {
      const thread = this.#idle.pop()!;
      const job = this.#waiting.shift()!;
      job.state = "begun";
      this.#begun.set(thread, job);
      thread.postMessage(job.blocks);
    }
  }

  submit(blocks: readonly CheckedBytes[]): CheckTicket {
    const job = createJob(blocks);
    this.#waiting.push(job);
    this.#assign();
    return { take: () => this.#take(job) };
  }

  async #take(job: Job): Promise<readonly BlockChecks[] | null> {
    while (job.state !== "done") {
      // Nobody has begun with this one: the replay checks it on its way.
      if (job.state === "waiting") {
        this.#waiting.splice(this.#waiting.indexOf(job), 1);
        settle(job, null);
        break;
      }
      const other = this.#waiting.shift();
      if (other === undefined) break;
      settle(other, checkBlocks(this.#context, other.blocks));
      await eventLoopTurn(); // where the answers of the threads come in
    }
    return job.done;
  }

  async close(): Promise<void> {
    for (const job of this.#waiting.splice(0)) settle(job, null);
    await Promise.all(this.#threads.map((thread) => thread.terminate()));
  }
}

function createJob(blocks: readonly CheckedBytes[]): Job {
  let resolve: Job["resolve"] = () => {};
  const done = new Promise<readonly BlockChecks[] | null>((settled) => {
    resolve = settled;
  });
  return { blocks, done, resolve, state: "waiting" };
}

function settle(job: Job, answers: readonly BlockChecks[] | null): void {
  job.state = "done";
  job.resolve(answers);
}

/** Lets what other threads and the network have finished come in. */
export function eventLoopTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
