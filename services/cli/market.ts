/**
 * `gridlane market`: the market engine for anyone with an order book of their own. Nothing of a
 * community is read or changed; a file goes in and its clearing, checked by its witness, comes out.
 */
import { createReadStream, writeFileSync } from "node:fs";
import { extname } from "node:path";
import { Command, Option } from "commander";
import type { OfflineRefusal } from "../market/offline-form.ts";
import { GridError } from "../primitives/errors.ts";
import { MARKET_FILE_BYTES_MAX } from "../primitives/limits.ts";
import { marketChartSvg } from "./market-chart.ts";
import {
  clearMarketFile,
  type MarketFormat,
  marketSchemas,
  renderMarketOutput,
} from "./market-clear.ts";
import { refusalSentence } from "./market-refusals.ts";
import { EXIT, printJson, printText, say } from "./talk.ts";

type ClearOptions = {
  readonly format: MarketFormat;
  readonly chart?: string;
  readonly schema?: "in" | "out";
};

const HELP = `
The file (prices in uc/Wh: 0.30 per kWh is 30000; energy in whole Wh; money in uc):
  {"regions": [{"id": "hill", "orders": [
     {"id": "a", "side": "ask", "limitUcPerWh": 12000, "energyWh": 800},
     {"id": "b", "side": "bid", "limitUcPerWh": 28000, "energyWh": 500}]}],
   "lines": [],
   "rule": {"mechanism": "uniform-price"}}
  A line is {"id", "from", "to", "capacityWh", "feeUcPerWh"?}: energy flows from "from" to "to"; a
  line that carries both ways is two lines. Only the uniform price couples regions.

Fields of the rule, by mechanism:
  uniform-price        price: midpoint (default) | last-accepted-sell | last-accepted-buy |
                       k-weighted, with kPpm 0..1000000: where in the price interval;
                       rationing: pro-rata (default) | time-priority, by the orders' "priority";
                       tickUcPerWh: limits and fees are multiples of it
  pay-as-bid           tickUcPerWh; best bid against best ask, each pair at its midpoint
  mid-market-rate      retailUcPerWh, feedInUcPerWh: the rest goes to or comes from the retailer
  supply-demand-ratio  retailUcPerWh, feedInUcPerWh, compensationPpm? 0..1000000
  allocation           key: pro-rata | static, with the bids' "coefficientPpm", one million a
                       region; passes: 1 (default) | 2; priceUcPerWh
  Rates and keys share every order's energy, whatever its limit.

As CSV: a column "record" (rule, order, line or region) and the fields as columns; an order has its
"region", a rule row its "field" and "value".

Examples:
  gridlane market clear book.json
  gridlane market clear - --chart curves.svg < book.json
  gridlane market clear book.csv --format csv > fills.csv
  gridlane market clear --schema in

Exit codes: 0 cleared, 1 the file cannot be read or written, 2 refused, and nothing is printed.`;

export function marketCommand(): Command {
  const market = new Command("market").description("the market engine, on files of your own");
  const clear = new Command("clear")
    .description("clear an order book: prices, fills, flows, each proven by its witness")
    .argument("[file]", "the order book, or - for standard input")
    .addOption(
      new Option("--format <format>", "of the file and of the answer")
        .choices(["json", "csv"])
        .default("json"),
    )
    .option("--chart <file.svg>", "also draw supply, demand and price")
    .addOption(
      new Option("--schema <which>", "print the JSON Schema of the file or of the answer").choices([
        "in",
        "out",
      ]),
    )
    .addHelpText("after", HELP)
    .action(async (file: string | undefined, options: ClearOptions) => {
      const { schema } = options;
      if (schema !== undefined) {
        const { input, output } = marketSchemas();
        return printJson(schema === "in" ? input : output);
      }
      await clearFile(file, options);
    });
  return market.addCommand(clear);
}

async function clearFile(file: string | undefined, { format, chart }: ClearOptions): Promise<void> {
  if (file === undefined) {
    const message = "name the order book's file, or - for standard input (--help shows its form)";
    throw new GridError("argument_invalid", message, { argument: "file", value: "" });
  }
  if (chart !== undefined) requireSvg(chart);
  const read = await readText(file);
  const market = "refusal" in read ? read : clearMarketFile({ text: read.text, format });
  if ("refusal" in market) {
    say(`gridlane: ${refusalSentence(market.refusal)}`);
    process.exitCode = EXIT.usage;
    return;
  }
  // The chart first: where it cannot be written, nothing is printed that looks like success.
  if (chart !== undefined) writeChart(chart, marketChartSvg(market));
  printText(renderMarketOutput(market.output, format));
}

function requireSvg(chart: string): void {
  if (extname(chart).toLowerCase() === ".svg") return;
  const message = `the chart ${chart} must end in .svg: gridlane draws no pixels`;
  throw new GridError("argument_invalid", message, { argument: "--chart", value: chart });
}

function writeChart(file: string, svg: string): void {
  try {
    writeFileSync(file, svg);
  } catch (failure) {
    const reason = failure instanceof Error ? failure.message : String(failure);
    const message = `the chart ${file} cannot be written (${reason})`;
    throw new GridError("permission_denied", message, { path: file }, { cause: failure });
  }
}

async function readText(
  file: string,
): Promise<{ readonly text: string } | { readonly refusal: OfflineRefusal }> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of file === "-" ? process.stdin : createReadStream(file)) {
      bytes += (chunk as Buffer).length;
      if (bytes > MARKET_FILE_BYTES_MAX) {
        return { refusal: { code: "file_too_large", path: "", value: null } };
      }
      chunks.push(chunk as Buffer);
    }
  } catch (failure) {
    const reason = failure instanceof Error ? failure.message : String(failure);
    const message = `the order book ${file} cannot be read (${reason})`;
    throw new GridError("file_unreadable", message, { file }, { cause: failure });
  }
  try {
    return { text: new TextDecoder("utf-8", { fatal: true }).decode(Buffer.concat(chunks)) };
  } catch {
    return { refusal: { code: "text_not_utf8", path: "", value: null } };
  }
}
