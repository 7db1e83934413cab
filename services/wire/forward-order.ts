/**
 * Forward orders: calls of the sender's own region's market. `placeOrder` bids or offers energy of
 * one future slot at a limit; `cancelOrder` takes an open order back. Both end at gate closure.
 */
import { concatBytes } from "../primitives/bytes.ts";
import { abiInt64, callSelector, isCall, readAbiInt64, readAbiUint64 } from "./abi.ts";

export const FORWARD_SIDE = { bid: 0, ask: 1 } as const;

export type PlaceOrder = {
  readonly slot: number;
  readonly side: number; // FORWARD_SIDE; another value is for the chain to refuse
  readonly limitUcPerWh: number; // a bid pays at most this, an ask receives at least this
  readonly energyWh: number;
};
export type CancelOrder = { readonly slot: number; readonly orderId: number };

const PLACE_ORDER = {
  selector: callSelector("placeOrder(uint64,uint8,int64,uint64)"),
  words: 4,
};
const CANCEL_ORDER = { selector: callSelector("cancelOrder(uint64,uint64)"), words: 2 };
const UINT8_MAX = 255;

/** Calldata of `placeOrder(uint64 slot, uint8 side, int64 limitUcPerWh, uint64 energyWh)`. */
export function encodePlaceOrder(order: PlaceOrder): Uint8Array {
  const { slot, side, limitUcPerWh, energyWh } = order;
  const words = [slot, side, limitUcPerWh, energyWh].map(abiInt64);
  return concatBytes([PLACE_ORDER.selector, ...words]);
}

/**
 * Values are as signed: whether they are in range is the chain's to say.
 *
 * @returns null where the calldata is no canonical placeOrder call
 */
export function decodePlaceOrder(data: Uint8Array): PlaceOrder | null {
  if (!isCall(data, PLACE_ORDER)) return null;
  const slot = readAbiUint64(data, 0);
  const side = readAbiUint64(data, 1);
  const limitUcPerWh = readAbiInt64(data, 2);
  const energyWh = readAbiUint64(data, 3);
  if (slot === null || side === null || limitUcPerWh === null || energyWh === null) return null;
  return side > UINT8_MAX ? null : { slot, side, limitUcPerWh, energyWh };
}

/** Calldata of `cancelOrder(uint64 slot, uint64 orderId)`. */
export function encodeCancelOrder({ slot, orderId }: CancelOrder): Uint8Array {
  return concatBytes([CANCEL_ORDER.selector, abiInt64(slot), abiInt64(orderId)]);
}

/** @returns null where the calldata is no canonical cancelOrder call */
export function decodeCancelOrder(data: Uint8Array): CancelOrder | null {
  if (!isCall(data, CANCEL_ORDER)) return null;
  const slot = readAbiUint64(data, 0);
  const orderId = readAbiUint64(data, 1);
  return slot === null || orderId === null ? null : { slot, orderId };
}
