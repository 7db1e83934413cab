/** What a fleet reports about itself: per meter from its journal, and counts of this run. */
import { toHex } from "../services/primitives/bytes.ts";
import type { MeterRole } from "../services/wire/genesis.ts";
import { readingCodeName } from "../services/wire/refusals.ts";
import type { Transmission } from "./connection.ts";
import type { FaultName } from "./faults.ts";
import type { Journal } from "./journal.ts";
import type { Device } from "./provision.ts";

/** Names of READING_CODE to counts. */
export type CodeCounts = Readonly<Record<string, number>>;

export type DeviceStatus = {
  readonly deviceId: string; // hexadecimal
  readonly region: string;
  readonly label: string;
  readonly role: MeterRole;
  readonly isConnected: boolean;
  readonly boot: number;
  readonly seq: number; // of the last record
  readonly importWh: number | null; // registers now
  readonly exportWh: number | null;
  readonly lastSlot: number | null; // last one measured; the one before the first slot if none was
  readonly unreceipted: number; // records that wait for a receipt
  readonly refused: CodeCounts; // since the journal began
  readonly isJournalFull: boolean;
};

export type FaultCounts = {
  readonly sent: number;
  readonly lost: number; // went down with a connection before their receipt
  readonly receipts: CodeCounts;
};

export type FleetStatus = {
  readonly nextSlot: number | null;
  readonly devices: readonly DeviceStatus[];
  readonly receipts: CodeCounts; // of genuine records, in this run
  readonly unreceipted: number;
  readonly foreignReceipts: number; // not of this oracle, or not for this device
  readonly faults: Readonly<Partial<Record<FaultName, FaultCounts>>>;
};

type FaultTally = { sent: number; lost: number; receipts: Map<number, number> };

export class FleetTally {
  readonly #receipts = new Map<number, number>();
  readonly #faults = new Map<FaultName, FaultTally>();
  #foreignReceipts = 0;

  sent({ fault }: Transmission): void {
    if (fault !== null) this.#fault(fault).sent++;
  }

  lost({ fault }: Transmission): void {
    if (fault !== null) this.#fault(fault).lost++;
  }

  receipt({ fault }: Transmission, code: number): void {
    const counts = fault === null ? this.#receipts : this.#fault(fault).receipts;
    counts.set(code, (counts.get(code) ?? 0) + 1);
  }

  foreignReceipt(): void {
    this.#foreignReceipts++;
  }

  status({
    devices,
    journal,
    isConnected,
  }: {
    devices: readonly Device[];
    journal: Journal;
    isConnected: (device: string) => boolean;
  }): FleetStatus {
    const statuses = devices.map((device) => {
      const name = toHex(device.deviceId);
      return deviceStatus(device, journal, isConnected(name));
    });
    return {
      nextSlot: journal.nextSlot,
      devices: statuses,
      receipts: byName(this.#receipts),
      unreceipted: statuses.reduce((sum, device) => sum + device.unreceipted, 0),
      foreignReceipts: this.#foreignReceipts,
      faults: Object.fromEntries(
        [...this.#faults].map(([name, { sent, lost, receipts }]) => [
          name,
          { sent, lost, receipts: byName(receipts) },
        ]),
      ),
    };
  }

  #fault(name: FaultName): FaultTally {
    const known = this.#faults.get(name);
    if (known !== undefined) return known;
    const tally: FaultTally = { sent: 0, lost: 0, receipts: new Map() };
    this.#faults.set(name, tally);
    return tally;
  }
}

function deviceStatus(device: Device, journal: Journal, isConnected: boolean): DeviceStatus {
  const name = toHex(device.deviceId);
  const state = journal.state(name);
  return {
    deviceId: name,
    region: device.region,
    label: device.label,
    role: device.role,
    isConnected,
    boot: state?.boot ?? 0,
    seq: state?.seq ?? 0,
    importWh: state?.importWh ?? null,
    exportWh: state?.exportWh ?? null,
    lastSlot: state === null ? null : state.nextSlot - 1,
    unreceipted: journal.recordCount(name),
    refused: byName(journal.refusals(name)),
    isJournalFull: journal.isFull(name),
  };
}

function byName(counts: ReadonlyMap<number, number>): CodeCounts {
  return Object.fromEntries([...counts].map(([code, count]) => [readingCodeName(code), count]));
}
