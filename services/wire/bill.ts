/**
 * The bill leaf: what one meter's slot came to. An SSZ container of 21 uint64, so its root is a
 * Merkle tree of 32 little-endian chunks, and a receipts root is the SSZ hash_tree_root of
 * List[Bill, 2^17]. Money is signed: two's complement in 64 bits.
 *
 * Energy, for every bill: export + all that was bought = import + all that was sold, where bought
 * and sold are the community, neighbour, retailer, forward and imbalance parts. Without forward
 * energy each side stands alone: bought = import and sold = export. A slot's bills travel and lie
 * as columns (`bill-table.ts`).
 */
import { merkleRoot } from "../crypto/merkle.ts";
import type { MicroCents, Slot } from "../primitives/units.ts";

/** Leaves of one slot's receipts tree: bills of a full region and its late entries. */
export const BILLS_PER_SLOT_MAX = 131_072;
/** A slot's own bill, or the difference that a late reading made to the slot it names. */
export const BILL_KIND = { slot: 0, late: 1 } as const;

export type Bill = {
  readonly slot: Slot; // the delivery slot that the energy belongs to
  readonly meterIndex: number;
  readonly memberIndex: number;
  readonly kind: number; // BILL_KIND
  readonly importWh: number; // metered
  readonly exportWh: number; // metered
  readonly communityBoughtWh: number; // from members of the own region
  readonly communitySoldWh: number;
  readonly neighbourBoughtWh: number; // over lines, from other regions
  readonly neighbourSoldWh: number;
  readonly retailerBoughtWh: number;
  readonly retailerSoldWh: number;
  readonly buyPriceUcPerWh: number; // paid inside the market; for reading, `amountUc` decides
  readonly sellPriceUcPerWh: number; // received inside the market
  readonly amountUc: MicroCents; // what the member receives; negative: pays
  readonly quality: number; // QUALITY of the metered value
  readonly forwardBoughtWh: number; // in the slot's forward auction, before delivery
  readonly forwardSoldWh: number;
  readonly forwardPriceUcPerWh: number; // paid or received for it; 0 without forward energy
  readonly imbalanceBoughtWh: number; // sold forward, not delivered, nor found in the market
  readonly imbalanceSoldWh: number; // bought forward, not taken, nor placed in the market
};

/** Order is consensus: it is the order of the container's fields. */
export const BILL_FIELDS = [
  "slot",
  "meterIndex",
  "memberIndex",
  "kind",
  "importWh",
  "exportWh",
  "communityBoughtWh",
  "communitySoldWh",
  "neighbourBoughtWh",
  "neighbourSoldWh",
  "retailerBoughtWh",
  "retailerSoldWh",
  "buyPriceUcPerWh",
  "sellPriceUcPerWh",
  "amountUc",
  "quality",
  "forwardBoughtWh",
  "forwardSoldWh",
  "forwardPriceUcPerWh",
  "imbalanceBoughtWh",
  "imbalanceSoldWh",
] as const satisfies readonly (keyof Bill)[];

/** Where a bill's energy came from beside the forward auction; of a meter, Wh. */
export function boughtAtDeliveryWh(bill: Bill): number {
  return (
    bill.communityBoughtWh + bill.neighbourBoughtWh + bill.retailerBoughtWh + bill.imbalanceBoughtWh
  );
}

/** Where it went beside the forward auction. */
export function soldAtDeliveryWh(bill: Bill): number {
  return bill.communitySoldWh + bill.neighbourSoldWh + bill.retailerSoldWh + bill.imbalanceSoldWh;
}

/** SSZ hash_tree_root of the bill: the slow twin of `chain/receipts.ts`, for one bill anywhere. */
export function billRoot(bill: Bill): Uint8Array {
  const chunks = new Uint8Array(32 * BILL_FIELDS.length);
  const view = new DataView(chunks.buffer);
  BILL_FIELDS.forEach((field, i) => {
    view.setBigInt64(32 * i, BigInt(bill[field]), true);
  });
  return merkleRoot(chunks, BILL_FIELDS.length);
}
