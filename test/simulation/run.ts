/**
 * One run: a plan in, what became of it out. The same plan gives the same log, hash for hash. The
 * first thing that is wrong ends it.
 */
import type { FaultRule } from "../../firmware-sim/fault-injector.ts";
import { sequentialExecutor } from "../../services/chain/lane-executor.ts";
import { ed25519PublicKey } from "../../services/crypto/ed25519.ts";
import { toHex } from "../../services/primitives/bytes.ts";
import { InvariantError } from "../../services/primitives/errors.ts";
import { createPrng } from "../../services/primitives/prng.ts";
import { Auditor } from "./auditor/ledger.ts";
import { Committee } from "./committee.ts";
import {
  type Community,
  CUTOFF_S,
  communityOf,
  GENESIS_S,
  GENESIS_SLOT,
  SLOT_S,
  Truth,
} from "./community.ts";
import { Faults } from "./faults.ts";
import { MarketNode, type Mutation, type Running } from "./market-node.ts";
import { MeterBox } from "./meter-box.ts";
import { Network } from "./network.ts";
import type { Plan } from "./plan.ts";
import { Poisons } from "./poison.ts";
import { Wallets } from "./wallets.ts";
import { World } from "./world.ts";

/** Slots without faults at the end: what waits settles in them. */
const QUIET_SLOTS = 4;
/** Before genesis: everybody starts. */
const WARM_UP_S = 60;
/** After the last cut-off. */
const SETTLE_S = 120;

export type Outcome = {
  readonly violation: { readonly atS: number; readonly what: string } | null; // the first
  readonly appHash: string;
  readonly logHash: string;
  readonly log: readonly string[];
  readonly counts: Readonly<Record<string, number>>;
};

export async function runPlan(plan: Plan, mutation: Mutation = {}): Promise<Outcome> {
  const run = new Run(plan, mutation);
  return run.toEnd();
}

class Run {
  readonly #plan: Plan;
  readonly #world: World;
  readonly #community: Community;
  readonly #auditor: Auditor;
  readonly #network: Network;
  readonly #node: MarketNode;
  readonly #wallets: Wallets;
  readonly #poisons: Poisons;
  readonly #committee: Committee;
  readonly #boxes: readonly (readonly MeterBox[])[];
  readonly #faults: Faults;
  #violation: Outcome["violation"] = null;

  constructor(plan: Plan, mutation: Mutation) {
    const { seed } = plan;
    this.#plan = plan;
    this.#world = new World(`gridlane/simulation/run/${seed}`, (GENESIS_S - WARM_UP_S) * 1000);
    this.#community = communityOf(plan.community);
    const truth = new Truth(this.#community, seed);
    const receiptKey = ed25519PublicKey(this.#community.secrets.oracleReceipt);
    const violate = (what: string) => this.#violate(what);
    const poisons = new Poisons(plan.faults.filter((fault) => fault.kind === "poisoned-lane"));
    this.#poisons = poisons;
    this.#auditor = new Auditor({
      ...{ community: this.#community, truth, receiptKey, violate },
      poisonAt: (at) => poisons.stepAt(at),
    });
    this.#network = new Network(this.#world, { ingest: () => this.#ingest() });
    const onViolation = (where: string, failure: unknown) => this.#violate(told(where, failure));
    const [world, community] = [this.#world, this.#community];
    this.#node = new MarketNode({
      ...{ world, community, mutation, onViolation },
      executor: poisons.executor(sequentialExecutor),
      publishReceipt: (topic, payload) => {
        this.#auditor.readings.answer(topic, payload);
        this.#network.publishReceipt(topic, payload);
      },
      onStart: () => this.#faults.arm(),
      onUp: (running) => this.#meet(running),
      onDown: () => {
        this.#auditor.forget();
        this.#network.nodeLost();
      },
    });
    const onAnswer = this.#auditor.answer.bind(this.#auditor);
    const { actions } = plan;
    this.#wallets = new Wallets({
      ...{ world, community, actions, onAnswer, onViolation },
      node: this.#node,
    });
    this.#committee = new Committee({
      ...{ world, community, poisons, onAnswer, onViolation },
      node: this.#node,
    });
    this.#boxes = this.#makeBoxes(truth, { mutation, onViolation });
    this.#faults = new Faults({
      ...{ world, plan, community, truth, network: this.#network, node: this.#node },
      ...{ boxes: this.#boxes, auditor: this.#auditor },
    });
  }

  async toEnd(): Promise<Outcome> {
    const slots = this.#plan.slots + QUIET_SLOTS;
    const start = createPrng(`gridlane/simulation/start/${this.#plan.seed}`);
    this.#faults.schedule();
    this.#committee.schedule(this.#plan.slots * SLOT_S);
    this.#node.start();
    for (const box of this.#boxes.flat()) {
      this.#world.after(start.below(WARM_UP_S / 2) * 1000, () => box.start());
    }
    await this.#run(slots * SLOT_S + CUTOFF_S + SETTLE_S);
    if (this.#violation === null) await this.#finish(slots);
    for (const box of this.#boxes.flat()) box.stop();
    return {
      violation: this.#violation,
      appHash: toHex(this.#node.running?.chain.reader.head().appHash ?? new Uint8Array(0)),
      logHash: this.#world.logHash(),
      log: this.#world.log,
      counts: this.#counts(),
    };
  }

  /** To so many seconds after genesis. */
  #run(untilS: number): Promise<void> {
    return this.#world.run((GENESIS_S + untilS) * 1000, () => this.#violation !== null);
  }

  async #finish(slots: number): Promise<void> {
    const { running } = this.#node;
    if (running === null) {
      this.#violate("the node is not up at the end");
      return;
    }
    if (this.#wallets.waiting > 0) this.#violate(`${this.#wallets.waiting} actions without answer`);
    this.#compareCleared(slots);
    this.#auditor.finish(GENESIS_SLOT + slots - 1);
    if (this.#violation !== null) return;
    const before = running.chain.reader.head();
    this.#node.crash("power", 1);
    await this.#run(slots * SLOT_S + CUTOFF_S + SETTLE_S + 30);
    const after = this.#node.running?.chain.reader.head();
    const isSame =
      after?.height === before.height && toHex(after.appHash) === toHex(before.appHash);
    if (!isSame) this.#violate("a restart from the disk gives another state");
  }

  /** All slots of every region are cleared, but for one whose lane was never repaired. */
  #compareCleared(slots: number): void {
    this.#auditor.clearedSlots.forEach((cleared, region) => {
      const due = Math.min(slots, this.#poisons.lastingSlot(region) ?? slots);
      if (cleared === due) return;
      this.#violate(`region ${region}: ${cleared} slots are cleared at the end, due are ${due}`);
    });
  }

  /** A node is up: the auditor reads what it missed, and looks again at what it knows. */
  async #meet(running: Running): Promise<void> {
    await this.#auditor.follow(running);
    await this.#auditor.recheck(running);
    running.chain.reader.onBlock(({ height, appHash, slotRecords }) => {
      if (this.#node.running !== running) return;
      const hash = toHex(appHash).slice(0, 16);
      this.#world.note(`block ${height} ${hash} clears ${slotRecords.length}`);
      this.#auditor.follow(running).catch((failure: unknown) => {
        if (this.#node.running === running) this.#world.note(`auditor cannot read: ${failure}`);
      });
    });
  }

  #ingest() {
    const { running } = this.#node;
    if (running === null) return null;
    return async (arrival: { topic: string; payload: Uint8Array }) => {
      this.#auditor.readings.arrive(arrival.payload, this.#node.nowS());
      try {
        await running.oracle.ingest(arrival);
      } catch (failure) {
        if (failure instanceof InvariantError) this.#violate(told("oracle", failure));
        throw failure;
      }
    };
  }

  #makeBoxes(
    truth: Truth,
    parts: {
      readonly mutation: Mutation;
      readonly onViolation: (where: string, failure: unknown) => void;
    },
  ): readonly (readonly MeterBox[])[] {
    const jitter = createPrng(`gridlane/simulation/jitter/${this.#plan.seed}`);
    return this.#community.boxes.map((boxes, region) =>
      boxes.map((box, number) => {
        const made = new MeterBox({
          ...{ world: this.#world, network: this.#network, community: this.#community },
          ...{ box, number, source: truth.source(), ...parts },
          jitterS: jitter.below(90),
        });
        made.rules.push(...this.#lies(region, number));
        return made;
      }),
    );
  }

  #lies(region: number, number: number): FaultRule[] {
    return this.#plan.faults.flatMap((fault) => {
      if (fault.kind !== "lying-meter" || fault.region !== region || fault.box !== number)
        return [];
      const fromSlot = GENESIS_SLOT + fault.fromSlot;
      const untilSlot = GENESIS_SLOT + fault.untilSlot;
      return [{ fault: fault.fault, share: fault.share, fromSlot, untilSlot }];
    });
  }

  #violate(what: string): void {
    if (this.#violation !== null) return;
    const atS = Math.floor(this.#world.nowMs / 1000) - GENESIS_S;
    this.#violation = { atS, what };
    this.#world.note(`VIOLATION ${what}`);
  }

  #counts() {
    const { chainDisk, oracleDisk, rebuilds } = this.#node;
    return {
      ...this.#auditor.counts,
      ...this.#auditor.readings.counts,
      actions: this.#wallets.actions,
      lives: chainDisk.life + 1,
      rebuilds,
      writes: chainDisk.writes + oracleDisk.writes,
      events: this.#world.log.length,
    };
  }
}

function told(where: string, failure: unknown): string {
  const what = failure instanceof Error ? `${failure.name}: ${failure.message}` : String(failure);
  return `${where}: ${what}`;
}
