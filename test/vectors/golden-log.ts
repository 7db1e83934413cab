/**
 * A golden log: genesis and every block of a small chain as one file, with what each block came to.
 * Frozen with a release, it must replay to the same bytes on every later one.
 *
 *   [form, genesis as JSON, blocks]
 *   block = [signed header, body, app hash, codes, [[region, slot, receipts root]]]
 */

import type { StoredBlock } from "../../services/chain/access.ts";
import {
  decodeBody,
  decodeSignedHeader,
  encodeBody,
  encodeSignedHeader,
} from "../../services/ordering/embedded/block.ts";
import { type CodecValue, decode, encode } from "../../services/primitives/codec.ts";
import { Genesis } from "../../services/wire/genesis.ts";

export const GOLDEN_LOG_FILE = "chain-version-1.log.cbor";
const FORM = 1;

export type GoldenBlock = {
  readonly block: StoredBlock;
  readonly appHash: Uint8Array; // after it
  readonly codes: readonly number[]; // by transaction
  readonly receipts: readonly {
    readonly regionIndex: number;
    readonly slot: number;
    readonly root: Uint8Array;
  }[]; // what it cleared
};

export type GoldenLog = { readonly genesis: Genesis; readonly blocks: readonly GoldenBlock[] };

export function encodeGoldenLog({ genesis, blocks }: GoldenLog): Uint8Array {
  const items = blocks.map(({ block, appHash, codes, receipts }) => [
    encodeSignedHeader(block),
    encodeBody(block.transactions),
    appHash,
    codes,
    receipts.map(({ regionIndex, slot, root }) => [regionIndex, slot, root]),
  ]);
  return encode([FORM, JSON.stringify(genesis), items]);
}

export function decodeGoldenLog(bytes: Uint8Array): GoldenLog {
  const [form, genesis, items] = decode(bytes) as [number, string, CodecValue[][]];
  if (form !== FORM) throw new Error(`golden log of form ${form}`);
  const blocks = items.map((item) => {
    const [header, body, appHash, codes, receipts] = item as [
      Uint8Array,
      Uint8Array,
      Uint8Array,
      number[],
      [number, number, Uint8Array][],
    ];
    const block = { ...decodeSignedHeader(header), transactions: decodeBody(body) };
    return {
      ...{ block, appHash, codes },
      receipts: receipts.map(([regionIndex, slot, root]) => ({ regionIndex, slot, root })),
    };
  });
  return { genesis: Genesis.parse(JSON.parse(genesis)), blocks };
}
