/**
 * The meter that a gateway stands for: its key, its sequence numbers, its journal. Each slot's
 * register becomes one signed record, durable before it is signed and kept until its receipt, by
 * the same journal that simulated meters have.
 */
import type { Journal, JournalRecord } from "../../firmware-sim/journal.ts";
import {
  bootMeter,
  closeInterval,
  type MeterState,
  type Stamp,
  unsignedRecord,
} from "../../firmware-sim/meter.ts";
import type { Device } from "../../firmware-sim/provision.ts";
import { sha256 } from "../crypto/hash.ts";
import { toHex, utf8 } from "../primitives/bytes.ts";
import { assert } from "../primitives/errors.ts";
import { decodeReading, SHORT_HASH_BYTES, signReading, TIME_STATUS } from "../wire/reading.ts";
import type { Sample, SlotSample } from "./slot-aligner.ts";

/** A record covers so much at most (`reading.cddl`); whatever is older than that has no shape. */
const INTERVAL_S_MAX = 366 * 86_400;
/** The reading format's own bound. */
const CLOCK_ERROR_MS_MAX = 86_400_000;
const RESOLUTION_MAX = 3;
const FIRMWARE_HASH = sha256(utf8("gridlane gateway 1")).slice(0, SHORT_HASH_BYTES);

export type GatewayMeterOptions = {
  readonly device: Device;
  readonly journal: Journal;
  readonly networkId: string;
  readonly slotS: number;
  readonly genesisSlot: number;
  readonly opening: { readonly importWh: number; readonly exportWh: number }; // as registered
};

export class GatewayMeter {
  readonly #options: GatewayMeterOptions;
  readonly #name: string;

  constructor(options: GatewayMeterOptions) {
    this.#options = options;
    this.#name = toHex(options.device.deviceId);
  }

  get state(): MeterState {
    const state = this.#options.journal.state(this.#name);
    assert(state !== null, "a gateway is booted before it is asked");
    return state;
  }

  /** Counts the start, durably. @returns what waits for a receipt, oldest first */
  async boot(): Promise<readonly JournalRecord[]> {
    const { journal, genesisSlot, opening, device } = this.#options;
    const fresh: MeterState = {
      ...{ boot: 0, seq: 0, previousHash: new Uint8Array(SHORT_HASH_BYTES) },
      importWh: device.role === "production" ? null : opening.importWh,
      exportWh: opening.exportWh,
      ...{ openSlot: genesisSlot, nextSlot: genesisSlot },
    };
    const state = bootMeter(journal.state(this.#name) ?? fresh);
    const nextSlot = journal.nextSlot ?? genesisSlot;
    await journal.commit({ nextSlot, states: new Map([[this.#name, state]]), records: [] });
    const records = journal.records(this.#name);
    const unsigned = records.filter((record) => record.state === "unsigned");
    for (const record of unsigned) this.#sign(record);
    await journal.storeSigned(unsigned);
    return records;
  }

  /**
   * Signs a slot's register.
   *
   * @returns null where the journal is full: the next record will cover this slot too
   */
  async close(
    { slot, sample }: SlotSample,
    kind: "live" | "backfill",
  ): Promise<JournalRecord | null> {
    const { journal, device, slotS } = this.#options;
    const before = this.state;
    assert(slot >= before.nextSlot, "slots are closed in order");
    if (journal.isFull(this.#name)) return null;
    const slotsMax = Math.floor(INTERVAL_S_MAX / slotS);
    const measured: MeterState = {
      ...before,
      importWh: before.importWh === null ? null : sample.importWh,
      exportWh: sample.exportWh,
      openSlot: Math.max(before.openSlot, slot + 1 - slotsMax),
      nextSlot: slot + 1,
    };
    const stamp = stampOf(sample, { endS: (slot + 1) * slotS, state: measured });
    const { state, reading } = closeInterval({ state: measured, device, slotS, kind, stamp });
    const record: JournalRecord = {
      ...{ device: this.#name, seq: reading.seq, slot, state: "unsigned" },
      bytes: unsignedRecord(device, reading),
    };
    const states = new Map([[this.#name, state]]);
    await journal.commit({ nextSlot: slot + 1, states, records: [record] });
    this.#sign(record);
    await journal.storeSigned([record]);
    return record;
  }

  #sign(record: JournalRecord): void {
    const { networkId, device } = this.#options;
    const { reading } = decodeReading(record.bytes);
    record.bytes = signReading({ reading, networkId, key: device.key });
  }
}

/** When the register was read, less the interval's end, is what the clock field says: never > 0. */
function stampOf(sample: Sample, { endS, state }: { endS: number; state: MeterState }): Stamp {
  const errorMs = 1000 * (sample.readS - endS);
  return {
    timeStatus: sample.isMeterTime ? TIME_STATUS.informative : TIME_STATUS.unknown,
    clockErrorMs: Math.max(errorMs, -CLOCK_ERROR_MS_MAX),
    flags: sample.flags,
    firmwareHash: FIRMWARE_HASH,
    resolution: resolutionOf(sample.resolutionWh, state),
  };
}

/** The coarsest step that both registers and the source's own resolution allow. */
function resolutionOf(resolutionWh: number, { importWh, exportWh }: MeterState): number {
  for (let power = RESOLUTION_MAX; power > 0; power--) {
    const step = 10 ** power;
    const fits = resolutionWh % step === 0;
    if (fits && (importWh ?? 0) % step === 0 && (exportWh ?? 0) % step === 0) return power;
  }
  return 0;
}
