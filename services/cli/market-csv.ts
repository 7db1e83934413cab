/**
 * An order book as one CSV table (RFC 4180), for spreadsheets: each row is an order, a line, a
 * region without orders, or a field of the rule; unused cells stay empty. Out the same way.
 */
import type { OfflineOutput, OfflineRefusal } from "../market/offline-form.ts";

/** A market file as a plain value, and where a path of that value stands in the file. */
export type MarketText =
  | { readonly value: unknown; readonly placeOf: (path: string) => string }
  | { readonly refusal: OfflineRefusal };

const ORDER_FIELDS = ["id", "side", "limitUcPerWh", "energyWh", "coefficientPpm", "priority"];
const LINE_FIELDS = ["id", "from", "to", "capacityWh", "feeUcPerWh"];
const COLUMNS = new Set(["record", "region", ...ORDER_FIELDS, ...LINE_FIELDS, "field", "value"]);
const NUMBERS = new Set([
  "limitUcPerWh",
  "energyWh",
  "coefficientPpm",
  "priority",
  "capacityWh",
  "feeUcPerWh",
]);

type Row = { readonly line: number; readonly cells: ReadonlyMap<string, string> };
type Book = { readonly id: string; readonly orders: object[]; readonly at: number };

/**
 * The rows as the value a JSON file would hold. Columns may stand in any order:
 * `record` is order, line, region or rule; an order names its `region`; a rule row has `field` and
 * `value`.
 */
export function marketRowsFromCsv(text: string): MarketText {
  const table = readTable(text);
  if ("refusal" in table) return table;
  const books = new Map<string, Book>(); // by region, in the order in which they first stand
  const lines: object[] = [];
  const rule: Record<string, unknown> = {};
  const places = new Map<string, number>();
  for (const row of table.rows) {
    const cell = (name: string) => row.cells.get(name) ?? "";
    const record = cell("record");
    if (record === "order") {
      const { at, orders } = bookOf(books, cell("region"), places, row.line);
      places.set(`regions[${at}].orders[${orders.length}]`, row.line);
      orders.push(pick(row, ORDER_FIELDS));
    } else if (record === "line") {
      places.set(`lines[${lines.length}]`, row.line);
      lines.push(pick(row, LINE_FIELDS));
    } else if (record === "region") {
      bookOf(books, cell("region") || cell("id"), places, row.line);
    } else if (record === "rule") {
      places.set(`rule.${cell("field")}`, row.line);
      rule[cell("field")] = ruleValue(cell("field"), cell("value"));
    } else {
      return refused("record_unknown", `line ${row.line}: record`, record);
    }
  }
  const placeOf = (path: string) => placeInFile(path, places);
  const regions = [...books.values()].map(({ id, orders }) => ({ id, orders }));
  return { value: { regions, lines, rule }, placeOf };
}

function refused(code: string, path: string, value: string): { readonly refusal: OfflineRefusal } {
  return { refusal: { code, path, value } };
}

/** `regions[0].orders[3].energyWh` as `line 7: energyWh`; other paths stay as they are. */
function placeInFile(path: string, places: ReadonlyMap<string, number>): string {
  const whole = places.get(path);
  if (whole !== undefined) return `line ${whole}: ${path.startsWith("rule.") ? "value" : "record"}`;
  const dot = path.lastIndexOf(".");
  const line = places.get(path.slice(0, dot));
  return line === undefined ? path : `line ${line}: ${path.slice(dot + 1)}`;
}

function bookOf(
  books: Map<string, Book>,
  id: string,
  places: Map<string, number>,
  line: number,
): Book {
  const found = books.get(id);
  if (found !== undefined) return found;
  const book: Book = { id, orders: [], at: books.size };
  books.set(id, book);
  places.set(`regions[${book.at}]`, line);
  return book;
}

/** The row's filled cells of these columns, numbers as numbers. */
function pick(row: Row, fields: readonly string[]): object {
  const entries = fields.flatMap((name): [string, unknown][] => {
    const text = row.cells.get(name) ?? "";
    if (text === "") return [];
    return [[name, NUMBERS.has(name) ? numberOrText(text) : text]];
  });
  return Object.fromEntries(entries);
}

function ruleValue(field: string, text: string): unknown {
  return /PerWh$|Ppm$|^passes$/.test(field) ? numberOrText(text) : text;
}

/** Only plain decimals become numbers; the schema refuses whatever is left as text. */
function numberOrText(text: string): number | string {
  return /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text;
}

function readTable(text: string): { readonly rows: Row[] } | { readonly refusal: OfflineRefusal } {
  const parsed = parseCsv(text.replace(/^\uFEFF/, ""));
  if (parsed === null) return refused("csv_malformed", "", "a quoted cell does not end");
  const [header, ...body] = parsed;
  if (header === undefined) return refused("csv_malformed", "line 1", "no header");
  const names = header.cells.map((name) => name.trim());
  const stranger = names.find((name) => !COLUMNS.has(name));
  if (stranger !== undefined) return refused("column_unknown", "line 1", stranger);
  const twin = names.find((name, at) => names.indexOf(name) !== at);
  if (twin !== undefined) return refused("column_duplicate", "line 1", twin);
  if (!names.includes("record")) return refused("column_missing", "line 1", "record");
  const rows: Row[] = [];
  for (const { line, cells } of body) {
    if (cells.length > names.length) {
      return refused("row_too_long", `line ${line}`, String(cells.length));
    }
    rows.push({ line, cells: new Map(cells.map((cell, at) => [names[at]!, cell.trim()])) });
  }
  return { rows };
}

type Cells = { readonly line: number; readonly cells: string[] };

/** Rows of cells with the line each starts on; blank rows are skipped; null if a quote is open. */
function parseCsv(text: string): Cells[] | null {
  const rows: Cells[] = [];
  let [line, startLine] = [1, 1];
  let cells: string[] = [];
  let cell = "";
  let quoted = false;
  const endRow = () => {
    cells.push(cell);
    if (cells.length > 1 || cells[0]!.trim() !== "") rows.push({ line: startLine, cells });
    cells = [];
    cell = "";
  };
  for (let at = 0; at < text.length; at++) {
    const char = text[at]!;
    if (char === "\n") line += 1;
    if (quoted) {
      if (char !== '"') cell += char;
      else if (text[at + 1] === '"') cell += text[++at]!;
      else quoted = false;
    } else if (char === '"' && cell === "") {
      quoted = true;
    } else if (char === ",") {
      cells.push(cell);
      cell = "";
    } else if (char === "\n") {
      endRow();
      startLine = line;
    } else if (char !== "\r") {
      cell += char;
    }
  }
  if (quoted) return null;
  if (cell !== "" || cells.length > 0) endRow();
  return rows;
}

const OUTPUT_COLUMNS = [
  "record",
  "region",
  "id",
  "priceUcPerWh",
  "priceLowUcPerWh",
  "priceHighUcPerWh",
  "boughtWh",
  "soldWh",
  "energyWh",
  "amountUc",
  "retailerWh",
  "retailerUc",
  "rentUc",
  "feeUc",
  "welfareUc",
  "witness",
] as const;

type OutputRow = Partial<Record<(typeof OUTPUT_COLUMNS)[number], string | number | null>>;

/** One row per region, fill and flow, and one for the market as a whole. */
export function marketRowsToCsv(output: OfflineOutput): string {
  const rows: OutputRow[] = output.regions.flatMap((region): OutputRow[] => {
    const { id, priceUcPerWh, boughtWh, soldWh, retailerUc } = region;
    const [priceLowUcPerWh, priceHighUcPerWh] = region.priceIntervalUcPerWh ?? [];
    const prices = {
      priceUcPerWh,
      priceLowUcPerWh: priceLowUcPerWh ?? null,
      priceHighUcPerWh: priceHighUcPerWh ?? null,
    };
    const fills = region.fills.map(({ orderId, ...fill }) => {
      return { record: "fill", region: id, id: orderId, ...fill };
    });
    const sums = { boughtWh, soldWh, retailerUc: retailerUc ?? null };
    return [{ record: "region", region: id, ...prices, ...sums }, ...fills];
  });
  for (const { lineId, ...flow } of output.flows)
    rows.push({ record: "flow", id: lineId, ...flow });
  rows.push({ record: "market", welfareUc: output.welfareUc, witness: output.witness });
  const text = rows.map((row) => OUTPUT_COLUMNS.map((name) => csvCell(row[name])).join(","));
  return `${[OUTPUT_COLUMNS.join(","), ...text].join("\n")}\n`;
}

/** A name that a spreadsheet would run as a formula is quoted with a leading apostrophe. */
function csvCell(value: string | number | null | undefined): string {
  if (value === null || value === undefined) return "";
  const text =
    typeof value === "string" && /^[=+@\t]|^-[^\d]/.test(value) ? `'${value}` : `${value}`;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
