/**
 * The two phases of a slot in one lane, each a function of that lane alone: `openSlot` turns the
 * report into an offer to the market, `closeSlot` turns the market's answer into bills, balances
 * and a record. Between them stands the market step over all lanes. No phase sees another lane, so
 * lanes may run in any order and on any worker.
 */
import { INSTITUTION, post } from "../ledger/accounts.ts";
import { assert } from "../primitives/errors.ts";
import type { MicroCents, Slot } from "../primitives/units.ts";
import { type Book, buildBook } from "../settlement/book.ts";
import { type Delivery, deliver, type ForwardSlot } from "../settlement/forward.ts";
import { allocateMidMarket } from "../settlement/mid-market.ts";
import { settleSlot } from "../settlement/settle.ts";
import {
  type Allocation,
  type LineTotals,
  type MeteredSlot,
  NO_LINES,
  type Settlement,
  type StandingLimits,
} from "../settlement/slot.ts";
import { allocateUniformPrice } from "../settlement/uniform-price.ts";
import type { Policy } from "../wire/policy.ts";
import type { ForwardRecord, LineFlow, SlotRecord } from "../wire/slot-record.ts";
import type { HeldSlot } from "./forward-book.ts";
import { accountsOf, clearedSlots, type Lane, type PendingReport } from "./lane.ts";
import { COUNTER } from "./lane-columns.ts";
import { policyInForce } from "./policy.ts";
import { receiptsRootOf } from "./receipts.ts";
import type { LaneRules } from "./rules.ts";

/** What a lane brings to the market. */
export type Offer = {
  readonly report: PendingReport;
  readonly metered: MeteredSlot;
  readonly limits: StandingLimits; // copies: in force at the slot's start
  readonly held: HeldSlot | null; // what was traded forward
  readonly delivery: Delivery;
  readonly book: Book | null; // null: the region's mechanism has no auction
  readonly policy: Policy; // the lane's law, which is the one applied
};

/** What the market answers to a lane with a book. */
export type MarketAnswer = {
  readonly priceLowUcPerWh: number | null;
  readonly priceHighUcPerWh: number | null;
  readonly priceUcPerWh: number | null;
  readonly fillWh: Float64Array; // by order of the book
  readonly lines: LineTotals;
  readonly flows: readonly LineFlow[];
};

/**
 * Phase 1: limits that were waiting for this slot come into force; the report becomes an offer of
 * what is left after delivery of forward energy.
 *
 * @param parts.lane - a copy of this block, whose columns may be written; its next report is for
 *   `slot`
 */
export function openSlot(parts: {
  readonly rules: LaneRules;
  readonly regionIndex: number;
  readonly lane: Lane;
  readonly slot: Slot;
  readonly held: HeldSlot | null;
}): Offer {
  const { rules, lane, slot, held } = parts;
  const region = rules.regions[parts.regionIndex]!;
  const report = lane.pending[0];
  assert(report !== undefined && report.report.slot === slot, "a due slot has its report");
  const policy = policyInForce({ rules, regionIndex: parts.regionIndex, lane, slot });
  promoteLimits(lane, slot);
  const { importWh, exportWh, quality, late } = report.report;
  const metered = { slot, importWh, exportWh, quality, late };
  const limits = {
    minSellUcPerWh: lane.columns.minSellUcPerWh.slice(),
    maxBuyUcPerWh: lane.columns.maxBuyUcPerWh.slice(),
  };
  const { roster, mechanism, lineCapacities } = region;
  const { retailer } = rules;
  const forward = held === null ? null : forwardSlot(rules, parts.regionIndex, held);
  const delivery = deliver({ roster, metered, forward });
  const book =
    mechanism === "uniform-price"
      ? buildBook({ roster, delivery, limits, retailer, lines: lineCapacities })
      : null;
  return { report, metered, limits, held, delivery, book, policy };
}

function forwardSlot(rules: LaneRules, regionIndex: number, held: HeldSlot): ForwardSlot {
  const lines = { ...NO_LINES };
  for (const { lineIndex, energyWh, rentUc } of held.flows) {
    const line = rules.lines[lineIndex]!;
    if (line.from === regionIndex) {
      lines.outflowWh += energyWh;
      continue;
    }
    lines.inflowWh += energyWh;
    lines.inflowFeesUc += BigInt(line.feeUcPerWh) * BigInt(energyWh);
    lines.inflowRentUc += rentUc;
  }
  return { priceUcPerWh: held.priceUcPerWh, positions: held.positions, lines };
}

function promoteLimits({ columns }: Lane, slot: Slot): void {
  const due = BigInt(slot);
  const { pendingFromSlot } = columns;
  for (let m = 0; m < pendingFromSlot.length; m++) {
    if (pendingFromSlot[m] === 0n || pendingFromSlot[m]! > due) continue;
    columns.minSellUcPerWh[m] = columns.pendingMinSellUcPerWh[m]!;
    columns.maxBuyUcPerWh[m] = columns.pendingMaxBuyUcPerWh[m]!;
    pendingFromSlot[m] = 0n;
    columns.pendingMinSellUcPerWh[m] = 0;
    columns.pendingMaxBuyUcPerWh[m] = 0;
  }
}

/** Phase 2: bills, balances, registers and the record of the slot. Writes the lane's columns. */
export function closeSlot(parts: {
  readonly rules: LaneRules;
  readonly regionIndex: number;
  readonly lane: Lane;
  readonly offer: Offer;
  readonly answer: MarketAnswer | null; // null exactly where the offer has no book
  readonly height: number;
}): { readonly lane: Lane; readonly record: SlotRecord } {
  const { rules, lane, offer, answer } = parts;
  const { roster } = rules.regions[parts.regionIndex]!;
  const { metered, delivery } = offer;
  const { retailer } = rules;
  const imbalance = rules.forward.law;
  const allocation = allocate(rules, offer, answer);
  const settlement = settleSlot({ roster, metered, delivery, retailer, imbalance, allocation });
  post(accountsOf(lane), settlement.entries);
  addSettledEnergy(lane, metered);
  lane.columns.counters[COUNTER.cleared] = BigInt(clearedSlots(lane) + 1);
  return {
    lane: { ...lane, pending: lane.pending.slice(1) },
    record: slotRecord(parts, allocation, settlement),
  };
}

function allocate(
  rules: LaneRules,
  { delivery, book }: Offer,
  answer: MarketAnswer | null,
): Allocation {
  const { retailer } = rules;
  if (book === null) return allocateMidMarket({ delivery, retailer });
  assert(answer !== null, "a book is answered by the market");
  const { fillWh, priceUcPerWh, lines } = answer;
  return allocateUniformPrice({ book, fillWh, priceUcPerWh, lines, retailer });
}

/** All meters count, billed or not: settled energy is what the register moved. */
function addSettledEnergy({ columns }: Lane, metered: MeteredSlot): void {
  const { settledImportWh, settledExportWh } = columns;
  for (let m = 0; m < settledImportWh.length; m++) {
    if (metered.importWh[m]! > 0) settledImportWh[m]! += BigInt(metered.importWh[m]!);
    if (metered.exportWh[m]! > 0) settledExportWh[m]! += BigInt(metered.exportWh[m]!);
  }
  for (const late of metered.late) {
    settledImportWh[late.meterIndex]! += BigInt(late.importWh);
    settledExportWh[late.meterIndex]! += BigInt(late.exportWh);
  }
}

function forwardRecord(held: HeldSlot | null): ForwardRecord | null {
  if (held === null) return null;
  const { priceUcPerWh, positions, flows } = held;
  const sum = (side: "boughtWh" | "soldWh") =>
    positions.reduce((total, position) => total + position[side], 0);
  return { priceUcPerWh, boughtWh: sum("boughtWh"), soldWh: sum("soldWh"), flows };
}

function slotRecord(
  {
    rules,
    regionIndex,
    offer,
    answer,
    height,
  }: Pick<Parameters<typeof closeSlot>[0], "rules" | "regionIndex" | "offer" | "answer" | "height">,
  allocation: Allocation,
  settlement: Settlement,
): SlotRecord {
  const { metered, limits, report } = offer;
  const region = rules.regions[regionIndex]!;
  const institution = (name: keyof typeof INSTITUTION) =>
    settlement.entries.institutionUc[INSTITUTION[name]]! as MicroCents;
  const idle = region.touchingLines.map((lineIndex) => {
    return { lineIndex, energyWh: 0, rentUc: 0n as MicroCents };
  });
  return {
    regionIndex,
    slot: metered.slot,
    height,
    mechanism: region.mechanism,
    priceLowUcPerWh: answer?.priceLowUcPerWh ?? null,
    priceHighUcPerWh: answer?.priceHighUcPerWh ?? null,
    priceUcPerWh: allocation.priceUcPerWh,
    buyPriceUcPerWh: allocation.buyPriceUcPerWh,
    sellPriceUcPerWh: allocation.sellPriceUcPerWh,
    importWh: Float64Array.from(metered.importWh),
    exportWh: Float64Array.from(metered.exportWh),
    quality: metered.quality,
    minSellUcPerWh: limits.minSellUcPerWh,
    maxBuyUcPerWh: limits.maxBuyUcPerWh,
    flows: answer?.flows ?? idle,
    forward: forwardRecord(offer.held),
    tradedWh: settlement.tradedWh,
    inflowWh: answer?.lines.inflowWh ?? 0,
    outflowWh: answer?.lines.outflowWh ?? 0,
    retailerBoughtWh: settlement.retailerBoughtWh,
    retailerSoldWh: settlement.retailerSoldWh,
    retailerUc: institution("retailer"),
    neighboursUc: institution("neighbours"),
    gridOperatorUc: institution("gridOperator"),
    treasuryUc: institution("treasury"),
    refusedReadings: report.report.refusedReadings,
    reportHash: report.hash,
    readingsRoot: report.report.readingsRoot,
    receiptsRoot: receiptsRootOf(settlement.bills),
    bills: settlement.bills,
    policy: offer.policy,
  };
}
