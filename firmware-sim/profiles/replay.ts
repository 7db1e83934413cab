/**
 * Replay of measured homes from a CSV file (forms: `replay-layout.ts`; times: `replay-time.ts`).
 *
 * Each row is netted as the file gives it: import = max(load - pv, 0), export = max(pv - load, 0),
 * production = pv. The three are summed into cumulative totals at the row boundaries, and a slot's
 * energy is the difference of two registers, `round(total)` with linear interpolation inside a row.
 * So no split of the rows can gain or lose a Wh: rounding never accumulates.
 */
import { basename } from "node:path";
import { assert, GridError } from "../../services/primitives/errors.ts";
import { REPLAY_ROWS_MAX } from "../../services/primitives/limits.ts";
import { csvLines } from "./csv-lines.ts";
import { type ReplayColumn, type ReplayLayout, replayLayout } from "./replay-layout.ts";
import { replayTimeS } from "./replay-time.ts";

/** Hourly, half-hourly and quarter-hourly rows, seconds. */
const ROW_S = [3600, 1800, 900];
const DAY_S = 86_400;

export type ReplayHome = {
  readonly label: string;
  readonly hasPanels: boolean;
  readonly peakW: number; // highest mean power of a row at its grid meter or its panels, either way
  /** Totals in Wh since the start, at the rows + 1 row boundaries. Never fall. */
  readonly importWh: Float64Array;
  readonly exportWh: Float64Array;
  readonly productionWh: Float64Array;
};
export type Replay = {
  readonly startS: number; // unix, of the first row
  readonly rowS: number;
  readonly rows: number;
  readonly homes: readonly ReplayHome[];
  readonly ignoredColumns: readonly string[];
};
export type ReplayOptions = {
  readonly file: string;
  readonly from?: string; // local date, YYYY-MM-DD; default: the first row
  readonly days?: number; // default: to the last row
  readonly utcOffsetS?: number; // of times without offset; default 0
};

/**
 * Reads the file whole and checks every row, also those outside the window.
 *
 * @throws GridError file_unreadable, replay_invalid (file, line, column), argument_invalid
 */
export async function readReplay(options: ReplayOptions): Promise<Replay> {
  const { file } = options;
  const window = replayWindow(options);
  let table: ReplayTable | null = null;
  for await (const lines of csvLines(file)) {
    for (const { line, text } of lines) {
      if (table !== null) table.add(line, text);
      else {
        const single = basename(file).replace(/\.[^.]*$/, "");
        table = new ReplayTable(file, replayLayout({ file, header: text, single }), window);
      }
    }
  }
  if (table === null) {
    throw new GridError("replay_invalid", `${file} is empty`, { file, line: 1 });
  }
  return table.finish();
}

type Window = { readonly fromS: number; readonly toS: number; readonly utcOffsetS: number };

function replayWindow({ from, days, utcOffsetS = 0 }: ReplayOptions): Window {
  const fromS = from === undefined ? null : replayTimeS(from, utcOffsetS);
  if (from !== undefined && (fromS === null || !/^\d{4}-\d\d-\d\d$/.test(from))) {
    throw argumentInvalid("from", from, "must be a date like 2017-06-01");
  }
  if (days !== undefined && !(Number.isSafeInteger(days) && days > 0)) {
    throw argumentInvalid("days", String(days), "must be a whole number above 0");
  }
  // Without a start, `days` counts from the first row, which is not known yet.
  const toS = days === undefined ? Infinity : (fromS ?? 0) + days * DAY_S;
  return { fromS: fromS ?? -Infinity, toS, utcOffsetS };
}

function argumentInvalid(argument: string, value: string, message: string) {
  const text = `${argument} ${value}: ${message}`;
  return new GridError("argument_invalid", text, { argument, value });
}

/** Rows as they come in: the checks, the window, and the running totals of each home. */
class ReplayTable {
  readonly #file: string;
  readonly #layout: ReplayLayout;
  #window: Window;
  readonly #loads: Float64Array; // of the row at hand, by home, Wh
  readonly #pvs: Float64Array;
  readonly #totals: { importWh: Totals; exportWh: Totals; productionWh: Totals; peakWh: number }[];
  #rowS = 0;
  #firstS = 0;
  #lastS = 0;
  #rows = 0;
  #keptFromS = 0;
  #kept = 0;
  /** The first row waits for the second, which tells how long a row is. */
  #waiting: { line: number; cells: string[] } | null = null;
  #blankLine = 0;

  constructor(file: string, layout: ReplayLayout, window: Window) {
    this.#file = file;
    this.#layout = layout;
    this.#window = window;
    this.#loads = new Float64Array(layout.homes.length);
    this.#pvs = new Float64Array(layout.homes.length);
    this.#totals = layout.homes.map(() => ({
      importWh: new Totals(),
      exportWh: new Totals(),
      productionWh: new Totals(),
      peakWh: 0,
    }));
  }

  add(line: number, text: string): void {
    if (text === "") {
      this.#blankLine ||= line; // fine at the end, refused in the middle
      return;
    }
    if (this.#blankLine !== 0) throw this.#fail(this.#blankLine, "-", "an empty line");
    const cells = text.split(",");
    if (cells.length !== this.#layout.cells) {
      const expected = `${this.#layout.cells} cells as in the header`;
      throw this.#fail(line, "-", `expected ${expected}, found ${cells.length}`);
    }
    const timeS = replayTimeS(cells[0]!.trim(), this.#window.utcOffsetS);
    const timeColumn = this.#layout.timeColumn || "1";
    if (timeS === null) {
      throw this.#fail(line, timeColumn, `"${cells[0]}" is no time (2016-07-31T23:00 or unix s)`);
    }
    if (this.#rows >= REPLAY_ROWS_MAX) {
      throw this.#fail(line, timeColumn, `more than ${REPLAY_ROWS_MAX} rows`);
    }
    if (this.#rows === 0) this.#begin(timeS);
    else this.#checkSpacing(line, timeColumn, timeS);
    this.#lastS = timeS;
    this.#rows++;
    if (this.#rows === 1) this.#waiting = { line, cells };
    else {
      if (this.#waiting !== null) {
        this.#take(this.#waiting.line, this.#waiting.cells, this.#firstS);
        this.#waiting = null;
      }
      this.#take(line, cells, timeS);
    }
  }

  #begin(timeS: number): void {
    this.#firstS = timeS;
    const { fromS, toS } = this.#window;
    if (fromS === -Infinity) this.#window = { ...this.#window, fromS: timeS, toS: timeS + toS };
  }

  #checkSpacing(line: number, column: string, timeS: number): void {
    const stepS = timeS - this.#lastS;
    if (this.#rowS === 0) {
      if (!ROW_S.includes(stepS)) {
        const message = `rows are ${stepS} s apart; 3600, 1800 and 900 s are read`;
        throw this.#fail(line, column, message);
      }
      this.#rowS = stepS;
    }
    if (stepS !== this.#rowS) {
      const message = `${stepS} s after the row before, expected ${this.#rowS} s`;
      throw this.#fail(line, column, message);
    }
  }

  #take(line: number, cells: readonly string[], timeS: number): void {
    this.#loads.fill(0);
    this.#pvs.fill(0);
    for (const column of this.#layout.columns) {
      const energyWh = this.#energyWh(line, column, cells[column.index]!);
      (column.kind === "load" ? this.#loads : this.#pvs)[column.home]! += energyWh;
    }
    if (timeS < this.#window.fromS || timeS + this.#rowS > this.#window.toS) return;
    if (this.#kept === 0) this.#keptFromS = timeS;
    this.#kept++;
    for (let home = 0; home < this.#totals.length; home++) {
      const totals = this.#totals[home]!;
      const loadWh = this.#loads[home]!;
      const pvWh = this.#pvs[home]!;
      totals.importWh.add(Math.max(loadWh - pvWh, 0));
      totals.exportWh.add(Math.max(pvWh - loadWh, 0));
      totals.productionWh.add(pvWh);
      totals.peakWh = Math.max(totals.peakWh, pvWh, Math.abs(loadWh - pvWh));
    }
  }

  #energyWh(line: number, column: ReplayColumn, cell: string): number {
    const value = /^\s*[-+.\deE]+\s*$/.test(cell) ? Number(cell) : Number.NaN;
    if (!Number.isFinite(value)) {
      throw this.#fail(line, column.name, `"${cell}" is no number`);
    }
    if (value < 0) throw this.#fail(line, column.name, `${cell} is negative`);
    const energyWh =
      column.unit === "kWh"
        ? value * 1000
        : (value * (column.unit === "kW" ? 1000 : 1) * this.#rowS) / 3600;
    if (energyWh > 1e9) throw this.#fail(line, column.name, `${cell} ${column.unit} is too much`);
    return energyWh;
  }

  finish(): Replay {
    if (this.#rows < 2) throw this.#fail(this.#rows + 1, "-", "fewer than two rows");
    const endS = this.#lastS + this.#rowS;
    const { fromS, toS } = this.#window;
    if (fromS < this.#firstS || fromS >= endS) {
      throw argumentInvalid("from", dateText(fromS), `the file holds ${this.#span(endS)}`);
    }
    if (toS !== Infinity && toS > endS) {
      const days = String((toS - fromS) / DAY_S);
      throw argumentInvalid("days", days, `the file holds ${this.#span(endS)}`);
    }
    assert(this.#kept > 0, "a window inside the file keeps rows");
    return {
      startS: this.#keptFromS,
      rowS: this.#rowS,
      rows: this.#kept,
      homes: this.#layout.homes.map((home, h) => {
        const totals = this.#totals[h]!;
        return {
          ...home,
          peakW: Math.ceil((totals.peakWh * 3600) / this.#rowS),
          importWh: totals.importWh.values(),
          exportWh: totals.exportWh.values(),
          productionWh: totals.productionWh.values(),
        };
      }),
      ignoredColumns: this.#layout.ignoredColumns,
    };
  }

  #span(endS: number): string {
    return `${dateText(this.#firstS)} to ${dateText(endS)}`;
  }

  #fail(line: number, column: string, message: string): GridError<"replay_invalid"> {
    const file = this.#file;
    const text = `${file}, line ${line}, column ${column}: ${message}`;
    return new GridError("replay_invalid", text, { file, line, column });
  }
}

function dateText(timeS: number): string {
  return new Date(timeS * 1000).toISOString().slice(0, 16);
}

/** A running total that grows by doubling. */
class Totals {
  #values = new Float64Array(1024); // values[0] = 0
  #length = 1;

  add(energyWh: number): void {
    if (this.#length === this.#values.length) {
      const larger = new Float64Array(2 * this.#length);
      larger.set(this.#values);
      this.#values = larger;
    }
    this.#values[this.#length] = this.#values[this.#length - 1]! + energyWh;
    this.#length++;
  }

  values(): Float64Array {
    return this.#values.slice(0, this.#length);
  }
}
