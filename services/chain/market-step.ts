/**
 * The market step between the two phases: all regions under the uniform price that take part in the
 * slot clear together over the lines between them. The only step that sees more than one lane.
 *
 * A line offers what forward flows have left of it, and what they free by running against it.
 *
 * Lanes bring the curve of their orders and fill the orders themselves, so that this step, which no
 * worker shares, does not grow with the number of orders.
 *
 * Every result is checked against its witness before anything of it is kept: prices, flows and
 * fills must satisfy complementary slackness. Each lane checks its own fills, `check` all the rest.
 */
import { couplePrices, type PriceCoupling, pricesOf } from "../market/coupling.ts";
import type { Line } from "../market/network.ts";
import { checkCoupling } from "../market/witness.ts";
import type { Violation } from "../market/witness-region.ts";
import { assert } from "../primitives/errors.ts";
import type { MicroCents } from "../primitives/units.ts";
import { type LineTotals, NO_LINES } from "../settlement/slot.ts";
import type { LineFlow } from "../wire/slot-record.ts";
import type { Brought, ClearedBook, LaneAnswer } from "./lane-executor.ts";
import { type MarketRules, marketRules, type Rules } from "./rules.ts";

export type ClearedMarket = {
  /** One for each of `brought`; null for a region without a book. */
  readonly answers: readonly (LaneAnswer | null)[];
  /**
   * Whether what the lanes made of their answers is the market's optimum, all lanes together.
   *
   * @param cleared - by answer, whose own fills have passed the witness
   * @returns the first violated condition, or null
   */
  check(cleared: readonly (ClearedBook | null)[]): Violation | null;
};

export function clearMarket(rules: Rules, brought: readonly Brought[]): ClearedMarket {
  const market = marketOf(rules, brought);
  const { regionOfNode } = market;
  if (regionOfNode.length === 0) return { answers: brought.map(() => null), check: () => null };
  const place = new Map(brought.map(({ regionIndex }, b) => [regionIndex, b]));
  const lines = linesLeft(rules, market, brought);
  const curves = regionOfNode.map((r) => {
    const { curve } = brought[place.get(r)!]!;
    assert(curve !== null, "a region of the market brings a book");
    return curve;
  });
  const coupling = couplePrices({ curves, lines });
  const totals = lineTotals(market, coupling);
  const answers: (LaneAnswer | null)[] = brought.map(() => null);
  regionOfNode.forEach((r, node) => {
    answers[place.get(r)!] = {
      prices: pricesOf(coupling, node),
      lines: totals[node]!,
      flows: regionFlows(rules, market, { coupling, regionIndex: r }),
    };
  });
  return {
    answers,
    check(cleared) {
      const books = regionOfNode.map((r) => {
        const book = cleared[place.get(r)!];
        assert(book, "a region of the market has cleared");
        return book;
      });
      const facts = books.map((book) => book.facts);
      return checkCoupling({ lines, coupling, clearings: books, facts });
    },
  };
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
function lineTotals(market: MarketRules, coupling: PriceCoupling): readonly LineTotals[] {
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
  { coupling, regionIndex }: { readonly coupling: PriceCoupling; readonly regionIndex: number },
): LineFlow[] {
  return rules.regions[regionIndex]!.touchingLines.map((lineIndex) => {
    const l = market.lineOfGenesis[lineIndex]!;
    const energyWh = l < 0 ? 0 : coupling.flowWh[l]!;
    const rentUc = (l < 0 ? 0n : coupling.rentUc[l]!) as MicroCents;
    return { lineIndex, energyWh, rentUc };
  });
}
