/**
 * Energy summaries that are ready when asked for: last slot, today, everything, per member, per
 * region and for the community. Fed by each committed block; nothing is summed up on a request.
 *
 * Safe because it only adds up what the chain has committed, and can be thrown away: a start reads
 * the last day's statements and the slot records since. Blocks that arrive meanwhile wait, and a
 * slot is counted once whichever way it comes.
 */
import type { ChainReader } from "../chain/access.ts";
import { assert, GridError } from "../primitives/errors.ts";
import { AGGREGATE_METERS_MIN } from "../primitives/limits.ts";
import { type Slot, slot, slotAt, unixSeconds } from "../primitives/units.ts";
import type { EnergySummary, EnergyWindow } from "../wire/api.ts";
import type { SlotRecord } from "../wire/slot-record.ts";
import { type MarketCalendar, type MarketDay, marketCalendar } from "./market-day.ts";
import { cumulativeAt, forEachRecord, rolledUpTo, type StatementStore } from "./statements.ts";
import { energySummary } from "./summary.ts";
import { groupTotals, type RegionLayout, regionLayout, TotalsTable } from "./totals.ts";

export type ReadModel = {
  /** Settles when the past is added up; rejects where it cannot be read. */
  readonly warmed: Promise<void>;
  layout(regionIndex: number): RegionLayout;
  lastRecord(regionIndex: number): SlotRecord | null;
  /** A member's summary, or with null the whole region's. O(1). */
  summary(request: {
    readonly regionIndex: number;
    readonly memberIndex: number | null;
    readonly window: EnergyWindow;
  }): EnergySummary;
  /** All regions together; null where they have too few meters to be shown. O(regions). */
  communitySummary(window: EnergyWindow): EnergySummary | null;
  /** Stops listening. */
  close(): void;
};

export function createReadModel({
  chain,
  statements,
  timeZone,
}: {
  chain: ChainReader;
  statements: StatementStore;
  timeZone: string;
}): ReadModel {
  const { genesis } = chain;
  const calendar = marketCalendar({ timeZone, slotS: genesis.slotS });
  const regions = genesis.regions.map((_, i) => new RegionSums(regionLayout(genesis, i)));
  const waiting: SlotRecord[] = [];
  let open: "warming" | "live" = "warming";
  const take = (record: SlotRecord) => {
    regions[record.regionIndex]!.add(record, calendar.dayOf(record.slot));
  };
  const stop = chain.onBlock((block) => {
    if (open === "warming") waiting.push(...block.slotRecords);
    else block.slotRecords.forEach(take);
  });
  const warm = async () => {
    const { lastClearedSlot } = chain.head();
    if (lastClearedSlot !== null) {
      await warmUp({ chain, statements, calendar, regions, lastClearedSlot });
    }
    waiting.splice(0).forEach(take);
    open = "live";
  };
  const regionAt = (regionIndex: number) => {
    const region = regions[regionIndex];
    assert(region !== undefined, "a region index is in range");
    return region;
  };
  return {
    warmed: warm(),
    layout: (regionIndex) => regionAt(regionIndex).layout,
    lastRecord: (regionIndex) => regionAt(regionIndex).lastRecord,
    summary: ({ regionIndex, memberIndex, window }) => {
      const { layout, tables } = regionAt(regionIndex);
      const metered =
        memberIndex === null
          ? layout.hasProduction.includes(true)
          : layout.hasProduction[memberIndex] === true;
      const totals = tables[window].row(memberIndex);
      return energySummary({ window, totals, production: metered ? "metered" : "none" });
    },
    communitySummary: (window) => communitySummary(regions, window),
    close: stop,
  };
}

/** One region's running sums. */
class RegionSums {
  readonly layout: RegionLayout;
  readonly tables: Readonly<Record<EnergyWindow, TotalsTable>>;
  lastRecord: SlotRecord | null = null;
  #day: string | null = null;
  #rolledUpTo = -1; // slots up to here are in `all` from the statements

  constructor(layout: RegionLayout) {
    this.layout = layout;
    this.tables = {
      last: new TotalsTable(layout),
      today: new TotalsTable(layout),
      all: new TotalsTable(layout),
    };
  }

  rolledUpTo(at: Slot): void {
    this.#rolledUpTo = at;
  }

  /** Adds a slot, unless it was added before. Slots come in order. */
  add(record: SlotRecord, { day }: MarketDay): void {
    if (this.lastRecord !== null && record.slot <= this.lastRecord.slot) return;
    const { last, today, all } = this.tables;
    last.clear();
    last.add(record);
    if (day !== this.#day) today.clear();
    today.add(record);
    if (record.slot > this.#rolledUpTo) all.add(record);
    this.#day = day;
    this.lastRecord = record;
  }
}

async function warmUp({
  chain,
  statements,
  calendar,
  regions,
  lastClearedSlot,
}: {
  chain: ChainReader;
  statements: StatementStore;
  calendar: MarketCalendar;
  regions: readonly RegionSums[];
  lastClearedSlot: Slot;
}): Promise<void> {
  const { genesisTimeS, slotS } = chain.genesis;
  const rolledUp = await rolledUpTo({ statements, calendar });
  if (rolledUp !== null && rolledUp.toSlot > lastClearedSlot) {
    throw new GridError(
      "database_corrupt",
      `the statements reach ${rolledUp.day}, further than the chain: remove them to begin anew`,
      { directory: "statements", what: "statements of days that the chain has not cleared" },
    );
  }
  const today = calendar.dayOf(lastClearedSlot).fromSlot;
  const genesisSlot = slotAt(unixSeconds(genesisTimeS), slotS);
  const unrolled = rolledUp === null ? genesisSlot : rolledUp.toSlot + 1;
  const fromSlot = slot(Math.min(today, unrolled));
  for (const [regionIndex, region] of regions.entries()) {
    if (rolledUp !== null) {
      region.rolledUpTo(rolledUp.toSlot);
      for (const memberIndex of [null, ...region.layout.hasProduction.keys()]) {
        const owner = { regionIndex, memberIndex };
        region.tables.all.setRow(memberIndex, await cumulativeAt(statements, owner, rolledUp.day));
      }
    }
    await forEachRecord({ chain, regionIndex, fromSlot, toSlot: lastClearedSlot }, (record) =>
      region.add(record, calendar.dayOf(record.slot)),
    );
  }
}

/**
 * Regions too small to be shown alone count only where they are enough together: else the
 * community's sums less the regions' own would show them.
 */
function communitySummary(
  regions: readonly RegionSums[],
  window: EnergyWindow,
): EnergySummary | null {
  const meters = (list: readonly RegionSums[]) =>
    list.reduce((sum, region) => sum + region.layout.gridMeters, 0);
  const small = regions.filter((region) => region.layout.gridMeters < AGGREGATE_METERS_MIN);
  const shown =
    meters(small) >= AGGREGATE_METERS_MIN
      ? regions
      : regions.filter((region) => !small.includes(region));
  if (meters(shown) < AGGREGATE_METERS_MIN) return null;
  const metered = shown.some((region) => region.layout.hasProduction.includes(true));
  return energySummary({
    window,
    totals: groupTotals(shown.map((region) => region.tables[window].row(null))),
    production: metered ? "metered" : "none",
  });
}
