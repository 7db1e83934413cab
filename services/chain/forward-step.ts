/**
 * Forward auctions: one call auction per slot, held by the first block whose time has reached the
 * slot's gate (its start less `gateClosureS`), before that block's transactions. So an order in the
 * gate's own block is too late, whatever its place, and every open order is for an open gate. Slots
 * are taken in order; a slot without orders leaves no trace.
 *
 * Members only, without the retailer: nobody is bound to trade forward. Each member's own orders
 * are netted first. Regions under the uniform price couple over the lines, at their full capacity;
 * the others clear alone. Ties at the margin go to the earlier order. The witness is asserted.
 * Nothing is paid: positions, prices and flows wait for delivery.
 *
 * A lane that is out of the market takes no part: its orders go with the gate, untraded, and lines
 * to it carry nothing.
 */
import { type Coupling, couple } from "../market/coupling.ts";
import { BID, createOrderColumns, type OrderColumns, pushOrder } from "../market/orders.ts";
import { netOwnOrders } from "../market/self-trade.ts";
import { checkWitness } from "../market/witness.ts";
import { assert } from "../primitives/errors.ts";
import type { MicroCents, Slot, UnixSeconds } from "../primitives/units.ts";
import type { ForwardPosition } from "../settlement/forward.ts";
import type { LineFlow } from "../wire/slot-record.ts";
import type { HeldSlot } from "./forward-book.ts";
import type { ForwardOrder } from "./forward-state.ts";
import { takesPart } from "./quarantine-state.ts";
import type { ForwardRules, Rules } from "./rules.ts";
import type { Draft } from "./state.ts";

/** The last slot whose gate has closed at `timeS`: its start is at most `gateClosureS` away. */
export function lastClosedSlot({ forward, genesis }: Rules, timeS: UnixSeconds): Slot {
  return Math.floor((timeS + forward.law.gateClosureS) / genesis.slotS) as Slot;
}

/** Holds every auction that is due at `timeS`. */
export function holdForwardAuctions(rules: Rules, draft: Draft, timeS: UnixSeconds): void {
  const last = lastClosedSlot(rules, timeS);
  const due = new Set(rules.regions.flatMap((_, r) => draft.forward(r).slotsWithOrders(last)));
  for (const slot of [...due].sort((a, b) => a - b)) holdAuction(rules, draft, slot);
}

/** What a region brings: its members' orders as far as they do not cross their own. */
type Brought = { readonly orders: readonly ForwardOrder[]; readonly columns: OrderColumns };

function holdAuction(rules: Rules, draft: Draft, slot: Slot): void {
  const present = rules.regions.map((_, r) => takesPart(draft.lane(r)));
  const brought = present.map((isIn, r) => bring(isIn ? draft.forward(r).orders(slot) : []));
  const regions = brought.map(({ columns }) => columns);
  const grid = gridBetween(rules.forward, present);
  const { lines } = grid;
  const coupling = couple({ regions, lines });
  assert(checkWitness({ regions, lines, coupling }) === null, "a forward auction has its witness");
  rules.regions.forEach((_, r) => {
    const outcome = outcomeOf(grid, coupling, { regionIndex: r, brought: brought[r]! });
    if (outcome === null && draft.forward(r).orderCount(slot) === 0) return;
    draft.ownForward(r).close(slot, outcome);
  });
}

function bring(orders: readonly ForwardOrder[]): Brought {
  const leftWh = netOwnOrders(orders);
  const rest = orders.flatMap((order, i) => {
    return leftWh[i] === 0 ? [] : [{ ...order, energyWh: leftWh[i]! }];
  });
  const columns = createOrderColumns(rest.length);
  rest.forEach(({ side, limitUcPerWh, energyWh }, tieIndex) => {
    pushOrder(columns, { side, limitUcPerWh, energyWh, tieIndex });
  });
  return { orders: rest, columns };
}

/** Lines between regions that are in the market. */
type Grid = Pick<ForwardRules, "lines" | "genesisLine">;

function gridBetween({ lines, genesisLine }: ForwardRules, present: readonly boolean[]): Grid {
  if (!present.includes(false)) return { lines, genesisLine };
  const open = lines.map(({ from, to }) => present[from]! && present[to]!);
  return {
    lines: lines.filter((_, l) => open[l]),
    genesisLine: genesisLine.filter((_, l) => open[l]),
  };
}

function outcomeOf(
  grid: Grid,
  coupling: Coupling,
  { regionIndex, brought }: { readonly regionIndex: number; readonly brought: Brought },
): HeldSlot | null {
  const { priceUcPerWh, fillWh } = coupling.clearings[regionIndex]!;
  if (priceUcPerWh === null) return null;
  const positions = positionsOf(brought.orders, fillWh);
  return { priceUcPerWh, positions, flows: flowsAt(grid, coupling, regionIndex) };
}

function positionsOf(orders: readonly ForwardOrder[], fillWh: Float64Array): ForwardPosition[] {
  const positions = new Map<number, ForwardPosition>();
  orders.forEach(({ memberIndex, side }, i) => {
    const wh = fillWh[i]!;
    if (wh === 0) return;
    const before = positions.get(memberIndex) ?? { memberIndex, boughtWh: 0, soldWh: 0 };
    const boughtWh = before.boughtWh + (side === BID ? wh : 0);
    const soldWh = before.soldWh + (side === BID ? 0 : wh);
    assert(boughtWh === 0 || soldWh === 0, "nobody trades with themselves");
    positions.set(memberIndex, { memberIndex, boughtWh, soldWh });
  });
  return [...positions.values()].sort((a, b) => a.memberIndex - b.memberIndex);
}

/** Of the lines that touch the region and carry something, by genesis line. */
function flowsAt(grid: Grid, coupling: Coupling, regionIndex: number): LineFlow[] {
  return grid.lines.flatMap(({ from, to }, l) => {
    const energyWh = coupling.flowWh[l]!;
    if (energyWh === 0 || (from !== regionIndex && to !== regionIndex)) return [];
    const rentUc = coupling.rentUc[l]! as MicroCents;
    return [{ lineIndex: grid.genesisLine[l]!, energyWh, rentUc }];
  });
}
