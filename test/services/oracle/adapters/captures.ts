/** The captures of real meters, read in place; absent on machines that do not have them. */
import { existsSync, readFileSync } from "node:fs";
import { GridError } from "../../../../services/primitives/errors.ts";

export const METERING = "../shared/data/metering";
export const hasCaptures = existsSync(METERING);
if (!hasCaptures) process.stdout.write(`skipped: ${METERING} is absent\n`);

export function capture(path: string): Uint8Array {
  return Uint8Array.from(readFileSync(`${METERING}/${path}`));
}

export function captureJson<Value>(path: string): Value {
  return JSON.parse(readFileSync(`${METERING}/${path}`, "utf8")) as Value;
}

/** What an adapter says: the value, or the reason of its refusal. Any other throw is a fault. */
export function outcome<Value>(read: () => Value): Value | string {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof GridError) || error.code !== "telegram_refused") throw error;
    return (error.facts as { reason: string }).reason;
  }
}

/** `bytes` with each of its bits flipped in turn. */
export function* bitFlips(bytes: Uint8Array): Generator<Uint8Array> {
  for (let bit = 0; bit < 8 * bytes.length; bit++) {
    const copy = bytes.slice();
    copy[bit >> 3]! ^= 1 << (bit & 7);
    yield copy;
  }
}

/** A stream cut at places that `seed` chooses, one byte to 64 bytes at a time. */
export function* pieces(bytes: Uint8Array, seed: number): Generator<Uint8Array> {
  let state = seed;
  for (let at = 0; at < bytes.length; ) {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    const size = 1 + (state % 64);
    yield bytes.subarray(at, at + size);
    at += size;
  }
}
