/**
 * What is wrong with an offline market: the first fault found, by code, path and value.
 * The shape (which fields, strings or numbers) has been judged before; here numbers and names are.
 */
import {
  LINES_MAX,
  ORDERS_PER_REGION_MAX,
  PRICE_UC_PER_WH_MAX,
  REGIONS_MAX,
} from "../primitives/limits.ts";
import { allocationRefusal } from "./mechanisms/allocation.ts";
import { couplingRefusal } from "./network.ts";
import {
  linesOf,
  type OfflineInput,
  type OfflineOrder,
  type OfflineRefusal,
  type OfflineRegion,
  type OfflineRule,
} from "./offline-form.ts";
import { type OrderColumns, validateOrders } from "./orders.ts";

const PPM = 1_000_000;

/** @param books - the regions' orders as columns, position by position */
export function offlineRefusal(
  input: OfflineInput,
  books: readonly OrderColumns[],
): OfflineRefusal | null {
  const { regions, lines, rule } = input;
  const misfit = ruleRefusal(rule) ?? countRefusal(input);
  if (misfit !== null) return misfit;
  const seen = new Set<string>();
  for (const [r, region] of regions.entries()) {
    const path = `regions[${r}]`;
    if (seen.has(region.id)) return refuse("region_id_duplicate", `${path}.id`, region.id);
    seen.add(region.id);
    const refusal =
      ordersRefusal(region, books[r]!, { path, tick: tickOf(rule) }) ??
      coefficientsRefusal(region, rule, path);
    if (refusal !== null) return refusal;
  }
  if (rule.mechanism !== "uniform-price" && lines.length > 0) {
    return refuse("lines_need_uniform_price", "lines", lines.length);
  }
  return linesRefusal(input, books);
}

function refuse(code: string, path: string, value: string | number | null): OfflineRefusal {
  return { code, path, value };
}

function tickOf(rule: OfflineRule): number {
  return "tickUcPerWh" in rule ? (rule.tickUcPerWh ?? 1) : 1;
}

function countRefusal({ regions, lines }: OfflineInput): OfflineRefusal | null {
  if (regions.length > REGIONS_MAX) return refuse("regions_too_many", "regions", regions.length);
  if (lines.length > LINES_MAX) return refuse("lines_too_many", "lines", lines.length);
  return null;
}

/** The mechanism's own numbers. */
function ruleRefusal(rule: OfflineRule): OfflineRefusal | null {
  switch (rule.mechanism) {
    case "uniform-price":
      if (rule.price === "k-weighted" && rule.kPpm === undefined) {
        return refuse("field_missing", "rule.kPpm", null);
      }
      return partRefusal("rule.kPpm", rule.kPpm) ?? tickRefusal(rule.tickUcPerWh);
    case "pay-as-bid":
      return tickRefusal(rule.tickUcPerWh);
    case "allocation":
      return priceRefusal("rule.priceUcPerWh", rule.priceUcPerWh);
    default:
      return ratesRefusal(rule);
  }
}

function ratesRefusal(
  rule: Extract<OfflineRule, { readonly retailUcPerWh: number }>,
): OfflineRefusal | null {
  const { retailUcPerWh, feedInUcPerWh } = rule;
  const refusal =
    priceRefusal("rule.retailUcPerWh", retailUcPerWh) ??
    priceRefusal("rule.feedInUcPerWh", feedInUcPerWh);
  if (refusal !== null) return refusal;
  if (feedInUcPerWh > retailUcPerWh) {
    return refuse("feed_in_above_retail", "rule.feedInUcPerWh", feedInUcPerWh);
  }
  if (rule.mechanism === "mid-market-rate") return null;
  if (feedInUcPerWh < 0) return refuse("price_negative", "rule.feedInUcPerWh", feedInUcPerWh);
  return partRefusal("rule.compensationPpm", rule.compensationPpm);
}

function priceRefusal(path: string, value: number): OfflineRefusal | null {
  if (!Number.isInteger(value)) return refuse("price_not_integer", path, value);
  return Math.abs(value) > PRICE_UC_PER_WH_MAX ? refuse("price_out_of_range", path, value) : null;
}

function partRefusal(path: string, value: number | undefined): OfflineRefusal | null {
  if (value === undefined) return null;
  const fits = Number.isInteger(value) && value >= 0 && value <= PPM;
  return fits ? null : refuse("part_out_of_range", path, value);
}

function tickRefusal(value: number | undefined): OfflineRefusal | null {
  if (value === undefined) return null;
  const fits = Number.isInteger(value) && value >= 1 && value <= PRICE_UC_PER_WH_MAX;
  return fits ? null : refuse("tick_invalid", "rule.tickUcPerWh", value);
}

function ordersRefusal(
  region: OfflineRegion,
  book: OrderColumns,
  at: { readonly path: string; readonly tick: number },
): OfflineRefusal | null {
  const { orders } = region;
  if (orders.length > ORDERS_PER_REGION_MAX) {
    return refuse("orders_too_many", `${at.path}.orders`, orders.length);
  }
  const ids = new Set<string>();
  for (const [i, order] of orders.entries()) {
    const path = `${at.path}.orders[${i}]`;
    if (ids.has(order.id)) return refuse("order_id_duplicate", `${path}.id`, order.id);
    ids.add(order.id);
    const refusal = columnRefusal(order, path);
    if (refusal !== null) return refusal;
  }
  const found = validateOrders(book, { tickUcPerWh: at.tick });
  if (found === null) return null;
  const where = found.index === null ? "" : `[${found.index}].${found.field}`;
  return refuse(found.code, `${at.path}.orders${where}`, found.value);
}

/** Numbers that a typed column would bend: judged before the column is trusted. */
function columnRefusal(order: OfflineOrder, path: string): OfflineRefusal | null {
  const { priority } = order;
  if (priority !== undefined && !Number.isSafeInteger(priority)) {
    return refuse("priority_not_integer", `${path}.priority`, priority);
  }
  return priceRefusal(`${path}.limitUcPerWh`, order.limitUcPerWh);
}

/** Under a static key every bid has a coefficient and a region's bids have one million together. */
function coefficientsRefusal(
  region: OfflineRegion,
  rule: OfflineRule,
  path: string,
): OfflineRefusal | null {
  if (rule.mechanism !== "allocation" || rule.key !== "static") return null;
  const bids = region.orders.flatMap((order, i) => (order.side === "bid" ? [i] : []));
  const missing = bids.find((i) => region.orders[i]!.coefficientPpm === undefined);
  if (missing !== undefined) {
    return refuse("field_missing", `${path}.orders[${missing}].coefficientPpm`, null);
  }
  const coefficientPpm = bids.map((i) => region.orders[i]!.coefficientPpm!);
  const found = allocationRefusal({ kind: "static", coefficientPpm }, bids.length);
  if (found === null) return null;
  const at = found.index === null ? "" : `[${bids[found.index]!}].coefficientPpm`;
  return refuse(found.code, `${path}.orders${at}`, found.value);
}

function linesRefusal(input: OfflineInput, books: readonly OrderColumns[]): OfflineRefusal | null {
  const lines = linesOf(input);
  const tickUcPerWh = tickOf(input.rule);
  const found = couplingRefusal({ regions: books, lines, tickUcPerWh });
  if (found === null) return null;
  if (found.line === null) return refuse(found.code, found.field, found.value);
  const given = input.lines[found.line]!;
  // Ends are names in the file and positions inside.
  const value = found.field === "from" || found.field === "to" ? given[found.field] : found.value;
  return refuse(found.code, `lines[${found.line}].${found.field}`, value);
}
