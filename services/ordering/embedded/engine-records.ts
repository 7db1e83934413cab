/** The engine's own records in the block store, and their bytes. */
import type { TransactionResult } from "../../chain/abci.ts";
import { type CodecValue, decode, encode } from "../../primitives/codec.ts";
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

export function decodeState(bytes: Uint8Array): EngineState | null {
  const fields = decode(bytes);
  if (fields === null) return null;
  const [height, timeS, appHash] = fields as [number, UnixSeconds, Uint8Array];
  return { height, timeS, appHash };
}

export function encodeResponse(response: Response): Uint8Array {
  return encode([response.appHash, response.results.map(({ code, info }) => [code, info])]);
}

export function decodeResponse(bytes: Uint8Array): Response {
  const [appHash, results] = decode(bytes) as [Uint8Array, [number, string][]];
  return { appHash, results: results.map(([code, info]) => ({ code, info })) };
}

export function encodeMeta(meta: Meta): Uint8Array {
  return encode([meta.format, meta.genesisHash]);
}

export function decodeMeta(bytes: Uint8Array): Meta {
  const [format, genesisHash] = decode(bytes) as CodecValue[];
  return { format: format as number, genesisHash: genesisHash as Uint8Array };
}
