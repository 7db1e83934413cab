/**
 * Method: mutation. Each row breaks one rule of the market in its source, builds that copy and
 * names the check that must notice: the definition, the slow twin, the sound witness, or a worked
 * amount. The unbroken copy must pass all of them, so that a check cannot catch by failing always.
 */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import fc from "fast-check";
import { transformWithOxc } from "vite";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type * as ClearingModule from "../../../services/market/clearing.ts";
import type * as CouplingModule from "../../../services/market/coupling.ts";
import type * as RateModule from "../../../services/market/mechanisms/mid-market-rate.ts";
import type * as PayAsBidModule from "../../../services/market/mechanisms/pay-as-bid.ts";
import { orderColumns } from "../../../services/market/orders.ts";
import { type ClearingRule, MIDPOINT_PRO_RATA } from "../../../services/market/rules.ts";
import { checkWitness } from "../../../services/market/witness.ts";
import { checkClearing } from "../../../services/market/witness-region.ts";
import { clearByDefinition, parseBook, randomBook } from "./blotter.ts";
import { randomGrid } from "./grids.ts";
import { coupleSlowly } from "./slow-coupling.ts";

type Engine = {
  clearRegion: typeof ClearingModule.clearRegion;
  couple: typeof CouplingModule.couple;
  midMarketRate: typeof RateModule.midMarketRate;
  payAsBid: typeof PayAsBidModule.payAsBid;
};

const SEED = 20_250_621;
const books = fc.sample(randomBook({ ordersMax: 8, priceSpan: 4 }), { numRuns: 300, seed: SEED });
const shape = { regionsMax: 4, span: 4, energyMax: 4 };
const grids = fc.sample(randomGrid(shape), { numRuns: 250, seed: SEED });
const slow = grids.map((grid) => coupleSlowly(grid.regions, grid.lines));
const timed: ClearingRule = {
  price: { kind: "last-accepted-sell" },
  rationing: "time-priority",
};

/** Each check throws, or fails an expectation, if the engine breaks what it stands for. */
const checks = {
  "the definition of a clearing price": ({ clearRegion }: Engine) => {
    for (const { rows, injectionWh } of books) {
      const cleared = clearRegion({ orders: orderColumns(rows), injectionWh });
      const { low, high, boughtWh } = clearByDefinition(rows, injectionWh);
      const found = [cleared.priceLowUcPerWh, cleared.priceHighUcPerWh, cleared.boughtWh];
      expect(found).toEqual([low, high, boughtWh]);
    }
  },
  "the witness of a region": ({ clearRegion }: Engine) => {
    for (const { rows, injectionWh } of books) {
      for (const rule of [MIDPOINT_PRO_RATA, timed]) {
        const orders = orderColumns(rows);
        const clearing = clearRegion({ orders, injectionWh, rule });
        expect(checkClearing({ orders, injectionWh, clearing, rule })).toBeNull();
      }
    }
  },
  "the witness of a coupling": ({ couple }: Engine) => {
    for (const { regions, lines } of grids) {
      const market = { regions: regions.map(orderColumns), lines };
      expect(checkWitness({ ...market, coupling: couple(market) })).toBeNull();
    }
  },
  "the slow twin": ({ couple }: Engine) => {
    for (const [at, { regions, lines }] of grids.entries()) {
      const coupling = couple({ regions: regions.map(orderColumns), lines });
      expect(coupling.welfareUc).toBe(slow[at]!.welfareUc);
      expect([...coupling.flowWh]).toEqual(slow[at]!.flowWh);
    }
  },
  "worked margins": ({ clearRegion }: Engine) => {
    const fills = (text: string) => [...clearRegion({ orders: parseBook(text) }).fillWh];
    expect(fills("bid 9x1, bid 9x1, bid 9x1, ask 1x2")).toEqual([1, 1, 0, 2]);
    expect(fills("bid 9x1, bid 9x2, ask 1x1")).toEqual([0, 1, 1]);
  },
  "the slot by hand": ({ midMarketRate }: Engine) => {
    const rated = midMarketRate({
      importWh: Uint32Array.of(0, 500, 600),
      exportWh: Uint32Array.of(800, 0, 0),
      retailUcPerWh: 30_000,
      feedInUcPerWh: 8_000,
    });
    expect([...rated.amountUc]).toEqual([15_200_000n, -11_000_000n, -13_200_000n]);
    expect([...rated.boughtWh]).toEqual([0, 364, 436]);
    const odd = midMarketRate({
      importWh: Uint32Array.of(0, 1),
      exportWh: Uint32Array.of(2, 0),
      retailUcPerWh: -2,
      feedInUcPerWh: -5,
    });
    // mid -3.5 is floored: -4; the Wh that is left over goes out at -5.
    expect([...odd.amountUc, odd.retailerUc]).toEqual([-9n, 4n, 5n]);
  },
  "worked pairs": ({ payAsBid }: Engine) => {
    const paid = payAsBid(parseBook("bid 6x4, bid 10x5, ask 5x6, ask 2x1, ask 5x1"));
    expect([...paid.amountUc]).toEqual([-15n, -34n, 38n, 6n, 5n]);
    expect([...payAsBid(parseBook("bid 0x5, ask -1x5")).amountUc]).toEqual([5n, -5n]);
  },
} satisfies Record<string, (engine: Engine) => void>;

type Mutant = {
  rule: string;
  file: string;
  from: string;
  to: string;
  caughtBy: keyof typeof checks;
};

const region = "the witness of a region";
const coupled = "the witness of a coupling";
const mutants: Mutant[] = [
  // Interval
  {
    rule: "low end: first price with C >= T",
    file: "clearing.ts",
    from: "belowWh + sums[bucket]! < targetWh",
    to: "belowWh + sums[bucket]! <= targetWh",
    caughtBy: "the definition of a clearing price",
  },
  {
    rule: "high end: next order price",
    file: "clearing.ts",
    from: "reachedWh > targetWh",
    to: "reachedWh >= targetWh",
    caughtBy: "the definition of a clearing price",
  },
  {
    rule: "high end is unbounded if all trade",
    file: "clearing.ts",
    from: "if (reachedWh === totals.totalWh)",
    to: "if (reachedWh > totals.totalWh)",
    caughtBy: "the definition of a clearing price",
  },
  {
    rule: "sign of the injection",
    file: "clearing.ts",
    from: "totals.bidWh - injectionWh",
    to: "totals.bidWh + injectionWh",
    caughtBy: "the definition of a clearing price",
  },
  {
    rule: "interval of a coupled region",
    file: "curve.ts",
    from: "reachedWh[low] === targetWh && targetWh > 0",
    to: "targetWh > 0",
    caughtBy: coupled,
  },
  {
    rule: "low vector from low ends",
    file: "coupling.ts",
    from: "low: prices.map((price, r) => price - fall[r]!)",
    to: "low: prices.map((price, r) => price - rise[r]!)",
    caughtBy: coupled,
  },
  // Margin and volume
  {
    rule: "asks at the price sell too",
    file: "clearing.ts",
    from: "Math.min(askBelowWh + askAtWh + injectionWh,",
    to: "Math.min(askBelowWh + injectionWh,",
    caughtBy: "the definition of a clearing price",
  },
  {
    rule: "strictly better is full",
    file: "clearing.ts",
    from: "wh * (-gain >>> 31)",
    to: "wh * (gain >>> 31)",
    caughtBy: region,
  },
  {
    rule: "volume before welfare-neutral rest",
    file: "flows.ts",
    from: "capacityWh: margin.bidAtWh",
    to: "capacityWh: 0",
    caughtBy: coupled,
  },
  // Ties and rounding
  {
    rule: "ties to the lower index",
    file: "ration.ts",
    from: "UINT32_MAX - (ties === undefined ? i : ties[i]!)",
    to: "(ties === undefined ? i : ties[i]!)",
    caughtBy: "worked margins",
  },
  {
    rule: "largest remainder",
    file: "ration.ts",
    from: "if (remainders[i]! > threshold)",
    to: "if (remainders[i]! < threshold)",
    caughtBy: region,
  },
  {
    rule: "shares round down",
    file: "ration.ts",
    from: "const share = Math.floor(product / claimed);\n      shares",
    to: "const share = Math.round(product / claimed);\n      shares",
    caughtBy: "worked margins",
  },
  {
    rule: "time priority by tie index",
    file: "ration.ts",
    from: "const wh = Math.min(leftWh, orders.energyWh[index]!);",
    to: "const wh = Math.min(Math.ceil(leftWh / 2), orders.energyWh[index]!);",
    caughtBy: region,
  },
  {
    rule: "midpoint floors",
    file: "rules.ts",
    from: "low + Math.floor(",
    to: "low + Math.ceil(",
    caughtBy: region,
  },
  {
    rule: "midpoint is the middle",
    file: "rules.ts",
    from: "return HALF_PPM;",
    to: "return HALF_PPM - 1;",
    caughtBy: region,
  },
  {
    rule: "last accepted sell is the low end",
    file: "rules.ts",
    from: 'case "last-accepted-sell":\n      return 0;',
    to: 'case "last-accepted-sell":\n      return PPM;',
    caughtBy: region,
  },
  // Coupling
  {
    rule: "fee sign in the dual",
    file: "descent.ts",
    from: "prices[from[l]!]! - feeUcPerWh[l]!",
    to: "prices[from[l]!]! + feeUcPerWh[l]!",
    caughtBy: "the slow twin",
  },
  {
    rule: "fee sign on the face",
    file: "flows.ts",
    from: "prices[from[l]!]! - feeUcPerWh[l]!",
    to: "prices[from[l]!]! + feeUcPerWh[l]!",
    caughtBy: "the slow twin",
  },
  {
    rule: "fee sign of a line with room",
    file: "coupling.ts",
    from: "prices[from[l]!]! + feeUcPerWh[l]! - prices[to[l]!]!",
    to: "prices[from[l]!]! - feeUcPerWh[l]! - prices[to[l]!]!",
    caughtBy: coupled,
  },
  {
    rule: "a full line sends all it can",
    file: "flows.ts",
    from: "if (gap > 0)",
    to: "if (gap > 1)",
    caughtBy: "the slow twin",
  },
  {
    rule: "the cut goes the way the price moves",
    file: "descent.ts",
    from: "residual[arc] = direction === -1 ? tight : 0;",
    to: "residual[arc] = direction === 1 ? tight : 0;",
    caughtBy: "the slow twin",
  },
  {
    rule: "the last ladder has step 1",
    file: "descent.ts",
    from: "if (stepUcPerWh === 1) return",
    to: "if (stepUcPerWh <= 2) return",
    caughtBy: "the slow twin",
  },
  {
    rule: "shortest flows",
    file: "flows.ts",
    from: "buildFace(optimum, 1)",
    to: "buildFace(optimum, 0)",
    caughtBy: "the slow twin",
  },
  {
    rule: "the lowest line id first",
    file: "network.ts",
    from: "lines[a]!.id < lines[b]!.id ? -1 : 1",
    to: "lines[a]!.id < lines[b]!.id ? 1 : -1",
    caughtBy: "the slow twin",
  },
  {
    rule: "rent excludes the fee",
    file: "coupling.ts",
    from: "- priceUcPerWh[line.from]! - line.feeUcPerWh;",
    to: "- priceUcPerWh[line.from]!;",
    caughtBy: coupled,
  },
  {
    rule: "welfare excludes the fees",
    file: "coupling.ts",
    from: "welfareUc -= BigInt",
    to: "welfareUc += BigInt",
    caughtBy: "the slow twin",
  },
  {
    rule: "capacity may not be cut below what is useful",
    file: "network.ts",
    from: "totalWh - largestWh + 1",
    to: "1",
    caughtBy: "the slow twin",
  },
  // Mechanisms
  {
    rule: "half a micro-cent is floored",
    file: "ration.ts",
    from: "value % divisor < 0n ? quotient - 1n : quotient",
    to: "quotient",
    caughtBy: "the slot by hand",
  },
  {
    rule: "the short side pays retail for the rest",
    file: "mechanisms/rate-sharing.ts",
    from: "BigInt(totals.importWh - totals.tradedWh) * retail",
    to: "BigInt(totals.importWh) * retail",
    caughtBy: "the slot by hand",
  },
  {
    rule: "the dearest bid first",
    file: "mechanisms/pay-as-bid.ts",
    from: "keys: turned,\n      lowest: -highest,\n      highest: -lowest,",
    to: "keys: limits,\n      lowest,\n      highest,",
    caughtBy: "worked pairs",
  },
  {
    rule: "pairs trade at the floored middle",
    file: "mechanisms/pay-as-bid.ts",
    from: "Math.floor((most + least) / 2)",
    to: "Math.trunc((most + least) / 2)",
    caughtBy: "worked pairs",
  },
];

const services = fileURLToPath(new URL("../../../services/", import.meta.url));
const folders = ["primitives", "market", "market/mechanisms"];
const sources = new Map<string, string>();
for (const folder of folders) {
  for (const name of readdirSync(join(services, folder))) {
    if (!name.endsWith(".ts")) continue;
    sources.set(`${folder}/${name}`, readFileSync(join(services, folder, name), "utf8"));
  }
}

const built = new Map<string, string>();
let workshop = "";

async function strip(name: string, source: string): Promise<string> {
  const { code } = await transformWithOxc(source, name, { sourcemap: false });
  return code.replaceAll(/(from\s*"\.[^"]*)\.ts"/g, '$1.mjs"');
}

/** Writes a copy of the market, one file of it replaced, and loads it. */
async function build(mutant: { file: string; source: string } | null): Promise<Engine> {
  const home = mkdtempSync(join(workshop, "copy-"));
  for (const [name, code] of built) {
    const path = join(home, name.replace(/\.ts$/, ".mjs"));
    mkdirSync(dirname(path), { recursive: true });
    const changed = mutant !== null && name === `market/${mutant.file}`;
    writeFileSync(path, changed ? await strip(name, mutant.source) : code);
  }
  const load = (name: string) => import(pathToFileURL(join(home, "market", name)).href);
  const [clearing, coupling, rate, pairs] = await Promise.all([
    load("clearing.mjs"),
    load("coupling.mjs"),
    load("mechanisms/mid-market-rate.mjs"),
    load("mechanisms/pay-as-bid.mjs"),
  ]);
  return { ...clearing, ...coupling, ...rate, ...pairs };
}

describe("mutation", () => {
  beforeAll(async () => {
    workshop = mkdtempSync(join(tmpdir(), "gridlane-mutation-"));
    for (const [name, source] of sources) built.set(name, await strip(name, source));
  });
  afterAll(() => rmSync(workshop, { recursive: true, force: true }));

  test("the unbroken market passes every check", async () => {
    const engine = await build(null);
    for (const check of Object.values(checks)) check(engine);
  });

  test.each(mutants)("$rule: caught by $caughtBy", async ({ file, from, to, caughtBy }) => {
    const source = sources.get(`market/${file}`)!;
    expect(source.split(from), "the mutated text must stand in the source once").toHaveLength(2);
    const engine = await build({ file, source: source.replace(from, to) });
    expect(() => checks[caughtBy](engine)).toThrow();
  });
});
