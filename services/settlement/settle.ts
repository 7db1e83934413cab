/**
 * One region's slot after the market: bills and account entries, with conservation asserted.
 *
 * Late energy settles with the retailer alone, at its prices, on a bill of its own that names the
 * slot it belongs to; it never touches another member's bill.
 */
import { createAccounts, INSTITUTION } from "../ledger/accounts.ts";
import { type Holder, transfer } from "../ledger/transfers.ts";
import { assert } from "../primitives/errors.ts";
import type { MicroCents } from "../primitives/units.ts";
import { BILL_KIND, type Bill } from "../wire/bill.ts";
import type { LateEntry } from "../wire/report.ts";
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
  roster.gridMeters.forEach((_, place) => {
    const bill = slotBill(input, place);
    bills.push(bill);
    entries.memberUc[bill.memberIndex]! += bill.amountUc;
    tradedWh += bill.communityBoughtWh;
    soldWh += bill.communitySoldWh;
    retailerBoughtWh += bill.retailerBoughtWh;
    retailerSoldWh += bill.retailerSoldWh;
  });
  assert(tradedWh === soldWh, "what the community sold is what it bought");
  entries.institutionUc[INSTITUTION.retailer] = allocation.retailerUc;
  entries.institutionUc[INSTITUTION.neighbours] = allocation.neighboursUc;
  entries.institutionUc[INSTITUTION.gridOperator] = allocation.gridOperatorUc;
  entries.institutionUc[INSTITUTION.treasury] = allocation.treasuryUc;
  for (const late of metered.late) {
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
  const retailerUc = entries.institutionUc[INSTITUTION.retailer]! as MicroCents;
  return { bills, entries, tradedWh, retailerBoughtWh, retailerSoldWh, retailerUc };
}

function slotBill({ roster, metered, allocation }: SettlementInput, place: number): Bill {
  const meterIndex = roster.gridMeters[place]!;
  const { supply } = allocation;
  const bill: Bill = {
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
    retailerBoughtWh: supply.retailerBoughtWh[place]!,
    retailerSoldWh: supply.retailerSoldWh[place]!,
    buyPriceUcPerWh: allocation.buyPriceUcPerWh ?? 0,
    sellPriceUcPerWh: allocation.sellPriceUcPerWh ?? 0,
    amountUc: allocation.amountUc[place]! as MicroCents,
    quality: metered.quality[meterIndex]!,
  };
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

/** Invariant 1 for one meter: settled energy is metered energy, and no part is negative. */
function assertBill(bill: Bill): void {
  const boughtWh = bill.communityBoughtWh + bill.neighbourBoughtWh + bill.retailerBoughtWh;
  const soldWh = bill.communitySoldWh + bill.neighbourSoldWh + bill.retailerSoldWh;
  assert(boughtWh === bill.importWh, "a bill accounts for all import");
  assert(soldWh === bill.exportWh, "a bill accounts for all export");
  const least = Math.min(
    bill.communityBoughtWh,
    bill.communitySoldWh,
    bill.neighbourBoughtWh,
    bill.neighbourSoldWh,
    bill.retailerBoughtWh,
    bill.retailerSoldWh,
  );
  assert(least >= 0, "energy is never negative");
}
