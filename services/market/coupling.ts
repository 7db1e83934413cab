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

/** Per region or per line, in the order they were given. */
export type Coupling = {
  readonly priceLowUcPerWh: Float64Array; // least optimal vector; -Infinity where unbounded
  readonly priceHighUcPerWh: Float64Array; // greatest optimal vector; Infinity where unbounded
  readonly priceUcPerWh: Int32Array; // the rule's vector: optimal, finite everywhere
  readonly flowWh: Float64Array; // per line, from `from` to `to`, >= 0
  readonly netInflowWh: Float64Array; // per region: inflow less outflow
  readonly clearings: readonly Clearing[]; // per region; no price where nothing trades or passes
  readonly rentUc: readonly bigint[]; // per line: flow x (p_to - p_from - fee), >= 0
  readonly feesUc: readonly bigint[]; // per line: flow x fee
  readonly welfareUc: bigint; // value to bids less cost of asks less fees
  readonly heights: FlowHeights; // part of the witness: no shorter way for the same energy
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
  const curves = regions.map(buildCurve);
  const network = buildNetwork(curves, lines);
  assert(boundWh(curves, network) <= Number.MAX_SAFE_INTEGER, "energies must be safe integers");
  const optimum = anyOptimum(curves, network);
  const bounds = extremePrices(optimum, Number.POSITIVE_INFINITY);
  const priceUcPerWh = chooseVector(optimum, bounds, rule);
  const margins = curves.map((curve, r) => marginAt(curve, priceUcPerWh[r]!));
  const { flowWh, heights } = chooseFlows({ network, margins, prices: priceUcPerWh });
  const netInflowWh = netInflows(network, flowWh);
  const active = activeRegions(network, flowWh);
  const clearings = regions.map((orders, r) => {
    const prices = { low: bounds.low[r]!, high: bounds.high[r]!, at: priceUcPerWh[r]! };
    const injectionWh = netInflowWh[r]!;
    return clearAt({ orders, injectionWh, prices, rule, passes: active[r] === 1 });
  });
  return {
    priceLowUcPerWh: bounds.low,
    priceHighUcPerWh: bounds.high,
    priceUcPerWh,
    flowWh,
    netInflowWh,
    clearings,
    rentUc: lines.map((line, l) => {
      const gap = priceUcPerWh[line.to]! - priceUcPerWh[line.from]! - line.feeUcPerWh;
      return BigInt(gap) * BigInt(flowWh[l]!);
    }),
    feesUc: lines.map((line, l) => BigInt(line.feeUcPerWh) * BigInt(flowWh[l]!)),
    welfareUc: welfareOf(regions, clearings, lines, flowWh),
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

function clearAt(parts: {
  readonly orders: OrderColumns;
  readonly injectionWh: number;
  readonly prices: { readonly low: number; readonly high: number; readonly at: number };
  readonly rule: ClearingRule;
  readonly passes: boolean;
}): Clearing {
  const { orders, injectionWh, prices, rule } = parts;
  const { rationing } = rule;
  const filled = fillBook({ orders, injectionWh, priceUcPerWh: prices.at, rationing });
  const trades = filled.boughtWh > 0 || filled.soldWh > 0 || parts.passes;
  return {
    priceLowUcPerWh: Number.isFinite(prices.low) ? prices.low : null,
    priceHighUcPerWh: Number.isFinite(prices.high) ? prices.high : null,
    priceUcPerWh: trades ? prices.at : null,
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
