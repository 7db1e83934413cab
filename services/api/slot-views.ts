/** A slot record as the public, and as one member, may see it. */
import { toHex0x } from "../primitives/bytes.ts";
import { AGGREGATE_METERS_MIN } from "../primitives/limits.ts";
import type { BillLine, SlotDetail, SlotSummary } from "../wire/api.ts";
import { BILL_KIND, type Bill, boughtAtDeliveryWh, soldAtDeliveryWh } from "../wire/bill.ts";
import type { Genesis } from "../wire/genesis.ts";
import { QUALITY, QUALITY_LETTERS } from "../wire/report.ts";
import type { SlotRecord } from "../wire/slot-record.ts";
import { publicCurve } from "./public-curve.ts";
import { type RegionLayout, retailerAloneUc } from "./totals.ts";

export function slotSummary(record: SlotRecord, genesis: Genesis): SlotSummary {
  const { slotS } = genesis;
  const region = genesis.regions[record.regionIndex]!;
  const gridWh = (energyWh: Float64Array) =>
    energyWh.reduce(
      (sum, value, meter) => (region.meters[meter]?.role === "grid" ? sum + value : sum),
      0,
    );
  const missing = record.quality.reduce((n, q) => (q === QUALITY.missing ? n + 1 : n), 0);
  return {
    region: region.id,
    slot: record.slot,
    startS: record.slot * slotS,
    endS: (record.slot + 1) * slotS,
    height: record.height,
    mechanism: record.mechanism,
    priceUcPerWh: record.priceUcPerWh,
    priceIntervalUcPerWh:
      record.priceUcPerWh === null ? null : [record.priceLowUcPerWh, record.priceHighUcPerWh],
    buyPriceUcPerWh: record.buyPriceUcPerWh,
    sellPriceUcPerWh: record.sellPriceUcPerWh,
    importWh: gridWh(record.importWh),
    exportWh: gridWh(record.exportWh),
    tradedWh: record.tradedWh,
    inflowWh: record.inflowWh,
    outflowWh: record.outflowWh,
    retailerBoughtWh: record.retailerBoughtWh,
    retailerSoldWh: record.retailerSoldWh,
    metersReported: record.quality.length - missing,
    metersMissing: missing,
    refusedReadings: record.refusedReadings,
  };
}

/** @param memberIndex - whose own order to add; null without a session of this region */
export function slotDetail({
  record,
  genesis,
  layout,
  memberIndex,
}: {
  record: SlotRecord;
  genesis: Genesis;
  layout: RegionLayout;
  memberIndex: number | null;
}): SlotDetail {
  return {
    ...slotSummary(record, genesis),
    ...publicCurve(record, layout),
    retailUcPerWh: genesis.retailUcPerWh,
    feedInUcPerWh: genesis.feedInUcPerWh,
    forward: forward(record),
    flows: flows(record, genesis),
    receiptsRoot: toHex0x(record.receiptsRoot),
    readingsRoot: toHex0x(record.readingsRoot),
    reportHash: toHex0x(record.reportHash),
    own: memberIndex === null ? null : ownOrder(record, layout, memberIndex),
  };
}

/** The price is everybody's; energy only where enough meters stand behind it. */
function forward({ forward: auction, bills }: SlotRecord): SlotDetail["forward"] {
  if (auction === null || auction.boughtWh + auction.soldWh === 0) return null;
  const meters = (side: "forwardBoughtWh" | "forwardSoldWh") =>
    [...bills].reduce((n, bill) => (bill[side] > 0 ? n + 1 : n), 0);
  const { priceUcPerWh, boughtWh, soldWh } = auction;
  const larger = boughtWh > soldWh ? "forwardBoughtWh" : "forwardSoldWh";
  const isShown = meters(larger) >= AGGREGATE_METERS_MIN;
  return { priceUcPerWh, tradedWh: isShown ? Math.max(boughtWh, soldWh) : null };
}

/** A line to a region too small to be shown would show it. */
function flows(record: SlotRecord, genesis: Genesis): SlotDetail["flows"] {
  return record.flows.flatMap(({ lineIndex, energyWh, rentUc }) => {
    const line = genesis.lines[lineIndex]!;
    if (isSmall(genesis, line.from) || isSmall(genesis, line.to)) return [];
    return [
      {
        line: line.id,
        from: line.from,
        to: line.to,
        energyWh,
        capacityWh: line.capacityWh,
        feeUcPerWh: line.feeUcPerWh,
        rentUc: rentUc.toString(),
      },
    ];
  });
}

function isSmall(genesis: Genesis, regionId: string): boolean {
  const meters = genesis.regions.find(({ id }) => id === regionId)?.meters ?? [];
  return meters.filter(({ role }) => role === "grid").length < AGGREGATE_METERS_MIN;
}

function ownOrder(
  record: SlotRecord,
  layout: RegionLayout,
  memberIndex: number,
): SlotDetail["own"] {
  const bills = record.bills.ofMember(memberIndex).flatMap(({ bill }) => {
    return bill.kind === BILL_KIND.slot ? [bill] : [];
  });
  const total = (field: "importWh" | "exportWh" | "amountUc") =>
    bills.reduce((sum, bill) => sum + BigInt(bill[field]), 0n);
  return {
    importWh: Number(total("importWh")),
    exportWh: Number(total("exportWh")),
    minSellUcPerWh: record.minSellUcPerWh[memberIndex]!,
    maxBuyUcPerWh: record.maxBuyUcPerWh[memberIndex]!,
    amountUc: total("amountUc").toString(),
    why: why({ record, layout, memberIndex, bills }),
  };
}

function why({
  record,
  layout,
  memberIndex,
  bills,
}: {
  record: SlotRecord;
  layout: RegionLayout;
  memberIndex: number;
  bills: readonly Bill[];
}): NonNullable<SlotDetail["own"]>["why"] {
  const isMissing = layout.roles.some(
    (role, meter) =>
      role === "grid" &&
      layout.memberOfMeter[meter] === memberIndex &&
      record.quality[meter] === QUALITY.missing,
  );
  if (isMissing) return "missing";
  // What the registers and the forward position left to buy and to sell.
  let [marketWh, importWh, exportWh] = [0, 0, 0];
  for (const bill of bills) {
    importWh += boughtAtDeliveryWh(bill);
    exportWh += soldAtDeliveryWh(bill);
    marketWh += bill.communityBoughtWh + bill.communitySoldWh;
    marketWh += bill.neighbourBoughtWh + bill.neighbourSoldWh;
  }
  const isAuction = record.mechanism === "uniform-price";
  // There, what a member drew and fed in at once is billed as community energy without an order.
  const ownWh = isAuction ? Math.min(importWh, exportWh) : 0;
  const orderedWh = importWh + exportWh - 2 * ownWh;
  const matchedWh = marketWh - 2 * ownWh;
  if (orderedWh === 0) return "nothing";
  if (matchedWh >= orderedWh) return "traded";
  if (matchedWh > 0) return "partly";
  const price = record.priceUcPerWh;
  if (price === null || !isAuction) return "unmatched";
  const buyStopped = importWh > exportWh && record.maxBuyUcPerWh[memberIndex]! < price;
  const saleStopped = exportWh > importWh && record.minSellUcPerWh[memberIndex]! > price;
  return buyStopped || saleStopped ? "limit" : "unmatched";
}

/** A bill as its member sees it. */
export function billLine({
  record,
  leafIndex,
  genesis,
  layout,
}: {
  record: SlotRecord;
  leafIndex: number;
  genesis: Genesis;
  layout: RegionLayout;
}): BillLine {
  const bill = record.bills.at(leafIndex)!;
  return {
    ...bill,
    amountUc: bill.amountUc.toString(),
    region: genesis.regions[record.regionIndex]!.id,
    startS: bill.slot * genesis.slotS,
    endS: (bill.slot + 1) * genesis.slotS,
    height: record.height,
    settledSlot: record.slot,
    leafIndex,
    qualityLetter: QUALITY_LETTERS[bill.quality]!,
    retailerAloneUc: retailerAloneUc(bill, layout).toString(),
  };
}
