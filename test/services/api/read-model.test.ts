/**
 * Method: the model that heard every block must equal one that starts now, with any part of the
 * past in statements; windows against sums made here; then what must not be shown.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { marketCalendar } from "../../../services/api/market-day.ts";
import { createReadModel, type ReadModel } from "../../../services/api/read-model.ts";
import { MemoryStatementStore, rollUpDays } from "../../../services/api/statements.ts";
import type { Slot } from "../../../services/primitives/units.ts";
import type { EnergyWindow } from "../../../services/wire/api.ts";
import { type ChainFixture, createChainFixture } from "../../support/chain-fixture.ts";
import { VILLAGE } from "../../support/village.ts";

const timeZone = "Europe/Vienna";
const WINDOWS: EnergyWindow[] = ["last", "today", "all"];

/** Every summary that the model can give. */
function everything(model: ReadModel, chain: ChainFixture) {
  return WINDOWS.map((window) => ({
    window,
    community: model.communitySummary(window),
    regions: chain.genesis.regions.map(({ members }, regionIndex) =>
      [null, ...members.keys()].map((memberIndex) =>
        model.summary({ regionIndex, memberIndex, window }),
      ),
    ),
  }));
}

test("before the first slot everything is empty, and no ratio exists", async () => {
  const chain = createChainFixture();
  const model = createReadModel({ chain, statements: new MemoryStatementStore(), timeZone });
  await model.warmed;
  expect(model.communitySummary("today")).toMatchObject({
    fromSlot: null,
    toSlot: null,
    slots: 0,
    amountUc: "0",
    ratios: { selfSufficiencyOwn: null, selfConsumptionCommunity: null },
  });
  expect(model.lastRecord(0)).toBeNull();
});

test("last is the last slot, today its market day, all everything", async () => {
  const chain = createChainFixture(); // starts at 02:00 in Vienna
  const model = createReadModel({ chain, statements: new MemoryStatementStore(), timeZone });
  await model.warmed;
  const spans = () =>
    WINDOWS.map((window) => model.summary({ regionIndex: 0, memberIndex: 0, window }).slots);
  chain.clearSlot();
  expect(spans()).toEqual([1, 1, 1]);
  for (let i = 1; i < 88; i++) chain.clearSlot();
  expect(spans()).toEqual([1, 88, 88]);
  chain.commitEmpty();
  chain.clearSlot(); // midnight in Vienna
  expect(spans()).toEqual([1, 1, 89]);
  const calendar = marketCalendar({ timeZone, slotS: 900 });
  const { toSlot } = model.summary({ regionIndex: 0, memberIndex: 0, window: "today" });
  expect(calendar.dayOf(toSlot as Slot).day).toBe("2024-06-02");
});

test("a model that starts now equals one that heard every block", async () => {
  const slots = fc.integer({ min: 1, max: 290 });
  const law = async (count: number, rolledUpTo: number, missed: number) => {
    const chain = createChainFixture({ regions: [VILLAGE[0]!, VILLAGE[3]!] });
    const live = createReadModel({ chain, statements: new MemoryStatementStore(), timeZone });
    await live.warmed;
    for (let i = 0; i < count; i++) chain.clearSlot();
    const statements = new MemoryStatementStore();
    const untilSlot = Math.min(chain.firstSlot + rolledUpTo, chain.head().lastClearedSlot!) as Slot;
    await rollUpDays({ chain, statements, timeZone, untilSlot });
    const started = createReadModel({ chain, statements, timeZone });
    for (let i = 0; i < missed; i++) chain.clearSlot(); // while it still reads the past
    await started.warmed;
    expect(everything(started, chain)).toEqual(everything(live, chain));
    chain.clearSlot();
    expect(everything(started, chain)).toEqual(everything(live, chain));
  };
  const missed = fc.integer({ min: 0, max: 3 });
  await fc.assert(fc.asyncProperty(slots, slots, missed, law), { numRuns: 12 });
});

test("members sum to their region, regions to the community, in every window", async () => {
  const chain = createChainFixture({ regions: VILLAGE.slice(0, 3) }); // all large enough
  for (let i = 0; i < 100; i++) chain.clearSlot();
  const model = createReadModel({ chain, statements: new MemoryStatementStore(), timeZone });
  await model.warmed;
  for (const { community, regions } of everything(model, chain)) {
    for (const [own, ...members] of regions) {
      const sum = members.reduce((total, member) => total + BigInt(member.amountUc), 0n);
      expect(sum.toString()).toBe(own!.amountUc);
      expect(members.reduce((wh, member) => wh + member.importWh, 0)).toBe(own!.importWh);
    }
    const importWh = regions.reduce((wh, [own]) => wh + own!.importWh, 0);
    expect(community?.importWh).toBe(importWh);
  }
});

test("the community's peak is joint, however the model came to it", async () => {
  const region = (id: string) => ({
    id,
    mechanism: "mid-market-rate" as const,
    homes: Array(5).fill("plain"),
  });
  const chain = createChainFixture({ regions: [region("east"), region("west")] });
  const live = createReadModel({ chain, statements: new MemoryStatementStore(), timeZone });
  await live.warmed;
  const clear = (east: number, west: number) =>
    chain.clearSlot(({ importWh }, r) => importWh.fill([east, west][r]!));
  for (let at = 0; at < 200; at++) {
    if (at === 20) clear(90, 0);
    else if (at === 40) clear(60, 60);
    else if (at === 195) clear(0, 80);
    else clear(1, 1);
  }
  const statements = new MemoryStatementStore();
  await rollUpDays({ chain, statements, timeZone, untilSlot: chain.head().lastClearedSlot! });
  const started = createReadModel({ chain, statements, timeZone });
  await started.warmed;
  const first = chain.firstSlot;
  for (const model of [live, started]) {
    const peaks = WINDOWS.map((window) => model.communitySummary(window)!);
    // 5 homes of 1 Wh in either region; W are 4 times the Wh of a quarter of an hour.
    expect(peaks.map((sums) => sums.peakImportW)).toEqual([40, 1600, 2400]);
    expect(peaks.map((sums) => sums.peakImportSlot! - first)).toEqual([199, 195, 40]);
  }
  expect(live.summary({ regionIndex: 0, memberIndex: null, window: "all" })).toMatchObject({
    peakImportW: 1800,
    peakImportSlot: first + 20,
  });
});

test("a region that was out comes later: then all sums and statements are complete", async () => {
  const region = (id: string) => ({
    id,
    mechanism: "mid-market-rate" as const,
    homes: Array(5).fill("plain"),
  });
  const make = () => createChainFixture({ regions: [region("east"), region("west")] });
  const [chain, whole] = [make(), make()];
  const models = [chain, whole].map((each) =>
    createReadModel({ chain: each, statements: new MemoryStatementStore(), timeZone }),
  );
  await Promise.all(models.map(({ warmed }) => warmed));
  const [live, truth] = models as [ReadModel, ReadModel];
  const clear = (east: number, west: number) => {
    for (const each of [chain, whole]) {
      each.clearSlot(({ importWh }, r) => importWh.fill([east, west][r]!));
    }
  };
  for (let at = 0; at < 80; at++) clear(1, 1);
  chain.quarantine(1);
  for (let at = 80; at < 190; at++) clear(at === 100 ? 60 : 1, at === 100 ? 70 : 1);
  // While west is out: the others' windows, without a slot that only west misses.
  expect(live.communitySummary("last")).toMatchObject({ importWh: 5, peakImportW: 20 });
  expect(live.communitySummary("today")?.fromSlot).toBe(truth.communitySummary("today")?.fromSlot);
  const statements = new MemoryStatementStore();
  const rollUp = () => {
    const untilSlot = chain.head().lastCompleteSlot!;
    return rollUpDays({ chain, statements, timeZone, untilSlot });
  };
  expect(await rollUp()).toEqual([]); // west has not cleared the first day
  const during = createReadModel({ chain, statements, timeZone });
  await during.warmed;
  chain.catchUp(1);
  for (let at = 190; at < 200; at++) clear(2, 2);
  expect(everything(live, chain)).toEqual(everything(truth, whole));
  expect(everything(during, chain)).toEqual(everything(truth, whole));
  expect(live.communitySummary("all")).toMatchObject({ peakImportW: 4 * 5 * 130 });
  expect(await rollUp()).toHaveLength(2);
  const after = createReadModel({ chain, statements, timeZone });
  await after.warmed;
  expect(everything(after, chain)).toEqual(everything(truth, whole));
});

test("a small region counts in the community only where others hide it", async () => {
  const importsOf = async (homes: readonly number[]) => {
    const regions = homes.map((count, i) => ({
      id: `r${i}`,
      mechanism: "mid-market-rate" as const,
      homes: Array(count).fill("plain"),
    }));
    const chain = createChainFixture({ regions });
    chain.clearSlot((columns, r) => columns.importWh.fill(10 ** r));
    const model = createReadModel({ chain, statements: new MemoryStatementStore(), timeZone });
    await model.warmed;
    return model.communitySummary("last")?.importWh ?? null;
  };
  expect(await importsOf([5])).toBe(5);
  expect(await importsOf([4])).toBeNull();
  expect(await importsOf([5, 4])).toBe(5); // the small one would be the difference
  expect(await importsOf([5, 2, 3])).toBe(5 + 20 + 300); // two small ones hide each other
  expect(await importsOf([4, 1])).toBe(4 + 10);
  expect(await importsOf([2, 2])).toBeNull();
});

test("statements that reach further than the chain are refused, with what to do", async () => {
  const chain = createChainFixture();
  const statements = new MemoryStatementStore();
  for (let i = 0; i < 200; i++) chain.clearSlot();
  await rollUpDays({ chain, statements, timeZone, untilSlot: chain.head().lastClearedSlot! });
  const emptied = createChainFixture();
  emptied.clearSlot();
  const model = createReadModel({ chain: emptied, statements, timeZone });
  await expect(model.warmed).rejects.toMatchObject({ code: "database_corrupt" });
});

test("a closed model no longer listens", async () => {
  const chain = createChainFixture();
  const model = createReadModel({ chain, statements: new MemoryStatementStore(), timeZone });
  await model.warmed;
  model.close();
  chain.clearSlot();
  expect(model.lastRecord(0)).toBeNull();
});
