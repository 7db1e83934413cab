/**
 * Coupled clearing of many regions: greatest welfare over all of them, subject to the lines.
 *
 * Prices come from the dual (descent.ts), flows from the face they leave (flows.ts), and from any
 * optimal flow every optimal price vector follows: each region's own interval, tied together by
 * p_to <= p_from + fee where a line has room and p_to >= p_from + fee where it carries. The least
 * and the greatest vector are shortest distances; a price rule picks between them (rules.ts).
 * Nothing here depends on the order of regions, lines or orders.
 */
import { assert } from "../primitives/errors.ts";
import { PRICE_UC_PER_WH_MAX } from "../primitives/limits.ts";
import { type Clearing, fillBook } from "./clearing.ts";
import { buildCurve, type Curve, curveInterval, marginAt } from "./curve.ts";
import { optimalPrices } from "./descent.ts";
import { shortestDistances } from "./distances.ts";
import { buildFlowGraph } from "./flow-graph.ts";
import { anyFlow, chooseFlows, type FlowHeights } from "./flows.ts";
import { surplusUc } from "./money.ts";
import { boundWh, buildNetwork, type Line, type Network } from "./network.ts";
import type { OrderColumns } from "./orders.ts";
import { type ClearingRule, choosePrice, MIDPOINT_PRO_RATA } from "./rules.ts";

/** What needs all regions at once. Per region or per line, in the order they were given. */
export type PriceCoupling = {
  readonly priceLowUcPerWh: Float64Array; // least optimal vector; -Infinity where unbounded
  readonly priceHighUcPerWh: Float64Array; // greatest optimal vector; Infinity where unbounded
  readonly priceUcPerWh: Int32Array; // the rule's vector: optimal, finite everywhere
  readonly flowWh: Float64Array; // per line, from `from` to `to`, >= 0
  readonly netInflowWh: Float64Array; // per region: inflow less outflow
  readonly passes: Uint8Array; // per region: 1 where a line that carries something starts or ends
  readonly rentUc: readonly bigint[]; // per line: flow x (p_to - p_from - fee), >= 0
  readonly feesUc: readonly bigint[]; // per line: flow x fee
  readonly heights: FlowHeights; // part of the witness: no shorter way for the same energy
};

export type Coupling = Omit<PriceCoupling, "passes"> & {
  readonly clearings: readonly Clearing[]; // per region; no price where nothing trades or passes
  readonly welfareUc: bigint; // value to bids less cost of asks less fees
};

/**
 * @param parts.regions - each valid by `validateOrders`
 * @param parts.lines - valid by `couplingRefusal`
 * @returns the optimum. buyers' payments = sellers' income + rent + fees, exactly.
 */
export function couple(parts: {
  readonly regions: readonly OrderColumns[];
  readonly lines: readonly Line[];
  readonly rule?: ClearingRule;
}): Coupling {
  const { regions, lines } = parts;
  const rule = parts.rule ?? MIDPOINT_PRO_RATA;
  const { passes, ...prices } = couplePrices({ curves: regions.map(buildCurve), lines, rule });
  const coupling = { ...prices, passes };
  const clearings = regions.map((orders, r) =>
    clearAtPrices({ orders, prices: pricesOf(coupling, r), rule }),
  );
  return { ...prices, clearings, welfareUc: welfareOf(regions, clearings, lines, prices.flowWh) };
}

/**
 * The first half of `couple`: prices and flows from the regions' curves. `clearAtPrices` is the
 * second half, region by region.
 */
export function couplePrices(parts: {
  readonly curves: readonly Curve[];
  readonly lines: readonly Line[];
  readonly rule?: ClearingRule;
}): PriceCoupling {
  const { curves, lines } = parts;
  const rule = parts.rule ?? MIDPOINT_PRO_RATA;
  const network = buildNetwork(curves, lines);
  assert(boundWh(curves, network) <= Number.MAX_SAFE_INTEGER, "energies must be safe integers");
  const optimum = anyOptimum(curves, network);
  const bounds = extremePrices(optimum, Number.POSITIVE_INFINITY);
  const priceUcPerWh = chooseVector(optimum, bounds, rule);
  const margins = curves.map((curve, r) => marginAt(curve, priceUcPerWh[r]!));
  const { flowWh, heights } = chooseFlows({ network, margins, prices: priceUcPerWh });
  return {
    priceLowUcPerWh: bounds.low,
    priceHighUcPerWh: bounds.high,
    priceUcPerWh,
    flowWh,
    netInflowWh: netInflows(network, flowWh),
    passes: activeRegions(network, flowWh),
    rentUc: lines.map((line, l) => {
      const gap = priceUcPerWh[line.to]! - priceUcPerWh[line.from]! - line.feeUcPerWh;
      return BigInt(gap) * BigInt(flowWh[l]!);
    }),
    feesUc: lines.map((line, l) => BigInt(line.feeUcPerWh) * BigInt(flowWh[l]!)),
    heights,
  };
}

/** One optimal solution; all optimal prices follow from it. */
type Optimum = {
  readonly network: Network;
  readonly flowWh: Float64Array;
  readonly prices: Float64Array;
  readonly own: readonly { readonly lowUcPerWh: number; readonly highUcPerWh: number }[];
};

function anyOptimum(curves: readonly Curve[], network: Network): Optimum {
  const prices = optimalPrices(curves, network);
  const margins = curves.map((curve, r) => marginAt(curve, prices[r]!));
  const flowWh = anyFlow({ network, margins, prices });
  const netInflowWh = netInflows(network, flowWh);
  const own = curves.map((curve, r) => curveInterval(curve, netInflowWh[r]!));
  return { network, flowWh, prices, own };
}

type Bounds = { readonly low: Float64Array; readonly high: Float64Array };

/** Inflow less outflow per region; integers, so -0 never appears. */
function netInflows(network: Network, flowWh: Float64Array): Float64Array {
  const netWh = new Float64Array(network.regionCount);
  for (let l = 0; l < network.lineCount; l++) {
    netWh[network.to[l]!]! += flowWh[l]!;
    netWh[network.from[l]!]! -= flowWh[l]!;
  }
  return netWh;
}

/**
 * Least and greatest optimal prices inside [-box, box], as distances from the known optimum: in
 * terms of p - prices every constraint has a non-negative length.
 */
function extremePrices(optimum: Optimum, box: number): Bounds {
  const { network, flowWh, prices, own } = optimum;
  const { regionCount, lineCount, from, to, capacityWh, feeUcPerWh } = network;
  const graph = buildFlowGraph(regionCount, { tail: from, head: to });
  const lengths = new Float64Array(2 * lineCount).fill(Number.POSITIVE_INFINITY);
  for (let l = 0; l < lineCount; l++) {
    const room = prices[from[l]!]! + feeUcPerWh[l]! - prices[to[l]!]!;
    if (flowWh[l]! < capacityWh[l]!) lengths[2 * l] = room;
    if (flowWh[l]! > 0) lengths[2 * l + 1] = -room;
  }
  const up = own.map(({ highUcPerWh }, r) => Math.min(highUcPerWh, box) - prices[r]!);
  const down = own.map(({ lowUcPerWh }, r) => prices[r]! - Math.max(lowUcPerWh, -box));
  const search = { graph, lengths };
  const rise = shortestDistances({ ...search, starts: Float64Array.from(up), toward: "heads" });
  const fall = shortestDistances({ ...search, starts: Float64Array.from(down), toward: "tails" });
  return {
    low: prices.map((price, r) => price - fall[r]!),
    high: prices.map((price, r) => price + rise[r]!),
  };
}

/**
 * The rule's optimal vector. Regions where nothing trades may have unbounded prices; boxing them to
 * the price limits leaves every region that trades, or that energy passes, as it is.
 */
function chooseVector(optimum: Optimum, bounds: Bounds, rule: ClearingRule): Int32Array {
  const bounded = [bounds.low, bounds.high].every((vector) => vector.every(withinLimits));
  const tick = rule.tickUcPerWh ?? 1;
  const box = Math.floor(PRICE_UC_PER_WH_MAX / tick) * tick;
  const { low, high } = bounded ? bounds : extremePrices(optimum, box);
  const chosen = new Int32Array(low.length);
  for (let r = 0; r < chosen.length; r++) {
    const price = choosePrice({ lowUcPerWh: low[r]!, highUcPerWh: high[r]! }, rule);
    assert(price !== null, "boxed prices are bounded");
    chosen[r] = price;
  }
  return chosen;
}

function withinLimits(priceUcPerWh: number): boolean {
  return Math.abs(priceUcPerWh) <= PRICE_UC_PER_WH_MAX;
}

/** 1 for regions at an end of a line that carries something. */
function activeRegions(network: Network, flowWh: Float64Array): Uint8Array {
  const active = new Uint8Array(network.regionCount);
  for (let l = 0; l < network.lineCount; l++) {
    if (flowWh[l] === 0) continue;
    active[network.from[l]!] = 1;
    active[network.to[l]!] = 1;
  }
  return active;
}

/** What a coupling says of one region. */
export type RegionPrices = {
  readonly lowUcPerWh: number; // -Infinity where unbounded
  readonly highUcPerWh: number; // Infinity where unbounded
  readonly atUcPerWh: number; // in the rule's vector
  readonly netInflowWh: number;
  readonly passes: boolean; // energy starts, ends or goes through here
};

export function pricesOf(coupling: PriceCoupling, region: number): RegionPrices {
  return {
    lowUcPerWh: coupling.priceLowUcPerWh[region]!,
    highUcPerWh: coupling.priceHighUcPerWh[region]!,
    atUcPerWh: coupling.priceUcPerWh[region]!,
    netInflowWh: coupling.netInflowWh[region]!,
    passes: coupling.passes[region] === 1,
  };
}

/** One region's part of a coupling, from its orders and its prices. */
export function clearAtPrices(parts: {
  readonly orders: OrderColumns;
  readonly prices: RegionPrices;
  readonly rule?: ClearingRule;
}): Clearing {
  const { orders, prices } = parts;
  const { rationing } = parts.rule ?? MIDPOINT_PRO_RATA;
  const { lowUcPerWh: low, highUcPerWh: high, atUcPerWh, netInflowWh } = prices;
  const filled = fillBook({
    orders,
    injectionWh: netInflowWh,
    priceUcPerWh: atUcPerWh,
    rationing,
  });
  const trades = filled.boughtWh > 0 || filled.soldWh > 0 || prices.passes;
  return {
    priceLowUcPerWh: Number.isFinite(low) ? low : null,
    priceHighUcPerWh: Number.isFinite(high) ? high : null,
    priceUcPerWh: trades ? atUcPerWh : null,
    boughtWh: filled.boughtWh,
    soldWh: filled.soldWh,
    fillWh: filled.fillWh,
  };
}

function welfareOf(
  regions: readonly OrderColumns[],
  clearings: readonly Clearing[],
  lines: readonly Line[],
  flowWh: Float64Array,
): bigint {
  let welfareUc = 0n;
  for (const [r, orders] of regions.entries()) {
    welfareUc += surplusUc(orders, clearings[r]!.fillWh);
  }
  for (const [l, line] of lines.entries()) {
    welfareUc -= BigInt(line.feeUcPerWh) * BigInt(flowWh[l]!);
  }
  return welfareUc;
}
