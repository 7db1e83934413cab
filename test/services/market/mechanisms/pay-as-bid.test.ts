/**
 * Method: worked books, then random ones: volume is the uniform auction's, each pair is within both
 * limits, money sums to zero, and the order of the columns never matters.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { clearRegion } from "../../../../services/market/clearing.ts";
import { payAsBid } from "../../../../services/market/mechanisms/pay-as-bid.ts";
import { BID, orderColumns } from "../../../../services/market/orders.ts";
import { parseBook, type RandomBook, randomBook } from "../blotter.ts";

test.each([
  { book: "bid 10x5, ask 4x5", trades: [[0, 1, 5, 7]], amounts: [-35n, 35n] },
  { book: "bid 0x5, ask -1x5", trades: [[0, 1, 5, -1]], amounts: [5n, -5n] },
  { book: "bid 3x5, ask 4x5", trades: [], amounts: [0n, 0n] },
  { book: "", trades: [], amounts: [] },
  {
    book: "bid 6x4, bid 10x5, ask 5x6, ask 2x1",
    trades: [
      [1, 3, 1, 6],
      [1, 2, 4, 7],
      [0, 2, 2, 5],
    ],
    amounts: [-10n, -34n, 38n, 6n],
  },
])("$book", ({ book, trades, amounts }) => {
  const cleared = payAsBid(parseBook(book));
  const rows = Array.from({ length: cleared.trades.count }, (_, k) => [
    cleared.trades.bid[k],
    cleared.trades.ask[k],
    cleared.trades.energyWh[k],
    cleared.trades.priceUcPerWh[k],
  ]);
  expect(rows).toEqual(trades);
  expect([...cleared.amountUc]).toEqual(amounts);
});

test("trades what the uniform price would, within all limits; money sums to zero", () => {
  const law = ({ rows }: RandomBook) => {
    const orders = orderColumns(rows);
    const { trades, tradedWh, fillWh, amountUc } = payAsBid(orders);
    expect(tradedWh).toBe(clearRegion({ orders }).boughtWh);
    for (let k = 0; k < trades.count; k++) {
      const price = trades.priceUcPerWh[k]!;
      expect(price).toBeLessThanOrEqual(rows[trades.bid[k]!]!.limitUcPerWh);
      expect(price).toBeGreaterThanOrEqual(rows[trades.ask[k]!]!.limitUcPerWh);
    }
    rows.forEach((row, i) => {
      expect(fillWh[i]! >= 0 && fillWh[i]! <= row.energyWh).toBe(true);
      const worstUc = BigInt(row.limitUcPerWh) * BigInt(fillWh[i]!);
      if (row.side === BID) expect(amountUc[i]! >= -worstUc).toBe(true);
      else expect(amountUc[i]! >= worstUc).toBe(true);
    });
    expect(amountUc.reduce((sum, amount) => sum + amount, 0n)).toBe(0n);
  };
  fc.assert(fc.property(randomBook(), law), { numRuns: 400 });
});

test("the order of the columns never matters", () => {
  const drawn = randomBook().chain(({ rows }) =>
    fc.tuple(fc.constant(rows), fc.shuffledSubarray(rows, { minLength: rows.length })),
  );
  const law = ([rows, shuffled]: [RandomBook["rows"], RandomBook["rows"]]) => {
    const [one, two] = [rows, shuffled].map((list) => payAsBid(orderColumns(list)));
    shuffled.forEach((row, i) => {
      expect(two!.amountUc[i]).toBe(one!.amountUc[row.tieIndex]);
      expect(two!.fillWh[i]).toBe(one!.fillWh[row.tieIndex]);
    });
  };
  fc.assert(fc.property(drawn, law), { numRuns: 500 });
});
