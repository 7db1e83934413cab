/**
 * Statements on disk. Keys sort by owner, then day, so one member's history is one range:
 * `s/<region>/<member>/<day>`, numbers in fixed width, the region itself after its members.
 */
import { type CodecValue, decode, encode } from "../primitives/codec.ts";
import { GridError } from "../primitives/errors.ts";
import type { KeyValues } from "./key-values.ts";
import type { Statement, StatementOwner, StatementStore } from "./statements.ts";
import { ENERGY_COLUMNS, MONEY_COLUMNS, type Totals } from "./totals.ts";

const LAST_DAY_KEY = "last-day";

export class LevelStatementStore implements StatementStore {
  readonly #database: KeyValues;

  constructor(database: KeyValues) {
    this.#database = database;
  }

  async put(statements: readonly Statement[]): Promise<void> {
    await this.#database.batch(
      statements.map((statement) => ({
        type: "put",
        key: keyOf(statement, statement.day),
        value: encode([...encodeTotals(statement.totals), ...encodeTotals(statement.cumulative)]),
      })),
      { sync: true },
    );
  }

  async completeDay(day: string): Promise<void> {
    const put = { type: "put", key: LAST_DAY_KEY, value: encode(day) } as const;
    await this.#database.batch([put], { sync: true });
  }

  async lastDay(): Promise<string | null> {
    const value = await this.#database.get(LAST_DAY_KEY);
    return value === undefined ? null : String(decode(value));
  }

  async get({ day, ...owner }: StatementOwner & { day: string }): Promise<Statement | null> {
    const value = await this.#database.get(keyOf(owner, day));
    return value === undefined ? null : decodeStatement(owner, day, value);
  }

  async list({
    fromDay,
    toDay,
    limit,
    ...owner
  }: StatementOwner & { fromDay: string; toDay: string; limit: number }): Promise<Statement[]> {
    const range = { gte: keyOf(owner, fromDay), lte: keyOf(owner, toDay), reverse: true, limit };
    const found: Statement[] = [];
    for await (const [key, value] of this.#database.iterator(range)) {
      found.push(decodeStatement(owner, key.slice(key.lastIndexOf("/") + 1), value));
    }
    return found;
  }
}

function keyOf({ regionIndex, memberIndex }: StatementOwner, day: string): string {
  const member = memberIndex === null ? "region" : String(memberIndex).padStart(5, "0");
  return `s/${String(regionIndex).padStart(4, "0")}/${member}/${day}`;
}

function encodeTotals(totals: Totals): CodecValue[] {
  const span = [totals.fromSlot, totals.toSlot, totals.slots];
  return [...span, [...totals.energyWh], [...totals.moneyUc]];
}

function decodeStatement(
  { regionIndex, memberIndex }: StatementOwner,
  day: string,
  bytes: Uint8Array,
): Statement {
  const fields = decode(bytes) as CodecValue[];
  if (fields.length !== 10) return malformed();
  const [totals, cumulative] = [decodeTotals(fields.slice(0, 5)), decodeTotals(fields.slice(5))];
  return { regionIndex, memberIndex, day, totals, cumulative };
}

function decodeTotals([from, to, slots, energy, money]: readonly CodecValue[]): Totals {
  const [energyWh, moneyUc] = [energy as number[], money as (number | bigint)[]];
  if (energyWh.length !== ENERGY_COLUMNS.length) return malformed();
  if (moneyUc.length !== MONEY_COLUMNS.length) return malformed();
  return {
    fromSlot: from as number | null,
    toSlot: to as number | null,
    slots: slots as number,
    energyWh: Float64Array.from(energyWh),
    moneyUc: BigInt64Array.from(moneyUc.map(BigInt)),
  };
}

function malformed(): never {
  throw new GridError("bytes_malformed", "not a statement", { what: "statement", offset: 0 });
}
