/**
 * What lanes say to each other: a message goes from one region to another, and nothing else crosses
 * between lanes outside a slot. Its wire form is canonical CBOR, and its root, a leaf of the
 * sender's outbox and of the receiver's inbox, is the SSZ hash_tree_root of
 *
 *   Message = Container {
 *     source:      uint32          region index
 *     destination: uint32
 *     seq:         uint64          of the pair (source, destination): 1, 2, 3, ...
 *     kind:        uint8           MESSAGE_KIND
 *     payload:     List[uint8, 256]  canonical CBOR; its form is the kind's own
 *   }
 *
 * Safe because a message has one encoding, and because its seq says whether it is the next one.
 */
import { hashPairs } from "../crypto/hash.ts";
import { CHUNK_BYTES, merkleDepth } from "../crypto/merkle.ts";
import { type CodecValue, decode, encode } from "../primitives/codec.ts";
import { assert, GridError } from "../primitives/errors.ts";
import { MESSAGE_PAYLOAD_BYTES_MAX, REGIONS_MAX } from "../primitives/limits.ts";

/** Kinds are consensus: append, never renumber. */
export const MESSAGE_KIND = {
  payment: 1, // asks the destination to credit a member
  refund: 2, // answers a payment that could not be taken; has no answer itself
} as const;

export type MessageFields = {
  readonly source: number;
  readonly destination: number; // another region than the source
  readonly seq: number;
  readonly kind: number; // MESSAGE_KIND
  readonly payload: Uint8Array; // 0 to MESSAGE_PAYLOAD_BYTES_MAX bytes
};
export type Message = MessageFields & { readonly root: Uint8Array };

const FIELDS = 5;
/** Five fields fill up to eight chunks with zeros. */
const MESSAGE_BYTES = CHUNK_BYTES * 2 ** merkleDepth(FIELDS);
/** Messages hashed in one go. */
const BATCH_MESSAGES = 512;
const UINT8_MAX = 255;

export function rootedMessage(fields: MessageFields): Message {
  return rootedMessages([fields])[0]!;
}

/** Messages with their roots, hashed level by level over many at once. */
export function rootedMessages(all: readonly MessageFields[]): Message[] {
  const messages: Message[] = [];
  for (let start = 0; start < all.length; start += BATCH_MESSAGES) {
    const batch = all.slice(start, start + BATCH_MESSAGES);
    const roots = levelled(packFields(batch, payloadRoots(batch)), batch.length);
    batch.forEach(({ source, destination, seq, kind, payload }, m) => {
      const root = roots.slice(CHUNK_BYTES * m, CHUNK_BYTES * (m + 1));
      messages.push({ source, destination, seq, kind, payload, root });
    });
  }
  return messages;
}

/** hash_tree_roots of List[uint8, 256]: bytes as they lie, padded; then each list's length. */
function payloadRoots(batch: readonly MessageFields[]): Uint8Array {
  const chunks = new Uint8Array(MESSAGE_PAYLOAD_BYTES_MAX * batch.length);
  batch.forEach(({ payload }, m) => {
    assert(payload.length <= MESSAGE_PAYLOAD_BYTES_MAX, "a message's payload has its limit");
    chunks.set(payload, MESSAGE_PAYLOAD_BYTES_MAX * m);
  });
  const trees = levelled(chunks, batch.length);
  const pairs = new Uint8Array(2 * trees.length);
  const view = new DataView(pairs.buffer);
  batch.forEach(({ payload }, m) => {
    const at = 2 * CHUNK_BYTES * m;
    pairs.set(trees.subarray(CHUNK_BYTES * m, CHUNK_BYTES * (m + 1)), at);
    view.setUint32(at + CHUNK_BYTES, payload.length, true);
  });
  return hashPairs(pairs);
}

function packFields(batch: readonly MessageFields[], payloads: Uint8Array): Uint8Array {
  const chunks = new Uint8Array(MESSAGE_BYTES * batch.length);
  const view = new DataView(chunks.buffer);
  batch.forEach(({ source, destination, seq, kind }, m) => {
    const at = MESSAGE_BYTES * m;
    view.setUint32(at, source, true);
    view.setUint32(at + CHUNK_BYTES, destination, true);
    view.setBigUint64(at + 2 * CHUNK_BYTES, BigInt(seq), true);
    view.setUint8(at + 3 * CHUNK_BYTES, kind);
    const payload = payloads.subarray(CHUNK_BYTES * m, CHUNK_BYTES * (m + 1));
    chunks.set(payload, at + 4 * CHUNK_BYTES);
  });
  return chunks;
}

/** Roots of `count` trees that lie side by side, each of as many chunks, a power of two. */
function levelled(chunks: Uint8Array, count: number): Uint8Array {
  let level = chunks;
  while (level.length > CHUNK_BYTES * count) level = hashPairs(level);
  return level;
}

/** A message inside a record: the array that its wire form encodes. */
export function messageRow(message: MessageFields): CodecValue {
  const { source, destination, seq, kind, payload } = message;
  return [source, destination, seq, kind, payload];
}

/** The reverse of `messageRow`; null where the value is no message. */
export function messageOfRow(row: CodecValue | undefined): MessageFields | null {
  if (!Array.isArray(row) || row.length !== FIELDS) return null;
  const [source, destination, seq, kind, payload] = row as CodecValue[];
  if (!isWithin(source, 0, REGIONS_MAX - 1) || !isWithin(destination, 0, REGIONS_MAX - 1)) {
    return null;
  }
  if (source === destination || !isWithin(seq, 1, Number.MAX_SAFE_INTEGER)) return null;
  if (!isWithin(kind, 0, UINT8_MAX) || !(payload instanceof Uint8Array)) return null;
  if (payload.length > MESSAGE_PAYLOAD_BYTES_MAX) return null;
  return { source, destination, seq, kind, payload: payload.slice() };
}

/** The wire form. */
export function encodeMessage(message: MessageFields): Uint8Array {
  return encode(messageRow(message));
}

/** @throws GridError bytes_malformed */
export function decodeMessage(bytes: Uint8Array): Message {
  const message = messageOfRow(decode(bytes));
  if (message !== null) return rootedMessage(message);
  throw new GridError("bytes_malformed", "not a message between lanes", {
    what: "message",
    offset: 0,
  });
}

function isWithin(value: CodecValue | undefined, min: number, max: number): value is number {
  return Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max;
}

const payloadChunks = Math.floor(MESSAGE_PAYLOAD_BYTES_MAX / CHUNK_BYTES);
assert(payloadChunks * CHUNK_BYTES === MESSAGE_PAYLOAD_BYTES_MAX, "a payload is whole chunks");
assert(2 ** merkleDepth(payloadChunks) === payloadChunks, "a payload's tree is full");
