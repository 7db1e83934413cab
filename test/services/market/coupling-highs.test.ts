/**
 * Method: an independent linear programme (HiGHS, simplex) on random networks. It knows nothing of
 * curves, cuts or ticks: a column per order and per line, a balance per region. Its optimum is an
 * integer point of equal welfare, and its dual prices lie between the extremal vectors.
 */
import fc from "fast-check";
import loadHighs from "highs";
import { expect, test } from "vitest";
import { couple } from "../../../services/market/coupling.ts";
import { ASK, BID, type OrderRow, orderColumns } from "../../../services/market/orders.ts";
import { type RandomGrid, randomGrid } from "./grids.ts";

// The package declares one default export for both module systems; here it is the function itself.
const highs = await (loadHighs as unknown as typeof loadHighs.default)();

type Programme = {
  readonly welfareUc: bigint; // of the programme's own integer point
  readonly priceUcPerWh: readonly (number | null)[]; // dual of each balance; null: nothing there
};

type Term = { readonly name: string; readonly valueUcPerWh: number; readonly mostWh: number };

/** What each column is worth per Wh, how far it goes, and the balances it takes part in. */
function columnsOf({ regions, lines }: RandomGrid): { terms: Term[]; balances: string[][] } {
  const balances: string[][] = regions.map(() => []);
  const orders = regions.flatMap((rows, r) =>
    rows.map(({ side, limitUcPerWh, energyWh }, i): Term => {
      const isBid = side === BID;
      const name = `o${r}x${i}`;
      balances[r]!.push(isBid ? `+ ${name}` : `- ${name}`);
      return { name, valueUcPerWh: isBid ? limitUcPerWh : -limitUcPerWh, mostWh: energyWh };
    }),
  );
  const flows = lines.map((line, l): Term => {
    const name = `f${l}`;
    balances[line.from]!.push(`+ ${name}`);
    balances[line.to]!.push(`- ${name}`);
    return { name, valueUcPerWh: -line.feeUcPerWh, mostWh: line.capacityWh };
  });
  return { terms: [...orders, ...flows], balances };
}

const signed = (value: number) => (value < 0 ? `- ${-value}` : `+ ${value}`);

function solve(grid: RandomGrid): Programme {
  const { terms, balances } = columnsOf(grid);
  const filled = balances.flatMap((parts, r) => (parts.length === 0 ? [] : [r]));
  if (filled.length === 0) return { welfareUc: 0n, priceUcPerWh: balances.map(() => null) };
  const text = [
    "Maximize",
    ` welfare: ${terms.map((term) => `${signed(term.valueUcPerWh)} ${term.name}`).join("\n ")}`,
    "Subject To",
    ...filled.map((r) => ` b${r}: ${balances[r]!.join(" ")} = 0`),
    "Bounds",
    ...terms.map((term) => ` 0 <= ${term.name} <= ${term.mostWh}`),
    "End",
  ].join("\n");
  const solved = highs.solve(text, { solver: "simplex" });
  if (solved.Status !== "Optimal") throw new Error(`${solved.Status}:\n${text}`);
  const { Columns, Rows } = solved;
  let welfareUc = 0n;
  for (const { name, valueUcPerWh } of terms) {
    const wh = (Columns[name] as { Primal: number }).Primal;
    expect(wh).toBeCloseTo(Math.round(wh), 4); // a network's vertices are integers
    welfareUc += BigInt(Math.round(wh)) * BigInt(valueUcPerWh);
  }
  const named = Rows as readonly { readonly Name: string; readonly Dual: number }[];
  const duals = new Map(named.map((row) => [row.Name, row.Dual]));
  return { welfareUc, priceUcPerWh: balances.map((_, r) => duals.get(`b${r}`) ?? null) };
}

function agree(grid: RandomGrid): void {
  const regions = grid.regions.map((rows) => orderColumns(rows));
  const coupled = couple({ regions, lines: grid.lines });
  const programme = solve(grid);
  expect(coupled.welfareUc).toBe(programme.welfareUc);
  for (const [r, price] of programme.priceUcPerWh.entries()) {
    if (price === null) continue;
    expect(price).toBeGreaterThanOrEqual(coupled.priceLowUcPerWh[r]! - 1e-6);
    expect(price).toBeLessThanOrEqual(coupled.priceHighUcPerWh[r]! + 1e-6);
  }
}

test("600 small networks full of ties", () => {
  const grids = randomGrid({ regionsMax: 6, span: 12, energyMax: 9 });
  fc.assert(fc.property(grids, agree), { numRuns: 600 });
}, 20_000);

test("400 networks at prices and energies of the field", () => {
  const grids = randomGrid({ regionsMax: 12, span: 60_000, energyMax: 2_000_000 });
  fc.assert(fc.property(grids, agree), { numRuns: 400 });
}, 20_000);

test("the programme itself, on a line by hand", () => {
  const given: OrderRow = { side: ASK, limitUcPerWh: 2, energyWh: 3, tieIndex: 0 };
  const asked: OrderRow = { side: BID, limitUcPerWh: 5, energyWh: 3, tieIndex: 0 };
  const line = { id: "l", from: 0, to: 1, capacityWh: 2, feeUcPerWh: 1 };
  expect(solve({ regions: [[given], [asked]], lines: [line] })).toEqual({
    welfareUc: 4n,
    priceUcPerWh: [2, 5],
  });
});
