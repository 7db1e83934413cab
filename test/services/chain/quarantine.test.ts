/**
 * Method: a chain of three regions in which chosen steps fail. Worked tables (who fails, in which
 * step, when) against two outside truths: a chain that never failed, for what all do together, and
 * the same members on a grid without lines, for what a lane does alone. Conservation between
 * regions is checked after every block. Then random poisonings, releases and restarts.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createApplication } from "../../../services/chain/application.ts";
import { type LaneExecutor, sequentialExecutor } from "../../../services/chain/lane-executor.ts";
import { VERSIONS } from "../../../services/chain/versions.ts";
import { createPrng } from "../../../services/primitives/prng.ts";
import { encodeCancelOrder, encodePlaceOrder } from "../../../services/wire/forward-order.ts";
import { TRANSACTION_CODE } from "../../../services/wire/refusals.ts";
import type { SlotRecord } from "../../../services/wire/slot-record.ts";
import { applicationSuite } from "../../conformance/application-suite.ts";
import { createMarketFixture, type MarketFixture } from "../../support/market-fixture.ts";
import { type Poison, poisonedExecutor } from "../../support/poisoned-executor.ts";
import { outcomeOf, type PoisonedChain, startPoisoned } from "./poisoned-chain.ts";

const SLOTS = 8;
const [EAST, WEST, SOUTH] = [0, 1, 2] as const;
const ALL: readonly number[] = [EAST, WEST, SOUTH];

function regions(lines: Parameters<typeof createMarketFixture>[0]["lines"]): MarketFixture {
  const limits = { minSellUcPerWh: 12_000, maxBuyUcPerWh: 28_000 };
  return createMarketFixture({
    label: "quarantine",
    regions: [
      { id: "east", mechanism: "uniform-price", limits: [limits, undefined, undefined] },
      { id: "west", mechanism: "uniform-price", limits: [undefined, limits, undefined] },
      { id: "south", mechanism: "uniform-price", limits: [undefined, limits] },
    ],
    ...(lines === undefined ? {} : { lines }),
  });
}

const fixture = regions([
  { from: "east", to: "west", capacityWh: 600, feeUcPerWh: 500 },
  { from: "west", to: "east", capacityWh: 600, feeUcPerWh: 500 },
  { from: "east", to: "south", capacityWh: 300, feeUcPerWh: 0 },
  { from: "south", to: "west", capacityWh: 300, feeUcPerWh: 100 },
]);
const islands = regions([]);

/** East and south have sun, west is short: energy flows whenever it may. */
function report(of: MarketFixture, regionIndex: number, slotIndex: number): Uint8Array {
  const prng = createPrng(`energy ${regionIndex} ${slotIndex}`);
  const { meters } = of.genesis.regions[regionIndex]!;
  const sunny = [3, 0, 4][regionIndex]!;
  return of.reportTransaction({
    regionIndex,
    slotIndex,
    importWh: meters.map(() => prng.below(900)),
    exportWh: meters.map(() => sunny * prng.below(600)),
  });
}
const reports = [fixture, islands].map((of) =>
  ALL.map((r) => Array.from({ length: SLOTS }, (_, s) => report(of, r, s))),
);
const [own, alone] = [reports[0]!, reports[1]!];
const slotReports = (s: number) => ALL.map((r) => own[r]![s]!);
const endS = (s: number) => fixture.slotEndS(s);

/** The truths. */
const healthy = startPoisoned(fixture);
const apart = startPoisoned(islands);
for (let s = 0; s < SLOTS; s++) {
  healthy.block(endS(s), ...slotReports(s));
  apart.block(endS(s), ...ALL.map((r) => alone[r]![s]!));
}

function recordAt(chain: PoisonedChain, regionIndex: number, slotIndex: number): SlotRecord {
  const slot = fixture.slotAtIndex(slotIndex);
  const found = chain.records.filter((r) => r.regionIndex === regionIndex && r.slot === slot);
  expect(found).toHaveLength(1);
  return found[0]!;
}

function expectOutcome(chain: PoisonedChain, truth: PoisonedChain, r: number, s: number) {
  expect(outcomeOf(recordAt(chain, r, s))).toEqual(outcomeOf(recordAt(truth, r, s)));
}

const failing =
  (step: "open" | "close", lanes: readonly number[], slotIndex: number): Poison =>
  (at) =>
    at.step === step &&
    lanes.includes(at.regionIndex) &&
    at.slot === fixture.slotAtIndex(slotIndex);

test("the truths differ: regions trade over lines where they can", () => {
  expect(healthy.records.some(({ inflowWh }) => inflowWh > 0)).toBe(true);
  expect(apart.records.every(({ inflowWh }) => inflowWh === 0)).toBe(true);
});

describe.each(["open", "close"] as const)("a lane that fails in step %s", (step) => {
  // who fails; who is left over lines
  test.each([
    [[WEST], [EAST, SOUTH]],
    [[EAST], [WEST, SOUTH]],
    [[EAST, SOUTH], [WEST]],
    [[EAST, WEST, SOUTH], []],
  ])("lanes %j are quarantined in slot 2 and wait, lanes %j go on", (failed, left) => {
    const chain = startPoisoned(fixture, { poison: failing(step, failed, 2) });
    for (const s of [0, 1]) chain.block(endS(s), ...slotReports(s));
    const before = failed.map((r) => chain.app().lane(r));
    const { laneFailures } = chain.block(endS(2), ...slotReports(2));
    expect(laneFailures).toEqual(
      failed.map((regionIndex) => ({ regionIndex, step, message: "the lane is poisoned" })),
    );
    for (const s of [3, 4])
      expect(chain.block(endS(s), ...slotReports(s)).laneFailures).toEqual([]);
    const sinceSlot = fixture.slotAtIndex(2);
    const quarantine = { standing: "quarantined" as const, sinceSlot, step };
    const { lanesOut, clearedSlots, lastCompleteSlot } = chain.app().head();
    expect(lanesOut).toEqual(
      failed.map((regionIndex) => ({ ...quarantine, regionIndex, clearedSlots: 2 })),
    );
    expect(clearedSlots).toBe(left.length === 0 ? 2 : 5);
    expect(lastCompleteSlot).toBe(fixture.slotAtIndex(1));
    // The last good state, with the reports that wait.
    failed.forEach((r, i) => {
      const lane = chain.app().lane(r);
      const reportedSlot = fixture.slotAtIndex(4);
      expect(lane).toEqual({ ...before[i]!, reportedSlot, quarantine });
    });
    for (const r of left) expect(chain.app().lane(r)).toMatchObject({ quarantine: null });
    for (const s of [0, 1]) for (const r of ALL) expectOutcome(chain, healthy, r, s);
    expect(chain.records).toHaveLength(6 + 3 * left.length);
    if (left.length === 1) {
      for (const s of [2, 3, 4]) expectOutcome(chain, apart, left[0]!, s);
    }
    chain.reopen();
    expect(chain.app().head().lanesOut).toHaveLength(failed.length);
  });

  test("the slot is cleared as if the lane had never taken part", () => {
    const cut = startPoisoned(fixture, { poison: failing(step, [EAST], 0) });
    for (let s = 0; s < 3; s++) cut.block(endS(s), ...slotReports(s));
    // East is gone from the first slot on: west and south still have their line.
    const westSouth = createMarketFixture({
      label: "quarantine",
      regions: fixture.genesis.regions.map(({ id, members }) => ({
        id,
        mechanism: id === "east" ? ("mid-market-rate" as const) : ("uniform-price" as const),
        limits: members.map(({ limits }) => limits),
      })),
      lines: [{ from: "south", to: "west", capacityWh: 300, feeUcPerWh: 100 }],
    });
    const without = startPoisoned(westSouth);
    for (let s = 0; s < 3; s++) without.block(endS(s), ...ALL.map((r) => report(westSouth, r, s)));
    for (const r of [WEST, SOUTH]) {
      for (let s = 0; s < 3; s++) expectOutcome(cut, without, r, s);
    }
    expect(cut.records.some(({ inflowWh }) => inflowWh > 0)).toBe(true);
  });

  test("released it catches up as an island, oldest first, and is in the market again", () => {
    const chain = startPoisoned(fixture, { poison: failing(step, [WEST], 1) });
    for (const s of [0, 1, 2, 3]) chain.block(endS(s), ...slotReports(s));
    chain.poison = () => false;
    const { slotRecords } = chain.block(endS(3), chain.release(WEST));
    expect(slotRecords.map(({ regionIndex, slot }) => [regionIndex, slot])).toEqual(
      [1, 2, 3].map((s) => [WEST, fixture.slotAtIndex(s)]),
    );
    expect(chain.app().head()).toMatchObject({ lanesOut: [], clearedSlots: 4 });
    expect(chain.app().head().lastCompleteSlot).toBe(fixture.slotAtIndex(3));
    for (const s of [4, 5]) chain.block(endS(s), ...slotReports(s));
    for (const s of [1, 2, 3]) expectOutcome(chain, apart, WEST, s);
    for (const s of [0, 4, 5]) for (const r of ALL) expectOutcome(chain, healthy, r, s);
    for (const r of ALL) {
      const { settledImportWh, settledExportWh } = chain.app().lane(r);
      const all = chain.records.filter(({ regionIndex }) => regionIndex === r);
      expect(all.map(({ slot }) => slot)).toEqual([0, 1, 2, 3, 4, 5].map(fixture.slotAtIndex));
      settledImportWh.forEach((wh, m) => {
        expect(wh).toBe(all.reduce((sum, { importWh }) => sum + importWh[m]!, 0));
      });
      settledExportWh.forEach((wh, m) => {
        expect(wh).toBe(all.reduce((sum, { exportWh }) => sum + exportWh[m]!, 0));
      });
    }
  });
});

test("two lanes fail in one block in different steps and slots", () => {
  const first = failing("close", [SOUTH], 0);
  const second = failing("open", [EAST], 1);
  const chain = startPoisoned(fixture, { poison: (at) => first(at) || second(at) });
  const transactions = [0, 1, 2].flatMap(slotReports);
  const { laneFailures } = chain.block(endS(2), ...transactions);
  expect(laneFailures.map(({ regionIndex, step }) => [regionIndex, step])).toEqual([
    [SOUTH, "close"],
    [EAST, "open"],
  ]);
  expect(chain.app().head().lanesOut).toMatchObject([
    { regionIndex: EAST, clearedSlots: 1, sinceSlot: fixture.slotAtIndex(1), step: "open" },
    { regionIndex: SOUTH, clearedSlots: 0, sinceSlot: fixture.slotAtIndex(0), step: "close" },
  ]);
  for (const s of [1, 2]) expectOutcome(chain, apart, WEST, s);
});

test("a lane that fails once another has been excluded is excluded too", () => {
  // West breaks only where east is absent: it is met in the second try.
  const executor: LaneExecutor = {
    open(work) {
      const isPoisoned = poisonedExecutor(
        ({ regionIndex, step }) =>
          (regionIndex === EAST && step === "close") ||
          (regionIndex === WEST && work.jobs.every((job) => job.regionIndex !== EAST)),
      );
      return isPoisoned.open(work);
    },
    root: (work) => sequentialExecutor.root(work),
  };
  const app = createApplication({ genesis: fixture.genesis, stored: new Map(), executor });
  app.initChain();
  const block = { height: 1, timeS: endS(0), transactions: slotReports(0) };
  const { laneFailures, slotRecords } = app.finalizeBlock(block);
  expect(laneFailures.map(({ regionIndex }) => regionIndex)).toEqual([EAST, WEST]);
  expect(slotRecords.map(({ regionIndex }) => regionIndex)).toEqual([SOUTH]);
});

test("a lane that is out holds nobody up, nor one that still catches up", () => {
  const chain = startPoisoned(fixture, { poison: failing("open", [WEST], 0) });
  chain.block(endS(0), ...slotReports(0));
  // West reports nothing for three slots.
  for (const s of [1, 2, 3]) chain.block(endS(s), own[EAST]![s]!, own[SOUTH]![s]!);
  expect(chain.app().head().clearedSlots).toBe(4);
  chain.poison = () => false;
  chain.block(endS(3), chain.release(WEST), own[WEST]![1]!);
  expect(chain.app().head().lanesOut).toMatchObject([
    { regionIndex: WEST, standing: "catching up", clearedSlots: 2 },
  ]);
  chain.block(endS(4), own[EAST]![4]!, own[SOUTH]![4]!);
  expect(chain.app().head().clearedSlots).toBe(5);
  chain.reopen();
  chain.block(endS(4), own[WEST]![2]!, own[WEST]![3]!, own[WEST]![4]!);
  expect(chain.app().head().lanesOut).toEqual([]);
  chain.block(endS(5), own[EAST]![5]!, own[SOUTH]![5]!);
  expect(chain.app().head().clearedSlots).toBe(5); // in the market again: they wait for it
  chain.block(endS(5), own[WEST]![5]!);
  expect(chain.app().head().clearedSlots).toBe(6);
  for (const r of ALL) expectOutcome(chain, healthy, r, 5);
});

test("a lane catches up on so many slots in a block, and the rest in the next ones", () => {
  const versions = new Map([[1, { ...VERSIONS.get(1)!, catchUpSlotsPerBlockMax: 2 }]]);
  const chain = startPoisoned(fixture, { poison: failing("open", [SOUTH], 0), versions });
  for (let s = 0; s < 5; s++) chain.block(endS(s), ...slotReports(s));
  chain.poison = () => false;
  const caughtUp = [[chain.release(SOUTH)], [], [], []].map(
    (transactions) => chain.block(endS(4), ...transactions).slotRecords.length,
  );
  expect(caughtUp).toEqual([2, 2, 1, 0]);
  expect(chain.app().head().lanesOut).toEqual([]);
  for (let s = 0; s < 5; s++) expectOutcome(chain, apart, SOUTH, s);
});

test("poisoned again: it keeps what it caught up on, and is quarantined again", () => {
  const chain = startPoisoned(fixture, { poison: failing("open", [WEST], 0) });
  for (let s = 0; s < 4; s++) chain.block(endS(s), ...slotReports(s));
  chain.poison = failing("close", [WEST], 2);
  const { laneFailures, slotRecords } = chain.block(endS(3), chain.release(WEST));
  expect(laneFailures).toMatchObject([{ regionIndex: WEST, step: "close" }]);
  expect(slotRecords).toHaveLength(2);
  expect(chain.app().head().lanesOut).toMatchObject([
    { standing: "quarantined", sinceSlot: fixture.slotAtIndex(2), clearedSlots: 2, step: "close" },
  ]);
  chain.poison = () => false;
  chain.block(endS(3), chain.release(WEST));
  expect(chain.app().head().lanesOut).toEqual([]);
  for (let s = 0; s < 4; s++) expectOutcome(chain, apart, WEST, s);
});

test("all at once: whoever is released first goes on alone, the next catches up", () => {
  const chain = startPoisoned(fixture, { poison: failing("close", ALL, 1) });
  for (let s = 0; s < 3; s++) chain.block(endS(s), ...slotReports(s));
  expect(chain.app().head()).toMatchObject({ clearedSlots: 1 });
  chain.poison = () => false;
  chain.block(endS(2), chain.release(SOUTH));
  expect(chain.app().head()).toMatchObject({ clearedSlots: 3 });
  chain.block(endS(2), chain.release(EAST));
  chain.block(endS(2), chain.release(WEST));
  expect(chain.app().head()).toMatchObject({ clearedSlots: 3, lanesOut: [] });
  for (const r of ALL) for (const s of [1, 2]) expectOutcome(chain, apart, r, s);
  chain.block(endS(3), ...slotReports(3));
  for (const r of ALL) expectOutcome(chain, healthy, r, 3);
});

describe("no single lane is to blame", () => {
  /** West brings no book where it must: the market step breaks. */
  const broken: LaneExecutor = {
    open(work) {
      const opened = sequentialExecutor.open(work);
      const brought = opened.brought.map((outcome) => {
        if ("failure" in outcome || outcome.value.regionIndex !== WEST) return outcome;
        return { value: { ...outcome.value, curve: null } };
      });
      return { ...opened, brought };
    },
    root: (work) => sequentialExecutor.root(work),
  };

  test("a market step over several regions fails the block, which names it", () => {
    const app = createApplication({
      genesis: fixture.genesis,
      stored: new Map(),
      executor: broken,
    });
    app.initChain();
    const before = app.head();
    const block = { height: 1, timeS: endS(0), transactions: slotReports(0) };
    expect(() => app.finalizeBlock(block)).toThrow(
      `market step of slot ${fixture.slotAtIndex(0)} over 3 regions: a region of the market brings`,
    );
    expect(app.head()).toEqual(before);
  });

  test("the market step of one region alone is that region's", () => {
    const single = createMarketFixture({
      label: "single",
      regions: [{ id: "west", mechanism: "uniform-price", limits: [undefined] }],
    });
    const executor: LaneExecutor = {
      open(work) {
        const opened = sequentialExecutor.open(work);
        const outcome = opened.brought[0]!;
        if ("failure" in outcome) return opened;
        return { ...opened, brought: [{ value: { ...outcome.value, curve: null } }] };
      },
      root: (work) => sequentialExecutor.root(work),
    };
    const app = createApplication({ genesis: single.genesis, stored: new Map(), executor });
    app.initChain();
    const transactions = [
      single.reportTransaction({ regionIndex: 0, slotIndex: 0, importWh: [1], exportWh: [0] }),
    ];
    const { laneFailures } = app.finalizeBlock({ height: 1, timeS: endS(0), transactions });
    expect(laneFailures).toMatchObject([{ regionIndex: 0, step: "market" }]);
    app.commit();
    expect(app.head().lanesOut).toMatchObject([{ step: "market", standing: "quarantined" }]);
  });
});

describe("what members of a quarantined lane may do", () => {
  const limits = { minSellUcPerWh: 15_000, maxBuyUcPerWh: 16_000 };
  const call = (nonce: number, data: Uint8Array) =>
    fixture.callTransaction({ regionIndex: WEST, memberIndex: 0, nonce, data });
  const order = (slotIndex: number) =>
    encodePlaceOrder({
      slot: fixture.slotAtIndex(slotIndex),
      ...{ side: 1, limitUcPerWh: 9_000, energyWh: 100 },
    });
  const start = () => {
    const chain = startPoisoned(fixture, { poison: failing("open", [WEST], 0) });
    chain.block(endS(0) - 1, call(0, order(6)), call(1, order(7)));
    chain.block(endS(0), ...slotReports(0));
    return chain;
  };

  test("limits change in time: missed slots clear as they would have", () => {
    const chain = start();
    const change = fixture.limitsTransaction({
      ...{ regionIndex: WEST, memberIndex: 0, nonce: 2, limits },
    });
    chain.block(endS(0) + 1, change); // in slot 1: from slot 2 on
    for (const s of [1, 2, 3]) chain.block(endS(s), ...slotReports(s));
    chain.poison = () => false;
    chain.block(endS(3), chain.release(WEST));
    const asked = [0, 1, 2, 3].map((s) => recordAt(chain, WEST, s).maxBuyUcPerWh[0]);
    expect(asked).toEqual([30_000, 30_000, 16_000, 16_000]);
  });

  test("no order is placed, an open one is taken back, the rest go with their gate", () => {
    const chain = start();
    expect(chain.codes(endS(0), call(2, order(8)))).toEqual([TRANSACTION_CODE.lane_quarantined]);
    expect(chain.app().checkTx(call(2, order(8))).code).toBe(TRANSACTION_CODE.lane_quarantined);
    expect(chain.app().lane(WEST).forwardOrders).toHaveLength(2);
    const slot = fixture.slotAtIndex(7);
    chain.block(endS(0), call(2, encodeCancelOrder({ slot, orderId: 2 })));
    expect(
      chain
        .app()
        .lane(WEST)
        .forwardOrders.map(({ id }) => id),
    ).toEqual([1]);
    chain.block(endS(5)); // past the gate of slot 6
    expect(chain.app().lane(WEST)).toMatchObject({ forwardOrders: [], forwardPositions: [] });
    chain.poison = () => false;
    chain.block(endS(5), chain.release(WEST));
    chain.block(endS(5), call(3, order(8)));
    expect(chain.app().lane(WEST).forwardOrders).toHaveLength(1);
  });
});

describe("forward flows between a quarantined lane and a neighbour", () => {
  const forward = createMarketFixture({
    label: "forward quarantine",
    regions: [
      { id: "east", mechanism: "uniform-price", limits: [undefined, undefined] },
      { id: "west", mechanism: "uniform-price", limits: [undefined, undefined] },
      { id: "south", mechanism: "uniform-price", limits: [undefined] },
    ],
    lines: [
      { from: "east", to: "west", capacityWh: 400, feeUcPerWh: 1_000 },
      { from: "west", to: "south", capacityWh: 200, feeUcPerWh: 500 },
    ],
  });
  const trader = (side: number, limitUcPerWh: number, slotIndex: number) => {
    const slot = forward.slotAtIndex(slotIndex);
    return encodePlaceOrder({ slot, side, limitUcPerWh, energyWh: 500 });
  };
  const place = (
    regionIndex: number,
    side: 0 | 1,
    limit: number,
    slotIndex: number,
    nonce: number,
  ) =>
    forward.callTransaction({
      ...{ regionIndex, memberIndex: 0, nonce },
      data: trader(side, limit, slotIndex),
    });
  const energy = (regionIndex: number, slotIndex: number) =>
    forward.reportTransaction({
      ...{ regionIndex, slotIndex },
      importWh: regionIndex === EAST ? [0, 40] : regionIndex === WEST ? [450, 30] : [300],
      exportWh: regionIndex === EAST ? [480, 0] : regionIndex === WEST ? [0, 90] : [0],
    });
  const all = (s: number) => ALL.map((r) => energy(r, s));
  const at = (s: number) => forward.slotEndS(s);

  /** Slots 3 and 4 are traded forward over both lines, then `failed` breaks in slot 3. */
  const traded = (failed: readonly number[]) => {
    const chain = startPoisoned(forward);
    const orders = [3, 4].flatMap((s, i) => [
      place(EAST, 1, 9_000, s, i),
      place(WEST, 0, 20_000, s, i),
      place(SOUTH, 0, 25_000, s, i),
    ]);
    chain.block(at(0) - 1, ...orders);
    for (const s of [0, 1, 2]) chain.block(at(s), ...all(s));
    chain.poison = ({ regionIndex, slot }) =>
      failed.includes(regionIndex) && slot === forward.slotAtIndex(3);
    return chain;
  };
  const healthyForward = traded([]);
  for (const s of [3, 4, 5]) healthyForward.block(at(s), ...all(s));

  test("energy was traded over both lines", () => {
    const record = healthyForward.records.find(
      ({ regionIndex, slot }) => regionIndex === WEST && slot === forward.slotAtIndex(3),
    )!;
    expect(record.forward!.flows.map(({ lineIndex }) => lineIndex)).toEqual([0, 1]);
  });

  test.each([[[EAST]], [[WEST]], [[SOUTH]], [[EAST, WEST]], [[EAST, SOUTH]], [ALL]])(
    "lanes %j settle their ends later: accounts and what is outstanding sum to zero",
    (failed) => {
      const chain = traded(failed);
      chain.block(at(3), ...all(3));
      const isApart = failed.length < 3;
      // Each block checks the sum; here, that there is something to check.
      if (isApart) expect(chain.outstandingUc).not.toBe(0n);
      chain.block(at(4), ...all(4));
      chain.reopen();
      chain.poison = () => false;
      for (const r of failed) {
        chain.block(at(4), chain.release(r));
      }
      expect(chain.outstandingUc).toBe(0n);
      expect(chain.app().head()).toMatchObject({ lanesOut: [], clearedSlots: 5 });
      // What was traded forward is delivered to the Wh and to the unit, however late.
      for (const r of ALL) {
        for (const s of [3, 4]) {
          const slot = forward.slotAtIndex(s);
          const of = (from: PoisonedChain) =>
            from.records.find((record) => record.regionIndex === r && record.slot === slot)!;
          expect(of(chain).forward).toEqual(of(healthyForward).forward);
        }
      }
      chain.block(at(5), ...all(5));
      for (const r of ALL) {
        const last = (from: PoisonedChain) =>
          outcomeOf(from.records.filter(({ regionIndex }) => regionIndex === r).at(-1)!);
        expect(last(chain)).toEqual(last(healthyForward));
      }
    },
  );

  test("while it is out, no forward energy passes through it", () => {
    const chain = startPoisoned(forward, {
      poison: ({ regionIndex, slot }) => regionIndex === WEST && slot === forward.slotAtIndex(0),
    });
    chain.block(at(0), ...all(0));
    // East could reach south only through west.
    chain.block(at(1) - 1, place(EAST, 1, 9_000, 4, 0), place(SOUTH, 0, 25_000, 4, 0));
    chain.block(at(3));
    for (const r of ALL) {
      expect(chain.app().lane(r)).toMatchObject({ forwardOrders: [], forwardPositions: [] });
    }
  });
});

test("random poisonings, releases, lags and restarts: conserved, and complete in the end", () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.record({
          poisoned: fc.subarray([...ALL]),
          step: fc.constantFrom("open" as const, "close" as const),
          lagging: fc.subarray([...ALL], { maxLength: 1 }),
          released: fc.subarray([...ALL]),
          restart: fc.boolean(),
        }),
        { minLength: SLOTS, maxLength: SLOTS },
      ),
      (plan) => {
        const chain = startPoisoned(fixture);
        const waiting = ALL.map(() => [] as Uint8Array[]);
        plan.forEach(({ poisoned, step, lagging, released, restart }, s) => {
          chain.poison = (at) => at.step === step && poisoned.includes(at.regionIndex);
          const transactions = ALL.flatMap((r) => {
            waiting[r]!.push(own[r]![s]!);
            return lagging.includes(r) ? [] : waiting[r]!.splice(0);
          });
          chain.block(endS(s), ...transactions);
          if (restart) chain.reopen();
          for (const r of released) {
            if (chain.app().lane(r).quarantine?.standing !== "quarantined") continue;
            chain.block(endS(s), chain.release(r));
          }
        });
        chain.poison = () => false;
        chain.block(endS(SLOTS), ...waiting.flat());
        for (const { regionIndex, standing } of chain.app().head().lanesOut) {
          if (standing === "quarantined") chain.block(endS(SLOTS), chain.release(regionIndex));
        }
        chain.block(endS(SLOTS));
        expect(chain.app().head()).toMatchObject({ clearedSlots: SLOTS, lanesOut: [] });
        for (const r of ALL) {
          for (let s = 0; s < SLOTS; s++) {
            const metered = ({ importWh, exportWh }: SlotRecord) => ({ importWh, exportWh });
            expect(metered(recordAt(chain, r, s))).toEqual(metered(recordAt(healthy, r, s)));
          }
        }
      },
    ),
    { numRuns: 25 },
  );
});

applicationSuite("the market chain with poisoned lanes", () => {
  const first = failing("open", [WEST], 1);
  const second = failing("close", [SOUTH], 2);
  const release = (regionIndex: number, sequence: number) =>
    fixture.committeeTransaction({ act: { kind: "release", regionIndex }, sequence });
  const blocks = [
    slotReports(0),
    slotReports(1),
    [...slotReports(2), release(EAST, 1)],
    [release(WEST, 1), release(WEST, 1)],
    [...slotReports(3), release(SOUTH, 2)],
    slotReports(4),
  ];
  return {
    create: (stored) =>
      createApplication({
        genesis: fixture.genesis,
        stored,
        executor: poisonedExecutor((at) => first(at) || second(at)),
      }),
    blocks: blocks.map((transactions, i) => ({
      ...{ height: i + 1, timeS: endS(i), transactions },
    })),
  };
});
