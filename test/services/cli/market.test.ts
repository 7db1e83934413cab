/**
 * Method: the command as a user runs it, by its exit code, stdout and stderr. The worked slot of
 * the settlement in both formats; every bad input, which prints nothing but one sentence; hostile
 * text; a real hour of the Iberian day-ahead auction at its published price.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { twiceNamed } from "../../../services/cli/json-names.ts";
import {
  clearMarketFile,
  MarketInput,
  MarketOutput,
  marketSchemas,
} from "../../../services/cli/market-clear.ts";
import { refusalSentence } from "../../../services/cli/market-refusals.ts";
import { MARKET_FILE_BYTES_MAX } from "../../../services/primitives/limits.ts";
import { inTemporaryDirectory, run } from "../../support/command.ts";
import { marketDataAbsent, readMarketData, scaled } from "../market/shared-data.ts";

const TIMEOUT_MS = 30_000; // a start of the command takes a second, of many at once several

const order = (id: string, side: string, limitUcPerWh: number, energyWh: number) => {
  return { id, side, limitUcPerWh, energyWh };
};
const hill = {
  id: "hill",
  orders: [
    order("a", "ask", 12_000, 800),
    order("b", "bid", 28_000, 500),
    order("c", "bid", 20_000, 600),
  ],
};
const market = { regions: [hill], lines: [], rule: { mechanism: "uniform-price" } };
const clear = (input: unknown, ...options: string[]) => {
  const text = typeof input === "string" ? input : JSON.stringify(input);
  return run(["market", "clear", "-", ...options], {}, text);
};

test.concurrent(
  "clears standard input, draws it, and keeps its schema",
  async () => {
    await inTemporaryDirectory(async (directory) => {
      const chart = join(directory, "curves.svg");
      const { code, stdout, stderr } = await clear(market, "--chart", chart);
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      const output = MarketOutput.parse(JSON.parse(stdout));
      expect(output.regions[0]).toEqual({
        id: "hill",
        priceUcPerWh: 20_000,
        priceIntervalUcPerWh: [20_000, 20_000],
        boughtWh: 800,
        soldWh: 800,
        fills: [
          { orderId: "a", energyWh: 800, amountUc: "16000000" },
          { orderId: "b", energyWh: 500, amountUc: "-10000000" },
          { orderId: "c", energyWh: 300, amountUc: "-6000000" },
        ],
      });
      expect(output).toMatchObject({ flows: [], welfareUc: "10400000", witness: "verified" });
      expect(readFileSync(chart, "utf8")).toMatch(/^<svg .*price 20,000 uc\/Wh.*<\/svg>\n$/s);
    });
  },
  TIMEOUT_MS,
);

test.concurrent(
  "reads and writes CSV",
  async () => {
    const csv = [
      "record,region,id,side,limitUcPerWh,energyWh,field,value",
      ...hill.orders.map((o) => `order,hill,${o.id},${o.side},${o.limitUcPerWh},${o.energyWh},,`),
      "rule,,,,,,mechanism,uniform-price",
    ].join("\n");
    const { code, stdout } = await clear(csv, "--format", "csv");
    expect(code).toBe(0);
    expect(stdout).toContain("\nfill,hill,a,,,,,,800,16000000,,,,,,\n");
    expect(stdout).toMatch(/\nmarket,.*,10400000,verified\n$/);
  },
  TIMEOUT_MS,
);

test.concurrent(
  "prints its schemas and its help",
  async () => {
    const [input, output, help] = await Promise.all([
      run(["market", "clear", "--schema", "in"]),
      run(["market", "clear", "--schema", "out"]),
      run(["market", "clear", "--help"]),
    ]);
    expect(JSON.parse(input.stdout)).toEqual(marketSchemas().input);
    expect(JSON.parse(output.stdout)).toEqual(marketSchemas().output);
    expect(help.code).toBe(0);
    for (const rule of MarketInput.shape.rule.options) {
      const [mechanism] = [...rule.shape.mechanism.values];
      expect(help.stdout).toContain(`\n  ${mechanism} `);
      for (const field of Object.keys(rule.shape)) expect(help.stdout).toContain(field);
    }
  },
  TIMEOUT_MS,
);

const changed = (change: object) => {
  const [ask, ...bids] = hill.orders;
  return { ...market, regions: [{ ...hill, orders: [{ ...ask, ...change }, ...bids] }] };
};
const lined = (line: object) => {
  const plain = { id: "l", from: "hill", to: "dale", capacityWh: 5 };
  const regions = [hill, { id: "dale", orders: [] }];
  return { ...market, regions, lines: [{ ...plain, ...line }] };
};
const first = "regions[0].orders[0]";
const bad: readonly (readonly [string, unknown, string])[] = [
  ["negative energy", changed({ energyWh: -5 }), `${first}.energyWh is -5: must be above zero`],
  ["no energy", changed({ energyWh: 0 }), `${first}.energyWh is 0: must be above zero`],
  [
    "a fraction",
    changed({ energyWh: 0.5 }),
    `${first}.energyWh is 0.5: must be a whole number of Wh`,
  ],
  [
    "a price with a fraction",
    changed({ limitUcPerWh: 1.5 }),
    `${first}.limitUcPerWh is 1.5: must be a whole number of uc/Wh`,
  ],
  [
    "a number beyond 2^53",
    changed({ energyWh: 2 ** 53 + 2 }),
    `${first}.energyWh is 9007199254740994: must be at most 281474976710656 Wh`,
  ],
  [
    "an unknown region on a line",
    lined({ to: "vale" }),
    'lines[0].to is "vale": must be the id of a region of this file',
  ],
  [
    "a line to itself",
    lined({ to: "hill" }),
    'lines[0].to is "hill": must be another region than `from`',
  ],
  ["an order id twice", changed({ id: "b" }), 'regions[0].orders[1].id is "b": must be an id of'],
  ["a region id twice", { ...market, regions: [hill, hill] }, 'regions[1].id is "hill": must be'],
  [
    "too many regions",
    { ...market, regions: Array.from({ length: 1025 }, (_, r) => ({ id: `r${r}`, orders: [] })) },
    "regions is 1025: must be at most 1024",
  ],
  [
    "a price off the tick",
    { ...changed({ limitUcPerWh: 12_001 }), rule: { ...market.rule, tickUcPerWh: 10 } },
    `${first}.limitUcPerWh is 12001: must be a multiple of rule.tickUcPerWh`,
  ],
  [
    "coefficients that miss one million",
    {
      regions: [{ id: "hill", orders: [{ ...hill.orders[1], coefficientPpm: 999_999 }] }],
      lines: [],
      rule: { mechanism: "allocation", key: "static", priceUcPerWh: 1 },
    },
    "regions[0].orders is 999999: the coefficients of a region must sum to 1000000",
  ],
  [
    "nothing",
    "",
    "the file: must be JSON (or CSV with --format csv); Unexpected end of JSON input",
  ],
  [
    "a prototype",
    JSON.stringify(market).replace(/^{/, '{"__proto__":{"rule":1},'),
    "__proto__: no such field",
  ],
  [
    "a number too large for a float",
    JSON.stringify(market).replace("12000", "1e400"),
    `${first}.limitUcPerWh is Infinity: must be of another type`,
  ],
  [
    "a name twice",
    JSON.stringify(market).replace('"energyWh":800', '"energyWh":800,"energ\\u0079Wh":900'),
    `${first}.energyWh: this name stands twice in one object`,
  ],
  [
    "a list a million deep",
    `{"regions":${"[".repeat(1e6)}${"]".repeat(1e6)},"lines":[],"rule":{"mechanism":"pay-as-bid"}}`,
    'regions[0] is "a list": must be of another type',
  ],
];
test.each(bad)("%s is refused in one sentence", (_name, input, sentence) => {
  const text = typeof input === "string" ? input : JSON.stringify(input);
  const refused = clearMarketFile({ text, format: "json" });
  if (!("refusal" in refused)) throw new Error("must be refused");
  expect(refusalSentence(refused.refusal)).toContain(sentence);
});

// A start of the command takes a second, so of the table every fifth case runs through it.
describe.concurrent("a bad file ends with exit code 2 and prints nothing", () => {
  test.each(bad.filter((_, at) => at % 5 === 0))(
    "%s",
    async (_name, input, sentence) => {
      const { code, stdout, stderr } = await clear(input);
      expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
      expect(stderr).toContain(`gridlane: ${sentence}`);
      expect(stderr).toMatch(/^.* \[[a-z0-9_]+\]\n$/);
    },
    TIMEOUT_MS,
  );
});

describe.concurrent("a bad command line", () => {
  test.each([
    { name: "no file", args: [], says: "name the order book's file", code: 2 },
    { name: "another format", args: ["-", "--format", "xml"], says: "json, csv", code: 2 },
    {
      name: "a chart in pixels",
      args: ["-", "--chart", "a.png"],
      says: "must end in .svg",
      code: 2,
    },
    { name: "an absent file", args: ["/nowhere/a.json"], says: "[file_unreadable]", code: 1 },
    { name: "a directory", args: ["test"], says: "[file_unreadable]", code: 1 },
  ])(
    "$name",
    async ({ args, says, code }) => {
      const ended = await run(["market", "clear", ...args], {}, JSON.stringify(market));
      expect(ended).toMatchObject({ code, stdout: "", stderr: expect.stringContaining(says) });
      expect(ended.stderr).not.toContain("    at ");
    },
    TIMEOUT_MS,
  );

  test(
    "a chart that cannot be written prints nothing",
    async () => {
      const ended = await clear(market, "--chart", "/nowhere/curves.svg");
      expect(ended).toMatchObject({ code: 1, stdout: "" });
      expect(ended.stderr).toContain("[permission_denied]");
    },
    TIMEOUT_MS,
  );
});

test.concurrent(
  "a book of 10 MB, from the first order to the last",
  async () => {
    const orders = Array.from({ length: 150_000 }, (_, i) =>
      order(
        `order-${i}`,
        i % 2 === 0 ? "ask" : "bid",
        8000 + ((i * 7919) % 22_000),
        1 + (i % 3000),
      ),
    );
    const text = JSON.stringify({ ...market, regions: [{ id: "hill", orders }] });
    expect(text.length).toBeGreaterThan(10_000_000);
    expect(text.length).toBeLessThan(MARKET_FILE_BYTES_MAX);
    const { code, stdout } = await clear(text);
    expect(code).toBe(0);
    const { regions, witness } = JSON.parse(stdout);
    expect(witness).toBe("verified");
    expect(regions[0].fills.at(-1).orderId).toBe("order-149999");
    expect(regions[0].boughtWh).toBe(regions[0].soldWh);
  },
  TIMEOUT_MS,
);

test("a sentence shows no control characters and no more than it must", () => {
  const value = `\u001b[31m\u009b${"x".repeat(200)}`;
  const sentence = refusalSentence({ code: "value_invalid", path: "a\nb", value });
  expect(sentence).toMatch(/^a\\u000ab is "\\u001b\[31m\\u009bx{74}\.\.\.": must be one of/);
});

test.each([
  ['{"a":1,"b":{"a":2},"c":[{"a":3},{"a":4}]}', null],
  ['{"a":"b","b":"a"}', null],
  ['{"a":[{},{"x":"}\\"","x" : 1}]}', "a[1].x"],
  ['{"\\u0061":1,"a":2}', "a"],
  ['[[1,2],[{"k":1},{"k":{"m":1,"n":[],"m":2}}]]', "[1][1].k.m"],
])("names in %s: twice at %s", (json, where) => {
  expect(twiceNamed(json)).toBe(where);
});

describe.skipIf(marketDataAbsent)("OMIE, 2025-06-21", () => {
  // Hour 12: the line to Portugal is full, so both zones have a price of their own.
  test(
    "hour 12 in the form of the file: published prices and flow",
    async () => {
      const period = 12;
      const hour = JSON.parse(readMarketData("omie_20250621/expected.json")).periods[period - 1];
      const orders: Record<string, object[]> = { ES: [], PT: [] };
      const rows = readMarketData("omie_20250621/orders.csv").trim().split(/\r?\n/).slice(1);
      for (const [at, row] of rows.entries()) {
        const [of, zone, side, price, quantity] = row.split(",");
        if (Number(of) !== period) continue;
        const [limit, energy] = [scaled(Number(price), 100), scaled(Number(quantity), 1e6)];
        orders[zone!]!.push(order(String(at), side === "buy" ? "bid" : "ask", limit, energy));
      }
      const { published, capacity } = hour;
      const toFranceWh = scaled(published.flow_es_to_fr_mwh, 1e6);
      orders.ES!.push(
        toFranceWh > 0
          ? order("France", "bid", 400_000, toFranceWh)
          : order("France", "ask", -50_000, -toFranceWh),
      );
      const { code, stdout } = await clear({
        regions: Object.entries(orders).map(([id, of]) => ({ id, orders: of })),
        lines: [
          { id: "w", from: "ES", to: "PT", capacityWh: scaled(capacity.es_to_pt, 1e6) },
          { id: "e", from: "PT", to: "ES", capacityWh: scaled(capacity.pt_to_es, 1e6) },
        ],
        rule: market.rule,
      });
      expect(code).toBe(0);
      const { regions, flows } = JSON.parse(stdout);
      expect(regions[0].priceUcPerWh).toBe(scaled(published.price_es, 100));
      expect(regions[1].priceUcPerWh).toBe(scaled(published.price_pt, 100));
      expect(flows).toEqual([
        { lineId: "w", energyWh: 3_825_000_000, rentUc: "459000000000", feeUc: "0" },
        { lineId: "e", energyWh: 0, rentUc: "0", feeUc: "0" },
      ]);
    },
    TIMEOUT_MS,
  );
});
