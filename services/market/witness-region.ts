/**
 * The part of the witness that one region can check alone: fills within their orders, merit order,
 * balance, margin and rationing. One pass over the orders, one more over those at the price.
 *
 * Merit and balance together imply greatest welfare for the region's net inflow; the fills alone
 * give the region's own interval: low = max{asks with x > 0, bids with x < q}, high = min{bids with
 * x > 0, asks with x < q}.
 */
import type { Clearing } from "./clearing.ts";
import type { OrderColumns } from "./orders.ts";
import { quota } from "./ration.ts";
import { type ClearingRule, choosePrice, MIDPOINT_PRO_RATA, type Rationing } from "./rules.ts";

/** The first condition that does not hold, and where. */
export type Violation = {
  readonly condition: Condition;
  readonly region?: number;
  readonly line?: number;
  readonly order?: number;
};

export type Condition =
  | "shape" // columns have the lengths of what they describe
  | "flow_out_of_range" // 0 <= flow <= capacity, an integer
  | "net_inflow" // a region's inflow less outflow
  | "line_price" // room: p_to <= p_from + fee; carries: p_to >= p_from + fee
  | "fill_out_of_range" // 0 <= fill <= energy, an integer
  | "merit" // strictly better than the price: full; strictly worse: empty
  | "volume_sum" // bought and sold are the sums of fills
  | "balance" // bought = sold + net inflow
  | "volume_not_maximal" // nobody who sells at the price can still reach a buyer at the price
  | "rationing" // the margin is shared by the rule
  | "interval_low" // the least optimal price vector
  | "interval_high" // the greatest optimal price vector
  | "price_rule" // the price the rule picks, null where nothing trades or passes
  | "flow_not_shortest" // the same energy could take fewer lines
  | "rent" // flow x (p_to - p_from - fee)
  | "fees" // flow x fee
  | "welfare"; // value to bids less cost of asks less fees

/** What the fills of one region say about prices and about room at the price. */
export type RegionFacts = {
  readonly lowUcPerWh: number; // -Infinity where unbounded
  readonly highUcPerWh: number;
  readonly bidAtWh: number; // energy of bids exactly at the price
  readonly bidAtFilledWh: number;
  readonly askAtWh: number;
  readonly askAtFilledWh: number;
};

/** Checks one region's clearing by itself: what `clearRegion` returned, or a chain recorded. */
export function checkClearing(parts: {
  readonly orders: OrderColumns;
  readonly injectionWh?: number;
  readonly clearing: Clearing;
  readonly rule?: ClearingRule;
}): Violation | null {
  const { orders, clearing } = parts;
  const rule = parts.rule ?? MIDPOINT_PRO_RATA;
  const { priceLowUcPerWh: low, priceHighUcPerWh: high, priceUcPerWh } = clearing;
  const at = priceUcPerWh ?? low ?? high ?? 0;
  const injectionWh = parts.injectionWh ?? 0;
  const facts = regionFacts({ orders, clearing, injectionWh, at, rationing: rule.rationing });
  if ("condition" in facts) return facts;
  if (facts.askAtFilledWh < facts.askAtWh && facts.bidAtFilledWh < facts.bidAtWh) {
    return { condition: "volume_not_maximal" };
  }
  if ((low ?? Number.NEGATIVE_INFINITY) !== facts.lowUcPerWh) return { condition: "interval_low" };
  if ((high ?? Number.POSITIVE_INFINITY) !== facts.highUcPerWh) {
    return { condition: "interval_high" };
  }
  const trades = clearing.boughtWh > 0 || clearing.soldWh > 0;
  const interval = { lowUcPerWh: low, highUcPerWh: high };
  const due = trades ? choosePrice(interval, rule) : null;
  return priceUcPerWh === due ? null : { condition: "price_rule" };
}

/**
 * The facts of a region, or its first violation.
 *
 * @param parts.at - the region's price in the optimal vector, uc/Wh
 */
export function regionFacts(parts: {
  readonly orders: OrderColumns;
  readonly clearing: Clearing;
  readonly injectionWh: number;
  readonly at: number;
  readonly rationing: Rationing;
}): RegionFacts | Violation {
  const { orders, clearing, injectionWh, at } = parts;
  const { fillWh, boughtWh, soldWh } = clearing;
  if (fillWh.length !== orders.count) return { condition: "shape" };
  let [bought, sold, bidAtWh, bidAtFilledWh, askAtWh, askAtFilledWh] = [0, 0, 0, 0, 0, 0];
  let low = Number.NEGATIVE_INFINITY;
  let high = Number.POSITIVE_INFINITY;
  for (let i = 0; i < orders.count; i++) {
    const limit = orders.limitUcPerWh[i]!;
    const wh = orders.energyWh[i]!;
    const fill = fillWh[i]!;
    const isAsk = orders.side[i]!;
    const isBid = 1 - isAsk;
    if (!(fill >= 0 && fill <= wh) || Math.floor(fill) !== fill) {
      return { condition: "fill_out_of_range", order: i };
    }
    // Flags and masks instead of branches: which side an order is on is as good as random.
    const some = Number(fill > 0);
    const open = Number(fill < wh);
    const gain = (limit - at) * (isBid - isAsk);
    if (((Number(gain > 0) & open) | (Number(gain < 0) & some)) === 1) {
      return { condition: "merit", order: i };
    }
    if ((((some & isAsk) | (open & isBid)) & Number(limit > low)) === 1) low = limit;
    if ((((some & isBid) | (open & isAsk)) & Number(limit < high)) === 1) high = limit;
    bought += fill * isBid;
    sold += fill * isAsk;
    if (gain === 0) {
      bidAtWh += wh * isBid;
      bidAtFilledWh += fill * isBid;
      askAtWh += wh * isAsk;
      askAtFilledWh += fill * isAsk;
    }
  }
  if (bought !== boughtWh || sold !== soldWh) return { condition: "volume_sum" };
  if (bought !== sold + injectionWh) return { condition: "balance" };
  const facts = { bidAtWh, bidAtFilledWh, askAtWh, askAtFilledWh };
  const misshared = findMisshared({ ...parts, facts });
  if (misshared !== null) return { condition: "rationing", order: misshared };
  return { lowUcPerWh: low, highUcPerWh: high, ...facts };
}

type Shared = {
  readonly orders: OrderColumns;
  readonly clearing: Clearing;
  readonly at: number;
  readonly rationing: Rationing;
  readonly facts: Omit<RegionFacts, "lowUcPerWh" | "highUcPerWh">;
};

/** An order at the price whose fill breaks the rationing rule, or null. */
function findMisshared(parts: Shared): number | null {
  const { facts } = parts;
  const bids = { side: 0, total: facts.bidAtFilledWh, claimed: facts.bidAtWh };
  const asks = { side: 1, total: facts.askAtFilledWh, claimed: facts.askAtWh };
  for (const margin of [bids, asks]) {
    if (margin.total === 0 || margin.total === margin.claimed) continue;
    const found =
      parts.rationing === "pro-rata" ? offQuota(parts, margin) : outOfTurn(parts, margin.side);
    if (found !== null) return found;
  }
  return null;
}

/**
 * Every share must be its quota rounded down, or one more; and whoever got one more must come
 * before whoever did not, by remainder and then by tie index. That fixes all shares, unsorted.
 */
function offQuota(
  parts: Shared,
  margin: { readonly side: number; readonly total: number; readonly claimed: number },
): number | null {
  const { orders, clearing, at } = parts;
  let last: Ranked | null = null; // the last in line that got one more
  let first: Ranked | null = null; // the first in line that did not
  for (let i = 0; i < orders.count; i++) {
    if (orders.limitUcPerWh[i] !== at || orders.side[i] !== margin.side) continue;
    const { total, claimed } = margin;
    const { share, remainder } = quota({ total, claim: orders.energyWh[i]!, claimed });
    const ranked = { order: i, remainder, tie: orders.tieIndex[i]! };
    const extra = clearing.fillWh[i]! - share;
    if (extra !== 0 && extra !== 1) return i;
    if (extra === 1 && (last === null || isBefore(last, ranked))) last = ranked;
    if (extra === 0 && (first === null || isBefore(ranked, first))) first = ranked;
  }
  return last !== null && first !== null && isBefore(first, last) ? last.order : null;
}

type Ranked = { readonly order: number; readonly remainder: number; readonly tie: number };

function isBefore(one: Ranked, two: Ranked): boolean {
  if (one.remainder !== two.remainder) return one.remainder > two.remainder;
  return one.tie < two.tie;
}

/** Time priority: nobody is served before somebody earlier is full. */
function outOfTurn(parts: Shared, side: number): number | null {
  const { orders, clearing, at } = parts;
  let latestServed = -1;
  let earliestOpen = -1;
  for (let i = 0; i < orders.count; i++) {
    if (orders.limitUcPerWh[i] !== at || orders.side[i] !== side) continue;
    const tie = orders.tieIndex[i]!;
    const fill = clearing.fillWh[i]!;
    const served = latestServed === -1 ? -1 : orders.tieIndex[latestServed]!;
    if (fill > 0 && tie > served) latestServed = i;
    const open = earliestOpen === -1 ? Infinity : orders.tieIndex[earliestOpen]!;
    if (fill < orders.energyWh[i]! && tie < open) earliestOpen = i;
  }
  if (latestServed === -1 || earliestOpen === -1) return null;
  return orders.tieIndex[latestServed]! > orders.tieIndex[earliestOpen]! ? latestServed : null;
}
