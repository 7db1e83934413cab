/**
 * The market step between the two phases: all regions under the uniform price clear together over
 * the lines. The only step that sees more than one lane.
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
import type { MarketAnswer, Offer } from "./lane-phases.ts";
import type { Rules } from "./rules.ts";

/** One answer per region; null for a region without a book. */
export function clearMarket(
  rules: Rules,
  offers: readonly Offer[],
): readonly (MarketAnswer | null)[] {
  const { regionOfNode } = rules.market;
  const answers: (MarketAnswer | null)[] = offers.map(() => null);
  if (regionOfNode.length === 0) return answers;
  const lines = linesLeft(rules, offers);
  const regions = regionOfNode.map((r) => {
    const book = offers[r]!.book;
    assert(book !== null, "a region of the market brings a book");
    return book.orders;
  });
  const coupling = couple({ regions, lines });
  assert(checkWitness({ regions, lines, coupling }) === null, "a clearing passes its witness");
  const fills = regions.map((orders, node) =>
    membersFirst(orders, coupling.clearings[node]!.fillWh),
  );
  const totals = lineTotals(rules, coupling);
  regionOfNode.forEach((r, node) => {
    const clearing = coupling.clearings[node]!;
    answers[r] = {
      priceLowUcPerWh: clearing.priceLowUcPerWh,
      priceHighUcPerWh: clearing.priceHighUcPerWh,
      priceUcPerWh: clearing.priceUcPerWh,
      fillWh: fills[node]!,
      lines: totals[node]!,
      flows: regionFlows(rules, coupling, r),
    };
  });
  return answers;
}

/** The market's lines with the room that forward flows leave: less their own, plus the twin's. */
function linesLeft({ genesis, market, forward }: Rules, offers: readonly Offer[]): readonly Line[] {
  const forwardWh = new Float64Array(genesis.lines.length);
  for (const { held } of offers) {
    // A line's flow stands in the lanes at both ends, as the same number.
    for (const { lineIndex, energyWh } of held?.flows ?? []) forwardWh[lineIndex] = energyWh;
  }
  return market.lines.map((line, l) => {
    const lineIndex = forward.genesisLine[l]!;
    const twin = forward.twin[lineIndex]!;
    const freedWh = twin < 0 ? 0 : forwardWh[twin]!;
    return { ...line, capacityWh: line.capacityWh - forwardWh[lineIndex]! + freedWh };
  });
}

/** By node: what its lines brought and took, with the money of those that end in it. */
function lineTotals({ market }: Rules, coupling: Coupling): readonly LineTotals[] {
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
function regionFlows(rules: Rules, coupling: Coupling, regionIndex: number): LineFlow[] {
  return rules.regions[regionIndex]!.touchingLines.map((lineIndex) => {
    const l = rules.market.lineOfGenesis[lineIndex]!;
    const energyWh = l < 0 ? 0 : coupling.flowWh[l]!;
    const rentUc = (l < 0 ? 0n : coupling.rentUc[l]!) as MicroCents;
    return { lineIndex, energyWh, rentUc };
  });
}
