/**
 * From a stream of bytes to telegrams: whatever pieces the bytes come in, the frames are the same.
 *
 * Bounded: never more than TELEGRAM_BYTES_MAX wait; a frame that grows beyond it is dropped with
 * all that waits, and the next start mark begins afresh. What is dropped is counted.
 */
import { TELEGRAM_BYTES_MAX } from "../../primitives/limits.ts";

/** What a scan of the bytes that wait has found. Positions are offsets into them. */
export type Scan =
  | { readonly kind: "frame"; readonly start: number; readonly end: number }
  /** No whole frame: what is before `start` is garbage, and the search goes on at `resume`. */
  | { readonly kind: "wait"; readonly start: number; readonly resume: number };

/** @param resume - where the last scan of the same start stopped; 0 for a new start */
export type Scanner = (bytes: Uint8Array, resume: number) => Scan;

export type Framed = {
  readonly frames: readonly Uint8Array[]; // copies
  readonly droppedBytes: number;
};

export class Framer {
  readonly #scan: Scanner;
  readonly #buffer = new Uint8Array(2 * TELEGRAM_BYTES_MAX);
  #length = 0;
  #resume = 0;

  constructor(scan: Scanner) {
    this.#scan = scan;
  }

  /** Bytes of a frame that has not ended. */
  get waiting(): number {
    return this.#length;
  }

  push(chunk: Uint8Array): Framed {
    const frames: Uint8Array[] = [];
    let droppedBytes = 0;
    for (let at = 0; at < chunk.length; at += TELEGRAM_BYTES_MAX) {
      const part = chunk.subarray(at, at + TELEGRAM_BYTES_MAX);
      this.#buffer.set(part, this.#length);
      this.#length += part.length;
      droppedBytes += this.#drain(frames);
    }
    return { frames, droppedBytes };
  }

  #drain(frames: Uint8Array[]): number {
    let dropped = 0;
    let from = 0;
    while (from < this.#length) {
      const waiting = this.#buffer.subarray(from, this.#length);
      const found = this.#scan(waiting, this.#resume);
      dropped += found.start;
      if (found.kind === "frame") {
        frames.push(waiting.slice(found.start, found.end));
        from += found.end;
        this.#resume = 0;
        continue;
      }
      from += found.start;
      this.#resume = Math.max(0, found.resume - found.start);
      break;
    }
    this.#buffer.copyWithin(0, from, this.#length);
    this.#length -= from;
    if (this.#length <= TELEGRAM_BYTES_MAX) return dropped;
    dropped += this.#length;
    this.#length = 0;
    this.#resume = 0;
    return dropped;
  }
}

const LINE_FEED = 0x0a;
const BRACE = 0x7b;

/** One JSON text per line; what a log writes before the brace is skipped, so are empty lines. */
export const scanJsonLine: Scanner = (bytes, resume) => {
  let start = 0;
  for (let from = resume; ; ) {
    const end = bytes.indexOf(LINE_FEED, from);
    if (end < 0) return { kind: "wait", start, resume: bytes.length };
    const brace = bytes.indexOf(BRACE, start);
    if (brace >= 0 && brace < end) return { kind: "frame", start: brace, end };
    start = end + 1;
    from = start;
  }
};
