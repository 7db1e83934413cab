/** Method: the frozen wire form; then bytes that must not be read, alone and in records. */
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  decodeMessages,
  EMPTY_MESSAGES,
  encodeMessages,
} from "../../../services/chain/message-state.ts";
import {
  decodeMessage,
  encodeMessage,
  MESSAGE_KIND,
  rootedMessage,
} from "../../../services/chain/messages.ts";
import { decodeEntries, encodeEntries } from "../../../services/chain/payment-entries.ts";
import { sealRecord } from "../../../services/chain/sealed-record.ts";
import { entryKey, messagesKey } from "../../../services/chain/store-keys.ts";
import { toHex } from "../../../services/primitives/bytes.ts";
import { type CodecValue, encode } from "../../../services/primitives/codec.ts";
import { GridError, InvariantError } from "../../../services/primitives/errors.ts";
import { MESSAGE_PAYLOAD_BYTES_MAX } from "../../../services/primitives/limits.ts";
import type { MicroCents, UnixSeconds } from "../../../services/primitives/units.ts";

const MESSAGE = {
  source: 3,
  destination: 1,
  seq: 7,
  kind: 1,
  payload: Uint8Array.of(0x83, 0, 1, 2),
};

test("the wire form and the root are frozen: they are consensus", () => {
  expect(MESSAGE_KIND).toEqual({ payment: 1, refund: 2 });
  expect(toHex(encodeMessage(MESSAGE))).toBe("85030107014483000102");
  const { root } = rootedMessage(MESSAGE);
  expect(toHex(root)).toBe(ROOT);
  expect(decodeMessage(encodeMessage(MESSAGE))).toEqual({ ...MESSAGE, root });
});
// As @chainsafe/ssz has it (`roots.test.ts`).
const ROOT = "1dfc0be6b14dbf43da68723b6aa263d4f1d92f8443103264baaf4ba2e4f1946a";

const row = (changed: Partial<Record<keyof typeof MESSAGE, CodecValue>>): CodecValue => {
  const { source, destination, seq, kind, payload } = { ...MESSAGE, ...changed };
  return [source, destination, seq, kind, payload];
};

test.each<[string, CodecValue]>([
  ["no array", 5],
  ["a field too few", [3, 1, 7, 1]],
  ["a field too many", [3, 1, 7, 1, Uint8Array.of(1), 0]],
  ["a region beyond the chain's", row({ source: 1024 })],
  ["a region below 0", row({ destination: -1 })],
  ["a message to oneself", row({ destination: 3 })],
  ["seq 0", row({ seq: 0 })],
  ["a seq that is no number", row({ seq: "7" })],
  ["a kind of nine bits", row({ kind: 256 })],
  ["a payload that is text", row({ payload: "abc" })],
  ["a payload too long", row({ payload: new Uint8Array(MESSAGE_PAYLOAD_BYTES_MAX + 1) })],
])("no message: %s", (_, value) => {
  expect(codeOf(() => decodeMessage(encode(value)))).toBe("bytes_malformed");
  const record = sealRecord(messagesKey(1), [[value], [], [], 0, new Uint8Array(0)]);
  expect(codeOf(() => decodeMessages(1, record))).toBe("database_corrupt");
});

test("the longest payload is a message; a longer one is a bug where it is made", () => {
  const longest = { ...MESSAGE, payload: new Uint8Array(MESSAGE_PAYLOAD_BYTES_MAX) };
  expect(decodeMessage(encodeMessage(longest))).toMatchObject(longest);
  const longer = { ...MESSAGE, payload: new Uint8Array(MESSAGE_PAYLOAD_BYTES_MAX + 1) };
  expect(() => rootedMessage(longer)).toThrow(InvariantError);
});

test.each<[string, CodecValue]>([
  ["no array", 1],
  ["a part too few", [[], [], [], 0]],
  ["a message of another lane", [[row({ destination: 2 })], [], [], 0, new Uint8Array(0)]],
  ["pairs that are none", [[], [[1]], [], 0, new Uint8Array(0)]],
  ["pairs of text", [[], [], [["a", 1]], 0, new Uint8Array(0)]],
  ["an edge too few", [[], [], [], 1, new Uint8Array(0)]],
  ["an edge too many", [[], [], [], 0, new Uint8Array(32)]],
  ["a length below 0", [[], [], [], -1, new Uint8Array(0)]],
  ["a length beyond the outbox", [[], [], [], 2 ** 40 + 1, new Uint8Array(32)]],
])("no messages of a lane: %s", (_, value) => {
  const code = codeOf(() => decodeMessages(1, sealRecord(messagesKey(1), value)));
  expect(code).toBe("database_corrupt");
});

test("any bytes are a message or are refused with a code", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
      try {
        expect(encodeMessage(decodeMessage(bytes))).toEqual(Uint8Array.from(bytes));
      } catch (failure) {
        expect((failure as GridError).code).toBe("bytes_malformed");
      }
    }),
  );
});

test("a lane that never met a message has a record that is empty", () => {
  expect(decodeMessages(1, encodeMessages(1, EMPTY_MESSAGES))).toEqual(EMPTY_MESSAGES);
});

test("a record of entries gives them back, and another form is refused", () => {
  const record = {
    ...{ regionIndex: 2, height: 40, timeS: 1_700_000_000 as UnixSeconds },
    entries: [
      {
        kind: 1 as const,
        payer: { regionIndex: 2, memberIndex: 5 },
        payee: { regionIndex: 0, memberIndex: 65_535 },
        amountUc: (2n ** 46n) as MicroCents,
        seq: 9,
      },
    ],
  };
  const place = { regionIndex: 2, height: 40 };
  expect(decodeEntries(place, encodeEntries(record))).toEqual(record);
  for (const value of [1, [1], [1, 2], ["a", []], [1, [[1]]], [1, [[1, 2, 3, 4, 5, 6, "7"]]]]) {
    const stored = sealRecord(entryKey(2, 40), value as CodecValue);
    expect(codeOf(() => decodeEntries(place, stored))).toBe("database_corrupt");
  }
});

function codeOf(run: () => unknown): string | null {
  try {
    run();
    return null;
  } catch (failure) {
    expect(failure).toBeInstanceOf(GridError);
    return (failure as GridError).code;
  }
}
