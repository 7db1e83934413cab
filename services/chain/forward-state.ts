/**
 * A lane's forward market as a value: open orders, and what auctions left for delivery. Its root is
 * the SSZ hash_tree_root of
 *
 *   ForwardState = Container {
 *     nextOrderId:        uint64
 *     orderId:            List[uint64, 2^16]   open orders, rising
 *     orderSlot:          List[uint64, 2^16]
 *     orderMember:        List[uint32, 2^16]
 *     orderSide:          List[uint8, 2^16]    0 bid, 1 ask
 *     orderLimitUcPerWh:  List[uint32, 2^16]   two's complement
 *     orderEnergyWh:      List[uint64, 2^16]
 *     positionSlot:       List[uint64, 2^16]   rising by slot, then member
 *     positionMember:     List[uint32, 2^16]
 *     positionBoughtWh:   List[uint64, 2^16]
 *     positionSoldWh:     List[uint64, 2^16]
 *     auctionSlot:        List[uint64, 2^12]   rising; slots in which something traded or passed
 *     auctionPriceUcPerWh: List[uint32, 2^12]  two's complement
 *     flowSlot:           List[uint64, 2^25]   rising by slot, then line; carrying lines
 *     flowLine:           List[uint32, 2^25]   by genesis
 *     flowWh:             List[uint64, 2^25]
 *     flowRentUc:         List[uint64, 2^25]
 *   }
 *
 * Rows of a slot go when the slot has settled. @chainsafe/ssz is the oracle of the tests.
 */
import { merkleRoot } from "../crypto/merkle.ts";
import { concatBytes } from "../primitives/bytes.ts";
import type { CodecValue } from "../primitives/codec.ts";
import {
  FORWARD_ORDERS_PER_REGION_MAX,
  FORWARD_SLOTS_MAX,
  LINES_MAX,
} from "../primitives/limits.ts";
import type { MicroCents, Slot } from "../primitives/units.ts";
import type { ForwardPosition } from "../settlement/forward.ts";
import type { LineFlow } from "../wire/slot-record.ts";
import { type ColumnWidth, listRootOf, uint64Chunk } from "./number-lists.ts";
import { corruptRecord, openRecord, sealRecord } from "./sealed-record.ts";
import { forwardKey } from "./store-keys.ts";

export type ForwardOrder = {
  readonly id: number; // rising in its lane, from 1
  readonly slot: Slot;
  readonly memberIndex: number;
  readonly side: 0 | 1; // FORWARD_SIDE, which is the market's BID and ASK
  readonly limitUcPerWh: number;
  readonly energyWh: number;
};
export type HeldPosition = ForwardPosition & { readonly slot: Slot };
export type HeldAuction = { readonly slot: Slot; readonly priceUcPerWh: number };
export type HeldFlow = LineFlow & { readonly slot: Slot };

export type ForwardParts = {
  readonly nextOrderId: number;
  readonly orders: readonly ForwardOrder[];
  readonly positions: readonly HeldPosition[];
  readonly auctions: readonly HeldAuction[];
  readonly flows: readonly HeldFlow[];
};
/** Immutable. */
export type ForwardState = ForwardParts & { readonly root: Uint8Array };

const FLOWS_MAX = FORWARD_SLOTS_MAX * LINES_MAX;
const FIELDS = 17;

export function rootedForward(parts: ForwardParts): ForwardState {
  const { orders, positions, auctions, flows } = parts;
  const root = <Row>(
    rows: readonly Row[],
    list: { readonly width: ColumnWidth; readonly limit: number },
    value: (row: Row) => number | bigint,
  ) => listRootOf(rows.map(value), list);
  const rows = FORWARD_ORDERS_PER_REGION_MAX;
  const wide = { width: 8, limit: rows } as const;
  const narrow = { width: 4, limit: rows } as const;
  const slots = FORWARD_SLOTS_MAX;
  const chunks = concatBytes([
    uint64Chunk(parts.nextOrderId),
    root(orders, wide, (order) => order.id),
    root(orders, wide, (order) => order.slot),
    root(orders, narrow, (order) => order.memberIndex),
    root(orders, { width: 1, limit: rows }, (order) => order.side),
    root(orders, narrow, (order) => order.limitUcPerWh),
    root(orders, wide, (order) => order.energyWh),
    root(positions, wide, (position) => position.slot),
    root(positions, narrow, (position) => position.memberIndex),
    root(positions, wide, (position) => position.boughtWh),
    root(positions, wide, (position) => position.soldWh),
    root(auctions, { width: 8, limit: slots }, (auction) => auction.slot),
    root(auctions, { width: 4, limit: slots }, (auction) => auction.priceUcPerWh),
    root(flows, { width: 8, limit: FLOWS_MAX }, (flow) => flow.slot),
    root(flows, { width: 4, limit: FLOWS_MAX }, (flow) => flow.lineIndex),
    root(flows, { width: 8, limit: FLOWS_MAX }, (flow) => flow.energyWh),
    root(flows, { width: 8, limit: FLOWS_MAX }, (flow) => flow.rentUc),
  ]);
  return { ...parts, root: merkleRoot(chunks, FIELDS) };
}

/** A lane in which nobody has ever placed an order. */
export const EMPTY_FORWARD: ForwardState = rootedForward({
  nextOrderId: 1,
  orders: [],
  positions: [],
  auctions: [],
  flows: [],
});

/** The whole forward market of a lane in one sealed record, rows as arrays. */
export function encodeForward(regionIndex: number, state: ForwardState): Uint8Array {
  const { nextOrderId, orders, positions, auctions, flows } = state;
  return sealRecord(forwardKey(regionIndex), [
    nextOrderId,
    orders.map((o) => [o.id, o.slot, o.memberIndex, o.side, o.limitUcPerWh, o.energyWh]),
    positions.map((p) => [p.slot, p.memberIndex, p.boughtWh, p.soldWh]),
    auctions.map((a) => [a.slot, a.priceUcPerWh]),
    flows.map((f) => [f.slot, f.lineIndex, f.energyWh, f.rentUc]),
  ]);
}

/**
 * Form only: that the rows are the ones committed is shown by the app hash.
 *
 * @throws GridError database_corrupt
 */
export function decodeForward(regionIndex: number, stored: Uint8Array): ForwardState {
  const key = forwardKey(regionIndex);
  const fields = openRecord(key, stored);
  const refuse = () => corruptRecord(key, "is no forward market");
  if (!Array.isArray(fields) || fields.length !== 5) return refuse();
  const [nextOrderId, ...lists] = fields as readonly CodecValue[];
  if (!isWithin(nextOrderId, WHOLE)) return refuse();
  const rowsOf = (place: number, columns: readonly Range[], rowsMax: number) => {
    const list = lists[place];
    const fits = (row: CodecValue) => {
      if (!Array.isArray(row) || row.length !== columns.length) return false;
      return row.every((value: CodecValue, c) => isWithin(value, columns[c]!));
    };
    if (!Array.isArray(list) || list.length > rowsMax || !list.every(fits)) return refuse();
    return list as (number | bigint)[][];
  };
  const rowsMax = FORWARD_ORDERS_PER_REGION_MAX;
  return rootedForward({
    nextOrderId: Number(nextOrderId),
    orders: rowsOf(0, [WHOLE, WHOLE, INDEX, SIDE, PRICE, WHOLE], rowsMax).map((row) => {
      const [id, slot, memberIndex, side, limitUcPerWh, energyWh] = row.map(Number);
      return {
        id: id!,
        slot: slot as Slot,
        memberIndex: memberIndex!,
        side: side === 0 ? 0 : 1,
        limitUcPerWh: limitUcPerWh!,
        energyWh: energyWh!,
      };
    }),
    positions: rowsOf(1, [WHOLE, INDEX, WHOLE, WHOLE], rowsMax).map((row) => {
      const [slot, memberIndex, boughtWh, soldWh] = row.map(Number);
      return {
        slot: slot as Slot,
        memberIndex: memberIndex!,
        boughtWh: boughtWh!,
        soldWh: soldWh!,
      };
    }),
    auctions: rowsOf(2, [WHOLE, PRICE], FORWARD_SLOTS_MAX).map((row) => {
      const [slot, priceUcPerWh] = row.map(Number);
      return { slot: slot as Slot, priceUcPerWh: priceUcPerWh! };
    }),
    flows: rowsOf(3, [WHOLE, INDEX, WHOLE, MONEY], FLOWS_MAX).map(
      ([slot, lineIndex, energyWh, rentUc]) => ({
        slot: Number(slot) as Slot,
        lineIndex: Number(lineIndex),
        energyWh: Number(energyWh),
        rentUc: BigInt(rentUc!) as MicroCents,
      }),
    ),
  });
}

type Range = { readonly min: number | bigint; readonly max: number | bigint };

/** What a column may hold: beyond it the root would show only the digits that fit its width. */
const WHOLE: Range = { min: 0, max: Number.MAX_SAFE_INTEGER };
const INDEX: Range = { min: 0, max: 2 ** 32 - 1 };
const SIDE: Range = { min: 0, max: 1 };
const PRICE: Range = { min: -(2 ** 31), max: 2 ** 31 - 1 };
const MONEY: Range = { min: -(2n ** 63n), max: 2n ** 63n - 1n };

function isWithin(value: CodecValue | undefined, { min, max }: Range): boolean {
  if (typeof value !== "number" && typeof value !== "bigint") return false;
  return value >= min && value <= max;
}
