/**
 * Cutting the last tie between flows that are equally good, equally large and equally short: the
 * lexicographic maximum in ascending order of line ids. It is unique, so the flows cannot depend on
 * the order in which regions, lines or orders came, nor on how the search went.
 */
import { type FlowGraph, findLevels } from "./flow-graph.ts";
import type { Network } from "./network.ts";

/**
 * Line by line in order of id: pushes as much onto it as cycles of equally good flow allow, then
 * holds it fixed. Such cycles live inside strongly connected parts of the residual network.
 *
 * @param graph - its usable arcs are those of reduced cost zero: any cycle of them changes nothing
 * @param pairOfLine - per line: its pair of arcs, or -1
 */
export function settleTies(graph: FlowGraph, pairOfLine: Int32Array, network: Network): void {
  const part = strongParts(graph);
  for (const line of network.byId) {
    const pair = pairOfLine[line]!;
    if (pair === -1) continue;
    const [tail, head] = [network.from[line]!, network.to[line]!];
    const [arc, twin] = [2 * pair, 2 * pair + 1];
    if (graph.usable[arc] === 1 && part[tail] === part[head]) {
      graph.usable[arc] = 0;
      graph.usable[twin] = 0;
      raise(graph, { arc, tail, head });
    }
    graph.usable[arc] = 0;
    graph.usable[twin] = 0;
  }
}

/** Moves up to the arc's residual around cycles that return from its head to its tail. */
function raise(
  graph: FlowGraph,
  ends: { readonly arc: number; readonly tail: number; readonly head: number },
): void {
  const { residual, usable, level, start, arcs, head: heads } = graph;
  const { arc, tail, head } = ends;
  while (residual[arc]! > 0 && findLevels(graph, head, tail)) {
    // Walk back from the tail along falling levels: breadth-first search left such a path.
    const back: number[] = [];
    let pushed = residual[arc]!;
    for (let node = tail; node !== head; ) {
      let k = start[node]!;
      for (; ; k++) {
        const into = arcs[k]! ^ 1;
        if (residual[into]! <= 0 || usable[into] === 0) continue;
        if (level[heads[arcs[k]!]!] === level[node]! - 1) break;
      }
      back.push(arcs[k]! ^ 1);
      pushed = Math.min(pushed, residual[arcs[k]! ^ 1]!);
      node = heads[arcs[k]!]!;
    }
    for (const step of [...back, arc]) {
      residual[step]! -= pushed;
      residual[step ^ 1]! += pushed;
    }
  }
}

/** Strongly connected parts of the usable residual network (Tarjan, 1972), without recursion. */
function strongParts(graph: FlowGraph): Int32Array {
  const { nodeCount, head, start, arcs, residual, usable } = graph;
  const part = new Int32Array(nodeCount).fill(-1);
  const order = new Int32Array(nodeCount).fill(-1);
  const low = new Int32Array(nodeCount);
  const cursor = start.slice(0, nodeCount);
  const open: number[] = [];
  const walk: number[] = [];
  let seen = 0;
  for (let root = 0; root < nodeCount; root++) {
    if (order[root] !== -1) continue;
    walk.push(root);
    while (walk.length > 0) {
      const node = walk[walk.length - 1]!;
      if (order[node] === -1) {
        order[node] = seen;
        low[node] = seen++;
        open.push(node);
      }
      let child = -1;
      while (child === -1 && cursor[node]! < start[node + 1]!) {
        const arc = arcs[cursor[node]!]!;
        const next = head[arc]!;
        if (residual[arc]! > 0 && usable[arc] === 1 && part[next] === -1) {
          if (order[next] === -1) child = next;
          else low[node] = Math.min(low[node]!, low[next]!);
        }
        if (child === -1) cursor[node]! += 1;
      }
      if (child !== -1) {
        walk.push(child);
        continue;
      }
      walk.pop();
      if (low[node] !== order[node]) continue;
      for (let member = -1; member !== node; ) {
        member = open.pop()!;
        part[member] = node;
      }
    }
  }
  return part;
}
