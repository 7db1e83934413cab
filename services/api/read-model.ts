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
import { type Slot, slot, slotAt, unixSeconds } from "../primitives/units.ts";
import type { EnergySummary, EnergyWindow } from "../wire/api.ts";
import type { SlotRecord } from "../wire/slot-record.ts";
import { type MarketCalendar, type MarketDay, marketCalendar } from "./market-day.ts";
import {
  COMMUNITY,
  cumulativeAt,
  forEachRecord,
  rolledUpTo,
  type StatementStore,
} from "./statements.ts";
import { energySummary } from "./summary.ts";
import {
  greaterPeak,
  groupTotals,
  type Peak,
  type RegionLayout,
  regionLayout,
  regionsShownTogether,
  slotImports,
  TotalsTable,
} from "./totals.ts";

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
  const shown = regionsShownTogether(regions.map(({ layout }) => layout));
  const community: Community = {
    shown: shown.map(({ regionIndex }) => regions[regionIndex]!),
    peaks: new CommunityPeaks(),
  };
  const waiting: SlotRecord[] = [];
  let open: "warming" | "live" = "warming";
  const take = (record: SlotRecord) => {
    const region = regions[record.regionIndex]!;
    const day = calendar.dayOf(record.slot);
    if (!region.add(record, day) || !community.shown.includes(region)) return;
    const completeSlot = completeSlotOf(community.shown);
    const importWh = regionImport(record, region);
    community.peaks.add({ slot: record.slot, importWh, day, completeSlot });
  };
  const stop = chain.onBlock((block) => {
    if (open === "warming") waiting.push(...block.slotRecords);
    else block.slotRecords.forEach(take);
  });
  const warm = async () => {
    const { lastClearedSlot } = chain.head();
    if (lastClearedSlot !== null) {
      await warmUp({ chain, statements, calendar, regions, community, lastClearedSlot });
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
      const production = metered ? "metered" : "none";
      return energySummary({ window, totals, production, slotS: genesis.slotS });
    },
    communitySummary: (window) => communitySummary(community, { window, slotS: genesis.slotS }),
    close: stop,
  };
}

/** One region's running sums. */
class RegionSums {
  readonly layout: RegionLayout;
  readonly tables: Readonly<Record<EnergyWindow, TotalsTable>>;
  lastRecord: SlotRecord | null = null;
  day: string | null = null; // of the last record
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

  /** Adds a slot, unless it was added before: then false. Slots come in order. */
  add(record: SlotRecord, { day }: MarketDay): boolean {
    if (this.lastRecord !== null && record.slot <= this.lastRecord.slot) return false;
    const { last, today, all } = this.tables;
    last.clear();
    last.add(record);
    if (day !== this.day) today.clear();
    today.add(record);
    if (record.slot > this.#rolledUpTo) all.add(record);
    this.day = day;
    this.lastRecord = record;
    return true;
  }
}

type Community = {
  readonly shown: readonly RegionSums[]; // regions whose sums make the community's
  readonly peaks: CommunityPeaks;
};

/**
 * What the shown regions drew at the same time. A slot's regions mostly clear together, but one
 * that was out of the market comes later, slot by slot. A slot's sum only grows, so the greatest
 * sum so far is the peak so far; sums that can still grow are kept.
 */
class CommunityPeaks {
  readonly #importWh = new Map<Slot, number>(); // of slots that some region has not cleared yet
  #day: string | null = null;
  #last: Peak | null = null;
  #today: Peak | null = null;
  #all: Peak | null = null;

  /** What was before anything that is added. */
  seed(all: Peak | null): void {
    this.#all = all;
  }

  /** @param added.completeSlot - no region's part of a slot up to here is still to come */
  add(added: {
    readonly slot: Slot;
    readonly importWh: number;
    readonly day: MarketDay;
    readonly completeSlot: number;
  }): void {
    const { slot: at, day, completeSlot } = added;
    const peak = { slot: at, importWh: (this.#importWh.get(at) ?? 0) + added.importWh };
    this.#importWh.set(at, peak.importWh);
    this.#all = greaterPeak(this.#all, peak);
    if (this.#last === null || at >= this.#last.slot) {
      this.#last = peak;
      if (day.day !== this.#day) this.#today = null;
      this.#day = day.day;
    }
    if (day.day === this.#day) this.#today = greaterPeak(this.#today, peak);
    for (const known of this.#importWh.keys()) {
      if (known <= completeSlot) this.#importWh.delete(known);
    }
  }

  of(window: EnergyWindow): Peak | null {
    return { last: this.#last, today: this.#today, all: this.#all }[window];
  }
}

/** The last slot of which all of these regions have been added; -1 while one has none. */
function completeSlotOf(regions: readonly RegionSums[]): number {
  return Math.min(...regions.map(({ lastRecord }) => lastRecord?.slot ?? -1));
}

function regionImport(record: SlotRecord, { layout }: RegionSums): number {
  return slotImports(record, layout)[layout.members]!;
}

async function warmUp({
  chain,
  statements,
  calendar,
  regions,
  community,
  lastClearedSlot,
}: {
  chain: ChainReader;
  statements: StatementStore;
  calendar: MarketCalendar;
  regions: readonly RegionSums[];
  community: Community;
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
  const importWh = new Map<Slot, number>(); // of the shown regions together
  for (const [regionIndex, region] of regions.entries()) {
    const isShown = community.shown.includes(region);
    if (rolledUp !== null) {
      region.rolledUpTo(rolledUp.toSlot);
      for (const memberIndex of [null, ...region.layout.hasProduction.keys()]) {
        const owner = { regionIndex, memberIndex };
        region.tables.all.setRow(memberIndex, await cumulativeAt(statements, owner, rolledUp.day));
      }
    }
    await forEachRecord({ chain, regionIndex, fromSlot, toSlot: lastClearedSlot }, (record) => {
      region.add(record, calendar.dayOf(record.slot));
      if (!isShown) return;
      const wh = (importWh.get(record.slot) ?? 0) + regionImport(record, region);
      importWh.set(record.slot, wh);
    });
  }
  if (rolledUp !== null && community.shown.length > 0) {
    const { peak } = await cumulativeAt(statements, COMMUNITY, rolledUp.day);
    community.peaks.seed(peak);
  }
  const completeSlot = completeSlotOf(community.shown);
  for (const [at, wh] of [...importWh].sort(([one], [two]) => one - two)) {
    community.peaks.add({ slot: at, importWh: wh, day: calendar.dayOf(at), completeSlot });
  }
}

/** A region that lags behind, being out of the market, has no part in a window that it missed. */
function presentIn(regions: readonly RegionSums[], window: EnergyWindow): readonly RegionSums[] {
  if (window === "all") return regions;
  const slotOf = ({ lastRecord }: RegionSums) => lastRecord?.slot ?? -1;
  const last = Math.max(...regions.map(slotOf));
  const newest = regions.find((region) => slotOf(region) === last);
  return regions.filter((region) => {
    return window === "last" ? slotOf(region) === last : region.day === newest?.day;
  });
}

function communitySummary(
  { shown, peaks }: Community,
  { window, slotS }: { window: EnergyWindow; slotS: number },
): EnergySummary | null {
  const present = presentIn(shown, window);
  // A region that is missing must not show what those beside it draw.
  const together = regionsShownTogether(present.map(({ layout }) => layout));
  const summed = present.filter(({ layout }) => together.includes(layout));
  if (summed.length === 0) return null;
  const metered = summed.some((region) => region.layout.hasProduction.includes(true));
  const rows = summed.map((region) => region.tables[window].row(null));
  const peak = summed.length === present.length ? peaks.of(window) : null;
  return energySummary({
    window,
    totals: groupTotals(rows, peak),
    production: metered ? "metered" : "none",
    slotS,
  });
}
