/**
 * Method: one slot of two regions worked by hand, from orders to balances; each rule of the gate by
 * a worked sequence; then random grids with random orders against conservation, exact delivery, and
 * the law that it does not matter how transactions are spread over blocks.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createApplication } from "../../../services/chain/application.ts";
import { forwardKey } from "../../../services/chain/store-keys.ts";
import { toHex } from "../../../services/primitives/bytes.ts";
import { createPrng, type Prng } from "../../../services/primitives/prng.ts";
import { type Bill, boughtAtDeliveryWh, soldAtDeliveryWh } from "../../../services/wire/bill.ts";
import { encodePlaceOrder } from "../../../services/wire/forward-order.ts";
import { transactionCodeName } from "../../../services/wire/refusals.ts";
import {
  decodeSlotRecord,
  encodeSlotRecord,
  type SlotRecord,
} from "../../../services/wire/slot-record.ts";
import { createMarketFixture, type MarketFixture } from "../../support/market-fixture.ts";
import { startForward, type TestOrder } from "./forward-chain.ts";

const LAW = { shortUcPerWh: 45_000, longUcPerWh: 3_000 };

/**
 * East: A, B. West: C, D. The line east-west carries 400 Wh at a fee of 1,000; its way back has no
 * capacity of its own. Retail 30,000, feed-in 8,000, short 45,000, long 3,000.
 *
 * Forward: A asks 10,000 for 1,000 Wh and bids 12,000 for 100 Wh: crossed with themselves, 900 Wh
 * remain. B bids 20,000 for 300, C 25,000 for 600. The line fills: C gets 400, B 300, A sells 700.
 * A's ask stays partly open, so east's price is 10,000; C's bid does, so west's is 25,000; the line
 * earns 25,000 - 10,000 - 1,000 = 14,000 x 400 = 5,600,000 of rent and 400,000 of fees.
 *
 * Delivery: A exports 550: 150 missing, to buy at up to 28,000. B imports 280: 20 left, to sell at
 * 29,000 or more. C imports 300: 100 left, to sell at 9,000 or more. D, who traded nothing forward,
 * imports 30 and bids 30,000. The line east-west is full; its way back has 0 + 400 freed.
 * C sells 30 to D and 70 over the line to A, whose bid stays partly open: east 28,000, west 27,000.
 * A finds 70 of the 150: 80 are short, at 45,000. B's 20 are too dear: long, at 3,000.
 */
describe("one slot by hand", () => {
  const fixture = createMarketFixture({
    label: "golden forward",
    regions: [
      {
        id: "east",
        mechanism: "uniform-price",
        limits: [
          { minSellUcPerWh: 8_000, maxBuyUcPerWh: 28_000 },
          { minSellUcPerWh: 29_000, maxBuyUcPerWh: 30_000 },
        ],
      },
      {
        id: "west",
        mechanism: "uniform-price",
        limits: [{ minSellUcPerWh: 9_000, maxBuyUcPerWh: 30_000 }, undefined],
      },
    ],
    lines: [
      { from: "east", to: "west", capacityWh: 400, feeUcPerWh: 1_000 },
      { from: "west", to: "east", capacityWh: 0, feeUcPerWh: 1_000 },
    ],
    forward: LAW,
  });
  const chain = startForward(fixture);
  const { app, place, block, gateS } = chain;
  const [a, b, c] = [
    { regionIndex: 0, memberIndex: 0 },
    { regionIndex: 0, memberIndex: 1 },
    { regionIndex: 1, memberIndex: 0 },
  ];
  block(
    gateS(3) - 1,
    place({ ...a, side: "ask", limitUcPerWh: 10_000, energyWh: 1_000 }),
    place({ ...a, side: "bid", limitUcPerWh: 12_000, energyWh: 100 }),
    place({ ...b, side: "bid", limitUcPerWh: 20_000, energyWh: 300 }),
    place({ ...c, side: "bid", limitUcPerWh: 25_000, energyWh: 600 }),
  );
  const open = app.lane(0).forwardOrders;
  block(gateS(3));
  const positions = [0, 1].map((r) => app.lane(r).forwardPositions);
  const paidAtGate = [0, 1].flatMap((r) => app.lane(r).memberBalanceUc);
  const report = (regionIndex: number, slotIndex: number, importWh: number[], exportWh: number[]) =>
    fixture.reportTransaction({ regionIndex, slotIndex, importWh, exportWh });
  for (const s of [0, 1, 2]) {
    block(fixture.slotEndS(2), report(0, s, [0, 0], [0, 0]), report(1, s, [0, 0], [0, 0]));
  }
  const records = block(
    fixture.slotEndS(3),
    report(0, 3, [0, 280], [550, 0]),
    report(1, 3, [300, 30], [0, 0]),
  );
  const [east, west] = records as [SlotRecord, SlotRecord];

  test("orders wait, then become positions; nothing is paid at the gate", () => {
    expect(open.map(({ id, side, energyWh }) => [id, side, energyWh])).toEqual([
      [1, 1, 1_000],
      [2, 0, 100],
      [3, 0, 300],
    ]);
    const slot = fixture.slotAtIndex(3);
    expect(positions).toEqual([
      [
        { slot, memberIndex: 0, boughtWh: 0, soldWh: 700, priceUcPerWh: 10_000 },
        { slot, memberIndex: 1, boughtWh: 300, soldWh: 0, priceUcPerWh: 10_000 },
      ],
      [{ slot, memberIndex: 0, boughtWh: 400, soldWh: 0, priceUcPerWh: 25_000 }],
    ]);
    expect(paidAtGate).toEqual([0n, 0n, 0n, 0n]);
  });

  test("the records carry the auction", () => {
    const flows = [{ lineIndex: 0, energyWh: 400, rentUc: 5_600_000n }];
    expect(east.forward).toEqual({ priceUcPerWh: 10_000, boughtWh: 300, soldWh: 700, flows });
    expect(west.forward).toEqual({ priceUcPerWh: 25_000, boughtWh: 400, soldWh: 0, flows });
    expect(east.flows.map(({ energyWh }) => energyWh)).toEqual([0, 70]);
    expect([east.priceUcPerWh, west.priceUcPerWh]).toEqual([28_000, 27_000]);
    for (const record of records) {
      expect(decodeSlotRecord(encodeSlotRecord(record))).toEqual(record);
    }
  });

  test("bills", () => {
    expect([...east.bills]).toMatchObject([
      {
        forwardSoldWh: 700,
        forwardPriceUcPerWh: 10_000,
        neighbourBoughtWh: 70,
        imbalanceBoughtWh: 80,
        retailerBoughtWh: 0,
        amountUc: 7_000_000n - 1_960_000n - 3_600_000n,
      },
      {
        forwardBoughtWh: 300,
        imbalanceSoldWh: 20,
        retailerSoldWh: 0,
        amountUc: -3_000_000n + 60_000n,
      },
    ]);
    expect([...west.bills]).toMatchObject([
      {
        forwardBoughtWh: 400,
        forwardPriceUcPerWh: 25_000,
        communitySoldWh: 30,
        neighbourSoldWh: 70,
        imbalanceSoldWh: 0,
        amountUc: -10_000_000n + 2_700_000n,
      },
      { forwardBoughtWh: 0, forwardPriceUcPerWh: 0, communityBoughtWh: 30, amountUc: -810_000n },
    ]);
  });

  test("accounts", () => {
    expect(app.lane(0).memberBalanceUc).toEqual([1_440_000n, -2_940_000n]);
    expect(app.lane(1).memberBalanceUc).toEqual([-7_300_000n, -810_000n]);
    // 80 x 45,000 - 20 x 3,000
    expect(app.lane(0).retailerBalanceUc).toBe(3_540_000n);
    // -400 x 10,000 forward; 70 x 28,000 - 70 x 1,000 after delivery
    expect(app.lane(0).neighboursBalanceUc).toBe(-2_110_000n);
    expect(app.lane(1).neighboursBalanceUc).toBe(2_110_000n);
    expect([0, 1].map((r) => app.lane(r).gridOperatorBalanceUc)).toEqual([70_000n, 400_000n]);
    expect([0, 1].map((r) => app.lane(r).treasuryBalanceUc)).toEqual([0n, 5_600_000n]);
    expect(east.retailerBoughtWh).toBe(80);
    expect(east.retailerSoldWh).toBe(20);
  });

  test("what has settled is gone", () => {
    for (const r of [0, 1]) {
      expect(app.lane(r).forwardOrders).toEqual([]);
      expect(app.lane(r).forwardPositions).toEqual([]);
    }
  });
});

const pair = createMarketFixture({
  label: "forward pair",
  regions: [{ id: "east", mechanism: "uniform-price", limits: [undefined, undefined] }],
  forward: LAW,
});
const ask: TestOrder = {
  regionIndex: 0,
  memberIndex: 0,
  side: "ask",
  limitUcPerWh: 10_000,
  energyWh: 500,
};
const bid: TestOrder = { ...ask, memberIndex: 1, side: "bid", limitUcPerWh: 20_000 };
const named = (codes: readonly number[]) => codes.map(transactionCodeName);

describe("the gate", () => {
  test("an order in the block that closes the gate is too late, one second before is not", () => {
    const { app, place, codes, gateS } = startForward(pair);
    expect(named(codes(gateS(3) - 1, place(ask)))).toEqual(["ok"]);
    expect(named(codes(gateS(3), place(bid)))).toEqual(["gate_closed"]);
    expect(app.lane(0).forwardOrders).toEqual([]);
    expect(app.lane(0).forwardPositions).toEqual([]);
    // The mempool knows it too: bid's nonce was not used up.
    const slot = pair.slotAtIndex(3);
    const data = encodePlaceOrder({ slot, side: 0, limitUcPerWh: 1, energyWh: 1 });
    const { code } = app.checkTx(pair.callTransaction({ ...bid, nonce: 0, data }));
    expect(named([code])).toEqual(["gate_closed"]);
  });

  test("a cancelled order does not trade; who has none cannot cancel", () => {
    const { app, place, cancel, codes, gateS } = startForward(pair);
    const first = codes(
      gateS(3) - 9,
      place(ask),
      place(bid),
      place({ ...bid, limitUcPerWh: 15_000, energyWh: 100 }),
      cancel({ ...bid, orderId: 2 }),
    );
    expect(named(first)).toEqual(["ok", "ok", "ok", "ok"]);
    expect(named(codes(gateS(3) - 8, cancel({ ...ask, orderId: 3 })))).toEqual(["order_unknown"]);
    codes(gateS(3));
    const [seller, buyer] = app.lane(0).forwardPositions;
    expect(seller).toMatchObject({ memberIndex: 0, soldWh: 100, boughtWh: 0 });
    expect(buyer).toMatchObject({ memberIndex: 1, soldWh: 0, boughtWh: 100 });
    // A's ask stays partly open.
    expect(buyer!.priceUcPerWh).toBe(10_000);
  });

  test("after the gate an order is bound", () => {
    const { place, cancel, codes, gateS } = startForward(pair);
    codes(gateS(3) - 1, place(ask));
    expect(named(codes(gateS(3), cancel({ ...ask, orderId: 1 })))).toEqual(["gate_closed"]);
  });

  test("an empty block holds a due auction; one before it changes no root", () => {
    const { app, place, block, gateS } = startForward(pair);
    block(gateS(3) - 2, place(ask), place(bid));
    const before = toHex(app.head().appHash);
    block(gateS(3) - 1);
    expect(toHex(app.head().appHash)).toBe(before);
    block(gateS(3));
    const after = toHex(app.head().appHash);
    expect(after).not.toBe(before);
    block(gateS(4));
    expect(toHex(app.head().appHash)).toBe(after);
    expect(app.lane(0).forwardPositions).toHaveLength(2);
    // Both are filled in full: the middle of 10,000 and 20,000.
    expect(app.lane(0).forwardPositions[0]!.priceUcPerWh).toBe(15_000);
  });

  test("several due slots clear at once, each by itself", () => {
    const { app, place, block, gateS } = startForward(pair);
    const orders = [3, 4, 5].flatMap((slotIndex) => [
      place({ ...ask, slotIndex, energyWh: 100 * slotIndex }),
      place({ ...bid, slotIndex }),
    ]);
    block(gateS(3) - 1, ...orders);
    block(gateS(5) - 1);
    expect(app.lane(0).forwardPositions.map(({ slot, soldWh }) => [slot, soldWh])).toEqual([
      [pair.slotAtIndex(3), 300],
      [pair.slotAtIndex(3), 0],
      [pair.slotAtIndex(4), 400],
      [pair.slotAtIndex(4), 0],
    ]);
    expect(app.lane(0).forwardOrders).toHaveLength(2);
  });

  test("a member alone on both sides trades nothing and leaves nothing", () => {
    const { app, place, block, gateS } = startForward(pair);
    block(gateS(3) - 1, place(ask), place({ ...ask, side: "bid", limitUcPerWh: 12_000 }));
    block(gateS(3));
    expect(app.lane(0).forwardOrders).toEqual([]);
    expect(app.lane(0).forwardPositions).toEqual([]);
  });
});

test("orders and positions survive a restart", () => {
  const { app, place, block, gateS, stored } = startForward(pair);
  const check = () => {
    const again = createApplication({ genesis: pair.genesis, stored: new Map(stored) });
    expect(again.info()).toEqual(app.info());
    expect(again.lane(0)).toEqual(app.lane(0));
  };
  block(gateS(3) - 2, place(ask), place(bid), place({ ...bid, slotIndex: 4 }));
  check();
  block(gateS(3));
  check();
  const damaged = new Map(stored);
  damaged.delete(forwardKey(0));
  expect(() => createApplication({ genesis: pair.genesis, stored: damaged })).toThrow(/match/);
});

type Grid = { readonly fixture: MarketFixture; readonly orders: readonly TestOrder[] };

/** Grids of one to four regions of either rule, made once: their keys cost more than the runs. */
const GRIDS = [1, 2, 3, 4].map((regions) => {
  const prng = createPrng(`forward grid ${regions}`);
  const names = ["east", "west", "north", "south"].slice(0, regions);
  const price = (from: number, to: number) => from + prng.below(to - from);
  return createMarketFixture({
    label: `forward grid ${regions}`,
    regions: names.map((id, r) => ({
      id,
      mechanism: r === 1 ? ("mid-market-rate" as const) : ("uniform-price" as const),
      limits: Array.from({ length: 3 }, () => ({
        minSellUcPerWh: price(6_000, 20_000),
        maxBuyUcPerWh: price(15_000, 33_000),
      })),
      meters: [
        { role: "grid" as const, memberIndex: 0 },
        { role: "feeder" as const, memberIndex: null },
        { role: "grid" as const, memberIndex: 1 },
        { role: "grid" as const, memberIndex: 2 },
        { role: "grid" as const, memberIndex: 1 },
      ],
    })),
    lines: names.flatMap((from) =>
      names
        .filter((to) => to !== from && prng.below(4) > 0)
        .map((to) => ({ from, to, capacityWh: prng.below(900), feeUcPerWh: prng.below(2_000) })),
    ),
    forward: LAW,
  });
});

const anyGrid = fc.record({ grid: fc.nat(GRIDS.length - 1), seed: fc.nat(2 ** 30) });

function drawGrid({ grid, seed }: { grid: number; seed: number }, prng: Prng): Grid {
  const fixture = GRIDS[grid]!;
  const orders = Array.from({ length: 4 + prng.below(14) }, (): TestOrder => {
    const side = prng.below(2) === 0 ? "bid" : "ask";
    // Few prices, so that margins and ties are common.
    const limitUcPerWh = 1_000 * (side === "bid" ? 8 + prng.below(20) : 5 + prng.below(17));
    return {
      regionIndex: prng.below(fixture.genesis.regions.length),
      memberIndex: prng.below(3),
      side,
      limitUcPerWh: seed % 5 === 0 ? limitUcPerWh - 20_000 : limitUcPerWh,
      energyWh: 1 + prng.below(700),
    };
  });
  return { fixture, orders };
}

function checkBill(bill: Bill, record: SlotRecord): void {
  const boughtWh = boughtAtDeliveryWh(bill) + bill.forwardBoughtWh;
  const soldWh = soldAtDeliveryWh(bill) + bill.forwardSoldWh;
  expect(bill.exportWh + boughtWh).toBe(bill.importWh + soldWh);
  if (bill.forwardBoughtWh + bill.forwardSoldWh === 0) {
    expect([bill.imbalanceBoughtWh, bill.imbalanceSoldWh]).toEqual([0, 0]);
    expect(boughtWh).toBe(bill.importWh);
  } else {
    expect(bill.forwardPriceUcPerWh).toBe(record.forward!.priceUcPerWh);
  }
}

function checkRecord(record: SlotRecord, fixture: MarketFixture): void {
  const sum = (field: "amountUc") => [...record.bills].reduce((uc, bill) => uc + bill[field], 0n);
  const institutionsUc =
    record.retailerUc + record.neighboursUc + record.gridOperatorUc + record.treasuryUc;
  expect(sum("amountUc") + institutionsUc).toBe(0n);
  for (const bill of record.bills) checkBill(bill, record);
  if (record.forward === null) return;
  const { id } = fixture.genesis.regions[record.regionIndex]!;
  const { boughtWh, soldWh, flows } = record.forward;
  let inWh = 0;
  for (const { lineIndex, energyWh } of flows) {
    const line = fixture.genesis.lines[lineIndex]!;
    expect(energyWh).toBeLessThanOrEqual(line.capacityWh);
    inWh += line.to === id ? energyWh : -energyWh;
  }
  expect(soldWh + inWh).toBe(boughtWh);
  expect([...record.bills].reduce((wh, bill) => wh + bill.forwardSoldWh, 0)).toBe(soldWh);
  expect([...record.bills].reduce((wh, bill) => wh + bill.forwardBoughtWh, 0)).toBe(boughtWh);
}

/** What a line carries forward and after delivery, net of its twin, stays within its capacity. */
function checkLines(records: readonly SlotRecord[], fixture: MarketFixture): void {
  const { lines } = fixture.genesis;
  const carriedWh = new Float64Array(lines.length);
  for (const record of records) {
    const { id } = fixture.genesis.regions[record.regionIndex]!;
    for (const { lineIndex, energyWh } of [...record.flows, ...(record.forward?.flows ?? [])]) {
      if (lines[lineIndex]!.to === id) carriedWh[lineIndex]! += energyWh;
    }
  }
  lines.forEach(({ from, to, capacityWh }, l) => {
    const twin = lines.findIndex((line) => line.from === to && line.to === from);
    const backWh = twin < 0 ? 0 : carriedWh[twin]!;
    expect(carriedWh[l]! - backWh).toBeLessThanOrEqual(capacityWh);
  });
}

/** Reports of the slot; the members of `exact` deliver and take just what they traded. */
function reportsOf(grid: Grid, app: ReturnType<typeof startForward>["app"], prng: Prng) {
  const exact: { regionIndex: number; memberIndex: number }[] = [];
  const reports = grid.fixture.genesis.regions.map((region, regionIndex) => {
    const { forwardPositions } = app.lane(regionIndex);
    const importWh: number[] = [];
    const exportWh: number[] = [];
    const met = region.members.map(() => prng.below(3) === 0);
    region.meters.forEach(({ memberIndex }, m) => {
      const position = forwardPositions.find((held) => held.memberIndex === memberIndex);
      const isFirst = region.meters.findIndex((meter) => meter.memberIndex === memberIndex) === m;
      const isExact = memberIndex !== null && met[memberIndex] && position !== undefined;
      if (isExact && isFirst) exact.push({ regionIndex, memberIndex });
      const energy = () => (prng.below(3) === 0 ? 0 : prng.below(900));
      importWh.push(isExact ? (isFirst ? position.boughtWh : 0) : energy());
      exportWh.push(isExact ? (isFirst ? position.soldWh : 0) : energy());
    });
    return { regionIndex, importWh, exportWh };
  });
  return { reports, exact };
}

test("random grids: energy, money and lines conserve; exact delivery costs nothing more", () => {
  let traded = 0;
  let flowed = 0;
  fc.assert(
    fc.property(anyGrid, (drawn) => {
      const prng = createPrng(`run ${drawn.seed}`);
      const grid = drawGrid(drawn, prng);
      const { fixture, orders } = grid;
      const { app, place, block, gateS } = startForward(fixture);
      block(gateS(3) - 1, ...orders.map(place));
      block(gateS(3));
      const { reports, exact } = reportsOf(grid, app, prng);
      const idle = (slotIndex: number) =>
        reports.map(({ regionIndex, importWh }) => {
          const none = importWh.map(() => 0);
          const at = { regionIndex, slotIndex };
          return fixture.reportTransaction({ ...at, importWh: none, exportWh: none });
        });
      const due = reports.map((report) => fixture.reportTransaction({ ...report, slotIndex: 3 }));
      const records = block(fixture.slotEndS(3), ...[0, 1, 2].flatMap(idle), ...due).slice(
        -reports.length,
      );
      for (const record of records) checkRecord(record, fixture);
      checkLines(records, fixture);
      expect(records.reduce((uc, record) => uc + record.neighboursUc, 0n)).toBe(0n);
      for (const { regionIndex, memberIndex } of exact) {
        for (const { bill } of records[regionIndex]!.bills.ofMember(memberIndex)) {
          expect(boughtAtDeliveryWh(bill) + soldAtDeliveryWh(bill)).toBe(0);
          const wh = BigInt(bill.forwardSoldWh - bill.forwardBoughtWh);
          expect(bill.amountUc).toBe(wh * BigInt(bill.forwardPriceUcPerWh));
        }
      }
      for (const r of reports.keys()) expect(app.lane(r).forwardPositions).toEqual([]);
      traded += records.filter(({ forward }) => (forward?.soldWh ?? 0) > 0).length;
      flowed += records.filter(({ forward }) => (forward?.flows.length ?? 0) > 0).length;
    }),
    { numRuns: 60 },
  );
  expect(traded).toBeGreaterThan(20);
  expect(flowed).toBeGreaterThan(10);
});

test("how orders are spread over blocks before the gate does not matter", () => {
  fc.assert(
    fc.property(anyGrid, fc.array(fc.nat(20), { maxLength: 6 }), (drawn, cuts) => {
      const grid = drawGrid(drawn, createPrng(`run ${drawn.seed}`));
      const run = (at: readonly number[]) => {
        const { app, place, cancel, block, gateS } = startForward(grid.fixture);
        const [first] = grid.orders;
        const ids = grid.fixture.genesis.regions.map(() => 0);
        const sequence = grid.orders.map(place);
        ids[first!.regionIndex] = 1;
        sequence.push(cancel({ ...first!, orderId: ids[first!.regionIndex]! }));
        const bounds = [...new Set([0, ...at, sequence.length])]
          .filter((cut) => cut <= sequence.length)
          .sort((p, q) => p - q);
        for (let i = 1; i < bounds.length; i++) {
          block(gateS(3) - 20 + i, ...sequence.slice(bounds[i - 1], bounds[i]));
        }
        const open = toHex(app.head().appHash);
        block(gateS(3));
        return [open, toHex(app.head().appHash)];
      };
      expect(run(cuts)).toEqual(run([]));
    }),
    { numRuns: 25 },
  );
});
