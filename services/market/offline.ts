/**
 * Clearing a market that somebody else runs: plain objects with names in, plain objects out. The
 * pure core of `gridlane market clear`.
 *
 * Safe because the input is judged completely before anything is computed (offline-refusals.ts),
 * and because every result is verified before it is returned. Ties go by an order's priority and
 * then its id, never by its place, so the order of the input does not matter.
 */
import { assert } from "../primitives/errors.ts";
import { couple } from "./coupling.ts";
import {
  linesOf,
  type OfflineFill,
  type OfflineInput,
  type OfflineOutput,
  type OfflineRegion,
  type OfflineResult,
  type UniformPriceRule,
} from "./offline-form.ts";
import { clearByMechanism } from "./offline-mechanisms.ts";
import { offlineRefusal } from "./offline-refusals.ts";
import { ASK, BID, createOrderColumns, type OrderColumns, pushOrder } from "./orders.ts";
import type { ClearingRule } from "./rules.ts";
import { checkWitness } from "./witness.ts";

/** Clears the input, or says what is wrong with it; never both, never part of either. */
export function clearOffline(input: OfflineInput): OfflineResult {
  const books = input.regions.map(booksOf);
  const refusal = offlineRefusal(input, books);
  if (refusal !== null) return { refusal };
  const { rule } = input;
  if (rule.mechanism === "uniform-price") return { output: clearUniform(input, books, rule) };
  const cleared = input.regions.map((region, r) => clearByMechanism(region, books[r]!, rule));
  const welfareUc = cleared.reduce((sum, each) => sum + each.welfareUc, 0n);
  return {
    output: {
      regions: cleared.map(({ result }) => result),
      flows: [],
      welfareUc: welfareUc.toString(),
      witness: "verified",
    },
  };
}

/**
 * A region's orders as columns, position by position; the tie index is the rank by priority and id.
 * Fields that columns cannot hold are refused before the columns are used.
 */
function booksOf(region: OfflineRegion): OrderColumns {
  const { orders } = region;
  const ranked = Array.from(orders, (_, at) => at).sort((a, b) => {
    const first = (orders[a]!.priority ?? 0) - (orders[b]!.priority ?? 0);
    return first === 0 ? compareIds(orders[a]!.id, orders[b]!.id) : first;
  });
  const rank = new Uint32Array(orders.length);
  for (const [tie, at] of ranked.entries()) rank[at] = tie;
  const draft = createOrderColumns(orders.length);
  for (const [at, order] of orders.entries()) {
    const { limitUcPerWh, energyWh } = order;
    const side = order.side === "bid" ? BID : ASK;
    pushOrder(draft, { side, limitUcPerWh, energyWh, tieIndex: rank[at]! });
  }
  return draft;
}

/** By UTF-16 code units: the same on every machine, unlike a locale's order. */
function compareIds(one: string, two: string): number {
  if (one === two) return 0;
  return one < two ? -1 : 1;
}

/** The rule of the file as the engine's. */
export function clearingRuleOf(rule: UniformPriceRule): ClearingRule {
  const kind = rule.price ?? "midpoint";
  return {
    price: kind === "k-weighted" ? { kind, kPpm: rule.kPpm ?? 0 } : { kind },
    rationing: rule.rationing ?? "pro-rata",
    tickUcPerWh: rule.tickUcPerWh ?? 1,
  };
}

function clearUniform(
  input: OfflineInput,
  books: readonly OrderColumns[],
  fileRule: UniformPriceRule,
): OfflineOutput {
  const lines = linesOf(input);
  const rule = clearingRuleOf(fileRule);
  const coupling = couple({ regions: books, lines, rule });
  const violation = checkWitness({ regions: books, lines, coupling, rule });
  assert(violation === null, "a coupling must pass its own witness");
  return {
    regions: input.regions.map((region, r) => {
      const clearing = coupling.clearings[r]!;
      const { priceLowUcPerWh: low, priceHighUcPerWh: high, boughtWh, soldWh } = clearing;
      return {
        id: region.id,
        priceUcPerWh: clearing.priceUcPerWh,
        priceIntervalUcPerWh: low === null || high === null ? null : [low, high],
        boughtWh,
        soldWh,
        fills: region.orders.map((order, i): OfflineFill => {
          const energyWh = clearing.fillWh[i]!;
          const valueUc = BigInt(energyWh) * BigInt(clearing.priceUcPerWh ?? 0);
          const amountUc = order.side === "bid" ? -valueUc : valueUc;
          return { orderId: order.id, energyWh, amountUc: amountUc.toString() };
        }),
      };
    }),
    flows: input.lines.map((line, l) => ({
      lineId: line.id,
      energyWh: coupling.flowWh[l]!,
      rentUc: coupling.rentUc[l]!.toString(),
      feeUc: coupling.feesUc[l]!.toString(),
    })),
    welfareUc: coupling.welfareUc.toString(),
    witness: "verified",
  };
}
