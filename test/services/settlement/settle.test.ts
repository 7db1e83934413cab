/**
 * Method: the worked slots of the design with exact numbers, worked corner cases of each rule, then
 * random coupled regions against conservation and "nobody loses".
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { INSTITUTION, sumOfAccounts } from "../../../services/ledger/accounts.ts";
import type { Slot } from "../../../services/primitives/units.ts";
import type { Settlement } from "../../../services/settlement/slot.ts";
import { BILL_KIND, type Bill } from "../../../services/wire/bill.ts";
import { RETAILER, settleMidMarket, settleUniformPrice, type TestRegion } from "./regions.ts";

/** A exports 800 Wh and asks 12,000; B imports 500 and bids 28,000; C imports 600, bids 20,000. */
const WORKED: TestRegion = {
  meters: [
    { member: 0, importWh: 0, exportWh: 800 },
    { member: 1, importWh: 500, exportWh: 0 },
    { member: 2, importWh: 600, exportWh: 0 },
  ],
  minSell: [12_000, 8_000, 8_000],
  maxBuy: [30_000, 28_000, 20_000],
};

function institution(settlement: Settlement, name: keyof typeof INSTITUTION): bigint {
  return settlement.entries.institutionUc[INSTITUTION[name]]!;
}

describe("one slot by hand", () => {
  test("uniform price", () => {
    const { settlements, coupling } = settleUniformPrice([WORKED]);
    const [settlement] = settlements;
    expect(coupling.clearings[0]).toMatchObject({
      priceLowUcPerWh: 20_000,
      priceHighUcPerWh: 20_000,
      priceUcPerWh: 20_000,
    });
    expect([...settlement!.entries.memberUc]).toEqual([16_000_000n, -10_000_000n, -15_000_000n]);
    expect(institution(settlement!, "retailer")).toBe(9_000_000n);
    expect([...settlement!.bills]).toMatchObject([
      { communitySoldWh: 800, retailerSoldWh: 0, amountUc: 16_000_000n },
      { communityBoughtWh: 500, retailerBoughtWh: 0, amountUc: -10_000_000n },
      { communityBoughtWh: 300, retailerBoughtWh: 300, amountUc: -15_000_000n },
    ]);
    expect(settlement).toMatchObject({ tradedWh: 800, retailerBoughtWh: 300, retailerSoldWh: 0 });
  });

  test("mid-market rate", () => {
    const settlement = settleMidMarket(WORKED);
    expect([...settlement.entries.memberUc]).toEqual([15_200_000n, -11_000_000n, -13_200_000n]);
    expect(institution(settlement, "retailer")).toBe(9_000_000n);
    expect([...settlement.bills]).toMatchObject([
      { buyPriceUcPerWh: 22_000, sellPriceUcPerWh: 19_000, communitySoldWh: 800 },
      { communityBoughtWh: 364, retailerBoughtWh: 136 },
      { communityBoughtWh: 436, retailerBoughtWh: 164 },
    ]);
  });

  /**
   * East offers 1,000 Wh at 10,000; west needs 600 at up to 25,000; the line carries 400 at a fee
   * of 2,000. East's ask and west's bid stay partly open, so their limits are the prices: 10,000
   * and 25,000, and the line earns 13,000 of rent per Wh.
   */
  test("two regions over a full line", () => {
    const east: TestRegion = {
      meters: [{ member: 0, importWh: 0, exportWh: 1000 }],
      minSell: [10_000],
      maxBuy: [30_000],
    };
    const west: TestRegion = {
      meters: [{ member: 0, importWh: 600, exportWh: 0 }],
      minSell: [8_000],
      maxBuy: [25_000],
    };
    const line = { from: 0, to: 1, capacityWh: 400, feeUcPerWh: 2_000 };
    const { settlements, coupling } = settleUniformPrice([east, west], [line]);
    expect([...coupling.priceUcPerWh]).toEqual([10_000, 25_000]);
    const [first, second] = settlements;
    expect(first!.bills.at(0)).toMatchObject({
      neighbourSoldWh: 400,
      retailerSoldWh: 600,
      amountUc: 4_000_000n + 4_800_000n,
    });
    expect(second!.bills.at(0)).toMatchObject({
      neighbourBoughtWh: 400,
      retailerBoughtWh: 200,
      amountUc: -10_000_000n - 6_000_000n,
    });
    expect([...first!.entries.institutionUc]).toEqual([-4_800_000n, -4_000_000n, 0n, 0n]);
    expect([...second!.entries.institutionUc]).toEqual([
      6_000_000n,
      4_000_000n,
      800_000n,
      5_200_000n,
    ]);
  });
});

/**
 * A (asks 10,000) -> B (trades 100 Wh of its own) -> C (bids 20,000), fee 1,000 each. C's bid stays
 * partly open: 20,000 there, 19,000 in B; the first line is full and earns 8,000 of rent per Wh.
 */
test("what passes through a region is nobody's trade there", () => {
  const only = (importWh: number, exportWh: number) => ({ member: 0, importWh, exportWh });
  const a = { meters: [only(0, 900)], minSell: [10_000], maxBuy: [30_000] };
  const b = {
    meters: [only(0, 100), { member: 1, importWh: 100, exportWh: 0 }],
    minSell: [10_500, 8_000],
    maxBuy: [30_000, 25_000],
  };
  const c = { meters: [only(600, 0)], minSell: [8_000], maxBuy: [20_000] };
  const { settlements, coupling } = settleUniformPrice(
    [a, b, c],
    [
      { from: 0, to: 1, capacityWh: 300, feeUcPerWh: 1_000 },
      { from: 1, to: 2, capacityWh: 400, feeUcPerWh: 1_000 },
    ],
  );
  expect([...coupling.priceUcPerWh]).toEqual([10_000, 19_000, 20_000]);
  const middle = settlements[1]!;
  expect([...middle.bills]).toMatchObject([
    { communitySoldWh: 100, neighbourSoldWh: 0, amountUc: 1_900_000n },
    { communityBoughtWh: 100, neighbourBoughtWh: 0, amountUc: -1_900_000n },
  ]);
  expect([...middle.entries.institutionUc]).toEqual([0n, -2_700_000n, 300_000n, 2_400_000n]);
  expect(settlements.map((settlement) => institution(settlement, "neighbours"))).toEqual([
    -3_000_000n,
    -2_700_000n,
    5_700_000n,
  ]);
});

describe("own use", () => {
  test("of one meter is community energy at no net money", () => {
    const region: TestRegion = {
      meters: [{ member: 0, importWh: 300, exportWh: 1000 }],
      minSell: [9_000],
      maxBuy: [10_000],
    };
    const [settlement] = settleUniformPrice([region]).settlements;
    // 700 Wh find no buyer at 9,000 and go to the retailer at 8,000.
    expect(settlement!.bills.at(0)).toMatchObject({
      communityBoughtWh: 300,
      communitySoldWh: 300,
      retailerSoldWh: 700,
      amountUc: 5_600_000n,
    });
  });

  test("never trades at the community's expense: only the rest meets the auction", () => {
    const region: TestRegion = {
      meters: [
        { member: 0, importWh: 0, exportWh: 500 }, // two meters of one member
        { member: 0, importWh: 400, exportWh: 0 },
        { member: 1, importWh: 400, exportWh: 0 },
      ],
      minSell: [10_000, 8_000],
      maxBuy: [30_000, 20_000],
    };
    const [settlement] = settleUniformPrice([region]).settlements;
    expect([...settlement!.bills]).toMatchObject([
      { communitySoldWh: 500, retailerSoldWh: 0 },
      { communityBoughtWh: 400, retailerBoughtWh: 0 },
      { communityBoughtWh: 100, retailerBoughtWh: 300 },
    ]);
    // Price 20,000: the member sells 100 net; the other pays 100 x 20,000 + 300 x 30,000.
    expect([...settlement!.entries.memberUc]).toEqual([2_000_000n, -11_000_000n]);
  });

  test("without any trade has no price and no money", () => {
    const region: TestRegion = {
      meters: [{ member: 0, importWh: 200, exportWh: 200 }],
      minSell: [8_000],
      maxBuy: [30_000],
    };
    const [settlement] = settleUniformPrice([region]).settlements;
    expect(settlement!.bills.at(0)).toMatchObject({ communityBoughtWh: 200, amountUc: 0n });
    expect(settlement!.bills.at(0)!.buyPriceUcPerWh).toBe(0);
  });
});

describe("at the retailer's own price", () => {
  test("members go first", () => {
    // Both sell at feed-in; the buyer bids no more than that, so the retailer's bid ties with it.
    const region: TestRegion = {
      meters: [
        { member: 0, importWh: 0, exportWh: 900 },
        { member: 1, importWh: 300, exportWh: 0 },
      ],
      minSell: [8_000, 8_000],
      maxBuy: [30_000, 8_000],
    };
    const [settlement] = settleUniformPrice([region]).settlements;
    expect(settlement!.bills.at(1)).toMatchObject({
      communityBoughtWh: 300,
      amountUc: -2_400_000n,
    });
    expect(settlement!.bills.at(0)).toMatchObject({ communitySoldWh: 300, retailerSoldWh: 600 });
  });

  test("members go first on the other side too", () => {
    const region: TestRegion = {
      meters: [
        { member: 0, importWh: 0, exportWh: 300 },
        { member: 1, importWh: 0, exportWh: 300 },
        { member: 2, importWh: 500, exportWh: 0 },
      ],
      minSell: [30_000, 30_000, 8_000],
      maxBuy: [30_000, 30_000, 30_000],
    };
    const [settlement] = settleUniformPrice([region]).settlements;
    expect([...settlement!.bills]).toMatchObject([
      { communitySoldWh: 250, retailerSoldWh: 50 },
      { communitySoldWh: 250, retailerSoldWh: 50 },
      { communityBoughtWh: 500, retailerBoughtWh: 0, amountUc: -15_000_000n },
    ]);
    expect(institution(settlement!, "retailer")).toBe(-800_000n);
  });

  test("a retailer with one price trades with members, not with itself", () => {
    const one = { retailUcPerWh: 15_000, feedInUcPerWh: 15_000 };
    const { settlements } = settleUniformPrice([WORKED], [], one);
    expect(sumOfAccounts(settlements[0]!.entries)).toBe(0n);
    const { bills } = settlements[0]!;
    expect([...bills].map((bill) => bill.amountUc)).toEqual([
      12_000_000n,
      -7_500_000n,
      -9_000_000n,
    ]);
    expect(settlements[0]!.tradedWh).toBe(800);
  });
});

test("only grid meters are billed", () => {
  const region: TestRegion = {
    meters: [
      { member: -1, importWh: 9999, exportWh: 0, role: "feeder" },
      { member: 0, importWh: 0, exportWh: 400, role: "production" },
      { member: 0, importWh: 100, exportWh: 0 },
    ],
    minSell: [8_000],
    maxBuy: [30_000],
  };
  const settlement = settleMidMarket(region);
  expect(settlement.bills).toHaveLength(1);
  expect(settlement.bills.at(0)).toMatchObject({ meterIndex: 2, amountUc: -3_000_000n });
});

test("late energy settles with the retailer alone, on a bill that names its slot", () => {
  const late = [
    { slot: 990 as Slot, meterIndex: 0, importWh: 50, exportWh: 10, quality: 0 },
    { slot: 991 as Slot, meterIndex: 2, importWh: 0, exportWh: 20, quality: 1 },
  ];
  const [plain] = settleUniformPrice([WORKED]).settlements;
  const [settlement] = settleUniformPrice([{ ...WORKED, late }]).settlements;
  expect([...settlement!.bills].slice(0, 3)).toEqual([...plain!.bills]);
  expect([...settlement!.bills].slice(3)).toMatchObject([
    { kind: BILL_KIND.late, slot: 990, meterIndex: 0, retailerBoughtWh: 50, retailerSoldWh: 10 },
    { kind: BILL_KIND.late, slot: 991, meterIndex: 2, amountUc: 160_000n, quality: 1 },
  ]);
  expect(settlement!.bills.at(3)!.amountUc).toBe(-1_500_000n + 80_000n);
  expect(institution(settlement!, "retailer")).toBe(9_000_000n + 1_420_000n - 160_000n);
  expect(sumOfAccounts(settlement!.entries)).toBe(0n);
});

test("late energy of a meter that is not billed makes no bill", () => {
  const late = [{ slot: 990 as Slot, meterIndex: 0, importWh: 50, exportWh: 0, quality: 0 }];
  const meters = [{ member: 0, importWh: 0, exportWh: 0, role: "production" as const }];
  const settlement = settleMidMarket({ meters, minSell: [0], maxBuy: [0], late });
  expect([...settlement.bills]).toEqual([]);
});

const energy = fc.oneof(fc.constant(0), fc.nat(20), fc.nat(3000));
const limit = fc.oneof(
  fc.constantFrom(8_000, 30_000, 20_000),
  fc.integer({ min: -1_000, max: 40_000 }),
);
const region: fc.Arbitrary<TestRegion> = fc.integer({ min: 1, max: 5 }).chain((members) =>
  fc.record({
    meters: fc.array(
      fc.record({ member: fc.nat(members - 1), importWh: energy, exportWh: energy }),
      { maxLength: 8 },
    ),
    minSell: fc.array(limit, { minLength: members, maxLength: members }),
    maxBuy: fc.array(limit, { minLength: members, maxLength: members }),
  }),
);

/** What the member would pay or get with the retailer alone, each meter by itself. */
function aloneUc(of: TestRegion): bigint[] {
  return of.minSell.map((_, m) =>
    of.meters
      .filter((meter) => meter.member === m)
      .reduce(
        (uc, { importWh, exportWh }) =>
          uc +
          BigInt(RETAILER.feedInUcPerWh * exportWh) -
          BigInt(RETAILER.retailUcPerWh * importWh),
        0n,
      ),
  );
}

function expectConserved(settlement: Settlement, of: TestRegion) {
  expect(sumOfAccounts(settlement.entries)).toBe(0n);
  const metered = (key: "importWh" | "exportWh") =>
    of.meters.reduce((wh, meter) => wh + meter[key], 0);
  const billed = (pick: (bill: Bill) => number) =>
    [...settlement.bills].reduce((wh, bill) => wh + pick(bill), 0);
  expect(billed((bill) => bill.importWh)).toBe(metered("importWh"));
  expect(billed((bill) => bill.exportWh)).toBe(metered("exportWh"));
  expect(billed((bill) => bill.communitySoldWh)).toBe(billed((bill) => bill.communityBoughtWh));
}

test("mid-market rate: conserved, and nobody loses against the retailer alone", () => {
  fc.assert(
    fc.property(region, (of) => {
      const settlement = settleMidMarket(of);
      expectConserved(settlement, of);
      aloneUc(of).forEach((uc, m) => {
        expect(settlement.entries.memberUc[m]! >= uc).toBe(true);
      });
    }),
    { numRuns: 300 },
  );
});

const grid = fc.integer({ min: 1, max: 4 }).chain((count) =>
  fc.record({
    regions: fc.array(region, { minLength: count, maxLength: count }),
    lines: fc
      .array(
        fc.record({
          from: fc.nat(count - 1),
          to: fc.nat(count - 1),
          capacityWh: fc.oneof(fc.nat(50), fc.nat(5000)),
          feeUcPerWh: fc.constantFrom(0, 500, 3_000),
        }),
        { maxLength: 6 },
      )
      .map((lines) => lines.filter((line) => line.from !== line.to)),
  }),
);

test("uniform price over lines: conserved, and nobody loses whatever their limits", () => {
  fc.assert(
    fc.property(grid, ({ regions, lines }) => {
      const { settlements, coupling } = settleUniformPrice(regions, lines);
      let neighboursUc = 0n;
      settlements.forEach((settlement, r) => {
        expectConserved(settlement, regions[r]!);
        neighboursUc += institution(settlement, "neighbours");
        aloneUc(regions[r]!).forEach((uc, m) => {
          expect(settlement.entries.memberUc[m]! >= uc).toBe(true);
        });
        for (const bill of settlement.bills) {
          const inside =
            BigInt(bill.sellPriceUcPerWh) * BigInt(bill.communitySoldWh + bill.neighbourSoldWh) -
            BigInt(bill.buyPriceUcPerWh) * BigInt(bill.communityBoughtWh + bill.neighbourBoughtWh);
          const outside =
            BigInt(RETAILER.feedInUcPerWh * bill.retailerSoldWh) -
            BigInt(RETAILER.retailUcPerWh * bill.retailerBoughtWh);
          expect(bill.amountUc).toBe(inside + outside);
        }
      });
      expect(neighboursUc).toBe(0n);
      const total = (name: keyof typeof INSTITUTION) =>
        settlements.reduce((uc, settlement) => uc + institution(settlement, name), 0n);
      expect(total("gridOperator")).toBe(coupling.feesUc.reduce((a, b) => a + b, 0n));
      expect(total("treasury")).toBe(coupling.rentUc.reduce((a, b) => a + b, 0n));
    }),
    { numRuns: 400 },
  );
});
