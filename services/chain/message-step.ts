/**
 * Messages in a block: delivery before its transactions, and what must hold when the block is done.
 * Delivery touches one lane after another, in the order of (destination, source, seq); what it
 * sends in answer leaves with the block's other messages.
 */
import { INSTITUTION } from "../ledger/accounts.ts";
import { assert } from "../primitives/errors.ts";
import type { SlotRecord } from "../wire/slot-record.ts";
import type { Lane } from "./lane.ts";
import { MESSAGE_KIND, type Message } from "./messages.ts";
import { type PaymentDraft, takePayment, takeRefund, waitingUc } from "./payments.ts";

/** Consumes what waits, up to each lane's budget for a block. */
export function deliverMessages(
  draft: PaymentDraft & { collect(regionIndex: number): readonly Message[] },
  regions: readonly number[],
): void {
  for (const r of regions) {
    for (const message of draft.collect(r)) takeMessage(draft, message);
  }
}

function takeMessage(draft: PaymentDraft, message: Message): void {
  if (message.kind === MESSAGE_KIND.payment) {
    takePayment(draft, message);
    return;
  }
  assert(message.kind === MESSAGE_KIND.refund, "a message has a known kind");
  takeRefund(draft, message);
}

/**
 * Asserts that no money was made or lost between lanes: what their `neighbours` accounts moved by
 * outside of slots is what came into flight. What slots moved sums to zero by itself.
 */
export function assertConserved(block: {
  readonly before: (regionIndex: number) => Lane;
  readonly written: ReadonlyMap<number, Lane>; // at the end of the block
  readonly records: readonly SlotRecord[];
}): void {
  let movedUc = 0n;
  let waitsUc = 0n;
  for (const [r, lane] of block.written) {
    const before = block.before(r);
    movedUc += neighboursOf(lane) - neighboursOf(before);
    if (lane.messages === before.messages) continue;
    waitsUc += waitingUc(lane.messages.inbox) - waitingUc(before.messages.inbox);
  }
  for (const { neighboursUc } of block.records) movedUc -= neighboursUc;
  assert(movedUc === waitsUc, "money between lanes is in an account or in flight");
}

function neighboursOf({ columns }: Lane): bigint {
  return columns.institutionUc[INSTITUTION.neighbours]!;
}
