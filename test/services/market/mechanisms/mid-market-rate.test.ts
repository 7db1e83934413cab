/**
 * Method: the slot of DESIGN 5 by hand under both laws, the published case where gross totals lose
 * money, then random communities against conservation and "nobody loses".
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { clearRegion } from "../../../../services/market/clearing.ts";
import { couple } from "../../../../services/market/coupling.ts";
import { midMarketRate } from "../../../../services/market/mechanisms/mid-market-rate.ts";
import { parseBook } from "../blotter.ts";

test("one slot by hand, mid-market rate", () => {
  const shared = midMarketRate({
    importWh: Uint32Array.of(0, 500, 600),
    exportWh: Uint32Array.of(800, 0, 0),
    retailUcPerWh: 30_000,
    feedInUcPerWh: 8_000,
  });
  expect([...shared.amountUc]).toEqual([15_200_000n, -11_000_000n, -13_200_000n]);
  expect(shared.retailerUc).toBe(9_000_000n);
  expect([...shared.soldWh]).toEqual([800, 0, 0]);
  expect([...shared.boughtWh]).toEqual([0, 364, 436]); // 363.6 and 436.4
  expect([...shared.retailerImportWh]).toEqual([0, 136, 164]);
});

test("one slot by hand, uniform price: the region alone, and with the retailer as a node", () => {
  const local = parseBook("ask 12000x800, bid 28000x500, bid 20000x600");
  const alone = clearRegion({ orders: local });
  expect([alone.priceLowUcPerWh, alone.priceHighUcPerWh]).toEqual([20_000, 20_000]);
  const amounts = [...alone.fillWh].map((wh, i) => (i === 0 ? wh : -wh) * alone.priceUcPerWh!);
  expect(amounts).toEqual([16_000_000, -10_000_000, -6_000_000]);
  // C bids 20,000, below retail: its other 300 Wh come from the retailer outside the auction.
  expect(600 - alone.fillWh[2]!).toBe(300);
  expect(300 * 30_000).toBe(9_000_000);
  const grid = parseBook(`ask 30000x${2 ** 48}, bid 8000x${2 ** 48}`);
  const lines = [
    { id: "down", from: 1, to: 0, capacityWh: 50_000, feeUcPerWh: 0 },
    { id: "up", from: 0, to: 1, capacityWh: 50_000, feeUcPerWh: 0 },
  ];
  const coupled = couple({ regions: [local, grid], lines });
  expect(coupled.clearings[0]!.priceUcPerWh).toBe(20_000);
  expect([...coupled.flowWh]).toEqual([0, 0]);
});

test("residual totals balance where gross totals lose .06 (notes 3.3)", () => {
  // Homes (load 3, pv 5) and (1, 0); retail .30, feed-in .10: sell at .15, buyer pays .20.
  const shared = midMarketRate({
    importWh: Uint32Array.of(0, 1),
    exportWh: Uint32Array.of(2, 0),
    retailUcPerWh: 30,
    feedInUcPerWh: 10,
  });
  expect([...shared.amountUc]).toEqual([30n, -20n]);
  expect(shared.retailerUc).toBe(-10n);
});

test("energy and money conserve to the unit and nobody loses against the retailer", () => {
  const energy = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 10_000_000 }));
  const meter = fc.record({ importWh: energy, exportWh: energy });
  const law = (meters: { importWh: number; exportWh: number }[], prices: number[]) => {
    const [feedInUcPerWh, retailUcPerWh] = [Math.min(...prices), Math.max(...prices)];
    const shared = midMarketRate({
      importWh: Float64Array.from(meters, (m) => m.importWh),
      exportWh: Float64Array.from(meters, (m) => m.exportWh),
      retailUcPerWh,
      feedInUcPerWh,
    });
    let money = shared.retailerUc;
    let community = 0;
    meters.forEach((m, i) => {
      money += shared.amountUc[i]!;
      community += shared.boughtWh[i]! - shared.soldWh[i]!;
      expect(shared.boughtWh[i]! + shared.retailerImportWh[i]!).toBe(m.importWh);
      expect(shared.soldWh[i]! + shared.retailerExportWh[i]!).toBe(m.exportWh);
      const alone =
        BigInt(m.exportWh) * BigInt(feedInUcPerWh) - BigInt(m.importWh) * BigInt(retailUcPerWh);
      expect(shared.amountUc[i]! >= alone).toBe(true);
    });
    expect(money).toBe(0n);
    expect(community).toBe(0);
  };
  const price = fc.integer({ min: -10_000_000, max: 10_000_000 });
  const prices = fc.tuple(price, price);
  fc.assert(fc.property(fc.array(meter, { maxLength: 20 }), prices, law), { numRuns: 400 });
});
