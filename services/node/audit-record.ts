/**
 * One slot record against the report it settles and against itself: every meter's energy, every
 * bill, the region's energy and its money. Written from the words of the law (`wire/bill.ts`,
 * `wire/slot-record.ts`), not from the code that settles, which it must not share a mistake with.
 */
import type { Difference } from "../chain/record-difference.ts";
import type { Rules } from "../chain/rules.ts";
import { toHex } from "../primitives/bytes.ts";
import { BILL_KIND, type Bill, boughtAtDeliveryWh, soldAtDeliveryWh } from "../wire/bill.ts";
import type { LateEntry, Report } from "../wire/report.ts";
import type { LineFlow, SlotRecord } from "../wire/slot-record.ts";

type Lines = { readonly metered: LineSums; readonly forward: LineSums };

export type CertifiedReport = { readonly report: Report; readonly hash: Uint8Array };

/** @returns the first field that is not what report, law and the other fields make it */
export function recordLawDifference(
  rules: Rules,
  record: SlotRecord,
  certified: CertifiedReport,
): Difference | null {
  const sums = sumsOf(record);
  const { regionIndex } = record;
  const lines = {
    metered: lineSums(rules, regionIndex, record.flows),
    forward: lineSums(rules, regionIndex, record.forward?.flows ?? []),
  };
  return (
    reportFields(record, certified) ??
    billFields(rules, record, certified.report) ??
    energyFields(record, sums, lines) ??
    moneyFields(rules, record, { sums, lines })
  );
}

function expectEqual(field: string, stored: number | bigint | string, computed: typeof stored) {
  if (stored === computed) return null;
  return { field, stored: String(stored), computed: String(computed) };
}

/** The first difference of a list of checks. */
function first(...checks: readonly (Difference | null)[]): Difference | null {
  return checks.find((check) => check !== null) ?? null;
}

/** What the committee certified stands in the record as it was certified. */
function reportFields(record: SlotRecord, { report, hash }: CertifiedReport): Difference | null {
  for (let m = 0; m < report.importWh.length; m++) {
    const found = first(
      expectEqual(`importWh[${m}]`, record.importWh[m] ?? -1, report.importWh[m]!),
      expectEqual(`exportWh[${m}]`, record.exportWh[m] ?? -1, report.exportWh[m]!),
      expectEqual(`quality[${m}]`, record.quality[m] ?? -1, report.quality[m]!),
    );
    if (found !== null) return found;
  }
  return first(
    expectEqual("importWh.length", record.importWh.length, report.importWh.length),
    expectEqual("refusedReadings", record.refusedReadings, report.refusedReadings),
    expectEqual("reportHash", toHex(record.reportHash), toHex(hash)),
    expectEqual("readingsRoot", toHex(record.readingsRoot), toHex(report.readingsRoot)),
  );
}

/** One bill for each grid meter in its order, then one for each late entry of a grid meter. */
function billFields(rules: Rules, record: SlotRecord, report: Report): Difference | null {
  const { roster } = rules.regions[record.regionIndex]!;
  const late = report.late.filter(({ meterIndex }) => roster.gridMeters.includes(meterIndex));
  const count = roster.gridMeters.length + late.length;
  const short = expectEqual("bills.length", record.bills.length, count);
  if (short !== null) return short;
  let i = 0;
  for (const bill of record.bills) {
    const meterIndex = roster.gridMeters[i];
    const found =
      meterIndex === undefined
        ? lateBill(rules, bill, late[i - roster.gridMeters.length]!)
        : slotBill(rules, record, { bill, meterIndex });
    const memberIndex = roster.memberOfMeter[bill.meterIndex]!;
    const named = found ?? expectEqual("memberIndex", bill.memberIndex, memberIndex);
    if (named !== null) return { ...named, field: `bills[${i}].${named.field}` };
    i++;
  }
  return null;
}

function slotBill(
  rules: Rules,
  record: SlotRecord,
  { bill, meterIndex }: { readonly bill: Bill; readonly meterIndex: number },
): Difference | null {
  const forwardWh = bill.forwardBoughtWh + bill.forwardSoldWh;
  const forwardPrice = forwardWh > 0 ? (record.forward?.priceUcPerWh ?? 0) : 0;
  const boughtWh = boughtAtDeliveryWh(bill) + bill.forwardBoughtWh;
  const soldWh = soldAtDeliveryWh(bill) + bill.forwardSoldWh;
  return first(
    expectEqual("meterIndex", bill.meterIndex, meterIndex),
    expectEqual("slot", bill.slot, record.slot),
    expectEqual("kind", bill.kind, BILL_KIND.slot),
    expectEqual("importWh", bill.importWh, record.importWh[meterIndex]!),
    expectEqual("exportWh", bill.exportWh, record.exportWh[meterIndex]!),
    expectEqual("quality", bill.quality, record.quality[meterIndex]!),
    expectEqual("forwardPriceUcPerWh", bill.forwardPriceUcPerWh, forwardPrice),
    negativePart(bill),
    expectEqual("energy: export + bought", bill.exportWh + boughtWh, bill.importWh + soldWh),
    record.mechanism === "uniform-price"
      ? expectEqual("amountUc", bill.amountUc, uniformAmountUc(rules, record, bill))
      : null,
  );
}

function negativePart(bill: Bill): Difference | null {
  for (const [name, value] of Object.entries(bill)) {
    if (!name.endsWith("Wh") || name.endsWith("PerWh") || value >= 0) continue;
    return { field: name, stored: String(value), computed: "not negative" };
  }
  return null;
}

/** Inside at the price, outside at the retailer's, deviations at the law's, forward at its own. */
function uniformAmountUc(rules: Rules, record: SlotRecord, bill: Bill): bigint {
  const { retailUcPerWh, feedInUcPerWh } = rules.retailer;
  const { shortUcPerWh, longUcPerWh } = rules.forward.law;
  const insideWh =
    bill.communitySoldWh + bill.neighbourSoldWh - bill.communityBoughtWh - bill.neighbourBoughtWh;
  const uc = (price: number, energyWh: number) => BigInt(price) * BigInt(energyWh);
  return (
    uc(record.priceUcPerWh ?? 0, insideWh) +
    uc(feedInUcPerWh, bill.retailerSoldWh) -
    uc(retailUcPerWh, bill.retailerBoughtWh) +
    uc(longUcPerWh, bill.imbalanceSoldWh) -
    uc(shortUcPerWh, bill.imbalanceBoughtWh) +
    uc(bill.forwardPriceUcPerWh, bill.forwardSoldWh - bill.forwardBoughtWh)
  );
}

function lateBill(rules: Rules, bill: Bill, late: LateEntry): Difference | null {
  const { retailUcPerWh, feedInUcPerWh } = rules.retailer;
  const amountUc =
    BigInt(feedInUcPerWh) * BigInt(late.exportWh) - BigInt(retailUcPerWh) * BigInt(late.importWh);
  return first(
    expectEqual("meterIndex", bill.meterIndex, late.meterIndex),
    expectEqual("slot", bill.slot, late.slot),
    expectEqual("kind", bill.kind, BILL_KIND.late),
    expectEqual("importWh", bill.importWh, late.importWh),
    expectEqual("exportWh", bill.exportWh, late.exportWh),
    expectEqual("retailerBoughtWh", bill.retailerBoughtWh, late.importWh),
    expectEqual("retailerSoldWh", bill.retailerSoldWh, late.exportWh),
    expectEqual("amountUc", bill.amountUc, amountUc),
  );
}

type Sums = ReturnType<typeof sumsOf>;

function sumsOf({ bills }: SlotRecord) {
  const sums = {
    ...{ communityBoughtWh: 0, communitySoldWh: 0, neighbourBoughtWh: 0, neighbourSoldWh: 0 },
    ...{ retailerBoughtWh: 0, retailerSoldWh: 0, imbalanceBoughtWh: 0, imbalanceSoldWh: 0 },
    ...{ forwardBoughtWh: 0, forwardSoldWh: 0, membersUc: 0n },
  };
  for (const bill of bills) {
    sums.communityBoughtWh += bill.communityBoughtWh;
    sums.communitySoldWh += bill.communitySoldWh;
    sums.neighbourBoughtWh += bill.neighbourBoughtWh;
    sums.neighbourSoldWh += bill.neighbourSoldWh;
    sums.retailerBoughtWh += bill.retailerBoughtWh;
    sums.retailerSoldWh += bill.retailerSoldWh;
    sums.imbalanceBoughtWh += bill.imbalanceBoughtWh;
    sums.imbalanceSoldWh += bill.imbalanceSoldWh;
    sums.forwardBoughtWh += bill.forwardBoughtWh;
    sums.forwardSoldWh += bill.forwardSoldWh;
    sums.membersUc += bill.amountUc;
  }
  return sums;
}

type LineSums = {
  readonly inflowWh: number;
  readonly outflowWh: number;
  readonly feesUc: bigint; // of lines that end in the region
  readonly rentUc: bigint;
};

function lineSums(rules: Rules, regionIndex: number, flows: readonly LineFlow[]): LineSums {
  const { id } = rules.genesis.regions[regionIndex]!;
  const sums = { inflowWh: 0, outflowWh: 0, feesUc: 0n, rentUc: 0n };
  for (const { lineIndex, energyWh, rentUc } of flows) {
    const line = rules.genesis.lines[lineIndex]!;
    if (line.from === id) sums.outflowWh += energyWh;
    if (line.to !== id) continue;
    sums.inflowWh += energyWh;
    sums.feesUc += BigInt(line.feeUcPerWh) * BigInt(energyWh);
    sums.rentUc += rentUc;
  }
  return sums;
}

/**
 * The region's energy. What its retailer sold into lines, or took from them, stands in no field and
 * follows: outflow less inflow, and what members had of neighbours.
 */
function energyFields(record: SlotRecord, sums: Sums, lines: Lines): Difference | null {
  const { metered, forward } = lines;
  const boughtWh = sums.retailerBoughtWh + sums.imbalanceBoughtWh;
  const soldWh = sums.retailerSoldWh + sums.imbalanceSoldWh;
  return first(
    expectEqual("tradedWh", record.tradedWh, sums.communityBoughtWh),
    expectEqual("sold in the community, Wh", sums.communitySoldWh, sums.communityBoughtWh),
    expectEqual("inflowWh", record.inflowWh, metered.inflowWh),
    expectEqual("outflowWh", record.outflowWh, metered.outflowWh),
    expectEqual("retailerBoughtWh", record.retailerBoughtWh, boughtWh),
    expectEqual("retailerSoldWh", record.retailerSoldWh, soldWh),
    expectEqual("forward.boughtWh", record.forward?.boughtWh ?? 0, sums.forwardBoughtWh),
    expectEqual("forward.soldWh", record.forward?.soldWh ?? 0, sums.forwardSoldWh),
    expectEqual(
      "forward: sold + inflow, Wh",
      sums.forwardSoldWh + forward.inflowWh,
      sums.forwardBoughtWh + forward.outflowWh,
    ),
  );
}

/** Each institution's entry from what it is for, and all entries together. */
function moneyFields(
  rules: Rules,
  record: SlotRecord,
  { sums, lines }: { readonly sums: Sums; readonly lines: Lines },
): Difference | null {
  const { metered, forward } = lines;
  const flowUc = (price: number | null | undefined, { inflowWh, outflowWh }: LineSums) =>
    BigInt(price ?? 0) * BigInt(inflowWh - outflowWh);
  const feesUc = metered.feesUc + forward.feesUc;
  const rentUc = metered.rentUc + forward.rentUc;
  const neighboursUc =
    flowUc(record.priceUcPerWh, metered) + flowUc(record.forward?.priceUcPerWh, forward);
  const { retailerUc, gridOperatorUc, treasuryUc } = record;
  const entriesUc = sums.membersUc + retailerUc + record.neighboursUc + gridOperatorUc + treasuryUc;
  return first(
    expectEqual("gridOperatorUc", gridOperatorUc, feesUc),
    expectEqual("treasuryUc", treasuryUc, rentUc),
    expectEqual("neighboursUc", record.neighboursUc, neighboursUc - feesUc - rentUc),
    expectEqual("retailerUc", retailerUc, retailerIncomeUc(rules, sums, metered)),
    expectEqual("sum of the slot's entries, uc", entriesUc, 0n),
  );
}

function retailerIncomeUc(rules: Rules, sums: Sums, metered: LineSums): bigint {
  const { retailUcPerWh, feedInUcPerWh } = rules.retailer;
  const { shortUcPerWh, longUcPerWh } = rules.forward.law;
  const toLinesWh =
    metered.outflowWh - metered.inflowWh + sums.neighbourBoughtWh - sums.neighbourSoldWh;
  const uc = (price: number, energyWh: number) => BigInt(price) * BigInt(energyWh);
  return (
    uc(retailUcPerWh, sums.retailerBoughtWh + Math.max(toLinesWh, 0)) -
    uc(feedInUcPerWh, sums.retailerSoldWh + Math.max(-toLinesWh, 0)) +
    uc(shortUcPerWh, sums.imbalanceBoughtWh) -
    uc(longUcPerWh, sums.imbalanceSoldWh)
  );
}
