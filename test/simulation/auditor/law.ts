/**
 * The law of a small market, written down a second time: what a transaction in a block must answer,
 * which limits hold in a slot, which orders meet in a forward auction. Numbers and arrays only; no
 * code of `services/chain` or `services/settlement`.
 */
import { toHex } from "../../../services/primitives/bytes.ts";
import { decodeCommitteeOrderTransaction } from "../../../services/wire/committee-order.ts";
import { decodeCancelOrder, decodePlaceOrder } from "../../../services/wire/forward-order.ts";
import type { Genesis } from "../../../services/wire/genesis.ts";
import { decodePay } from "../../../services/wire/payment.ts";
import { TRANSACTION_CODE } from "../../../services/wire/refusals.ts";
import { decodeReportTransaction, type Report } from "../../../services/wire/report.ts";
import {
  decodeMemberTransaction,
  decodeSetLimits,
  type Limits,
  regionOfMarket,
} from "../../../services/wire/transaction.ts";
import type { Payments } from "./payments.ts";

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
  cleared: number; // slots so far
  standing: Standing;
  out: Out | null; // null: in the market
};

export type Standing = "in the market" | "quarantined" | "catching up";

/** Where a lane broke. */
export type Out = { readonly slot: number; readonly step: "open" | "close" };

/** What met in a forward auction: orders less their own crossings, of who was in the market. */
export type Auction = {
  readonly present: readonly boolean[]; // by region
  readonly orders: readonly (readonly Order[])[]; // by region
};

/** A slot that a block must clear, and over which regions: rising, one at least. */
export type DueSlot = { readonly slot: number; readonly regions: readonly number[] };

/** The truth about broken lanes. */
export type PoisonAt = (at: {
  readonly region: number;
  readonly slot: number;
  readonly height: number;
}) => Out["step"] | null;

/** Slots that a released lane clears in one block, at most. */
const CATCH_UP_MAX = 32;

export class Law {
  readonly genesis: Genesis;
  readonly regions: readonly LawOfRegion[];
  readonly #genesisSlot: number;
  readonly auctions = new Map<number, Auction>(); // by slot
  executedOrders = 0; // of the committee
  readonly #poisonAt: PoisonAt;
  readonly #payments: Payments;

  constructor(
    genesis: Genesis,
    parts: { readonly poisonAt: PoisonAt; readonly payments: Payments },
  ) {
    this.genesis = genesis;
    this.#poisonAt = parts.poisonAt;
    this.#payments = parts.payments;
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
      cleared: 0,
      standing: "in the market",
      out: null,
    }));
  }

  /** Every gate that has closed at a block's time: open orders meet, before its transactions. */
  closeGates(timeS: number): void {
    const { slotS } = this.genesis;
    const last = Math.floor((timeS + this.genesis.forward!.gateClosureS!) / slotS);
    const due = new Set(this.regions.flatMap(({ orders }) => orders.map((order) => order.slot)));
    for (const slot of [...due].filter((one) => one <= last)) {
      const present = this.regions.map(({ standing }) => standing === "in the market");
      const orders = this.regions.map((region, r) => {
        const meeting = region.orders.filter((order) => order.slot === slot);
        region.orders = region.orders.filter((order) => order.slot !== slot);
        return present[r] ? withoutOwnTrade(meeting) : []; // one that is out does not trade
      });
      this.auctions.set(slot, { present, orders });
    }
  }

  /** What was sent to regions in the market arrives, before a block's transactions. */
  deliver(): void {
    this.#payments.deliver((r) => this.regions[r]!.standing === "in the market");
  }

  /** The code a transaction must have in this block; takes its effect where that is 0. */
  execute(bytes: Uint8Array, timeS: number): number {
    if (bytes[0] === 0x67) return this.#executeReport(bytes, timeS);
    if (bytes[0] === 0x68) return this.#executeCommitteeOrder(bytes);
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
    const pay = decodePay(data);
    if (pay !== null) {
      if (region.standing !== "in the market") return TRANSACTION_CODE.lane_quarantined;
      return this.#payments.pay([this.regions.indexOf(region), m], pay);
    }
    const order = decodePlaceOrder(data);
    const cancel = decodeCancelOrder(data);
    const slot = (order ?? cancel)!.slot;
    const firstOpen = Math.floor((timeS + forward!.gateClosureS!) / slotS) + 1;
    if (slot < Math.max(firstOpen, this.#genesisSlot)) return TRANSACTION_CODE.gate_closed;
    if (order !== null) {
      if (slot * slotS - timeS > forward!.horizonS!) return TRANSACTION_CODE.slot_beyond_horizon;
      if (region.standing !== "in the market") return TRANSACTION_CODE.lane_quarantined;
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

  /** Releases alone: nobody here orders anything else. */
  #executeCommitteeOrder(bytes: Uint8Array): number {
    const { sequence, act } = decodeCommitteeOrderTransaction(bytes).order;
    if (sequence <= this.executedOrders) return TRANSACTION_CODE.committee_order_replayed;
    if (sequence > this.executedOrders + 1) return TRANSACTION_CODE.committee_order_gapped;
    const region = act.kind === "release" ? this.regions[act.regionIndex] : undefined;
    if (region?.standing !== "quarantined") return TRANSACTION_CODE.release_invalid;
    region.standing = "catching up";
    this.executedOrders++;
    return TRANSACTION_CODE.ok;
  }

  /**
   * What a block clears, in order: first each released region what it has missed, on its own; then
   * the regions in the market together. Each slot has its effect here as it is taken.
   */
  *due(height: number): Generator<DueSlot> {
    const furthest = Math.max(...this.regions.map(({ cleared }) => cleared));
    for (const [r, region] of this.regions.entries()) {
      for (let n = 0; n < CATCH_UP_MAX && region.standing === "catching up"; n++) {
        if (region.cleared === furthest || region.reported === region.cleared) break;
        yield* this.#clear(region.cleared, [r], height);
      }
      if (region.standing === "catching up" && region.cleared === furthest) {
        region.standing = "in the market";
        region.out = null;
      }
    }
    for (;;) {
      const together = [...this.regions.keys()].filter(
        (r) => this.regions[r]!.standing === "in the market",
      );
      const next = Math.max(...together.map((r) => this.regions[r]!.cleared));
      if (together.length === 0 || together.some((r) => this.regions[r]!.reported <= next)) return;
      yield* this.#clear(next, together, height);
    }
  }

  /** The slot over those whose lanes do not break in it; the others are out from here on. */
  *#clear(index: number, regions: readonly number[], height: number): Generator<DueSlot> {
    const slot = this.#genesisSlot + index;
    const whole = regions.filter((r) => {
      const step = this.#poisonAt({ region: r, slot, height });
      if (step === null) return true;
      this.regions[r]!.standing = "quarantined";
      this.regions[r]!.out = { slot, step };
      return false;
    });
    for (const r of whole) {
      const { pending, limits } = this.regions[r]!;
      pending.forEach((change, m) => {
        if (change === null || change.fromSlot > slot) return;
        limits[m] = change.limits;
        pending[m] = null;
      });
      this.regions[r]!.cleared++;
    }
    if (whole.length > 0) yield { slot, regions: whole };
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
