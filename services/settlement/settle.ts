/**
 * One region's slot after the market: bills and account entries, with conservation asserted. Bills
 * are written column by column (`wire/bill-table.ts`).
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
import { BILL_KIND } from "../wire/bill.ts";
import { type BillColumns, createBillColumns, sealBills } from "../wire/bill-table.ts";
import type { LateEntry } from "../wire/report.ts";
import { type Delivery, imbalanceWh } from "./forward.ts";
import { NO_MEMBER } from "./roster.ts";
import type { Settlement, SettlementInput } from "./slot.ts";

export function settleSlot(input: SettlementInput): Settlement {
  const { roster, metered, allocation } = input;
  const entries = createAccounts(roster.memberCount);
  const bills = createBillColumns(roster.gridMeters.length + metered.late.length);
  fillSlotBills(input, bills);
  const penaltiesUc = payForward(input, bills);
  let tradedWh = 0;
  let soldWh = 0;
  let retailerBoughtWh = 0;
  let retailerSoldWh = 0;
  for (let b = 0; b < bills.count; b++) {
    entries.memberUc[bills.memberIndex[b]!]! += bills.amountUc[b]!;
    tradedWh += bills.communityBoughtWh[b]!;
    soldWh += bills.communitySoldWh[b]!;
    retailerBoughtWh += bills.retailerBoughtWh[b]! + bills.imbalanceBoughtWh[b]!;
    retailerSoldWh += bills.retailerSoldWh[b]! + bills.imbalanceSoldWh[b]!;
  }
  assert(tradedWh === soldWh, "what the community sold is what it bought");
  const forward = forwardEntries(input.delivery);
  entries.institutionUc[INSTITUTION.retailer] = allocation.retailerUc + penaltiesUc;
  entries.institutionUc[INSTITUTION.neighbours] = allocation.neighboursUc + forward.neighboursUc;
  entries.institutionUc[INSTITUTION.gridOperator] = allocation.gridOperatorUc + forward.feesUc;
  entries.institutionUc[INSTITUTION.treasury] = allocation.treasuryUc + forward.rentUc;
  for (const late of metered.late) {
    const memberIndex = billedMember(input, late.meterIndex);
    if (memberIndex === NO_MEMBER) continue;
    const amountUc = pushLateBill(input, bills, { ...late, memberIndex });
    const member: Holder = { member: memberIndex };
    transfer(entries, { from: { institution: "retailer" }, to: member, amountUc });
    retailerBoughtWh += late.importWh;
    retailerSoldWh += late.exportWh;
  }
  assertBills(bills);
  const retailerUc = entries.institutionUc[INSTITUTION.retailer]! as MicroCents;
  const table = sealBills(bills);
  return { bills: table, entries, tradedWh, retailerBoughtWh, retailerSoldWh, retailerUc };
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

/** One bill per grid meter, in meter order, without what was traded forward. */
function fillSlotBills(input: SettlementInput, bills: BillColumns): void {
  const { roster, metered, allocation } = input;
  const { gridMeters, memberOfMeter } = roster;
  const places = gridMeters.length;
  bills.count = places;
  bills.slot.fill(metered.slot, 0, places);
  bills.meterIndex.set(gridMeters);
  for (let place = 0; place < places; place++) {
    const meter = gridMeters[place]!;
    bills.memberIndex[place] = memberOfMeter[meter]!;
    bills.importWh[place] = metered.importWh[meter]!;
    bills.exportWh[place] = metered.exportWh[meter]!;
    bills.quality[place] = metered.quality[meter]!;
  }
  const { supply } = allocation;
  bills.communityBoughtWh.set(supply.communityBoughtWh);
  bills.communitySoldWh.set(supply.communitySoldWh);
  bills.neighbourBoughtWh.set(supply.neighbourBoughtWh);
  bills.neighbourSoldWh.set(supply.neighbourSoldWh);
  bills.retailerBoughtWh.set(supply.retailerBoughtWh);
  bills.retailerSoldWh.set(supply.retailerSoldWh);
  bills.buyPriceUcPerWh.fill(allocation.buyPriceUcPerWh ?? 0, 0, places);
  bills.sellPriceUcPerWh.fill(allocation.sellPriceUcPerWh ?? 0, 0, places);
  bills.amountUc.set(allocation.amountUc);
}

/**
 * What was traded forward and what of it was missing, with its money.
 *
 * @returns what deviations pay the retailer above its ordinary prices; never negative
 */
function payForward(input: SettlementInput, bills: BillColumns): bigint {
  const { delivery, retailer, imbalance } = input;
  if (delivery.forward === null) return 0n;
  const { priceUcPerWh } = delivery.forward;
  const shortUc = BigInt(imbalance.shortUcPerWh - retailer.retailUcPerWh);
  const longUc = BigInt(retailer.feedInUcPerWh - imbalance.longUcPerWh);
  let penaltiesUc = 0n;
  for (let place = 0; place < bills.count; place++) {
    const boughtWh = delivery.forwardBoughtWh[place]!;
    const soldWh = delivery.forwardSoldWh[place]!;
    if (boughtWh + soldWh === 0) continue;
    const imbalanceBoughtWh = imbalanceWh({
      missingWh: delivery.undeliveredWh[place]!,
      insideWh: bills.communityBoughtWh[place]! + bills.neighbourBoughtWh[place]!,
    });
    const imbalanceSoldWh = imbalanceWh({
      missingWh: delivery.untakenWh[place]!,
      insideWh: bills.communitySoldWh[place]! + bills.neighbourSoldWh[place]!,
    });
    bills.forwardBoughtWh[place] = boughtWh;
    bills.forwardSoldWh[place] = soldWh;
    bills.forwardPriceUcPerWh[place] = priceUcPerWh;
    bills.imbalanceBoughtWh[place] = imbalanceBoughtWh;
    bills.imbalanceSoldWh[place] = imbalanceSoldWh;
    bills.retailerBoughtWh[place]! -= imbalanceBoughtWh;
    bills.retailerSoldWh[place]! -= imbalanceSoldWh;
    const penaltyUc = shortUc * BigInt(imbalanceBoughtWh) + longUc * BigInt(imbalanceSoldWh);
    const forwardUc = BigInt(priceUcPerWh) * BigInt(soldWh - boughtWh);
    bills.amountUc[place]! += forwardUc - penaltyUc;
    penaltiesUc += penaltyUc;
  }
  return penaltiesUc;
}

/** NO_MEMBER for a meter that is not billed. */
function billedMember({ roster }: SettlementInput, meterIndex: number): number {
  return isGridMeter(roster.gridMeters, meterIndex) ? roster.memberOfMeter[meterIndex]! : NO_MEMBER;
}

/** Appends a late entry's bill; what it comes to. */
function pushLateBill(
  { retailer }: SettlementInput,
  bills: BillColumns,
  late: LateEntry & { readonly memberIndex: number },
): bigint {
  const { importWh, exportWh } = late;
  const b = bills.count;
  bills.slot[b] = late.slot;
  bills.meterIndex[b] = late.meterIndex;
  bills.memberIndex[b] = late.memberIndex;
  bills.kind[b] = BILL_KIND.late;
  bills.importWh[b] = importWh;
  bills.exportWh[b] = exportWh;
  bills.retailerBoughtWh[b] = importWh;
  bills.retailerSoldWh[b] = exportWh;
  bills.buyPriceUcPerWh[b] = retailer.retailUcPerWh;
  bills.sellPriceUcPerWh[b] = retailer.feedInUcPerWh;
  bills.quality[b] = late.quality;
  const amountUc = BigInt(retailer.feedInUcPerWh * exportWh - retailer.retailUcPerWh * importWh);
  bills.amountUc[b] = amountUc;
  bills.count = b + 1;
  return amountUc;
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
 * Invariant 1 for each meter: export + all bought = import + all sold; without forward energy,
 * bought = import and sold = export; and no part is negative.
 */
function assertBills(bills: BillColumns): void {
  for (let b = 0; b < bills.count; b++) {
    const forwardBoughtWh = bills.forwardBoughtWh[b]!;
    const forwardSoldWh = bills.forwardSoldWh[b]!;
    const communityBoughtWh = bills.communityBoughtWh[b]!;
    const communitySoldWh = bills.communitySoldWh[b]!;
    const neighbourBoughtWh = bills.neighbourBoughtWh[b]!;
    const neighbourSoldWh = bills.neighbourSoldWh[b]!;
    const retailerBoughtWh = bills.retailerBoughtWh[b]!;
    const retailerSoldWh = bills.retailerSoldWh[b]!;
    const imbalanceBoughtWh = bills.imbalanceBoughtWh[b]!;
    const imbalanceSoldWh = bills.imbalanceSoldWh[b]!;
    const importWh = bills.importWh[b]!;
    const boughtWh =
      communityBoughtWh +
      neighbourBoughtWh +
      retailerBoughtWh +
      imbalanceBoughtWh +
      forwardBoughtWh;
    const soldWh =
      communitySoldWh + neighbourSoldWh + retailerSoldWh + imbalanceSoldWh + forwardSoldWh;
    assert(bills.exportWh[b]! + boughtWh === importWh + soldWh, "a bill accounts for all energy");
    const isForward = forwardBoughtWh + forwardSoldWh > 0;
    assert(isForward || boughtWh === importWh, "a bill accounts for all import");
    const least = Math.min(
      communityBoughtWh,
      communitySoldWh,
      neighbourBoughtWh,
      neighbourSoldWh,
      retailerBoughtWh,
      retailerSoldWh,
      forwardBoughtWh,
      forwardSoldWh,
      imbalanceBoughtWh,
      imbalanceSoldWh,
    );
    assert(least >= 0, "energy is never negative");
  }
}
