/**
 * Judges one transaction against a state: an effect, or the first code that applies. Judging
 * changes nothing, so the mempool and the block use the same function, and a refused transaction
 * leaves no trace. Order of the checks = order of TRANSACTION_CODE.
 */
import { toHex0x } from "../primitives/bytes.ts";
import { GridError } from "../primitives/errors.ts";
import { TRANSACTION_BYTES_MAX } from "../primitives/limits.ts";
import { type Slot, slotAt, slotEndS, type UnixSeconds } from "../primitives/units.ts";
import {
  type CancelOrder,
  decodeCancelOrder,
  decodePlaceOrder,
  FORWARD_SIDE,
  type PlaceOrder,
} from "../wire/forward-order.ts";
import { TRANSACTION_CODE, type TransactionCodeName } from "../wire/refusals.ts";
import {
  decodeReportTransaction,
  REPORT_TRANSACTION_TYPE,
  type Report,
  type ReportTransaction,
} from "../wire/report.ts";
import {
  decodeSetLimits,
  type Limits,
  MEMBER_TRANSACTION_TYPE,
  regionOfMarket,
  type SignedMemberTransaction,
} from "../wire/transaction.ts";
import type { TransactionResult } from "./abci.ts";
import { type MemberPlace, memberAt } from "./admission.ts";
import type { MemberReader } from "./admission-facts.ts";
import type { CertificateCheck } from "./certificates.ts";
import type { ForwardReader } from "./forward-book.ts";
import { cancelRefusal, placeRefusal } from "./forward-orders.ts";
import type { ForwardOrder } from "./forward-state.ts";
import {
  clearedSlots,
  type Lane,
  type PendingReport,
  pendingReport,
  reportedSlots,
} from "./lane.ts";
import { PENDING_REPORTS_PER_LANE_MAX } from "./lane-root.ts";
import { CLEARED_SLOTS_MAX } from "./light-client/paths.ts";
import type { Rules } from "./rules.ts";

/** What a transaction is judged against. */
export type JudgedState = {
  lane(regionIndex: number): Lane;
  nonce(place: MemberPlace): bigint;
  forward(regionIndex: number): ForwardReader;
};

export type Judge = {
  readonly rules: Rules;
  readonly certifies: CertificateCheck;
  readonly members: MemberReader;
  readonly state: JudgedState;
  readonly timeS: UnixSeconds | null; // the block's; null before there is one (mempool)
  readonly notBeforeS: UnixSeconds; // the block's time, or before there is one the last block's
};

export type Effect =
  | { readonly kind: "limits"; readonly place: MemberPlace; readonly limits: Limits }
  | {
      readonly kind: "place order";
      readonly place: MemberPlace;
      readonly order: Omit<ForwardOrder, "id">;
    }
  | {
      readonly kind: "cancel order";
      readonly place: MemberPlace;
      readonly order: { readonly slot: Slot; readonly id: number };
    }
  | { readonly kind: "report"; readonly regionIndex: number; readonly report: PendingReport };

export type Verdict =
  | { readonly effect: Effect; readonly result: TransactionResult }
  | { readonly effect: null; readonly result: TransactionResult };

/** Never throws for any bytes. */
export function judgeTransaction(judge: Judge, bytes: Uint8Array): Verdict {
  if (bytes.length > TRANSACTION_BYTES_MAX) {
    return refuse("oversized", `${bytes.length} bytes, at most ${TRANSACTION_BYTES_MAX}`);
  }
  if (bytes[0] === REPORT_TRANSACTION_TYPE) {
    const transaction = decoded(() => decodeReportTransaction(bytes));
    return "refusal" in transaction ? transaction.refusal : judgeReport(judge, transaction.value);
  }
  if (bytes[0] === MEMBER_TRANSACTION_TYPE) {
    const transaction = decoded(() => judge.members(bytes));
    return "refusal" in transaction ? transaction.refusal : judgeMember(judge, transaction.value);
  }
  return refuse("malformed", "unknown transaction type");
}

function decoded<T>(read: () => T): { readonly value: T } | { readonly refusal: Verdict } {
  try {
    return { value: read() };
  } catch (failure) {
    if (!(failure instanceof GridError)) throw failure;
    return { refusal: refuse("malformed", failure.message) };
  }
}

function judgeMember(judge: Judge, transaction: SignedMemberTransaction): Verdict {
  const { rules, state } = judge;
  const { chainId, nonce, to, data, sender } = transaction;
  if (chainId !== rules.genesis.chainId) {
    return refuse("chain_mismatched", `chain id ${chainId}, here ${rules.genesis.chainId}`);
  }
  if (sender === null) return refuse("signature_invalid", "the signature recovers no key");
  const place = memberAt(rules.directory, sender);
  if (place === null) return refuse("sender_unknown", `no member has ${toHex0x(sender)}`);
  const next = state.nonce(place);
  if (BigInt(nonce) < next) return refuse("nonce_stale", `nonce ${nonce}, next is ${next}`);
  if (BigInt(nonce) > next) return refuse("nonce_gapped", `nonce ${nonce}, next is ${next}`);
  const regionIndex = regionOfMarket(to);
  if (regionIndex === null || regionIndex >= rules.regions.length) {
    return refuse("destination_unknown", `no region's market at ${toHex0x(to)}`);
  }
  const call = decodeCall(data);
  if (call === null) return refuse("call_unknown", "no call of a market, or prices out of range");
  if (regionIndex !== place.regionIndex) {
    return refuse("member_elsewhere", `a member of region ${place.regionIndex}`);
  }
  return judgeCall(judge, place, call);
}

type Call =
  | { readonly kind: "limits"; readonly limits: Limits }
  | { readonly kind: "place order"; readonly order: PlaceOrder }
  | { readonly kind: "cancel order"; readonly cancel: CancelOrder };

function decodeCall(data: Uint8Array): Call | null {
  const limits = decodeSetLimits(data);
  if (limits !== null) return { kind: "limits", limits };
  const order = decodePlaceOrder(data);
  if (order !== null) return { kind: "place order", order };
  const cancel = decodeCancelOrder(data);
  return cancel === null ? null : { kind: "cancel order", cancel };
}

function judgeCall(judge: Judge, place: MemberPlace, call: Call): Verdict {
  const { rules, state, timeS, notBeforeS } = judge;
  const { regionIndex, memberIndex } = place;
  if (call.kind === "limits") return judgeLimits(judge, place, call.limits);
  const book = state.forward(regionIndex);
  const nextToClear = (rules.firstSlot + clearedSlots(state.lane(regionIndex))) as Slot;
  const orders = { rules, book, place, nextToClear, timeS, notBeforeS };
  if (call.kind === "place order") {
    const refusal = placeRefusal(orders, call.order);
    if (refusal !== null) return refuse(refusal.code, refusal.info);
    const { limitUcPerWh, energyWh } = call.order;
    const slot = call.order.slot as Slot;
    const side = call.order.side === FORWARD_SIDE.bid ? FORWARD_SIDE.bid : FORWARD_SIDE.ask;
    const order = { slot, memberIndex, side, limitUcPerWh, energyWh };
    return accept({ kind: "place order", place, order });
  }
  const refusal = cancelRefusal(orders, call.cancel);
  if (refusal !== null) return refuse(refusal.code, refusal.info);
  const order = { slot: call.cancel.slot as Slot, id: call.cancel.orderId };
  return accept({ kind: "cancel order", place, order });
}

function judgeLimits({ state }: Judge, place: MemberPlace, limits: Limits): Verdict {
  const { columns } = state.lane(place.regionIndex);
  const pending = columns.pendingFromSlot[place.memberIndex]!;
  if (pending !== 0n) {
    return refuse("limits_pending", `an earlier change waits for slot ${pending} to clear`);
  }
  return accept({ kind: "limits", place, limits });
}

function judgeReport(judge: Judge, transaction: ReportTransaction): Verdict {
  const { rules, state, timeS } = judge;
  const { report } = transaction;
  const region = rules.regions[report.regionIndex];
  if (region === undefined) return refuse("report_malformed", `no region ${report.regionIndex}`);
  const { meterCount } = region.roster;
  if (report.importWh.length !== meterCount) {
    return refuse("report_malformed", `${report.importWh.length} meters, region: ${meterCount}`);
  }
  const unordered = orderRefusal(rules, state.lane(report.regionIndex), report.slot);
  if (unordered !== null) return refuse("report_unordered", unordered);
  if (!judge.certifies(transaction)) {
    return refuse("certificate_invalid", `no quorum of ${rules.committee.quorum} signed this`);
  }
  const { configDigest } = rules.committee;
  if (report.configDigest.some((byte, i) => byte !== configDigest[i])) {
    return refuse("config_mismatched", "made under another oracle configuration");
  }
  const endS = slotEndS(report.slot, rules.genesis.slotS);
  if (timeS !== null && endS > timeS) {
    return refuse("report_premature", `slot ${report.slot} ends at ${endS}, now ${timeS}`);
  }
  const late = lateRefusal(rules, report);
  if (late !== null) return refuse("late_invalid", late);
  const { regionIndex } = report;
  const bytes = transaction.reportBytes.slice(); // the caller keeps its own
  return accept({ kind: "report", regionIndex, report: pendingReport(bytes) });
}

function orderRefusal(rules: Rules, lane: Lane, slot: Slot): string | null {
  const reported = reportedSlots(lane);
  const next = rules.firstSlot + reported;
  if (slot !== next) return `slot ${slot}, next is ${next}`;
  if (reported - clearedSlots(lane) >= PENDING_REPORTS_PER_LANE_MAX) {
    return `${PENDING_REPORTS_PER_LANE_MAX} reports wait for other regions`;
  }
  return reported >= CLEARED_SLOTS_MAX ? "the chain has cleared all its slots" : null;
}

/**
 * A late entry's slot is before the report's, not before genesis, and its correction window is
 * still open when the report's slot starts. Judged by slots, not by the block's time: a certified
 * report stays valid however long it waits.
 */
function lateRefusal(rules: Rules, report: Report): string | null {
  const { slotS, oracle } = rules.genesis;
  for (const { slot, meterIndex } of report.late) {
    const where = `meter ${meterIndex}, slot ${slot}`;
    if (slot >= report.slot) return `${where}: counted by this report's own columns or later`;
    if (slot < rules.firstSlot) return `${where}: before genesis`;
    if ((report.slot - slot - 1) * slotS > oracle.correctionWindowS) {
      return `${where}: the correction window has closed`;
    }
  }
  return null;
}

/** Limits never change inside a slot: they hold from the slot after the one the block falls in. */
export function limitsFromSlot(rules: Rules, timeS: UnixSeconds): Slot {
  return (slotAt(timeS, rules.genesis.slotS) + 1) as Slot;
}

function accept(effect: Effect): Verdict {
  return { effect, result: { code: TRANSACTION_CODE.ok, info: "" } };
}

function refuse(code: TransactionCodeName, info: string): Verdict {
  return { effect: null, result: { code: TRANSACTION_CODE[code], info } };
}
