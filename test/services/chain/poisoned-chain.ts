/**
 * A chain whose lanes can be poisoned, for tests: blocks one after another, what was persisted, and
 * after each block the law of conservation between regions. Opened again from what was persisted,
 * it must stand where it stood.
 */
import { expect } from "vitest";
import type { Finalized } from "../../../services/chain/abci.ts";
import { createApplication, type MarketApplication } from "../../../services/chain/application.ts";
import { wholeRecords } from "../../../services/chain/change-records.ts";
import { outstandingUc } from "../../../services/chain/outstanding.ts";
import { createRules } from "../../../services/chain/rules.ts";
import { isStateKey } from "../../../services/chain/store-keys.ts";
import { loadState } from "../../../services/chain/stored-state.ts";
import type { VersionTable } from "../../../services/chain/versions.ts";
import type { UnixSeconds } from "../../../services/primitives/units.ts";
import type { SlotRecord } from "../../../services/wire/slot-record.ts";
import type { MarketFixture } from "../../support/market-fixture.ts";
import { type Poison, poisonedExecutor } from "../../support/poisoned-executor.ts";

export type PoisonedChain = {
  app(): MarketApplication;
  /** What is poisoned from now on. */
  poison: Poison;
  readonly stored: ReadonlyMap<string, Uint8Array>;
  readonly records: readonly SlotRecord[]; // all so far
  /** Of the last block. */
  outstandingUc: bigint;
  /** One block in which every transaction must execute. */
  block(timeS: number, ...transactions: Uint8Array[]): Finalized;
  /** One block; answers the codes. */
  codes(timeS: number, ...transactions: Uint8Array[]): number[];
  release(regionIndex: number): Uint8Array;
  /** Starts again from what was persisted. */
  reopen(): void;
};

export function startPoisoned(
  fixture: MarketFixture,
  options: { readonly poison?: Poison; readonly versions?: VersionTable } = {},
): PoisonedChain {
  const { genesis } = fixture;
  const rules = createRules(genesis);
  const stored = new Map<string, Uint8Array>();
  const records: SlotRecord[] = [];
  const open = () =>
    createApplication({
      genesis,
      stored: new Map([...stored].filter(([key]) => isStateKey(key))),
      executor: poisonedExecutor((at) => chain.poison(at)),
      ...(options.versions === undefined ? {} : { versions: options.versions }),
    });
  const chain: PoisonedChain = {
    app: () => app,
    poison: options.poison ?? (() => false),
    stored,
    records,
    outstandingUc: 0n,
    block(timeS, ...transactions) {
      const finalized = finalize(timeS, transactions);
      const results = finalized.results.map(({ code, info }) => `${code}${info}`);
      expect(results).toEqual(transactions.map(() => "0"));
      return finalized;
    },
    codes: (timeS, ...transactions) => finalize(timeS, transactions).results.map((r) => r.code),
    release: (regionIndex) =>
      fixture.committeeTransaction({
        act: { kind: "release", regionIndex },
        sequence: app.head().committee.nextSequence,
      }),
    reopen() {
      const { appHash } = app.head();
      app = open();
      expect(app.head().appHash).toEqual(appHash);
    },
  };
  const finalize = (timeS: number, transactions: readonly Uint8Array[]): Finalized => {
    const height = app.head().height + 1;
    const finalized = app.finalizeBlock({ height, timeS: timeS as UnixSeconds, transactions });
    for (const { key, value } of app.commit().changes) {
      if (value === null) stored.delete(key);
      else stored.set(key, value);
    }
    records.push(...finalized.slotRecords);
    conserve();
    return finalized;
  };
  /** What regions owe each other, in accounts and outstanding, is zero; so is each lane's sum. */
  const conserve = () => {
    const lanes = genesis.regions.map((_, r) => app.lane(r));
    const owedUc = lanes.reduce((sum, lane) => sum + lane.neighboursBalanceUc, 0n);
    const state = loadState(rules, wholeRecords(stored))!;
    chain.outstandingUc = outstandingUc(rules, state.lanes);
    expect(owedUc + chain.outstandingUc).toBe(0n);
    for (const lane of lanes) {
      const membersUc = lane.memberBalanceUc.reduce((sum, uc) => sum + uc, 0n);
      const institutionsUc =
        lane.retailerBalanceUc +
        lane.neighboursBalanceUc +
        lane.gridOperatorBalanceUc +
        lane.treasuryBalanceUc;
      expect(membersUc + institutionsUc).toBe(0n);
    }
  };
  let app = open();
  app.initChain();
  return chain;
}

/** What a slot came to in a region, without the block's height and names of other chains. */
export function outcomeOf(record: SlotRecord) {
  const { bills, priceUcPerWh, tradedWh, retailerUc, neighboursUc, gridOperatorUc, treasuryUc } =
    record;
  const { importWh, exportWh, inflowWh, outflowWh, minSellUcPerWh, maxBuyUcPerWh } = record;
  return {
    ...{ bills, priceUcPerWh, tradedWh, retailerUc, neighboursUc, gridOperatorUc, treasuryUc },
    ...{ importWh, exportWh, inflowWh, outflowWh, minSellUcPerWh, maxBuyUcPerWh },
  };
}
