/**
 * What settlement takes and gives: one region, one delivery slot. Columns named "by place" are
 * aligned with `Roster.gridMeters`; the others with the region's meters or members.
 */
import type { Accounts } from "../ledger/accounts.ts";
import type { MicroCents, Slot } from "../primitives/units.ts";
import type { BillTable } from "../wire/bill-table.ts";
import type { LateEntry } from "../wire/report.ts";
import type { Delivery, ImbalancePrices } from "./forward.ts";
import type { Roster } from "./roster.ts";

/** The supplier of last resort sells at retail and buys at feed-in price, without limit. */
export type RetailerPrices = {
  readonly retailUcPerWh: number;
  readonly feedInUcPerWh: number; // not above retail
};

/** What the region's report says. */
export type MeteredSlot = {
  readonly slot: Slot;
  readonly importWh: Uint32Array; // by meter
  readonly exportWh: Uint32Array;
  readonly quality: Uint8Array;
  readonly late: readonly LateEntry[];
};

/** Standing limits in force at the slot's start, by member. */
export type StandingLimits = {
  readonly minSellUcPerWh: Int32Array;
  readonly maxBuyUcPerWh: Int32Array;
};

/** What lines brought to and took from the region, with the money of those that end in it. */
export type LineTotals = {
  readonly inflowWh: number;
  readonly outflowWh: number;
  readonly inflowFeesUc: bigint; // of lines that end here: the receiving region books them
  readonly inflowRentUc: bigint;
};

export const NO_LINES: LineTotals = {
  inflowWh: 0,
  outflowWh: 0,
  inflowFeesUc: 0n,
  inflowRentUc: 0n,
};

/** Energy by source and sink, by place. Each meter's parts sum to what it has to buy or sell. */
export type Supply = {
  readonly communityBoughtWh: Float64Array;
  readonly communitySoldWh: Float64Array;
  readonly neighbourBoughtWh: Float64Array;
  readonly neighbourSoldWh: Float64Array;
  readonly retailerBoughtWh: Float64Array;
  readonly retailerSoldWh: Float64Array;
};

/** What a mechanism answers; `settleSlot` checks it and turns it into bills and entries. */
export type Allocation = {
  readonly supply: Supply;
  readonly amountUc: BigInt64Array; // by place; > 0: the member receives
  readonly buyPriceUcPerWh: number | null; // null: nobody bought inside the market
  readonly sellPriceUcPerWh: number | null;
  readonly priceUcPerWh: number | null;
  readonly retailerUc: bigint; // all amounts and these four sum to zero
  readonly neighboursUc: bigint;
  readonly gridOperatorUc: bigint;
  readonly treasuryUc: bigint;
};

export type SettlementInput = {
  readonly roster: Roster;
  readonly metered: MeteredSlot;
  readonly delivery: Delivery;
  readonly retailer: RetailerPrices;
  readonly imbalance: ImbalancePrices;
  readonly allocation: Allocation;
};

export type Settlement = {
  readonly bills: BillTable; // one per grid meter in meter order, then the late ones
  readonly entries: Accounts; // sum to zero
  readonly tradedWh: number; // community energy, own use of own export included
  readonly retailerBoughtWh: number; // by members from the retailer, imbalance and late included
  readonly retailerSoldWh: number;
  readonly retailerUc: MicroCents;
};

export function createSupply(places: number): Supply {
  return {
    communityBoughtWh: new Float64Array(places),
    communitySoldWh: new Float64Array(places),
    neighbourBoughtWh: new Float64Array(places),
    neighbourSoldWh: new Float64Array(places),
    retailerBoughtWh: new Float64Array(places),
    retailerSoldWh: new Float64Array(places),
  };
}

/** The entries of `column` at the grid meters, by place. */
export function atGridMeters(roster: Roster, column: ArrayLike<number>): Float64Array {
  const { gridMeters } = roster;
  const taken = new Float64Array(gridMeters.length);
  for (let place = 0; place < taken.length; place++) taken[place] = column[gridMeters[place]!]!;
  return taken;
}
