/**
 * Payments between members. Only what the payer's balance holds can be paid, to a member of any
 * region, not to oneself. Inside a region a payment is two entries. Into another region it is
 * reserved, and then confirmed or refunded:
 *
 *   payer's lane     payer -amount, neighbours +amount; a payment message leaves
 *   payee's lane     payee +amount, neighbours -amount; or, where an account would leave its range,
 *                    a refund message goes back
 *   payer's lane     payer +amount, neighbours -amount, on a refund
 *
 * Safe because each step's entries sum to zero in their lane, and a refund always succeeds: what a
 * lane's pairs may hold in flight, at PAYMENT_UC_MAX each, fits above PAID_BALANCE_UC_MAX, which no
 * payment fills an account beyond (asserted in `limits.ts`). So over all lanes, outside of slots,
 * the `neighbours` accounts sum to what is in flight.
 */
import { type Accounts, INSTITUTION } from "../ledger/accounts.ts";
import { postTransfer } from "../ledger/transfers.ts";
import { toHex0x } from "../primitives/bytes.ts";
import { type CodecValue, decode, encode } from "../primitives/codec.ts";
import { assert } from "../primitives/errors.ts";
import {
  MESSAGES_PER_PAIR_MAX,
  PAID_BALANCE_UC_MAX,
  PAYMENT_UC_MAX,
} from "../primitives/limits.ts";
import type { MicroCents } from "../primitives/units.ts";
import type { Pay } from "../wire/payment.ts";
import type { TransactionCodeName } from "../wire/refusals.ts";
import { type MemberPlace, memberAt } from "./admission.ts";
import { accountsOf, type Lane } from "./lane.ts";
import type { PostReader } from "./message-post.ts";
import { MESSAGE_KIND, type Message, type MessageFields } from "./messages.ts";
import { PAYMENT_ENTRY, type PaymentEntry } from "./payment-entries.ts";
import type { Rules } from "./rules.ts";

export type Payment = {
  readonly payer: MemberPlace;
  readonly payee: MemberPlace;
  readonly amountUc: MicroCents;
};

export type PaymentVerdict =
  | { readonly payment: Payment }
  | { readonly code: TransactionCodeName; readonly info: string };

/** Order of the checks = order of TRANSACTION_CODE. */
export function judgePayment(
  judge: {
    readonly rules: Rules;
    readonly state: PostReader & { lane(regionIndex: number): Lane };
    readonly payer: MemberPlace;
  },
  { to, amountUc }: Pay,
): PaymentVerdict {
  const { rules, state, payer } = judge;
  if (amountUc < 1n || amountUc > PAYMENT_UC_MAX) {
    return { code: "payment_invalid", info: `${amountUc} uc, from 1 to ${PAYMENT_UC_MAX}` };
  }
  const payee = memberAt(rules.directory, to);
  if (payee === null) return { code: "payee_unknown", info: `no member has ${toHex0x(to)}` };
  const isInside = payee.regionIndex === payer.regionIndex;
  if (isInside && payee.memberIndex === payer.memberIndex) {
    return { code: "payment_invalid", info: "a payment to oneself" };
  }
  const accounts = accountsOf(state.lane(payer.regionIndex));
  const balanceUc = accounts.memberUc[payer.memberIndex]!;
  if (amountUc > balanceUc) {
    return { code: "balance_insufficient", info: `${amountUc} uc, the balance is ${balanceUc}` };
  }
  if (isInside) {
    return takes(accounts, payee, amountUc)
      ? { payment: { payer, payee, amountUc } }
      : { code: "account_full", info: "the payee's account takes no more" };
  }
  if (neighboursOf(accounts) + amountUc > PAID_BALANCE_UC_MAX) {
    return { code: "account_full", info: "the region's account with its neighbours is full" };
  }
  const pair = { source: payer.regionIndex, destination: payee.regionIndex };
  if (state.inFlight(pair) >= MESSAGES_PER_PAIR_MAX) {
    const info = `${MESSAGES_PER_PAIR_MAX} messages wait between the two regions: try again`;
    return { code: "receiver_congested", info };
  }
  return { payment: { payer, payee, amountUc } };
}

function neighboursOf({ institutionUc }: Accounts): bigint {
  return institutionUc[INSTITUTION.neighbours]!;
}

function takes({ memberUc }: Accounts, payee: MemberPlace, amountUc: bigint): boolean {
  return memberUc[payee.memberIndex]! + amountUc <= PAID_BALANCE_UC_MAX;
}

/** What payments write to: a block's draft. */
export type PaymentDraft = {
  ownLane(regionIndex: number): Lane;
  send(message: Omit<MessageFields, "seq">): MessageFields;
  /** Puts down why balances of a lane changed. */
  record(regionIndex: number, entry: PaymentEntry): void;
};

/** A payment that was judged and found good against the same state. */
export function executePayment(draft: PaymentDraft, payment: Payment): void {
  const { payer, payee, amountUc } = payment;
  const accounts = accountsOf(draft.ownLane(payer.regionIndex));
  const from = { member: payer.memberIndex };
  if (payer.regionIndex === payee.regionIndex) {
    postTransfer(accounts, { from, to: { member: payee.memberIndex }, amountUc });
    draft.record(payer.regionIndex, { kind: PAYMENT_ENTRY.inside, seq: 0, ...payment });
    return;
  }
  postTransfer(accounts, { from, to: { institution: "neighbours" }, amountUc });
  const { seq } = draft.send({
    source: payer.regionIndex,
    destination: payee.regionIndex,
    kind: MESSAGE_KIND.payment,
    payload: encode([payer.memberIndex, payee.memberIndex, amountUc]),
  });
  draft.record(payer.regionIndex, { kind: PAYMENT_ENTRY.sent, seq, ...payment });
}

/** A payment message at the payee's lane: credited, or sent back. */
export function takePayment(draft: PaymentDraft, message: Message): void {
  const { payment, seq } = paymentOf(message);
  const { payer, payee, amountUc } = payment;
  const accounts = accountsOf(draft.ownLane(payee.regionIndex));
  const isOwed = neighboursOf(accounts) - amountUc >= -PAID_BALANCE_UC_MAX;
  if (!isOwed || !takes(accounts, payee, amountUc)) {
    draft.send({
      source: payee.regionIndex,
      destination: payer.regionIndex,
      kind: MESSAGE_KIND.refund,
      payload: encode([payer.memberIndex, payee.memberIndex, amountUc, seq]),
    });
    return;
  }
  const to = { member: payee.memberIndex };
  postTransfer(accounts, { from: { institution: "neighbours" }, to, amountUc });
  draft.record(payee.regionIndex, { kind: PAYMENT_ENTRY.received, seq, ...payment });
}

/** A refund message at the payer's lane. */
export function takeRefund(draft: PaymentDraft, message: Message): void {
  const { payment, seq } = paymentOf(message);
  const { payer, amountUc } = payment;
  const accounts = accountsOf(draft.ownLane(payer.regionIndex));
  const to = { member: payer.memberIndex };
  postTransfer(accounts, { from: { institution: "neighbours" }, to, amountUc });
  draft.record(payer.regionIndex, { kind: PAYMENT_ENTRY.refunded, seq, ...payment });
}

/**
 * What a message carries: the payment, and its number from the payer's region to the payee's. The
 * lane of this chain that sent it wrote it, so another form is a bug.
 */
export function paymentOf(message: Message): { readonly payment: Payment; readonly seq: number } {
  const { kind, source, destination, payload } = message;
  const isRefund = kind === MESSAGE_KIND.refund;
  assert(isRefund || kind === MESSAGE_KIND.payment, "a message has a known kind");
  const fields = decode(payload) as readonly CodecValue[];
  const [payer, payee, amountUc, seq = message.seq] = fields as readonly number[];
  assert(fields.length === (isRefund ? 4 : 3), "a payment's message has its form");
  const [payerRegion, payeeRegion] = isRefund ? [destination, source] : [source, destination];
  return {
    payment: {
      payer: { regionIndex: payerRegion, memberIndex: payer! },
      payee: { regionIndex: payeeRegion, memberIndex: payee! },
      amountUc: BigInt(amountUc!) as MicroCents,
    },
    seq: seq!,
  };
}

/** Money that waits in an inbox: out of the payer's account and in no other member's yet. */
export function waitingUc(inbox: readonly Message[]): bigint {
  return inbox.reduce((sumUc, message) => sumUc + paymentOf(message).payment.amountUc, 0n);
}
