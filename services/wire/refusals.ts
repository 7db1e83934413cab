/**
 * Why something was refused: one code, one cause. Codes leave the process (receipts, transaction
 * results, refusal log) and are consensus for transactions: append, never renumber.
 */

/**
 * Readings. 1 to 20 are the validation rules V01 to V20 of the oracle (section VEE of its README);
 * from 32 on the record did not even reach them. 0 means taken.
 */
export const READING_CODE = {
  accepted: 0,
  signature_invalid: 1, // V01
  device_unknown: 2, // V02: unknown, revoked, or not of this region
  sequence_replayed: 3, // V03: (device, boot, seq) not above the last one taken
  previous_forked: 5, // V05: names another predecessor than the record we hold
  time_in_future: 6, // V06: ends further ahead of market time than READING_FUTURE_S_MAX
  interval_misaligned: 7, // V07: does not end on a slot boundary, or is no whole number of slots
  register_decreased: 8, // V08
  energy_excessive: 10, // V10: above the connection's power x time x 1.1
  malformed: 32, // no canonical COSE_Sign1 reading
  oversized: 33, // more than READING_BYTES_MAX
  topic_mismatched: 34, // the topic names another device than the signed record
  time_stale: 35, // the slot's correction window has closed
  algorithm_mismatched: 36, // signed with another algorithm or key id than the device registered
  register_missing: 37, // lacks a register the device's role needs
} as const;
export type ReadingCodeName = keyof typeof READING_CODE;
export type ReadingCode = (typeof READING_CODE)[ReadingCodeName];

/** Transactions, by descending precedence: the first that applies is the answer. 0: executed. */
export const TRANSACTION_CODE = {
  ok: 0,
  oversized: 1, // more than TRANSACTION_BYTES_MAX
  malformed: 2, // no canonical transaction of a known type
  chain_mismatched: 3, // signed for another chain id
  signature_invalid: 4,
  sender_unknown: 5, // no member has this address
  nonce_stale: 6,
  nonce_gapped: 7, // above the next nonce
  destination_unknown: 8, // no region's market at this address
  call_unknown: 9, // selector or arguments the market does not have
  member_elsewhere: 10, // the sender is a member of another region
  limits_pending: 11, // an earlier change has not taken effect yet
  gate_closed: 12, // the slot's forward auction has been held
  slot_beyond_horizon: 13, // further ahead than the law takes orders
  order_invalid: 14, // no energy or too much, no such side, a price out of range, nothing metered
  orders_full: 15, // of the member in this slot, of the slot, or of the region
  order_unknown: 16, // no open order of the sender has this id in this slot
  lane_quarantined: 17, // the region's lane is out of the market: no order can be placed in it
  report_malformed: 20, // columns do not match the region's meters
  report_unordered: 21, // not the next slot of its region
  certificate_invalid: 22, // no quorum, or a signature that does not verify
  config_mismatched: 23, // signed under another oracle configuration
  report_premature: 24, // the slot has not ended at this block's time
  late_invalid: 25, // a late entry outside the correction window, or for a slot already counted
  payment_invalid: 30, // nothing, more than one payment may be, or to oneself
  payee_unknown: 31, // no member of any region has this address
  balance_insufficient: 32, // above what the payer's balance holds
  account_full: 33, // an account of the payer's region would leave its range
  receiver_congested: 34, // too many messages between the two regions wait to be consumed
  mempool_full: 40,
  duplicate: 41, // already waiting or already in a block
  committee_order_replayed: 50, // an order of this number, or a later one, has been executed
  committee_order_gapped: 51, // an earlier order is missing
  committee_config_mismatched: 52, // made under another oracle configuration
  release_invalid: 53, // no such region, or its lane is not quarantined
  upgrade_invalid: 54, // not above the version in force, or too few blocks ahead
  committee_order_uncertified: 55, // no quorum, or a signature that does not verify
} as const;
export type TransactionCodeName = keyof typeof TRANSACTION_CODE;
export type TransactionCode = (typeof TRANSACTION_CODE)[TransactionCodeName];

/** The name of a code, for logs, metrics and people. */
export function readingCodeName(code: number): ReadingCodeName | "unknown" {
  return nameOf(READING_CODE, code);
}

export function transactionCodeName(code: number): TransactionCodeName | "unknown" {
  return nameOf(TRANSACTION_CODE, code);
}

function nameOf<Name extends string>(codes: Record<Name, number>, code: number): Name | "unknown" {
  const entry = (Object.entries(codes) as [Name, number][]).find(([, value]) => value === code);
  return entry === undefined ? "unknown" : entry[0];
}
