/**
 * Payments between members: a call of the sender's own region's market. The payee may be a member
 * of any region.
 */
import { concatBytes } from "../primitives/bytes.ts";
import type { MicroCents } from "../primitives/units.ts";
import {
  abiAddress,
  abiUint64,
  callSelector,
  isCall,
  readAbiAddress,
  readAbiBigUint64,
} from "./abi.ts";

export type Pay = {
  readonly to: Uint8Array; // 20 B, the payee's address
  readonly amountUc: MicroCents; // 0 and too much are for the chain to refuse
};

const PAY = { selector: callSelector("pay(address,uint64)"), words: 2 };

/** Calldata of `pay(address to, uint64 amountUc)`. */
export function encodePay({ to, amountUc }: Pay): Uint8Array {
  return concatBytes([PAY.selector, abiAddress(to), abiUint64(amountUc)]);
}

/** @returns null where the calldata is no canonical pay call */
export function decodePay(data: Uint8Array): Pay | null {
  if (!isCall(data, PAY)) return null;
  const to = readAbiAddress(data, 0);
  const amountUc = readAbiBigUint64(data, 1);
  return to === null || amountUc === null ? null : { to, amountUc: amountUc as MicroCents };
}
