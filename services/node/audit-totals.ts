/**
 * What an audit adds up on its way: counts for people, and the sums that must be zero, taken from
 * the records themselves and not from the code that settled them.
 */
import type { Finalized } from "../chain/abci.ts";
import type { Difference } from "../chain/record-difference.ts";
import { REPORT_TRANSACTION_TYPE } from "../wire/report.ts";
import type { SlotRecord } from "../wire/slot-record.ts";

export type AuditTotals = {
  blocks: number;
  slots: number; // cleared; each in every region
  transactions: number;
  refusedTransactions: number; // in a block, without effect
  certificates: number; // oracle reports whose certificate was verified
  bills: number;
  importWh: bigint; // on bills of members
  exportWh: bigint;
  tradedWh: bigint; // between members of one region
  membersUc: bigint; // what members received, less what they paid
  retailerUc: bigint;
  neighboursUc: bigint;
  gridOperatorUc: bigint;
  treasuryUc: bigint;
};

export function emptyTotals(): AuditTotals {
  return {
    ...{ blocks: 0, slots: 0, transactions: 0, refusedTransactions: 0, certificates: 0, bills: 0 },
    ...{ importWh: 0n, exportWh: 0n, tradedWh: 0n },
    ...{ membersUc: 0n, retailerUc: 0n, neighboursUc: 0n, gridOperatorUc: 0n, treasuryUc: 0n },
  };
}

export function addBlock(
  totals: AuditTotals,
  transactions: readonly Uint8Array[],
  { results, slotRecords }: Finalized,
): void {
  totals.blocks++;
  totals.transactions += transactions.length;
  results.forEach(({ code }, i) => {
    if (code !== 0) totals.refusedTransactions++;
    else if (transactions[i]![0] === REPORT_TRANSACTION_TYPE) totals.certificates++;
  });
  for (const record of slotRecords) {
    if (record.regionIndex === 0) totals.slots++;
    addRecord(totals, record);
  }
}

function addRecord(totals: AuditTotals, record: SlotRecord): void {
  totals.bills += record.bills.length;
  totals.tradedWh += BigInt(record.tradedWh);
  for (const bill of record.bills) {
    totals.importWh += BigInt(bill.importWh);
    totals.exportWh += BigInt(bill.exportWh);
    totals.membersUc += bill.amountUc;
  }
  totals.retailerUc += record.retailerUc;
  totals.neighboursUc += record.neighboursUc;
  totals.gridOperatorUc += record.gridOperatorUc;
  totals.treasuryUc += record.treasuryUc;
}

/** Money: a slot's entries sum to zero, bills and institutions together. Null where they do. */
export function moneyDifference(record: SlotRecord): Difference | null {
  const { bills, retailerUc, neighboursUc, gridOperatorUc, treasuryUc } = record;
  let membersUc = 0n;
  for (const { amountUc } of bills) membersUc += amountUc;
  const sumUc = membersUc + retailerUc + neighboursUc + gridOperatorUc + treasuryUc;
  if (sumUc === 0n) return null;
  return { field: "sum of the slot's entries, uc", stored: sumUc.toString(), computed: "0" };
}
