/**
 * Method: worked deliveries by hand for each side and for several meters, under both mechanisms;
 * then random regions against conservation, "a deviation is never a gain", and the rule that a
 * region without positions settles as if there were no forward market.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { INSTITUTION, sumOfAccounts } from "../../../services/ledger/accounts.ts";
import type { ForwardPosition, ForwardSlot } from "../../../services/settlement/forward.ts";
import { NO_LINES } from "../../../services/settlement/slot.ts";
import {
  deliveryOf,
  IMBALANCE,
  RETAILER,
  settleMidMarket,
  settleUniformPrice,
  type TestMeter,
  type TestRegion,
} from "./regions.ts";

/** Member 0 sold what member 1 bought, at 18,000. */
function traded(energyWh: number): ForwardSlot {
  const positions: ForwardPosition[] = [
    { memberIndex: 0, boughtWh: 0, soldWh: energyWh },
    { memberIndex: 1, boughtWh: energyWh, soldWh: 0 },
  ];
  return { priceUcPerWh: 18_000, positions, lines: NO_LINES };
}

function region(meters: readonly TestMeter[], forward: ForwardSlot | null): TestRegion {
  return {
    meters,
    minSell: [8_000, 8_000, 8_000],
    maxBuy: [30_000, 30_000, 30_000],
    ...(forward === null ? {} : { forward }),
  };
}
const meter = (member: number, importWh: number, exportWh: number): TestMeter => {
  return { member, importWh, exportWh };
};

describe("delivery, by hand", () => {
  test("exact: the residual is nothing", () => {
    const found = deliveryOf(region([meter(0, 0, 500), meter(1, 500, 0)], traded(500)));
    expect([...found.importWh, ...found.exportWh]).toEqual([0, 0, 0, 0]);
    expect([...found.forwardSoldWh]).toEqual([500, 0]);
    expect([...found.forwardBoughtWh]).toEqual([0, 500]);
    expect([...found.undeliveredWh, ...found.untakenWh]).toEqual([0, 0, 0, 0]);
  });

  test("too little on both sides: what is missing is to be bought, what is over to be sold", () => {
    const found = deliveryOf(region([meter(0, 40, 300), meter(1, 450, 0)], traded(500)));
    expect([...found.importWh]).toEqual([40 + 200, 0]);
    expect([...found.exportWh]).toEqual([0, 50]);
    expect([...found.undeliveredWh]).toEqual([200, 0]);
    expect([...found.untakenWh]).toEqual([0, 50]);
  });

  test("more than traded is ordinary energy", () => {
    const found = deliveryOf(region([meter(0, 0, 800), meter(1, 620, 10)], traded(500)));
    expect([...found.importWh]).toEqual([0, 120]);
    expect([...found.exportWh]).toEqual([300, 10]);
    expect([...found.undeliveredWh, ...found.untakenWh]).toEqual([0, 0, 0, 0]);
  });

  test("several meters: by what they metered, and what is missing stands on the first", () => {
    const meters = [meter(0, 0, 100), meter(1, 700, 0), meter(0, 0, 300)];
    const found = deliveryOf(region(meters, traded(200)));
    expect([...found.forwardSoldWh]).toEqual([50, 0, 150]);
    expect([...found.exportWh]).toEqual([50, 0, 150]);
    const short = deliveryOf(region(meters, traded(500)));
    expect([...short.forwardSoldWh]).toEqual([200, 0, 300]);
    expect([...short.undeliveredWh]).toEqual([100, 0, 0]);
    expect([...short.importWh]).toEqual([100, 200, 0]);
    expect([...short.exportWh]).toEqual([0, 0, 0]);
  });
});

/**
 * 500 Wh at 18,000. The seller exports 300, the buyer imports 450; nobody else is there, so the
 * buyer's 50 go to the seller, at the middle of 8,000 and 30,000 under either mechanism (both are
 * filled: nothing stops the price but the limits; the seller's bid stays partly open, so under the
 * uniform price it is the seller's limit, 30,000). 150 are short, at 45,000.
 */
describe("a slot, by hand", () => {
  const meters = [meter(0, 0, 300), meter(1, 450, 0)];

  test("uniform price", () => {
    const [settlement] = settleUniformPrice([region(meters, traded(500))]).settlements;
    expect([...settlement!.bills]).toMatchObject([
      {
        communityBoughtWh: 50,
        retailerBoughtWh: 0,
        imbalanceBoughtWh: 150,
        amountUc: 9_000_000n - 1_500_000n - 6_750_000n,
      },
      { communitySoldWh: 50, imbalanceSoldWh: 0, amountUc: -9_000_000n + 1_500_000n },
    ]);
    expect(settlement!.retailerUc).toBe(6_750_000n);
  });

  test("mid-market rate", () => {
    // Buyers pay 50 x 19,000 + 150 x 30,000 = 5,450,000 together: the seller is the only one. The
    // penalty of 150 x 15,000 stands on top.
    const settlement = settleMidMarket(region(meters, traded(500)));
    expect([...settlement.bills]).toMatchObject([
      { imbalanceBoughtWh: 150, amountUc: 9_000_000n - 5_450_000n - 2_250_000n },
      { communitySoldWh: 50, amountUc: -9_000_000n + 950_000n },
    ]);
    expect(settlement.retailerUc).toBe(4_500_000n + 2_250_000n);
  });
});

const RUNS = { numRuns: 150 };
const energy = fc.oneof(fc.constant(0), fc.nat(900));
const anyRegion = fc.record({
  meters: fc.array(fc.record({ member: fc.nat(2), importWh: energy, exportWh: energy }), {
    minLength: 0,
    maxLength: 5,
  }),
  tradedWh: fc.nat(1200),
  priceUcPerWh: fc.integer({ min: -2_000, max: 32_000 }),
  minSell: fc.array(fc.integer({ min: 5_000, max: 25_000 }), { minLength: 3, maxLength: 3 }),
  maxBuy: fc.array(fc.integer({ min: 10_000, max: 33_000 }), { minLength: 3, maxLength: 3 }),
});

/** Each member has a meter, so that whoever traded can deliver. */
function regionOf(drawn: typeof anyRegion extends fc.Arbitrary<infer T> ? T : never) {
  const meters = [meter(0, 0, 0), meter(1, 0, 0), meter(2, 0, 0), ...drawn.meters];
  const { minSell, maxBuy } = drawn;
  const forward = { ...traded(drawn.tradedWh), priceUcPerWh: drawn.priceUcPerWh };
  return { meters, minSell, maxBuy, forward };
}

test("energy and money conserve; the penalty is the short and long price's, and no more", () => {
  fc.assert(
    fc.property(anyRegion, (drawn) => {
      const form = regionOf(drawn);
      for (const settlement of [
        settleUniformPrice([form]).settlements[0]!,
        settleMidMarket(form),
      ]) {
        expect(sumOfAccounts(settlement.entries)).toBe(0n);
        expect(settlement.entries.institutionUc[INSTITUTION.neighbours]).toBe(0n);
        let soldWh = 0;
        for (const bill of settlement.bills) {
          soldWh += bill.forwardSoldWh - bill.forwardBoughtWh;
          expect(bill.imbalanceBoughtWh).toBeLessThanOrEqual(bill.forwardSoldWh);
          expect(bill.imbalanceSoldWh).toBeLessThanOrEqual(bill.forwardBoughtWh);
          expect(bill.retailerBoughtWh).toBeLessThanOrEqual(bill.importWh);
          expect(bill.retailerSoldWh).toBeLessThanOrEqual(bill.exportWh);
        }
        expect(soldWh).toBe(0);
      }
    }),
    RUNS,
  );
});

test("alone with the retailer, a deviation is never a gain over having delivered", () => {
  fc.assert(
    fc.property(fc.nat(900), fc.nat(900), (soldWh, exportWh) => {
      const one = (form: TestMeter) => {
        const positions = [{ memberIndex: 0, boughtWh: 0, soldWh }];
        const lines = { ...NO_LINES, outflowWh: soldWh };
        const forward = { priceUcPerWh: 18_000, positions, lines };
        const [settlement] = settleUniformPrice([
          region([form, meter(1, 0, 0)], forward),
        ]).settlements;
        return settlement!.entries.memberUc[0]!;
      };
      const missingWh = BigInt(Math.max(0, soldWh - exportWh));
      const overWh = BigInt(Math.max(0, exportWh - soldWh));
      const deliveredUc = BigInt(soldWh) * 18_000n;
      expect(one(meter(0, 0, exportWh))).toBe(
        deliveredUc -
          missingWh * BigInt(IMBALANCE.shortUcPerWh) +
          overWh * BigInt(RETAILER.feedInUcPerWh),
      );
    }),
    RUNS,
  );
});
