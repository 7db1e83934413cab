/**
 * Hands an MQTT parser whole packets, a few at a time. Reads only fixed headers (MQTT 3.1.1,
 * section 2.2), so a packet beyond the limit is refused by its announced length, before a byte of
 * it is kept, and a client that sends hundreds of packets in one write is held back by its own
 * window: what is not handed on stays in the socket, and TCP slows the sender down.
 */
import { concatBytes } from "../primitives/bytes.ts";

export type FrameSource = {
  /** Bytes that have arrived, or null. */
  read(): Uint8Array | null;
};

export type Frames =
  | { readonly kind: "bytes"; readonly bytes: Uint8Array } // whole packets
  | { readonly kind: "wait" } // nothing whole has arrived
  | { readonly kind: "oversized" }
  | { readonly kind: "malformed" }; // a length of more than four bytes

export class FrameGuard {
  readonly #source: FrameSource;
  readonly #bytesMax: number;
  #held: Uint8Array = new Uint8Array(0);

  constructor({ source, bytesMax }: { source: FrameSource; bytesMax: number }) {
    this.#source = source;
    this.#bytesMax = bytesMax;
  }

  /** At most `framesMax` packets. Reads on from the source only while it holds no whole packet. */
  take(framesMax: number): Frames {
    if (framesMax <= 0) return { kind: "wait" };
    for (;;) {
      const scan = this.#scan(framesMax);
      if (scan.kind !== "end") return scan;
      if (scan.at > 0) {
        const bytes = this.#held.subarray(0, scan.at);
        this.#held = this.#held.subarray(scan.at);
        return { kind: "bytes", bytes };
      }
      const more = this.#source.read();
      if (more === null) return { kind: "wait" };
      this.#held = this.#held.length === 0 ? more : concatBytes([this.#held, more]);
    }
  }

  #scan(framesMax: number): { kind: "end"; at: number } | { kind: "oversized" | "malformed" } {
    let at = 0;
    for (let frames = 0; frames < framesMax; frames++) {
      const length = frameLength(this.#held, at);
      if (length === "malformed") return { kind: "malformed" };
      if (length === null) break;
      if (length > this.#bytesMax) return { kind: "oversized" };
      if (at + length > this.#held.length) break;
      at += length;
    }
    return { kind: "end", at };
  }
}

/** Length of the packet that begins at `start`, its header included; null: more bytes needed. */
function frameLength(bytes: Uint8Array, start: number): number | "malformed" | null {
  let remaining = 0;
  for (let i = 0; i < 4; i++) {
    const byte = bytes[start + 1 + i];
    if (byte === undefined) return null;
    remaining += (byte & 0x7f) * 128 ** i;
    if (byte < 0x80) return 2 + i + remaining;
  }
  return "malformed";
}
