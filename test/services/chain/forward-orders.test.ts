/**
 * Method: each refusal of a forward order at its edge, by time, terms and room; the limits of slot
 * and region on books filled to the brim; then the book against a plain list of rows.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { openForwardBook } from "../../../services/chain/forward-book.ts";
import { cancelRefusal, placeRefusal } from "../../../services/chain/forward-orders.ts";
import {
  EMPTY_FORWARD,
  type ForwardOrder,
  type ForwardState,
  rootedForward,
} from "../../../services/chain/forward-state.ts";
import { createRules } from "../../../services/chain/rules.ts";
import {
  FORWARD_ORDERS_PER_MEMBER_MAX,
  FORWARD_ORDERS_PER_REGION_MAX,
  FORWARD_ORDERS_PER_SLOT_MAX,
  FORWARD_SLOTS_MAX,
  PRICE_UC_PER_WH_MAX,
  SLOT_ENERGY_WH_MAX,
} from "../../../services/primitives/limits.ts";
import type { Slot, UnixSeconds } from "../../../services/primitives/units.ts";
import type { PlaceOrder } from "../../../services/wire/forward-order.ts";
import { createMarketFixture } from "../../support/market-fixture.ts";

const fixture = createMarketFixture({
  label: "forward orders",
  regions: [
    {
      id: "east",
      limits: [undefined, undefined, undefined],
      meters: [
        { role: "grid", memberIndex: 0 },
        { role: "grid", memberIndex: 1 },
        { role: "production", memberIndex: 2 },
      ],
    },
  ],
});
const rules = createRules(fixture.genesis);
const first = fixture.slotAtIndex(0);
const genesisS = fixture.genesis.genesisTimeS as UnixSeconds;
const good: PlaceOrder = { slot: first + 5, side: 0, limitUcPerWh: 20_000, energyWh: 100 };

type At = {
  readonly state?: ForwardState;
  readonly timeS?: UnixSeconds | null;
  readonly notBeforeS?: number;
  readonly memberIndex?: number;
  readonly nextToClear?: Slot;
};

function judge({ state, timeS, notBeforeS, memberIndex, nextToClear }: At) {
  return {
    rules,
    book: openForwardBook(state ?? EMPTY_FORWARD),
    place: { regionIndex: 0, memberIndex: memberIndex ?? 0 },
    nextToClear: nextToClear ?? first,
    timeS: timeS === undefined ? genesisS : timeS,
    notBeforeS: (notBeforeS ?? timeS ?? genesisS) as UnixSeconds,
  };
}
const codeOf = (order: Partial<PlaceOrder>, at: At = {}) =>
  placeRefusal(judge(at), { ...good, ...order })?.code ?? "ok";

function rows(count: number, slotOf: (i: number) => number): ForwardOrder[] {
  return Array.from({ length: count }, (_, i) => ({
    id: i + 1,
    slot: slotOf(i) as Slot,
    memberIndex: 1,
    side: 1 as const,
    limitUcPerWh: 9_000,
    energyWh: 10,
  }));
}
const full = (orders: readonly ForwardOrder[]) =>
  rootedForward({ ...EMPTY_FORWARD, nextOrderId: orders.length + 1, orders });

describe("time", () => {
  const startS = (first + 5) * 900;
  test.each([
    ["ok", startS - 901],
    ["gate_closed", startS - 900],
    ["gate_closed", startS + 9_000],
    ["ok", startS - 86_400],
    ["slot_beyond_horizon", startS - 86_401],
  ])("%s at %i", (code, timeS) => {
    expect(codeOf({}, { timeS: timeS as UnixSeconds })).toBe(code);
  });

  test("the mempool refuses what is closed for good, and leaves the horizon to the block", () => {
    expect(codeOf({}, { timeS: null, notBeforeS: startS - 900 })).toBe("gate_closed");
    expect(codeOf({}, { timeS: null, notBeforeS: startS - 90_000 })).toBe("ok");
  });

  test("before genesis there is no slot, however early the block", () => {
    const timeS = (genesisS - 5_000) as UnixSeconds;
    expect(codeOf({ slot: first - 1 }, { timeS })).toBe("gate_closed");
    expect(codeOf({ slot: first }, { timeS })).toBe("ok");
  });

  test("slots that wait for reports are bounded, whatever the time", () => {
    const slot = first + FORWARD_SLOTS_MAX;
    const timeS = (slot * 900 - 2_000) as UnixSeconds;
    expect(codeOf({ slot }, { timeS })).toBe("slot_beyond_horizon");
    expect(codeOf({ slot }, { timeS, nextToClear: (first + 1) as Slot })).toBe("ok");
  });
});

test.each<[string, Partial<PlaceOrder>]>([
  ["ok", { side: 1 }],
  ["order_invalid", { side: 2 }],
  ["order_invalid", { energyWh: 0 }],
  ["ok", { energyWh: SLOT_ENERGY_WH_MAX }],
  ["order_invalid", { energyWh: SLOT_ENERGY_WH_MAX + 1 }],
  ["order_invalid", { energyWh: 2 ** 64 }],
  ["ok", { limitUcPerWh: -PRICE_UC_PER_WH_MAX }],
  ["order_invalid", { limitUcPerWh: PRICE_UC_PER_WH_MAX + 1 }],
  ["order_invalid", { limitUcPerWh: -PRICE_UC_PER_WH_MAX - 1 }],
])("terms: %s for %o", (code, order) => {
  expect(codeOf(order)).toBe(code);
});

test("who has no grid meter cannot deliver, and so cannot trade", () => {
  expect(codeOf({}, { memberIndex: 2 })).toBe("order_invalid");
});

describe("room", () => {
  test("of a member in a slot", () => {
    const state = full(rows(FORWARD_ORDERS_PER_MEMBER_MAX, () => good.slot));
    expect(codeOf({}, { state, memberIndex: 1 })).toBe("orders_full");
    expect(codeOf({}, { state, memberIndex: 0 })).toBe("ok");
    expect(codeOf({ slot: good.slot + 1 }, { state, memberIndex: 1 })).toBe("ok");
    const less = full(rows(FORWARD_ORDERS_PER_MEMBER_MAX - 1, () => good.slot));
    expect(codeOf({}, { state: less, memberIndex: 1 })).toBe("ok");
  });

  test("of a slot", () => {
    const state = full(rows(FORWARD_ORDERS_PER_SLOT_MAX, () => good.slot));
    expect(codeOf({}, { state })).toBe("orders_full");
    expect(codeOf({ slot: good.slot + 1 }, { state })).toBe("ok");
  });

  test("of a region, positions included", () => {
    const slotOf = (i: number) => first + 10 + (i % 60);
    const orders = rows(FORWARD_ORDERS_PER_REGION_MAX - 1, slotOf);
    expect(codeOf({}, { state: full(orders) })).toBe("ok");
    const slot = (first + 2) as Slot;
    const state = rootedForward({
      ...full(orders),
      auctions: [{ slot, priceUcPerWh: 1 }],
      positions: [{ slot, memberIndex: 0, boughtWh: 1, soldWh: 0 }],
    });
    expect(codeOf({}, { state })).toBe("orders_full");
  });
});

test("only the owner cancels, only in the order's slot, only before the gate", () => {
  const state = full(rows(2, () => good.slot));
  const code = (orderId: number, slot: number, at: At = {}) =>
    cancelRefusal(judge({ state, memberIndex: 1, ...at }), { slot, orderId })?.code ?? "ok";
  expect(code(2, good.slot)).toBe("ok");
  expect(code(3, good.slot)).toBe("order_unknown");
  expect(code(2, good.slot + 1)).toBe("order_unknown");
  expect(code(2, good.slot, { memberIndex: 0 })).toBe("order_unknown");
  expect(code(2, good.slot, { timeS: ((good.slot - 1) * 900) as UnixSeconds })).toBe("gate_closed");
  expect(code(2 ** 64, good.slot)).toBe("order_unknown");
});

test("the book is its rows: placing, cancelling and closing in any order", () => {
  const steps = fc.array(
    fc.record({ kind: fc.nat(5), member: fc.nat(2), slot: fc.nat(3), pick: fc.nat(30) }),
    { maxLength: 40 },
  );
  fc.assert(
    fc.property(steps, (actions) => {
      let state = EMPTY_FORWARD;
      let book = openForwardBook(state);
      let list: ForwardOrder[] = [];
      let nextId = 1;
      for (const { kind, member, slot: at, pick } of actions) {
        const slot = at as Slot;
        if (kind <= 2) {
          const order = { slot, memberIndex: member, side: 0 as const, limitUcPerWh: pick };
          book.place({ ...order, energyWh: pick + 1 });
          list.push({ id: nextId++, ...order, energyWh: pick + 1 });
        } else if (kind === 3 && list.length > 0) {
          const { id, slot: own } = list[pick % list.length]!;
          book.cancel({ slot: own, id });
          list = list.filter((order) => order.id !== id);
        } else if (kind === 4) {
          book.close(slot, null);
          list = list.filter((order) => order.slot !== slot);
        } else {
          state = book.seal();
          book = openForwardBook(state);
        }
      }
      expect(book.seal()).toEqual(
        rootedForward({ ...EMPTY_FORWARD, nextOrderId: nextId, orders: list }),
      );
      expect(book.rows()).toBe(list.length);
      for (const slot of [0, 1, 2, 3] as Slot[]) {
        const own = list.filter((order) => order.slot === slot);
        expect(book.orders(slot)).toEqual(own);
        for (const memberIndex of [0, 1, 2]) {
          const count = own.filter((order) => order.memberIndex === memberIndex).length;
          expect(book.memberOrderCount({ slot, memberIndex })).toBe(count);
        }
      }
    }),
    { numRuns: 200 },
  );
});
