/**
 * The auditor's own ledger: what every account and every meter must have come to, added up from
 * certified reports, bills and payments alone, never from the state. It judges each slot by the law
 * (`audit-record.ts`, `audit-witness.ts`) and the lanes' balances at the end by its own sums.
 */
import type { Finalized } from "../chain/abci.ts";
import { laneSize } from "../chain/lane.ts";
import { type LaneColumns, laneBytes, laneColumns } from "../chain/lane-columns.ts";
import { type EntryRecord, PAYMENT_ENTRY } from "../chain/payment-entries.ts";
import type { Difference } from "../chain/record-difference.ts";
import type { Rules } from "../chain/rules.ts";
import { openRecord } from "../chain/sealed-record.ts";
import { laneKey, pendingOf, slotKey } from "../chain/store-keys.ts";
import { sha256 } from "../crypto/hash.ts";
import { TRANSACTION_CODE } from "../wire/refusals.ts";
import { decodeReport, decodeReportTransaction, REPORT_TRANSACTION_TYPE } from "../wire/report.ts";
import type { SlotRecord } from "../wire/slot-record.ts";
import { type CertifiedReport, recordLawDifference } from "./audit-record.ts";
import type { AuditStart } from "./audit-start.ts";
import { slotWitnessFinding } from "./audit-witness.ts";

export type LedgerFinding = {
  readonly regionIndex: number;
  readonly record: string; // the key of a record
  readonly difference: Difference;
};

/** Place of the account with other regions among a lane's institutions. */
const NEIGHBOURS = 1;

/** One region's sums; columns as in `LaneColumns`. */
type RegionLedger = {
  readonly memberUc: bigint[];
  readonly institutionUc: bigint[]; // retailer, neighbours, grid operator, treasury
  readonly settledImportWh: bigint[];
  readonly settledExportWh: bigint[];
  readonly reports: Map<number, CertifiedReport>; // by slot, until it clears
};

export class AuditLedger {
  readonly #rules: Rules;
  readonly #regions: readonly RegionLedger[];

  /** @param start - its lanes' balances are the opening ones */
  constructor(rules: Rules, start: AuditStart) {
    this.#rules = rules;
    this.#regions = rules.genesis.regions.map((region, r) => {
      const opening = columnsOf(rules, r, start.records);
      return {
        memberUc: opening === null ? region.members.map(() => 0n) : [...opening.memberUc],
        institutionUc: opening === null ? [0n, 0n, 0n, 0n] : [...opening.institutionUc],
        settledImportWh:
          opening === null ? region.meters.map(() => 0n) : [...opening.settledImportWh],
        settledExportWh:
          opening === null ? region.meters.map(() => 0n) : [...opening.settledExportWh],
        reports: new Map(),
      };
    });
    for (const [key, value] of start.records) {
      const place = pendingOf(key);
      const bytes = place === null ? null : openRecord(key, value);
      if (bytes instanceof Uint8Array) this.#takeReport(bytes);
    }
  }

  /** Takes one replayed block in. @returns the first thing in it that breaks the law, or null */
  block({
    transactions,
    finalized,
  }: {
    readonly transactions: readonly Uint8Array[];
    readonly finalized: Finalized;
  }): LedgerFinding | null {
    finalized.results.forEach(({ code }, i) => {
      const bytes = transactions[i]!;
      if (code !== TRANSACTION_CODE.ok || bytes[0] !== REPORT_TRANSACTION_TYPE) return;
      this.#takeReport(decodeReportTransaction(bytes).reportBytes);
    });
    const bySlot = new Map<number, SlotRecord[]>();
    for (const record of finalized.slotRecords) {
      const found = this.#settle(record);
      const { regionIndex, slot } = record;
      const key = slotKey(regionIndex, slot);
      if (found !== null) return { regionIndex, record: key, difference: found };
      bySlot.set(slot, [...(bySlot.get(slot) ?? []), record]);
    }
    for (const records of bySlot.values()) {
      const found = slotWitnessFinding(this.#rules, records);
      const { slot } = records[0]!;
      if (found !== null) return { ...found, record: slotKey(found.regionIndex, slot) };
    }
    return null;
  }

  /** Takes a block's payments in: money that moved outside of slots. */
  entries({ regionIndex, entries }: EntryRecord): void {
    const { memberUc, institutionUc } = this.#regions[regionIndex]!;
    for (const { kind, payer, payee, amountUc } of entries) {
      const pays = kind === PAYMENT_ENTRY.inside || kind === PAYMENT_ENTRY.sent;
      if (pays) memberUc[payer.memberIndex]! -= amountUc;
      if (kind === PAYMENT_ENTRY.refunded) memberUc[payer.memberIndex]! += amountUc;
      if (kind === PAYMENT_ENTRY.inside || kind === PAYMENT_ENTRY.received) {
        memberUc[payee.memberIndex]! += amountUc;
      }
      if (kind === PAYMENT_ENTRY.inside) continue;
      institutionUc[NEIGHBOURS]! += pays ? amountUc : -amountUc;
    }
  }

  #takeReport(bytes: Uint8Array): void {
    const report = decodeReport(bytes);
    this.#regions[report.regionIndex]!.reports.set(report.slot, { report, hash: sha256(bytes) });
  }

  #settle(record: SlotRecord): Difference | null {
    const region = this.#regions[record.regionIndex]!;
    const certified = region.reports.get(record.slot);
    if (certified === undefined) {
      return { field: "reportHash", stored: "a cleared slot", computed: "no report in any block" };
    }
    region.reports.delete(record.slot);
    for (const { memberIndex, amountUc } of record.bills) region.memberUc[memberIndex]! += amountUc;
    const { retailerUc, neighboursUc, gridOperatorUc, treasuryUc } = record;
    [retailerUc, neighboursUc, gridOperatorUc, treasuryUc].forEach((uc, i) => {
      region.institutionUc[i]! += uc;
    });
    const { importWh, exportWh, late } = certified.report;
    for (let m = 0; m < importWh.length; m++) {
      region.settledImportWh[m]! += BigInt(importWh[m]!);
      region.settledExportWh[m]! += BigInt(exportWh[m]!);
    }
    for (const entry of late) {
      region.settledImportWh[entry.meterIndex]! += BigInt(entry.importWh);
      region.settledExportWh[entry.meterIndex]! += BigInt(entry.exportWh);
    }
    return recordLawDifference(this.#rules, record, certified);
  }

  /** @param state - the records of the state that the ledger has followed up to */
  end(state: ReadonlyMap<string, Uint8Array>): LedgerFinding | null {
    for (const [regionIndex, ledger] of this.#regions.entries()) {
      const columns = columnsOf(this.#rules, regionIndex, state);
      if (columns === null) continue; // no block has touched the lane
      for (const name of [
        "memberUc",
        "institutionUc",
        "settledImportWh",
        "settledExportWh",
      ] as const) {
        const difference = columnDifference(name, columns[name], ledger[name]);
        if (difference !== null) return { regionIndex, record: laneKey(regionIndex), difference };
      }
    }
    return null;
  }
}

function columnDifference(
  name: string,
  stored: BigInt64Array | BigUint64Array,
  computed: readonly bigint[],
): Difference | null {
  const at = computed.findIndex((value, i) => value !== stored[i]);
  if (at < 0) return null;
  return { field: `${name}[${at}]`, stored: String(stored[at]), computed: String(computed[at]) };
}

/** A lane's columns out of its record; null where there is none. */
function columnsOf(
  { genesis }: Rules,
  regionIndex: number,
  records: ReadonlyMap<string, Uint8Array>,
): LaneColumns | null {
  const record = records.get(laneKey(regionIndex));
  if (record === undefined) return null;
  const value = openRecord(laneKey(regionIndex), record);
  const size = laneSize(genesis, regionIndex);
  if (!(value instanceof Uint8Array) || value.length !== laneBytes(size)) return null;
  const memory = new SharedArrayBuffer(value.length);
  new Uint8Array(memory).set(value);
  return laneColumns(memory, size);
}
