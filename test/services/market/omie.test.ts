/**
 * Method: a real day-ahead auction against its published result. Source: OMIE, MIBEL session of
 * 2025-06-21, 63,433 order steps, two zones and France. A: both zones with the French exchange as
 * published; B: France as a price taker behind its own lines; C, a negative control: without the
 * accepted block and minimum-income orders the prices must not come out.
 */
import { describe, expect, test } from "vitest";
import { type Coupling, couple } from "../../../services/market/coupling.ts";
import { buildCurve, marginAt } from "../../../services/market/curve.ts";
import type { Line } from "../../../services/market/network.ts";
import {
  ASK,
  BID,
  type OrderColumns,
  type OrderRow,
  orderColumns,
} from "../../../services/market/orders.ts";
import { checkWitness } from "../../../services/market/witness.ts";
import { marketDataAbsent, readMarketData, scaled } from "./shared-data.ts";

const CENTS = 100; // EUR/MWh in cents: 1 uc/Wh is 0.01 per MWh
const WH_PER_MWH = 1_000_000;
const ES = 0;
const PT = 1;
const FR = 2;

type Period = {
  period: number;
  published: Record<
    "price_es" | "price_pt" | "price_fr" | "flow_es_to_pt_mwh" | "flow_es_to_fr_mwh",
    number
  >;
  capacity: Record<"es_to_pt" | "pt_to_es" | "es_to_fr" | "fr_to_es", number>;
  recomputed: Record<
    "es_price_interval" | "pt_price_interval" | "flow_es_to_pt_interval",
    [number, number]
  >;
};

const periods: Period[] = marketDataAbsent
  ? []
  : JSON.parse(readMarketData("omie_20250621/expected.json")).periods;

type Steps = Map<number, [OrderRow[], OrderRow[]]>;

function readSteps(kinds: (kind: string) => boolean): Steps {
  const steps: Steps = new Map();
  const rows = readMarketData("omie_20250621/orders.csv").trim().split(/\r?\n/).slice(1);
  for (const [tieIndex, row] of rows.entries()) {
    const [period, zone, side, price, qty, , , kind] = row.split(",");
    if (!kinds(kind!)) continue;
    const books = steps.get(Number(period)) ?? [[], []];
    steps.set(Number(period), books);
    books[zone === "ES" ? ES : PT].push({
      side: side === "buy" ? BID : ASK,
      limitUcPerWh: scaled(Number(price), CENTS),
      energyWh: scaled(Number(qty), WH_PER_MWH),
      tieIndex,
    });
  }
  return steps;
}

const line = (id: string, ends: [number, number], mwh: number): Line => ({
  id,
  from: ends[0],
  to: ends[1],
  capacityWh: scaled(mwh, WH_PER_MWH),
  feeUcPerWh: 0,
});

function iberianLines({ capacity }: Period): Line[] {
  return [line("es-pt", [ES, PT], capacity.es_to_pt), line("pt-es", [PT, ES], capacity.pt_to_es)];
}

/** The exchange with France as it was: bought at 4000, or sold at -500, in Spain. */
function frenchOrder({ published }: Period): OrderRow {
  const mwh = published.flow_es_to_fr_mwh;
  const side = mwh > 0 ? BID : ASK;
  const limitUcPerWh = mwh > 0 ? 400_000 : -50_000;
  const energyWh = scaled(Math.abs(mwh), WH_PER_MWH);
  return { side, limitUcPerWh, energyWh, tieIndex: 1_000_000 };
}

function twoZones(steps: Steps, period: Period): { regions: OrderColumns[]; lines: Line[] } {
  const [spanish, portuguese] = steps.get(period.period)!;
  const withFrance = [...spanish, frenchOrder(period)].filter((row) => row.energyWh > 0);
  return { regions: [withFrance, portuguese].map(orderColumns), lines: iberianLines(period) };
}

/** Flows from Spain to Portugal of equal welfare: what the margins leave, within the lines. */
function flowInterval(
  period: Period,
  regions: OrderColumns[],
  coupled: Coupling,
): [number, number] {
  const gap = coupled.priceUcPerWh[PT]! - coupled.priceUcPerWh[ES]!;
  if (gap > 0) return [coupled.flowWh[0]!, coupled.flowWh[0]!];
  if (gap < 0) return [-coupled.flowWh[1]!, -coupled.flowWh[1]!];
  const [es, pt] = regions.map((orders, r) =>
    marginAt(buildCurve(orders), coupled.priceUcPerWh[r]!),
  );
  const least = Math.max(
    es!.askBelowWh - es!.bidAboveWh - es!.bidAtWh,
    pt!.bidAboveWh - pt!.askBelowWh - pt!.askAtWh,
    -scaled(period.capacity.pt_to_es, WH_PER_MWH),
  );
  const most = Math.min(
    es!.askBelowWh + es!.askAtWh - es!.bidAboveWh,
    pt!.bidAboveWh + pt!.bidAtWh - pt!.askBelowWh,
    scaled(period.capacity.es_to_pt, WH_PER_MWH),
  );
  return [least, most];
}

const inside = (value: number, [low, high]: readonly [number, number]) =>
  value >= low && value <= high;

function bounds(coupled: Coupling, region: number): [number, number] {
  return [coupled.priceLowUcPerWh[region]!, coupled.priceHighUcPerWh[region]!];
}

const pricesOf = ({ published }: Period) =>
  [published.price_es, published.price_pt].map((price) => scaled(price, CENTS));

describe.skipIf(marketDataAbsent)("OMIE 2025-06-21", () => {
  const all = readSteps(() => true);

  test("A: 24 of 24 hours, prices and flows, exact or inside the interval", () => {
    expect([...all.values()].flat(2)).toHaveLength(63_433);
    const indeterminate: number[] = [];
    for (const period of periods) {
      const { regions, lines } = twoZones(all, period);
      const coupled = couple({ regions, lines });
      expect(checkWitness({ regions, lines, coupling: coupled })).toBeNull();
      const { recomputed, published } = period;
      const wanted = [recomputed.es_price_interval, recomputed.pt_price_interval];
      for (const region of [ES, PT]) {
        const interval = bounds(coupled, region);
        expect(interval).toEqual(wanted[region]!.map((price) => scaled(price, CENTS)));
        expect(inside(pricesOf(period)[region]!, interval)).toBe(true);
      }
      const chosen = [ES, PT].map((region) => coupled.clearings[region]!.priceUcPerWh);
      if (String(chosen) !== String(pricesOf(period))) indeterminate.push(period.period);
      const flows = recomputed.flow_es_to_pt_interval.map((mwh) => scaled(mwh, WH_PER_MWH));
      expect(flowInterval(period, regions, coupled)).toEqual(flows);
      const flowWh = coupled.flowWh[0]! - coupled.flowWh[1]!;
      expect(inside(flowWh, flows as [number, number])).toBe(true);
      const publishedWh = scaled(published.flow_es_to_pt_mwh, WH_PER_MWH);
      expect(inside(publishedWh, flows as [number, number])).toBe(true);
    }
    // Vertical crossings: the midpoint differs from the French price that was published.
    expect(indeterminate).toEqual([16, 17, 22, 23]);
  });

  test("A: hour 12 parts the market, and the rent is 4,590 EUR", () => {
    const { regions, lines } = twoZones(all, periods[11]!);
    const coupled = couple({ regions, lines });
    expect([...coupled.priceUcPerWh]).toEqual([0, 120]);
    expect([...coupled.flowWh]).toEqual([3_825_000_000, 0]);
    expect(coupled.rentUc).toEqual([4590n * 100_000_000n, 0n]);
  });

  test("B: with France as a price taker all 24 prices are exact", () => {
    for (const period of periods) {
      const [spanish, portuguese] = all.get(period.period)!;
      const limitUcPerWh = scaled(period.published.price_fr, CENTS);
      const taker = { limitUcPerWh, energyWh: 2 ** 40 };
      const french = [
        { ...taker, side: BID, tieIndex: 0 },
        { ...taker, side: ASK, tieIndex: 1 },
      ] satisfies OrderRow[];
      const regions = [spanish, portuguese, french].map(orderColumns);
      const lines = [
        ...iberianLines(period),
        line("es-fr", [ES, FR], period.capacity.es_to_fr),
        line("fr-es", [FR, ES], period.capacity.fr_to_es),
      ];
      const coupled = couple({ regions, lines });
      expect(checkWitness({ regions, lines, coupling: coupled })).toBeNull();
      const exact = [ES, PT].map((region) => bounds(coupled, region));
      expect(exact).toEqual(pricesOf(period).map((price) => [price, price]));
    }
  });

  test("C: with simple orders only, exactly 16 of 24 hours fail", () => {
    const simple = readSteps((kind) => kind === "simple");
    const failed = periods.filter((period) => {
      const market = twoZones(simple, period);
      const coupled = couple(market);
      const flowWh = scaled(period.published.flow_es_to_pt_mwh, WH_PER_MWH);
      const flowFits = inside(flowWh, flowInterval(period, market.regions, coupled));
      return !flowFits || ![ES, PT].every((r) => inside(pricesOf(period)[r]!, bounds(coupled, r)));
    });
    const hours = [1, 2, 3, 4, 5, 6, 7, 8, 9, 17, 18, 20, 21, 22, 23, 24];
    expect(failed.map((period) => period.period)).toEqual(hours);
  });
});
