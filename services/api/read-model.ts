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
    community.peaks.add({ slot: record.slot, importWh: regionImport(record, region), day });
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

  /** Adds a slot, unless it was added before: then false. Slots come in order. */
  add(record: SlotRecord, { day }: MarketDay): boolean {
    if (this.lastRecord !== null && record.slot <= this.lastRecord.slot) return false;
    const { last, today, all } = this.tables;
    last.clear();
    last.add(record);
    if (day !== this.#day) today.clear();
    today.add(record);
    if (record.slot > this.#rolledUpTo) all.add(record);
    this.#day = day;
    this.lastRecord = record;
    return true;
  }
}

type Community = {
  readonly shown: readonly RegionSums[]; // regions whose sums make the community's
  readonly peaks: CommunityPeaks;
};

/**
 * What the shown regions drew at the same time. A slot's regions clear together, so a slot's sum
 * only grows until the next one begins, and the greatest sum so far is the peak so far.
 */
class CommunityPeaks {
  #day: string | null = null;
  #last: Peak | null = null;
  #today: Peak | null = null;
  #all: Peak | null = null;

  /** What was before anything that is added. */
  seed(all: Peak | null): void {
    this.#all = all;
  }

  add({ slot: at, importWh, day }: { slot: Slot; importWh: number; day: MarketDay }): void {
    const before = this.#last?.slot === at ? this.#last.importWh : 0;
    this.#last = { slot: at, importWh: before + importWh };
    this.#today = day.day === this.#day ? greaterPeak(this.#today, this.#last) : this.#last;
    this.#all = greaterPeak(this.#all, this.#last);
    this.#day = day.day;
  }

  of(window: EnergyWindow): Peak | null {
    return { last: this.#last, today: this.#today, all: this.#all }[window];
  }
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
  for (const [at, wh] of [...importWh].sort(([one], [two]) => one - two)) {
    community.peaks.add({ slot: at, importWh: wh, day: calendar.dayOf(at) });
  }
}

function communitySummary(
  { shown, peaks }: Community,
  { window, slotS }: { window: EnergyWindow; slotS: number },
): EnergySummary | null {
  if (shown.length === 0) return null;
  const metered = shown.some((region) => region.layout.hasProduction.includes(true));
  const rows = shown.map((region) => region.tables[window].row(null));
  return energySummary({
    window,
    totals: groupTotals(rows, peaks.of(window)),
    production: metered ? "metered" : "none",
    slotS,
  });
}
