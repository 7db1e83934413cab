/**
 * Daily statements: what each member's and each region's market day came to, and what everything
 * up to its end came to. Made by a calendar job from the slot records, stored once.
 *
 * Safe because a statement is a function of its day's slot records and the day before, and is keyed
 * by its day: a job that runs twice, or again after a crash, writes the same bytes to the same
 * keys. `lastDay` moves only when all statements of a day are stored.
 */
import type { ChainReader } from "../chain/access.ts";
import { assert, GridError } from "../primitives/errors.ts";
import { PAGE_ROWS_MAX } from "../primitives/limits.ts";
import { type Slot, slot, slotAt, unixSeconds } from "../primitives/units.ts";
import type { SlotRecord } from "../wire/slot-record.ts";
import { type MarketCalendar, type MarketDay, marketCalendar } from "./market-day.ts";
import {
  emptyTotals,
  greaterPeak,
  groupTotals,
  joinTotals,
  type Peak,
  regionLayout,
  regionsShownTogether,
  slotImports,
  type Totals,
  TotalsTable,
} from "./totals.ts";

/** Whose statement: a member's, with null the region's own, with both null the community's. */
export type StatementOwner = {
  readonly regionIndex: number | null;
  readonly memberIndex: number | null;
};
/** The regions that are shown together, where there are any (`regionsShownTogether`). */
export const COMMUNITY: StatementOwner = { regionIndex: null, memberIndex: null };
export type Statement = StatementOwner & {
  readonly day: string; // YYYY-MM-DD
  readonly totals: Totals; // of the day
  readonly cumulative: Totals; // from the first slot to the end of the day
};

/**
 * Requirements (one shared suite holds every implementation to them):
 * 1. `put` MUST be durable when it resolves, and MUST replace what stands under the same key.
 * 2. `completeDay` MUST be durable when it resolves; `lastDay` answers the day it was given last.
 * 3. `list` answers one owner's statements in [fromDay, toDay], newest first, at most `limit`.
 */
export type StatementStore = {
  put(statements: readonly Statement[]): Promise<void>;
  completeDay(day: string): Promise<void>;
  lastDay(): Promise<string | null>;
  get(key: StatementOwner & { readonly day: string }): Promise<Statement | null>;
  list(
    range: StatementOwner & {
      readonly fromDay: string;
      readonly toDay: string;
      readonly limit: number;
    },
  ): Promise<Statement[]>;
};

/** Forgets with the process: for simulation, and for replays whose chain is not kept either. */
export class MemoryStatementStore implements StatementStore {
  readonly #statements = new Map<string, Statement>();
  #lastDay: string | null = null;

  async put(statements: readonly Statement[]): Promise<void> {
    for (const statement of statements) this.#statements.set(keyOf(statement), statement);
  }

  async completeDay(day: string): Promise<void> {
    this.#lastDay = day;
  }

  async lastDay(): Promise<string | null> {
    return this.#lastDay;
  }

  async get(key: StatementOwner & { day: string }): Promise<Statement | null> {
    return this.#statements.get(keyOf(key)) ?? null;
  }

  async list(
    range: StatementOwner & { fromDay: string; toDay: string; limit: number },
  ): Promise<Statement[]> {
    const own = [...this.#statements.values()].filter(
      ({ regionIndex, memberIndex, day }) =>
        regionIndex === range.regionIndex &&
        memberIndex === range.memberIndex &&
        day >= range.fromDay &&
        day <= range.toDay,
    );
    return own.sort((a, b) => (a.day < b.day ? 1 : -1)).slice(0, range.limit);
  }
}

function keyOf({ regionIndex, memberIndex, day }: StatementOwner & { day: string }): string {
  return `${regionIndex ?? "community"}/${memberIndex ?? "region"}/${day}`;
}

/** Statements written in one batch. */
const STATEMENTS_PER_BATCH_MAX = 2048;

/**
 * Makes the statements of every complete market day since the last one stored. A day is complete
 * when its last slot is not after `untilSlot`, the last cleared slot.
 *
 * @returns the days made, oldest first; none when there is nothing to do
 */
export async function rollUpDays({
  chain,
  statements,
  timeZone,
  untilSlot,
}: {
  chain: Pick<ChainReader, "genesis" | "slotRecords">;
  statements: StatementStore;
  timeZone: string;
  untilSlot: Slot;
}): Promise<string[]> {
  const { genesis } = chain;
  const calendar = marketCalendar({ timeZone, slotS: genesis.slotS });
  const made: string[] = [];
  const rolledUp = await rolledUpTo({ statements, calendar });
  const genesisSlot = slotAt(unixSeconds(genesis.genesisTimeS), genesis.slotS);
  const layouts = genesis.regions.map((_, regionIndex) => regionLayout(genesis, regionIndex));
  const shown = regionsShownTogether(layouts);
  let previous = rolledUp?.day ?? null;
  let fromSlot = rolledUp === null ? genesisSlot : slot(rolledUp.toSlot + 1);
  for (;;) {
    const day = calendar.dayOf(fromSlot);
    if (day.toSlot > untilSlot) return made;
    const importWh = new Map<Slot, number>(); // of the shown regions together
    const rows: Totals[] = [];
    for (const [regionIndex, layout] of layouts.entries()) {
      const table = new TotalsTable(layout);
      const isShown = shown.includes(layout);
      await forEachRecord({ chain, regionIndex, ...day }, (record) => {
        table.add(record);
        if (!isShown) return;
        const regionWh = slotImports(record, layout)[layout.members]!;
        importWh.set(record.slot, (importWh.get(record.slot) ?? 0) + regionWh);
      });
      await storeRegionDay({ statements, table, day: day.day, previous });
      if (isShown) rows.push(table.row(null));
    }
    if (rows.length > 0) {
      const totals = groupTotals(rows, peakOf(importWh));
      await storeDay({ statements, day: day.day, previous, owner: COMMUNITY, totals });
    }
    await statements.completeDay(day.day);
    made.push(day.day);
    previous = day.day;
    fromSlot = slot(day.toSlot + 1);
  }
}

/**
 * The last day that is rolled up, and its last slot.
 *
 * @throws GridError database_corrupt where the statements were made in another time zone
 */
export async function rolledUpTo({
  statements,
  calendar,
}: {
  statements: StatementStore;
  calendar: MarketCalendar;
}): Promise<MarketDay | null> {
  const lastDay = await statements.lastDay();
  if (lastDay === null) return null;
  const day = calendar.named(lastDay);
  const { toSlot } = await cumulativeAt(statements, { regionIndex: 0, memberIndex: null }, lastDay);
  if (toSlot === day.toSlot) return day;
  throw new GridError(
    "database_corrupt",
    `the statement of ${lastDay} ends elsewhere: was the time zone changed? Remove the statements`,
    { directory: "statements", what: "days of another time zone" },
  );
}

async function storeRegionDay({
  statements,
  table,
  day,
  previous,
}: {
  statements: StatementStore;
  table: TotalsTable;
  day: string;
  previous: string | null;
}): Promise<void> {
  const { regionIndex, members } = table.layout;
  const owners = [null, ...Array.from({ length: members }, (_, member) => member)];
  for (let from = 0; from < owners.length; from += STATEMENTS_PER_BATCH_MAX) {
    const batch = owners.slice(from, from + STATEMENTS_PER_BATCH_MAX).map((memberIndex) => {
      const owner = { regionIndex, memberIndex };
      return statementOf({ statements, day, previous, owner, totals: table.row(memberIndex) });
    });
    await statements.put(await Promise.all(batch));
  }
}

type StatementParts = {
  readonly statements: StatementStore;
  readonly day: string;
  readonly previous: string | null; // the day before, where there is one
  readonly owner: StatementOwner;
  readonly totals: Totals;
};

async function statementOf(parts: StatementParts): Promise<Statement> {
  const { statements, day, previous, owner, totals } = parts;
  const before = await cumulativeAt(statements, owner, previous);
  return { ...owner, day, totals, cumulative: joinTotals({ before, after: totals }) };
}

async function storeDay(parts: StatementParts): Promise<void> {
  await parts.statements.put([await statementOf(parts)]);
}

/** @param importWh - by slot, in order */
function peakOf(importWh: ReadonlyMap<Slot, number>): Peak | null {
  let peak: Peak | null = null;
  for (const [at, wh] of importWh) peak = greaterPeak(peak, { importWh: wh, slot: at });
  return peak;
}

/** Everything up to the end of a stored day; nothing where `day` is null. */
export async function cumulativeAt(
  statements: StatementStore,
  owner: StatementOwner,
  day: string | null,
): Promise<Totals> {
  if (day === null) return emptyTotals();
  const statement = await statements.get({ ...owner, day });
  assert(statement !== null, "a completed day has a statement of every member");
  return statement.cumulative;
}

/** Visits a region's slot records of [fromSlot, toSlot], oldest first, a bounded page at a time. */
export async function forEachRecord(
  {
    chain,
    regionIndex,
    fromSlot,
    toSlot,
  }: {
    chain: Pick<ChainReader, "slotRecords">;
    regionIndex: number;
    fromSlot: Slot;
    toSlot: Slot;
  },
  visit: (record: SlotRecord) => void,
): Promise<void> {
  const pageSlots = Math.min(PAGE_ROWS_MAX, 128);
  for (let from: number = fromSlot; from <= toSlot; from += pageSlots) {
    const page = await chain.slotRecords({
      regionIndex,
      fromSlot: slot(from),
      toSlot: slot(Math.min(toSlot, from + pageSlots - 1)),
      limit: pageSlots,
    });
    for (const record of page.reverse()) visit(record);
  }
}
