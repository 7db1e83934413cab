/**
 * Ingest: a record arrives, is examined, made durable and answered, in this order.
 *
 * Each record is examined at once against memory, in the order of arrival, and its rows join the
 * next write of the store; its receipt leaves, and the caller's PUBACK may leave, only after that
 * write. A reading that is in order needs no read of the disk; a repeated or refused one may.
 */
import { sha256 } from "../crypto/hash.ts";
import { emissionOf } from "../metering/intervals.ts";
import { type Judgement, nextState } from "../metering/registers.ts";
import { bytesEqual } from "../primitives/bytes.ts";
import type { Clock } from "../primitives/clock.ts";
import { assert, GridError } from "../primitives/errors.ts";
import { INGEST_QUEUE_MAX } from "../primitives/limits.ts";
import { slotAt, type UnixSeconds, unixSeconds } from "../primitives/units.ts";
import { readingLeaf, recordHash as shortHash } from "../wire/reading.ts";
import { encodeReceipt, openReceipt } from "../wire/receipt.ts";
import { READING_CODE, type ReadingCodeName, readingCodeName } from "../wire/refusals.ts";
import { receiptTopic } from "../wire/topics.ts";
import { type Arrival, type Examined, examine, type Sender } from "./examine.ts";
import type { GroupCommit } from "./group-commit.ts";
import type { Refusal, RefusalLog } from "./refusal-log.ts";
import type { Region } from "./region.ts";
import { Salts } from "./salts.ts";
import type { OracleStore, StoreChange } from "./store.ts";
import { meterSlotKey, recordKey, sequenceKey } from "./store-keys.ts";
import { encodeReadingRow } from "./store-rows.ts";

export type IngestCounters = {
  readonly accepted: number;
  readonly duplicates: number;
  readonly refused: Readonly<Partial<Record<ReadingCodeName, number>>>;
};

export type IngestContext = {
  readonly networkId: string;
  readonly regions: ReadonlyMap<string, Region>; // by id
  readonly store: OracleStore;
  readonly commit: GroupCommit;
  readonly refusals: RefusalLog;
  readonly clock: Clock;
  readonly futureS: number;
  readonly member: {
    readonly id: string;
    readonly receiptSecretKey: Uint8Array;
    readonly receiptPublicKey: Uint8Array;
    readonly saltSecret: Uint8Array;
  };
  publishReceipt(topic: string, payload: Uint8Array): void;
  onAccepted(accepted: { readonly region: Region; readonly intervalEndS: UnixSeconds }): void;
  onRefused(refusal: Refusal): void;
};

const NO_LEAF = new Uint8Array(32);

export class Ingest {
  readonly #context: IngestContext;
  /** Receipts whose write is still under way: by sequence key, refused ones by record hash. */
  readonly #inFlight = new Map<string, Uint8Array>();
  readonly #refused = new Map<ReadingCodeName, number>();
  readonly #salts: Salts;
  #accepted = 0;
  #duplicates = 0;

  constructor(context: IngestContext) {
    this.#context = context;
    this.#salts = new Salts(context.member.saltSecret);
  }

  /**
   * Resolves when the record and its answer are durable and the receipt was handed over, in the
   * order of the calls. Takes refused records too: a broker MUST acknowledge them (MQTT 3.1.1 has
   * no negative PUBACK, and the device would send the same record for ever).
   *
   * @throws GridError queue_full beyond INGEST_QUEUE_MAX waiting records; what stopped the store
   */
  take({ topic, payload }: Arrival): Promise<void> {
    const { commit, regions, networkId, clock, futureS } = this.#context;
    if (commit.failure !== null) return Promise.reject(commit.failure);
    if (commit.size >= INGEST_QUEUE_MAX) return Promise.reject(queueFull());
    // A plain view: a Buffer's own `slice` would share memory where ours copies.
    const bytes = new Uint8Array(payload.buffer, payload.byteOffset, payload.byteLength);
    const nowS = clock.nowS();
    const examined = examine({ topic, payload: bytes }, { regions, networkId, nowS, futureS });
    const recordHash = sha256(bytes);
    if (examined.judgement.code === READING_CODE.accepted) {
      return this.#accept(examined, { bytes, recordHash, nowS });
    }
    const first = this.#firstReceipt(examined, recordHash);
    if (first === null) return this.#refuse(examined, { recordHash, nowS });
    this.#duplicates++;
    return commit.add([], () => this.#publish(examined.sender, first));
  }

  counters(): IngestCounters {
    return {
      accepted: this.#accepted,
      duplicates: this.#duplicates,
      refused: Object.fromEntries(this.#refused),
    };
  }

  #accept(examined: Examined, arrived: Arrived): Promise<void> {
    const { region, meter, record, sender } = examined;
    assert(region !== null && meter !== null && record !== null, "an accepted record is known");
    const { reading, payload } = record;
    const { slotS } = region.rules;
    const salt = this.#salts.saltOf(reading);
    const leaf = readingLeaf({ payload, salt });
    const emission = emissionOf({
      state: meter.state,
      reading,
      slotS,
      floorSlot: region.floorSlot,
    });
    const state = nextState(meter.state, reading, shortHash(payload));
    const changes = region.accept({ meter, state, emission, leaf, nowS: arrived.nowS });
    const receipt = this.#receipt(examined, arrived, leaf);
    const sequence = sequenceKey(reading);
    const slot = slotAt(unixSeconds(reading.intervalEndS - slotS), slotS);
    const at = { regionIndex: region.index, slot, meterIndex: meter.index };
    changes.push(
      {
        table: "reading",
        key: meterSlotKey(at),
        value: encodeReadingRow({ record: arrived.bytes, salt, emission }),
      },
      { table: "receipt", key: sequence, value: receipt },
    );
    this.#accepted++;
    this.#inFlight.set(sequence, receipt);
    return this.#context.commit.add(changes, () => {
      this.#inFlight.delete(sequence);
      this.#publish(sender, receipt);
      this.#context.onAccepted({ region, intervalEndS: reading.intervalEndS });
    });
  }

  #refuse(examined: Examined, arrived: Omit<Arrived, "bytes">): Promise<void> {
    const { sender, region, judgement } = examined;
    const { recordHash, nowS } = arrived;
    const refusal = {
      regionIndex: region?.index ?? null,
      deviceId: sender?.deviceId ?? null,
      ...facts(judgement),
      recordHash,
      timeS: nowS,
    };
    const logged = this.#context.refusals.add(refusal);
    const changes: StoreChange[] = [logged.count];
    if (region !== null) changes.push(region.refuse());
    const receipt = sender && this.#receipt(examined, arrived, NO_LEAF);
    const key = recordKey(recordHash);
    if (logged.row !== null) {
      changes.push(logged.row);
      // An answer can be repeated as long as it is logged: the same bound holds for both.
      if (receipt !== null) changes.push({ table: "refused", key, value: receipt });
    }
    const name = readingCodeName(judgement.code) as ReadingCodeName;
    this.#refused.set(name, (this.#refused.get(name) ?? 0) + 1);
    if (receipt !== null) this.#inFlight.set(key, receipt);
    return this.#context.commit.add(changes, () => {
      this.#inFlight.delete(key);
      if (receipt !== null) this.#publish(sender, receipt);
      this.#context.onRefused(refusal);
    });
  }

  /**
   * The first answer to a record that is here again: the same signed core under the same (boot,
   * seq) as one that was taken, whatever its signature (ECDSA has many for one core); or the same
   * bytes, refused for the same reason.
   */
  #firstReceipt(examined: Examined, recordHash: Uint8Array): Uint8Array | null {
    const { store, member } = this.#context;
    const { sender, record, judgement } = examined;
    if (sender === null) return null; // nobody was answered
    const open = (bytes: Uint8Array | undefined) => {
      const receipt = bytes && openReceipt({ bytes, publicKey: member.receiptPublicKey });
      return bytes && receipt ? { bytes, receipt } : null;
    };
    if (judgement.code === READING_CODE.sequence_replayed && record !== null) {
      const { reading, payload } = record;
      const found = open(this.#inFlight.get(sequenceKey(reading)) ?? store.receiptOf(reading));
      const leaf = readingLeaf({ payload, salt: this.#salts.saltOf(reading) });
      if (found !== null && bytesEqual(found.receipt.leafHash, leaf)) return found.bytes;
    }
    const inFlight = this.#inFlight.get(recordKey(recordHash));
    const found = open(inFlight ?? store.refusalReceipt(recordHash));
    return found?.receipt.code === judgement.code ? found.bytes : null;
  }

  #receipt(
    { sender, record, judgement }: Examined,
    { recordHash, nowS }: Omit<Arrived, "bytes">,
    leafHash: Uint8Array,
  ): Uint8Array {
    assert(sender !== null, "a receipt has an addressee");
    const { id: memberId, receiptSecretKey } = this.#context.member;
    const { boot = 0, seq = 0 } = record?.reading ?? {};
    const { deviceId } = sender;
    const { code } = judgement;
    const receipt = { deviceId, boot, seq, recordHash, leafHash, memberId, code, timeS: nowS };
    return encodeReceipt({ receipt, secretKey: receiptSecretKey });
  }

  #publish(sender: Sender | null, receipt: Uint8Array): void {
    if (sender === null) return;
    this.#context.publishReceipt(receiptTopic(sender.region, sender.deviceId), receipt);
  }
}

type Arrived = {
  readonly bytes: Uint8Array;
  readonly recordHash: Uint8Array;
  readonly nowS: UnixSeconds;
};

function facts({ code, measured, bound }: Judgement) {
  return { code, measured: measured ?? null, bound: bound ?? null };
}

function queueFull() {
  return new GridError(
    "queue_full",
    `${INGEST_QUEUE_MAX} readings wait for the disk already: send it again later`,
    { what: "readings", max: INGEST_QUEUE_MAX },
  );
}
