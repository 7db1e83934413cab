/**
 * All meters of a fleet at the end of a slot: measure, number, persist, sign. In this order, so
 * that whatever stops the process, a sequence number stands for one content, and a register for
 * the energy of each slot once.
 */
import { toHex } from "../services/primitives/bytes.ts";
import { assert } from "../services/primitives/errors.ts";
import { decodeReading, type Reading, signReading } from "../services/wire/reading.ts";
import type { Transmission } from "./connection.ts";
import type { FaultInjector } from "./fault-injector.ts";
import type { Journal, JournalRecord } from "./journal.ts";
import {
  bootMeter,
  closeInterval,
  type MeterEnergy,
  type MeterState,
  measure,
  newMeter,
  unsignedRecord,
} from "./meter.ts";
import type { EnergySource, HomeEnergy } from "./profiles/energy-source.ts";
import type { Device } from "./provision.ts";

export type Outgoing = { readonly device: string; readonly transmission: Transmission };

export type MetersOptions = {
  readonly devices: readonly Device[];
  readonly source: EnergySource;
  readonly journal: Journal;
  readonly networkId: string;
  readonly injector: FaultInjector | null;
};

export class Meters {
  readonly #options: MetersOptions;
  readonly #devices: ReadonlyMap<string, Device>;

  constructor(options: MetersOptions) {
    this.#options = options;
    this.#devices = new Map(options.devices.map((device) => [toHex(device.deviceId), device]));
    assert(this.#devices.size === options.devices.length, "device ids are unique");
  }

  /**
   * Switches all meters on: boot counters rise, durably, before anything else is signed.
   *
   * @param firstSlot - where a fleet begins that never ran
   * @returns what the journal still holds, oldest first for each meter
   */
  async boot(firstSlot: number): Promise<Outgoing[]> {
    const { journal } = this.#options;
    const nextSlot = journal.nextSlot ?? firstSlot;
    const states = new Map<string, MeterState>();
    for (const [name, device] of this.#devices) {
      let state = journal.state(name) ?? newMeter(device, nextSlot);
      // A meter that was left out for a while still has measured.
      while (state.nextSlot < nextSlot) {
        state = measure(state, state.nextSlot, this.#energy(device, state.nextSlot, new Map()));
      }
      states.set(name, bootMeter(state));
    }
    await journal.commit({ nextSlot, states, records: [] });
    const records = [...this.#devices.keys()].flatMap((name) => journal.records(name));
    const unsigned = records.filter((record) => record.state === "unsigned");
    for (const record of unsigned) this.#sign(record, decodeReading(record.bytes).reading);
    await journal.storeSigned(unsigned);
    return records.map((record) => outgoing(record));
  }

  /** Ends `slot` at every meter. `slot` MUST be the journal's next. */
  async closeSlot(slot: number, kind: "live" | "backfill"): Promise<Outgoing[]> {
    const { journal, source } = this.#options;
    assert(slot === journal.nextSlot, "slots are closed once, in order");
    const homes = new Map<string, HomeEnergy>();
    const states = new Map<string, MeterState>();
    const closed: { record: JournalRecord; device: Device; reading: Reading }[] = [];
    for (const [name, device] of this.#devices) {
      const before = journal.state(name);
      assert(before !== null, "a meter is booted before it measures");
      const measured = measure(before, slot, this.#energy(device, slot, homes));
      if (journal.isFull(name)) {
        // No room: the registers go on, and the next record covers this slot too.
        states.set(name, measured);
        continue;
      }
      const { slotS } = source;
      const { state, reading } = closeInterval({ state: measured, device, slotS, kind });
      states.set(name, state);
      const bytes = unsignedRecord(device, reading);
      const record: JournalRecord = {
        device: name,
        seq: reading.seq,
        slot,
        bytes,
        state: "unsigned",
      };
      closed.push({ record, device, reading });
    }
    const records = closed.map(({ record }) => record);
    await journal.commit({ nextSlot: slot + 1, states, records });
    for (const { record, reading } of closed) this.#sign(record, reading);
    await journal.storeSigned(records);
    return closed.flatMap(({ record, device, reading }) => this.#disturb(record, device, reading));
  }

  #sign(record: JournalRecord, reading: Reading): void {
    const device = this.#devices.get(record.device);
    assert(device !== undefined, "a record belongs to a meter of the fleet");
    const { networkId } = this.#options;
    record.bytes = signReading({ reading, networkId, key: device.key });
  }

  /** Puts the record through the fault plan, if there is one. */
  #disturb(record: JournalRecord, device: Device, reading: Reading): Outgoing[] {
    const { injector, journal } = this.#options;
    if (injector === null) return [outgoing(record)];
    const { slot, bytes } = record;
    const disturbed = injector({ device, slot, reading, bytes });
    if (!disturbed.some((one) => one.fault === null)) journal.lose(record);
    return disturbed.map((one) =>
      one.fault === null
        ? outgoing(record)
        : {
            device: record.device,
            transmission: { bytes: one.bytes, record: null, fault: one.fault },
          },
    );
  }

  #energy(device: Device, slot: number, homes: Map<string, HomeEnergy>): MeterEnergy {
    if (device.home === null) return this.#feederEnergy(device.region, slot, homes);
    const home = this.#homeEnergy(device.region, device.home, slot, homes);
    if (device.role === "production") return { importWh: 0, exportWh: home.productionWh };
    return { importWh: home.importWh, exportWh: home.exportWh };
  }

  /** What enters or leaves the region: its homes' sum, in one direction at a time. */
  #feederEnergy(region: string, slot: number, homes: Map<string, HomeEnergy>): MeterEnergy {
    let netWh = 0;
    for (const device of this.#options.devices) {
      if (device.region !== region || device.role !== "grid" || device.home === null) continue;
      const { importWh, exportWh } = this.#homeEnergy(region, device.home, slot, homes);
      netWh += importWh - exportWh;
    }
    return { importWh: Math.max(netWh, 0), exportWh: Math.max(-netWh, 0) };
  }

  /** `homes` keeps one slot's energies: a home is asked once for all its meters. */
  #homeEnergy(region: string, home: number, slot: number, homes: Map<string, HomeEnergy>) {
    const key = `${region}/${home}`;
    const energy = homes.get(key) ?? this.#options.source.energyOf({ region, home, slot });
    homes.set(key, energy);
    return energy;
  }
}

function outgoing(record: JournalRecord): Outgoing {
  return {
    device: record.device,
    transmission: { bytes: record.bytes, record, fault: null },
  };
}
