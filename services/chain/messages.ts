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
import { merkleRoot } from "../crypto/merkle.ts";
import { concatBytes } from "../primitives/bytes.ts";
import { type CodecValue, decode, encode } from "../primitives/codec.ts";
import { assert, GridError } from "../primitives/errors.ts";
import { MESSAGE_PAYLOAD_BYTES_MAX, REGIONS_MAX } from "../primitives/limits.ts";
import { listRootOf, uint64Chunk } from "./number-lists.ts";

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
const UINT8_MAX = 255;

export function rootedMessage(fields: MessageFields): Message {
  const { source, destination, seq, kind, payload } = fields;
  assert(payload.length <= MESSAGE_PAYLOAD_BYTES_MAX, "a message's payload has its limit");
  const payloadRoot = listRootOf([...payload], { width: 1, limit: MESSAGE_PAYLOAD_BYTES_MAX });
  const numbers = [source, destination, seq, kind].map(uint64Chunk);
  const root = merkleRoot(concatBytes([...numbers, payloadRoot]), FIELDS);
  return { source, destination, seq, kind, payload, root };
}

/** A message inside a record: the array that its wire form encodes. */
export function messageRow(message: MessageFields): CodecValue {
  const { source, destination, seq, kind, payload } = message;
  return [source, destination, seq, kind, payload];
}

/** The reverse of `messageRow`; null where the value is no message. */
export function messageOfRow(row: CodecValue | undefined): Message | null {
  if (!Array.isArray(row) || row.length !== FIELDS) return null;
  const [source, destination, seq, kind, payload] = row as CodecValue[];
  if (!isWithin(source, 0, REGIONS_MAX - 1) || !isWithin(destination, 0, REGIONS_MAX - 1)) {
    return null;
  }
  if (source === destination || !isWithin(seq, 1, Number.MAX_SAFE_INTEGER)) return null;
  if (!isWithin(kind, 0, UINT8_MAX) || !(payload instanceof Uint8Array)) return null;
  if (payload.length > MESSAGE_PAYLOAD_BYTES_MAX) return null;
  return rootedMessage({ source, destination, seq, kind, payload: payload.slice() });
}

/** The wire form. */
export function encodeMessage(message: MessageFields): Uint8Array {
  return encode(messageRow(message));
}

/** @throws GridError bytes_malformed */
export function decodeMessage(bytes: Uint8Array): Message {
  const message = messageOfRow(decode(bytes));
  if (message !== null) return message;
  throw new GridError("bytes_malformed", "not a message between lanes", {
    what: "message",
    offset: 0,
  });
}

function isWithin(value: CodecValue | undefined, min: number, max: number): value is number {
  return Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max;
}
