/**
 * Why balances changed outside of slots: one record per block and region, with an entry for each
 * payment that moved money in that region. Entries explain balances; they are history, which
 * execution writes and never reads.
 */
import type { CodecValue } from "../primitives/codec.ts";
import type { MicroCents, UnixSeconds } from "../primitives/units.ts";
import type { MemberPlace } from "./admission.ts";
import { corruptRecord, openRecord, sealRecord } from "./sealed-record.ts";
import { entryKey } from "./store-keys.ts";

/** What happened in the record's region. Append, never renumber. */
export const PAYMENT_ENTRY = {
  inside: 0, // payer -, payee +, both of this region
  sent: 1, // payer -, neighbours +: on its way to the payee's region
  received: 2, // payee +, neighbours -
  refunded: 3, // payer +, neighbours -: the payee's region could not take it
} as const;
export type PaymentEntryKind = (typeof PAYMENT_ENTRY)[keyof typeof PAYMENT_ENTRY];

export type PaymentEntry = {
  readonly kind: PaymentEntryKind;
  readonly payer: MemberPlace;
  readonly payee: MemberPlace;
  readonly amountUc: MicroCents; // > 0
  readonly seq: number; // of the payment, from the payer's region to the payee's; 0: inside one
};

export type EntryRecord = {
  readonly regionIndex: number;
  readonly height: number;
  readonly timeS: UnixSeconds; // the block's
  readonly entries: readonly PaymentEntry[]; // in the order of execution
};

/** Names of an entry's fields in its row, for auditors. */
export const ENTRY_FIELDS = [
  "kind",
  "payerRegion",
  "payerMember",
  "payeeRegion",
  "payeeMember",
  "amountUc",
  "seq",
] as const;

export function encodeEntries({ regionIndex, height, timeS, entries }: EntryRecord): Uint8Array {
  return sealRecord(entryKey(regionIndex, height), [
    timeS,
    entries.map(({ kind, payer, payee, amountUc, seq }) => [
      kind,
      payer.regionIndex,
      payer.memberIndex,
      payee.regionIndex,
      payee.memberIndex,
      amountUc,
      seq,
    ]),
  ]);
}

/** @throws GridError database_corrupt */
export function decodeEntries(
  place: { readonly regionIndex: number; readonly height: number },
  stored: Uint8Array,
): EntryRecord {
  const key = entryKey(place.regionIndex, place.height);
  const value = openRecord(key, stored);
  const refuse = () => corruptRecord(key, "holds no entries");
  const [timeS, rows] = Array.isArray(value) && value.length === 2 ? value : [];
  if (!Number.isSafeInteger(timeS) || !Array.isArray(rows)) return refuse();
  const entries = (rows as CodecValue[]).map((row): PaymentEntry => {
    if (!Array.isArray(row) || row.length !== ENTRY_FIELDS.length) return refuse();
    if (!row.every((field) => Number.isSafeInteger(field))) return refuse();
    const [kind, payerRegion, payerMember, payeeRegion, payeeMember, amountUc, seq] =
      row as number[];
    return {
      kind: kind as PaymentEntryKind,
      payer: { regionIndex: payerRegion!, memberIndex: payerMember! },
      payee: { regionIndex: payeeRegion!, memberIndex: payeeMember! },
      amountUc: BigInt(amountUc!) as MicroCents,
      seq: seq!,
    };
  });
  return { ...place, timeS: timeS as UnixSeconds, entries };
}
