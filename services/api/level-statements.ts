/**
 * Statements on disk. Keys sort by owner, then day, so one member's history is one range:
 * `2/s/<region>/<member>/<day>`, numbers in fixed width, the region itself after its members, the
 * community after all regions; 2 is the format.
 */
import { type CodecValue, decode, encode } from "../primitives/codec.ts";
import { GridError } from "../primitives/errors.ts";
import type { KeyValues } from "./key-values.ts";
import type { Statement, StatementOwner, StatementStore } from "./statements.ts";
import { ENERGY_COLUMNS, MONEY_COLUMNS, type Totals } from "./totals.ts";

/** A store of another format is not read: its days are made again from the slot records. */
const FORMAT = "2";
const LAST_DAY_KEY = `${FORMAT}/last-day`;
/** Of the day's sums, and again of the cumulative ones. */
const FIELDS = 6;

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
  const region = regionIndex === null ? "community" : String(regionIndex).padStart(4, "0");
  return `${FORMAT}/s/${region}/${member}/${day}`;
}

function encodeTotals(totals: Totals): CodecValue[] {
  const span = [totals.fromSlot, totals.toSlot, totals.slots];
  const peak = totals.peak === null ? [] : [totals.peak.importWh, totals.peak.slot];
  return [...span, [...totals.energyWh], [...totals.moneyUc], peak];
}

function decodeStatement(
  { regionIndex, memberIndex }: StatementOwner,
  day: string,
  bytes: Uint8Array,
): Statement {
  const fields = decode(bytes) as CodecValue[];
  if (fields.length !== 2 * FIELDS) return malformed();
  const totals = decodeTotals(fields.slice(0, FIELDS));
  const cumulative = decodeTotals(fields.slice(FIELDS));
  return { regionIndex, memberIndex, day, totals, cumulative };
}

function decodeTotals([from, to, slots, energy, money, peak]: readonly CodecValue[]): Totals {
  const [energyWh, moneyUc] = [energy as number[], money as (number | bigint)[]];
  if (energyWh.length !== ENERGY_COLUMNS.length) return malformed();
  if (moneyUc.length !== MONEY_COLUMNS.length) return malformed();
  const [peakWh, peakSlot] = peak as number[];
  return {
    fromSlot: from as number | null,
    toSlot: to as number | null,
    slots: slots as number,
    energyWh: Float64Array.from(energyWh),
    moneyUc: BigInt64Array.from(moneyUc.map(BigInt)),
    peak:
      peakWh === undefined || peakSlot === undefined ? null : { importWh: peakWh, slot: peakSlot },
  };
}

function malformed(): never {
  throw new GridError("bytes_malformed", "not a statement", { what: "statement", offset: 0 });
}
