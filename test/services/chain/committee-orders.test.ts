/**
 * Method: a committee of four with a quorum of three. Each way an order can be wrong has a row, in
 * the mempool and in a block, in the order of codes; then sequences: replays, gaps, orders of one
 * block, restarts. Last, versions: what is in force at each height, and a rule that changes at one.
 */
import { describe, expect, test } from "vitest";
import { createApplication } from "../../../services/chain/application.ts";
import { VERSIONS, type VersionTable, versionAt } from "../../../services/chain/versions.ts";
import { toHex } from "../../../services/primitives/bytes.ts";
import { CHAIN_UPGRADES_MAX } from "../../../services/primitives/limits.ts";
import type { UnixSeconds } from "../../../services/primitives/units.ts";
import type { CommitteeAct } from "../../../services/wire/committee-order.ts";
import { type TransactionCodeName, transactionCodeName } from "../../../services/wire/refusals.ts";
import { reportStatement } from "../../../services/wire/report.ts";
import { createMarketFixture, type FixtureCommitteeOrder } from "../../support/market-fixture.ts";
import { type PoisonedChain, startPoisoned } from "./poisoned-chain.ts";

const [EAST, WEST] = [0, 1] as const;
const fixture = createMarketFixture({
  label: "committee orders",
  regions: [
    { id: "east", limits: [undefined] },
    { id: "west", limits: [undefined] },
  ],
  oracleMembers: 4,
  faultyMax: 1,
});
const endS = (s: number) => fixture.slotEndS(s);
const order = (fields: Partial<FixtureCommitteeOrder> & { readonly act: CommitteeAct }) =>
  fixture.committeeTransaction({ sequence: 1, ...fields });
const release = (regionIndex: number): CommitteeAct => ({ kind: "release", regionIndex });
const upgrade = (version: number, height: number): CommitteeAct => {
  return { kind: "upgrade", version, height };
};
const reports = (s: number) =>
  [EAST, WEST].map((regionIndex) =>
    fixture.reportTransaction({
      ...{ regionIndex, slotIndex: s },
      ...{ importWh: [100 + s], exportWh: [0] },
    }),
  );

/** West is quarantined in slot 0; the next block has height 2. */
function poisoned(versions?: VersionTable): PoisonedChain {
  const chain = startPoisoned(fixture, {
    poison: ({ regionIndex }) => regionIndex === WEST,
    ...(versions === undefined ? {} : { versions }),
  });
  chain.block(endS(0), ...reports(0));
  chain.poison = () => false;
  return chain;
}

const NEXT = 2;
const NOTICE = VERSIONS.get(1)!.upgradeNoticeBlocksMin;

describe("an order that is", () => {
  test.each<[string, TransactionCodeName, Uint8Array]>([
    ["right: a release", "ok", order({ act: release(WEST) })],
    ["right: an upgrade", "ok", order({ act: upgrade(2, NEXT + NOTICE) })],
    ["right: signed by others", "ok", order({ act: release(WEST), signers: [1, 2, 3] })],
    ["right: signed by all", "ok", order({ act: release(WEST), signers: [0, 1, 2, 3] })],
    ["ahead of its turn", "committee_order_gapped", order({ act: release(WEST), sequence: 2 })],
    [
      "of another network",
      "committee_config_mismatched",
      order({ act: release(WEST), configDigest: new Uint8Array(32) }),
    ],
    ["for a lane in the market", "release_invalid", order({ act: release(EAST) })],
    ["for no region", "release_invalid", order({ act: release(2) })],
    ["for the version in force", "upgrade_invalid", order({ act: upgrade(1, 1000) })],
    ["too near", "upgrade_invalid", order({ act: upgrade(2, NEXT + NOTICE - 1) })],
    ["for the past", "upgrade_invalid", order({ act: upgrade(2, 1) })],
    [
      "signed by too few",
      "committee_order_uncertified",
      order({ act: release(WEST), signers: [0, 1] }),
    ],
    [
      "signed as a report",
      "committee_order_uncertified",
      order({ act: release(WEST), statement: reportStatement }),
    ],
    ["signed over other bytes", "committee_order_uncertified", forged({ signature: "other" })],
    ["signed by somebody else", "committee_order_uncertified", forged({ signers: "other" })],
    ["no order at all", "malformed", Uint8Array.of(0x68, 1, 2, 3)],
  ])("%s gets %s", (_, code, bytes) => {
    const chain = poisoned();
    expect(transactionCodeName(chain.app().checkTx(bytes).code)).toBe(code);
    const before = toHex(chain.app().head().appHash);
    expect(chain.codes(endS(0), bytes).map(transactionCodeName)).toEqual([code]);
    // A refused order leaves no trace, an executed one does.
    expect(toHex(chain.app().head().appHash) === before).toBe(code !== "ok");
    expect(chain.app().head().committee.nextSequence).toBe(code === "ok" ? 2 : 1);
  });

  /** The right certificate of another order, or of other members than it says. */
  function forged({ signature, signers }: { signature?: "other"; signers?: "other" }): Uint8Array {
    const honest = order({ act: release(WEST) });
    if (signature === "other") {
      const other = order({ act: release(EAST) });
      honest.set(other.subarray(-96), honest.length - 96);
    }
    if (signers === "other") {
      const at = honest.length - 96 - 3; // the mask stands before the signature's two-byte header
      expect(honest[at]).toBe(0b0111);
      honest[at] = 0b1011; // as many, one of them another
    }
    return honest;
  }
});

test("an order executes once, in its turn", () => {
  const chain = poisoned();
  const first = order({ act: release(WEST) });
  const second = order({ act: upgrade(2, 40), sequence: 2 });
  expect(
    chain.codes(endS(0), second, first, first, second, second).map(transactionCodeName),
  ).toEqual([
    "committee_order_gapped",
    "ok",
    "committee_order_replayed",
    "ok",
    "committee_order_replayed",
  ]);
  chain.reopen();
  for (const bytes of [first, second]) {
    expect(transactionCodeName(chain.app().checkTx(bytes).code)).toBe("committee_order_replayed");
  }
  expect(chain.app().head().committee).toEqual({
    nextSequence: 3,
    upgrades: [{ version: 2, height: 40 }],
  });
});

test("releasing twice is refused: the lane is in the market, or on its way", () => {
  const chain = poisoned();
  chain.block(endS(1), fixture.reportTransaction({ ...eastOnly(1) }));
  chain.block(endS(2), fixture.reportTransaction({ ...eastOnly(2) }));
  const twice = [1, 2].map((sequence) => order({ act: release(WEST), sequence }));
  expect(chain.codes(endS(2), ...twice).map(transactionCodeName)).toEqual([
    "ok",
    "release_invalid", // it lacks reports, and catches up
  ]);
  expect(chain.app().head().lanesOut).toMatchObject([{ standing: "catching up" }]);
});

function eastOnly(slotIndex: number) {
  return { regionIndex: EAST, slotIndex, importWh: [1], exportWh: [0] };
}

test("a later order replaces the upgrade that is still to come, and no other", () => {
  const chain = startPoisoned(fixture, { versions: withSecond(1) });
  const upgrades = () => chain.app().head().committee.upgrades;
  chain.block(endS(0), order({ act: upgrade(2, 12) }));
  chain.block(endS(0), order({ act: upgrade(2, 20), sequence: 2 }));
  expect(upgrades()).toEqual([{ version: 2, height: 20 }]);
  while (chain.app().head().height < 19) chain.block(endS(0));
  expect(chain.app().head().chainVersion).toBe(2);
  expect(chain.codes(endS(0), order({ act: upgrade(2, 90), sequence: 3 }))).toEqual([54]);
  chain.block(endS(0), order({ act: upgrade(9, 90), sequence: 3 }));
  expect(upgrades()).toEqual([
    { version: 2, height: 20 },
    { version: 9, height: 90 },
  ]);
});

test.each([
  [1, 1],
  [9, 1],
  [10, 2],
  [11, 2],
  [19, 2],
  [20, 5],
  [1_000, 5],
])("at height %i version %i is in force", (height, version) => {
  const upgrades = [
    { version: 2, height: 10 },
    { version: 5, height: 20 },
  ];
  expect(versionAt({ genesisVersion: 1, upgrades }, height)).toBe(version);
  expect(versionAt({ genesisVersion: 3, upgrades: [] }, height)).toBe(3);
  expect(upgrades.length).toBeLessThan(CHAIN_UPGRADES_MAX);
});

/** Version 2: changed limits hold `noticeSlots` later. */
function withSecond(noticeSlots: number): VersionTable {
  const first = VERSIONS.get(1)!;
  return new Map([
    [1, first],
    [2, { ...first, limitsNoticeSlots: noticeSlots }],
  ]);
}

describe("a rule that changes with version 2", () => {
  const limits = { minSellUcPerWh: 11_000, maxBuyUcPerWh: 22_000 };
  const change = (regionIndex: number) =>
    fixture.limitsTransaction({ regionIndex, memberIndex: 0, nonce: 0, limits });
  const fromSlot = (chain: PoisonedChain, r: number) =>
    chain.app().lane(r).pendingLimits[0]?.fromSlot;
  const H = 12;
  const timeS = (endS(0) + 10) as UnixSeconds; // in slot 1

  test("holds from the activation height on, and not a block before", () => {
    const chain = startPoisoned(fixture, { versions: withSecond(3) });
    chain.block(endS(0), order({ act: upgrade(2, H) }));
    while (chain.app().head().height < H - 2) chain.block(timeS);
    chain.block(timeS, change(EAST)); // block H - 1
    chain.reopen();
    chain.block(timeS, change(WEST)); // block H
    expect(fromSlot(chain, EAST)).toBe(fixture.slotAtIndex(2));
    expect(fromSlot(chain, WEST)).toBe(fixture.slotAtIndex(4));
    expect(chain.app().info().nextVersion).toEqual({ version: 2, isKnown: true });
  });

  test("software that does not know it stops before that block, and loses nothing", () => {
    const old = startPoisoned(fixture);
    old.block(endS(0), order({ act: upgrade(2, H) }));
    while (old.app().head().height < H - 2) old.block(timeS);
    expect(old.app().info().nextVersion).toEqual({ version: 1, isKnown: true });
    old.block(timeS, change(EAST));
    const { appHash } = old.app().head();
    expect(old.app().info()).toMatchObject({ nextVersion: { version: 2, isKnown: false } });
    const block = { height: H, timeS, transactions: [change(WEST)] };
    const wanted = { code: "upgrade_required", facts: { version: 2, height: H } };
    expect(() => old.app().prepareProposal(block)).toThrow(expect.objectContaining(wanted));
    expect(() => old.app().finalizeBlock(block)).toThrow(expect.objectContaining(wanted));
    expect(old.app().processProposal(block)).toMatchObject({ accept: false });
    expect(old.app().checkTx(change(WEST)).code).toBe(0); // it waits for newer software
    expect(old.app().head().appHash).toEqual(appHash);
    // Newer software over the same records goes on as if it had always run.
    const create = (stored: ReadonlyMap<string, Uint8Array>) =>
      createApplication({ genesis: fixture.genesis, stored, versions: withSecond(3) });
    const newer = create(old.stored);
    const always = startPoisoned(fixture, { versions: withSecond(3) });
    always.block(endS(0), order({ act: upgrade(2, H) }));
    while (always.app().head().height < H - 2) always.block(timeS);
    always.block(timeS, change(EAST));
    always.block(timeS, change(WEST));
    expect(newer.finalizeBlock(block).appHash).toEqual(always.app().head().appHash);
  });
});

test("a bug repaired with a version: old blocks still quarantine, the lane comes back", () => {
  const bug = ({ regionIndex, version }: { regionIndex: number; version: number }) =>
    regionIndex === WEST && version === 1;
  const run = () => {
    const chain = startPoisoned(fixture, { poison: bug, versions: withSecond(1) });
    chain.block(endS(0), ...reports(0));
    chain.block(endS(0), order({ act: upgrade(2, 14) }));
    chain.block(endS(1), ...reports(1));
    // Too early: the bug is still the rule.
    const { laneFailures } = chain.block(endS(1), order({ act: release(WEST), sequence: 2 }));
    expect(laneFailures).toHaveLength(1);
    while (chain.app().head().height < 13) chain.block(endS(1));
    const { slotRecords } = chain.block(endS(1), order({ act: release(WEST), sequence: 3 }));
    expect(slotRecords.map(({ regionIndex }) => regionIndex)).toEqual([WEST, WEST]);
    expect(chain.app().head().lanesOut).toEqual([]);
    return toHex(chain.app().head().appHash);
  };
  expect(run()).toBe(run());
});
