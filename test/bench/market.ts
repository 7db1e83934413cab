/**
 * Bench of the market: clearing and coupling as ratios to a floor taken in the same run, one linear
 * read of the same columns. The least of several runs counts: noise only ever adds.
 */
import { clearRegion } from "../../services/market/clearing.ts";
import { couple } from "../../services/market/coupling.ts";
import { midMarketRate } from "../../services/market/mechanisms/mid-market-rate.ts";
import { payAsBid } from "../../services/market/mechanisms/pay-as-bid.ts";
import type { Line } from "../../services/market/network.ts";
import {
  ASK,
  BID,
  createOrderColumns,
  type OrderColumns,
  pushOrder,
} from "../../services/market/orders.ts";
import { checkWitness } from "../../services/market/witness.ts";
import { checkClearing } from "../../services/market/witness-region.ts";

const RUNS = 7;
const FEED_IN_UC_PER_WH = 8_000;
const RETAIL_UC_PER_WH = 30_000;

/** A linear congruential generator: the same books on every machine. */
function createDraw(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state * below) / 4_294_967_296);
  };
}

type Draw = (below: number) => number;

/** Limits between feed-in and retail price; `bidPercent` of the orders are bids. */
function drawBook(draw: Draw, shape: { count: number; bidPercent: number }): OrderColumns {
  const draft = createOrderColumns(shape.count);
  const span = RETAIL_UC_PER_WH - FEED_IN_UC_PER_WH + 1;
  for (let tieIndex = 0; tieIndex < shape.count; tieIndex++) {
    const side = draw(100) < shape.bidPercent ? BID : ASK;
    const limitUcPerWh = FEED_IN_UC_PER_WH + draw(span);
    pushOrder(draft, { side, limitUcPerWh, energyWh: 1 + draw(3000), tieIndex });
  }
  return draft;
}

function drawLines(draw: Draw, shape: { regions: number; lines: number }): Line[] {
  return Array.from({ length: shape.lines }, (_, l) => {
    const from = draw(shape.regions);
    const to = (from + 1 + draw(shape.regions - 1)) % shape.regions;
    return { id: `line-${l}`, from, to, capacityWh: draw(100_000), feeUcPerWh: draw(2000) };
  });
}

/** The floor: every number of every order is read once and added up. */
function readOnce(books: readonly OrderColumns[]): number {
  let sum = 0;
  for (const { count, side, limitUcPerWh, energyWh, tieIndex } of books) {
    for (let i = 0; i < count; i++) {
      sum += side[i]! + limitUcPerWh[i]! + energyWh[i]! + tieIndex[i]!;
    }
  }
  return sum;
}

function leastMs(work: () => unknown, runs = RUNS): number {
  let least = Number.POSITIVE_INFINITY;
  for (let run = 0; run < runs; run++) {
    const startMs = performance.now();
    work();
    least = Math.min(least, performance.now() - startMs);
  }
  return least;
}

/** Milliseconds, and how many times the floor that is. */
function against(floorMs: number, work: () => unknown): { ms: number; ratio: number } {
  const ms = leastMs(work);
  return { ms: round(ms), ratio: round(ms / floorMs) };
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}

function oneRegion(draw: Draw): object {
  const orders = drawBook(draw, { count: 1_000_000, bidPercent: 55 });
  const tied: OrderColumns = {
    ...orders,
    limitUcPerWh: new Int32Array(orders.count).fill(RETAIL_UC_PER_WH),
  };
  const floorMs = leastMs(() => readOnce([orders]));
  const clearing = clearRegion({ orders });
  return {
    orders: orders.count,
    floorMs: round(floorMs),
    clear: against(floorMs, () => clearRegion({ orders })),
    clearAllAtOnePrice: against(floorMs, () => clearRegion({ orders: tied })),
    checkClearing: against(floorMs, () => checkClearing({ orders, clearing })),
    payAsBid: against(floorMs, () => payAsBid(orders)),
    ordersPerSecond: Math.round(1e9 / leastMs(() => clearRegion({ orders }))),
  };
}

function manyRegions(draw: Draw): object {
  const regions = Array.from({ length: 1000 }, () => {
    return drawBook(draw, { count: 1000, bidPercent: 20 + draw(60) });
  });
  const lines = drawLines(draw, { regions: regions.length, lines: 3000 });
  const floorMs = leastMs(() => readOnce(regions));
  const coupling = couple({ regions, lines });
  return {
    regions: regions.length,
    orders: 1_000_000,
    lines: lines.length,
    linesThatCarry: coupling.flowWh.filter((wh) => wh > 0).length,
    distinctPrices: new Set(coupling.priceUcPerWh).size,
    floorMs: round(floorMs),
    couple: against(floorMs, () => couple({ regions, lines })),
    checkWitness: against(floorMs, () => checkWitness({ regions, lines, coupling })),
  };
}

/** What runs every slot in a small community: it must be lost in the noise. */
function handfulOfRegions(draw: Draw): object {
  const regions = Array.from({ length: 5 }, () => drawBook(draw, { count: 100, bidPercent: 50 }));
  const lines = drawLines(draw, { regions: regions.length, lines: 8 });
  const coupling = couple({ regions, lines });
  return {
    regions: regions.length,
    orders: 500,
    coupleMs: round(leastMs(() => couple({ regions, lines }), 200)),
    checkWitnessMs: round(leastMs(() => checkWitness({ regions, lines, coupling }), 200)),
  };
}

function rates(draw: Draw): object {
  const meters = 65_536;
  const importWh = new Float64Array(meters);
  const exportWh = new Float64Array(meters);
  for (let i = 0; i < meters; i++) {
    if (draw(100) < 60) importWh[i] = draw(3000);
    else exportWh[i] = draw(3000);
  }
  const prices = { retailUcPerWh: RETAIL_UC_PER_WH, feedInUcPerWh: FEED_IN_UC_PER_WH };
  return {
    meters,
    midMarketRateMs: round(leastMs(() => midMarketRate({ importWh, exportWh, ...prices }))),
  };
}

/** Runs the whole bench; the result is plain JSON. */
export async function benchMarket(): Promise<object> {
  const draw = createDraw(20_250_621);
  return {
    oneRegion: oneRegion(draw),
    manyRegions: manyRegions(draw),
    handfulOfRegions: handfulOfRegions(draw),
    rates: rates(draw),
  };
}
