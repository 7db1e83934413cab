/** Method: worked keys, then order and freedom of prefixes as properties. */
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  admissionKey,
  entryKey,
  entryKeys,
  entryOf,
  forwardKey,
  HEAD_KEY,
  isStateKey,
  laneKey,
  messagesKey,
  pendingKey,
  pendingOf,
  placeOfKey,
  proofKey,
  STATE_KEYS,
  slotKey,
  slotKeys,
} from "../../../services/chain/store-keys.ts";
import { InvariantError } from "../../../services/primitives/errors.ts";
import type { Slot } from "../../../services/primitives/units.ts";

const SLOT = 1_888_896 as Slot;

test("keys are frozen: a store outlives the program", () => {
  expect([
    HEAD_KEY,
    laneKey(7),
    forwardKey(7),
    messagesKey(7),
    admissionKey(1023),
    pendingKey(0, SLOT),
    slotKey(7, SLOT),
    proofKey(7, SLOT),
    entryKey(7, 4096),
  ]).toEqual([
    "head/last",
    "lane/0007",
    "forward/0007",
    "messages/0007",
    "admission/1023",
    "pending/0000/0000000001888896",
    "slot/0007/0000000001888896",
    "proof/0007/0000000001888896",
    "entry/0007/0000000000004096",
  ]);
});

test("only records that execution needs are state", () => {
  const own = [laneKey(0), forwardKey(0), messagesKey(0), admissionKey(0), pendingKey(0, SLOT)];
  const state = [HEAD_KEY, ...own];
  for (const key of [...state, slotKey(0, SLOT), proofKey(0, SLOT), entryKey(0, 9), "other"]) {
    expect(isStateKey(key)).toBe(state.includes(key));
    const inRange = STATE_KEYS.some(({ gte, lt }) => key >= gte && key < lt);
    expect(inRange).toBe(state.includes(key));
  }
});

test("a region or slot out of range is a bug", () => {
  for (const index of [-1, 0.5, 1024]) expect(() => laneKey(index)).toThrow(InvariantError);
  for (const height of [-1, 0.5]) expect(() => entryKey(0, height)).toThrow(InvariantError);
  for (const slot of [-1, 0.5]) expect(() => slotKey(0, slot as Slot)).toThrow(InvariantError);
});

const region = fc.nat(1023);
const slot = fc.maxSafeNat().map((n) => n as Slot);

test("keys rise with region and slot, and none is a prefix of another", () => {
  fc.assert(
    fc.property(region, slot, region, slot, (r, s, q, t) => {
      for (const key of [slotKey, proofKey, pendingKey]) {
        const [a, b] = [key(r, s), key(q, t)];
        expect(a < b).toBe(r < q || (r === q && s < t));
        if (a !== b) expect(b.startsWith(a)).toBe(false);
      }
      expect(pendingOf(pendingKey(r, s))).toEqual({ regionIndex: r, slot: s });
      expect(pendingOf(slotKey(r, s))).toBeNull();
    }),
  );
});

test("a key says what it names, and nothing else does", () => {
  fc.assert(
    fc.property(region, slot, (r, s) => {
      const place = { regionIndex: r, slot: s };
      expect(placeOfKey(slotKey(r, s))).toEqual({ family: "slot", ...place });
      expect(placeOfKey(proofKey(r, s))).toEqual({ family: "proof", ...place });
      expect(placeOfKey(pendingKey(r, s))).toEqual({ family: "pending", ...place });
      expect(placeOfKey(entryKey(r, s))).toEqual({ family: "entry", ...place, slot: null });
      expect(entryOf(entryKey(r, s))).toEqual({ regionIndex: r, height: s });
      expect(entryOf(slotKey(r, s))).toBeNull();
      expect(placeOfKey(messagesKey(r))).toEqual({ family: "messages", ...place, slot: null });
      expect(placeOfKey(forwardKey(r))).toEqual({ family: "forward", ...place, slot: null });
      expect(placeOfKey(laneKey(r))).toEqual({ family: "lane", ...place, slot: null });
      expect(placeOfKey(admissionKey(r))).toEqual({ family: "admission", ...place, slot: null });
    }),
  );
  for (const key of [HEAD_KEY, "", "lane/7", "lane/0007/", "slot/0007", "other/0007"]) {
    expect(placeOfKey(key)).toBeNull();
  }
});

test("a range of slots holds both its ends and no other region", () => {
  fc.assert(
    fc.property(region, fc.nat(9), fc.nat(9), fc.nat(9), (r, from, to, at) => {
      const range = slotKeys(r, { fromSlot: from as Slot, toSlot: to as Slot });
      const key = slotKey(r, at as Slot);
      expect(key >= range.gte && key < range.lt).toBe(at >= from && at <= to);
      const next = slotKey((r + 1) % 1024, at as Slot);
      expect(next >= range.gte && next < range.lt).toBe(false);
    }),
  );
});

test("a range of entries holds the heights below it and no other region", () => {
  fc.assert(
    fc.property(region, fc.nat(9), fc.nat(9), (r, before, at) => {
      const range = entryKeys(r, { before });
      const key = entryKey(r, at);
      expect(key >= range.gte && key < range.lt).toBe(at < before);
      const next = entryKey((r + 1) % 1024, at);
      expect(next >= range.gte && next < range.lt).toBe(false);
    }),
  );
});
