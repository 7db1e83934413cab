/**
 * What bills and production readings add up to, per member and for a whole region: the one set of
 * sums that summaries, statements and ratios are made of.
 *
 * Safe because every column is additive (a summary is computed from sums, never from summaries), so
 * days and regions can be added in any order, and a late bill corrects the sums exactly. A late
 * bill counts when it is settled, as a correction in accounting does: closed days stay closed.
 * Peaks alone are not additive: over time the greater one counts, and what members draw at the same
 * time is added up slot by slot, never from their peaks.
 */
import { assert } from "../primitives/errors.ts";
import { AGGREGATE_METERS_MIN } from "../primitives/limits.ts";
import type { MicroCents } from "../primitives/units.ts";
import { createRoster, type Roster } from "../settlement/roster.ts";
import { BILL_KIND, type Bill, boughtAtDeliveryWh, soldAtDeliveryWh } from "../wire/bill.ts";
import { forwardLaw, type Genesis, type Mechanism } from "../wire/genesis.ts";
import { QUALITY } from "../wire/report.ts";
import type { SlotRecord } from "../wire/slot-record.ts";

/** Columns in Wh, but for the first. Stored: append, never reorder. */
export const ENERGY_COLUMNS = [
  "missingReadings", // meter-slots without a value at the cut-off
  "productionWh", // of production meters
  "consumptionWh", // production + import - export where production is metered, else import
  "ownUseWh", // production - export where production is metered
  "importWh",
  "exportWh",
  "communityBoughtWh",
  "communitySoldWh",
  "neighbourBoughtWh",
  "neighbourSoldWh",
  "retailerBoughtWh",
  "retailerSoldWh",
  "producerSoldWh", // exported and not sold to the retailer by members whose production is metered
  "unmeteredExportWh", // exported by members whose production is not metered
  "forwardBoughtWh",
  "forwardSoldWh",
  "imbalanceBoughtWh",
  "imbalanceSoldWh",
] as const;
/** Columns in micro-cents. Stored: append, never reorder. */
export const MONEY_COLUMNS = ["paidUc", "earnedUc", "retailerAloneUc"] as const;

export type EnergyColumn = (typeof ENERGY_COLUMNS)[number];
export type MoneyColumn = (typeof MONEY_COLUMNS)[number];

/** The slots that sums cover; null where there is none yet. */
export type Span = {
  readonly fromSlot: number | null;
  readonly toSlot: number | null;
  readonly slots: number;
};
/** The slot that drew the most, the earliest of equals; its late bills are not in it. */
export type Peak = { readonly importWh: number; readonly slot: number };
/** One row of sums: a member's, a region's or a community's. */
export type Totals = Span & {
  readonly energyWh: Float64Array; // by ENERGY_COLUMNS
  readonly moneyUc: BigInt64Array; // by MONEY_COLUMNS
  readonly peak: Peak | null; // null where there is no slot yet
};

const E = Object.fromEntries(ENERGY_COLUMNS.map((name, i) => [name, i])) as {
  readonly [Column in EnergyColumn]: number;
};
const M = Object.fromEntries(MONEY_COLUMNS.map((name, i) => [name, i])) as {
  readonly [Column in MoneyColumn]: number;
};

export function emptyTotals(): Totals {
  return {
    fromSlot: null,
    toSlot: null,
    slots: 0,
    energyWh: new Float64Array(ENERGY_COLUMNS.length),
    moneyUc: new BigInt64Array(MONEY_COLUMNS.length),
    peak: null,
  };
}

/**
 * Sums over groups of the same slots: members of a region, regions of a community.
 *
 * @param peak - of the group as a whole, which the rows do not tell
 */
export function groupTotals(rows: readonly Totals[], peak: Peak | null): Totals {
  const filled = rows.filter((row) => row.fromSlot !== null);
  const [first] = filled;
  if (first === undefined) return emptyTotals();
  return {
    fromSlot: Math.min(...filled.map((row) => row.fromSlot!)),
    toSlot: Math.max(...filled.map((row) => row.toSlot!)),
    slots: Math.max(...filled.map((row) => row.slots)),
    ...filled.slice(1).reduce<Columns>(addColumns, {
      energyWh: first.energyWh,
      moneyUc: first.moneyUc,
    }),
    peak,
  };
}

/** Sums over two stretches of time, the first of which is before the other. */
export function joinTotals({ before, after }: { before: Totals; after: Totals }): Totals {
  if (before.toSlot === null) return after;
  if (after.fromSlot === null) return before;
  assert(before.toSlot < after.fromSlot, "joined stretches do not overlap");
  return {
    fromSlot: before.fromSlot,
    toSlot: after.toSlot,
    slots: before.slots + after.slots,
    ...addColumns(before, after),
    peak: greaterPeak(before.peak, after.peak),
  };
}

/** The earlier one of equals, given that `before` is. */
export function greaterPeak(before: Peak | null, after: Peak | null): Peak | null {
  if (before === null || after === null) return before ?? after;
  return after.importWh > before.importWh ? after : before;
}

type Columns = Pick<Totals, "energyWh" | "moneyUc">;

function addColumns(a: Columns, b: Columns): Columns {
  return {
    energyWh: a.energyWh.map((value, i) => value + b.energyWh[i]!),
    moneyUc: a.moneyUc.map((value, i) => value + b.moneyUc[i]!),
  };
}

export function energyOf(totals: Totals, column: EnergyColumn): number {
  return totals.energyWh[E[column]]!;
}

export function moneyOf(totals: Totals, column: MoneyColumn): MicroCents {
  return totals.moneyUc[M[column]]! as MicroCents;
}

/** What a region's sums need to know of its meters and members. */
export type RegionLayout = {
  readonly regionIndex: number;
  readonly members: number;
  readonly gridMeters: number;
  readonly roster: Roster;
  readonly roles: readonly ("grid" | "production" | "feeder")[]; // by meter index
  readonly memberOfMeter: readonly (number | null)[];
  readonly hasProduction: readonly boolean[]; // by member index
  readonly retailUcPerWh: bigint;
  readonly feedInUcPerWh: bigint;
  readonly longUcPerWh: bigint; // not above feed-in
};

export function regionLayout(genesis: Genesis, regionIndex: number): RegionLayout {
  const region = genesis.regions[regionIndex];
  assert(region !== undefined, "a layout is of a region of the genesis");
  const roles = region.meters.map((meter) => meter.role);
  const memberOfMeter = region.meters.map((meter) => meter.memberIndex);
  const hasProduction = region.members.map(() => false);
  roles.forEach((role, i) => {
    const member = memberOfMeter[i];
    if (role === "production" && typeof member === "number") hasProduction[member] = true;
  });
  return {
    regionIndex,
    members: region.members.length,
    gridMeters: roles.filter((role) => role === "grid").length,
    roster: createRoster(region),
    roles,
    memberOfMeter,
    hasProduction,
    retailUcPerWh: BigInt(genesis.retailUcPerWh),
    feedInUcPerWh: BigInt(genesis.feedInUcPerWh),
    longUcPerWh: BigInt(forwardLaw(genesis).longUcPerWh),
  };
}

const NO_PEAK = -1; // Wh: below any slot's

/** Sums of one region over a window: a row per member, then the region's own. */
export class TotalsTable {
  readonly layout: RegionLayout;
  readonly #energyWh: Float64Array;
  readonly #moneyUc: BigInt64Array;
  readonly #peakWh: Float64Array; // by row; NO_PEAK before the first slot
  readonly #peakSlot: Float64Array;
  #span: Span = { fromSlot: null, toSlot: null, slots: 0 };

  constructor(layout: RegionLayout) {
    this.layout = layout;
    this.#energyWh = new Float64Array((layout.members + 1) * ENERGY_COLUMNS.length);
    this.#moneyUc = new BigInt64Array((layout.members + 1) * MONEY_COLUMNS.length);
    this.#peakWh = new Float64Array(layout.members + 1).fill(NO_PEAK);
    this.#peakSlot = new Float64Array(layout.members + 1);
  }

  clear(): void {
    this.#energyWh.fill(0);
    this.#moneyUc.fill(0n);
    this.#peakWh.fill(NO_PEAK);
    this.#span = { fromSlot: null, toSlot: null, slots: 0 };
  }

  /** A copy of a member's row, or of the region's where `memberIndex` is null. O(1). */
  row(memberIndex: number | null): Totals {
    const at = memberIndex ?? this.layout.members;
    const [energy, money] = [at * ENERGY_COLUMNS.length, at * MONEY_COLUMNS.length];
    return {
      ...this.#span,
      energyWh: this.#energyWh.slice(energy, energy + ENERGY_COLUMNS.length),
      moneyUc: this.#moneyUc.slice(money, money + MONEY_COLUMNS.length),
      peak:
        this.#peakWh[at] === NO_PEAK
          ? null
          : { importWh: this.#peakWh[at]!, slot: this.#peakSlot[at]! },
    };
  }

  /** Puts a stored row in place; the table takes over its span. */
  setRow(memberIndex: number | null, totals: Totals): void {
    const at = memberIndex ?? this.layout.members;
    this.#energyWh.set(totals.energyWh, at * ENERGY_COLUMNS.length);
    this.#moneyUc.set(totals.moneyUc, at * MONEY_COLUMNS.length);
    this.#peakWh[at] = totals.peak?.importWh ?? NO_PEAK;
    this.#peakSlot[at] = totals.peak?.slot ?? 0;
    this.#span = { fromSlot: totals.fromSlot, toSlot: totals.toSlot, slots: totals.slots };
  }

  /** Adds a cleared slot. Slots MUST come in order. O(meters of the region). */
  add(record: SlotRecord): void {
    const { layout } = this;
    assert(record.regionIndex === layout.regionIndex, "a table adds up its own region");
    assert(record.slot > (this.#span.toSlot ?? -1), "slots are added up in order");
    const producerKnown = layout.hasProduction.slice();
    layout.roles.forEach((role, meter) => {
      const member = layout.memberOfMeter[meter];
      if (role === "feeder" || typeof member !== "number") return;
      if (record.quality[meter] !== QUALITY.missing) return;
      this.#addEnergy(member, E.missingReadings, 1);
      // Without its production, what a home did behind its meter is unknown in this slot.
      if (role === "production") producerKnown[member] = false;
    });
    layout.roles.forEach((role, meter) => {
      const member = layout.memberOfMeter[meter];
      if (role !== "production" || typeof member !== "number" || !producerKnown[member]) return;
      const productionWh = record.exportWh[meter]!;
      this.#addEnergy(member, E.productionWh, productionWh);
      this.#addEnergy(member, E.consumptionWh, productionWh);
      this.#addEnergy(member, E.ownUseWh, productionWh);
    });
    for (const bill of record.bills) {
      if (layout.roles[bill.meterIndex] !== "grid") continue;
      const known = bill.kind === BILL_KIND.late ? layout.hasProduction : producerKnown;
      this.#addBill(bill, known[bill.memberIndex] ? "known" : "unknown", record.mechanism);
    }
    slotImports(record, layout).forEach((importWh, at) => {
      if (importWh <= this.#peakWh[at]!) return;
      this.#peakWh[at] = importWh;
      this.#peakSlot[at] = record.slot;
    });
    this.#span = {
      fromSlot: this.#span.fromSlot ?? record.slot,
      toSlot: record.slot,
      slots: this.#span.slots + 1,
    };
  }

  #addBill(bill: Bill, producer: "known" | "unknown", mechanism: Mechanism): void {
    const member = bill.memberIndex;
    const { importWh, exportWh } = bill;
    const behindMeterWh = producer === "known" ? -exportWh : 0;
    this.#addEnergy(member, E.consumptionWh, importWh + behindMeterWh);
    this.#addEnergy(member, E.ownUseWh, behindMeterWh);
    this.#addEnergy(member, E.importWh, importWh);
    this.#addEnergy(member, E.exportWh, exportWh);
    this.#addEnergy(member, E.communityBoughtWh, bill.communityBoughtWh);
    this.#addEnergy(member, E.communitySoldWh, bill.communitySoldWh);
    this.#addEnergy(member, E.neighbourBoughtWh, bill.neighbourBoughtWh);
    this.#addEnergy(member, E.neighbourSoldWh, bill.neighbourSoldWh);
    this.#addEnergy(member, E.retailerBoughtWh, bill.retailerBoughtWh);
    this.#addEnergy(member, E.retailerSoldWh, bill.retailerSoldWh);
    this.#addEnergy(member, E.forwardBoughtWh, bill.forwardBoughtWh);
    this.#addEnergy(member, E.forwardSoldWh, bill.forwardSoldWh);
    this.#addEnergy(member, E.imbalanceBoughtWh, bill.imbalanceBoughtWh);
    this.#addEnergy(member, E.imbalanceSoldWh, bill.imbalanceSoldWh);
    if (producer === "known") {
      this.#addEnergy(member, E.producerSoldWh, bill.exportWh - bill.retailerSoldWh);
    }
    if (this.layout.hasProduction[member] !== true) {
      this.#addEnergy(member, E.unmeteredExportWh, exportWh);
    }
    const { paidUc, earnedUc } = paidAndEarned({ bill, mechanism, ...this.layout });
    this.#addMoney(member, M.paidUc, paidUc);
    this.#addMoney(member, M.earnedUc, earnedUc);
    this.#addMoney(member, M.retailerAloneUc, retailerAloneUc(bill, this.layout));
  }

  #addEnergy(member: number, column: number, energyWh: number): void {
    this.#energyWh[member * ENERGY_COLUMNS.length + column]! += energyWh;
    this.#energyWh[this.layout.members * ENERGY_COLUMNS.length + column]! += energyWh;
  }

  #addMoney(member: number, column: number, amountUc: bigint): void {
    this.#moneyUc[member * MONEY_COLUMNS.length + column]! += amountUc;
    this.#moneyUc[this.layout.members * MONEY_COLUMNS.length + column]! += amountUc;
  }
}

/** What each member drew in the slot, Wh, and after them the region; late bills left out. */
export function slotImports(
  record: SlotRecord,
  { roles, members }: Pick<RegionLayout, "roles" | "members">,
): Float64Array {
  const importWh = new Float64Array(members + 1);
  for (const bill of record.bills) {
    if (bill.kind === BILL_KIND.late || roles[bill.meterIndex] !== "grid") continue;
    importWh[bill.memberIndex]! += bill.importWh;
    importWh[members]! += bill.importWh;
  }
  return importWh;
}

/**
 * Regions whose sums make the community's. Those too small to be shown alone count only where they
 * are enough together: else the community's sums less the regions' own would show them.
 */
export function regionsShownTogether(layouts: readonly RegionLayout[]): readonly RegionLayout[] {
  const meters = (list: readonly RegionLayout[]) =>
    list.reduce((sum, layout) => sum + layout.gridMeters, 0);
  const small = layouts.filter((layout) => layout.gridMeters < AGGREGATE_METERS_MIN);
  const hidden = meters(small) < AGGREGATE_METERS_MIN;
  const shown = hidden ? layouts.filter((layout) => !small.includes(layout)) : layouts;
  return meters(shown) < AGGREGATE_METERS_MIN ? [] : shown;
}

/** What the energy would have come to with the retailer alone; negative: paid. */
export function retailerAloneUc(
  bill: Pick<Bill, "importWh" | "exportWh">,
  tariff: Pick<RegionLayout, "retailUcPerWh" | "feedInUcPerWh">,
): MicroCents {
  const earnedUc = BigInt(bill.exportWh) * tariff.feedInUcPerWh;
  return (earnedUc - BigInt(bill.importWh) * tariff.retailUcPerWh) as MicroCents;
}

/**
 * Splits a bill's amount: earned - paid = amount, exactly. A bill that both buys and sells is split
 * at what its sales came to by the slot's printed prices, so to the unit only where those are not
 * rounded; at prices that would make a part negative, the amount's sign decides.
 */
function paidAndEarned({
  bill,
  mechanism,
  feedInUcPerWh,
  longUcPerWh,
}: {
  bill: Bill;
  mechanism: Mechanism;
  feedInUcPerWh: bigint;
  longUcPerWh: bigint;
}): { readonly paidUc: bigint; readonly earnedUc: bigint } {
  // The mid-market rate's sell price is the average over all export, the retailer's part included.
  const retailerSoldWh = bill.retailerSoldWh + bill.imbalanceSoldWh;
  const averagedWh =
    mechanism === "mid-market-rate" && bill.kind === BILL_KIND.slot ? retailerSoldWh : 0;
  const marketWh = bill.communitySoldWh + bill.neighbourSoldWh + averagedWh;
  const salesUc =
    BigInt(marketWh) * BigInt(bill.sellPriceUcPerWh) +
    BigInt(retailerSoldWh - averagedWh) * feedInUcPerWh -
    BigInt(bill.imbalanceSoldWh) * (feedInUcPerWh - longUcPerWh) +
    BigInt(bill.forwardSoldWh) * BigInt(bill.forwardPriceUcPerWh);
  const buysAndSells =
    boughtAtDeliveryWh(bill) + bill.forwardBoughtWh > 0 &&
    soldAtDeliveryWh(bill) + bill.forwardSoldWh > 0;
  if (buysAndSells && salesUc >= 0n && salesUc >= bill.amountUc) {
    return { paidUc: salesUc - bill.amountUc, earnedUc: salesUc };
  }
  if (bill.amountUc < 0n) return { paidUc: -bill.amountUc, earnedUc: 0n };
  return { paidUc: 0n, earnedUc: bill.amountUc };
}
