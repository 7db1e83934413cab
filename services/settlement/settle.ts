/**
 * One region's slot after the market: bills and account entries, with conservation asserted.
 *
 * Forward energy is paid here, at its auction's price, beside what the metered market gave; what a
 * deviation leaves to the retailer pays the difference to the short or long price on top.
 *
 * Late energy settles with the retailer alone, at its prices, on a bill of its own that names the
 * slot it belongs to; it never touches another member's bill.
 */
import { createAccounts, INSTITUTION } from "../ledger/accounts.ts";
import { type Holder, transfer } from "../ledger/transfers.ts";
import { assert } from "../primitives/errors.ts";
import type { MicroCents } from "../primitives/units.ts";
import {
  BILL_KIND,
  type Bill,
  boughtAtDeliveryWh,
  compareLeaves,
  soldAtDeliveryWh,
} from "../wire/bill.ts";
import type { LateEntry } from "../wire/report.ts";
import { type Delivery, imbalanceWh } from "./forward.ts";
import { NO_MEMBER } from "./roster.ts";
import type { Settlement, SettlementInput } from "./slot.ts";

export function settleSlot(input: SettlementInput): Settlement {
  const { roster, metered, allocation } = input;
  const entries = createAccounts(roster.memberCount);
  const bills: Bill[] = [];
  let tradedWh = 0;
  let soldWh = 0;
  let retailerBoughtWh = 0;
  let retailerSoldWh = 0;
  let penaltiesUc = 0n;
  roster.gridMeters.forEach((_, place) => {
    const bill = slotBill(input, place);
    bills.push(bill);
    entries.memberUc[bill.memberIndex]! += bill.amountUc;
    tradedWh += bill.communityBoughtWh;
    soldWh += bill.communitySoldWh;
    retailerBoughtWh += bill.retailerBoughtWh + bill.imbalanceBoughtWh;
    retailerSoldWh += bill.retailerSoldWh + bill.imbalanceSoldWh;
    penaltiesUc += penaltyUc(input, bill);
  });
  assert(tradedWh === soldWh, "what the community sold is what it bought");
  const forward = forwardEntries(input.delivery);
  entries.institutionUc[INSTITUTION.retailer] = allocation.retailerUc + penaltiesUc;
  entries.institutionUc[INSTITUTION.neighbours] = allocation.neighboursUc + forward.neighboursUc;
  entries.institutionUc[INSTITUTION.gridOperator] = allocation.gridOperatorUc + forward.feesUc;
  entries.institutionUc[INSTITUTION.treasury] = allocation.treasuryUc + forward.rentUc;
  for (const late of byMeter(metered.late)) {
    const bill = lateBill(input, late);
    if (bill === null) continue;
    bills.push(bill);
    const member: Holder = { member: bill.memberIndex };
    transfer(entries, {
      from: { institution: "retailer" },
      to: member,
      amountUc: bill.amountUc,
    });
    retailerBoughtWh += bill.retailerBoughtWh;
    retailerSoldWh += bill.retailerSoldWh;
  }
  assertLeafOrder(bills);
  const retailerUc = entries.institutionUc[INSTITUTION.retailer]! as MicroCents;
  return { bills, entries, tradedWh, retailerBoughtWh, retailerSoldWh, retailerUc };
}

/** Leaves rise by meter, then slot; the report's entries by slot, then meter. */
function byMeter(late: readonly LateEntry[]): LateEntry[] {
  return [...late].sort((a, b) => a.meterIndex - b.meterIndex || a.slot - b.slot);
}

/** So that two leaves side by side prove what is not between them. */
function assertLeafOrder(bills: readonly Bill[]): void {
  for (let i = 1; i < bills.length; i++) {
    assert(compareLeaves(bills[i - 1]!, bills[i]!) < 0, "a slot's bills rise in leaf order");
  }
}

/** What forward flows owe and are owed; the members' part follows from the bills. */
function forwardEntries({ forward, forwardBoughtWh, forwardSoldWh }: Delivery) {
  if (forward === null) return { neighboursUc: 0n, feesUc: 0n, rentUc: 0n };
  const { inflowWh, outflowWh, inflowFeesUc: feesUc, inflowRentUc: rentUc } = forward.lines;
  const sum = (column: Float64Array) => column.reduce((total, wh) => total + wh, 0);
  assert(
    sum(forwardSoldWh) + inflowWh === sum(forwardBoughtWh) + outflowWh,
    "forward: sold + inflow = bought + outflow",
  );
  const flowsUc = BigInt(forward.priceUcPerWh) * BigInt(inflowWh - outflowWh);
  return { neighboursUc: flowsUc - feesUc - rentUc, feesUc, rentUc };
}

/** What a deviation pays the retailer above its ordinary prices; never negative. */
function penaltyUc({ retailer, imbalance }: SettlementInput, bill: Bill): bigint {
  const shortUc = BigInt(imbalance.shortUcPerWh - retailer.retailUcPerWh);
  const longUc = BigInt(retailer.feedInUcPerWh - imbalance.longUcPerWh);
  return shortUc * BigInt(bill.imbalanceBoughtWh) + longUc * BigInt(bill.imbalanceSoldWh);
}

function slotBill(input: SettlementInput, place: number): Bill {
  const { roster, metered, delivery, allocation } = input;
  const meterIndex = roster.gridMeters[place]!;
  const { supply } = allocation;
  const forwardBoughtWh = delivery.forwardBoughtWh[place]!;
  const forwardSoldWh = delivery.forwardSoldWh[place]!;
  const isForward = forwardBoughtWh + forwardSoldWh > 0;
  const forwardPriceUcPerWh = isForward ? delivery.forward!.priceUcPerWh : 0;
  const imbalanceBoughtWh = imbalanceWh({
    missingWh: delivery.undeliveredWh[place]!,
    insideWh: supply.communityBoughtWh[place]! + supply.neighbourBoughtWh[place]!,
  });
  const imbalanceSoldWh = imbalanceWh({
    missingWh: delivery.untakenWh[place]!,
    insideWh: supply.communitySoldWh[place]! + supply.neighbourSoldWh[place]!,
  });
  const unpaid: Bill = {
    slot: metered.slot,
    meterIndex,
    memberIndex: roster.memberOfMeter[meterIndex]!,
    kind: BILL_KIND.slot,
    importWh: metered.importWh[meterIndex]!,
    exportWh: metered.exportWh[meterIndex]!,
    communityBoughtWh: supply.communityBoughtWh[place]!,
    communitySoldWh: supply.communitySoldWh[place]!,
    neighbourBoughtWh: supply.neighbourBoughtWh[place]!,
    neighbourSoldWh: supply.neighbourSoldWh[place]!,
    retailerBoughtWh: supply.retailerBoughtWh[place]! - imbalanceBoughtWh,
    retailerSoldWh: supply.retailerSoldWh[place]! - imbalanceSoldWh,
    buyPriceUcPerWh: allocation.buyPriceUcPerWh ?? 0,
    sellPriceUcPerWh: allocation.sellPriceUcPerWh ?? 0,
    amountUc: allocation.amountUc[place]! as MicroCents,
    quality: metered.quality[meterIndex]!,
    forwardBoughtWh,
    forwardSoldWh,
    forwardPriceUcPerWh,
    imbalanceBoughtWh,
    imbalanceSoldWh,
  };
  const forwardUc = BigInt(forwardPriceUcPerWh) * BigInt(forwardSoldWh - forwardBoughtWh);
  const amountUc = unpaid.amountUc + forwardUc - penaltyUc(input, unpaid);
  const bill: Bill = { ...unpaid, amountUc: amountUc as MicroCents };
  assertBill(bill);
  return bill;
}

/** Null for a meter that is not billed. */
function lateBill({ roster, retailer }: SettlementInput, late: LateEntry): Bill | null {
  const { slot, meterIndex, importWh, exportWh, quality } = late;
  const memberIndex = roster.memberOfMeter[meterIndex]!;
  if (memberIndex === NO_MEMBER || !isGridMeter(roster.gridMeters, meterIndex)) return null;
  const amountUc = retailer.feedInUcPerWh * exportWh - retailer.retailUcPerWh * importWh;
  const bill: Bill = {
    slot,
    meterIndex,
    memberIndex,
    kind: BILL_KIND.late,
    importWh,
    exportWh,
    communityBoughtWh: 0,
    communitySoldWh: 0,
    neighbourBoughtWh: 0,
    neighbourSoldWh: 0,
    retailerBoughtWh: importWh,
    retailerSoldWh: exportWh,
    buyPriceUcPerWh: retailer.retailUcPerWh,
    sellPriceUcPerWh: retailer.feedInUcPerWh,
    amountUc: BigInt(amountUc) as MicroCents,
    quality,
    forwardBoughtWh: 0,
    forwardSoldWh: 0,
    forwardPriceUcPerWh: 0,
    imbalanceBoughtWh: 0,
    imbalanceSoldWh: 0,
  };
  assertBill(bill);
  return bill;
}

/** Binary search: `gridMeters` rises. */
function isGridMeter(gridMeters: Uint32Array, meterIndex: number): boolean {
  let low = 0;
  let high = gridMeters.length;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (gridMeters[middle]! < meterIndex) low = middle + 1;
    else high = middle;
  }
  return gridMeters[low] === meterIndex;
}

/**
 * Invariant 1 for one meter: export + all bought = import + all sold; without forward energy,
 * bought = import and sold = export; and no part is negative.
 */
function assertBill(bill: Bill): void {
  const boughtWh = boughtAtDeliveryWh(bill) + bill.forwardBoughtWh;
  const soldWh = soldAtDeliveryWh(bill) + bill.forwardSoldWh;
  assert(bill.exportWh + boughtWh === bill.importWh + soldWh, "a bill accounts for all energy");
  const isForward = bill.forwardBoughtWh + bill.forwardSoldWh > 0;
  assert(isForward || boughtWh === bill.importWh, "a bill accounts for all import");
  const least = Math.min(
    bill.communityBoughtWh,
    bill.communitySoldWh,
    bill.neighbourBoughtWh,
    bill.neighbourSoldWh,
    bill.retailerBoughtWh,
    bill.retailerSoldWh,
    bill.forwardBoughtWh,
    bill.forwardSoldWh,
    bill.imbalanceBoughtWh,
    bill.imbalanceSoldWh,
  );
  assert(least >= 0, "energy is never negative");
}
