/**
 * The post of one block: takes from inboxes what earlier blocks sent, holds back what this block
 * sends, and puts it into the inboxes when the block is sealed. So a message is consumed one block
 * after it was sent at the earliest, whatever order lanes run in.
 *
 * An inbox is a queue: what one block sent stands in the order of (source, seq), behind what
 * earlier blocks sent. So pairs stay in order, and no region of a low number keeps others waiting.
 *
 * Room is counted per pair of regions, both ways together. A message may be answered by one the
 * other way, which takes its place: so whoever sends has room for the answer as well, and an answer
 * never has to be refused.
 */
import { assert } from "../primitives/errors.ts";
import { MESSAGES_PER_BLOCK_MAX, MESSAGES_PER_PAIR_MAX } from "../primitives/limits.ts";
import { grownOutbox, type MessageState, messageState, type PairSeq } from "./message-state.ts";
import { type Message, type MessageFields, rootedMessages } from "./messages.ts";

export type RegionPair = { readonly source: number; readonly destination: number };

export type PostReader = {
  /** Messages between the two regions that nobody has consumed yet, both ways together. */
  inFlight(pair: RegionPair): number;
};

export type Post = PostReader & {
  /** What the lane consumes in this block, in order. Asked once a block. */
  collect(regionIndex: number): readonly Message[];
  /** The pair MUST have room, or the message answer one that was collected in this block. */
  send(message: Omit<MessageFields, "seq">): MessageFields;
  /** The lanes whose messages changed, rising; ends the post. */
  seal(): ReadonlyMap<number, MessageState>;
};

/** The post between blocks. */
export function readPost(state: (regionIndex: number) => MessageState): PostReader {
  return {
    inFlight: ({ source, destination }) =>
      waitingFrom(state(destination), source) + waitingFrom(state(source), destination),
  };
}

/** Messages in an inbox by source; a state never changes, so its counts serve on. */
const counted = new WeakMap<MessageState, ReadonlyMap<number, number>>();

function waitingFrom(state: MessageState, source: number): number {
  let counts = counted.get(state);
  if (counts === undefined) {
    const bySource = new Map<number, number>();
    for (const message of state.inbox) {
      bySource.set(message.source, (bySource.get(message.source) ?? 0) + 1);
    }
    counts = bySource;
    counted.set(state, counts);
  }
  return counts.get(source) ?? 0;
}

/** A lane's part of the block. */
type Desk = {
  readonly before: MessageState;
  readonly sentSeq: Map<number, number>; // next by destination
  readonly takenSeq: Map<number, number>; // next by source
  readonly outgoing: MessageFields[]; // in the order of sending
  readonly arrivals: Message[]; // put here by `seal`
  consumed: number;
};

export function openPost(states: readonly MessageState[]): Post {
  const before = readPost((r) => states[r]!);
  const desks = new Map<number, Desk>();
  const change = new Map<string, number>(); // of messages in flight, by pair
  const deskOf = (regionIndex: number): Desk => {
    const known = desks.get(regionIndex) ?? openDesk(states[regionIndex]!);
    desks.set(regionIndex, known);
    return known;
  };
  const inFlight = (pair: RegionPair) => before.inFlight(pair) + (change.get(nameOf(pair)) ?? 0);
  const count = (pair: RegionPair, by: number) => {
    change.set(nameOf(pair), (change.get(nameOf(pair)) ?? 0) + by);
  };
  return {
    inFlight,
    collect(regionIndex) {
      const waiting = states[regionIndex]!.inbox;
      if (waiting.length === 0) return waiting;
      const desk = deskOf(regionIndex);
      assert(desk.consumed === 0, "a lane collects once a block");
      const collected = waiting.slice(0, MESSAGES_PER_BLOCK_MAX);
      for (const message of collected) {
        const nextSeq = desk.takenSeq.get(message.source) ?? 1;
        assert(message.destination === regionIndex, "a message waits where it was sent to");
        assert(message.seq === nextSeq, "each message is consumed once, in order");
        desk.takenSeq.set(message.source, nextSeq + 1);
        count(message, -1);
      }
      desk.consumed = collected.length;
      return collected;
    },
    send(fields) {
      const { source, destination } = fields;
      assert(source !== destination, "a message goes to another region");
      assert(inFlight(fields) < MESSAGES_PER_PAIR_MAX, "a message is sent where there is room");
      const desk = deskOf(source);
      const seq = desk.sentSeq.get(destination) ?? 1;
      const message = { ...fields, seq };
      desk.sentSeq.set(destination, seq + 1);
      desk.outgoing.push(message);
      count(message, 1);
      return message;
    },
    seal() {
      const rising = (of: ReadonlyMap<number, Desk>) => [...of].sort(([a], [b]) => a - b);
      const sent = new Map<number, readonly Message[]>();
      for (const [r, { outgoing }] of rising(desks)) {
        const messages = rootedMessages(outgoing);
        for (const message of messages) deskOf(message.destination).arrivals.push(message);
        sent.set(r, messages);
      }
      return new Map(rising(desks).map(([r, desk]) => [r, sealDesk(desk, sent.get(r) ?? [])]));
    },
  };
}

function openDesk(before: MessageState): Desk {
  const seqs = (pairs: readonly PairSeq[]) =>
    new Map(pairs.map(({ region, nextSeq }) => [region, nextSeq]));
  return {
    before,
    sentSeq: seqs(before.sent),
    takenSeq: seqs(before.taken),
    outgoing: [],
    arrivals: [],
    consumed: 0,
  };
}

function sealDesk(
  { before, sentSeq, takenSeq, arrivals, consumed }: Desk,
  sent: readonly Message[],
): MessageState {
  const pairs = (seqs: ReadonlyMap<number, number>) =>
    [...seqs].map(([region, nextSeq]) => ({ region, nextSeq })).sort((a, b) => a.region - b.region);
  return messageState({
    inbox: [...before.inbox.slice(consumed), ...arrivals],
    sent: pairs(sentSeq),
    taken: pairs(takenSeq),
    outbox: grownOutbox(before.outbox, sent).outbox,
  });
}

function nameOf({ source, destination }: RegionPair): string {
  return source < destination ? `${source}/${destination}` : `${destination}/${source}`;
}
