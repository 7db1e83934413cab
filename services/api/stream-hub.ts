/**
 * The event stream (server-sent events): one encoding of each block, fanned out to bounded queues.
 *
 * Safe against slow clients because nothing is written that was not asked for: each response is a
 * pull-driven ReadableStream, so a stalled socket stops pulling, its queue fills, and the client is
 * dropped; queued events are shared bytes. Hono's `streamSSE` is not used: its writes swallow
 * errors and pend for ever on a stalled client. Source: WHATWG HTML, server-sent events.
 */
import type { ChainReader, CommittedBlock } from "../chain/access.ts";
import { utf8 } from "../primitives/bytes.ts";
import { GridError } from "../primitives/errors.ts";
import { STREAM_CLIENTS_MAX, STREAM_QUEUE_MAX } from "../primitives/limits.ts";
import type { Status, StreamBlock } from "../wire/api.ts";
import type { Replay } from "./stream-replay.ts";

export const HEARTBEAT_MS = 15_000;
/** Beats without progress after which a client with waiting events is taken for stalled. */
const STALLED_BEATS = 2;

export type StreamHub = {
  /**
   * Opens a client's stream of encoded events.
   *
   * @param lastHeight - the height the client saw last; null: it is new
   * @param signal - aborted when the client goes
   * @param sever - ends the client's connection, whatever state it is in
   * @throws GridError capacity_exceeded beyond STREAM_CLIENTS_MAX clients; stopped
   */
  open(request: {
    readonly lastHeight: number | null;
    readonly signal: AbortSignal;
    readonly sever: () => void;
  }): ReadableStream<Uint8Array>;
  clients(): number;
  /** Ends every stream in good order and stops listening. */
  close(): void;
};

export type StreamHubOptions = {
  readonly chain: Pick<ChainReader, "onBlock" | "head">;
  readonly status: () => Promise<Status>;
  readonly blockEvent: (block: CommittedBlock) => StreamBlock;
  readonly replay: (range: { afterHeight: number; toHeight: number }) => Promise<Replay>;
  /** Calls `run` again and again; returns the way to stop. */
  readonly repeat: (run: () => void, intervalMs: number) => () => void;
  readonly onDrop: () => void;
};

export function createStreamHub(options: StreamHubOptions): StreamHub {
  const { chain, status, blockEvent, replay, repeat, onDrop } = options;
  const clients = new Set<Client>();
  let state: "open" | "closed" = "open";
  const stopBlocks = chain.onBlock((block) => {
    if (clients.size === 0) return;
    const event = encodeEvent({ event: "block", id: block.height, data: blockEvent(block) });
    for (const client of clients) client.offer(event, block.height);
  });
  const heartbeat = utf8(": beat\n\n");
  const stopBeats = repeat(() => {
    for (const client of clients) client.beat(heartbeat);
  }, HEARTBEAT_MS);
  const opening = async (lastHeight: number | null, height: number) => {
    const first = await status();
    // A resuming client keeps its place until it has seen what it missed: `status` has no id then.
    if (lastHeight === null) return [encodeEvent({ event: "status", id: height, data: first })];
    const events = [encodeEvent({ event: "status", data: first })];
    const missed = await replay({ afterHeight: lastHeight, toHeight: height });
    if (missed === "unavailable") {
      return [...events, encodeEvent({ event: "reset", id: height, data: { height } })];
    }
    return [
      ...events,
      ...missed.map((data) => encodeEvent({ event: "block", id: data.height, data })),
    ];
  };
  return {
    open: ({ lastHeight, signal, sever }) => {
      if (state === "closed") throw new GridError("stopped", "the node stops", { what: "stream" });
      if (clients.size >= STREAM_CLIENTS_MAX) {
        throw new GridError("capacity_exceeded", "too many clients follow the stream", {
          what: "stream clients",
          max: STREAM_CLIENTS_MAX,
        });
      }
      const { height } = chain.head();
      const client: Client = new Client({
        sentHeight: height,
        opening: () => opening(lastHeight, height),
        onLeave: () => clients.delete(client),
        onDrop: () => {
          onDrop();
          sever();
        },
      });
      clients.add(client);
      signal.addEventListener("abort", () => client.leave(), { once: true });
      if (signal.aborted) client.leave();
      return client.stream;
    },
    clients: () => clients.size,
    close: () => {
      state = "closed";
      stopBlocks();
      stopBeats();
      for (const client of [...clients]) client.finish();
    },
  };
}

class Client {
  readonly stream: ReadableStream<Uint8Array>;
  readonly #queue: Uint8Array[] = [];
  readonly #onLeave: () => void;
  readonly #onDrop: () => void;
  #opening: (() => Promise<Uint8Array[]>) | null;
  #first: Uint8Array[] = [];
  #sentHeight: number;
  #state: "open" | "finishing" | "gone" = "open";
  #wake: (() => void) | null = null;
  #controller: ReadableStreamDefaultController<Uint8Array> | null = null;
  #idleBeats = 0;

  constructor(options: {
    sentHeight: number;
    opening: () => Promise<Uint8Array[]>;
    onLeave: () => void;
    onDrop: () => void;
  }) {
    this.#sentHeight = options.sentHeight;
    this.#opening = options.opening;
    this.#onLeave = options.onLeave;
    this.#onDrop = options.onDrop;
    this.stream = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.#controller = controller;
        },
        pull: (controller) => this.#pull(controller),
        cancel: () => this.leave(),
      },
      { highWaterMark: 0 }, // read only what the socket takes
    );
  }

  /** Queues a block's event; a full queue drops the client. */
  offer(event: Uint8Array, height: number): void {
    if (height <= this.#sentHeight) return; // in the opening already
    this.#sentHeight = height;
    this.#push(event);
  }

  /** A comment that keeps proxies awake, and shows where nothing moves any more. */
  beat(comment: Uint8Array): void {
    if (this.#queue.length === 0) {
      this.#idleBeats = 0;
      this.#push(comment);
      return;
    }
    this.#idleBeats++;
    if (this.#idleBeats >= STALLED_BEATS) this.#drop();
  }

  /** Ends the stream after what is queued. */
  finish(): void {
    if (this.#state === "open") this.#state = "finishing";
    this.#wakeUp();
  }

  /** The other side is gone. */
  leave(): void {
    if (this.#state === "gone") return;
    this.#state = "gone";
    this.#queue.length = 0;
    this.#onLeave();
    this.#wakeUp();
  }

  #push(event: Uint8Array): void {
    if (this.#state !== "open") return;
    if (this.#queue.length >= STREAM_QUEUE_MAX) {
      this.#drop();
      return;
    }
    this.#queue.push(event);
    this.#wakeUp();
  }

  #drop(): void {
    this.leave();
    this.#controller?.close();
    this.#onDrop();
  }

  #wakeUp(): void {
    this.#wake?.();
    this.#wake = null;
  }

  async #pull(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
    if (this.#opening !== null) {
      const opening = this.#opening;
      this.#opening = null;
      this.#first = await opening().catch((fault: unknown) => {
        this.leave(); // the stream ends with the fault, and the client is no longer counted
        throw fault;
      });
    }
    for (;;) {
      if (this.#state === "gone") return;
      const event = this.#first.shift() ?? this.#queue.shift();
      if (event !== undefined) {
        this.#idleBeats = 0;
        controller.enqueue(event);
        return;
      }
      if (this.#state === "finishing") {
        this.leave();
        controller.close();
        return;
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}

/** JSON has no line breaks of its own, so an event is always one `data` line. */
function encodeEvent({ event, id, data }: { event: string; id?: number; data: unknown }) {
  const idLine = id === undefined ? "" : `id: ${id}\n`;
  return utf8(`event: ${event}\n${idLine}data: ${JSON.stringify(data)}\n\n`);
}
