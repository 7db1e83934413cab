/**
 * The witness of a coupled clearing, checked in O(orders + lines) without solving anything.
 *
 * Complementary slackness of prices, flows and fills proves the greatest welfare. The least and the
 * greatest price vector are proved by support: each bounded price must be held by its region's own
 * fills, or by a line from a price that is itself held. Volume is maximal if no unsold ask at the
 * price can reach an unserved bid at the price over lines with room and no price gap; and flows are
 * shortest by the heights (flows.ts). The choice by line id between equally short flows is the one
 * rule that is not proved here; any choice is equally good for everyone.
 */
import type { Clearing } from "./clearing.ts";
import type { Coupling, PriceCoupling } from "./coupling.ts";
import { surplusUc } from "./money.ts";
import type { Line } from "./network.ts";
import type { OrderColumns } from "./orders.ts";
import { type ClearingRule, choosePrice, MIDPOINT_PRO_RATA } from "./rules.ts";
import { type RegionFacts, regionFacts, type Violation } from "./witness-region.ts";

type Claim = {
  readonly lines: readonly Line[];
  readonly coupling: Omit<PriceCoupling, "passes">;
  readonly clearings: readonly RegionClearing[];
  readonly rule: ClearingRule;
};

/** A clearing without its fills: what the other regions need of it. */
export type RegionClearing = Omit<Clearing, "fillWh">;

/**
 * The first violated condition of a coupling, or null if it is what it claims to be.
 *
 * @param parts - the valid input of `couple`, and a result that is not trusted
 */
export function checkWitness(parts: {
  readonly regions: readonly OrderColumns[];
  readonly lines: readonly Line[];
  readonly coupling: Coupling;
  readonly rule?: ClearingRule;
}): Violation | null {
  const { regions, coupling } = parts;
  const { clearings } = coupling;
  const claim: Claim = { ...parts, clearings, rule: parts.rule ?? MIDPOINT_PRO_RATA };
  if (clearings.length !== regions.length) return { condition: "shape" };
  const misfit = checkShape(claim) ?? checkLines(claim) ?? checkInflows(claim);
  if (misfit !== null) return misfit;
  const facts: RegionFacts[] = [];
  for (const [region, orders] of regions.entries()) {
    const found = regionFacts({
      orders,
      clearing: clearings[region]!,
      injectionWh: coupling.netInflowWh[region]!,
      at: coupling.priceUcPerWh[region]!,
      rationing: claim.rule.rationing,
    });
    if ("condition" in found) return { ...found, region };
    facts.push(found);
  }
  return checkTogether(claim, facts) ?? checkWelfare(regions, parts.lines, coupling);
}

/**
 * The part of the witness that needs all regions: the first violated condition, or null. With
 * `regionFacts` of each region's fills, which gives `facts`, it is the whole witness.
 */
export function checkCoupling(parts: {
  readonly lines: readonly Line[];
  readonly coupling: PriceCoupling;
  readonly clearings: readonly RegionClearing[];
  readonly facts: readonly RegionFacts[]; // of the clearings
  readonly rule?: ClearingRule;
}): Violation | null {
  const claim: Claim = { ...parts, rule: parts.rule ?? MIDPOINT_PRO_RATA };
  return (
    checkShape(claim) ??
    checkLines(claim) ??
    checkInflows(claim) ??
    checkTogether(claim, parts.facts)
  );
}

function checkTogether(claim: Claim, facts: readonly RegionFacts[]): Violation | null {
  const incident = incidentLines(claim);
  return (
    checkVolume(claim, facts, incident) ??
    checkBound(claim, facts, incident, "low") ??
    checkBound(claim, facts, incident, "high") ??
    checkPriceRule(claim) ??
    checkHeights(claim, facts) ??
    checkMoney(claim)
  );
}

function checkShape({ clearings, lines, coupling }: Claim): Violation | null {
  const { heights } = coupling;
  const perRegion = [
    coupling.priceLowUcPerWh,
    coupling.priceHighUcPerWh,
    coupling.priceUcPerWh,
    coupling.netInflowWh,
    heights.height,
  ];
  const perLine = [coupling.flowWh, coupling.rentUc, coupling.feesUc];
  const fits =
    perRegion.every((column) => column.length === clearings.length) &&
    perLine.every((column) => column.length === lines.length);
  return fits ? null : { condition: "shape" };
}

/** Flows within their lines, and prices that fit them. */
function checkLines({ lines, coupling }: Claim): Violation | null {
  for (const [at, line] of lines.entries()) {
    const wh = coupling.flowWh[at]!;
    if (!(wh >= 0 && wh <= line.capacityWh) || Math.floor(wh) !== wh) {
      return { condition: "flow_out_of_range", line: at };
    }
    const gap = priceGap(coupling, line);
    if ((wh < line.capacityWh && gap > 0) || (wh > 0 && gap < 0)) {
      return { condition: "line_price", line: at };
    }
  }
  return null;
}

/** What delivering one more Wh over the line would earn, uc. */
function priceGap(coupling: Claim["coupling"], line: Line): number {
  const { priceUcPerWh } = coupling;
  return priceUcPerWh[line.to]! - priceUcPerWh[line.from]! - line.feeUcPerWh;
}

function checkInflows({ clearings, lines, coupling }: Claim): Violation | null {
  const netWh = new Float64Array(clearings.length);
  for (const [at, line] of lines.entries()) {
    netWh[line.to]! += coupling.flowWh[at]!;
    netWh[line.from]! -= coupling.flowWh[at]!;
  }
  const region = netWh.findIndex((wh, r) => wh !== coupling.netInflowWh[r]);
  return region === -1 ? null : { condition: "net_inflow", region };
}

/** Lines by region: those of region r are `lines[start[r]] .. lines[start[r + 1] - 1]`. */
type Incident = { readonly start: Int32Array; readonly lines: Int32Array };

function incidentLines({ clearings, lines }: Claim): Incident {
  const start = new Int32Array(clearings.length + 1);
  for (const line of lines) {
    start[line.from + 1]! += 1;
    start[line.to + 1]! += 1;
  }
  for (let r = 0; r < clearings.length; r++) start[r + 1]! += start[r]!;
  const next = start.slice();
  const sorted = new Int32Array(2 * lines.length);
  for (const [at, line] of lines.entries()) {
    sorted[next[line.from]!++] = at;
    sorted[next[line.to]!++] = at;
  }
  return { start, lines: sorted };
}

/** Every region that `reached` says yes to, from the seeds, one line at a time. */
function spread(
  claim: Claim,
  incident: Incident,
  seeds: readonly number[],
  reaches: (line: Line, at: number, region: number) => boolean,
): Uint8Array {
  const seen = new Uint8Array(claim.clearings.length);
  const queue = [...seeds];
  for (const region of queue) seen[region] = 1;
  for (let read = 0; read < queue.length; read++) {
    const region = queue[read]!;
    for (let k = incident.start[region]!; k < incident.start[region + 1]!; k++) {
      const at = incident.lines[k]!;
      const line = claim.lines[at]!;
      const other = line.from === region ? line.to : line.from;
      if (seen[other] === 1 || !reaches(line, at, region)) continue;
      seen[other] = 1;
      queue.push(other);
    }
  }
  return seen;
}

/** Unsold asks at the price, moved over lines without a price gap, must find no unserved bid. */
function checkVolume(
  claim: Claim,
  facts: readonly RegionFacts[],
  incident: Incident,
): Violation | null {
  const { coupling } = claim;
  const seeds = [...facts.keys()].filter((r) => facts[r]!.askAtFilledWh < facts[r]!.askAtWh);
  const reached = spread(claim, incident, seeds, (line, at, region) => {
    if (priceGap(coupling, line) !== 0) return false;
    const wh = coupling.flowWh[at]!;
    return line.from === region ? wh < line.capacityWh : wh > 0;
  });
  const region = facts.findIndex((f, r) => reached[r] === 1 && f.bidAtFilledWh < f.bidAtWh);
  return region === -1 ? null : { condition: "volume_not_maximal", region };
}

/**
 * The least price vector: it meets every lower bound (own fills; p_from >= p_to - fee where the
 * line has room; p_to >= p_from + fee where it carries), and each bounded price is held by a chain
 * of bounds met exactly, back to a region's own fills. The greatest one is the same with all signs
 * turned and the lines' ends exchanged.
 */
function checkBound(
  claim: Claim,
  facts: readonly RegionFacts[],
  incident: Incident,
  end: "low" | "high",
): Violation | null {
  const { coupling, lines } = claim;
  const low = end === "low";
  const condition = low ? "interval_low" : "interval_high";
  const value = low ? coupling.priceLowUcPerWh : coupling.priceHighUcPerWh.map((price) => -price);
  const own = facts.map((fact) => (low ? fact.lowUcPerWh : -fact.highUcPerWh));
  const region = own.findIndex((bound, r) => !(value[r]! >= bound));
  if (region !== -1) return { condition, region };
  // Each line gives value[upper] >= value[lower] - fee if it has room, and, if it carries,
  // value[lower] >= value[upper] + fee.
  const upperOf = (line: Line) => (low ? line.from : line.to);
  const lowerOf = (line: Line) => (low ? line.to : line.from);
  for (const [at, line] of lines.entries()) {
    const [upper, lower] = [value[upperOf(line)]!, value[lowerOf(line)]!];
    const wh = coupling.flowWh[at]!;
    const holds = wh === line.capacityWh || upper >= lower - line.feeUcPerWh;
    if (!holds || (wh > 0 && !(lower >= upper + line.feeUcPerWh))) return { condition, line: at };
  }
  const seeds = own.flatMap((bound, r) => (value[r] === bound ? [r] : []));
  const held = spread(claim, incident, seeds, (line, at, from) => {
    const wh = coupling.flowWh[at]!;
    const exact = value[upperOf(line)]! === value[lowerOf(line)]! - line.feeUcPerWh;
    return exact && (from === lowerOf(line) ? wh < line.capacityWh : wh > 0);
  });
  const loose = value.findIndex((price, r) => held[r] === 0 && price !== Number.NEGATIVE_INFINITY);
  return loose === -1 ? null : { condition, region: loose };
}

/** The published price and interval of each region are the vectors', by the rule. */
function checkPriceRule(claim: Claim): Violation | null {
  const { clearings, coupling, lines, rule } = claim;
  const active = clearings.map((clearing) => clearing.boughtWh + clearing.soldWh > 0);
  for (const [at, line] of lines.entries()) {
    if (coupling.flowWh[at]! === 0) continue;
    active[line.from] = true;
    active[line.to] = true;
  }
  for (const [region, clearing] of clearings.entries()) {
    const low = coupling.priceLowUcPerWh[region]!;
    const high = coupling.priceHighUcPerWh[region]!;
    if ((clearing.priceLowUcPerWh ?? Number.NEGATIVE_INFINITY) !== low) {
      return { condition: "interval_low", region };
    }
    if ((clearing.priceHighUcPerWh ?? Number.POSITIVE_INFINITY) !== high) {
      return { condition: "interval_high", region };
    }
    const at = coupling.priceUcPerWh[region]!;
    const due = choosePrice({ lowUcPerWh: low, highUcPerWh: high }, rule);
    const fits = active[region]
      ? clearing.priceUcPerWh === at && at === due
      : clearing.priceUcPerWh === null;
    if (!fits) return { condition: "price_rule", region };
  }
  return null;
}

/** Heights that every possible exchange of flow respects: none of them shortens anything. */
function checkHeights(claim: Claim, facts: readonly RegionFacts[]): Violation | null {
  const { coupling, lines } = claim;
  const { height, bidHeight } = coupling.heights;
  for (const [at, line] of lines.entries()) {
    if (priceGap(coupling, line) !== 0) continue;
    const climb = height[line.to]! - height[line.from]!;
    const wh = coupling.flowWh[at]!;
    if ((wh < line.capacityWh && climb > 1) || (wh > 0 && climb < 1)) {
      return { condition: "flow_not_shortest", line: at };
    }
  }
  for (const [region, fact] of facts.entries()) {
    const at = height[region]!;
    const fits =
      (fact.askAtFilledWh === fact.askAtWh || at <= 0) &&
      (fact.askAtFilledWh === 0 || at >= 0) &&
      (fact.bidAtFilledWh === fact.bidAtWh || at >= bidHeight) &&
      (fact.bidAtFilledWh === 0 || at <= bidHeight);
    if (!fits) return { condition: "flow_not_shortest", region };
  }
  return null;
}

/** Rents and fees follow from prices and flows. */
function checkMoney({ lines, coupling }: Claim): Violation | null {
  for (const [at, line] of lines.entries()) {
    const wh = BigInt(coupling.flowWh[at]!);
    if (coupling.feesUc[at] !== wh * BigInt(line.feeUcPerWh)) {
      return { condition: "fees", line: at };
    }
    if (coupling.rentUc[at] !== wh * BigInt(priceGap(coupling, line))) {
      return { condition: "rent", line: at };
    }
  }
  return null;
}

/** Welfare follows from fills and fees, which have been checked. */
function checkWelfare(
  regions: readonly OrderColumns[],
  lines: readonly Line[],
  coupling: Coupling,
): Violation | null {
  let welfareUc = 0n;
  for (const [at, line] of lines.entries()) {
    welfareUc -= BigInt(coupling.flowWh[at]!) * BigInt(line.feeUcPerWh);
  }
  for (const [region, orders] of regions.entries()) {
    welfareUc += surplusUc(orders, coupling.clearings[region]!.fillWh);
  }
  return coupling.welfareUc === welfareUc ? null : { condition: "welfare" };
}
