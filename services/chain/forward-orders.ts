/**
 * Judges forward orders: whether a member may place or cancel one now. Order of the checks = order
 * of TRANSACTION_CODE. Time decides first: a closed gate stays closed, so the mempool, which only
 * knows that a block comes no earlier than the last one, refuses only what every block would.
 */
import {
  FORWARD_ORDERS_PER_MEMBER_MAX,
  FORWARD_ORDERS_PER_REGION_MAX,
  FORWARD_ORDERS_PER_SLOT_MAX,
  FORWARD_SLOTS_MAX,
  PRICE_UC_PER_WH_MAX,
  SLOT_ENERGY_WH_MAX,
} from "../primitives/limits.ts";
import type { Slot, UnixSeconds } from "../primitives/units.ts";
import { type CancelOrder, FORWARD_SIDE, type PlaceOrder } from "../wire/forward-order.ts";
import type { TransactionCodeName } from "../wire/refusals.ts";
import type { MemberPlace } from "./admission.ts";
import type { ForwardReader } from "./forward-book.ts";
import { lastClosedSlot } from "./forward-step.ts";
import type { Rules } from "./rules.ts";

export type OrderRefusal = { readonly code: TransactionCodeName; readonly info: string };

export type OrderJudge = {
  readonly rules: Rules;
  readonly book: ForwardReader; // of the member's region
  readonly place: MemberPlace;
  readonly nextToClear: Slot; // of the region
  readonly timeS: UnixSeconds | null; // the block's; null before there is one
  readonly notBeforeS: UnixSeconds; // the block's time, or the last block's
};

export function placeRefusal(judge: OrderJudge, order: PlaceOrder): OrderRefusal | null {
  return (
    gateRefusal(judge, order.slot) ??
    horizonRefusal(judge, order.slot) ??
    termsRefusal(judge, order) ??
    roomRefusal(judge, order.slot as Slot)
  );
}

export function cancelRefusal(judge: OrderJudge, cancel: CancelOrder): OrderRefusal | null {
  const closed = gateRefusal(judge, cancel.slot);
  if (closed !== null) return closed;
  const order = judge.book.order({ slot: cancel.slot as Slot, id: cancel.orderId });
  // Somebody else's order is as unknown as none.
  if (order?.memberIndex === judge.place.memberIndex) return null;
  const info = `no open order ${cancel.orderId} of yours in slot ${cancel.slot}`;
  return { code: "order_unknown", info };
}

function gateRefusal({ rules, notBeforeS }: OrderJudge, slot: number): OrderRefusal | null {
  const last = Math.max(lastClosedSlot(rules, notBeforeS), rules.firstSlot - 1);
  if (slot > last) return null;
  return { code: "gate_closed", info: `slot ${slot}: the first open one is ${last + 1}` };
}

function horizonRefusal(judge: OrderJudge, slot: number): OrderRefusal | null {
  const { rules, timeS, nextToClear } = judge;
  const { horizonS } = rules.forward.law;
  const code = "slot_beyond_horizon";
  if (timeS !== null && slot * rules.genesis.slotS - timeS > horizonS) {
    return { code, info: `slot ${slot} starts more than ${horizonS} s from now, ${timeS}` };
  }
  if (slot - nextToClear < FORWARD_SLOTS_MAX) return null;
  return { code, info: `slot ${slot}: at most ${FORWARD_SLOTS_MAX} from ${nextToClear} on` };
}

function termsRefusal({ rules, place }: OrderJudge, order: PlaceOrder): OrderRefusal | null {
  const { side, limitUcPerWh, energyWh } = order;
  const code = "order_invalid";
  if (side !== FORWARD_SIDE.bid && side !== FORWARD_SIDE.ask) {
    return { code, info: `side ${side}: 0 is a bid, 1 an ask` };
  }
  if (Math.abs(limitUcPerWh) > PRICE_UC_PER_WH_MAX) {
    return { code, info: `limit ${limitUcPerWh} uc/Wh, at most ${PRICE_UC_PER_WH_MAX} either way` };
  }
  if (energyWh < 1 || energyWh > SLOT_ENERGY_WH_MAX) {
    return { code, info: `energy ${energyWh} Wh, from 1 to ${SLOT_ENERGY_WH_MAX}` };
  }
  const { gridMembers } = rules.regions[place.regionIndex]!;
  return gridMembers.has(place.memberIndex) ? null : { code, info: "no grid meter to deliver at" };
}

function roomRefusal({ book, place }: OrderJudge, slot: Slot): OrderRefusal | null {
  const code = "orders_full";
  const { memberIndex } = place;
  if (book.memberOrderCount({ slot, memberIndex }) >= FORWARD_ORDERS_PER_MEMBER_MAX) {
    return { code, info: `${FORWARD_ORDERS_PER_MEMBER_MAX} orders of yours in slot ${slot}` };
  }
  if (book.orderCount(slot) >= FORWARD_ORDERS_PER_SLOT_MAX) {
    return { code, info: `${FORWARD_ORDERS_PER_SLOT_MAX} orders in slot ${slot}` };
  }
  if (book.rows() < FORWARD_ORDERS_PER_REGION_MAX) return null;
  return { code, info: `${FORWARD_ORDERS_PER_REGION_MAX} orders and positions in the region` };
}
