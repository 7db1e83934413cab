/** The engine's own records in the block store, and their bytes. */
import type { TransactionResult } from "../../chain/abci.ts";
import { type CodecValue, decode, encode } from "../../primitives/codec.ts";
import { GridError } from "../../primitives/errors.ts";
import type { UnixSeconds } from "../../primitives/units.ts";

/** What the engine last committed: T in the handshake table. */
export type EngineState = {
  readonly height: number; // 0 before block 1
  readonly timeS: UnixSeconds;
  readonly appHash: Uint8Array; // 32 B, after `height`
};

/** What `finalizeBlock` answered, as far as a replay needs it. */
export type Response = {
  readonly appHash: Uint8Array;
  readonly results: readonly TransactionResult[];
};

export type Meta = { readonly format: number; readonly genesisHash: Uint8Array };

export function encodeState(state: EngineState | null): Uint8Array {
  return encode(state === null ? null : [state.height, state.timeS, state.appHash]);
}

/** @throws GridError bytes_malformed */
export function decodeState(bytes: Uint8Array): EngineState | null {
  const value = decode(bytes);
  if (value === null) return null;
  const [height, timeS, appHash] = list(value, 3, "engine state");
  if (!isWhole(height) || !isWhole(timeS) || !(appHash instanceof Uint8Array)) {
    return fail("engine state");
  }
  return { height, timeS: timeS as UnixSeconds, appHash };
}

/** A rebuild under way: where it began, and the state that it must reach again. */
export type Rebuild = {
  readonly from: number; // height of the snapshot; 0: block 1 is the first to be executed
  readonly target: EngineState | null; // null where it was not readable
};

export function encodeRebuild({ from, target }: Rebuild): Uint8Array {
  return encode([from, encodeState(target)]);
}

/** @throws GridError bytes_malformed */
export function decodeRebuild(bytes: Uint8Array): Rebuild {
  const [from, target] = list(decode(bytes), 2, "rebuild");
  if (!isWhole(from) || !(target instanceof Uint8Array)) return fail("rebuild");
  return { from, target: decodeState(target) };
}

export function encodeResponse(response: Response): Uint8Array {
  return encode([response.appHash, response.results.map(({ code, info }) => [code, info])]);
}

/** @throws GridError bytes_malformed */
export function decodeResponse(bytes: Uint8Array): Response {
  const [appHash, results] = list(decode(bytes), 2, "response");
  if (!(appHash instanceof Uint8Array) || !Array.isArray(results)) return fail("response");
  return {
    appHash,
    results: results.map((result: CodecValue) => {
      const [code, info] = list(result, 2, "response");
      if (!isWhole(code) || typeof info !== "string") return fail("response");
      return { code, info };
    }),
  };
}

export function encodeMeta(meta: Meta): Uint8Array {
  return encode([meta.format, meta.genesisHash]);
}

/** @throws GridError bytes_malformed */
export function decodeMeta(bytes: Uint8Array): Meta {
  const [format, genesisHash] = list(decode(bytes), 2, "store's format");
  if (!isWhole(format) || !(genesisHash instanceof Uint8Array)) return fail("store's format");
  return { format, genesisHash };
}

function list(value: CodecValue, length: number, what: string): CodecValue[] {
  if (!Array.isArray(value) || value.length !== length) return fail(what);
  return value as CodecValue[];
}

function isWhole(value: CodecValue | undefined): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function fail(what: string): never {
  throw new GridError("bytes_malformed", `not a ${what}`, { what, offset: 0 });
}
