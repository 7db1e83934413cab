/**
 * Lines between regions, checked, and as columns.
 *
 * Safe because `couplingRefusal` bounds every sum the coupling can form below 2^53: a line never
 * needs to carry more than what all regions but the largest can buy and sell, so its capacity is
 * cut to that before capacities are added up.
 */
import { LINES_MAX, PRICE_UC_PER_WH_MAX, REGIONS_MAX } from "../primitives/limits.ts";
import { BID, ORDER_ENERGY_WH_MAX, type OrderColumns } from "./orders.ts";

/** A directed line: energy flows from region `from` to region `to` only. */
export type Line = {
  readonly id: string; // unique; decides between flows that are equally good
  readonly from: number; // region index
  readonly to: number;
  readonly capacityWh: number; // integer, 0 <= c <= ORDER_ENERGY_WH_MAX
  readonly feeUcPerWh: number; // integer >= 0, paid on every Wh that flows
};

export type LineRefusal = {
  readonly code: keyof typeof LINE_REFUSAL;
  readonly line: number | null; // position; null where all lines together are meant
  readonly field: "lines" | "regions" | "id" | "from" | "to" | "capacityWh" | "feeUcPerWh";
  readonly value: number | string;
};

/** By descending precedence. Append, never renumber. */
export const LINE_REFUSAL = {
  regions_too_many: 1,
  lines_too_many: 2,
  line_id_duplicate: 3,
  line_end_unknown: 4,
  line_self_loop: 5,
  capacity_not_integer: 6,
  capacity_negative: 7,
  capacity_too_large: 8,
  fee_not_integer: 9,
  fee_negative: 10,
  fee_out_of_range: 11,
  fee_off_tick: 12,
  energy_total_too_large: 13,
} as const;

/** The lines as columns, with capacities cut to what can ever be used. */
export type Network = {
  readonly regionCount: number;
  readonly lineCount: number;
  readonly from: Int32Array;
  readonly to: Int32Array;
  readonly capacityWh: Float64Array;
  readonly feeUcPerWh: Float64Array;
  readonly byId: Int32Array; // line positions in ascending order of id (UTF-16 code units)
};

/**
 * The first reason to refuse the lines, or null; regions' own orders are judged by
 * `validateOrders` before.
 */
export function couplingRefusal(parts: {
  readonly regions: readonly OrderColumns[];
  readonly lines: readonly Line[];
  readonly tickUcPerWh?: number;
}): LineRefusal | null {
  const { regions, lines } = parts;
  if (regions.length > REGIONS_MAX) {
    return { code: "regions_too_many", line: null, field: "regions", value: regions.length };
  }
  if (lines.length > LINES_MAX) {
    return { code: "lines_too_many", line: null, field: "lines", value: lines.length };
  }
  const ids = new Set<string>();
  for (const [at, line] of lines.entries()) {
    const refusal = ids.has(line.id)
      ? ({ code: "line_id_duplicate", field: "id", value: line.id } as const)
      : (endRefusal(line, regions.length) ??
        capacityRefusal(line) ??
        feeRefusal(line, parts.tickUcPerWh ?? 1));
    if (refusal !== null) return { ...refusal, line: at };
    ids.add(line.id);
  }
  const offered = regions.map(offeredBy);
  const totalWh = boundWh(offered, buildNetwork(offered, lines));
  if (totalWh <= Number.MAX_SAFE_INTEGER) return null;
  return { code: "energy_total_too_large", line: null, field: "regions", value: totalWh };
}

type FieldRefusal = Omit<LineRefusal, "line">;

function endRefusal(line: Line, regionCount: number): FieldRefusal | null {
  for (const field of ["from", "to"] as const) {
    const value = line[field];
    if (!Number.isInteger(value) || value < 0 || value >= regionCount) {
      return { code: "line_end_unknown", field, value };
    }
  }
  if (line.from !== line.to) return null;
  return { code: "line_self_loop", field: "to", value: line.to };
}

function capacityRefusal(line: Line): FieldRefusal | null {
  const refused = { field: "capacityWh", value: line.capacityWh } as const;
  if (!Number.isInteger(line.capacityWh)) return { code: "capacity_not_integer", ...refused };
  if (line.capacityWh < 0) return { code: "capacity_negative", ...refused };
  if (line.capacityWh > ORDER_ENERGY_WH_MAX) return { code: "capacity_too_large", ...refused };
  return null;
}

function feeRefusal(line: Line, tickUcPerWh: number): FieldRefusal | null {
  const refused = { field: "feeUcPerWh", value: line.feeUcPerWh } as const;
  if (!Number.isInteger(line.feeUcPerWh)) return { code: "fee_not_integer", ...refused };
  if (line.feeUcPerWh < 0) return { code: "fee_negative", ...refused };
  if (line.feeUcPerWh > PRICE_UC_PER_WH_MAX) return { code: "fee_out_of_range", ...refused };
  if (line.feeUcPerWh % tickUcPerWh !== 0) return { code: "fee_off_tick", ...refused };
  return null;
}

/** What a region offers and asks for at most, Wh. */
export type Offered = { readonly bidWh: number; readonly askWh: number };

function offeredBy(orders: OrderColumns): Offered {
  let bidWh = 0;
  let askWh = 0;
  for (let i = 0; i < orders.count; i++) {
    if (orders.side[i] === BID) bidWh += orders.energyWh[i]!;
    else askWh += orders.energyWh[i]!;
  }
  return { bidWh, askWh };
}

export function buildNetwork(regions: readonly Offered[], lines: readonly Line[]): Network {
  const useful = usefulFlowWh(regions, lines);
  const order = Array.from(lines, (_, at) => at);
  order.sort((a, b) => (lines[a]!.id < lines[b]!.id ? -1 : 1));
  return {
    regionCount: regions.length,
    lineCount: lines.length,
    from: Int32Array.from(lines, (line) => line.from),
    to: Int32Array.from(lines, (line) => line.to),
    capacityWh: Float64Array.from(lines, (line) => Math.min(line.capacityWh, useful)),
    feeUcPerWh: Float64Array.from(lines, (line) => line.feeUcPerWh),
    byId: Int32Array.from(order),
  };
}

/**
 * One more than any flow without loops can put on a line: each Wh of it starts or ends in a region
 * other than the one that could trade most, within that region's orders and its lines.
 */
function usefulFlowWh(regions: readonly Offered[], lines: readonly Line[]): number {
  const outWh = new Float64Array(regions.length);
  const inWh = new Float64Array(regions.length);
  for (const line of lines) {
    outWh[line.from]! += line.capacityWh;
    inWh[line.to]! += line.capacityWh;
  }
  let totalWh = 0;
  let largestWh = 0;
  for (const [r, { bidWh, askWh }] of regions.entries()) {
    const reachWh = Math.min(askWh, outWh[r]!) + Math.min(bidWh, inWh[r]!);
    totalWh += reachWh;
    largestWh = Math.max(largestWh, reachWh);
  }
  return totalWh - largestWh + 1;
}

/** No sum that the coupling forms is above this; it must be a safe integer. */
export function boundWh(regions: readonly Offered[], network: Network): number {
  let totalWh = 0;
  for (const { bidWh, askWh } of regions) totalWh += bidWh + askWh;
  for (const capacityWh of network.capacityWh) totalWh += capacityWh;
  return totalWh;
}
