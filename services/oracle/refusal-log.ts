/**
 * The paper trail of refused records: one row each, counted by code, per region and market day.
 *
 * Bounded: after REFUSALS_PER_DAY_MAX rows of a region and day only the counters go on, so a
 * hostile device costs a counter, not a disk. Rows are written with the batch that answers.
 */
import { bytesEqual } from "../primitives/bytes.ts";
import { REFUSALS_PER_DAY_MAX } from "../primitives/limits.ts";
import type { OracleStore, StoreChange } from "./store.ts";
import { dayKey, NO_REGION, refusalKey } from "./store-keys.ts";
import { encodeCounts, encodeRefusalRow, type RefusalRow } from "./store-rows.ts";

const DAY_S = 86_400;

export type Refusal = RefusalRow & {
  readonly regionIndex: number | null; // null: the record names no region of this network
};

export type RefusalQuery = {
  readonly regionIndex: number | null;
  readonly day: number; // market day, floor(unix s / 86400)
  readonly deviceId?: Uint8Array;
  readonly limit: number; // rows
};
export type RefusalPage = {
  readonly counts: ReadonlyMap<number, number>; // by code, of the whole region and day
  readonly rows: readonly RefusalRow[]; // newest first, at most `limit`
};

type Day = { readonly day: number; readonly counts: Map<number, number>; total: number };

export class RefusalLog {
  readonly #store: OracleStore;
  readonly #rowsMax: number;
  readonly #days = new Map<number, Day>(); // current day by region

  constructor(store: OracleStore, rowsMax = REFUSALS_PER_DAY_MAX) {
    this.#store = store;
    this.#rowsMax = rowsMax;
  }

  /** Counts a refusal. `row` is null where the day's log is full. */
  add(refusal: Refusal): { readonly row: StoreChange | null; readonly count: StoreChange } {
    const regionIndex = refusal.regionIndex ?? NO_REGION;
    const at = this.#day(regionIndex, Math.floor(refusal.timeS / DAY_S));
    const counter = at.total++;
    at.counts.set(refusal.code, (at.counts.get(refusal.code) ?? 0) + 1);
    const { day } = at;
    return {
      row:
        counter < this.#rowsMax
          ? {
              table: "refusal",
              key: refusalKey({ regionIndex, day, counter }),
              value: encodeRefusalRow(refusal),
            }
          : null,
      count: {
        table: "refusals",
        key: dayKey({ regionIndex, day }),
        value: encodeCounts(at.counts),
      },
    };
  }

  /** What was refused and is durable, of one region and market day. */
  async read(query: RefusalQuery): Promise<RefusalPage> {
    const at = { regionIndex: query.regionIndex ?? NO_REGION, day: query.day };
    const rows: RefusalRow[] = [];
    for await (const row of this.#store.refusals(at)) {
      if (rows.length >= query.limit) break;
      if (query.deviceId === undefined || isOf(row, query.deviceId)) rows.push(row);
    }
    return { counts: this.#store.refusalCounts(at), rows };
  }

  /** Market time never falls, so a region has one current day; its counters go on after a start. */
  #day(regionIndex: number, day: number): Day {
    const current = this.#days.get(regionIndex);
    if (current?.day === day) return current;
    const counts = this.#store.refusalCounts({ regionIndex, day });
    const total = [...counts.values()].reduce((sum, count) => sum + count, 0);
    const opened = { day, counts, total };
    this.#days.set(regionIndex, opened);
    return opened;
  }
}

function isOf(row: RefusalRow, deviceId: Uint8Array): boolean {
  return row.deviceId !== null && bytesEqual(row.deviceId, deviceId);
}
