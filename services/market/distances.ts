/**
 * Shortest distances with non-negative integer lengths: Dijkstra's algorithm with a binary heap
 * (Dijkstra, 1959). Distances are unique, so nothing depends on how the heap breaks ties.
 */
import type { FlowGraph } from "./flow-graph.ts";

export type Toward = "heads" | "tails";

/**
 * Spreads the start values along the arcs.
 *
 * @param parts.lengths - per arc, >= 0; infinite where the arc is absent
 * @param parts.starts - per node, >= 0 or infinite
 * @param parts.toward - `heads`: d(head) <= d(tail) + length; `tails`: d(tail) <= d(head) + length
 */
export function shortestDistances(parts: {
  readonly graph: FlowGraph;
  readonly lengths: Float64Array;
  readonly starts: Float64Array;
  readonly toward: Toward;
}): Float64Array {
  const { graph, lengths, toward } = parts;
  const distances = parts.starts.slice();
  const done = new Uint8Array(graph.nodeCount);
  const heap: Heap = { keys: [], nodes: [] };
  for (let node = 0; node < graph.nodeCount; node++) {
    if (distances[node]! < Number.POSITIVE_INFINITY) pushHeap(heap, distances[node]!, node);
  }
  const twin = toward === "heads" ? 0 : 1;
  while (heap.nodes.length > 0) {
    const node = popHeap(heap);
    if (done[node] === 1) continue;
    done[node] = 1;
    for (let k = graph.start[node]!; k < graph.start[node + 1]!; k++) {
      const arc = graph.arcs[k]!;
      const next = graph.head[arc]!;
      const distance = distances[node]! + lengths[arc ^ twin]!;
      if (distance >= distances[next]!) continue;
      distances[next] = distance;
      pushHeap(heap, distance, next);
    }
  }
  return distances;
}

type Heap = { readonly keys: number[]; readonly nodes: number[] };

function pushHeap(heap: Heap, key: number, node: number): void {
  const { keys, nodes } = heap;
  let at = keys.length;
  keys.push(key);
  nodes.push(node);
  while (at > 0) {
    const parent = (at - 1) >>> 1;
    if (keys[parent]! <= key) break;
    keys[at] = keys[parent]!;
    nodes[at] = nodes[parent]!;
    at = parent;
  }
  keys[at] = key;
  nodes[at] = node;
}

function popHeap(heap: Heap): number {
  const { keys, nodes } = heap;
  const least = nodes[0]!;
  const key = keys.pop()!;
  const node = nodes.pop()!;
  const count = keys.length;
  if (count === 0) return least;
  let at = 0;
  for (;;) {
    let child = 2 * at + 1;
    if (child >= count) break;
    if (child + 1 < count && keys[child + 1]! < keys[child]!) child += 1;
    if (keys[child]! >= key) break;
    keys[at] = keys[child]!;
    nodes[at] = nodes[child]!;
    at = child;
  }
  keys[at] = key;
  nodes[at] = node;
  return least;
}
