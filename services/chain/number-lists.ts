/**
 * Roots of lists of numbers that do not lie in a lane's memory: packed little-endian as SSZ packs
 * List[uintN, limit], then hashed. Signed numbers stand in two's complement.
 */
import { merkleRoot, mixInLength } from "../crypto/merkle.ts";

const CHUNK_BYTES = 32;

/** Bytes of one number: N / 8. */
export type ColumnWidth = 1 | 4 | 8;

/** hash_tree_root of List[uintN, limit]. Numbers MUST fit their width, signed or not. */
export function listRootOf(
  values: readonly (number | bigint)[],
  { width, limit }: { readonly width: ColumnWidth; readonly limit: number },
): Uint8Array {
  const bytes = Math.ceil((width * values.length) / CHUNK_BYTES) * CHUNK_BYTES;
  const chunks = new Uint8Array(bytes);
  const view = new DataView(chunks.buffer);
  values.forEach((value, i) => {
    if (width === 8) view.setBigInt64(8 * i, BigInt(value), true);
    else if (width === 4) view.setUint32(4 * i, Number(value), true);
    else view.setUint8(i, Number(value));
  });
  const chunkLimit = Math.ceil((width * limit) / CHUNK_BYTES);
  return mixInLength(merkleRoot(chunks, chunkLimit), values.length);
}

/** hash_tree_root of one uint64. */
export function uint64Chunk(value: number | bigint): Uint8Array {
  const chunk = new Uint8Array(CHUNK_BYTES);
  new DataView(chunk.buffer).setBigUint64(0, BigInt(value), true);
  return chunk;
}
