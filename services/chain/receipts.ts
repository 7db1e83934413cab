/**
 * A slot's receipts tree: its bills in leaf order, as SSZ List[Bill, 2^17]. Bill roots are hashed
 * from the columns, level by level over many bills at once; `billRoot` (wire) is the slow twin.
 *
 * Columns that are the same on every bill (no forward energy, one price, one slot) make subtrees
 * that are the same on every bill: those are hashed once, which is about half of all hashing.
 */
import { hashPairsInto, sha256 } from "../crypto/hash.ts";
import { merkleDepth, merkleProof, merkleRoot, mixInLength } from "../crypto/merkle.ts";
import { BILL_FIELDS, BILLS_PER_SLOT_MAX } from "../wire/bill.ts";
import type { BillTable } from "../wire/bill-table.ts";
import type { IntegerColumn } from "../wire/integer-column.ts";
import { lengthChunk } from "./receipts-history.ts";

const CHUNK_BYTES = 32;
const CHUNK_WORDS = 8;
const PAIR_WORDS = 2 * CHUNK_WORDS;
/** A container's fields fill up to the next power of two with zero chunks. */
const BILL_DEPTH = merkleDepth(BILL_FIELDS.length);
/** Bills hashed in one go: what a batch touches stays in a core's cache. */
const BATCH_BILLS = 512;
const ZERO_CHUNK = new Uint8Array(CHUNK_BYTES);

/** A node of the bill's tree: one for all bills, or packed, 32 bytes for each of a batch. */
type Node = { readonly same: Uint8Array } | { readonly each: (batch: Batch) => Uint8Array };

type Batch = { readonly from: number; readonly to: number };

/** The roots of the bills, packed: 32 bytes each. */
export function billRoots(bills: BillTable): Uint8Array {
  const roots = new Uint8Array(CHUNK_BYTES * bills.length);
  const columns = BILL_FIELDS.map((field) => bills.column(field));
  const root = bills.length === 0 ? { same: ZERO_CHUNK } : nodeOf(columns, BILL_DEPTH, 0);
  for (let from = 0; from < bills.length; from += BATCH_BILLS) {
    const batch = { from, to: Math.min(from + BATCH_BILLS, bills.length) };
    if ("each" in root) roots.set(root.each(batch), CHUNK_BYTES * from);
    else for (let b = batch.from; b < batch.to; b++) roots.set(root.same, CHUNK_BYTES * b);
  }
  return roots;
}

/** The `index`-th node `depth` levels above the fields, of the tables' bills; depth > 0. */
function nodeOf(columns: readonly IntegerColumn[], depth: number, index: number): Node {
  if (depth === 1) return leafPair(columns, index);
  const left = nodeOf(columns, depth - 1, 2 * index);
  const right = nodeOf(columns, depth - 1, 2 * index + 1);
  if ("same" in left && "same" in right) return { same: sha256(left.same, right.same) };
  const memory = pairsOf(depth, index);
  if ("same" in left) fillSame(memory.words, left.same, 0);
  if ("same" in right) fillSame(memory.words, right.same, CHUNK_WORDS);
  return {
    each(batch) {
      if ("each" in left) interleave(left.each(batch), memory.words, 0);
      if ("each" in right) interleave(right.each(batch), memory.words, CHUNK_WORDS);
      return memory.hash(batch);
    },
  };
}

/** Two fields: each a chunk with its value as 64-bit two's complement, the rest zero. */
function leafPair(columns: readonly IntegerColumn[], index: number): Node {
  const left = columns[2 * index];
  const right = columns[2 * index + 1];
  const isSame = (left?.isUniform ?? true) && (right?.isUniform ?? true);
  const memory = pairsOf(1, index);
  const write = (batch: Batch) => {
    left?.writeWords(memory.words, batch, { start: 0, stride: PAIR_WORDS });
    right?.writeWords(memory.words, batch, { start: CHUNK_WORDS, stride: PAIR_WORDS });
    return memory.hash(batch);
  };
  return isSame ? { same: write({ from: 0, to: 1 }).slice() } : { each: write };
}

/** Memory for a batch of one node: its pairs, and their hashes. */
type Pairs = { readonly words: Int32Array; hash(batch: Batch): Uint8Array };

/** Scratch, by node: a call overwrites all that it reads, and no two calls run at once. */
const scratch = new Map<number, Pairs>();

function pairsOf(depth: number, index: number): Pairs {
  const node = 2 ** (BILL_DEPTH - depth) + index;
  const known = scratch.get(node) ?? createPairs();
  scratch.set(node, known);
  return known;
}

/** What is never written, the upper part of a field's chunk, stays zero. */
function createPairs(): Pairs {
  const words = new Int32Array(PAIR_WORDS * BATCH_BILLS);
  const bytes = new Uint8Array(words.buffer);
  const out = new Uint8Array(CHUNK_BYTES * BATCH_BILLS);
  return {
    words,
    hash({ from, to }) {
      const hashes = out.subarray(0, CHUNK_BYTES * (to - from));
      hashPairsInto(bytes.subarray(0, 2 * hashes.length), hashes);
      return hashes;
    },
  };
}

function fillSame(words: Int32Array, chunk: Uint8Array, start: number): void {
  const source = new Int32Array(chunk.slice().buffer);
  for (let at = start; at < words.length; at += PAIR_WORDS) words.set(source, at);
}

/** Puts packed chunks into every pair, on the side that begins at `start`. */
function interleave(chunks: Uint8Array, words: Int32Array, start: number): void {
  const length = Math.floor(chunks.length / 4);
  const source = new Int32Array(chunks.buffer, chunks.byteOffset, length);
  for (let from = 0, to = start; from < source.length; from += CHUNK_WORDS, to += PAIR_WORDS) {
    for (let w = 0; w < CHUNK_WORDS; w++) words[to + w] = source[from + w]!;
  }
}

/** hash_tree_root of a slot's bills. */
export function receiptsRootOf(bills: BillTable): Uint8Array {
  return mixInLength(merkleRoot(billRoots(bills), BILLS_PER_SLOT_MAX), bills.length);
}

/** Siblings from a bill's root to the receipts root, the length last. */
export function receiptsProofOf(bills: BillTable, index: number): Uint8Array[] {
  const siblings = merkleProof({ chunks: billRoots(bills), index, limit: BILLS_PER_SLOT_MAX });
  return [...siblings, lengthChunk(bills.length)];
}
