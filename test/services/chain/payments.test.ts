/**
 * Method: one payment into another region, block by block, against a table worked by hand and roots
 * by @chainsafe/ssz; every refusal and every limit at its edge; refunds; a restart in the middle.
 */
import {
  ContainerType,
  ListBasicType,
  ListCompositeType,
  UintBigintType,
  UintNumberType,
} from "@chainsafe/ssz";
import { describe, expect, test } from "vitest";
import { OUTBOX_DEPTH } from "../../../services/chain/light-client/paths.ts";
import {
  EMPTY_MESSAGES,
  grownOutbox,
  messageState,
} from "../../../services/chain/message-state.ts";
import { MESSAGE_KIND, rootedMessage } from "../../../services/chain/messages.ts";
import { PAYMENT_ENTRY } from "../../../services/chain/payment-entries.ts";
import { toHex } from "../../../services/primitives/bytes.ts";
import { decode, encode } from "../../../services/primitives/codec.ts";
import { InvariantError } from "../../../services/primitives/errors.ts";
import {
  MESSAGES_PER_BLOCK_MAX,
  MESSAGES_PER_PAIR_MAX,
  PAID_BALANCE_UC_MAX,
  PAYMENT_UC_MAX,
} from "../../../services/primitives/limits.ts";
import {
  OPENING_HEIGHT,
  openingRecords,
  type PaymentChain,
  regionsOf,
  startPayments,
  type Who,
} from "./payment-chain.ts";

const A: Who = [0, 0];
const B: Who = [1, 0];
const C: Who = [0, 1];
const twoRegions = regionsOf([2, 2]);
const two = (opening: Parameters<typeof openingRecords>[1]) =>
  startPayments(twoRegions, openingRecords(twoRegions, opening));

const uint8 = new UintNumberType(1);
const Message = new ContainerType({
  source: new UintNumberType(4),
  destination: new UintNumberType(4),
  seq: new UintBigintType(8),
  kind: uint8,
  payload: new ListBasicType(uint8, 256),
});
const Outbox = new ListCompositeType(Message, 2 ** OUTBOX_DEPTH);

describe("A pays B, in another region, 2.5 of 10 million uc", () => {
  const root = (chain: PaymentChain, path: string) =>
    toHex(chain.app.query({ path, data: new Uint8Array(0) }).value);

  test("block by block", () => {
    const chain = two({ membersUc: [[10_000_000n], [4_000_000n]] });
    const row = () => [
      chain.balanceUc(A),
      chain.neighboursUc(0),
      chain.inFlightUc(),
      chain.neighboursUc(1),
      chain.balanceUc(B),
      chain.messages(1).inbox.length,
    ];
    const h = OPENING_HEIGHT;
    const hashes = [toHex(chain.app.head().appHash)];
    const receipts = root(chain, "lanes/0/receipts-root");
    const empty = toHex(Outbox.hashTreeRoot([]));
    //                       A           N(0)        flight      N(1)         B      inbox
    expect(row()).toEqual([10_000_000n, 0n, 0n, 0n, 4_000_000n, 0]);
    expect(root(chain, "lanes/0/outbox-root")).toBe(empty);

    expect(chain.block(chain.pay(A, B, 2_500_000n))).toEqual(["ok"]);
    expect(row()).toEqual([7_500_000n, 2_500_000n, 2_500_000n, 0n, 4_000_000n, 1]);
    const payload = encode([0, 0, 2_500_000]);
    const message = { source: 0, destination: 1, seq: 1, kind: MESSAGE_KIND.payment, payload };
    expect(chain.messages(1).inbox).toEqual([rootedMessage(message)]);
    const sent = { ...message, seq: 1n, payload: [...payload] };
    expect(root(chain, "lanes/0/outbox-root")).toBe(toHex(Outbox.hashTreeRoot([sent])));
    expect(root(chain, "lanes/1/outbox-root")).toBe(empty);
    hashes.push(toHex(chain.app.head().appHash));

    expect(chain.block()).toEqual([]);
    expect(row()).toEqual([7_500_000n, 2_500_000n, 0n, -2_500_000n, 6_500_000n, 0]);
    // The outbox is the history of all that was sent: it never shrinks.
    expect(root(chain, "lanes/0/outbox-root")).toBe(toHex(Outbox.hashTreeRoot([sent])));
    hashes.push(toHex(chain.app.head().appHash));
    expect(new Set(hashes).size).toBe(3);

    const last = root(chain, "lanes/1/state-root");
    expect(chain.drain()).toBe(0);
    expect(root(chain, "lanes/1/state-root")).toBe(last);
    expect(root(chain, "lanes/0/receipts-root")).toBe(receipts);
    expect(chain.messages(0)).toMatchObject({ sent: [{ region: 1, nextSeq: 2 }], taken: [] });
    expect(chain.messages(1)).toMatchObject({ sent: [], taken: [{ region: 0, nextSeq: 2 }] });

    const places = {
      payer: { regionIndex: 0, memberIndex: 0 },
      payee: { regionIndex: 1, memberIndex: 0 },
    };
    const entry = { ...places, amountUc: 2_500_000n, seq: 1 };
    expect(chain.entries(0, h + 1)!.entries).toEqual([{ kind: PAYMENT_ENTRY.sent, ...entry }]);
    expect(chain.entries(1, h + 2)!.entries).toEqual([{ kind: PAYMENT_ENTRY.received, ...entry }]);
    expect([chain.entries(1, h + 1), chain.entries(0, h + 2)]).toEqual([null, null]);
  });

  test("started again while the money is in flight, it comes to the same", () => {
    const chain = two({ membersUc: [[10_000_000n], [4_000_000n]] });
    chain.block(chain.pay(A, B, 2_500_000n));
    const again = chain.restarted();
    expect(again.inFlightUc()).toBe(2_500_000n);
    expect([again.drain(), chain.drain()]).toEqual([1, 1]);
    expect(again.app.head()).toEqual(chain.app.head());
    expect([...again.stored]).toEqual([...chain.stored]);
  });
});

test("inside a region a payment is two entries, at once", () => {
  const chain = two({ membersUc: [[9n, 1n]] });
  expect(chain.block(chain.pay(A, C, 9n))).toEqual(["ok"]);
  expect([chain.balanceUc(A), chain.balanceUc(C), chain.neighboursUc(0)]).toEqual([0n, 10n, 0n]);
  expect(chain.messages(0)).toEqual(EMPTY_MESSAGES);
  expect(chain.entries(0, OPENING_HEIGHT + 1)!.entries).toMatchObject([
    { kind: PAYMENT_ENTRY.inside, amountUc: 9n, seq: 0 },
  ]);
  expect(chain.drain()).toBe(0);
});

test("what came in the same block may be paid on", () => {
  const chain = two({ membersUc: [[9n, 0n]] });
  expect(chain.block(chain.pay(A, C, 9n), chain.pay(C, B, 9n))).toEqual(["ok", "ok"]);
  chain.drain();
  expect([chain.balanceUc(A), chain.balanceUc(C), chain.balanceUc(B)]).toEqual([0n, 0n, 9n]);
});

const FULL = PAID_BALANCE_UC_MAX;
test.each<[string, Parameters<typeof openingRecords>[1], Who, Who | Uint8Array, bigint, string]>([
  ["nothing", { membersUc: [[5n]] }, A, B, 0n, "payment_invalid"],
  ["all of the balance", { membersUc: [[5n]] }, A, B, 5n, "ok"],
  ["more than the balance", { membersUc: [[5n]] }, A, B, 6n, "balance_insufficient"],
  ["out of nothing", {}, A, B, 1n, "balance_insufficient"],
  ["out of a debt", { membersUc: [[-5n]] }, A, B, 1n, "balance_insufficient"],
  ["the most", { membersUc: [[2n ** 50n]] }, A, B, PAYMENT_UC_MAX, "ok"],
  [
    "more than the most",
    { membersUc: [[2n ** 50n]] },
    A,
    B,
    PAYMENT_UC_MAX + 1n,
    "payment_invalid",
  ],
  ["the widest amount", { membersUc: [[5n]] }, A, B, 2n ** 64n - 1n, "payment_invalid"],
  ["oneself", { membersUc: [[5n]] }, A, A, 1n, "payment_invalid"],
  ["nobody", { membersUc: [[5n]] }, A, new Uint8Array(20), 1n, "payee_unknown"],
  ["nobody nothing", { membersUc: [[5n]] }, A, new Uint8Array(20), 0n, "payment_invalid"],
  ["nobody too much", { membersUc: [[5n]] }, A, new Uint8Array(20), 9n, "payee_unknown"],
  ["a neighbour up to the limit", { membersUc: [[5n, FULL - 5n]] }, A, C, 5n, "ok"],
  ["a neighbour above it", { membersUc: [[5n, FULL - 4n]] }, A, C, 5n, "account_full"],
  [
    "out of a region up to its limit",
    { membersUc: [[5n]], neighboursUc: [FULL - 5n] },
    A,
    B,
    5n,
    "ok",
  ],
  ["above it", { membersUc: [[5n]], neighboursUc: [FULL - 4n] }, A, B, 5n, "account_full"],
])("paying %s", (_, opening, payer, payee, amountUc, code) => {
  const chain = two(opening);
  const before = toHex(chain.app.head().appHash);
  const transaction = chain.pay(payer, payee, amountUc);
  const checked = chain.app.checkTx(transaction);
  expect(chain.block(transaction)).toEqual([code]);
  expect(checked.code === 0).toBe(code === "ok");
  // A refused transaction leaves no trace.
  expect(toHex(chain.app.head().appHash) === before).toBe(code !== "ok");
});

describe("a payment that the payee's region cannot take comes back", () => {
  test.each<[string, Parameters<typeof openingRecords>[1]]>([
    ["the payee's account is full", { membersUc: [[9n], [FULL - 4n]] }],
    [
      "the region owes its neighbours too much",
      { membersUc: [[9n]], neighboursUc: [0n, 4n - FULL] },
    ],
  ])("%s", (_, opening) => {
    const chain = two(opening);
    const start = [chain.balanceUc(B), chain.neighboursUc(1)];
    chain.block(chain.pay(A, B, 5n), chain.pay(A, B, 4n));
    expect([chain.balanceUc(A), chain.inFlightUc()]).toEqual([0n, 9n]);
    chain.block(); // the first comes back, the second fits
    expect(chain.messages(0).inbox).toMatchObject([{ source: 1, destination: 0, seq: 1, kind: 2 }]);
    expect(decode(chain.messages(0).inbox[0]!.payload)).toEqual([0, 0, 5, 1]);
    expect([chain.balanceUc(A), chain.inFlightUc()]).toEqual([0n, 5n]);
    expect(chain.drain()).toBe(1);
    expect([chain.balanceUc(A), chain.inFlightUc()]).toEqual([5n, 0n]);
    expect([chain.balanceUc(B), chain.neighboursUc(1)]).toEqual([start[0]! + 4n, start[1]! - 4n]);
    expect(chain.neighboursUc(0)).toBe(4n);
    const kinds = (r: number, height: number) =>
      chain.entries(r, OPENING_HEIGHT + height)?.entries.map(({ kind, seq }) => [kind, seq]);
    const { sent, received, refunded } = PAYMENT_ENTRY;
    expect(kinds(0, 1)).toEqual([
      [sent, 1],
      [sent, 2],
    ]);
    expect(kinds(1, 2)).toEqual([[received, 2]]);
    expect(kinds(0, 3)).toEqual([[refunded, 1]]);
  });

  test("an account at the limit of payments still takes its refund", () => {
    // The payment is in flight while the payer's account stands at its limit.
    const payload = encode([0, 0, PAYMENT_UC_MAX]);
    const payment = rootedMessage({ source: 0, destination: 1, seq: 1, kind: 1, payload });
    const { outbox } = grownOutbox(EMPTY_MESSAGES.outbox, [payment]);
    const chain = two({
      membersUc: [[FULL], [FULL]],
      neighboursUc: [-FULL, 0n],
      messages: (r) =>
        r === 1
          ? messageState({ ...EMPTY_MESSAGES, inbox: [payment] })
          : messageState({ ...EMPTY_MESSAGES, sent: [{ region: 1, nextSeq: 2 }], outbox }),
    });
    chain.drain();
    expect(chain.balanceUc(A)).toBe(FULL + PAYMENT_UC_MAX);
    expect(chain.neighboursUc(0)).toBe(-FULL - PAYMENT_UC_MAX);
  });
});

describe("room between two regions", () => {
  const many = MESSAGES_PER_PAIR_MAX;
  const threeRegions = regionsOf([1, 1, 1]);
  const three = () =>
    startPayments(
      threeRegions,
      openingRecords(threeRegions, { membersUc: [[1000n], [1000n], [1000n]] }),
    );
  const fill = (chain: PaymentChain) => Array.from({ length: many }, () => chain.pay(A, B, 1n));

  test("the last place is taken, the next message refused, both ways; other pairs are free", () => {
    const chain = three();
    const codes = chain.block(...fill(chain), chain.pay(B, A, 1n), chain.pay([2, 0], B, 1n));
    expect(codes).toEqual([...Array(many).fill("ok"), "receiver_congested", "ok"]);
    const refused = chain.pay(A, B, 1n);
    expect(chain.app.checkTx(refused)).toMatchObject({ code: 34 });
    // A block makes room before its transactions: nothing was lost.
    expect(chain.block(refused)).toEqual(["ok"]);
    chain.drain();
    expect(chain.balanceUc(A)).toBe(1000n - BigInt(many) - 1n);
    expect(chain.balanceUc(B)).toBe(1000n + BigInt(many) + 2n);
  });

  test("a pair full of payments that come back has room for each answer, and for no more", () => {
    const opening = { membersUc: [[1000n], [FULL], [0n]] };
    const chain = startPayments(threeRegions, openingRecords(threeRegions, opening));
    expect(chain.block(...fill(chain))).toEqual(Array(many).fill("ok"));
    expect(chain.block(chain.pay(A, B, 1n))).toEqual(["receiver_congested"]);
    expect(chain.messages(0).inbox).toHaveLength(many);
    expect(chain.drain()).toBe(1);
    expect(chain.balanceUc(A)).toBe(1000n);
  });

  test("a lane consumes so many a block, the next ones in the next", () => {
    const sources = Math.ceil(MESSAGES_PER_BLOCK_MAX / many) + 1;
    const fixture = regionsOf(Array(sources + 1).fill(1));
    const membersUc = Array(sources + 1).fill([1000n]);
    const chain = startPayments(fixture, openingRecords(fixture, { membersUc }));
    // From the highest region down: the order of consumption is not that of arrival in a block.
    const payers = Array.from({ length: sources }, (_, s): Who => [sources - s, 0]);
    const payments = payers.flatMap((payer) =>
      Array.from({ length: many }, () => chain.pay(payer, A, 1n)),
    );
    expect(new Set(chain.block(...payments))).toEqual(new Set(["ok"]));
    const waiting = chain.messages(0).inbox;
    const order = waiting.map(({ source, seq }) => source * 1000 + seq);
    expect(order).toEqual([...order].sort((a, b) => a - b));
    expect(waiting).toHaveLength(sources * many);
    // Region 1 sends once more: its message stands behind those that wait already.
    chain.block(chain.pay([1, 0], A, 1n));
    expect(chain.balanceUc(A)).toBe(1000n + BigInt(MESSAGES_PER_BLOCK_MAX));
    const rest = chain.messages(0).inbox;
    expect(rest).toEqual([...waiting.slice(MESSAGES_PER_BLOCK_MAX), rest.at(-1)]);
    expect(rest.at(-1)).toMatchObject({ source: 1, seq: many + 1 });
    expect(chain.drain()).toBe(1);
    expect(chain.balanceUc(A)).toBe(1000n + BigInt(sources * many) + 1n);
  });
});

test("a message out of turn, and money out of nowhere, stop the block", () => {
  const payload = encode([0, 0, 5n]);
  const start = (seq: number, kind: number) => {
    const message = rootedMessage({ source: 0, destination: 1, seq, kind, payload });
    return two({
      messages: (r) =>
        r === 1 ? messageState({ ...EMPTY_MESSAGES, inbox: [message] }) : EMPTY_MESSAGES,
    });
  };
  expect(() => start(2, MESSAGE_KIND.payment).finalize([])).toThrow(InvariantError);
  expect(() => start(1, 9).finalize([])).toThrow(InvariantError);
  expect(() => start(1, MESSAGE_KIND.payment).finalize([])).not.toThrow();
});
