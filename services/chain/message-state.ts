/**
 * What a lane holds of messages, as a value: those that wait for it, how far each pair has come,
 * and the outbox, the history of all that it ever sent. Its root is the SSZ hash_tree_root of
 *
 *   MessageState = Container {
 *     inbox:        List[Message, 2^16]   not consumed yet, in the order of consumption
 *     sentTo:       List[uint32, 2^10]    regions that it ever sent to, rising
 *     sentNextSeq:  List[uint64, 2^10]    what it sends each of them next
 *     takenFrom:    List[uint32, 2^10]    regions whose messages it ever consumed, rising
 *     takenNextSeq: List[uint64, 2^10]    what it consumes of each of them next
 *   }
 *
 * and the outbox root, beside it in the app hash, is that of List[Message, 2^40]. A region that
 * stands in no list is at 1. @chainsafe/ssz is the oracle of the tests.
 */
import { merkleRoot, mixInLength } from "../crypto/merkle.ts";
import { concatBytes } from "../primitives/bytes.ts";
import type { CodecValue } from "../primitives/codec.ts";
import { INBOX_MESSAGES_MAX, REGIONS_MAX } from "../primitives/limits.ts";
import { OUTBOX_DEPTH } from "./light-client/paths.ts";
import { type Message, messageOfRow, messageRow, rootedMessages } from "./messages.ts";
import { listRootOf } from "./number-lists.ts";
import { growHistory } from "./receipts-history.ts";
import { corruptRecord, openRecord, sealRecord } from "./sealed-record.ts";
import { messagesKey } from "./store-keys.ts";

/** How far a pair has come: the next number to be sent, or to be consumed. */
export type PairSeq = { readonly region: number; readonly nextSeq: number };

/** All messages that a lane ever sent, of which the tree's left edge is kept. */
export type Outbox = {
  readonly length: number;
  readonly frontier: Uint8Array; // OUTBOX_DEPTH nodes; zeros where none counts
};

export type MessageParts = {
  readonly inbox: readonly Message[];
  readonly sent: readonly PairSeq[]; // by region, rising
  readonly taken: readonly PairSeq[];
  readonly outbox: Outbox;
};
/** Immutable. */
export type MessageState = MessageParts & {
  readonly root: Uint8Array;
  readonly outboxRoot: Uint8Array;
};

const NODE_BYTES = 32;
const FIELDS = 5;

export function messageState(parts: MessageParts): MessageState {
  const { inbox, sent, taken } = parts;
  const regions = { width: 4, limit: REGIONS_MAX } as const;
  const seqs = { width: 8, limit: REGIONS_MAX } as const;
  const waiting = merkleRoot(concatBytes(inbox.map(({ root }) => root)), INBOX_MESSAGES_MAX);
  const chunks = concatBytes([
    mixInLength(waiting, inbox.length),
    ...[sent, taken].flatMap((pairs) => [
      listRootOf(
        pairs.map(({ region }) => region),
        regions,
      ),
      listRootOf(
        pairs.map(({ nextSeq }) => nextSeq),
        seqs,
      ),
    ]),
  ]);
  const outboxRoot = grownOutbox(parts.outbox, []).root;
  return { ...parts, root: merkleRoot(chunks, FIELDS), outboxRoot };
}

/** The outbox with messages appended, and its root. */
export function grownOutbox(
  outbox: Outbox,
  messages: readonly Message[],
): { readonly outbox: Outbox; readonly root: Uint8Array } {
  const frontier = outbox.frontier.slice();
  const leaves = messages.map(({ root }) => root);
  const { root } = growHistory({ frontier, length: outbox.length, leaves });
  const length = outbox.length + messages.length;
  // What no longer counts goes, so that the root vouches for every byte that is kept.
  for (let d = 0; d < OUTBOX_DEPTH; d++) {
    if (!counts(length, d)) frontier.fill(0, NODE_BYTES * d, NODE_BYTES * (d + 1));
  }
  return { outbox: { length, frontier }, root };
}

/** Whether the edge of depth d is part of a tree of so many leaves. */
function counts(length: number, d: number): boolean {
  return Math.floor(length / 2 ** d) % 2 === 1;
}

/** A lane that has never met a message. */
export const EMPTY_MESSAGES: MessageState = messageState({
  inbox: [],
  sent: [],
  taken: [],
  outbox: { length: 0, frontier: new Uint8Array(NODE_BYTES * OUTBOX_DEPTH) },
});

/** All of it in one sealed record, rows as arrays; of the frontier only what counts. */
export function encodeMessages(regionIndex: number, state: MessageState): Uint8Array {
  const { inbox, sent, taken, outbox } = state;
  const rows = (pairs: readonly PairSeq[]) => pairs.map(({ region, nextSeq }) => [region, nextSeq]);
  const edges = Array.from({ length: OUTBOX_DEPTH }, (_, d) => {
    return counts(outbox.length, d) ? edgeOf(outbox, d) : new Uint8Array(0);
  });
  return sealRecord(messagesKey(regionIndex), [
    inbox.map(messageRow),
    rows(sent),
    rows(taken),
    outbox.length,
    concatBytes(edges),
  ]);
}

function edgeOf({ frontier }: Outbox, d: number): Uint8Array {
  return frontier.subarray(NODE_BYTES * d, NODE_BYTES * (d + 1));
}

/**
 * Form only: that the rows are the ones committed is shown by the app hash.
 *
 * @throws GridError database_corrupt
 */
export function decodeMessages(regionIndex: number, stored: Uint8Array): MessageState {
  const key = messagesKey(regionIndex);
  const fields = openRecord(key, stored);
  const refuse = () => corruptRecord(key, "holds no messages");
  if (!Array.isArray(fields) || fields.length !== 5) return refuse();
  const [inboxRows, sentRows, takenRows, length, edges] = fields as readonly CodecValue[];
  if (!Array.isArray(inboxRows) || inboxRows.length > INBOX_MESSAGES_MAX) return refuse();
  const inbox = rootedMessages(inboxRows.map((row: CodecValue) => messageOfRow(row) ?? refuse()));
  if (inbox.some(({ destination }) => destination !== regionIndex)) return refuse();
  const outbox = outboxOf(length, edges) ?? refuse();
  const sent = pairsOf(sentRows) ?? refuse();
  const taken = pairsOf(takenRows) ?? refuse();
  return messageState({ inbox, sent, taken, outbox });
}

function pairsOf(rows: CodecValue | undefined): PairSeq[] | null {
  if (!Array.isArray(rows) || rows.length > REGIONS_MAX) return null;
  const pairs: PairSeq[] = [];
  for (const row of rows as CodecValue[]) {
    const [region, nextSeq] = Array.isArray(row) && row.length === 2 ? row : [];
    if (!Number.isSafeInteger(region) || !Number.isSafeInteger(nextSeq)) return null;
    pairs.push({ region, nextSeq });
  }
  return pairs;
}

function outboxOf(length: CodecValue | undefined, edges: CodecValue | undefined): Outbox | null {
  if (!Number.isSafeInteger(length) || !(edges instanceof Uint8Array)) return null;
  const frontier = new Uint8Array(NODE_BYTES * OUTBOX_DEPTH);
  let at = 0;
  for (let d = 0; d < OUTBOX_DEPTH; d++) {
    if (!counts(length as number, d)) continue;
    frontier.set(edges.subarray(at, at + NODE_BYTES), NODE_BYTES * d);
    at += NODE_BYTES;
  }
  const isWhole = at === edges.length && (length as number) >= 0;
  return isWhole && (length as number) <= 2 ** OUTBOX_DEPTH
    ? { length: length as number, frontier }
    : null;
}
