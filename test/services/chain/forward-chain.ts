/** A chain for forward tests: places orders, holds gates, reports slots, by slot index. */
import { expect } from "vitest";
import { createApplication, type MarketApplication } from "../../../services/chain/application.ts";
import type { UnixSeconds } from "../../../services/primitives/units.ts";
import {
  encodeCancelOrder,
  encodePlaceOrder,
  FORWARD_SIDE,
} from "../../../services/wire/forward-order.ts";
import type { SlotRecord } from "../../../services/wire/slot-record.ts";
import type { MarketFixture } from "../../support/market-fixture.ts";

export type TestOrder = {
  readonly regionIndex: number;
  readonly memberIndex: number;
  readonly side: keyof typeof FORWARD_SIDE;
  readonly limitUcPerWh: number;
  readonly energyWh: number;
  readonly slotIndex?: number; // default: 3
};

export type ForwardChain = {
  readonly app: MarketApplication;
  place(order: TestOrder): Uint8Array;
  cancel(order: {
    readonly regionIndex: number;
    readonly memberIndex: number;
    readonly orderId: number;
    readonly slotIndex?: number;
  }): Uint8Array;
  /** One block; answers the codes. */
  codes(timeS: number, ...transactions: Uint8Array[]): number[];
  /** One block in which every transaction must execute. */
  block(timeS: number, ...transactions: Uint8Array[]): readonly SlotRecord[];
  /** When the slot's gate closes. */
  gateS(slotIndex: number): number;
  /** What was persisted so far. */
  readonly stored: ReadonlyMap<string, Uint8Array>;
};

const SLOT_INDEX = 3;

export function startForward(fixture: MarketFixture): ForwardChain {
  const app = createApplication({ genesis: fixture.genesis, stored: new Map() });
  app.initChain();
  const nonces = new Map<string, number>();
  const stored = new Map<string, Uint8Array>();
  const call = (member: { regionIndex: number; memberIndex: number }, data: Uint8Array) => {
    const key = `${member.regionIndex}/${member.memberIndex}`;
    const nonce = nonces.get(key) ?? 0;
    nonces.set(key, nonce + 1);
    return fixture.callTransaction({ ...member, nonce, data });
  };
  const finalize = (timeS: number, transactions: readonly Uint8Array[]) => {
    const height = app.head().height + 1;
    const finalized = app.finalizeBlock({ height, timeS: timeS as UnixSeconds, transactions });
    for (const { key, value } of app.commit().changes) {
      if (value === null) stored.delete(key);
      else stored.set(key, value);
    }
    return finalized;
  };
  return {
    app,
    stored,
    place({ side, limitUcPerWh, energyWh, slotIndex, ...member }) {
      const slot = fixture.slotAtIndex(slotIndex ?? SLOT_INDEX);
      const order = { slot, side: FORWARD_SIDE[side], limitUcPerWh, energyWh };
      return call(member, encodePlaceOrder(order));
    },
    cancel({ orderId, slotIndex, ...member }) {
      const slot = fixture.slotAtIndex(slotIndex ?? SLOT_INDEX);
      return call(member, encodeCancelOrder({ slot, orderId }));
    },
    codes: (timeS, ...transactions) => finalize(timeS, transactions).results.map((r) => r.code),
    block(timeS, ...transactions) {
      const { results, slotRecords } = finalize(timeS, transactions);
      expect(results.map(({ code, info }) => `${code}${info}`)).toEqual(
        transactions.map(() => "0"),
      );
      return slotRecords;
    },
    gateS: (slotIndex) => fixture.slotEndS(slotIndex - 2), // a slot before the slot's start
  };
}
