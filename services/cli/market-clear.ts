/**
 * `gridlane market clear`: the text of an order book in, its clearing out, as JSON or CSV.
 *
 * Safe because the shape is judged by a strict schema and the numbers by the market's own refusals
 * before anything is computed; a refusal names code, path and value, and nothing partial remains.
 */
import { z } from "zod";
import { clearOffline } from "../market/offline.ts";
import type { OfflineInput, OfflineOutput, OfflineRefusal } from "../market/offline-form.ts";
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
  const parsed = MarketInput.safeParse(read.value, { reportInput: true });
  const result = parsed.success
    ? { input: parsed.data as OfflineInput, ...clearOffline(parsed.data as OfflineInput) }
    : { refusal: shapeRefusal(parsed.error) };
  if ("output" in result) return result;
  return { refusal: { ...result.refusal, path: read.placeOf(result.refusal.path) } };
}

/** The output in the format the input came in, or another. */
export function renderMarketOutput(output: OfflineOutput, format: MarketFormat): string {
  return format === "json" ? `${JSON.stringify(output, null, 2)}\n` : marketRowsToCsv(output);
}

function readJson(text: string): MarketText {
  try {
    return { value: JSON.parse(text), placeOf: (path) => path };
  } catch (error) {
    const value = error instanceof Error ? error.message : null;
    return { refusal: { code: "json_malformed", path: "", value } };
  }
}

/** The first fault of the shape, in our words. */
function shapeRefusal(error: z.ZodError): OfflineRefusal {
  const issue = error.issues[0]!;
  const unknown = issue.code === "unrecognized_keys" ? issue.keys[0]! : null;
  const path = pathText(unknown === null ? issue.path : [...issue.path, unknown]);
  return { code: shapeCode(issue), path, value: unknown ?? printable(issue.input) };
}

function shapeCode(issue: z.core.$ZodIssue): string {
  if (issue.code === "unrecognized_keys") return "field_unknown";
  if (issue.input === undefined) return "field_missing";
  if (issue.code === "invalid_type") return "type_invalid";
  return "value_invalid";
}

function pathText(path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, key) => {
    if (typeof key === "number") return `${text}[${key}]`;
    return text === "" ? String(key) : `${text}.${String(key)}`;
  }, "");
}

function printable(value: unknown): string | number | null {
  if (typeof value === "number" || typeof value === "string") return value;
  return value === undefined || value === null ? null : JSON.stringify(value).slice(0, 80);
}
