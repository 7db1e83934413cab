/**
 * What a region's lane leaves behind for one cleared slot: metered columns, law in force, clearing,
 * bills. Stored by the application beside its state (not hashed itself: its bills are leaves of
 * `receiptsRoot`, its report is in the block, and `slotRoot` commits to both and to the law).
 * Everything a history page or a statement needs.
 *
 * Columns are stored as they lie (`integer-column.ts`, `bill-table.ts`), so that writing a record
 * is copies of memory.
 */
import { type CodecValue, decode, encode } from "../primitives/codec.ts";
import { GridError } from "../primitives/errors.ts";
import {
  LINES_MAX,
  MEMBERS_PER_REGION_MAX,
  METERS_PER_REGION_MAX,
  REGIONS_MAX,
} from "../primitives/limits.ts";
import type { MicroCents, Slot } from "../primitives/units.ts";
import { type BillTable, decodeBills, openBills } from "./bill-table.ts";
import { type FieldReader, readFields } from "./field-reader.ts";
import type { Mechanism } from "./genesis.ts";
import { columnNumbers, encodeColumn, readColumn, trustColumn } from "./integer-column.ts";
import { decodePolicy, encodePolicy, MECHANISMS, type Policy } from "./policy.ts";

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
  readonly policy: Policy; // the law the slot cleared under
};

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
    encodePolicy(record.policy),
  ]);
}

function encodeFlow({ lineIndex, energyWh, rentUc }: LineFlow): CodecValue {
  return [lineIndex, energyWh, rentUc];
}

const FLOW_FIELDS = ["lineIndex", "energyWh", "rentUc"];

function readFlow(row: FieldReader): LineFlow {
  return {
    lineIndex: row.whole("lineIndex", LINES_MAX - 1),
    energyWh: row.whole("energyWh"),
    rentUc: row.money("rentUc"),
  };
}

function encodeForward(forward: ForwardRecord | null): CodecValue {
  if (forward === null) return null;
  return [forward.priceUcPerWh, forward.boughtWh, forward.soldWh, forward.flows.map(encodeFlow)];
}

const FORWARD_FIELDS = ["priceUcPerWh", "boughtWh", "soldWh", "flows"];

function readForward(value: CodecValue): ForwardRecord | null {
  if (value === null) return null;
  const fields = readFields(value, { what: "slot record's forward part", names: FORWARD_FIELDS });
  return {
    priceUcPerWh: fields.integer("priceUcPerWh"),
    boughtWh: fields.whole("boughtWh"),
    soldWh: fields.whole("soldWh"),
    flows: fields.rows("flows", { fields: FLOW_FIELDS, rowsMax: LINES_MAX }, readFlow),
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

/** In the order of their bytes. */
const FIELD_NAMES = [
  ...["regionIndex", "slot", "height", "mechanism", "priceLowUcPerWh", "priceHighUcPerWh"],
  ...["priceUcPerWh", "buyPriceUcPerWh", "sellPriceUcPerWh", "importWh", "exportWh", "quality"],
  ...["members", "minSellUcPerWh", "maxBuyUcPerWh", "flows", "tradedWh", "inflowWh", "outflowWh"],
  ...["retailerBoughtWh", "retailerSoldWh", "retailerUc", "neighboursUc", "gridOperatorUc"],
  ...["treasuryUc", "refusedReadings", "reportHash", "readingsRoot", "receiptsRoot", "bills"],
  ...["forward", "policy"],
];

function readRecord(bytes: Uint8Array, readers: Readers): SlotRecord {
  const fields = readFields(decode(bytes), { what: "slot record", names: FIELD_NAMES });
  const quality = fields.bytes("quality");
  if (quality.length > METERS_PER_REGION_MAX) {
    throw new GridError("bytes_malformed", "not a slot record: quality", {
      what: "quality",
      offset: 0,
    });
  }
  const column = (what: string, count: number) =>
    numbersOf(fields.bytes(what), { what, count }, readers.column);
  const members = fields.whole("members", MEMBERS_PER_REGION_MAX);
  return {
    regionIndex: fields.whole("regionIndex", REGIONS_MAX - 1),
    slot: fields.whole("slot") as Slot,
    height: fields.whole("height"),
    mechanism: fields.text("mechanism", MECHANISMS),
    priceLowUcPerWh: fields.integerOrNull("priceLowUcPerWh"),
    priceHighUcPerWh: fields.integerOrNull("priceHighUcPerWh"),
    priceUcPerWh: fields.integerOrNull("priceUcPerWh"),
    buyPriceUcPerWh: fields.integerOrNull("buyPriceUcPerWh"),
    sellPriceUcPerWh: fields.integerOrNull("sellPriceUcPerWh"),
    importWh: column("importWh", quality.length),
    exportWh: column("exportWh", quality.length),
    quality,
    minSellUcPerWh: Int32Array.from(column("minSellUcPerWh", members)),
    maxBuyUcPerWh: Int32Array.from(column("maxBuyUcPerWh", members)),
    flows: fields.rows("flows", { fields: FLOW_FIELDS, rowsMax: LINES_MAX }, readFlow),
    tradedWh: fields.whole("tradedWh"),
    inflowWh: fields.whole("inflowWh"),
    outflowWh: fields.whole("outflowWh"),
    retailerBoughtWh: fields.whole("retailerBoughtWh"),
    retailerSoldWh: fields.whole("retailerSoldWh"),
    retailerUc: fields.money("retailerUc"),
    neighboursUc: fields.money("neighboursUc"),
    gridOperatorUc: fields.money("gridOperatorUc"),
    treasuryUc: fields.money("treasuryUc"),
    refusedReadings: fields.whole("refusedReadings"),
    reportHash: fields.bytes("reportHash", 32),
    readingsRoot: fields.bytes("readingsRoot", 32),
    receiptsRoot: fields.bytes("receiptsRoot", 32),
    bills: readers.bills(fields.bytes("bills")),
    forward: readForward(fields.value("forward")),
    policy: decodePolicy(fields.bytes("policy")),
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
