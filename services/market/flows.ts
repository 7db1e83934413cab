/**
 * The flows, once optimal prices are known: of all flows of greatest welfare, those that trade the
 * most; of these, those with the least sum over lines; of these, the one that is greatest on the
 * line with the lowest id, then on the next (a lexicographic maximum, hence unique).
 *
 * By complementary slackness every optimal flow lives where the prices leave room: a line whose
 * price gap exceeds its fee is full, one whose gap falls short is empty, and only orders exactly at
 * their region's price may be partly filled. On that face this is a minimum-cost maximum flow with
 * cost 1 a line, by successive shortest distances with all paths of one length at once
 * (Ahuja, Magnanti & Orlin, 1993, Network Flows, ch. 9). The last tie is cut line by line.
 */
import { assert } from "../primitives/errors.ts";
import type { Margin } from "./curve.ts";
import { shortestDistances } from "./distances.ts";
import { augmentAll, buildFlowGraph, type FlowGraph } from "./flow-graph.ts";
import { settleTies } from "./flow-ties.ts";
import type { Network } from "./network.ts";

/**
 * Proof that the sum of flows is least: a height per region such that flow climbs one step a line.
 * Where ask energy at the price is unsold the height is at most 0, where some is sold at least 0;
 * for bids at the price the same holds of `bidHeight`, with the inequalities turned round.
 */
export type FlowHeights = {
  readonly height: Int32Array;
  readonly bidHeight: number;
};

export type ChosenFlows = { readonly flowWh: Float64Array; readonly heights: FlowHeights };

/** The face of optimal flows as a network: what must flow, and what may. */
type Face = {
  readonly graph: FlowGraph; // regions, then source, then sink
  readonly cost: Float64Array; // per arc; its twin has the negative
  readonly potential: Float64Array; // per node; reduced costs of usable residual arcs are >= 0
  readonly forced: Uint8Array; // per pair: 1 for energy that must move
  readonly pairOfLine: Int32Array; // -1 for lines that are not on the edge
  readonly fullWh: Float64Array; // per line: its flow where the price gap fills it, else 0
  readonly optionalCost: number;
};

/** Regions and lines with prices that are optimal for them. */
export type PricedNetwork = {
  readonly network: Network;
  readonly margins: readonly Margin[]; // at those prices
  readonly prices: ArrayLike<number>;
};

/** The one flow of the order above, and the heights that prove it shortest. */
export function chooseFlows(optimum: PricedNetwork): ChosenFlows {
  const { network } = optimum;
  const face = buildFace(optimum, 1);
  fillCheapest(face, network.regionCount);
  settleTies(face.graph, face.pairOfLine, network);
  return { flowWh: lineFlows(face), heights: heightsOf(face, network.regionCount) };
}

/** Some optimal flow: what a chosen one would be, but for its detours. */
export function anyFlow(optimum: PricedNetwork): Float64Array {
  const face = buildFace(optimum, 0);
  fillCheapest(face, optimum.network.regionCount);
  return lineFlows(face);
}

function lineFlows(face: Face): Float64Array {
  const flowWh = face.fullWh.slice();
  for (let l = 0; l < flowWh.length; l++) {
    const pair = face.pairOfLine[l]!;
    if (pair !== -1) flowWh[l] = face.graph.residual[2 * pair + 1]!;
  }
  return flowWh;
}

/**
 * Writes the flows of full lines and builds the face from the rest. Energy that must move costs
 * nothing at its ends and energy that may move costs more than any path, so the former goes first.
 */
function buildFace(optimum: PricedNetwork, lineCost: 0 | 1): Face {
  const { network, margins, prices } = optimum;
  const { regionCount, lineCount, from, to, capacityWh, feeUcPerWh } = network;
  const [source, sink] = [regionCount, regionCount + 1];
  const optionalCost = 2 * (regionCount + 2);
  const surplusWh = Float64Array.from(margins, (m) => m.askBelowWh - m.bidAboveWh);
  const pairs: Pairs = { tail: [], head: [], capacityWh: [], cost: [], forced: [] };
  const pairOfLine = new Int32Array(lineCount).fill(-1);
  const fullWh = new Float64Array(lineCount);
  for (let l = 0; l < lineCount; l++) {
    const gap = prices[to[l]!]! - prices[from[l]!]! - feeUcPerWh[l]!;
    if (gap > 0) {
      fullWh[l] = capacityWh[l]!;
      surplusWh[to[l]!]! += capacityWh[l]!;
      surplusWh[from[l]!]! -= capacityWh[l]!;
    } else if (gap === 0 && capacityWh[l]! > 0) {
      pairOfLine[l] = pairs.tail.length;
      addPair(pairs, [from[l]!, to[l]!], { capacityWh: capacityWh[l]!, cost: lineCost, forced: 0 });
    }
  }
  for (const [r, margin] of margins.entries()) {
    const mustWh = Math.abs(surplusWh[r]!);
    const ends: [number, number] = surplusWh[r]! > 0 ? [source, r] : [r, sink];
    const may = { cost: optionalCost, forced: 0 } as const;
    addPair(pairs, ends, { capacityWh: mustWh, cost: 0, forced: 1 });
    addPair(pairs, [source, r], { ...may, capacityWh: margin.askAtWh });
    addPair(pairs, [r, sink], { ...may, capacityWh: margin.bidAtWh });
  }
  return faceOf(pairs, { nodeCount: regionCount + 2, pairOfLine, fullWh, optionalCost });
}

type Pairs = {
  readonly tail: number[];
  readonly head: number[];
  readonly capacityWh: number[];
  readonly cost: number[];
  readonly forced: number[];
};

function addPair(
  pairs: Pairs,
  [tail, head]: readonly [number, number],
  facts: { readonly capacityWh: number; readonly cost: number; readonly forced: 0 | 1 },
): void {
  if (facts.capacityWh === 0) return;
  pairs.tail.push(tail);
  pairs.head.push(head);
  pairs.capacityWh.push(facts.capacityWh);
  pairs.cost.push(facts.cost);
  pairs.forced.push(facts.forced);
}

function faceOf(
  pairs: Pairs,
  facts: Pick<Face, "pairOfLine" | "fullWh" | "optionalCost"> & { readonly nodeCount: number },
): Face {
  const { nodeCount, ...rest } = facts;
  const graph = buildFlowGraph(nodeCount, pairs);
  const cost = new Float64Array(2 * pairs.tail.length);
  for (let pair = 0; pair < pairs.tail.length; pair++) {
    graph.residual[2 * pair] = pairs.capacityWh[pair]!;
    cost[2 * pair] = pairs.cost[pair]!;
    cost[2 * pair + 1] = -pairs.cost[pair]!;
  }
  const forced = Uint8Array.from(pairs.forced);
  return { graph, cost, potential: new Float64Array(nodeCount), forced, ...rest };
}

/** Successive shortest distances; each round fills every path of that length. */
function fillCheapest(face: Face, regionCount: number): void {
  const { graph, potential } = face;
  const [source, sink] = [regionCount, regionCount + 1];
  const starts = new Float64Array(graph.nodeCount).fill(Number.POSITIVE_INFINITY);
  starts[source] = 0;
  for (;;) {
    const lengths = reducedCosts(face);
    const distances = shortestDistances({ graph, lengths, starts, toward: "heads" });
    let farthest = 0;
    for (const distance of distances) {
      if (distance < Number.POSITIVE_INFINITY) farthest = Math.max(farthest, distance);
    }
    const done = distances[sink] === Number.POSITIVE_INFINITY;
    const cut = done ? farthest : distances[sink]!;
    for (let v = 0; v < graph.nodeCount; v++) potential[v]! += Math.min(distances[v]!, cut);
    if (done) break;
    markCheapest(face);
    augmentAll(graph, source, sink);
  }
  for (let pair = 0; pair < face.forced.length; pair++) {
    if (face.forced[pair] === 0) continue;
    assert(graph.residual[2 * pair] === 0, "what must flow must have a way");
    // It stays where it is: only lines and energy at the margin may still be exchanged.
    graph.residual[2 * pair + 1] = 0;
  }
  markCheapest(face);
}

function reducedCosts(face: Face): Float64Array {
  const { graph, cost, potential } = face;
  const lengths = new Float64Array(cost.length);
  for (let arc = 0; arc < cost.length; arc++) {
    const change = potential[graph.head[arc ^ 1]!]! - potential[graph.head[arc]!]!;
    lengths[arc] = graph.residual[arc]! > 0 ? cost[arc]! + change : Number.POSITIVE_INFINITY;
  }
  return lengths;
}

/** Leaves in play only arcs of reduced cost zero: those that keep the flow cheapest. */
function markCheapest(face: Face): void {
  const { graph, cost, potential } = face;
  for (let arc = 0; arc < cost.length; arc++) {
    const change = potential[graph.head[arc ^ 1]!]! - potential[graph.head[arc]!]!;
    graph.usable[arc] = cost[arc]! + change === 0 ? 1 : 0;
  }
}

/** Heights relative to the optional source, so that selling at the margin starts at height 0. */
function heightsOf(face: Face, regionCount: number): FlowHeights {
  const { potential, optionalCost } = face;
  const base = potential[regionCount]! + optionalCost;
  const height = new Int32Array(regionCount);
  for (let r = 0; r < regionCount; r++) height[r] = potential[r]! - base;
  return { height, bidHeight: potential[regionCount + 1]! - optionalCost - base };
}
