/**
 * What a region's lane leaves behind for one cleared slot: metered columns, law in force, clearing,
 * bills. Stored by the application beside its state (not hashed itself: its bills are leaves of
 * `receiptsRoot`, its report is in the block). Everything a history page or a statement needs.
 *
 * Columns are stored as they lie (`integer-column.ts`, `bill-table.ts`), so that writing a record
 * is copies of memory.
 */
import { type CodecValue, decode, encode } from "../primitives/codec.ts";
import { GridError } from "../primitives/errors.ts";
import type { MicroCents, Slot } from "../primitives/units.ts";
import { type BillTable, decodeBills, openBills } from "./bill-table.ts";
import type { Mechanism } from "./genesis.ts";
import { columnNumbers, encodeColumn, readColumn, trustColumn } from "./integer-column.ts";

export type LineFlow = {
  readonly lineIndex: number;
  readonly energyWh: number;
  readonly rentUc: MicroCents; // congestion rent, above the line's fee
};

/** What a region's forward auction of the slot came to; paid for with the slot's bills. */
export type ForwardRecord = {
  readonly priceUcPerWh: number;
  readonly boughtWh: number; // by members; sold + inflow = bought + outflow
  readonly soldWh: number;
  readonly flows: readonly LineFlow[]; // of lines that touch this region and carry something
};

export type SlotRecord = {
  readonly regionIndex: number;
  readonly slot: Slot;
  readonly height: number; // the block that cleared it
  readonly mechanism: Mechanism;
  readonly priceLowUcPerWh: number | null; // interval of clearing prices; null: unbounded or none
  readonly priceHighUcPerWh: number | null;
  readonly priceUcPerWh: number | null; // uniform or mid price; null: nothing could trade
  readonly buyPriceUcPerWh: number | null; // average paid by buyers inside the market
  readonly sellPriceUcPerWh: number | null; // average received by sellers inside the market
  readonly importWh: Float64Array; // by meter index, as reported
  readonly exportWh: Float64Array;
  readonly quality: Uint8Array;
  readonly minSellUcPerWh: Int32Array; // by member index, in force in this slot
  readonly maxBuyUcPerWh: Int32Array;
  readonly flows: readonly LineFlow[]; // of the metered auction, lines that touch this region
  readonly forward: ForwardRecord | null; // null: nothing was traded forward, nor passed through
  readonly tradedWh: number; // between members of this region, after delivery
  readonly inflowWh: number;
  readonly outflowWh: number;
  readonly retailerBoughtWh: number; // by members, from the retailer, imbalance included
  readonly retailerSoldWh: number; // by members, to the retailer, imbalance included
  readonly retailerUc: MicroCents; // ledger entries of the slot beside the members'; all sum to 0
  readonly neighboursUc: MicroCents; // clearing account with other regions
  readonly gridOperatorUc: MicroCents; // line fees
  readonly treasuryUc: MicroCents; // congestion rent
  readonly refusedReadings: number;
  readonly reportHash: Uint8Array; // 32 B, SHA-256 of the report bytes
  readonly readingsRoot: Uint8Array; // 32 B
  readonly receiptsRoot: Uint8Array; // 32 B, SSZ root of the bills
  readonly bills: BillTable; // leaf order
};

const FIELDS = 31;

/** Bytes of records that came from bytes: a record is written as it was read. */
const written = new WeakMap<SlotRecord, Uint8Array>();

export function encodeSlotRecord(record: SlotRecord): Uint8Array {
  return written.get(record) ?? encodeFields(record);
}

function encodeFields(record: SlotRecord): Uint8Array {
  return encode([
    record.regionIndex,
    record.slot,
    record.height,
    record.mechanism,
    record.priceLowUcPerWh,
    record.priceHighUcPerWh,
    record.priceUcPerWh,
    record.buyPriceUcPerWh,
    record.sellPriceUcPerWh,
    encodeColumn(record.importWh, record.importWh.length),
    encodeColumn(record.exportWh, record.exportWh.length),
    record.quality,
    record.minSellUcPerWh.length,
    encodeColumn(record.minSellUcPerWh, record.minSellUcPerWh.length),
    encodeColumn(record.maxBuyUcPerWh, record.maxBuyUcPerWh.length),
    record.flows.map(encodeFlow),
    record.tradedWh,
    record.inflowWh,
    record.outflowWh,
    record.retailerBoughtWh,
    record.retailerSoldWh,
    record.retailerUc,
    record.neighboursUc,
    record.gridOperatorUc,
    record.treasuryUc,
    record.refusedReadings,
    record.reportHash,
    record.readingsRoot,
    record.receiptsRoot,
    record.bills.bytes,
    encodeForward(record.forward),
  ]);
}

function encodeFlow({ lineIndex, energyWh, rentUc }: LineFlow): CodecValue {
  return [lineIndex, energyWh, rentUc];
}

function decodeFlow(value: CodecValue): LineFlow {
  const [lineIndex, energyWh, rentUc] = value as readonly (number | bigint)[];
  return {
    lineIndex: Number(lineIndex),
    energyWh: Number(energyWh),
    rentUc: BigInt(rentUc!) as MicroCents,
  };
}

function encodeForward(forward: ForwardRecord | null): CodecValue {
  if (forward === null) return null;
  return [forward.priceUcPerWh, forward.boughtWh, forward.soldWh, forward.flows.map(encodeFlow)];
}

function decodeForward(value: CodecValue): ForwardRecord | null {
  if (value === null) return null;
  const [priceUcPerWh, boughtWh, soldWh, flows] = value as readonly CodecValue[];
  return {
    priceUcPerWh: priceUcPerWh as number,
    boughtWh: boughtWh as number,
    soldWh: soldWh as number,
    flows: (flows as CodecValue[]).map(decodeFlow),
  };
}

/**
 * Reads back what `encodeSlotRecord` wrote; the store's own checksum guards the bytes.
 *
 * @throws GridError bytes_malformed
 */
export function decodeSlotRecord(bytes: Uint8Array): SlotRecord {
  return readRecord(bytes, { column: readColumn, bills: decodeBills });
}

/**
 * A record over bytes that this program wrote itself a moment ago, on another thread perhaps: form
 * is not checked again. It keeps the bytes.
 */
export function openSlotRecord(bytes: Uint8Array): SlotRecord {
  const record = readRecord(bytes, { column: trustColumn, bills: openBills });
  written.set(record, bytes);
  return record;
}

type Readers = { readonly column: typeof readColumn; readonly bills: typeof decodeBills };

function readRecord(bytes: Uint8Array, readers: Readers): SlotRecord {
  const fields = decode(bytes);
  if (!Array.isArray(fields) || fields.length !== FIELDS) {
    throw new GridError("bytes_malformed", "not a slot record", { what: "slot record", offset: 0 });
  }
  const at = <T>(i: number) => fields[i] as T;
  const money = (i: number) => BigInt(at<number>(i)) as MicroCents;
  const quality = at<Uint8Array>(11);
  const column = (i: number, count: number) =>
    numbersOf(at(i), { what: `field ${i}`, count }, readers.column);
  const members = at<number>(12);
  return {
    regionIndex: at(0),
    slot: at(1),
    height: at(2),
    mechanism: at(3),
    priceLowUcPerWh: at(4),
    priceHighUcPerWh: at(5),
    priceUcPerWh: at(6),
    buyPriceUcPerWh: at(7),
    sellPriceUcPerWh: at(8),
    importWh: column(9, quality.length),
    exportWh: column(10, quality.length),
    quality,
    minSellUcPerWh: Int32Array.from(column(13, members)),
    maxBuyUcPerWh: Int32Array.from(column(14, members)),
    flows: at<CodecValue[]>(15).map(decodeFlow),
    tradedWh: at(16),
    inflowWh: at(17),
    outflowWh: at(18),
    retailerBoughtWh: at(19),
    retailerSoldWh: at(20),
    retailerUc: money(21),
    neighboursUc: money(22),
    gridOperatorUc: money(23),
    treasuryUc: money(24),
    refusedReadings: at(25),
    reportHash: at(26),
    readingsRoot: at(27),
    receiptsRoot: at(28),
    bills: readers.bills(at<Uint8Array>(29)),
    forward: decodeForward(at(30)),
  };
}

function numbersOf(
  bytes: Uint8Array,
  { what, count }: { readonly what: string; readonly count: number },
  read: typeof readColumn,
): Float64Array {
  const column = read(bytes, 0, { what, count, kind: "number" });
  if (column.bytes.length === bytes.length) return columnNumbers(column);
  throw new GridError("bytes_malformed", `not a slot record: ${what}: trailing bytes`, {
    what,
    offset: column.bytes.length,
  });
}
