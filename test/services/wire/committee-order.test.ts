/** Method: there and back for any order; every field out of its range is refused by name. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { bytesEqual, concatBytes, utf8 } from "../../../services/primitives/bytes.ts";
import { type CodecValue, decode, encode } from "../../../services/primitives/codec.ts";
import { GridError } from "../../../services/primitives/errors.ts";
import { CHAIN_VERSION_MAX, REGIONS_MAX } from "../../../services/primitives/limits.ts";
import {
  type CommitteeAct,
  type CommitteeOrder,
  committeeOrderStatement,
  decodeCommitteeOrder,
  decodeCommitteeOrderTransaction,
  encodeCommitteeOrder,
  encodeCommitteeOrderTransaction,
} from "../../../services/wire/committee-order.ts";
import { reportStatement } from "../../../services/wire/report.ts";
import { sampleCommitteeOrders, sampleOrderCertificate } from "./samples.ts";

const anyAct: fc.Arbitrary<CommitteeAct> = fc.oneof(
  fc.record({ kind: fc.constant("release" as const), regionIndex: fc.nat(REGIONS_MAX - 1) }),
  fc.record({
    kind: fc.constant("upgrade" as const),
    version: fc.integer({ min: 1, max: CHAIN_VERSION_MAX }),
    height: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
  }),
);
const anyOrder: fc.Arbitrary<CommitteeOrder> = fc.record({
  configDigest: fc.uint8Array({ minLength: 32, maxLength: 32 }),
  sequence: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
  act: anyAct,
});

test("any order comes back, in its transaction too", () => {
  fc.assert(
    fc.property(anyOrder, (order) => {
      const orderBytes = encodeCommitteeOrder(order);
      expect(decodeCommitteeOrder(orderBytes)).toEqual(order);
      const certificate = { signers: 0xffff_ffff, signature: new Uint8Array(96).fill(7) };
      const bytes = encodeCommitteeOrderTransaction({ orderBytes, certificate });
      expect(bytes[0]).toBe(0x68);
      expect(decodeCommitteeOrderTransaction(bytes)).toEqual({ order, orderBytes, certificate });
    }),
  );
});

test("what is signed is no report's statement, whatever the bytes", () => {
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => {
      const statement = committeeOrderStatement(bytes);
      expect(statement).toHaveLength(utf8("gridlane/committee-order/v1").length + 32);
      expect(bytesEqual(statement, reportStatement(bytes))).toBe(false);
    }),
  );
});

const [release, upgrade] = sampleCommitteeOrders() as [CommitteeOrder, CommitteeOrder];

test.each<[string, readonly CodecValue[]]>([
  ["fields", [release.configDigest, 1]],
  ["fields", [release.configDigest, 1, [1, 3], 0]],
  ["configDigest", [release.configDigest.subarray(1), 1, [1, 3]]],
  ["configDigest", ["x", 1, [1, 3]]],
  ["sequence", [release.configDigest, 0, [1, 3]]],
  ["sequence", [release.configDigest, -1, [1, 3]]],
  ["sequence", [release.configDigest, 2n ** 60n, [1, 3]]],
  ["act", [release.configDigest, 1, 1]],
  ["act", [release.configDigest, 1, []]],
  ["act", [release.configDigest, 1, [0, 3]]],
  ["act", [release.configDigest, 1, [3, 3]]],
  ["act", [release.configDigest, 1, [1]]],
  ["act", [release.configDigest, 1, [1, 3, 4]]],
  ["act", [release.configDigest, 1, [2, 3]]],
  ["regionIndex", [release.configDigest, 1, [1, -1]]],
  ["regionIndex", [release.configDigest, 1, [1, REGIONS_MAX]]],
  ["version", [release.configDigest, 1, [2, 0, 1]]],
  ["version", [release.configDigest, 1, [2, CHAIN_VERSION_MAX + 1, 1]]],
  ["height", [release.configDigest, 1, [2, 2, 0]]],
  ["height", [release.configDigest, 1, [2, 2, "9"]]],
])("an order with a wrong %s is refused", (what, fields) => {
  expect(() => decodeCommitteeOrder(encode(fields))).toThrow(`not a committee order: ${what}`);
});

test("a transaction with a wrong part, and any cut or flipped byte, is refused or another", () => {
  const orderBytes = encodeCommitteeOrder(upgrade);
  const certificate = sampleOrderCertificate(orderBytes);
  const bytes = encodeCommitteeOrderTransaction({ orderBytes, certificate });
  const body = decode(bytes.subarray(1)) as CodecValue[];
  const withBody = (...parts: CodecValue[]) => concatBytes([Uint8Array.of(0x68), encode(parts)]);
  const wrong: [string, Uint8Array][] = [
    ["type", concatBytes([Uint8Array.of(0x67), bytes.subarray(1)])],
    ["envelope", withBody(body[0]!, body[1]!)],
    ["order", withBody(1, body[1]!, body[2]!)],
    ["signers", withBody(body[0]!, 2 ** 32, body[2]!)],
    ["signature", withBody(body[0]!, body[1]!, new Uint8Array(95))],
  ];
  for (const [what, changed] of wrong) {
    expect(() => decodeCommitteeOrderTransaction(changed)).toThrow(`committee order: ${what}`);
  }
  for (let at = 0; at < bytes.length; at++) {
    expect(() => decodeCommitteeOrderTransaction(bytes.slice(0, at))).toThrow(GridError);
    const flipped = bytes.slice();
    flipped[at]! ^= 1;
    try {
      const read = decodeCommitteeOrderTransaction(flipped);
      expect(encodeCommitteeOrderTransaction(read)).toEqual(flipped);
      expect(read).not.toEqual({ order: upgrade, orderBytes, certificate });
    } catch (failure) {
      expect(failure).toBeInstanceOf(GridError);
    }
  }
});
