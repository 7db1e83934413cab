/**
 * Method: the same market as JSON and as CSV, read, cleared and written in both formats; every kind
 * of malformed file by code and place; the output against its own schema; the chart as markup.
 */
import { expect, test } from "vitest";
import { CHART_REGIONS_MAX, marketChartSvg } from "../../../services/cli/market-chart.ts";
import {
  clearMarketFile,
  MarketOutput,
  marketSchemas,
  renderMarketOutput,
} from "../../../services/cli/market-clear.ts";

const json = {
  regions: [
    {
      id: "hill",
      orders: [{ id: "s", side: "ask", limitUcPerWh: 4000, energyWh: 10 }],
    },
    {
      id: "dale",
      orders: [
        { id: "d", side: "bid", limitUcPerWh: 10_000, energyWh: 5 },
        { id: "=e", side: "bid", limitUcPerWh: 9000, energyWh: 1, priority: -1 },
      ],
    },
    { id: "moor", orders: [] },
  ],
  lines: [{ id: "down, left", from: "hill", to: "dale", capacityWh: 3, feeUcPerWh: 500 }],
  rule: { mechanism: "uniform-price", price: "k-weighted", kPpm: 250_000 },
};
const header =
  "record,region,id,side,limitUcPerWh,energyWh,priority,from,to,capacityWh,feeUcPerWh,field,value";
const csv = `${header}
rule,,,,,,,,,,,mechanism,uniform-price
rule,,,,,,,,,,,price,k-weighted
rule,,,,,,,,,,,kPpm,250000
order,hill,s,ask,4000,10
order,dale,d,bid,10000,5\r
order,dale,=e,bid,9000,1,-1

region,moor
line,,"down, left",,,,,hill,dale,3,500
`;

const clear = (value: unknown) => clearMarketFile({ text: JSON.stringify(value), format: "json" });

test("JSON and CSV of one market clear alike, and the output keeps its schema", () => {
  const one = clear(json);
  const two = clearMarketFile({ text: csv, format: "csv" });
  expect(two).toEqual(one);
  if ("refusal" in one) throw new Error(JSON.stringify(one.refusal));
  expect(MarketOutput.parse(JSON.parse(renderMarketOutput(one.output, "json")))).toEqual(
    one.output,
  );
  expect(one.output.flows).toEqual([
    { lineId: "down, left", energyWh: 3, rentUc: "16500", feeUc: "1500" },
  ]);
});

test("the CSV output has a row per region, fill and flow", () => {
  const one = clear(json);
  if ("refusal" in one) throw new Error(JSON.stringify(one.refusal));
  expect(renderMarketOutput(one.output, "csv").split("\n")).toEqual([
    "record,region,id,priceUcPerWh,priceLowUcPerWh,priceHighUcPerWh,boughtWh,soldWh,energyWh," +
      "amountUc,retailerWh,retailerUc,rentUc,feeUc,welfareUc,witness",
    "region,hill,,4000,4000,4000,0,3,,,,,,,,",
    "fill,hill,s,,,,,,3,12000,,,,,,",
    "region,dale,,10000,10000,10000,3,0,,,,,,,,",
    "fill,dale,d,,,,,,3,-30000,,,,,,",
    "fill,dale,'=e,,,,,,0,0,,,,,,",
    "region,moor,,,,,0,0,,,,,,,,",
    'flow,,"down, left",,,,,,3,,,,16500,1500,,',
    "market,,,,,,,,,,,,,,16500,verified",
    "",
  ]);
});

const withOrder = (change: object) => ({
  ...json,
  regions: [{ id: "hill", orders: [{ ...json.regions[0]!.orders[0]!, ...change }] }],
  lines: [],
});
test.each([
  { value: [], code: "type_invalid", path: "" },
  { value: { ...json, rule: undefined }, code: "field_missing", path: "rule" },
  {
    value: { ...json, rule: { mechanism: "lottery" } },
    code: "value_invalid",
    path: "rule.mechanism",
  },
  { value: { ...json, extra: 1 }, code: "field_unknown", path: "extra" },
  { value: withOrder({ colour: 1 }), code: "field_unknown", path: "regions[0].orders[0].colour" },
  {
    value: withOrder({ energyWh: "5" }),
    code: "type_invalid",
    path: "regions[0].orders[0].energyWh",
  },
  {
    value: withOrder({ energyWh: null }),
    code: "type_invalid",
    path: "regions[0].orders[0].energyWh",
  },
  { value: withOrder({ side: "buy" }), code: "value_invalid", path: "regions[0].orders[0].side" },
  { value: withOrder({ id: "" }), code: "value_invalid", path: "regions[0].orders[0].id" },
  {
    value: withOrder({ energyWh: 2.5 }),
    code: "energy_not_integer",
    path: "regions[0].orders[0].energyWh",
  },
  {
    value: { ...json, rule: { mechanism: "mid-market-rate", retailUcPerWh: 5 } },
    code: "field_missing",
    path: "rule.feedInUcPerWh",
  },
  {
    value: {
      ...json,
      rule: { mechanism: "allocation", key: "static", passes: 3, priceUcPerWh: 1 },
    },
    code: "value_invalid",
    path: "rule.passes",
  },
])("refuses $code at $path", ({ value, code, path }) => {
  expect(clear(value)).toMatchObject({ refusal: { code, path } });
});

test("refuses text that is no JSON", () => {
  expect(clearMarketFile({ text: "{", format: "json" })).toMatchObject({
    refusal: { code: "json_malformed" },
  });
});

test.each([
  { name: "an unknown column", text: "record,colour\n", code: "column_unknown", path: "line 1" },
  { name: "a column twice", text: "record,id,id\n", code: "column_duplicate", path: "line 1" },
  { name: "no record column", text: "id\n", code: "column_missing", path: "line 1" },
  { name: "an empty file", text: "", code: "csv_malformed", path: "line 1" },
  { name: "an open quote", text: 'record,id\n"order,x\n', code: "csv_malformed", path: "" },
  {
    name: "an unknown record",
    text: `${csv}bid,hill\n`,
    code: "record_unknown",
    path: "line 11: record",
  },
  { name: "too many cells", text: "record,id\norder,x,y\n", code: "row_too_long", path: "line 2" },
  {
    name: "a number that is none",
    text: csv.replace(",10\n", ",1e3\n"),
    code: "type_invalid",
    path: "line 5: energyWh",
  },
  {
    name: "a fraction",
    text: csv.replace(",10\n", ",0.5\n"),
    code: "energy_not_integer",
    path: "line 5: energyWh",
  },
  {
    name: "a missing cell",
    text: csv.replace(",10\n", ",\n"),
    code: "field_missing",
    path: "line 5: energyWh",
  },
  {
    name: "an unknown end of a line",
    text: csv.replace("dale,3,500", "vale,3,500"),
    code: "line_end_unknown",
    path: "line 10: to",
  },
  {
    name: "a part beyond one",
    text: csv.replace("250000", "1250000"),
    code: "part_out_of_range",
    path: "line 4: value",
  },
])("CSV: refuses $name", ({ text, code, path }) => {
  expect(clearMarketFile({ text, format: "csv" })).toMatchObject({ refusal: { code, path } });
});

test("both schemas are published as JSON Schema", () => {
  const { input, output } = marketSchemas();
  expect(input).toMatchObject({ type: "object", required: ["regions", "lines", "rule"] });
  expect(output).toMatchObject({
    type: "object",
    required: ["regions", "flows", "welfareUc", "witness"],
  });
});

test("the chart has a panel per region with asks, bids and price, and escapes names", () => {
  const named = { ...json, regions: [{ ...json.regions[0]!, id: "<hill> & co" }], lines: [] };
  const market = clear(json);
  const escaped = clear(named);
  if ("refusal" in market || "refusal" in escaped) throw new Error("both must clear");
  const svg = marketChartSvg(market);
  expect(svg.match(/<g transform/g)).toHaveLength(3);
  expect(svg.match(/<path /g)).toHaveLength(2); // asks of hill, bids of dale
  expect(svg).toContain("hill: price 4,000 uc/Wh, bought 0 Wh, sold 3 Wh");
  expect(svg).toContain("moor: no trade");
  expect(svg).toContain(">inflow<");
  expect(svg).not.toContain("NaN");
  expect(marketChartSvg(escaped)).toContain("&lt;hill&gt; &amp; co: no trade");
});

test("the chart's axis has no negative zero", () => {
  const bid = { id: "b", side: "bid", limitUcPerWh: -40, energyWh: 5 };
  const ask = { id: "a", side: "ask", limitUcPerWh: 190, energyWh: 5 };
  const market = clear({ ...json, regions: [{ id: "hill", orders: [bid, ask] }], lines: [] });
  if ("refusal" in market) throw new Error("must clear");
  const svg = marketChartSvg(market);
  expect(svg).toMatch(/text-anchor="end">0<.*text-anchor="end">50</s);
  expect(svg).not.toContain(">-0<");
});

test("the chart stops at its limit", () => {
  const regions = Array.from({ length: CHART_REGIONS_MAX + 1 }, (_, r) => ({
    id: `r${r}`,
    orders: [],
  }));
  const market = clear({ ...json, regions, lines: [] });
  if ("refusal" in market) throw new Error("must clear");
  expect(marketChartSvg(market).match(/<g transform/g)).toHaveLength(CHART_REGIONS_MAX);
});
