/**
 * A slot's bills in leaf order, as columns: one per field of `bill.ts`, in one byte string. Written
 * by settlement, hashed by the receipts tree, stored and sent between workers as it lies; a bill as
 * an object is made when somebody reads one.
 *
 * Form: uint32 count, little-endian, then the columns of BILL_FIELDS (`integer-column.ts`).
 */
import { assert, GridError } from "../primitives/errors.ts";
import type { MicroCents, Slot } from "../primitives/units.ts";
import { BILL_FIELDS, BILLS_PER_SLOT_MAX, type Bill } from "./bill.ts";
import {
  encodeColumn,
  type IntegerColumn,
  openColumn,
  readColumn,
  trustColumn,
} from "./integer-column.ts";

const COUNT_BYTES = 4;
const AMOUNT_FIELD = BILL_FIELDS.indexOf("amountUc");

export type BillField = (typeof BILL_FIELDS)[number];
type NumberField = Exclude<BillField, "amountUc">;

/** Bills under construction, column by column; entries from `count` on are not bills. */
export type BillColumns = {
  count: number;
  readonly amountUc: BigInt64Array;
} & { readonly [Field in NumberField]: Float64Array };

export function createBillColumns(capacity: number): BillColumns {
  const numbers = BILL_FIELDS.filter((field): field is NumberField => field !== "amountUc");
  const columns = numbers.map((field) => [field, new Float64Array(capacity)] as const);
  return {
    ...(Object.fromEntries(columns) as { [Field in NumberField]: Float64Array }),
    amountUc: new BigInt64Array(capacity),
    count: 0,
  };
}

/** Immutable. */
export class BillTable implements Iterable<Bill> {
  readonly length: number;
  readonly bytes: Uint8Array; // canonical
  readonly #columns: readonly IntegerColumn[]; // by BILL_FIELDS

  /** By `sealBills` and `decodeBills`, which know the bytes to be canonical. */
  constructor(bytes: Uint8Array, columns: readonly IntegerColumn[]) {
    this.bytes = bytes;
    this.length = columns[0]!.length;
    this.#columns = columns;
  }

  /** The bill at a leaf of the receipts tree; undefined where there is none. */
  at(index: number): Bill | undefined {
    if (!(Number.isSafeInteger(index) && index >= 0 && index < this.length)) return undefined;
    const column = this.#columns;
    const number = (field: number) => column[field]!.at(index);
    return {
      slot: number(0) as Slot,
      meterIndex: number(1),
      memberIndex: number(2),
      kind: number(3),
      importWh: number(4),
      exportWh: number(5),
      communityBoughtWh: number(6),
      communitySoldWh: number(7),
      neighbourBoughtWh: number(8),
      neighbourSoldWh: number(9),
      retailerBoughtWh: number(10),
      retailerSoldWh: number(11),
      buyPriceUcPerWh: number(12),
      sellPriceUcPerWh: number(13),
      amountUc: column[AMOUNT_FIELD]!.bigintAt(index) as MicroCents,
      quality: number(15),
      forwardBoughtWh: number(16),
      forwardSoldWh: number(17),
      forwardPriceUcPerWh: number(18),
      imbalanceBoughtWh: number(19),
      imbalanceSoldWh: number(20),
    };
  }

  /** A member's bills with their leaves, in leaf order. */
  ofMember(memberIndex: number): { readonly leafIndex: number; readonly bill: Bill }[] {
    const members = this.column("memberIndex");
    const found: { leafIndex: number; bill: Bill }[] = [];
    for (let i = 0; i < this.length; i++) {
      if (members.at(i) === memberIndex) found.push({ leafIndex: i, bill: this.at(i)! });
    }
    return found;
  }

  /** One field of all bills, without making bills. */
  column(field: BillField): IntegerColumn {
    return this.#columns[BILL_FIELDS.indexOf(field)]!;
  }

  *[Symbol.iterator](): Generator<Bill> {
    for (let i = 0; i < this.length; i++) yield this.at(i)!;
  }
}

/** The first `count` bills of the columns, which may be used again afterwards. */
export function sealBills(columns: BillColumns): BillTable {
  const { count } = columns;
  assert(count <= BILLS_PER_SLOT_MAX, "a slot's bills fit its receipts tree");
  const encoded = BILL_FIELDS.map((field) => encodeColumn(columns[field], count));
  const size = encoded.reduce((sum, column) => sum + column.length, COUNT_BYTES);
  const bytes = new Uint8Array(size);
  new DataView(bytes.buffer).setUint32(0, count, true);
  let offset = COUNT_BYTES;
  const sealed = encoded.map((column) => {
    bytes.set(column, offset);
    offset += column.length;
    return openColumn(bytes.subarray(offset - column.length, offset), count);
  });
  return new BillTable(bytes, sealed);
}

export function tableOfBills(bills: readonly Bill[]): BillTable {
  const columns = createBillColumns(bills.length);
  bills.forEach((bill, i) => {
    for (const field of BILL_FIELDS) {
      if (field === "amountUc") columns.amountUc[i] = bill.amountUc;
      else columns[field][i] = bill[field];
    }
  });
  columns.count = bills.length;
  return sealBills(columns);
}

/**
 * The table over `bytes`, which it keeps.
 *
 * @throws GridError bytes_malformed naming the field
 */
export function decodeBills(bytes: Uint8Array): BillTable {
  return readBills(bytes, readColumn);
}

/** Like `decodeBills`, of bytes that this program has just written itself. */
export function openBills(bytes: Uint8Array): BillTable {
  return readBills(bytes, trustColumn);
}

function readBills(bytes: Uint8Array, read: typeof readColumn): BillTable {
  const fail = (what: string, offset: number): never => {
    throw new GridError("bytes_malformed", `not a table of bills: ${what}`, { what, offset });
  };
  if (bytes.length < COUNT_BYTES) return fail("count", 0);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const count = view.getUint32(0, true);
  if (count > BILLS_PER_SLOT_MAX) return fail("count", 0);
  let offset = COUNT_BYTES;
  const columns = BILL_FIELDS.map((field) => {
    const kind = field === "amountUc" ? "bigint" : "number";
    const column = read(bytes, offset, { what: field, count, kind });
    offset += column.bytes.length;
    return column;
  });
  return offset === bytes.length ? new BillTable(bytes, columns) : fail("trailing bytes", offset);
}
