/**
 * Maximum flow in integers: Dinic's algorithm over typed arrays (Dinitz, 1970).
 *
 * Arcs come in twins 2k and 2k + 1, one the residual of the other. All capacities are integers and
 * every sum of them at one node is below 2^53, so each addition is exact. After `augmentAll` the
 * nodes with a level are the least source side of a minimum cut.
 */
export type FlowGraph = {
  readonly nodeCount: number;
  readonly head: Int32Array; // per arc: the node it enters
  readonly start: Int32Array; // per node: its arcs are arcs[start[v]] .. arcs[start[v + 1] - 1]
  readonly arcs: Int32Array;
  readonly residual: Float64Array; // per arc
  readonly usable: Uint8Array; // per arc: 0 takes it out of play
  readonly level: Int32Array; // per node: hops from the source, -1 unreached
  readonly queue: Int32Array;
  readonly cursor: Int32Array;
  readonly path: Int32Array;
};

/** A graph with one twin of arcs per pair of ends; capacities are zero until set. */
export function buildFlowGraph(
  nodeCount: number,
  ends: { readonly tail: ArrayLike<number>; readonly head: ArrayLike<number> },
): FlowGraph {
  const pairs = ends.tail.length;
  const head = new Int32Array(2 * pairs);
  const start = new Int32Array(nodeCount + 1);
  for (let k = 0; k < pairs; k++) {
    head[2 * k] = ends.head[k]!;
    head[2 * k + 1] = ends.tail[k]!;
    start[ends.tail[k]! + 1]! += 1;
    start[ends.head[k]! + 1]! += 1;
  }
  for (let v = 0; v < nodeCount; v++) start[v + 1]! += start[v]!;
  const arcs = new Int32Array(2 * pairs);
  const next = start.slice();
  for (let arc = 0; arc < 2 * pairs; arc++) arcs[next[head[arc ^ 1]!]!++] = arc;
  return {
    nodeCount,
    head,
    start,
    arcs,
    residual: new Float64Array(2 * pairs),
    usable: new Uint8Array(2 * pairs).fill(1),
    level: new Int32Array(nodeCount),
    queue: new Int32Array(nodeCount),
    cursor: new Int32Array(nodeCount),
    path: new Int32Array(nodeCount),
  };
}

/** Augments from source to sink until no path of usable arcs is left; returns what was added. */
export function augmentAll(graph: FlowGraph, source: number, sink: number): number {
  let total = 0;
  while (findLevels(graph, source, sink)) {
    graph.cursor.set(graph.start.subarray(0, graph.nodeCount));
    for (let pushed = pushPath(graph, source, sink); pushed > 0; ) {
      total += pushed;
      pushed = pushPath(graph, source, sink);
    }
  }
  return total;
}

/** Breadth-first levels; stops early once the sink has one. */
export function findLevels(graph: FlowGraph, source: number, sink: number): boolean {
  const { head, start, arcs, residual, usable, level, queue } = graph;
  level.fill(-1);
  level[source] = 0;
  queue[0] = source;
  for (let read = 0, write = 1; read < write; read++) {
    const node = queue[read]!;
    for (let k = start[node]!; k < start[node + 1]!; k++) {
      const arc = arcs[k]!;
      if (residual[arc]! <= 0 || usable[arc] === 0) continue;
      const next = head[arc]!;
      if (level[next] !== -1) continue;
      level[next] = level[node]! + 1;
      if (next === sink) return true;
      queue[write++] = next;
    }
  }
  return false;
}

/** One path along rising levels, by depth-first search with a cursor per node; 0 if none. */
function pushPath(graph: FlowGraph, source: number, sink: number): number {
  const { head, start, arcs, residual, usable, level, cursor, path } = graph;
  let depth = 0;
  let node = source;
  while (node !== sink) {
    const end = start[node + 1]!;
    let at = cursor[node]!;
    for (; at < end; at++) {
      const arc = arcs[at]!;
      if (residual[arc]! <= 0 || usable[arc] === 0) continue;
      if (level[head[arc]!] === level[node]! + 1) break;
    }
    cursor[node] = at;
    if (at < end) {
      path[depth++] = arcs[at]!;
      node = head[arcs[at]!]!;
      continue;
    }
    if (node === source) return 0;
    level[node] = -1;
    depth -= 1;
    node = head[path[depth]! ^ 1]!;
    cursor[node]! += 1;
  }
  let pushed = Number.POSITIVE_INFINITY;
  for (let k = 0; k < depth; k++) pushed = Math.min(pushed, residual[path[k]!]!);
  for (let k = 0; k < depth; k++) {
    residual[path[k]!]! -= pushed;
    residual[path[k]! ^ 1]! += pushed;
  }
  return pushed;
}
