/**
 * Method: a real slot of twelve members, half of whom traded forward, as the public, a member and
 * the sums see it; then a member's own open orders over the wire.
 */
import { expect, test } from "vitest";
import { publicCurve } from "../../../services/api/public-curve.ts";
import { slotDetail } from "../../../services/api/slot-views.ts";
import { energySummary } from "../../../services/api/summary.ts";
import { regionLayout, TotalsTable } from "../../../services/api/totals.ts";
import type { Slot } from "../../../services/primitives/units.ts";
import type { MyOrders } from "../../../services/wire/api.ts";
import type { SlotRecord } from "../../../services/wire/slot-record.ts";
import { createChainFixture } from "../../support/chain-fixture.ts";
import { createMarketFixture } from "../../support/market-fixture.ts";
import { startForward } from "../chain/forward-chain.ts";
import { bearer, createHarness } from "./harness.ts";

const MEMBERS = 12;
const fixture = createMarketFixture({
  label: "forward api",
  regions: [{ id: "street", mechanism: "uniform-price", limits: Array(MEMBERS).fill(undefined) }],
  forward: { shortUcPerWh: 45_000, longUcPerWh: 3_000 },
});
const { genesis } = fixture;
const layout = regionLayout(genesis, 0);

/**
 * The first `pairs` even members sell 100 Wh at 10,000 or more, the odd ones beside them buy at
 * 20,000 or less: all trade at 15,000. Member 0 exports 60, member 1 imports 130, the others what
 * they traded; who traded nothing imports 50.
 */
function settled(pairs: number): SlotRecord {
  const { place, block, gateS } = startForward(fixture);
  const orders = Array.from({ length: 2 * pairs }, (_, memberIndex) => {
    const terms = { regionIndex: 0, memberIndex, energyWh: 100 };
    return memberIndex % 2 === 0
      ? place({ ...terms, side: "ask", limitUcPerWh: 10_000 })
      : place({ ...terms, side: "bid", limitUcPerWh: 20_000 });
  });
  block(gateS(3) - 1, ...orders);
  const none: number[] = Array(MEMBERS).fill(0);
  const report = (slotIndex: number, importWh: number[], exportWh: number[]) =>
    fixture.reportTransaction({ regionIndex: 0, slotIndex, importWh, exportWh });
  const importWh = none.map((_, m): number => (m >= 2 * pairs ? 50 : m % 2 === 1 ? 100 : 0));
  const exportWh = none.map((_, m): number => (m < 2 * pairs && m % 2 === 0 ? 100 : 0));
  exportWh[0] = 60;
  importWh[1] = 130;
  const idle = [0, 1, 2].map((s) => report(s, none, none));
  return block(fixture.slotEndS(3), ...idle, report(3, importWh, exportWh)).at(-1)!;
}

const detail = (record: SlotRecord, memberIndex: number | null) =>
  slotDetail({ record, genesis, layout, memberIndex });

test("the auction's price is public, its energy from five meters on", () => {
  expect(detail(settled(5), null).forward).toEqual({ priceUcPerWh: 15_000, tradedWh: 500 });
  expect(detail(settled(4), null).forward).toEqual({ priceUcPerWh: 15_000, tradedWh: null });
  expect(detail(settled(0), null).forward).toBeNull();
});

test("the public curve shows what delivery left, and a member why it went as it did", () => {
  const record = settled(3);
  // To buy: 40 undelivered of member 0, 30 more of member 1, and six members' 50.
  const { demand, supply } = publicCurve(record, layout);
  expect(supply).toEqual([]);
  expect(demand).toEqual([{ priceUcPerWh: 30_000, energyWh: 370, meters: 8 }]);
  expect(detail(record, 0).own).toMatchObject({ exportWh: 60, why: "unmatched" });
  expect(detail(record, 2).own).toMatchObject({ exportWh: 100, why: "nothing" });
});

test("sums: what was earned and paid comes to the bills, forward and imbalance apart", () => {
  const record = settled(3);
  const table = new TotalsTable(layout);
  table.add(record);
  const summary = (memberIndex: number | null) =>
    energySummary({
      ...{ window: "all", totals: table.row(memberIndex), production: "none", slotS: 900 },
    });
  expect(summary(0)).toMatchObject({
    exportWh: 60,
    forwardSoldWh: 100,
    imbalanceBoughtWh: 40,
    retailerBoughtWh: 0,
    earnedUc: "1500000",
    paidUc: "1800000", // 40 x 45,000
    amountUc: "-300000",
  });
  expect(summary(1)).toMatchObject({
    forwardBoughtWh: 100,
    retailerBoughtWh: 30,
    paidUc: "2400000", // 100 x 15,000 + 30 x 30,000
  });
  // 100 of 130 Wh came from the community, before delivery.
  expect(summary(1).ratios.selfSufficiencyCommunity).toBeCloseTo(100 / 130, 12);
  const total = [...record.bills].reduce((uc, bill) => uc + bill.amountUc, 0n);
  expect(summary(null).amountUc).toBe(total.toString());
});

test("a member sees their own orders and positions, and nobody else's", async () => {
  const chain = createChainFixture();
  const slot = (chain.firstSlot + 9) as Slot;
  const order = { slot, side: 1 as const, limitUcPerWh: 12_000, energyWh: 300 };
  const position = { slot, boughtWh: 40, soldWh: 0, priceUcPerWh: -5 };
  const lane: typeof chain.lane = (regionIndex) => ({
    ...chain.lane(regionIndex),
    forwardOrders: [0, 1].map((memberIndex) => ({ id: 7 + memberIndex, memberIndex, ...order })),
    forwardPositions: [0, 1].map((memberIndex) => ({ memberIndex, ...position })),
  });
  const harness = await createHarness({ chain: { ...chain, lane } });
  const own = await harness.json<MyOrders>(
    "/api/v1/me/orders",
    bearer(await harness.signIn("meadow", 1)),
  );
  expect(own).toEqual({
    firstOpenSlot: chain.firstSlot + 2,
    gateClosureS: 900,
    horizonS: 86_400,
    orders: [
      {
        orderId: 8,
        slot,
        startS: 900 * slot,
        gateClosesS: 900 * slot - 900,
        side: "ask",
        limitUcPerWh: 12_000,
        energyWh: 300,
      },
    ],
    positions: [{ slot, startS: 900 * slot, boughtWh: 40, soldWh: 0, priceUcPerWh: -5 }],
  });
  await harness.json("/api/v1/me/orders", { status: 401 });
  await harness.json("/api/v1/accounts/0x12/nonce", { status: 400 });
});
