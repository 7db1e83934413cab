/**
 * One region's energy between reading and report: the running state of its meters, the slots that
 * fill, what came late, and the cursor of its reports. Lives in memory; each change returns the
 * store rows that make it durable, and `restore` reads them back.
 *
 * Invariant: energy reported + energy waiting here = last accepted register - opening register, for
 * each meter and direction. Asserted step by step: what a reading adds is exactly its step.
 */
import { correctionFloor, type Emission, slotEnergies } from "../metering/intervals.ts";
import { openingState, type RegisterState } from "../metering/registers.ts";
import { fromHex, toHex } from "../primitives/bytes.ts";
import { assert } from "../primitives/errors.ts";
import { type Slot, slotEndS, type UnixSeconds } from "../primitives/units.ts";
import type { Genesis, GenesisMeter, MeterRole } from "../wire/genesis.ts";
import { type DeviceAlgorithm, decodeReading, keyIdOf, readingLeaf } from "../wire/reading.ts";
import { QUALITY, type Report } from "../wire/report.ts";
import { LateEnergy } from "./late-energy.ts";
import { packLeaves, readingsRoot } from "./readings-tree.ts";
import { emptyColumns, fillMeter, type SlotColumns } from "./slot-columns.ts";
import type { OracleStore, StoreChange } from "./store.ts";
import { deviceKey, regionKey, slotKey } from "./store-keys.ts";
import { encodeDeviceRow, encodeLeavesRow, encodeRegionRow } from "./store-rows.ts";

/** What the chain and genesis say of how slots close. */
export type SlotRules = {
  readonly slotS: number;
  readonly genesisSlot: Slot;
  readonly cutoffS: number;
  readonly correctionWindowS: number;
};

export type Meter = {
  readonly index: number;
  readonly deviceId: Uint8Array;
  readonly algorithm: DeviceAlgorithm;
  readonly publicKey: Uint8Array;
  readonly keyId: Uint8Array;
  readonly role: MeterRole;
  readonly connectionW: number;
  state: RegisterState;
  lastReceivedS: UnixSeconds | null; // market time of the last accepted reading
  quality: number; // of that reading's energy; missing before the first
};

export class Region {
  readonly index: number;
  readonly id: string;
  readonly meters: readonly Meter[];
  readonly rules: SlotRules;
  readonly #meterByDevice: ReadonlyMap<string, Meter>;
  readonly #filling = new Map<Slot, SlotColumns>(); // slots from `nextSlot` on
  readonly #late: LateEnergy;
  #nextSlot: Slot;
  #floorSlot: Slot;
  #refusedReadings = 0; // since the previous report
  #reached = 0; // meters whose readings reach the end of `nextSlot`

  constructor(genesis: Genesis, index: number) {
    const region = genesis.regions[index]!;
    this.index = index;
    this.id = region.id;
    this.rules = slotRules(genesis);
    this.meters = region.meters.map((meter, i) => openMeter(meter, i, genesis.genesisTimeS));
    this.#meterByDevice = new Map(this.meters.map((meter) => [toHex(meter.deviceId), meter]));
    this.#late = new LateEnergy(index);
    this.#nextSlot = this.rules.genesisSlot;
    this.#floorSlot = this.rules.genesisSlot;
  }

  /** The slot of the next report. */
  get nextSlot(): Slot {
    return this.#nextSlot;
  }

  /** Oldest slot that the next report may correct. */
  get floorSlot(): Slot {
    return this.#floorSlot;
  }

  /** Late entries that wait for a report. */
  get lateEntries(): number {
    return this.#late.size;
  }

  meter(deviceId: Uint8Array): Meter | undefined {
    return this.#meterByDevice.get(toHex(deviceId));
  }

  /** Takes in the energy of a reading that passed every rule. */
  accept(accepted: {
    readonly meter: Meter;
    readonly state: RegisterState; // after the reading
    readonly emission: Emission;
    readonly leaf: Uint8Array;
    readonly nowS: UnixSeconds;
  }): StoreChange[] {
    const { meter, state, emission, leaf, nowS } = accepted;
    assert(
      state.importWh - meter.state.importWh === emission.importWh &&
        state.exportWh - meter.state.exportWh === emission.exportWh,
      "a reading emits exactly the step of its registers",
    );
    const endS = this.#endS();
    if (meter.state.intervalEndS < endS && state.intervalEndS >= endS) this.#reached++;
    meter.state = state;
    meter.lastReceivedS = nowS;
    meter.quality = emission.quality;
    const row = encodeDeviceRow({ state, lastReceivedS: nowS, quality: emission.quality });
    const late = this.#place(meter.index, emission, leaf);
    return [{ table: "device", key: deviceKey(meter.deviceId), value: row }, ...late];
  }

  /** Lays energy over filling and reported slots; returns the rows of the late part. */
  #place(meterIndex: number, emission: Emission, leaf: Uint8Array): StoreChange[] {
    const changes: StoreChange[] = [];
    let [importWh, exportWh] = [0, 0];
    for (const { slot, ...energy } of slotEnergies(emission)) {
      importWh += energy.importWh;
      exportWh += energy.exportWh;
      if (slot >= this.#nextSlot) {
        fillMeter(this.#columns(slot), meterIndex, { ...energy, leaf });
      } else {
        changes.push(this.#late.put({ slot, meterIndex }, { ...energy, leaf }));
      }
    }
    assert(importWh === emission.importWh, "import over the slots sums to the step");
    assert(exportWh === emission.exportWh, "export over the slots sums to the step");
    return changes;
  }

  refuse(): StoreChange {
    this.#refusedReadings++;
    return this.#cursorRow();
  }

  /** Whether the next report may be made: every meter is there, or the cut-off has passed. */
  isDue(now: { readonly nowS: UnixSeconds; readonly cutoff: "open" | "held" }): boolean {
    const endS = this.#endS();
    if (now.nowS < endS) return false;
    if (this.#reached === this.meters.length) return true;
    return now.cutoff === "open" && now.nowS >= endS + this.rules.cutoffS;
  }

  /** Closes the next slot: its report, final, and the rows that must be durable with it. */
  close(configDigest: Uint8Array): { readonly report: Report; readonly changes: StoreChange[] } {
    const slot = this.#nextSlot;
    const columns = this.#columns(slot);
    const taken = this.#late.take(this.floorSlot, columns);
    const leaves = packLeaves(columns.leaves.map((leaf, i) => leaf ?? taken.leaves.get(i)));
    const report: Report = {
      configDigest,
      regionIndex: this.index,
      slot,
      importWh: columns.importWh,
      exportWh: columns.exportWh,
      quality: columns.quality,
      readingsRoot: readingsRoot(leaves),
      refusedReadings: this.#refusedReadings,
      late: taken.late,
    };
    this.#filling.delete(slot);
    this.#refusedReadings = 0;
    this.#moveTo((slot + 1) as Slot);
    const kept = {
      table: "leaves",
      key: slotKey(report),
      value: encodeLeavesRow({ leaves }),
    } as const;
    return { report, changes: [...taken.changes, kept, this.#cursorRow()] };
  }

  /** Reads back what the store holds of this region. To be called once, before anything else. */
  async restore(store: OracleStore): Promise<void> {
    for (const meter of this.meters) {
      const row = store.device(meter.deviceId);
      if (row === undefined) continue;
      meter.state = row.state;
      meter.lastReceivedS = row.lastReceivedS;
      meter.quality = row.quality;
    }
    const cursor = store.region(this.index);
    this.#refusedReadings = cursor?.refusedReadings ?? 0;
    this.#moveTo(cursor?.nextSlot ?? this.rules.genesisSlot);
    for await (const { slot, meterIndex, row } of store.lateEnergy(this.index)) {
      this.#late.put({ slot: slot as Slot, meterIndex }, row);
    }
    const at = { regionIndex: this.index, fromSlot: this.#nextSlot };
    for await (const { meterIndex, row } of store.readingsFrom(at)) {
      const leaf = readingLeaf({ payload: decodeReading(row.record).payload, salt: row.salt });
      for (const { slot, ...energy } of slotEnergies(row.emission)) {
        // Earlier slots of this record went into their report, or wait in the late table.
        if (slot < this.#nextSlot) continue;
        fillMeter(this.#columns(slot), meterIndex, { ...energy, leaf });
      }
    }
  }

  /** QUALITY of a meter as people should see it now: missing while a reported slot lacks it. */
  currentQuality(meter: Meter): number {
    const reportedEndS = this.#endS() - this.rules.slotS;
    return meter.state.intervalEndS < reportedEndS ? QUALITY.missing : meter.quality;
  }

  #columns(slot: Slot): SlotColumns {
    let columns = this.#filling.get(slot);
    if (columns === undefined) {
      columns = emptyColumns(this.meters.length);
      this.#filling.set(slot, columns);
    }
    return columns;
  }

  #moveTo(slot: Slot): void {
    this.#nextSlot = slot;
    this.#floorSlot = correctionFloor({ ...this.rules, nextSlot: slot });
    const endS = this.#endS();
    this.#reached = 0;
    for (const meter of this.meters) if (meter.state.intervalEndS >= endS) this.#reached++;
  }

  #endS(): UnixSeconds {
    return slotEndS(this.#nextSlot, this.rules.slotS);
  }

  #cursorRow(): StoreChange {
    const row = { nextSlot: this.#nextSlot, refusedReadings: this.#refusedReadings };
    return { table: "region", key: regionKey(this.index), value: encodeRegionRow(row) };
  }
}

function slotRules(genesis: Genesis): SlotRules {
  return {
    slotS: genesis.slotS,
    genesisSlot: Math.floor(genesis.genesisTimeS / genesis.slotS) as Slot,
    cutoffS: genesis.oracle.cutoffS,
    correctionWindowS: genesis.oracle.correctionWindowS,
  };
}

function openMeter(meter: GenesisMeter, index: number, genesisTimeS: number): Meter {
  const publicKey = fromHex(meter.publicKey);
  return {
    index,
    deviceId: fromHex(meter.deviceId),
    algorithm: meter.algorithm,
    publicKey,
    keyId: keyIdOf(publicKey),
    role: meter.role,
    connectionW: meter.connectionW,
    state: openingState(meter, genesisTimeS),
    lastReceivedS: null,
    quality: QUALITY.missing,
  };
}
