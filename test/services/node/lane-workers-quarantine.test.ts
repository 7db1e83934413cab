/**
 * Method: a lane poisoned by its data and not by a test's executor: an account so near to its edge
 * that the next bill leaves 64 bits. Run one lane after another and on threads, over quarantine, a
 * release that fails again, and an upgrade whose rules the threads must be handed: the same bytes.
 */
import { afterAll, beforeAll, expect, test } from "vitest";
import { createApplication } from "../../../services/chain/application.ts";
import { copyLane, encodeLane } from "../../../services/chain/lane.ts";
import { type LaneExecutor, sequentialExecutor } from "../../../services/chain/lane-executor.ts";
import { createRules } from "../../../services/chain/rules.ts";
import { rootedState } from "../../../services/chain/state.ts";
import { HEAD_KEY, laneKey } from "../../../services/chain/store-keys.ts";
import { headChange, loadState } from "../../../services/chain/stored-state.ts";
import { VERSIONS } from "../../../services/chain/versions.ts";
import { sha256 } from "../../../services/crypto/hash.ts";
import { INSTITUTION } from "../../../services/ledger/accounts.ts";
import { createLaneWorkers } from "../../../services/node/lane-workers.ts";
import { toHex } from "../../../services/primitives/bytes.ts";
import { createMarketFixture } from "../../support/market-fixture.ts";

const WEST = 1;
const EDGE_UC = 2n ** 63n - 1n;
const fixture = createMarketFixture({
  label: "edge",
  regions: ["east", "west", "south"].map((id) => ({
    id,
    mechanism: "uniform-price" as const,
    limits: [undefined, undefined],
  })),
  lines: [{ from: "east", to: "west", capacityWh: 100, feeUcPerWh: 10 }],
});
const { genesis } = fixture;
const rules = createRules(genesis);
const versions = new Map([...VERSIONS, [2, { ...VERSIONS.get(1)!, limitsNoticeSlots: 2 }]]);
const reports = (slotIndex: number) =>
  [0, 1, 2].map((regionIndex) =>
    fixture.reportTransaction({ regionIndex, slotIndex, importWh: [0, 90], exportWh: [200, 0] }),
  );

/** After slot 0: west's first member owns as much as an account holds. */
function poisonedRecords(): Map<string, Uint8Array> {
  const app = createApplication({ genesis, stored: new Map() });
  app.initChain();
  app.finalizeBlock({ height: 1, timeS: fixture.slotEndS(0), transactions: reports(0) });
  const stored = new Map(app.commit().changes.map(({ key, value }) => [key, value!] as const));
  const state = loadState(rules, stored)!;
  const lane = copyLane(state.lanes[WEST]!);
  lane.columns.memberUc[0] = EDGE_UC;
  lane.columns.institutionUc[INSTITUTION.retailer] = -EDGE_UC - lane.columns.memberUc[1]!;
  const lanes = state.lanes.map((own, r) => (r === WEST ? lane : own));
  const poisoned = rootedState({ ...state, lanes });
  stored.set(laneKey(WEST), encodeLane(WEST, lane));
  stored.set(HEAD_KEY, headChange(rules, poisoned).value!);
  return stored;
}

function run(stored: ReadonlyMap<string, Uint8Array>, executor: LaneExecutor): string[] {
  const app = createApplication({ genesis, stored, executor, versions });
  const order = (sequence: number, act: { kind: "release"; regionIndex: number }) =>
    fixture.committeeTransaction({ sequence, act });
  const upgrade = fixture.committeeTransaction({
    sequence: 1,
    act: { kind: "upgrade", version: 2, height: 13 },
  });
  const release = (sequence: number) => order(sequence, { kind: "release", regionIndex: WEST });
  const blocks = [
    [upgrade, ...reports(1)],
    reports(2),
    [release(2)],
    ...Array.from({ length: 8 }, () => []),
    [release(3), ...reports(3)],
    reports(4),
  ];
  return blocks.map((transactions, i) => {
    const block = { height: i + 2, timeS: fixture.slotEndS(4), transactions };
    const { results, appHash, laneFailures, slotRecords } = app.finalizeBlock(block);
    const changes = app.commit().changes.map(({ key, value }) => {
      return `${key}=${value === null ? "" : toHex(sha256(value))}`;
    });
    const cleared = slotRecords.map(({ slot, regionIndex }) => `${regionIndex}/${slot}`);
    const text = [toHex(appHash), JSON.stringify(results), JSON.stringify(laneFailures)];
    return [...text, cleared.join(), ...changes].join("\n");
  });
}

const threads = createLaneWorkers({
  ...{ workers: 2, caller: "waits", metersMin: 0 },
  onReplaced: () => {},
});
beforeAll(() => threads.ready());
afterAll(() => threads.stop());

test("an account at its edge quarantines its lane, the same on any threads", () => {
  const stored = poisonedRecords();
  const expected = run(stored, sequentialExecutor);
  const failed = expected.filter((block) => block.includes("a balance fits 64 bits"));
  expect(failed).toHaveLength(3); // in slot 1, and at each release
  expect(expected.at(-1)).toContain(`0/${fixture.slotAtIndex(4)},2/${fixture.slotAtIndex(4)}`);
  expect(run(stored, threads)).toEqual(expected);
});
