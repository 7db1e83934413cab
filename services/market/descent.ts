/**
 * Optimal prices of coupled regions: scaled steepest descent on the dual of the welfare problem.
 *
 * g(p) = sum_r f_r(p_r) + sum_l cap_l max(0, p_to - p_from - fee_l) is L-natural-convex on integer
 * prices, so p is optimal iff no set X of regions improves it by moving up together or down
 * together; the steepest X is a minimum cut (Murota, 2003, Discrete Convex Analysis; Kolmogorov &
 * Shioura, 2009). Coarse ladders come first (limits and fees rounded down to a power of two), each
 * starting where the last one ended; the final ladder has step 1 and is exact, so the coarse ones
 * only save work. Slopes are energies, so no product of price and energy is ever formed.
 */
import { assert } from "../primitives/errors.ts";
import { belowWh, type Curve } from "./curve.ts";
import { augmentAll, buildFlowGraph, type FlowGraph } from "./flow-graph.ts";
import type { Network } from "./network.ts";

/** Far above what descent needs; passing it means a bug, not a hard input. */
const STEPS_MAX = 1_000_000;

type Search = {
  readonly curves: readonly Curve[];
  readonly network: Network;
  readonly graph: FlowGraph; // regions, then source, then sink
  readonly prices: Float64Array; // uc/Wh, multiples of stepUcPerWh
  readonly weightWh: Float64Array; // per region: change of g per uc/Wh if it alone moves
  readonly feeUcPerWh: Float64Array; // per line, rounded down to the ladder
  readonly gapUcPerWh: Float64Array; // per line: what delivering over it would earn
  readonly moved: Uint8Array; // per region: 1 if it is in the set that moves
};

/** One optimal price per region, uc/Wh; which one of them is not specified. */
export function optimalPrices(curves: readonly Curve[], network: Network): Float64Array {
  const range = priceRange(curves);
  let stepUcPerWh = 1;
  while (stepUcPerWh <= range.high - range.low) stepUcPerWh *= 2;
  const start = Math.floor(range.low / stepUcPerWh) * stepUcPerWh;
  const search: Search = {
    curves,
    network,
    graph: buildCutGraph(network),
    prices: new Float64Array(network.regionCount).fill(start),
    weightWh: new Float64Array(network.regionCount),
    feeUcPerWh: new Float64Array(network.lineCount),
    gapUcPerWh: new Float64Array(network.lineCount),
    moved: new Uint8Array(network.regionCount),
  };
  for (; ; stepUcPerWh = Math.floor(stepUcPerWh / 2)) {
    descend(search, stepUcPerWh);
    if (stepUcPerWh === 1) return search.prices;
  }
}

function priceRange(curves: readonly Curve[]): { readonly low: number; readonly high: number } {
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (const { priceUcPerWh } of curves) {
    if (priceUcPerWh.length === 0) continue;
    low = Math.min(low, priceUcPerWh[0]!);
    high = Math.max(high, priceUcPerWh[priceUcPerWh.length - 1]!);
  }
  return low > high ? { low: 0, high: 0 } : { low, high };
}

/** Arcs: source to each region, each region to sink, then one twin per line. */
function buildCutGraph(network: Network): FlowGraph {
  const { regionCount, lineCount, from, to } = network;
  const tail: number[] = [];
  const head: number[] = [];
  for (let r = 0; r < regionCount; r++) {
    tail.push(regionCount, r);
    head.push(r, regionCount + 1);
  }
  for (let l = 0; l < lineCount; l++) {
    tail.push(from[l]!);
    head.push(to[l]!);
  }
  return buildFlowGraph(regionCount + 2, { tail, head });
}

/** Moves sets of regions up and down by whole steps until neither direction improves. */
function descend(search: Search, stepUcPerWh: number): void {
  const { network, feeUcPerWh } = search;
  for (let l = 0; l < network.lineCount; l++) {
    feeUcPerWh[l] = Math.floor(network.feeUcPerWh[l]! / stepUcPerWh) * stepUcPerWh;
  }
  let idle = 0;
  let direction: 1 | -1 = 1;
  for (let steps = 0; idle < 2; steps++) {
    assert(steps < STEPS_MAX, "steepest descent must end");
    if (move(search, stepUcPerWh, direction)) {
      idle = 0;
    } else {
      idle += 1;
      direction = direction === 1 ? -1 : 1;
    }
  }
}

/**
 * Finds the steepest set X in one direction and moves it as far as that keeps improving.
 * X is the least minimum cut, so no region moves without need.
 */
function move(search: Search, stepUcPerWh: number, direction: 1 | -1): boolean {
  const { graph, prices, network, moved } = search;
  const source = network.regionCount;
  weigh(search, stepUcPerWh, direction);
  const improvable = setCapacities(search, direction);
  if (improvable === 0) return false;
  const blocked = augmentAll(graph, source, source + 1);
  if (blocked === improvable) return false;
  for (let r = 0; r < source; r++) moved[r] = graph.level[r] === -1 ? 0 : 1;
  do {
    for (let r = 0; r < source; r++) prices[r]! += direction * stepUcPerWh * moved[r]!;
  } while (slopeWh(search, stepUcPerWh, direction) < 0);
  return true;
}

/**
 * Each region's own change of g per unit of price: its curve, and its lines that must be full. And
 * each line's gap on the ladder: what is left of the price difference after the fee.
 */
function weigh(search: Search, stepUcPerWh: number, direction: 1 | -1): void {
  const { curves, network, prices, weightWh, feeUcPerWh, gapUcPerWh } = search;
  const { from, to, capacityWh } = network;
  for (let r = 0; r < network.regionCount; r++) {
    const curve = curves[r]!;
    // On a ladder of step d every limit in [p, p + d) counts as p.
    const at = direction === 1 ? prices[r]! + stepUcPerWh : prices[r]!;
    weightWh[r] = direction * (belowWh(curve, at) - curve.bidWh);
  }
  for (let l = 0; l < network.lineCount; l++) {
    const gap = prices[to[l]!]! - prices[from[l]!]! - feeUcPerWh[l]!;
    gapUcPerWh[l] = gap;
    if (gap <= 0) continue;
    weightWh[to[l]!]! += direction * capacityWh[l]!;
    weightWh[from[l]!]! -= direction * capacityWh[l]!;
  }
}

/** Capacities of the cut problem; returns the sum of all improvements, were none blocked. */
function setCapacities(search: Search, direction: 1 | -1): number {
  const { network, graph, weightWh, gapUcPerWh } = search;
  const { residual } = graph;
  const { regionCount, lineCount, capacityWh } = network;
  let improvable = 0;
  for (let r = 0; r < regionCount; r++) {
    const weight = weightWh[r]!;
    residual[4 * r] = Math.max(0, -weight);
    residual[4 * r + 1] = 0;
    residual[4 * r + 2] = Math.max(0, weight);
    residual[4 * r + 3] = 0;
    improvable += residual[4 * r]!;
  }
  for (let l = 0; l < lineCount; l++) {
    const arc = 4 * regionCount + 2 * l;
    // A line on the edge of paying costs its capacity if `to` rises, or `from` falls, alone.
    const tight = gapUcPerWh[l] === 0 ? capacityWh[l]! : 0;
    residual[arc] = direction === -1 ? tight : 0;
    residual[arc + 1] = direction === 1 ? tight : 0;
  }
  return improvable;
}

/** Change of g per unit of price if the set moves one more step. */
function slopeWh(search: Search, stepUcPerWh: number, direction: 1 | -1): number {
  const { network, moved, weightWh, gapUcPerWh } = search;
  const { regionCount, lineCount, capacityWh } = network;
  weigh(search, stepUcPerWh, direction);
  let slope = 0;
  for (let r = 0; r < regionCount; r++) slope += weightWh[r]! * moved[r]!;
  const first = direction === 1 ? network.to : network.from;
  const second = direction === 1 ? network.from : network.to;
  for (let l = 0; l < lineCount; l++) {
    if (gapUcPerWh[l] !== 0) continue;
    slope += capacityWh[l]! * moved[first[l]!]! * (1 - moved[second[l]!]!);
  }
  return slope;
}
