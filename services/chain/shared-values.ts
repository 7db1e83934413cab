/**
 * Values one after another in shared memory, as bytes and columns: how jobs go to lane workers and
 * outcomes come back. Written once, then read in the same order; what lies between is the schema of
 * writer and reader (`lane-packing.ts`). A reader's columns are views, not copies.
 *
 * Safe because each value begins on 8 bytes, so that every column may be viewed where it lies, and
 * because a place is published (by an atomic store) only when all of it is written.
 */
import { assert } from "../primitives/errors.ts";

const ALIGNMENT = 8;

export type SharedColumn = Uint8Array | Int32Array | Uint32Array | Float64Array;

/** What values are written to: shared memory, or a measure of how much of it they take. */
export type ValueSink = {
  number(value: number): void; // any double: NaN and the infinities too
  money(value: bigint): void; // 64 bits
  column(values: SharedColumn): void;
};

function aligned(bytes: number): number {
  return Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
}

/** Bytes that `write` takes. */
export function measureValues(write: (sink: ValueSink) => void): number {
  let bytes = 0;
  write({
    number() {
      bytes += ALIGNMENT;
    },
    money() {
      bytes += ALIGNMENT;
    },
    column(values) {
      bytes += ALIGNMENT + aligned(values.byteLength);
    },
  });
  return bytes;
}

/** Writes at `offset`, a multiple of 8; where the values end. */
export function writeValues(
  memory: SharedArrayBuffer,
  offset: number,
  write: (sink: ValueSink) => void,
): number {
  const view = new DataView(memory);
  const bytes = new Uint8Array(memory);
  let at = offset;
  write({
    number(value) {
      view.setFloat64(at, value, true);
      at += ALIGNMENT;
    },
    money(value) {
      view.setBigInt64(at, value, true);
      at += ALIGNMENT;
    },
    column(values) {
      view.setFloat64(at, values.length, true);
      bytes.set(
        new Uint8Array(values.buffer, values.byteOffset, values.byteLength),
        at + ALIGNMENT,
      );
      at += ALIGNMENT + aligned(values.byteLength);
    },
  });
  return at;
}

/** Reads from `offset` on, in the order of writing. */
export class ValueReader {
  readonly #memory: SharedArrayBuffer;
  readonly #view: DataView;
  #at: number;

  constructor(memory: SharedArrayBuffer, offset: number) {
    assert(offset % ALIGNMENT === 0, "shared values begin on 8 bytes");
    this.#memory = memory;
    this.#view = new DataView(memory);
    this.#at = offset;
  }

  number(): number {
    this.#at += ALIGNMENT;
    return this.#view.getFloat64(this.#at - ALIGNMENT, true);
  }

  money(): bigint {
    this.#at += ALIGNMENT;
    return this.#view.getBigInt64(this.#at - ALIGNMENT, true);
  }

  bytes(): Uint8Array {
    const length = this.number();
    return new Uint8Array(this.#memory, this.#take(length), length);
  }

  ints(): Int32Array {
    const length = this.number();
    return new Int32Array(this.#memory, this.#take(4 * length), length);
  }

  doubles(): Float64Array {
    const length = this.number();
    return new Float64Array(this.#memory, this.#take(8 * length), length);
  }

  #take(bytes: number): number {
    const start = this.#at;
    this.#at += aligned(bytes);
    return start;
  }
}
