/**
 * Books as text, the way a blotter reads: "bid 10x5, ask 4x5" is limit x energy, and the tie index
 * is the place in the text. And the slow twin of the clearing: every price tried, by definition.
 */
import fc from "fast-check";
import {
  ASK,
  BID,
  type OrderColumns,
  type OrderRow,
  orderColumns,
} from "../../../services/market/orders.ts";

export function parseRows(text: string): OrderRow[] {
  const words = text.split(",").map((word) => word.trim());
  return words
    .filter((word) => word !== "")
    .map((word, tieIndex) => {
      const match = /^(bid|ask) (-?\d+)x(\d+)$/.exec(word);
      if (match === null) throw new Error(`no order: ${word}`);
      const side = match[1] === "bid" ? BID : ASK;
      return { side, limitUcPerWh: Number(match[2]), energyWh: Number(match[3]), tieIndex };
    });
}

export function parseBook(text: string): OrderColumns {
  return orderColumns(parseRows(text));
}

export function rowsOf(orders: OrderColumns): OrderRow[] {
  return Array.from({ length: orders.count }, (_, i) => ({
    side: orders.side[i] === BID ? BID : ASK,
    limitUcPerWh: orders.limitUcPerWh[i]!,
    energyWh: orders.energyWh[i]!,
    tieIndex: orders.tieIndex[i]!,
  }));
}

export type Definition = { low: number | null; high: number | null; boughtWh: number };

/** P* and V* by their definition: every order price, and every gap between two, is tried. */
export function clearByDefinition(rows: readonly OrderRow[], injectionWh: number): Definition {
  const sum = (side: number, keep: (limit: number) => boolean) =>
    rows.reduce((s, r) => s + (r.side === side && keep(r.limitUcPerWh) ? r.energyWh : 0), 0);
  const clears = (p: number) => {
    const below = sum(ASK, (a) => a < p) + injectionWh <= sum(BID, (b) => b >= p);
    return below && sum(BID, (b) => b > p) <= sum(ASK, (a) => a <= p) + injectionWh;
  };
  const limits = [...new Set(rows.map((r) => r.limitUcPerWh))].sort((a, b) => a - b);
  const tried = limits.flatMap((p) => [p - 0.5, p, p + 0.5]);
  const clearing = tried.filter(clears);
  const low = clearing[0];
  const high = clearing.at(-1);
  const boughtWh = Math.max(
    0,
    ...tried.map((p) =>
      Math.min(
        sum(ASK, (a) => a <= p) + injectionWh,
        sum(BID, (b) => b >= p),
      ),
    ),
  );
  return {
    low: low === undefined || !Number.isInteger(low) ? null : low,
    high: high === undefined || !Number.isInteger(high) ? null : high,
    boughtWh,
  };
}

export type RandomBook = { rows: OrderRow[]; injectionWh: number };

/** Small books with many ties, negative prices and an injection that the book can absorb. */
export function randomBook(options: { ordersMax?: number; priceSpan?: number } = {}) {
  const span = options.priceSpan ?? 6;
  const row = fc.record({
    side: fc.constantFrom<0 | 1>(BID, ASK),
    limitUcPerWh: fc.integer({ min: -span, max: span }),
    energyWh: fc.oneof(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 2 ** 34 })),
  });
  const rows = fc.array(row, { maxLength: options.ordersMax ?? 12 });
  return fc.tuple(rows, fc.integer({ min: -1000, max: 1000 })).map(([drawn, share]): RandomBook => {
    const all = drawn.map((r, tieIndex) => ({ ...r, tieIndex }));
    const total = (side: number) => all.reduce((s, r) => s + (r.side === side ? r.energyWh : 0), 0);
    const room = share > 0 ? total(BID) : total(ASK);
    // A third of the books has no injection: the plain auction.
    const injectionWh = share % 3 === 0 ? 0 : Math.trunc((room * share) / 1000);
    return { rows: all, injectionWh: injectionWh === 0 ? 0 : injectionWh };
  });
}
