/**
 * Method: worked networks with known answers, then random networks against the slow twin (an
 * independent solver), then the laws: permutation, more lines never lower welfare, money conserves.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { clearRegion } from "../../../services/market/clearing.ts";
import { type Coupling, couple } from "../../../services/market/coupling.ts";
import type { Line } from "../../../services/market/network.ts";
import { BID, orderColumns } from "../../../services/market/orders.ts";
import { parseBook } from "./blotter.ts";
import { type RandomGrid, randomGrid } from "./grids.ts";
import { coupleSlowly } from "./slow-coupling.ts";

function line(text: string): Line {
  const match = /^(\w+): (\d+)>(\d+) (\d+)(?: @(\d+))?$/.exec(text);
  if (match === null) throw new Error(`no line: ${text}`);
  const [from, to, capacityWh, feeUcPerWh] = match.slice(2).map((part) => Number(part ?? 0));
  return { id: match[1]!, from: from!, to: to!, capacityWh: capacityWh!, feeUcPerWh: feeUcPerWh! };
}

test.each([
  {
    name: "a line with room makes one price",
    books: ["ask 4x10", "bid 10x5"],
    lines: ["a: 0>1 9"],
    prices: [4, 4],
    flows: [5],
    rents: [0n],
  },
  {
    name: "a full line parts the prices and earns a rent",
    books: ["ask 4x10", "bid 10x5"],
    lines: ["a: 0>1 3"],
    prices: [4, 10],
    flows: [3],
    rents: [18n],
  },
  {
    name: "a fee stands between two prices",
    books: ["ask 4x10", "bid 10x5"],
    lines: ["a: 0>1 9 @2"],
    prices: [4, 6],
    flows: [5],
    rents: [0n],
  },
  {
    name: "a fee above the gap stops trade",
    books: ["ask 4x10", "bid 10x5"],
    lines: ["a: 0>1 9 @7"],
    prices: [null, null],
    flows: [0],
    rents: [0n],
  },
  {
    name: "a region cut off has its own price",
    books: ["ask 4x10, bid 4x3", "bid 10x5", "ask 1x2, bid 3x2"],
    lines: ["a: 0>1 9"],
    prices: [4, 4, 2],
    flows: [5],
    rents: [0n],
  },
  {
    name: "energy passes a region without orders, which has a price",
    books: ["ask 4x10", "", "bid 10x5"],
    lines: ["a: 0>1 9 @1", "b: 1>2 3 @1"],
    prices: [4, 5, 10],
    flows: [3, 3],
    rents: [0n, 12n],
  },
  {
    name: "the shorter of two ways, then the lower id",
    books: ["ask 4x10", "bid 10x5", "", ""],
    lines: ["d: 0>2 9", "c: 2>1 9", "a: 0>3 9", "b: 3>1 9", "e: 0>1 2"],
    prices: [4, 4, null, 4],
    flows: [0, 0, 3, 3, 2],
    rents: [0n, 0n, 0n, 0n, 0n],
  },
  {
    name: "no loop flows",
    books: ["ask 4x10, bid 4x10", "bid 4x5, ask 4x5"],
    lines: ["a: 0>1 9", "b: 1>0 9"],
    prices: [4, 4],
    flows: [0, 0],
    rents: [0n, 0n],
  },
])("$name", ({ books, lines, prices, flows, rents }) => {
  const coupled = couple({ regions: books.map(parseBook), lines: lines.map(line) });
  expect(coupled.clearings.map((clearing) => clearing.priceUcPerWh)).toEqual(prices);
  expect([...coupled.flowWh]).toEqual(flows);
  expect(coupled.rentUc).toEqual(rents);
});

test("one region alone is the plain auction", () => {
  const orders = parseBook("bid 10x5, bid 9x5, ask 1x5, ask -3x2, bid 9x4");
  expect(couple({ regions: [orders], lines: [] }).clearings[0]).toEqual(clearRegion({ orders }));
});

test("energies that are no numbers break a precondition at once", () => {
  const regions = ["ask 4x10", "bid 10x5"].map(parseBook);
  const lines = [{ ...line("a: 0>1 9"), capacityWh: Number.NaN }];
  expect(() => couple({ regions, lines })).toThrow("safe integers");
});

const small = randomGrid({ regionsMax: 5, span: 5, energyMax: 6 });
const wide = randomGrid({ regionsMax: 6, span: 30_000, energyMax: 9 });
const coupleRows = ({ regions, lines }: RandomGrid): Coupling =>
  couple({ regions: regions.map(orderColumns), lines });
const finite = (vector: Float64Array) =>
  [...vector].map((price) => (Number.isFinite(price) ? price : null));

test("agrees with the slow twin: welfare, volume, flows, and both extreme price vectors", () => {
  const law = (grid: RandomGrid) => {
    const fast = coupleRows(grid);
    const slow = coupleSlowly(grid.regions, grid.lines);
    expect(fast.welfareUc).toBe(slow.welfareUc);
    expect(fast.clearings.reduce((sum, c) => sum + c.boughtWh, 0)).toBe(slow.volumeWh);
    expect([...fast.flowWh]).toEqual(slow.flowWh);
    expect(finite(fast.priceLowUcPerWh)).toEqual(slow.low);
    expect(finite(fast.priceHighUcPerWh)).toEqual(slow.high);
  };
  fc.assert(fc.property(small, law), { numRuns: 400 });
  fc.assert(fc.property(wide, law), { numRuns: 200 });
}, 60_000);

test("what buyers pay is what sellers get, the rents and the fees; no rent is negative", () => {
  const law = (grid: RandomGrid) => {
    const coupled = coupleRows(grid);
    let balanceUc = 0n;
    grid.regions.forEach((rows, r) => {
      const { fillWh } = coupled.clearings[r]!;
      rows.forEach((row, i) => {
        const amountUc = BigInt(coupled.priceUcPerWh[r]!) * BigInt(fillWh[i]!);
        balanceUc += row.side === BID ? amountUc : -amountUc;
      });
    });
    coupled.rentUc.forEach((rentUc, l) => {
      expect(rentUc >= 0n).toBe(true);
      balanceUc -= rentUc + coupled.feesUc[l]!;
    });
    expect(balanceUc).toBe(0n);
  };
  fc.assert(fc.property(wide, law), { numRuns: 500 });
});

test("the order of regions, lines and orders never matters", () => {
  const shuffledGrid = small.chain((grid) =>
    fc.record({
      grid: fc.constant(grid),
      places: fc.shuffledSubarray([...grid.regions.keys()], { minLength: grid.regions.length }),
      lines: fc.shuffledSubarray(grid.lines, { minLength: grid.lines.length }),
    }),
  );
  const law = (drawn: { grid: RandomGrid; places: number[]; lines: Line[] }) => {
    const { grid, places } = drawn;
    const placeOf = (region: number) => places.indexOf(region);
    const lines = drawn.lines.map((l) => ({ ...l, from: placeOf(l.from), to: placeOf(l.to) }));
    const one = coupleRows(grid);
    const two = coupleRows({ regions: places.map((r) => grid.regions[r]!.toReversed()), lines });
    expect(two.welfareUc).toBe(one.welfareUc);
    places.forEach((region, place) => {
      const [before, after] = [one.clearings[region]!, two.clearings[place]!];
      const reversed = before.fillWh.toReversed();
      expect({ ...after, fillWh: [...after.fillWh] }).toEqual({ ...before, fillWh: [...reversed] });
    });
    drawn.lines.forEach((l, at) => {
      expect(two.flowWh[at]).toBe(one.flowWh[grid.lines.indexOf(l)]);
    });
  };
  fc.assert(fc.property(shuffledGrid, law), { numRuns: 1000 });
});

test("one more line never lowers welfare; with none each region has its own auction", () => {
  const law = (grid: RandomGrid) => {
    const welfareUc = grid.lines.map((_, count) => {
      return coupleRows({ ...grid, lines: grid.lines.slice(0, count) }).welfareUc;
    });
    welfareUc.push(coupleRows(grid).welfareUc);
    for (let k = 1; k < welfareUc.length; k++)
      expect(welfareUc[k]! >= welfareUc[k - 1]!).toBe(true);
    const cut = coupleRows({ ...grid, lines: [] });
    grid.regions.forEach((rows, r) => {
      expect(cut.clearings[r]).toEqual(clearRegion({ orders: orderColumns(rows) }));
    });
  };
  fc.assert(fc.property(small, law), { numRuns: 500 });
});

test("scaling all energies and capacities scales flows and volumes and keeps prices", () => {
  const law = (grid: RandomGrid, k: number) => {
    const scaled = {
      regions: grid.regions.map((rows) => rows.map((r) => ({ ...r, energyWh: k * r.energyWh }))),
      lines: grid.lines.map((l) => ({ ...l, capacityWh: k * l.capacityWh })),
    };
    const [one, many] = [coupleRows(grid), coupleRows(scaled)];
    expect(many.welfareUc).toBe(BigInt(k) * one.welfareUc);
    expect(many.priceUcPerWh).toEqual(one.priceUcPerWh);
    expect([...many.flowWh]).toEqual([...one.flowWh].map((wh) => k * wh));
  };
  fc.assert(fc.property(small, fc.integer({ min: 1, max: 2 ** 30 }), law), { numRuns: 500 });
});

test("a thousand regions in a chain pass energy from end to end", () => {
  const regions = Array.from({ length: 1000 }, (_, r) => {
    if (r === 0) return parseBook("ask 1000x70");
    return parseBook(r === 999 ? "bid 4000x50" : "");
  });
  const lines = Array.from({ length: 999 }, (_, r) => ({
    id: `l${r}`,
    from: r,
    to: r + 1,
    capacityWh: 60,
    feeUcPerWh: 3,
  }));
  const coupled = couple({ regions, lines });
  expect(new Set(coupled.flowWh)).toEqual(new Set([50]));
  expect(coupled.clearings[999]!.priceUcPerWh).toBe(1000 + 999 * 3);
  expect(coupled.welfareUc).toBe(50n * (3000n - 2997n));
});
