/**
 * The independent auditor: follows the chain block by block as the node has stored it, keeps its
 * own accounts, and compares with the plan's truth after every slot. It believes the wire formats
 * and nothing of execution: law, delivery, bills and sums are written down a second time here.
 *
 * It outlives every crash of the node, so what it has seen once must be there ever after.
 */
import type { StoredBlock } from "../../../services/chain/access.ts";
import { toHex } from "../../../services/primitives/bytes.ts";
import type { Slot } from "../../../services/primitives/units.ts";
import { headerHash } from "../../../services/wire/header.ts";
import { transactionCodeName } from "../../../services/wire/refusals.ts";
import { QUALITY, type Report } from "../../../services/wire/report.ts";
import type { SlotRecord } from "../../../services/wire/slot-record.ts";
import { type Community, GENESIS_SLOT, type Truth } from "../community.ts";
import type { Running } from "../market-node.ts";
import type { Answered } from "../wallets.ts";
import { checkForwardMarket, checkMeteredMarket } from "./coupling-check.ts";
import { Law } from "./law.ts";
import { Readings, type SlotEnergy } from "./readings.ts";
import { sumUc } from "./shares.ts";
import { type Brought, checkSlot } from "./slot-check.ts";

/** One slot in so many is also put to the slow coupling; every slot with forward orders is. */
const SLOW_SLOTS = 3;

type Stored = {
  readonly block: StoredBlock;
  readonly response: { readonly results: readonly { code: number; info: string }[] };
  readonly slots: SlotRecord[][]; // cleared by it: by slot, then region
};

type Accounts = {
  readonly membersUc: bigint[];
  retailerUc: bigint;
  neighboursUc: bigint;
  gridOperatorUc: bigint;
  treasuryUc: bigint;
  readonly settled: Map<number, SlotEnergy>[]; // by meter and slot
};

export class Auditor {
  readonly readings: Readings;
  readonly #community: Community;
  readonly #truth: Truth;
  readonly #law: Law;
  readonly #accounts: readonly Accounts[];
  readonly #violate: (what: string) => void;
  readonly #blocks: string[] = []; // hash of each block's header, by height - 1
  readonly #answered: Answered[] = [];
  #executed = new Map<string, { readonly height: number; readonly code: number }>();
  #isReading: Promise<void> = Promise.resolve();
  counts = { blocks: 0, transactions: 0, slots: 0, bills: 0, lateEntries: 0, checks: 0 };

  constructor(parts: {
    readonly community: Community;
    readonly truth: Truth;
    readonly receiptKey: Uint8Array;
    readonly violate: (what: string) => void;
  }) {
    const { genesis } = parts.community;
    this.#community = parts.community;
    this.#truth = parts.truth;
    this.#violate = parts.violate;
    this.readings = new Readings(parts);
    this.#law = new Law(genesis);
    this.#accounts = genesis.regions.map(({ members, meters }) => ({
      membersUc: members.map(() => 0n),
      ...{ retailerUc: 0n, neighboursUc: 0n, gridOperatorUc: 0n, treasuryUc: 0n },
      settled: meters.map(() => new Map()),
    }));
  }

  get clearedSlots(): number {
    return this.#law.cleared;
  }

  /** What a member was told; checked against the blocks at the end. */
  answer(answered: Answered): void {
    this.#answered.push(answered);
  }

  /** Reads every block the node has beyond the last one seen. One call at a time. */
  follow(node: Running): Promise<void> {
    this.#isReading = this.#isReading.catch(() => {}).then(() => this.#follow(node));
    return this.#isReading;
  }

  /** A node that died while it was read answers no more. */
  forget(): void {
    this.#isReading = Promise.resolve();
  }

  async #follow(node: Running): Promise<void> {
    const { reader } = node.chain;
    const { height: headHeight } = reader.head();
    if (headHeight < this.#blocks.length) {
      this.#violate(`block ${this.#blocks.length} was committed, the chain ends at ${headHeight}`);
    }
    while (this.#blocks.length < headHeight) {
      const stored = await this.#read(node, this.#blocks.length + 1);
      if (stored === null) return;
      this.#enter(stored); // at once: a node that dies meanwhile leaves no half of a block here
      if (reader.head().height === this.#blocks.length) this.#compareBalances(reader);
    }
  }

  /** All that the node has stored of a block; null where something is missing. */
  async #read({ chain: { reader }, store }: Running, height: number): Promise<Stored | null> {
    const block = await reader.block(height);
    const response = await store.response(height);
    if (block === null || response === null) {
      this.#violate(`block ${height} or its answer is missing`);
      return null;
    }
    const slots: SlotRecord[][] = [];
    for (let slot = GENESIS_SLOT + this.#law.cleared; ; slot++) {
      const records: SlotRecord[] = [];
      for (const [r] of this.#community.genesis.regions.entries()) {
        const record = await reader.slotRecord(r, slot as Slot);
        if (record?.height === height) records.push(record);
      }
      if (records.length === 0) return { block, response, slots };
      slots.push(records);
    }
  }

  #enter({ block, response, slots }: Stored): void {
    const { height, timeS } = block.header;
    this.#blocks.push(toHex(headerHash(block.header)));
    this.counts.blocks++;
    this.#law.closeGates(timeS);
    for (const [t, bytes] of block.transactions.entries()) {
      this.#execute(bytes, height, timeS, response.results[t]!);
    }
    for (let slot = this.#law.nextDue(); slot !== null; slot = this.#law.nextDue()) {
      this.#settle(slot, slots.shift() ?? []);
    }
    if (slots.length > 0) this.#violate(`block ${height} cleared a slot that was not due`);
  }

  /** Every block seen so far is still there, byte for byte, and can be read. */
  async recheck({ chain, store }: Running): Promise<void> {
    for (const [i, hash] of [...this.#blocks].entries()) {
      const block = await chain.reader.block(i + 1);
      const response = await store.response(i + 1);
      if (block !== null && response !== null && toHex(headerHash(block.header)) === hash) continue;
      this.#violate(`block ${i + 1} is another one than before`);
      return;
    }
  }

  #execute(
    bytes: Uint8Array,
    height: number,
    timeS: number,
    result: { readonly code: number; readonly info: string },
  ): void {
    this.counts.transactions++;
    const due = this.#law.execute(bytes, timeS);
    this.#executed.set(`${height}/${toHex(bytes)}`, { height, code: result.code });
    if (due === result.code) return;
    const [is, should] = [transactionCodeName(result.code), transactionCodeName(due)];
    this.#violate(`block ${height}: a transaction is ${is} (${result.info}), due is ${should}`);
  }

  #settle(slot: number, records: readonly SlotRecord[]): void {
    const { genesis } = this.#community;
    if (records.length !== genesis.regions.length) {
      this.#violate(`slot ${slot - GENESIS_SLOT} was due, ${records.length} regions cleared it`);
      return;
    }
    const brought = this.#law.regions.map((region): Brought => {
      const { report, bytes } = region.reports.shift()!;
      const orders = region.auctions.get(slot) ?? null;
      region.auctions.delete(slot);
      return { report, reportBytes: bytes, limits: region.limits, orders };
    });
    const expect = (isRight: boolean, what: () => string) => {
      this.counts.checks++;
      if (!isRight) this.#violate(`slot ${slot - GENESIS_SLOT}: ${what()}`);
    };
    const check = { genesis, slot, brought, records, expect };
    const places = checkSlot(check);
    checkForwardMarket(check, places);
    if (slot % SLOW_SLOTS === 0) checkMeteredMarket(check, places);
    for (const [r, record] of records.entries()) this.#book(record, r);
    for (const [r, { report }] of brought.entries()) this.#checkReport(report, r);
    this.counts.slots++;
  }

  #book(record: SlotRecord, r: number): void {
    const accounts = this.#accounts[r]!;
    this.counts.bills += record.bills.length;
    for (const { memberIndex, amountUc } of record.bills) {
      accounts.membersUc[memberIndex]! += amountUc;
    }
    accounts.retailerUc += record.retailerUc;
    accounts.neighboursUc += record.neighboursUc;
    accounts.gridOperatorUc += record.gridOperatorUc;
    accounts.treasuryUc += record.treasuryUc;
  }

  /** A report says the truth as far as it calls it actual, and never more than was measured. */
  #checkReport(report: Report, r: number): void {
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
      this.#addEnergy(r, m, report.slot, { importWh, exportWh });
    });
    for (const { slot: of, meterIndex, importWh, exportWh } of report.late) {
      this.counts.lateEntries++;
      this.#addEnergy(r, meterIndex, of, { importWh, exportWh });
    }
    report.importWh.forEach((_, m) => {
      const at = { region: r, meter: m };
      const most = this.#truth.registers({ ...at, slot: this.readings.arrivedEnd(at) });
      const settled = this.#settled(r, m);
      if (settled.importWh > most.importWh || settled.exportWh > most.exportWh) {
        this.#violate(`slot ${slot}: region ${r} meter ${m}: settled more than it ever said`);
      }
    });
  }

  #addEnergy(r: number, m: number, slot: number, energy: SlotEnergy): void {
    const bySlot = this.#accounts[r]!.settled[m]!;
    const { importWh, exportWh } = bySlot.get(slot) ?? { importWh: 0, exportWh: 0 };
    bySlot.set(slot, {
      importWh: importWh + energy.importWh,
      exportWh: exportWh + energy.exportWh,
    });
  }

  #settled(r: number, m: number): SlotEnergy {
    const total = { importWh: 0, exportWh: 0 };
    for (const { importWh, exportWh } of this.#accounts[r]!.settled[m]!.values()) {
      total.importWh += importWh;
      total.exportWh += exportWh;
    }
    return total;
  }

  /** Balances are the sum of all bills; registers settled are the sum of all reports. */
  #compareBalances(reader: Running["chain"]["reader"]): void {
    this.#accounts.forEach((accounts, r) => {
      const lane = reader.lane(r);
      const expect = (name: string, is: bigint, due: bigint) => {
        if (is !== due) this.#violate(`region ${r}: balance of ${name} is ${is}, bills say ${due}`);
      };
      lane.memberBalanceUc.forEach((uc, m) => {
        expect(`member ${m}`, uc, accounts.membersUc[m]!);
      });
      expect("the retailer", lane.retailerBalanceUc, accounts.retailerUc);
      expect("the neighbours", lane.neighboursBalanceUc, accounts.neighboursUc);
      expect("the grid operator", lane.gridOperatorBalanceUc, accounts.gridOperatorUc);
      expect("the treasury", lane.treasuryBalanceUc, accounts.treasuryUc);
      accounts.settled.forEach((_, m) => {
        const { importWh, exportWh } = this.#settled(r, m);
        if (lane.settledImportWh[m] === importWh && lane.settledExportWh[m] === exportWh) return;
        this.#violate(`region ${r} meter ${m}: settled registers are not the reports' sum`);
      });
    });
    const all = this.#accounts.map((accounts) => {
      const { retailerUc, neighboursUc, gridOperatorUc, treasuryUc } = accounts;
      return sumUc([...accounts.membersUc, retailerUc, neighboursUc, gridOperatorUc, treasuryUc]);
    });
    if (sumUc(all) !== 0n) this.#violate(`all accounts sum to ${sumUc(all)}`);
  }

  /** At the end, when nothing waits any more: nothing taken was lost, nothing told was untrue. */
  finish(lastSlot: number): void {
    for (const { transaction, answer } of this.#answered) {
      if (answer.height === 0) continue; // refused before it came to a block
      const found = this.#executed.get(`${answer.height}/${toHex(transaction)}`);
      if (found?.code === answer.code) continue;
      this.#violate(
        `a member was told of a transaction in block ${answer.height} that is not there`,
      );
    }
    const isExact = this.#community.genesis.oracle.correctionWindowS > 50 * 900;
    this.#accounts.forEach(({ settled }, region) => {
      settled.forEach((bySlot, meter) => {
        const due = this.readings.due({ region, meter });
        const name = `region ${region} meter ${meter}`;
        if (isExact) this.#compareSlots(name, bySlot, due);
        const is = this.#settled(region, meter);
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
