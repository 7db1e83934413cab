/**
 * The slow twin of the coupling: one circulation with an arc per order and per line, made optimal
 * by cancelling negative cycles (Klein, 1967) in bigint. It shares no code and no idea with the
 * fast one: no dual, no cut. Prices come from what one more Wh, given or taken, does to welfare.
 */
import type { Line } from "../../../services/market/network.ts";
import { BID, type OrderRow } from "../../../services/market/orders.ts";

export type SlowCoupling = {
  welfareUc: bigint;
  volumeWh: number;
  flowWh: number[];
  low: (number | null)[];
  high: (number | null)[];
};

type Arc = { tail: number; head: number; room: number; cost: bigint; twin: Arc };

export function coupleSlowly(regions: readonly OrderRow[][], lines: readonly Line[]): SlowCoupling {
  const optimum = solve(regions, lines, []);
  if (optimum === null) throw new Error("a market without injections always has an optimum");
  const price = (r: number, wh: 1 | -1): number | null => {
    const moved = solve(regions, lines, [{ region: r, wh }]);
    return moved === null ? null : Number((moved.welfareUc - optimum.welfareUc) * BigInt(wh));
  };
  return {
    ...optimum,
    low: regions.map((_, r) => price(r, 1)),
    high: regions.map((_, r) => price(r, -1)),
  };
}

type Injection = { region: number; wh: 1 | -1 };
type Solved = { welfareUc: bigint; volumeWh: number; flowWh: number[] };

function solve(
  regions: readonly OrderRow[][],
  lines: readonly Line[],
  injections: readonly Injection[],
): Solved | null {
  // One number orders the aims: injections, welfare, volume, sum of flows, then line by line.
  const reach = BigInt(1 + regions.flat().reduce((sum, row) => sum + row.energyWh, 1));
  const byId = [...lines].sort((a, b) => (a.id < b.id ? -1 : 1));
  const lexical = new Map(byId.map((line, k) => [line, reach ** BigInt(lines.length - 1 - k)]));
  const perFlow = reach ** BigInt(lines.length + 1);
  const perVolume = perFlow * reach * BigInt(lines.length + 1);
  const perWelfare = perVolume * reach;
  const ground = regions.length;
  const arcs: Arc[] = [];
  const add = (tail: number, head: number, room: number, cost: bigint): Arc => {
    const arc = { tail, head, room, cost } as Arc;
    arc.twin = { tail: head, head: tail, room: 0, cost: -cost, twin: arc };
    arcs.push(arc, arc.twin);
    return arc;
  };
  const orderArcs = regions.flatMap((rows, r) =>
    rows.map((row) => {
      const value = BigInt(row.limitUcPerWh);
      const [tail, head] = row.side === BID ? [r, ground] : [ground, r];
      const cost = row.side === BID ? -value * perWelfare - perVolume : value * perWelfare;
      return { row, arc: add(tail, head, row.energyWh, cost) };
    }),
  );
  const lineArcs = lines.map((line) => {
    const cost = BigInt(line.feeUcPerWh) * perWelfare + perFlow - lexical.get(line)!;
    return { line, arc: add(line.from, line.to, line.capacityWh, cost) };
  });
  const must = perWelfare * 10n ** 12n;
  const forced = injections.map(({ region, wh }) =>
    wh > 0 ? add(ground, region, 1, -must) : add(region, ground, 1, -must),
  );
  while (cancelCycle(arcs, regions.length + 1));
  if (forced.some((arc) => arc.room > 0)) return null;
  let welfareUc = 0n;
  let volumeWh = 0;
  for (const { row, arc } of orderArcs) {
    const sign = row.side === BID ? 1n : -1n;
    welfareUc += sign * BigInt(row.limitUcPerWh) * BigInt(arc.twin.room);
    if (row.side === BID) volumeWh += arc.twin.room;
  }
  for (const { line, arc } of lineArcs) welfareUc -= BigInt(line.feeUcPerWh * arc.twin.room);
  return { welfareUc, volumeWh, flowWh: lineArcs.map(({ arc }) => arc.twin.room) };
}

/** Bellman-Ford from everywhere at once; cancels one negative cycle if there is one. */
function cancelCycle(arcs: readonly Arc[], nodes: number): boolean {
  const distance: bigint[] = new Array(nodes).fill(0n);
  const into: (Arc | null)[] = new Array(nodes).fill(null);
  let last = -1;
  for (let round = 0; round <= nodes; round++) {
    last = -1;
    for (const arc of arcs) {
      if (arc.room === 0 || distance[arc.tail]! + arc.cost >= distance[arc.head]!) continue;
      distance[arc.head] = distance[arc.tail]! + arc.cost;
      into[arc.head] = arc;
      last = arc.head;
    }
    if (last === -1) return false;
  }
  for (let k = 0; k < nodes; k++) last = into[last]!.tail;
  const cycle: Arc[] = [];
  for (let node = last; cycle.length === 0 || node !== last; node = into[node]!.tail) {
    cycle.push(into[node]!);
  }
  const pushed = Math.min(...cycle.map((arc) => arc.room));
  for (const arc of cycle) {
    arc.room -= pushed;
    arc.twin.room += pushed;
  }
  return true;
}
