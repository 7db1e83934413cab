/**
 * Statements as they are asked for: days as they are stored, months as the sum of their days. A
 * month is that of its days' names, so it begins and ends with the community's clocks and is as
 * long as they make it: March is an hour short where they go forward.
 */
import { GridError } from "../primitives/errors.ts";
import { STATEMENT_MONTHS_MAX } from "../primitives/limits.ts";
import type { DailyStatement, MonthlyStatement } from "../wire/api.ts";
import type { Statement, StatementOwner, StatementStore } from "./statements.ts";
import { energySummary } from "./summary.ts";
import { joinTotals } from "./totals.ts";

const DAYS_PER_MONTH_MAX = 31;

export type StatementQuery = {
  readonly period: "day" | "month";
  readonly from?: string | undefined; // market days, both inclusive; of a month any day will do
  readonly to?: string | undefined;
  readonly limit: number;
};
type Shown = { readonly production: "metered" | "none"; readonly slotS: number };

/**
 * One owner's statements, newest first. O(days asked for).
 *
 * @throws GridError argument_invalid for more than STATEMENT_MONTHS_MAX months
 */
export async function listStatements({
  statements,
  owner,
  query: { period, from = "0000-00-00", to = "9999-99-99", limit },
  shown,
}: {
  statements: StatementStore;
  owner: StatementOwner;
  query: StatementQuery;
  shown: Shown;
}): Promise<DailyStatement[] | MonthlyStatement[]> {
  if (period === "day") {
    const days = await statements.list({ ...owner, fromDay: from, toDay: to, limit });
    return days.map(({ day, totals }) => {
      return { day, summary: energySummary({ window: "day", totals, ...shown }) };
    });
  }
  if (limit > STATEMENT_MONTHS_MAX) {
    const message = `query.limit: at most ${STATEMENT_MONTHS_MAX} months at a time`;
    throw new GridError("argument_invalid", message, {
      argument: "query.limit",
      value: String(limit),
    });
  }
  const days = await statements.list({
    ...owner,
    fromDay: `${monthOf(from)}-01`,
    toDay: `${monthOf(to)}-${DAYS_PER_MONTH_MAX}`,
    limit: limit * DAYS_PER_MONTH_MAX,
  });
  const months = new Map<string, Statement[]>();
  for (const day of days) {
    const month = monthOf(day.day);
    months.set(month, [...(months.get(month) ?? []), day]);
  }
  return [...months.values()].slice(0, limit).map((of) => monthlyStatement(of, shown));
}

function monthOf(day: string): string {
  return day.slice(0, "YYYY-MM".length);
}

/** @param days - of one month, newest first, at least one */
function monthlyStatement(days: readonly Statement[], shown: Shown): MonthlyStatement {
  const [newest, oldest] = [days[0]!, days.at(-1)!];
  const totals = days
    .map((statement) => statement.totals)
    .reduce((after, before) => joinTotals({ before, after }));
  return {
    month: monthOf(newest.day),
    fromDay: oldest.day,
    toDay: newest.day,
    days: days.length,
    complete: newest.day === lastDayOf(monthOf(newest.day)),
    summary: energySummary({ window: "month", totals, ...shown }),
  };
}

/** By the Gregorian calendar: the day before the first of the next month. */
function lastDayOf(month: string): string {
  const [year, number] = month.split("-").map(Number);
  return new Date(Date.UTC(year!, number!, 0)).toISOString().slice(0, "YYYY-MM-DD".length);
}
