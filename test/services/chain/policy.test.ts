/**
 * Method: a lane whose policy says something else than what execution would apply, in each of its
 * fields: the slot must not open. And the policy of genesis, in every lane and every record.
 */
import { expect, test } from "vitest";
import { createApplication } from "../../../services/chain/application.ts";
import { copyLane, pendingReport, withReport } from "../../../services/chain/lane.ts";
import { sequentialExecutor } from "../../../services/chain/lane-executor.ts";
import { genesisPolicy, policyInForce } from "../../../services/chain/policy.ts";
import { createRules } from "../../../services/chain/rules.ts";
import { genesisState } from "../../../services/chain/state.ts";
import { createPrng } from "../../../services/primitives/prng.ts";
import type { Slot } from "../../../services/primitives/units.ts";
import { genesisHash } from "../../../services/wire/genesis.ts";
import { encodePolicy, type Policy, readPolicy } from "../../../services/wire/policy.ts";
import { decodeReportTransaction } from "../../../services/wire/report.ts";
import { randomBlocks, randomReport, threeRegions } from "./workload.ts";

const fixture = threeRegions();
const { genesis } = fixture;
const rules = createRules(genesis);
const slot = rules.firstSlot;
const { reportBytes } = decodeReportTransaction(
  randomReport(fixture, createPrng("policy"), { regionIndex: 0, slotIndex: 0 }),
);

test("genesis is the law of every lane and slot, by its own hash", () => {
  const { lanes } = genesisState(rules);
  genesis.regions.forEach(({ mechanism }, r) => {
    expect(readPolicy(lanes[r]!.columns.policy)).toEqual({
      fromSlot: rules.firstSlot,
      mechanism,
      retailUcPerWh: genesis.retailUcPerWh,
      feedInUcPerWh: genesis.feedInUcPerWh,
      lawHash: genesisHash(genesis),
    });
  });
  const app = createApplication({ genesis, stored: new Map() });
  app.initChain();
  for (const block of randomBlocks(fixture, "policy", 3)) {
    for (const { policy, regionIndex } of app.finalizeBlock(block).slotRecords) {
      expect(policy).toEqual(genesisPolicy(rules, regionIndex));
    }
    app.commit();
  }
});

/** What comes of the first slot in the first lane, where that lane's policy was changed. */
function openUnder(change: Partial<Policy>) {
  const lane = withReport(copyLane(genesisState(rules).lanes[0]!), pendingReport(reportBytes));
  const policy = { ...genesisPolicy(rules, 0), ...change };
  lane.columns.policy.set(encodePolicy(policy));
  const job = { regionIndex: 0, lane, held: null };
  const { brought } = sequentialExecutor.open({ rules, slot, height: 1, jobs: [job] });
  return { outcome: brought[0]!, lane };
}

test("a slot opens under its lane's policy, whoever made it law", () => {
  const lawHash = new Uint8Array(32).fill(7);
  const { outcome, lane } = openUnder({ lawHash });
  expect(outcome).toHaveProperty("value");
  expect(policyInForce({ rules, regionIndex: 0, lane, slot })).toMatchObject({ lawHash });
});

test.each([
  { change: { mechanism: "mid-market-rate" }, says: /clears under its lane's mechanism/ },
  { change: { retailUcPerWh: 30_001 }, says: /sells at its lane's price/ },
  { change: { feedInUcPerWh: 7_999 }, says: /buys at its lane's price/ },
  { change: { fromSlot: (slot + 1) as Slot }, says: /rules from its first slot on/ },
] as const)("a lane under $change is not cleared by another law", ({ change, says }) => {
  const { outcome } = openUnder(change);
  const message = expect.stringMatching(says);
  expect(outcome).toMatchObject({ failure: { regionIndex: 0, step: "open", message } });
});
