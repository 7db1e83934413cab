/**
 * What became of every record that reached the oracle, by its receipts: an answer once given is
 * never taken back, only true records are taken, and a refusal has its reason. From the records
 * that were taken it follows what each meter must be settled for in each slot.
 */

import { sha256 } from "../../../services/crypto/hash.ts";
import { bytesEqual, fromHex, toHex } from "../../../services/primitives/bytes.ts";
import { GridError } from "../../../services/primitives/errors.ts";
import { READING_FUTURE_S_MAX } from "../../../services/primitives/limits.ts";
import { decodeReading, type Reading, verifyReading } from "../../../services/wire/reading.ts";
import { openReceipt } from "../../../services/wire/receipt.ts";
import { READING_CODE, readingCodeName } from "../../../services/wire/refusals.ts";
import { receiptTopic } from "../../../services/wire/topics.ts";
import { type Community, GENESIS_SLOT, SLOT_S, type Truth } from "../community.ts";

export type MeterName = { readonly region: number; readonly meter: number };
type Taken = { readonly boot: number; readonly seq: number; readonly endSlot: number };
type Arrived = {
  readonly reading: Reading | null; // null: unreadable
  readonly meter: MeterName | null; // of a true record
  wasAhead: boolean; // arrived once while it was beyond the oracle's future
};
export type SlotEnergy = { importWh: number; exportWh: number };

export class Readings {
  readonly #community: Community;
  readonly #truth: Truth;
  readonly #receiptKey: Uint8Array;
  readonly #violate: (what: string) => void;
  readonly #arrived = new Map<string, Arrived>(); // by hash of the payload
  readonly #answers = new Map<string, Map<number, Uint8Array>>(); // receipts by hash and code
  readonly #taken = new Map<string, Map<number, Taken>>(); // by meter and last slot
  readonly #arrivedEnd = new Map<string, number>(); // last slot of true records that arrived
  readonly #newest = new Map<string, { boot: number; seq: number }>(); // that arrived
  readonly #meters = new Map<string, MeterName>(); // by device id
  readonly #clones = new Set<string>(); // hashes of payloads
  counts = { arrivals: 0, receipts: 0, taken: 0 };

  constructor(parts: {
    readonly community: Community;
    readonly truth: Truth;
    readonly receiptKey: Uint8Array;
    readonly violate: (what: string) => void;
  }) {
    this.#community = parts.community;
    this.#truth = parts.truth;
    this.#receiptKey = parts.receiptKey;
    this.#violate = parts.violate;
    parts.community.genesis.regions.forEach(({ meters }, region) => {
      meters.forEach(({ deviceId }, meter) => {
        this.#meters.set(deviceId, { region, meter });
      });
    });
  }

  /** A payload is handed to the oracle, whose clock shows `nowS`. */
  arrive(payload: Uint8Array, nowS: number): void {
    this.counts.arrivals++;
    const hash = toHex(sha256(payload));
    const arrived = this.#arrived.get(hash) ?? this.#examine(payload);
    this.#arrived.set(hash, arrived);
    const { reading, meter } = arrived;
    if (reading === null || meter === null) return;
    if (reading.intervalEndS > nowS + READING_FUTURE_S_MAX) arrived.wasAhead = true;
    const key = keyOf(meter);
    const endSlot = reading.intervalEndS / SLOT_S - 1;
    this.#arrivedEnd.set(key, Math.max(endSlot, this.#arrivedEnd.get(key) ?? 0));
    const newest = this.#newest.get(key);
    if (newest === undefined || isLater(reading, newest)) this.#newest.set(key, reading);
  }

  /** A receipt has left the oracle: from now on it binds. */
  answer(topic: string, bytes: Uint8Array): void {
    this.counts.receipts++;
    const receipt = openReceipt({ bytes, publicKey: this.#receiptKey });
    if (receipt === null) {
      this.#violate("a receipt's signature does not hold");
      return;
    }
    const hash = toHex(receipt.recordHash);
    const arrived = this.#arrived.get(hash);
    if (arrived === undefined) {
      this.#violate(`receipt for a record nobody sent: ${hash}`);
      return;
    }
    const place = this.#meters.get(toHex(receipt.deviceId));
    const region = this.#community.genesis.regions[place?.region ?? -1]?.id ?? "?";
    if (topic !== receiptTopic(region, receipt.deviceId)) {
      this.#violate(`receipt of ${toHex(receipt.deviceId)} on ${topic}`);
    }
    const answers = this.#answers.get(hash) ?? new Map<number, Uint8Array>();
    this.#answers.set(hash, answers);
    const { code } = receipt;
    const earlier = answers.get(READING_CODE.accepted);
    if (earlier !== undefined && !bytesEqual(earlier, bytes)) {
      const later = readingCodeName(code);
      this.#violate(`${this.#name(arrived)} was taken, and is answered ${later} later`);
      return;
    }
    answers.set(code, bytes);
    if (code === READING_CODE.accepted) this.#take(arrived);
    else if (arrived.meter !== null) this.#checkRefusal(arrived, code);
  }

  /** The newest record of a meter that a receipt says was taken. */
  lastTaken(meter: MeterName): Taken | null {
    const taken = [...(this.#taken.get(keyOf(meter))?.values() ?? [])];
    return taken.reduce<Taken | null>(
      (last, one) => (last === null || isLater(one, last) ? one : last),
      null,
    );
  }

  /** The last slot that the oracle can know of. */
  arrivedEnd(meter: MeterName): number {
    return this.#arrivedEnd.get(keyOf(meter)) ?? GENESIS_SLOT - 1;
  }

  /**
   * Energy that each slot must have come to in the end, by the records taken: the step between two
   * of them, exact over one slot, in even parts over several, the first ones larger.
   */
  due(meter: MeterName): Map<number, SlotEnergy> {
    const due = new Map<number, SlotEnergy>();
    const ends = [...(this.#taken.get(keyOf(meter))?.keys() ?? [])].sort((a, b) => a - b);
    let before = { end: GENESIS_SLOT - 1, importWh: 0, exportWh: 0 };
    for (const end of ends) {
      const registers = this.#truth.registers({ ...meter, slot: end });
      const slots = end - before.end;
      for (let i = 0; i < slots; i++) {
        due.set(before.end + 1 + i, {
          importWh: part(registers.importWh - before.importWh, slots, i),
          exportWh: part(registers.exportWh - before.exportWh, slots, i),
        });
      }
      before = { end, ...registers };
    }
    return due;
  }

  #examine(payload: Uint8Array): Arrived {
    const record = readable(payload);
    if (record === null) return { reading: null, meter: null, wasAhead: false };
    const { reading } = record;
    const meter = this.#meters.get(toHex(reading.deviceId));
    const unknown = { reading, meter: null, wasAhead: false };
    if (meter === undefined) return unknown;
    const { genesis } = this.#community;
    const { publicKey, role } = genesis.regions[meter.region]!.meters[meter.meter]!;
    const { networkId } = genesis;
    const isSigned = verifyReading({ record, networkId, publicKey: fromHex(publicKey) });
    if (!isSigned || this.#isClone(payload)) return unknown;
    // A record that lies in the far future is not worth adding up its registers for.
    const slot = reading.intervalEndS / SLOT_S - 1;
    if (slot > GENESIS_SLOT + 600) return unknown;
    const registers = this.#truth.registers({ ...meter, slot });
    const isTrue =
      reading.exportWh === registers.exportWh &&
      (role === "production" || reading.importWh === registers.importWh);
    return isTrue ? { reading, meter, wasAhead: false } : unknown;
  }

  /** A payload that another holder of a meter's key has made: never true, whatever it says. */
  declareClone(payload: Uint8Array): void {
    this.#clones.add(toHex(sha256(payload)));
  }

  #isClone(payload: Uint8Array): boolean {
    return this.#clones.size > 0 && this.#clones.has(toHex(sha256(payload)));
  }

  #take(arrived: Arrived): void {
    const { reading, meter } = arrived;
    if (reading === null || meter === null) {
      this.#violate(`${this.#name(arrived)} was taken, and is forged`);
      return;
    }
    const key = keyOf(meter);
    const taken = this.#taken.get(key) ?? new Map<number, Taken>();
    this.#taken.set(key, taken);
    const { boot, seq } = reading;
    const endSlot = reading.intervalEndS / SLOT_S - 1;
    const other = taken.get(endSlot);
    if (other !== undefined && (other.seq !== seq || other.boot !== boot)) {
      this.#violate(`${this.#name(arrived)} was taken beside another one of its slot`);
    }
    if (other === undefined) this.counts.taken++;
    taken.set(endSlot, { boot, seq, endSlot });
  }

  /** Why a true record may be refused. */
  #checkRefusal(arrived: Arrived, code: number): void {
    const { reading, meter, wasAhead } = arrived;
    const newest = this.#newest.get(keyOf(meter!))!;
    const hasReason =
      (code === READING_CODE.sequence_replayed && isLater(newest, reading!)) ||
      (code === READING_CODE.time_in_future && wasAhead) ||
      // Its slot has left the correction window; what it measured is in the registers after it.
      (code === READING_CODE.time_stale &&
        this.#community.genesis.oracle.correctionWindowS < 50 * SLOT_S);
    if (!hasReason) this.#violate(`${this.#name(arrived)} is refused: ${readingCodeName(code)}`);
  }

  #name({ reading, meter }: Arrived): string {
    if (reading === null) return "an unreadable record";
    const { boot, seq, intervalEndS } = reading;
    const slot = intervalEndS / SLOT_S - 1 - GENESIS_SLOT;
    const of = meter === null ? toHex(reading.deviceId).slice(0, 8) : keyOf(meter);
    return `the record of meter ${of}, boot ${boot}, seq ${seq}, slot ${slot},`;
  }
}

function readable(payload: Uint8Array) {
  try {
    return decodeReading(payload);
  } catch (error) {
    if (error instanceof GridError) return null;
    throw error;
  }
}

function keyOf({ region, meter }: MeterName): string {
  return `${region}/${meter}`;
}

function isLater(a: { boot: number; seq: number }, b: { boot: number; seq: number }): boolean {
  return a.boot > b.boot || (a.boot === b.boot && a.seq > b.seq);
}

/** The index-th of even parts that sum to the total, the first ones larger by one. */
function part(total: number, parts: number, index: number): number {
  return Math.floor((total + parts - 1 - index) / parts);
}
