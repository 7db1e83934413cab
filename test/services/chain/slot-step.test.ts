/**
 * Method: slots of three regions cleared by hand over some of them, against the same regions in
 * networks where the others are cut off; and executors in which a lane fails.
 */
import { expect, test } from "vitest";
import { pendingReport, withReport } from "../../../services/chain/lane.ts";
import {
  type LaneExecutor,
  type LaneStep,
  sequentialExecutor,
} from "../../../services/chain/lane-executor.ts";
import { createRules } from "../../../services/chain/rules.ts";
import { clearSlot } from "../../../services/chain/slot-step.ts";
import { createDraft, type Draft, genesisState } from "../../../services/chain/state.ts";
import { createPrng } from "../../../services/primitives/prng.ts";
import { decodeReportTransaction } from "../../../services/wire/report.ts";
import { encodeSlotRecord } from "../../../services/wire/slot-record.ts";
import { randomReport, threeRegions } from "./workload.ts";

const fixture = threeRegions();
const rules = createRules(fixture.genesis);
const state = genesisState(rules);
const slot = fixture.slotAtIndex(0);

/** A draft in which the slot's report of each region is on the chain. */
function reported(): Draft {
  const draft = createDraft(state);
  const prng = createPrng("slot step");
  for (const regionIndex of [0, 1, 2]) {
    const bytes = randomReport(fixture, prng, { regionIndex, slotIndex: 0 });
    const { reportBytes } = decodeReportTransaction(bytes);
    const lane = withReport(draft.ownLane(regionIndex), pendingReport(reportBytes));
    draft.setLane(regionIndex, lane);
  }
  return draft;
}

const clear = (draft: Draft, regions: readonly number[], executor = sequentialExecutor) =>
  clearSlot({ rules, draft, executor, slot, regions, height: 1 });

test("regions that do not take part bring no book, and lines to them carry nothing", () => {
  const draft = reported();
  const absent = draft.lane(1);
  const clearing = clear(draft, [0, 2]);
  expect("records" in clearing && clearing.records.map((r) => r.regionIndex)).toEqual([0, 2]);
  if (!("records" in clearing)) return;
  for (const record of clearing.records) {
    expect(record).toMatchObject({ inflowWh: 0, outflowWh: 0, neighboursUc: 0n });
    expect(record.flows.map(({ energyWh }) => energyWh)).toEqual(record.flows.map(() => 0));
  }
  expect(draft.lane(1)).toBe(absent);
  expect(draft.lane(0).pending).toHaveLength(0);
  // Alone, a region clears as if its lines were not there.
  const alone = clear(reported(), [0]);
  expect("records" in alone && encodeSlotRecord(alone.records[0]!)).toEqual(
    encodeSlotRecord(clearing.records[0]!),
  );
});

test("with all of them the coupled regions do trade", () => {
  const clearing = clear(reported(), [0, 1, 2]);
  if (!("records" in clearing)) throw new Error("no lane fails");
  expect(clearing.records[0]!.flows.some(({ energyWh }) => energyWh > 0)).toBe(true);
});

/** The sequential executor, but some steps of some lanes are broken. */
function breaking(step: LaneStep, broken: readonly number[]): LaneExecutor {
  const failure = (regionIndex: number) => ({ failure: { regionIndex, step, message: "broken" } });
  return {
    ...sequentialExecutor,
    open(work) {
      const opened = sequentialExecutor.open(work);
      const spoil = <T>(outcomes: readonly T[]) =>
        outcomes.map((outcome, j) => {
          const { regionIndex } = work.jobs[j]!;
          return broken.includes(regionIndex) ? failure(regionIndex) : outcome;
        });
      if (step === "open") return { ...opened, brought: spoil(opened.brought) };
      return { ...opened, close: (answers) => spoil(opened.close(answers)) };
    },
  };
}

test.each(["open", "close"] as const)(
  "lanes that fail to %s are named, and nothing changes",
  (step) => {
    const draft = reported();
    const before = [0, 1, 2].map((r) => draft.lane(r));
    const memory = before.map(({ columns }) => new Uint8Array(columns.memory).slice());
    expect(clear(draft, [0, 1, 2], breaking(step, [2, 0]))).toEqual({
      failed: [0, 2].map((regionIndex) => ({ regionIndex, step, message: "broken" })),
    });
    before.forEach((lane, r) => {
      expect(draft.lane(r)).toBe(lane);
      expect(new Uint8Array(lane.columns.memory)).toEqual(memory[r]);
    });
    expect(clear(draft, [1])).toHaveProperty("records");
  },
);

test("an error that is no broken invariant is thrown", () => {
  const executor: LaneExecutor = {
    ...sequentialExecutor,
    open() {
      throw new RangeError("out of memory");
    },
  };
  expect(() => clear(reported(), [0, 1, 2], executor)).toThrow(RangeError);
});
