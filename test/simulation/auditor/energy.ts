/**
 * Settled energy against the truth: what each meter has been settled for in each slot, by reports
 * and their late entries; never more than it said, and in the end exactly what it measured.
 */
import { QUALITY, type Report } from "../../../services/wire/report.ts";
import { type Community, GENESIS_SLOT, type Truth } from "../community.ts";
import type { Readings, SlotEnergy } from "./readings.ts";

export class SettledEnergy {
  lateEntries = 0;
  readonly #community: Community;
  readonly #truth: Truth;
  readonly #readings: Readings;
  readonly #violate: (what: string) => void;
  readonly #settled: readonly Map<number, SlotEnergy>[][]; // by region, meter and slot

  constructor(parts: {
    readonly community: Community;
    readonly truth: Truth;
    readonly readings: Readings;
    readonly violate: (what: string) => void;
  }) {
    this.#community = parts.community;
    this.#truth = parts.truth;
    this.#readings = parts.readings;
    this.#violate = parts.violate;
    const { regions } = parts.community.genesis;
    this.#settled = regions.map(({ meters }) => meters.map(() => new Map()));
  }

  /** A report says the truth as far as it calls it actual, and never more than was measured. */
  check(report: Report, r: number): void {
    const slot = report.slot - GENESIS_SLOT;
    report.importWh.forEach((importWh, m) => {
      const exportWh = report.exportWh[m]!;
      const quality = report.quality[m]!;
      const name = `slot ${slot}: region ${r} meter ${m}`;
      const true_ = this.#truth.energy({ region: r, meter: m, slot: report.slot });
      const isTrue = importWh === true_.importWh && exportWh === true_.exportWh;
      if (quality === QUALITY.actual && !isTrue) {
        const [told, was] = [`${importWh}/${exportWh}`, `${true_.importWh}/${true_.exportWh}`];
        this.#violate(`${name}: reported actual ${told} Wh, was ${was}`);
      }
      if (quality === QUALITY.missing && importWh + exportWh > 0) {
        this.#violate(`${name}: missing, with energy`);
      }
    });
    this.add(report, r);
    report.importWh.forEach((_, m) => {
      const at = { region: r, meter: m };
      const most = this.#truth.registers({ ...at, slot: this.#readings.arrivedEnd(at) });
      const settled = this.settled(r, m);
      if (settled.importWh > most.importWh || settled.exportWh > most.exportWh) {
        this.#violate(`slot ${slot}: region ${r} meter ${m}: settled more than it ever said`);
      }
    });
  }

  /** What a report brings, unexamined. */
  add(report: Report, r: number): void {
    report.importWh.forEach((importWh, m) => {
      this.#addEnergy(r, m, report.slot, { importWh, exportWh: report.exportWh[m]! });
    });
    for (const { slot: of, meterIndex, importWh, exportWh } of report.late) {
      this.lateEntries++;
      this.#addEnergy(r, meterIndex, of, { importWh, exportWh });
    }
  }

  #addEnergy(r: number, m: number, slot: number, energy: SlotEnergy): void {
    const bySlot = this.#settled[r]![m]!;
    const { importWh, exportWh } = bySlot.get(slot) ?? { importWh: 0, exportWh: 0 };
    bySlot.set(slot, {
      importWh: importWh + energy.importWh,
      exportWh: exportWh + energy.exportWh,
    });
  }

  /** In all, since genesis. */
  settled(r: number, m: number): SlotEnergy {
    const total = { importWh: 0, exportWh: 0 };
    for (const { importWh, exportWh } of this.#settled[r]![m]!.values()) {
      total.importWh += importWh;
      total.exportWh += exportWh;
    }
    return total;
  }

  /** When nothing waits any more: nothing that was measured is lost. */
  finish(lastSlot: number): void {
    const isExact = this.#community.genesis.oracle.correctionWindowS > 50 * 900;
    this.#settled.forEach((meters, region) => {
      meters.forEach((bySlot, meter) => {
        const due = this.#readings.due({ region, meter });
        const name = `region ${region} meter ${meter}`;
        if (isExact) this.#compareSlots(name, bySlot, due);
        const is = this.settled(region, meter);
        const was = this.#truth.registers({ region, meter, slot: lastSlot });
        if (is.importWh === was.importWh && is.exportWh === was.exportWh) return;
        const [told, truth] = [`${is.importWh}/${is.exportWh}`, `${was.importWh}/${was.exportWh}`];
        this.#violate(`${name}: settled ${told} Wh in all, its registers rose by ${truth}`);
      });
    });
  }

  #compareSlots(
    name: string,
    settled: ReadonlyMap<number, SlotEnergy>,
    due: ReadonlyMap<number, SlotEnergy>,
  ): void {
    const none = { importWh: 0, exportWh: 0 };
    for (const slot of new Set([...settled.keys(), ...due.keys()])) {
      const [is, should] = [settled.get(slot) ?? none, due.get(slot) ?? none];
      if (is.importWh === should.importWh && is.exportWh === should.exportWh) continue;
      const told = `settled ${is.importWh}/${is.exportWh} Wh`;
      const text = `${name}, slot ${slot - GENESIS_SLOT}: ${told}, due by its records`;
      this.#violate(`${text} ${should.importWh}/${should.exportWh}`);
      return;
    }
  }
}
