/**
 * The law of a small market, written down a second time: what a transaction in a block must answer,
 * which limits hold in a slot, which orders meet in a forward auction. Numbers and arrays only; no
 * code of `services/chain` or `services/settlement`.
 */
import { toHex } from "../../../services/primitives/bytes.ts";
import { decodeCancelOrder, decodePlaceOrder } from "../../../services/wire/forward-order.ts";
import type { Genesis } from "../../../services/wire/genesis.ts";
import { TRANSACTION_CODE } from "../../../services/wire/refusals.ts";
import { decodeReportTransaction, type Report } from "../../../services/wire/report.ts";
import {
  decodeMemberTransaction,
  decodeSetLimits,
  type Limits,
  regionOfMarket,
} from "../../../services/wire/transaction.ts";

export type Order = {
  readonly id: number;
  readonly slot: number;
  readonly member: number;
  readonly isBid: boolean;
  readonly limitUcPerWh: number;
  energyWh: number;
};

export type LawOfRegion = {
  readonly limits: Limits[]; // in force, by member
  readonly pending: ({ readonly fromSlot: number; readonly limits: Limits } | null)[];
  readonly nonces: number[];
  readonly reports: { readonly report: Report; readonly bytes: Uint8Array }[]; // not cleared yet
  reported: number; // reports so far
  orders: Order[]; // open
  orderCount: number; // placed so far
  /** What met in an auction whose slot has not settled yet: orders less their own crossings. */
  readonly auctions: Map<number, readonly Order[]>;
};

export class Law {
  readonly genesis: Genesis;
  readonly regions: readonly LawOfRegion[];
  readonly #genesisSlot: number;
  cleared = 0; // slots

  constructor(genesis: Genesis) {
    this.genesis = genesis;
    this.#genesisSlot = genesis.genesisTimeS / genesis.slotS;
    this.regions = genesis.regions.map(({ members }) => ({
      limits: members.map((member) => ({
        minSellUcPerWh: member.limits?.minSellUcPerWh ?? genesis.feedInUcPerWh,
        maxBuyUcPerWh: member.limits?.maxBuyUcPerWh ?? genesis.retailUcPerWh,
      })),
      pending: members.map(() => null),
      nonces: members.map(() => 0),
      reports: [],
      reported: 0,
      orders: [],
      orderCount: 0,
      auctions: new Map(),
    }));
  }

  /** Every gate that has closed at a block's time: open orders meet, before its transactions. */
  closeGates(timeS: number): void {
    const { slotS } = this.genesis;
    const last = Math.floor((timeS + this.genesis.forward!.gateClosureS!) / slotS);
    const due = new Set(this.regions.flatMap(({ orders }) => orders.map((order) => order.slot)));
    for (const slot of [...due].filter((one) => one <= last)) {
      for (const region of this.regions) {
        const meeting = region.orders.filter((order) => order.slot === slot);
        region.orders = region.orders.filter((order) => order.slot !== slot);
        region.auctions.set(slot, withoutOwnTrade(meeting));
      }
    }
  }

  /** The code a transaction must have in this block; takes its effect where that is 0. */
  execute(bytes: Uint8Array, timeS: number): number {
    if (bytes[0] === 0x67) return this.#executeReport(bytes, timeS);
    const { sender, nonce, to, data } = decodeMemberTransaction(bytes);
    const [r, m] = this.#memberOf(sender!);
    const region = this.regions[r]!;
    if (nonce < region.nonces[m]!) return TRANSACTION_CODE.nonce_stale;
    if (nonce > region.nonces[m]!) return TRANSACTION_CODE.nonce_gapped;
    if (regionOfMarket(to) !== r) return TRANSACTION_CODE.member_elsewhere;
    const code = this.#executeCall(region, m, data, timeS);
    if (code === TRANSACTION_CODE.ok) region.nonces[m]!++;
    return code;
  }

  #executeCall(region: LawOfRegion, m: number, data: Uint8Array, timeS: number): number {
    const { slotS, forward } = this.genesis;
    const limits = decodeSetLimits(data);
    if (limits !== null) {
      if (region.pending[m] !== null) return TRANSACTION_CODE.limits_pending;
      region.pending[m] = { fromSlot: Math.floor(timeS / slotS) + 1, limits };
      return TRANSACTION_CODE.ok;
    }
    const order = decodePlaceOrder(data);
    const cancel = decodeCancelOrder(data);
    const slot = (order ?? cancel)!.slot;
    const firstOpen = Math.floor((timeS + forward!.gateClosureS!) / slotS) + 1;
    if (slot < Math.max(firstOpen, this.#genesisSlot)) return TRANSACTION_CODE.gate_closed;
    if (order !== null) {
      if (slot * slotS - timeS > forward!.horizonS!) return TRANSACTION_CODE.slot_beyond_horizon;
      const { limitUcPerWh, energyWh } = order;
      const id = ++region.orderCount;
      region.orders.push({ id, slot, member: m, isBid: order.side === 0, limitUcPerWh, energyWh });
      return TRANSACTION_CODE.ok;
    }
    const isTheirs = ({ id, slot: at, member }: Order) =>
      id === cancel!.orderId && at === slot && member === m;
    if (!region.orders.some(isTheirs)) return TRANSACTION_CODE.order_unknown;
    region.orders = region.orders.filter((one) => !isTheirs(one));
    return TRANSACTION_CODE.ok;
  }

  #executeReport(bytes: Uint8Array, timeS: number): number {
    const { report, reportBytes } = decodeReportTransaction(bytes);
    const region = this.regions[report.regionIndex]!;
    if (report.slot !== this.#genesisSlot + region.reported) {
      return TRANSACTION_CODE.report_unordered;
    }
    if ((report.slot + 1) * this.genesis.slotS > timeS) return TRANSACTION_CODE.report_premature;
    region.reports.push({ report, bytes: reportBytes });
    region.reported++;
    return TRANSACTION_CODE.ok;
  }

  /** The next slot that every region has reported, with the limits that hold in it; or null. */
  nextDue(): number | null {
    if (this.regions.some(({ reported }) => reported <= this.cleared)) return null;
    const slot = this.#genesisSlot + this.cleared++;
    for (const { pending, limits } of this.regions) {
      pending.forEach((change, m) => {
        if (change === null || change.fromSlot > slot) return;
        limits[m] = change.limits;
        pending[m] = null;
      });
    }
    return slot;
  }

  #memberOf(address: Uint8Array): readonly [number, number] {
    const wanted = toHex(address);
    for (const [r, { members }] of this.genesis.regions.entries()) {
      const m = members.findIndex((member) => member.address === wanted);
      if (m >= 0) return [r, m];
    }
    throw new Error(`the chain executed a transaction of nobody: ${wanted}`);
  }
}

/** A member's dearest bid and cheapest ask go against each other, Wh by Wh, while they cross. */
function withoutOwnTrade(orders: readonly Order[]): Order[] {
  const left = orders.map((order) => ({ ...order }));
  for (const member of new Set(left.map((order) => order.member))) {
    for (;;) {
      const own = left.filter((order) => order.member === member && order.energyWh > 0);
      const bid = best(
        own.filter(({ isBid }) => isBid),
        -1,
      );
      const ask = best(
        own.filter(({ isBid }) => !isBid),
        1,
      );
      if (bid === null || ask === null || bid.limitUcPerWh < ask.limitUcPerWh) break;
      const wh = Math.min(bid.energyWh, ask.energyWh);
      bid.energyWh -= wh;
      ask.energyWh -= wh;
    }
  }
  return left.filter((order) => order.energyWh > 0);
}

function best(orders: Order[], sign: number): Order | null {
  let found: Order | null = null;
  for (const order of orders) {
    const isBetter =
      found === null ||
      sign * (order.limitUcPerWh - found.limitUcPerWh) < 0 ||
      (order.limitUcPerWh === found.limitUcPerWh && order.id < found.id);
    if (isBetter) found = order;
  }
  return found;
}
