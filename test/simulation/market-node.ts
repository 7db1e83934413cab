/**
 * One process of the node: block store, embedded ordering, application, oracle and its store, put
 * together as `services/node` does, on simulated disks and a simulated machine clock. It can be
 * killed at any step; what fails it must be a disk that fails, or it is a bug.
 */
import type { Level } from "level";
import { createApplication, type MarketApplication } from "../../services/chain/application.ts";
import type { LaneExecutor } from "../../services/chain/lane-executor.ts";
import { systemClock } from "../../services/node/clocks.ts";
import type { OracleKeys } from "../../services/oracle/committee.ts";
import {
  type Oracle,
  type OracleLog,
  type OracleStep,
  startOracle,
} from "../../services/oracle/oracle.ts";
import { type OracleStore, openOracleStore } from "../../services/oracle/store.ts";
import type { Step } from "../../services/ordering/embedded/apply.ts";
import { type BlockStore, openBlockStore } from "../../services/ordering/embedded/block-store.ts";
import { type EmbeddedChain, startEmbeddedChain } from "../../services/ordering/embedded/chain.ts";
import type { TipFile } from "../../services/ordering/embedded/tip-file.ts";
import type { Clock } from "../../services/primitives/clock.ts";
import { GridError } from "../../services/primitives/errors.ts";
import { genesisHash } from "../../services/wire/genesis.ts";
import type { Community } from "./community.ts";
import { type Cut, type Damage, Disk } from "./disk.ts";
import { openSimulatedLevel } from "./simulated-level.ts";
import type { World } from "./world.ts";

/** Market seconds between looks at the cut-off. */
const TICK_MS = 10_000;
const RESTART_MS = 20_000;
const START_GRACE_S = 60;

/** A planted bug, for tests of the simulator itself: parts are wrapped on their way in. */
export type Mutation = {
  readonly oracleStore?: (store: OracleStore) => OracleStore;
  readonly blockStore?: (store: BlockStore) => BlockStore;
  readonly application?: (application: MarketApplication) => MarketApplication;
  readonly chainLevel?: (level: Level<string, Uint8Array>) => Level<string, Uint8Array>;
  readonly journalLevel?: (level: Level<string, Uint8Array>) => Level<string, Uint8Array>;
};

export type NodeParts = {
  readonly world: World;
  readonly community: Community;
  readonly publishReceipt: (topic: string, payload: Uint8Array) => void;
  /** A process begins; nothing is open yet. */
  readonly onStart: () => void;
  /** Everything is open; the network may call from here on. May read the stores. */
  readonly onUp: (node: Running) => Promise<void>;
  readonly onDown: () => void;
  readonly onViolation: (where: string, failure: unknown) => void;
  readonly mutation: Mutation;
  readonly executor: LaneExecutor;
};

export type Running = {
  readonly store: BlockStore;
  readonly chain: EmbeddedChain;
  readonly oracle: Oracle;
};

/** Stops the code that runs when the process is killed under it. */
class Killed extends Error {}

type Trap = { readonly step: Step | OracleStep; left: number; readonly spring: () => void };

export class MarketNode {
  readonly chainDisk: Disk;
  readonly oracleDisk: Disk;
  clockBackS = 0; // how far the machine's clock lies behind true time
  /** Set where a stored bit was flipped: what puts the backup back. */
  damage: Damage | null = null;
  rebuilds = 0;
  readonly #parts: NodeParts;
  readonly #keys: OracleKeys;
  #life = 0;
  #tip = 0; // beside the chain's database
  #running: Running | null = null;
  #isDown = true;
  #traps: Trap[] = [];
  #readFailures = 0;
  #clock: Clock | null = null; // of this life

  constructor(parts: NodeParts) {
    this.#parts = parts;
    this.chainDisk = new Disk(parts.world, "chain");
    this.oracleDisk = new Disk(parts.world, "oracle");
    const { oracleBls, oracleReceipt, salt } = parts.community.secrets;
    this.#keys = { blsSecretKey: oracleBls, receiptSecretKey: oracleReceipt, saltSecret: salt };
  }

  /** Null while it is down or starting. */
  get running(): Running | null {
    return this.#running;
  }

  get isDown(): boolean {
    return this.#isDown;
  }

  /** Market time as the node has it now. */
  nowS(): number {
    return this.#clock?.nowS() ?? 0;
  }

  disk(name: "chain" | "oracle"): Disk {
    return name === "chain" ? this.chainDisk : this.oracleDisk;
  }

  /** Kills the process at the count-th time it comes to a step. */
  trapStep(step: Step | OracleStep, count: number, spring: () => void): void {
    this.#traps.push({ step, left: count, spring });
  }

  trapRead(name: "chain" | "oracle", count: number, spring: () => void): void {
    this.disk(name).trap("read", count, () => {
      this.#readFailures++;
      spring();
    });
  }

  /** What was to happen to this life will not. */
  disarm(): void {
    this.#traps = [];
    for (const disk of [this.chainDisk, this.oracleDisk]) disk.disarm();
  }

  start(): void {
    if (!this.#isDown) return;
    const life = ++this.#life;
    this.#isDown = false;
    this.#parts.onStart();
    this.#run(life).catch((failure: unknown) => this.#fail(life, failure));
  }

  crash(cut: Cut, downS: number): void {
    if (this.#isDown) return;
    const { world } = this.#parts;
    world.note(`node crash ${cut}`);
    this.#life++;
    this.#isDown = true;
    this.#running = null;
    this.#traps = [];
    this.chainDisk.crash(cut);
    this.oracleDisk.crash(cut);
    this.#parts.onDown();
    world.after(downS * 1000, () => this.start());
  }

  /** Written after a block's batch, so that no crash leaves it ahead of the disk. */
  #openTip(): TipFile {
    return {
      height: this.#tip,
      write: (height) => {
        this.#tip = height;
      },
      close: () => {},
    };
  }

  async #run(life: number): Promise<void> {
    const { world, community, mutation, executor } = this.#parts;
    const { genesis } = community;
    const isAlive = () => life === this.#life;
    let store = await openBlockStore({
      directory: "chain",
      openDatabase: async () => {
        const level = await openSimulatedLevel(this.chainDisk);
        return mutation.chainLevel?.(level) ?? level;
      },
      openTip: () => this.#openTip(),
    });
    let oracleStore = await openOracleStore({
      directory: "oracle",
      genesisHash: genesisHash(genesis),
      openDatabase: () => openSimulatedLevel(this.oracleDisk),
    });
    store = mutation.blockStore?.(store) ?? store;
    oracleStore = mutation.oracleStore?.(oracleStore) ?? oracleStore;
    this.#clock = systemClock({
      readMs: () => world.nowMs - this.clockBackS * 1000,
      onStepBack: (byS) => world.note(`node clock set back ${byS}`),
    });
    const clock = this.#clock;
    const chain = await startEmbeddedChain({
      genesis,
      createApplication: (stored) => {
        const application = createApplication({ genesis, stored, executor });
        return mutation.application?.(application) ?? application;
      },
      store,
      sequencerSecretKey: community.secrets.sequencer,
      clock,
      faults: { before: (step) => this.#pass(life, step) },
    });
    chain.ended.catch((failure: unknown) => this.#fail(life, failure));
    this.#checkRecovery(chain);
    const oracle = await startOracle({
      genesis,
      keys: this.#keys,
      store: oracleStore,
      clock,
      chain: {
        head: () => chain.reader.head(),
        lane: (regionIndex) => chain.reader.lane(regionIndex),
        submit: (transaction) => chain.writer.submit(transaction),
      },
      publishReceipt: (topic, payload) => {
        if (isAlive()) this.#parts.publishReceipt(topic, payload);
      },
      log: this.#log(life),
      startGraceS: START_GRACE_S,
      onFailure: (failure) => this.#fail(life, failure),
      onStep: (step) => this.#pass(life, step),
    });
    if (!isAlive()) return;
    const running = { store, chain, oracle };
    await this.#parts.onUp(running);
    if (!isAlive()) return;
    if (this.damage?.isThere()) {
      const what = `a flipped bit in ${this.damage.key} went unnoticed`;
      this.#parts.onViolation("node", new Error(what));
    }
    this.damage = null;
    this.#running = running;
    world.note(`node up ${chain.reader.head().height}`);
    this.#tick(life, running);
    chain.reader.onBlock(() => {
      if (isAlive()) this.#tickOnce(life, oracle);
    });
  }

  #tick(life: number, running: Running): void {
    if (life !== this.#life) return;
    this.#tickOnce(life, running.oracle);
    this.#parts.world.after(TICK_MS, () => this.#tick(life, running));
  }

  #tickOnce(life: number, oracle: Oracle): void {
    oracle.tick().catch((failure: unknown) => this.#fail(life, failure));
  }

  #pass(life: number, step: Step | OracleStep): void {
    if (life !== this.#life) throw new Killed();
    const trap = this.#traps.find((one) => one.step === step && --one.left === 0);
    if (trap === undefined) return;
    this.#parts.world.note(`node at ${step}`);
    trap.spring();
    throw new Killed();
  }

  /** A replay from block 1 must have damage for its reason. */
  #checkRecovery({ recovery }: EmbeddedChain): void {
    const { world } = this.#parts;
    const { initialised, replayedBlocks, rebuiltBecause } = recovery;
    world.note(`node recovers ${JSON.stringify({ initialised, replayedBlocks, rebuiltBecause })}`);
    if (rebuiltBecause === null) return;
    this.rebuilds++;
    if (this.damage !== null || this.#readFailures > 0) return;
    if (rebuiltBecause === "an earlier rebuild was cut short" && this.rebuilds > 1) return;
    this.#parts.onViolation("node", new Error(`rebuilt without damage: ${rebuiltBecause}`));
  }

  /** What stops a node: a full disk, a disk that cannot be read, a damaged record. */
  #fail(life: number, failure: unknown): void {
    if (life !== this.#life || failure instanceof Killed) return;
    if (!this.#isExcused(failure)) this.#parts.onViolation("node", failure);
    this.#parts.world.note(`node fails ${codeOf(failure)}`);
    this.damage?.undo(); // the operator brings the record back from a backup
    this.damage = null;
    this.crash("process", RESTART_MS / 1000);
  }

  #isExcused(failure: unknown): boolean {
    const code = codeOf(failure);
    if (code === "disk_full") return this.chainDisk.wasFull || this.oracleDisk.wasFull;
    if (code === "database_corrupt") return this.damage !== null || this.#readFailures > 0;
    return code === "LEVEL_IO_ERROR" && this.#readFailures > 0;
  }

  #log(life: number): OracleLog {
    const { world } = this.#parts;
    return {
      info: () => {},
      warn: () => {},
      error: (facts, event) => {
        if (life !== this.#life) return;
        const { err, ...told } = facts as { err?: unknown };
        world.note(`oracle error ${event} ${JSON.stringify(told)} ${err ? codeOf(err) : ""}`);
        if (event === "report refused by the chain") {
          this.#parts.onViolation("oracle", new Error(`${event}: ${JSON.stringify(told)}`));
        }
      },
    };
  }
}

function codeOf(failure: unknown): string {
  if (failure instanceof GridError) return failure.code;
  return failure instanceof Error ? ((failure as { code?: string }).code ?? failure.name) : "?";
}
