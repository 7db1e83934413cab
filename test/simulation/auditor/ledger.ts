/**
 * The independent auditor: follows the chain block by block as the node has stored it, keeps its
 * own accounts, and compares with the plan's truth after every slot. It believes the wire formats
 * and nothing of execution: law, delivery, bills and sums are written down a second time here.
 *
 * It outlives every crash of the node, so what it has seen once must be there ever after.
 */
import type { LaneView, StoredBlock } from "../../../services/chain/access.ts";
import { toHex } from "../../../services/primitives/bytes.ts";
import type { Slot } from "../../../services/primitives/units.ts";
import { COMMITTEE_ORDER_TYPE } from "../../../services/wire/committee-order.ts";
import { headerHash } from "../../../services/wire/header.ts";
import { TRANSACTION_CODE, transactionCodeName } from "../../../services/wire/refusals.ts";
import type { SlotRecord } from "../../../services/wire/slot-record.ts";
import { decodeMemberTransaction, regionOfMarket } from "../../../services/wire/transaction.ts";
import { type Community, GENESIS_SLOT, type Truth } from "../community.ts";
import type { Running } from "../market-node.ts";
import type { Answered } from "../wallets.ts";
import { checkForwardMarket, checkMeteredMarket, type HeldAuction } from "./coupling-check.ts";
import { SettledEnergy } from "./energy.ts";
import { type DueSlot, Law, type PoisonAt } from "./law.ts";
import { outstandingUc } from "./outstanding.ts";
import { Payments } from "./payments.ts";
import { Readings } from "./readings.ts";
import { sumUc } from "./shares.ts";
import { type Brought, checkSlot } from "./slot-check.ts";

/** One slot in so many is also put to the slow coupling; every slot with forward orders is. */
const SLOW_SLOTS = 3;

type Stored = {
  readonly block: StoredBlock;
  readonly response: { readonly results: readonly { code: number; info: string }[] };
  readonly records: Map<string, SlotRecord>; // of what it cleared, by region and slot
};

type Accounts = {
  readonly membersUc: bigint[];
  retailerUc: bigint;
  neighboursUc: bigint;
  gridOperatorUc: bigint;
  treasuryUc: bigint;
};

export class Auditor {
  readonly readings: Readings;
  readonly #community: Community;
  readonly #law: Law;
  readonly #payments: Payments;
  readonly #energy: SettledEnergy;
  readonly #accounts: readonly Accounts[];
  readonly #violate: (what: string) => void;
  readonly #blocks: string[] = []; // hash of each block's header, by height - 1
  readonly #answered: Answered[] = [];
  /** Of slots that some region has cleared and another has not, by slot and region. */
  readonly #known = new Map<number, (SlotRecord | null)[]>();
  readonly #auctions = new Map<number, HeldAuction>(); // by slot, likewise
  readonly #everOut = new Set<number>(); // regions that were quarantined at some time
  #executed = new Map<string, { readonly height: number; readonly code: number }>();
  #isReading: Promise<void> = Promise.resolve();
  readonly #counts = {
    ...{ blocks: 0, transactions: 0, slots: 0, bills: 0, checks: 0 },
    ...{ quarantines: 0, releases: 0, alone: 0, ordersKeptOut: 0, outAtEnd: 0, apart: 0 },
  };

  constructor(parts: {
    readonly community: Community;
    readonly truth: Truth;
    readonly receiptKey: Uint8Array;
    readonly poisonAt: PoisonAt;
    readonly violate: (what: string) => void;
  }) {
    const { genesis } = parts.community;
    this.#community = parts.community;
    this.#violate = parts.violate;
    this.readings = new Readings(parts);
    this.#energy = new SettledEnergy({ ...parts, readings: this.readings });
    this.#accounts = genesis.regions.map(({ members }) => ({
      membersUc: members.map(() => 0n),
      ...{ retailerUc: 0n, neighboursUc: 0n, gridOperatorUc: 0n, treasuryUc: 0n },
    }));
    this.#payments = new Payments(genesis, this.#accounts);
    this.#law = new Law(genesis, { poisonAt: parts.poisonAt, payments: this.#payments });
  }

  get counts() {
    const { inside, across, received, waited } = this.#payments.counts;
    const { lateEntries } = this.#energy;
    return {
      ...this.#counts,
      lateEntries,
      paidInside: inside,
      paidAcross: across,
      received,
      waited,
    };
  }

  /** By region. */
  get clearedSlots(): readonly number[] {
    return this.#law.regions.map(({ cleared }) => cleared);
  }

  /** What a member was told; checked against the blocks at the end. */
  answer(answered: Answered): void {
    if (answered.answer.code === TRANSACTION_CODE.lane_quarantined) this.#counts.ordersKeptOut++;
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
    const records = new Map<string, SlotRecord>();
    for (const [r, { cleared }] of [...this.#law.regions.entries()]) {
      for (let slot = GENESIS_SLOT + cleared; ; slot++) {
        const record = await reader.slotRecord(r, slot as Slot);
        if (record?.height !== height) break;
        records.set(`${r}/${slot}`, record);
      }
    }
    return { block, response, records };
  }

  #enter({ block, response, records }: Stored): void {
    const { height, timeS } = block.header;
    this.#blocks.push(toHex(headerHash(block.header)));
    this.#counts.blocks++;
    this.#law.closeGates(timeS);
    this.#law.deliver();
    for (const [t, bytes] of block.transactions.entries()) {
      this.#execute(bytes, height, timeS, response.results[t]!);
    }
    const before = this.#law.regions.map(({ out }) => out);
    for (const due of this.#law.due(height)) this.#settle(due, records);
    this.#law.regions.forEach(({ out }, r) => {
      if (out === null || out === before[r]) return;
      this.#counts.quarantines++;
      this.#everOut.add(r);
    });
    const [stray] = records.keys();
    if (stray !== undefined) this.#violate(`block ${height} cleared ${stray}, which was not due`);
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
    this.#counts.transactions++;
    const due = this.#law.execute(bytes, timeS);
    if (bytes[0] === COMMITTEE_ORDER_TYPE && due === TRANSACTION_CODE.ok) this.#counts.releases++;
    this.#executed.set(`${height}/${toHex(bytes)}`, { height, code: result.code });
    if (due === result.code) return;
    const [is, should] = [transactionCodeName(result.code), transactionCodeName(due)];
    this.#violate(`block ${height}: a transaction is ${is} (${result.info}), due is ${should}`);
  }

  /** @param stored - of the block; what is settled is taken out */
  #settle({ slot, regions }: DueSlot, stored: Map<string, SlotRecord>): void {
    const { genesis } = this.#community;
    const records = genesis.regions.map((_, r) => {
      return regions.includes(r) ? (stored.get(`${r}/${slot}`) ?? null) : null;
    });
    for (const r of regions) {
      stored.delete(`${r}/${slot}`);
      if (records[r] !== null) continue;
      this.#violate(`slot ${slot - GENESIS_SLOT} was due in region ${r}, and is not cleared`);
      return;
    }
    const known = this.#known.get(slot) ?? genesis.regions.map(() => null);
    for (const r of regions) known[r] = records[r]!;
    const brought = this.#law.regions.map((region, r): Brought | null => {
      if (!regions.includes(r)) return null;
      const { report, bytes } = region.reports.shift()!;
      return { report, reportBytes: bytes, limits: region.limits };
    });
    const expect = (isRight: boolean, what: () => string) => {
      this.#counts.checks++;
      if (!isRight) this.#violate(`slot ${slot - GENESIS_SLOT}: ${what()}`);
    };
    const check = { genesis, slot, regions, brought, records, known, expect };
    const places = checkSlot(check);
    checkForwardMarket(check, this.#auction(slot), places);
    if (slot % SLOW_SLOTS === 0) checkMeteredMarket(check, places);
    for (const r of regions) {
      this.#book(records[r]!, r);
      this.#energy.check(brought[r]!.report, r);
    }
    this.#count(slot, known, regions);
  }

  /** Counts, and forgets a slot that every region has cleared. */
  #count(slot: number, known: (SlotRecord | null)[], regions: readonly number[]): void {
    if (regions.length === 1) this.#counts.alone++;
    if (outstandingUc(this.#community.genesis, known) !== 0n) this.#counts.apart++;
    if (known.includes(null)) {
      this.#known.set(slot, known);
      return;
    }
    this.#counts.slots++;
    this.#known.delete(slot);
    this.#auctions.delete(slot);
    this.#law.auctions.delete(slot);
  }

  #auction(slot: number): HeldAuction | null {
    const auction = this.#law.auctions.get(slot);
    if (auction === undefined) return null;
    const held = this.#auctions.get(slot) ?? { ...auction, slow: null, boughtWh: new Map() };
    this.#auctions.set(slot, held);
    return held;
  }

  #book(record: SlotRecord, r: number): void {
    const accounts = this.#accounts[r]!;
    this.#counts.bills += record.bills.length;
    for (const { memberIndex, amountUc } of record.bills) {
      accounts.membersUc[memberIndex]! += amountUc;
    }
    accounts.retailerUc += record.retailerUc;
    accounts.neighboursUc += record.neighboursUc;
    accounts.gridOperatorUc += record.gridOperatorUc;
    accounts.treasuryUc += record.treasuryUc;
  }

  /** Balances are the sum of all bills; registers settled are the sum of all reports. */
  #compareBalances(reader: Running["chain"]["reader"]): void {
    this.#accounts.forEach((accounts, r) => {
      const lane = reader.lane(r);
      this.#compareStanding(lane, r);
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
      lane.settledImportWh.forEach((importWh, m) => {
        const due = this.#energy.settled(r, m);
        if (importWh === due.importWh && lane.settledExportWh[m] === due.exportWh) return;
        this.#violate(`region ${r} meter ${m}: settled registers are not the reports' sum`);
      });
    });
    const all = this.#accounts.map((accounts) => {
      const { retailerUc, neighboursUc, gridOperatorUc, treasuryUc } = accounts;
      return sumUc([...accounts.membersUc, retailerUc, neighboursUc, gridOperatorUc, treasuryUc]);
    });
    if (sumUc(all) !== 0n) this.#violate(`all accounts sum to ${sumUc(all)}`);
    const owedUc = sumUc(this.#accounts.map(({ neighboursUc }) => neighboursUc));
    const known = [...this.#known.values()];
    const waitingUc = sumUc(known.map((one) => outstandingUc(this.#community.genesis, one)));
    const { inFlightUc } = this.#payments;
    if (owedUc + waitingUc === inFlightUc) return;
    const rest = `outstanding is ${waitingUc}, in flight ${inFlightUc}`;
    this.#violate(`regions owe each other ${owedUc}, ${rest}`);
  }

  /** A lane is in the market or out of it as the law has it, and keeps every report given. */
  #compareStanding(lane: LaneView, r: number): void {
    const { standing, out, cleared, reported } = this.#law.regions[r]!;
    const { quarantine, clearedSlots, reportedSlot } = lane;
    const is = [
      ...[quarantine?.standing ?? "in the market", quarantine?.sinceSlot, quarantine?.step],
      ...[clearedSlots, reportedSlot ?? GENESIS_SLOT - 1],
    ];
    const due = [standing, out?.slot, out?.step, cleared, GENESIS_SLOT + reported - 1];
    if (is.every((one, i) => one === due[i])) return;
    this.#violate(`region ${r}: its lane stands at ${is.join(" ")}, the law's at ${due.join(" ")}`);
  }

  /** At the end, when nothing waits any more: nothing taken was lost, nothing told was untrue. */
  finish(lastSlot: number): void {
    for (const { transaction, answer } of this.#answered) {
      if (answer.code === TRANSACTION_CODE.lane_quarantined) this.#checkKeptOut(transaction);
      if (answer.height === 0) continue; // refused before it came to a block
      const found = this.#executed.get(`${answer.height}/${toHex(transaction)}`);
      if (found?.code === answer.code) continue;
      this.#violate(
        `a member was told of a transaction in block ${answer.height} that is not there`,
      );
    }
    this.#law.regions.forEach(({ standing, reports }, r) => {
      const isIn = standing === "in the market";
      if (!isIn) this.#counts.outAtEnd++;
      if (isIn && this.#payments.isExpected(r)) this.#violate(`region ${r} waits for a payment`);
      // What waits at a lane that is out counts as if it had been cleared: nothing is lost.
      for (const { report } of reports) this.#energy.add(report, r);
    });
    this.#energy.finish(lastSlot);
  }

  /** Nobody is kept out of a market that their region never left. */
  #checkKeptOut(transaction: Uint8Array): void {
    const r = regionOfMarket(decodeMemberTransaction(transaction).to);
    if (r !== null && this.#everOut.has(r)) return;
    this.#violate(`a member of region ${r}, which was never out, was refused as if it were`);
  }
}
