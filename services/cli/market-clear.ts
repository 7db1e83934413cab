/**
 * `gridlane market clear`: the text of an order book in, its clearing out, as JSON or CSV.
 *
 * Safe because the shape is judged by a strict schema and the numbers by the market's own refusals
 * before anything is computed; a refusal names code, path and value, and nothing partial remains.
 */
import { z } from "zod";
import { clearOffline } from "../market/offline.ts";
import type { OfflineInput, OfflineOutput, OfflineRefusal } from "../market/offline-form.ts";
import { twiceNamed } from "./json-names.ts";
import { type MarketText, marketRowsFromCsv, marketRowsToCsv } from "./market-csv.ts";

const zName = z.string().min(1).max(200);
// Whole numbers and ranges are the market's to judge: it names them better than a type can.
const zNumber = z.number();

const zOrder = z.strictObject({
  id: zName,
  side: z.enum(["bid", "ask"]),
  limitUcPerWh: zNumber.describe("uc/Wh: 0.30 per kWh is 30000. A bid pays at most this."),
  energyWh: zNumber.describe("Wh, a whole number above zero"),
  coefficientPpm: zNumber.optional().describe("bids under a static key: one million a region"),
  priority: zNumber.optional().describe("lower goes first among equals; ties by id"),
});

const zLine = z.strictObject({
  id: zName,
  from: zName.describe("region id; energy flows from here"),
  to: zName,
  capacityWh: zNumber,
  feeUcPerWh: zNumber.optional().describe("paid on every Wh that flows; 0 by default"),
});

const zRates = { retailUcPerWh: zNumber, feedInUcPerWh: zNumber };

const zRule = z.discriminatedUnion("mechanism", [
  z.strictObject({
    mechanism: z.literal("uniform-price"),
    price: z
      .enum(["midpoint", "last-accepted-sell", "last-accepted-buy", "k-weighted"])
      .optional()
      .describe("which price of the clearing interval; midpoint by default"),
    kPpm: zNumber.optional().describe("k-weighted: 0 is the interval's low end, 1000000 its high"),
    rationing: z.enum(["pro-rata", "time-priority"]).optional(),
    tickUcPerWh: zNumber.optional().describe("limits and fees must be multiples; 1 by default"),
  }),
  z.strictObject({ mechanism: z.literal("pay-as-bid"), tickUcPerWh: zNumber.optional() }),
  z.strictObject({ mechanism: z.literal("mid-market-rate"), ...zRates }),
  z.strictObject({
    mechanism: z.literal("supply-demand-ratio"),
    ...zRates,
    compensationPpm: zNumber.optional(),
  }),
  z.strictObject({
    mechanism: z.literal("allocation"),
    key: z.enum(["pro-rata", "static"]),
    passes: z.union([z.literal(1), z.literal(2)]).optional(),
    priceUcPerWh: zNumber.describe("the fixed price inside the community"),
  }),
]);

/** The published input schema. */
export const MarketInput = z.strictObject({
  regions: z.array(z.strictObject({ id: zName, orders: z.array(zOrder) })),
  lines: z.array(zLine),
  rule: zRule,
});

const zMoney = z.string().regex(/^-?\d+$/);

/** The published output schema. */
export const MarketOutput = z.strictObject({
  regions: z.array(
    z.strictObject({
      id: zName,
      priceUcPerWh: z.int().nullable(),
      priceIntervalUcPerWh: z.tuple([z.int(), z.int()]).nullable(),
      boughtWh: z.int(),
      soldWh: z.int(),
      fills: z.array(
        z.strictObject({
          orderId: zName,
          energyWh: z.int(),
          amountUc: zMoney.describe("for energyWh; > 0 receives, < 0 pays"),
          retailerWh: z.int().optional().describe("rates: the retailer's part of energyWh"),
        }),
      ),
      retailerUc: zMoney.optional().describe("rates: what the retailer receives"),
    }),
  ),
  flows: z.array(
    z.strictObject({ lineId: zName, energyWh: z.int(), rentUc: zMoney, feeUc: zMoney }),
  ),
  welfareUc: zMoney,
  witness: z.literal("verified"),
});

export type MarketFormat = "json" | "csv";

export type ClearedMarket =
  | { readonly input: OfflineInput; readonly output: OfflineOutput }
  | { readonly refusal: OfflineRefusal };

/** JSON Schemas of both files, for whoever writes or reads them with other tools. */
export function marketSchemas(): { readonly input: object; readonly output: object } {
  return { input: z.toJSONSchema(MarketInput), output: z.toJSONSchema(MarketOutput) };
}

/**
 * Clears the text of a market file.
 *
 * @returns either the parsed input with its output, or the first refusal; a path into a CSV file
 *   names the line instead of the position
 */
export function clearMarketFile(file: {
  readonly text: string;
  readonly format: MarketFormat;
}): ClearedMarket {
  const read = file.format === "json" ? readJson(file.text) : marketRowsFromCsv(file.text);
  if ("refusal" in read) return read;
  const shaped = shapeOf(read.value);
  const result =
    "input" in shaped ? { input: shaped.input, ...clearOffline(shaped.input) } : shaped;
  if ("output" in result) return result;
  return { refusal: { ...result.refusal, path: read.placeOf(result.refusal.path) } };
}

/** The output in the format the input came in, or another. */
export function renderMarketOutput(output: OfflineOutput, format: MarketFormat): string {
  return format === "json" ? `${JSON.stringify(output, null, 2)}\n` : marketRowsToCsv(output);
}

function readJson(text: string): MarketText {
  try {
    const json = text.replace(/^\uFEFF/, "");
    const value: unknown = JSON.parse(json);
    const twice = twiceNamed(json);
    if (twice === null) return { value, placeOf: (path) => path };
    return { refusal: { code: "field_duplicate", path: twice, value: null } };
  } catch (error) {
    // The words are the parser's: where it stopped, and at what.
    const value = error instanceof Error ? error.message : null;
    return { refusal: { code: "json_malformed", path: "", value } };
  }
}

type Shaped = { readonly input: OfflineInput } | { readonly refusal: OfflineRefusal };

const zShell = z.strictObject({
  regions: z.array(z.unknown()),
  lines: z.array(z.unknown()),
  rule: zRule,
});
const zRegionShell = z.strictObject({ id: zName, orders: z.array(z.unknown()) });

/**
 * What `MarketInput` says, judged part by part and only as far as the first fault: all faults of a
 * hostile file at once would take far more memory than the file.
 */
function shapeOf(value: unknown): Shaped {
  const shell = zShell.safeParse(value, { reportInput: true });
  if (!shell.success) return { refusal: shapeRefusal(shell.error, []) };
  for (const [r, given] of shell.data.regions.entries()) {
    const region = zRegionShell.safeParse(given, { reportInput: true });
    if (!region.success) return { refusal: shapeRefusal(region.error, ["regions", r]) };
    const refusal = firstRefusal(zOrder, region.data.orders, ["regions", r, "orders"]);
    if (refusal !== null) return { refusal };
  }
  const refusal = firstRefusal(zLine, shell.data.lines, ["lines"]);
  return refusal === null ? { input: value as OfflineInput } : { refusal };
}

function firstRefusal(
  schema: z.ZodType,
  list: readonly unknown[],
  path: readonly PropertyKey[],
): OfflineRefusal | null {
  for (const [at, given] of list.entries()) {
    const judged = schema.safeParse(given, { reportInput: true });
    if (!judged.success) return shapeRefusal(judged.error, [...path, at]);
  }
  return null;
}

/** The first fault of the shape, in our words. */
function shapeRefusal(error: z.ZodError, inside: readonly PropertyKey[]): OfflineRefusal {
  const issue = error.issues[0]!;
  const unknown = issue.code === "unrecognized_keys" ? issue.keys[0]! : null;
  const path = pathText([...inside, ...issue.path, ...(unknown === null ? [] : [unknown])]);
  if (unknown !== null) return { code: "field_unknown", path, value: unknown };
  const value = valueAt(issue);
  return { code: shapeCode(issue, value), path, value: printable(value) };
}

/** Of a union the issue holds the whole object, and its path ends at what tells its kinds apart. */
function valueAt(issue: z.core.$ZodIssue): unknown {
  const { input, path, code } = issue;
  const name = path.at(-1);
  const isObject = typeof input === "object" && input !== null;
  if (code !== "invalid_union" || !isObject || name === undefined) return input;
  return (input as Record<PropertyKey, unknown>)[name];
}

function shapeCode(issue: z.core.$ZodIssue, value: unknown): string {
  if (value === undefined) return "field_missing";
  return issue.code === "invalid_type" ? "type_invalid" : "value_invalid";
}

function pathText(path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, key) => {
    if (typeof key === "number") return `${text}[${key}]`;
    return text === "" ? String(key) : `${text}.${String(key)}`;
  }, "");
}

/** Lists and objects by their kind: how deep they are is the file's choice. */
function printable(value: unknown): string | number | null {
  if (typeof value === "number" || typeof value === "string") return value;
  if (value === undefined || value === null) return null;
  if (typeof value === "object") return Array.isArray(value) ? "a list" : "an object";
  return String(value);
}
