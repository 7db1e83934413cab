/**
 * A lane's forward market under a block: the same rows as `forward-state.ts`, indexed by slot, so
 * that an order costs O(1) however full the book is. Opened from a state (which it never changes)
 * and sealed back into one at the end of the block.
 */
import { assert } from "../primitives/errors.ts";
import type { Slot } from "../primitives/units.ts";
import type { ForwardPosition } from "../settlement/forward.ts";
import type { LineFlow } from "../wire/slot-record.ts";
import {
  type ForwardOrder,
  type ForwardState,
  type HeldAuction,
  type HeldFlow,
  type HeldPosition,
  rootedForward,
} from "./forward-state.ts";

/** What a slot's auction left for delivery. */
export type HeldSlot = {
  readonly priceUcPerWh: number;
  readonly positions: readonly ForwardPosition[]; // by member
  readonly flows: readonly LineFlow[]; // by line; lines that carry something
};

export type ForwardReader = {
  /** Open orders and positions together. */
  rows(): number;
  /** Open orders of a slot, rising by id. */
  orders(slot: Slot): readonly ForwardOrder[];
  orderCount(slot: Slot): number;
  memberOrderCount(place: { readonly slot: Slot; readonly memberIndex: number }): number;
  order(place: { readonly slot: Slot; readonly id: number }): ForwardOrder | null;
  /** Slots up to `last` that have open orders, rising. */
  slotsWithOrders(last: Slot): readonly Slot[];
  held(slot: Slot): HeldSlot | null;
};

export type ForwardBook = ForwardReader & {
  place(order: Omit<ForwardOrder, "id">): void;
  cancel(place: { readonly slot: Slot; readonly id: number }): void;
  /** Ends the slot's forward market: its orders go. Null: nothing traded, nothing passed. */
  close(slot: Slot, outcome: HeldSlot | null): void;
  /** The slot has settled: what was held for it goes. */
  settle(slot: Slot): void;
  seal(): ForwardState;
};

type OpenSlot = {
  readonly orders: Map<number, ForwardOrder>; // by id, in the order of placing
  readonly ofMember: Map<number, number>; // orders by member
};

export function openForwardBook(state: ForwardState): ForwardBook {
  const open = new Map<Slot, OpenSlot>();
  const held = heldSlots(state);
  let nextOrderId = state.nextOrderId;
  let orderCount = 0;
  let positionCount = state.positions.length;

  const put = (order: ForwardOrder) => {
    const slot = open.get(order.slot) ?? { orders: new Map(), ofMember: new Map() };
    open.set(order.slot, slot);
    slot.orders.set(order.id, order);
    slot.ofMember.set(order.memberIndex, (slot.ofMember.get(order.memberIndex) ?? 0) + 1);
    orderCount += 1;
  };
  state.orders.forEach(put);

  return {
    rows: () => orderCount + positionCount,
    orders: (slot) => [...(open.get(slot)?.orders.values() ?? [])],
    orderCount: (slot) => open.get(slot)?.orders.size ?? 0,
    memberOrderCount: ({ slot, memberIndex }) => open.get(slot)?.ofMember.get(memberIndex) ?? 0,
    order: ({ slot, id }) => open.get(slot)?.orders.get(id) ?? null,
    slotsWithOrders: (last) => [...open.keys()].filter((s) => s <= last).sort((a, b) => a - b),
    held: (slot) => held.get(slot) ?? null,
    place(order) {
      put({ id: nextOrderId, ...order });
      nextOrderId += 1;
    },
    cancel({ slot, id }) {
      const at = open.get(slot);
      const order = at?.orders.get(id);
      assert(at !== undefined && order !== undefined, "only an open order is cancelled");
      at.orders.delete(id);
      at.ofMember.set(order.memberIndex, at.ofMember.get(order.memberIndex)! - 1);
      if (at.orders.size === 0) open.delete(slot);
      orderCount -= 1;
    },
    close(slot, outcome) {
      orderCount -= open.get(slot)?.orders.size ?? 0;
      open.delete(slot);
      assert(!held.has(slot), "a slot has one forward auction");
      if (outcome === null) return;
      held.set(slot, outcome);
      positionCount += outcome.positions.length;
    },
    settle(slot) {
      positionCount -= held.get(slot)?.positions.length ?? 0;
      held.delete(slot);
    },
    seal() {
      const orders = [...open.values()].flatMap((slot) => [...slot.orders.values()]);
      orders.sort((a, b) => a.id - b.id);
      return rootedForward({ nextOrderId, orders, ...heldRows(held) });
    },
  };
}

/** Books of committed states, for reading only: a state never changes, so its book serves on. */
const readers = new WeakMap<ForwardState, ForwardReader>();

export function readForward(state: ForwardState): ForwardReader {
  const known = readers.get(state) ?? openForwardBook(state);
  readers.set(state, known);
  return known;
}

function heldSlots({ auctions, positions, flows }: ForwardState): Map<Slot, HeldSlot> {
  const held = new Map<
    Slot,
    { priceUcPerWh: number; positions: ForwardPosition[]; flows: LineFlow[] }
  >(auctions.map(({ slot, priceUcPerWh }) => [slot, { priceUcPerWh, positions: [], flows: [] }]));
  for (const { slot, ...position } of positions) held.get(slot)?.positions.push(position);
  for (const { slot, ...flow } of flows) held.get(slot)?.flows.push(flow);
  return held;
}

function heldRows(held: ReadonlyMap<Slot, HeldSlot>) {
  const positions: HeldPosition[] = [];
  const auctions: HeldAuction[] = [];
  const flows: HeldFlow[] = [];
  const rising = [...held].sort(([a], [b]) => a - b);
  for (const [slot, { priceUcPerWh, ...rows }] of rising) {
    auctions.push({ slot, priceUcPerWh });
    positions.push(...rows.positions.map((position) => ({ slot, ...position })));
    flows.push(...rows.flows.map((flow) => ({ slot, ...flow })));
  }
  return { positions, auctions, flows };
}
