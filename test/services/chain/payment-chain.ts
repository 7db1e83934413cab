/** A chain for payments: members with balances to start from, blocks by hand, what they left. */
import { expect } from "vitest";
import type { Finalized } from "../../../services/chain/abci.ts";
import { genesisNonces } from "../../../services/chain/admission.ts";
import { createApplication, type MarketApplication } from "../../../services/chain/application.ts";
import { EMPTY_COMMITTEE } from "../../../services/chain/committee-state.ts";
import { encodeLane, genesisLane } from "../../../services/chain/lane.ts";
import {
  decodeMessages,
  EMPTY_MESSAGES,
  encodeMessages,
  type MessageState,
} from "../../../services/chain/message-state.ts";
import { decodeEntries, type EntryRecord } from "../../../services/chain/payment-entries.ts";
import { waitingUc } from "../../../services/chain/payments.ts";
import { createRules } from "../../../services/chain/rules.ts";
import { rootedState } from "../../../services/chain/state.ts";
import { entryKey, laneKey, messagesKey } from "../../../services/chain/store-keys.ts";
import { headChange } from "../../../services/chain/stored-state.ts";
import { INSTITUTION } from "../../../services/ledger/accounts.ts";
import { fromHex } from "../../../services/primitives/bytes.ts";
import type { MicroCents, UnixSeconds } from "../../../services/primitives/units.ts";
import { encodePay } from "../../../services/wire/payment.ts";
import { transactionCodeName } from "../../../services/wire/refusals.ts";
import { createMarketFixture, type MarketFixture } from "../../support/market-fixture.ts";

export type Who = readonly [regionIndex: number, memberIndex: number];

/** Regions r0, r1, ... of so many members each. */
export function regionsOf(memberCounts: readonly number[]): MarketFixture {
  return createMarketFixture({
    label: `payments ${memberCounts}`,
    regions: memberCounts.map((count, r) => ({
      id: `r${r}`,
      limits: Array(count).fill(undefined),
    })),
  });
}

export type Opening = {
  /** Balances of members; the retailer of their region owes them. */
  readonly membersUc?: readonly (readonly bigint[])[];
  /** Balances with the neighbours, by region; the retailer stands against them. */
  readonly neighboursUc?: readonly bigint[];
  readonly messages?: (regionIndex: number) => MessageState;
};

export const OPENING_HEIGHT = 7;

/** The records of a chain that stands at OPENING_HEIGHT with these balances. */
export function openingRecords(fixture: MarketFixture, opening: Opening): Map<string, Uint8Array> {
  const rules = createRules(fixture.genesis);
  const lanes = fixture.genesis.regions.map((_, r) => {
    const lane = genesisLane(rules, r);
    const { memberUc, institutionUc } = lane.columns;
    opening.membersUc?.[r]?.forEach((uc, m) => {
      memberUc[m] = uc;
      institutionUc[INSTITUTION.retailer]! -= uc;
    });
    const neighboursUc = opening.neighboursUc?.[r] ?? 0n;
    institutionUc[INSTITUTION.neighbours]! += neighboursUc;
    institutionUc[INSTITUTION.retailer]! -= neighboursUc;
    return { ...lane, messages: opening.messages?.(r) ?? EMPTY_MESSAGES };
  });
  const timeS = fixture.genesis.genesisTimeS as UnixSeconds;
  const nonces = fixture.genesis.regions.map(({ members }) => genesisNonces(members.length));
  const state = rootedState({
    ...{ height: OPENING_HEIGHT, timeS, lanes, nonces },
    committee: EMPTY_COMMITTEE,
  });
  const head = headChange(rules, state);
  return new Map([
    [head.key, head.value!],
    ...lanes.flatMap((lane, r): [string, Uint8Array][] => [
      [laneKey(r), encodeLane(r, lane)],
      [messagesKey(r), encodeMessages(r, lane.messages)],
    ]),
  ]);
}

export type PaymentChain = {
  readonly app: MarketApplication;
  readonly stored: Map<string, Uint8Array>;
  /** The next transaction of the payer; amounts and addresses may be wrong. */
  pay(payer: Who, payee: Who | Uint8Array, amountUc: bigint): Uint8Array;
  /** One block at an unchanged time; answers the names of the codes. */
  block(...transactions: readonly Uint8Array[]): string[];
  finalize(transactions: readonly Uint8Array[]): Finalized;
  /** Empty blocks until one changes nothing; answers how many changed something. */
  drain(): number;
  balanceUc(who: Who): bigint;
  neighboursUc(regionIndex: number): bigint;
  messages(regionIndex: number): MessageState;
  /** Money in flight, over all inboxes. */
  inFlightUc(): bigint;
  entries(regionIndex: number, height: number): EntryRecord | null;
  /** The same chain, started again from what was persisted. */
  restarted(): PaymentChain;
};

const decoded = new WeakMap<Uint8Array, MessageState>();

export function startPayments(
  fixture: MarketFixture,
  stored: Map<string, Uint8Array>,
): PaymentChain {
  const { genesis } = fixture;
  const app = createApplication({ genesis, stored });
  const signed = new Map<string, number>(); // transactions by payer, since the last block
  const messages = (regionIndex: number) => {
    const record = stored.get(messagesKey(regionIndex));
    if (record === undefined) return EMPTY_MESSAGES;
    const known = decoded.get(record) ?? decodeMessages(regionIndex, record);
    decoded.set(record, known);
    return known;
  };
  const finalize = (transactions: readonly Uint8Array[]) => {
    const { height, timeS } = app.head();
    const finalized = app.finalizeBlock({ height: height + 1, timeS, transactions });
    for (const { key, value } of app.commit().changes) {
      if (value === null) stored.delete(key);
      else stored.set(key, value);
    }
    signed.clear();
    return finalized;
  };
  return {
    app,
    stored,
    pay([regionIndex, memberIndex], payee, amountUc) {
      const key = `${regionIndex}/${memberIndex}`;
      const before = signed.get(key) ?? 0;
      signed.set(key, before + 1);
      const nonce = app.nonce(addressOf(fixture, [regionIndex, memberIndex])) + before;
      const to = payee instanceof Uint8Array ? payee : addressOf(fixture, payee);
      const data = encodePay({ to, amountUc: amountUc as MicroCents });
      return fixture.callTransaction({ regionIndex, memberIndex, nonce, data });
    },
    block: (...transactions) =>
      finalize(transactions).results.map(({ code }) => transactionCodeName(code)),
    finalize,
    drain() {
      for (let blocks = 0; ; blocks++) {
        const before = app.head().appHash;
        const { appHash } = finalize([]);
        if (Buffer.from(appHash).equals(before)) return blocks;
        expect(blocks).toBeLessThan(1000);
      }
    },
    balanceUc: ([r, m]) => app.lane(r).memberBalanceUc[m]!,
    neighboursUc: (r) => app.lane(r).neighboursBalanceUc,
    messages,
    inFlightUc: () =>
      genesis.regions.reduce((sumUc, _, r) => sumUc + waitingUc(messages(r).inbox), 0n),
    entries(regionIndex, height) {
      const record = stored.get(entryKey(regionIndex, height));
      return record === undefined ? null : decodeEntries({ regionIndex, height }, record);
    },
    restarted: () => startPayments(fixture, new Map(stored)),
  };
}

export function addressOf({ genesis }: MarketFixture, [regionIndex, memberIndex]: Who): Uint8Array {
  return fromHex(genesis.regions[regionIndex]!.members[memberIndex]!.address);
}
