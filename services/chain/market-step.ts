/**
 * The market step between the two phases: all regions under the uniform price that take part in the
 * slot clear together over the lines between them. The only step that sees more than one lane.
 *
 * A line offers what forward flows have left of it, and what they free by running against it.
 *
 * Every result is checked against its witness before anything is settled: prices, flows and fills
 * must satisfy complementary slackness.
 */
import { type Coupling, couple } from "../market/coupling.ts";
import type { Line } from "../market/network.ts";
import { checkWitness } from "../market/witness.ts";
import { assert } from "../primitives/errors.ts";
import type { MicroCents } from "../primitives/units.ts";
import { membersFirst } from "../settlement/book.ts";
import { type LineTotals, NO_LINES } from "../settlement/slot.ts";
import type { LineFlow } from "../wire/slot-record.ts";
import type { Brought } from "./lane-executor.ts";
import type { MarketAnswer } from "./lane-phases.ts";
import { type MarketRules, marketRules, type Rules } from "./rules.ts";

/** One answer for each of `brought`; null for a region without a book. */
export function clearMarket(
  rules: Rules,
  brought: readonly Brought[],
): readonly (MarketAnswer | null)[] {
  const market = marketOf(rules, brought);
  const { regionOfNode } = market;
  if (regionOfNode.length === 0) return brought.map(() => null);
  const byRegion = new Map(brought.map((part) => [part.regionIndex, part]));
  const lines = linesLeft(rules, market, brought);
  const regions = regionOfNode.map((r) => {
    const orders = byRegion.get(r)!.orders;
    assert(orders !== null, "a region of the market brings a book");
    return orders;
  });
  const coupling = couple({ regions, lines });
  assert(checkWitness({ regions, lines, coupling }) === null, "a clearing passes its witness");
  const fills = regions.map((orders, node) =>
    membersFirst(orders, coupling.clearings[node]!.fillWh),
  );
  const totals = lineTotals(market, coupling);
  const answers = new Map<number, MarketAnswer>();
  regionOfNode.forEach((r, node) => {
    const clearing = coupling.clearings[node]!;
    answers.set(r, {
      priceLowUcPerWh: clearing.priceLowUcPerWh,
      priceHighUcPerWh: clearing.priceHighUcPerWh,
      priceUcPerWh: clearing.priceUcPerWh,
      fillWh: fills[node]!,
      lines: totals[node]!,
      flows: regionFlows(rules, market, { coupling, regionIndex: r }),
    });
  });
  return brought.map(({ regionIndex }) => answers.get(regionIndex) ?? null);
}

/** The market of those who take part. */
function marketOf(rules: Rules, brought: readonly Brought[]): MarketRules {
  if (brought.length === rules.regions.length) return rules.market;
  const present = new Set(brought.map(({ regionIndex }) => regionIndex));
  return marketRules(rules.genesis, (r) => present.has(r));
}

/** The market's lines with the room that forward flows leave: less their own, plus the twin's. */
function linesLeft(
  { genesis, forward }: Rules,
  market: MarketRules,
  brought: readonly Brought[],
): readonly Line[] {
  const forwardWh = new Float64Array(genesis.lines.length);
  for (const { held } of brought) {
    // A line's flow stands in the lanes at both ends, as the same number.
    for (const { lineIndex, energyWh } of held?.flows ?? []) forwardWh[lineIndex] = energyWh;
  }
  return market.lines.map((line, l) => {
    const lineIndex = market.genesisLine[l]!;
    const twin = forward.twin[lineIndex]!;
    const freedWh = twin < 0 ? 0 : forwardWh[twin]!;
    return { ...line, capacityWh: line.capacityWh - forwardWh[lineIndex]! + freedWh };
  });
}

/** By node: what its lines brought and took, with the money of those that end in it. */
function lineTotals(market: MarketRules, coupling: Coupling): readonly LineTotals[] {
  const totals = market.regionOfNode.map(() => ({ ...NO_LINES }));
  market.lines.forEach((line, l) => {
    const flowWh = coupling.flowWh[l]!;
    totals[line.from]!.outflowWh += flowWh;
    const end = totals[line.to]!;
    end.inflowWh += flowWh;
    end.inflowFeesUc += coupling.feesUc[l]!;
    end.inflowRentUc += coupling.rentUc[l]!;
  });
  return totals;
}

/** Of all genesis lines that touch the region; lines outside the market carry nothing. */
function regionFlows(
  rules: Rules,
  market: MarketRules,
  { coupling, regionIndex }: { readonly coupling: Coupling; readonly regionIndex: number },
): LineFlow[] {
  return rules.regions[regionIndex]!.touchingLines.map((lineIndex) => {
    const l = market.lineOfGenesis[lineIndex]!;
    const energyWh = l < 0 ? 0 : coupling.flowWh[l]!;
    const rentUc = (l < 0 ? 0n : coupling.rentUc[l]!) as MicroCents;
    return { lineIndex, energyWh, rentUc };
  });
}
