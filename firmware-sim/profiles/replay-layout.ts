/**
 * Which columns of a replayed file mean what, told from its header alone.
 *
 * | form | header | values |
 * | --- | --- | --- |
 * | community | `hour_start_local` or `timestamp`, `<home>_load_kwh`, `<home>_pv_kwh` | kWh |
 * | Ausgrid | empty or `timestamp`, `GC` (load), `CL` (controlled load), `GG` (PV) | mean kW |
 * | HAMLET | `timestamp,electricity` | mean W of one home's load |
 *
 * Any other column is ignored and reported. HAMLET's per-unit PV tables carry the same header as
 * its loads; their times are written with a fraction, and for that they are refused.
 */
import { GridError } from "../../services/primitives/errors.ts";
import { REPLAY_HOMES_MAX } from "../../services/primitives/limits.ts";

export type ReplayUnit = "kWh" | "kW" | "W";
export type ReplayColumn = {
  readonly index: number; // in the row
  readonly name: string;
  readonly home: number;
  readonly kind: "load" | "pv";
  readonly unit: ReplayUnit;
};
export type ReplayLayout = {
  readonly form: "community" | "ausgrid" | "hamlet";
  readonly cells: number; // of every row
  readonly timeColumn: string;
  readonly homes: readonly { readonly label: string; readonly hasPanels: boolean }[];
  readonly columns: readonly ReplayColumn[];
  readonly ignoredColumns: readonly string[];
};

const TIME_COLUMNS = ["hour_start_local", "timestamp", "time", "unix_s", ""];
const COMMUNITY_COLUMN = /^(.+)_(load|pv)_kwh$/;
const AUSGRID_KINDS: Readonly<Record<string, "load" | "pv">> = { GC: "load", CL: "load", GG: "pv" };

/**
 * @param single - the label where the file holds one home without a name
 * @throws GridError replay_invalid on line 1
 */
export function replayLayout({
  file,
  header,
  single,
}: {
  file: string;
  header: string;
  single: string;
}): ReplayLayout {
  const names = header.split(",").map((name) => name.trim().replace(/^"(.*)"$/, "$1"));
  const fail = (message: string, column: string): never => {
    throw new GridError("replay_invalid", `${file}, line 1, column ${column}: ${message}`, {
      file,
      line: 1,
      column,
    });
  };
  const timeColumn = names[0]!;
  if (!TIME_COLUMNS.includes(timeColumn)) {
    const hint = header.includes(";") ? "; cells must be separated by commas" : "";
    fail(`the first column must be hour_start_local or timestamp${hint}`, timeColumn);
  }
  const repeated = names.find((name, i) => names.indexOf(name) !== i);
  if (repeated !== undefined) fail("this column stands there twice", repeated);
  const layout = readColumns(names, single);
  if (layout.homes.length === 0) {
    fail("no <home>_load_kwh, GC or electricity column: see the replay documentation", "-");
  }
  if (layout.homes.length > REPLAY_HOMES_MAX) {
    fail(`more than ${REPLAY_HOMES_MAX} homes`, names.at(-1)!);
  }
  for (const [home, { label }] of layout.homes.entries()) {
    const own = layout.columns.filter((column) => column.home === home);
    if (!own.some((column) => column.kind === "load")) {
      fail(`home ${label} has panels but no load column`, own[0]!.name);
    }
  }
  return { ...layout, cells: names.length, timeColumn };
}

function readColumns(
  names: readonly string[],
  single: string,
): Pick<ReplayLayout, "form" | "homes" | "columns" | "ignoredColumns"> {
  const homes: { label: string; hasPanels: boolean }[] = [];
  const columns: ReplayColumn[] = [];
  const ignoredColumns: string[] = [];
  const add = (index: number, label: string, kind: "load" | "pv", unit: ReplayUnit) => {
    let home = homes.findIndex((one) => one.label === label);
    if (home < 0) home = homes.push({ label, hasPanels: false }) - 1;
    if (kind === "pv") homes[home]!.hasPanels = true;
    columns.push({ index, name: names[index]!, home, kind, unit });
  };
  const form = names.some((name) => COMMUNITY_COLUMN.test(name))
    ? "community"
    : names.includes("GC")
      ? "ausgrid"
      : "hamlet";
  for (let index = 1; index < names.length; index++) {
    const name = names[index]!;
    const match = COMMUNITY_COLUMN.exec(name);
    const ausgrid = AUSGRID_KINDS[name];
    if (match !== null) add(index, match[1]!, match[2] as "load" | "pv", "kWh");
    else if (form === "ausgrid" && ausgrid !== undefined) add(index, single, ausgrid, "kW");
    else if (form === "hamlet" && name === "electricity") add(index, single, "load", "W");
    else ignoredColumns.push(name);
  }
  return { form, homes, columns, ignoredColumns };
}
