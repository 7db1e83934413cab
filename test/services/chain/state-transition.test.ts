/**
 * Method: worked sequences for each rule of time and order (limits, late regions, late energy,
 * lines between lanes), then the law that it does not matter how transactions are spread over
 * blocks.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createApplication, type MarketApplication } from "../../../services/chain/application.ts";
import { fromHex, toHex } from "../../../services/primitives/bytes.ts";
import { createPrng } from "../../../services/primitives/prng.ts";
import type { UnixSeconds } from "../../../services/primitives/units.ts";
import type { SlotRecord } from "../../../services/wire/slot-record.ts";
import { createMarketFixture, type MarketFixture } from "../../support/market-fixture.ts";
import { randomReport, threeRegions } from "./workload.ts";

type Chain = {
  readonly app: MarketApplication;
  /** One block; all transactions must execute. */
  block(timeS: UnixSeconds, ...transactions: Uint8Array[]): readonly SlotRecord[];
};

function start(fixture: MarketFixture): Chain {
  const app = createApplication({ genesis: fixture.genesis, stored: new Map() });
  app.initChain();
  return {
    app,
    block(timeS, ...transactions) {
      const height = app.head().height + 1;
      const { results, slotRecords } = app.finalizeBlock({ height, timeS, transactions });
      expect(results.map(({ code, info }) => `${code}${info}`)).toEqual(
        transactions.map(() => "0"),
      );
      app.commit();
      return slotRecords;
    },
  };
}

describe("limits", () => {
  const fixture = createMarketFixture({
    label: "limits",
    regions: [{ id: "east", mechanism: "uniform-price", limits: [undefined, undefined] }],
  });
  const limits = { minSellUcPerWh: 15_000, maxBuyUcPerWh: 16_000 };
  const change = (nonce: number) =>
    fixture.limitsTransaction({ regionIndex: 0, memberIndex: 1, nonce, limits });
  const report = (slotIndex: number) =>
    fixture.reportTransaction({
      regionIndex: 0,
      slotIndex,
      importWh: [0, 400],
      exportWh: [400, 0],
    });
  const during = (slotIndex: number) => (fixture.slotEndS(slotIndex) - 450) as UnixSeconds;

  test("take effect at the slot after the block's time, never inside one", () => {
    const { app, block } = start(fixture);
    block(during(1), change(0));
    expect(app.lane(0).pendingLimits[1]).toEqual({ fromSlot: fixture.slotAtIndex(2), limits });
    expect(app.lane(0).limits[1]).toEqual({ minSellUcPerWh: 8_000, maxBuyUcPerWh: 30_000 });
    const records = block(fixture.slotEndS(2), report(0), report(1), report(2));
    expect(records.map((record) => record.maxBuyUcPerWh[1])).toEqual([30_000, 30_000, 16_000]);
    expect(records.map((record) => record.minSellUcPerWh[1])).toEqual([8_000, 8_000, 15_000]);
    expect(app.lane(0).limits[1]).toEqual(limits);
    expect(app.lane(0).pendingLimits).toEqual([null, null]);
  });

  test("a change at a slot's first second waits for the next slot", () => {
    const { block } = start(fixture);
    block(fixture.slotEndS(0), change(0)); // slot 1 starts here
    const records = block(fixture.slotEndS(2), report(0), report(1), report(2));
    expect(records.map((record) => record.maxBuyUcPerWh[1])).toEqual([30_000, 30_000, 16_000]);
  });

  test("a slot's record keeps the limits that it cleared with", () => {
    const { block } = start(fixture);
    block(fixture.slotEndS(0), change(0));
    const [record] = block(fixture.slotEndS(1), report(0), report(1));
    block(fixture.slotEndS(2), report(2));
    expect([...record!.minSellUcPerWh]).toEqual([8_000, 8_000]);
    expect([...record!.maxBuyUcPerWh]).toEqual([30_000, 30_000]);
  });

  test("each member's nonce rises alone, and only by what is committed", () => {
    const { app, block } = start(fixture);
    const of = (memberIndex: number) =>
      app.nonce(fromHex(fixture.genesis.regions[0]!.members[memberIndex]!.address));
    const other = fixture.limitsTransaction({ regionIndex: 0, memberIndex: 0, nonce: 0, limits });
    app.finalizeBlock({ height: 1, timeS: during(0), transactions: [change(0), other] });
    expect([of(0), of(1)]).toEqual([0, 0]);
    block(during(0), change(0));
    expect([of(0), of(1)]).toEqual([0, 1]);
    block(during(0), other);
    expect([of(0), of(1)]).toEqual([1, 1]);
  });

  test("a change before genesis time holds from the first slot", () => {
    const { block } = start(fixture);
    block((fixture.genesis.genesisTimeS - 5) as UnixSeconds, change(0));
    const [record] = block(fixture.slotEndS(0), report(0));
    expect(record!.maxBuyUcPerWh[1]).toBe(16_000);
  });

  test("the next change is taken once the first is in force", () => {
    const { app, block } = start(fixture);
    block(during(0), change(0));
    expect(app.nonce(new Uint8Array(20))).toBe(0);
    expect(app.checkTx(change(1)).code).toBe(11);
    block(fixture.slotEndS(1), report(0), report(1));
    expect(app.checkTx(change(1)).code).toBe(0);
    expect(app.checkTx(change(0)).code).toBe(6);
  });
});

describe("due slots", () => {
  const fixture = threeRegions();
  const prng = createPrng("due");
  const report = (regionIndex: number, slotIndex: number) =>
    randomReport(fixture, prng, { regionIndex, slotIndex });

  test("clear when the last region reports, several at once, in order of slot and region", () => {
    const { app, block } = start(fixture);
    expect(block(fixture.slotEndS(0), report(0, 0), report(1, 0))).toEqual([]);
    expect(app.head().clearedSlots).toBe(0);
    expect(app.head().lastClearedSlot).toBeNull();
    expect(app.lane(0).reportedSlot).toBe(fixture.slotAtIndex(0));
    expect(app.lane(2).reportedSlot).toBeNull();
    expect(block(fixture.slotEndS(1), report(0, 1), report(1, 1))).toEqual([]);
    const records = block(fixture.slotEndS(1), report(2, 0), report(2, 1));
    expect(records.map(({ slot, regionIndex, height }) => [slot, regionIndex, height])).toEqual(
      [0, 1].flatMap((i) => [0, 1, 2].map((r) => [fixture.slotAtIndex(i), r, 3])),
    );
    expect(app.head().clearedSlots).toBe(2);
    expect(app.head().lastClearedSlot).toBe(fixture.slotAtIndex(1));
  });

  test("balances are the sums of the bills; regions owe each other nothing in sum", () => {
    const { app, block } = start(fixture);
    const records: SlotRecord[] = [];
    for (let s = 0; s < 5; s++) {
      records.push(...block(fixture.slotEndS(s), ...[0, 1, 2].map((r) => report(r, s))));
    }
    const lanes = [0, 1, 2].map((r) => app.lane(r));
    lanes.forEach((lane, r) => {
      const own = records.filter((record) => record.regionIndex === r);
      const bills = own.flatMap((record) => [...record.bills]);
      lane.memberBalanceUc.forEach((uc, m) => {
        const billed = bills.filter((bill) => bill.memberIndex === m);
        expect(uc).toBe(billed.reduce((sum, bill) => sum + bill.amountUc, 0n));
      });
      const sum = (key: "retailerUc" | "neighboursUc" | "gridOperatorUc" | "treasuryUc") =>
        own.reduce((total, record) => total + record[key], 0n);
      expect(lane.retailerBalanceUc).toBe(sum("retailerUc"));
      expect(lane.neighboursBalanceUc).toBe(sum("neighboursUc"));
      expect(lane.gridOperatorBalanceUc).toBe(sum("gridOperatorUc"));
      expect(lane.treasuryBalanceUc).toBe(sum("treasuryUc"));
      lane.settledImportWh.forEach((wh, meter) => {
        expect(wh).toBe(own.reduce((total, record) => total + record.importWh[meter]!, 0));
      });
    });
    const owed = lanes.reduce((total, lane) => total + lane.neighboursBalanceUc, 0n);
    expect(owed).toBe(0n);
    expect(records.some((record) => record.inflowWh > 0)).toBe(true);
    for (const { flows, regionIndex } of records) {
      expect(flows.map((flow) => flow.lineIndex)).toEqual([[0, 1, 2], [0, 1], [2]][regionIndex]);
    }
  });
});

test("late energy is settled once, with the slot whose report carries it", () => {
  const fixture = createMarketFixture({
    label: "late",
    regions: [{ id: "east", limits: [undefined, undefined] }],
  });
  const { app, block } = start(fixture);
  const report = (slotIndex: number, late: { slotIndex: number; importWh: number }[]) =>
    fixture.reportTransaction({
      regionIndex: 0,
      slotIndex,
      importWh: [10, 0],
      exportWh: [0, 0],
      late: late.map((entry) => ({
        slot: fixture.slotAtIndex(entry.slotIndex),
        meterIndex: 1,
        importWh: entry.importWh,
        exportWh: 5,
        quality: 0,
      })),
    });
  block(fixture.slotEndS(0), report(0, []));
  const [record] = block(fixture.slotEndS(1), report(1, [{ slotIndex: 0, importWh: 70 }]));
  expect([...record!.bills].map(({ slot, kind, amountUc }) => [slot, kind, amountUc])).toEqual([
    [fixture.slotAtIndex(1), 0, -300_000n],
    [fixture.slotAtIndex(1), 0, 0n],
    [fixture.slotAtIndex(0), 1, -2_060_000n],
  ]);
  expect([...app.lane(0).settledImportWh]).toEqual([20, 70]);
  expect([...app.lane(0).settledExportWh]).toEqual([0, 5]);
});

test("at the retailer's price members are served first", () => {
  const atFeedIn = { minSellUcPerWh: 8_000, maxBuyUcPerWh: 8_000 };
  const fixture = createMarketFixture({
    label: "ties",
    regions: [{ id: "east", mechanism: "uniform-price", limits: [atFeedIn, atFeedIn] }],
  });
  const energy = { importWh: [0, 300], exportWh: [900, 0] };
  const report = fixture.reportTransaction({ regionIndex: 0, slotIndex: 0, ...energy });
  const [record] = start(fixture).block(fixture.slotEndS(0), report);
  expect(record).toMatchObject({ priceUcPerWh: 8_000, tradedWh: 300, retailerSoldWh: 600 });
});

test("the caller may reuse a transaction's bytes", () => {
  const fixture = threeRegions();
  const { app, block } = start(fixture);
  const prng = createPrng("bytes");
  const first = randomReport(fixture, prng, { regionIndex: 0, slotIndex: 0 });
  const kept = first.slice();
  block(fixture.slotEndS(0), first);
  first.fill(0);
  const rest = [1, 2].map((r) => randomReport(fixture, prng, { regionIndex: r, slotIndex: 0 }));
  const [record] = block(fixture.slotEndS(0), ...rest);
  const twin = start(fixture);
  const [same] = twin.block(fixture.slotEndS(0), kept, ...rest);
  expect(record).toEqual({ ...same!, height: 2 });
  expect(app.head().appHash).toEqual(twin.app.head().appHash);
});

test("how transactions are spread over blocks does not matter", () => {
  const fixture = threeRegions();
  const prng = createPrng("spread");
  const slots = 3;
  // In every order that a chain may see: each region's reports in turn.
  const reports = [0, 1, 2].map((regionIndex) =>
    Array.from({ length: slots }, (_, slotIndex) =>
      randomReport(fixture, prng, { regionIndex, slotIndex }),
    ),
  );
  const limits = { minSellUcPerWh: 11_000, maxBuyUcPerWh: 22_000 };
  const change = fixture.limitsTransaction({ regionIndex: 0, memberIndex: 1, nonce: 0, limits });
  const timeS = fixture.slotEndS(slots);
  const runOf = (sequence: readonly Uint8Array[], cuts: readonly number[]) => {
    const { app, block } = start(fixture);
    const bounds = [...new Set([0, ...cuts, sequence.length])].sort((a, b) => a - b);
    for (let i = 1; i < bounds.length; i++) {
      block(timeS, ...sequence.slice(bounds[i - 1], bounds[i]));
    }
    return { hash: toHex(app.head().appHash), lanes: [0, 1, 2].map((r) => app.lane(r)) };
  };
  const inOrder = reports.flat();
  const reference = runOf([change, ...inOrder], []);
  fc.assert(
    fc.property(
      fc.array(fc.nat(2), { minLength: 9, maxLength: 30 }),
      fc.nat(3),
      fc.array(fc.nat(10), { maxLength: 6 }),
      (picks, changeAt, cuts) => {
        const queues = reports.map((queue) => [...queue]);
        const sequence = picks.flatMap((r) => queues[r]!.splice(0, 1));
        sequence.push(...queues.flat());
        sequence.splice(changeAt, 0, change);
        expect(runOf(sequence, cuts)).toEqual(reference);
      },
    ),
    { numRuns: 40 },
  );
});
