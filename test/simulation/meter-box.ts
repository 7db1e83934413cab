/**
 * One process of meters: the fleet of firmware-sim with its journal, on a simulated disk, network
 * and clock. It can be killed at any instant, and starts again from its journal.
 */

import type { FaultRule } from "../../firmware-sim/fault-injector.ts";
import { type Fleet, startFleet } from "../../firmware-sim/fleet.ts";
import type { EnergySource } from "../../firmware-sim/profiles/energy-source.ts";
import { ed25519PublicKey } from "../../services/crypto/ed25519.ts";
import { systemClock } from "../../services/node/clocks.ts";
import { toHex } from "../../services/primitives/bytes.ts";
import { GridError } from "../../services/primitives/errors.ts";
import type { BoxOfMeters, Community } from "./community.ts";
import { type Cut, Disk } from "./disk.ts";
import type { Mutation } from "./market-node.ts";
import type { Network } from "./network.ts";
import { openSimulatedLevel } from "./simulated-level.ts";
import type { World } from "./world.ts";

const POLL_MS = 30_000;
const RESTART_MS = 20_000;

export class MeterBox {
  readonly name: string;
  readonly disk: Disk;
  readonly rules: FaultRule[] = []; // how its meters lie
  skewS = 0; // of its clock, against true time
  readonly #parts: Parts;
  #life = 0;
  #isUp = false;
  #wait: (() => void) | null = null; // cancels the next start

  constructor(parts: Parts) {
    const { box, number, world } = parts;
    this.#parts = parts;
    this.name = `${box.devices[0]!.region}/${number}`;
    this.disk = new Disk(world, `meters/${this.name}`);
  }

  get isUp(): boolean {
    return this.#isUp;
  }

  start(): void {
    const life = ++this.#life;
    this.#wait = null;
    this.#isUp = true;
    this.#run(life).catch((failure: unknown) => this.#fail(life, failure));
  }

  /** The process is gone this instant; nothing it has asked for will reach it. */
  crash(cut: Cut, downS: number): void {
    if (!this.#isUp) return;
    const { world, network, box } = this.#parts;
    world.note(`meters ${this.name} crash ${cut}`);
    this.#life++;
    this.#isUp = false;
    this.disk.crash(cut);
    for (const { deviceId } of box.devices) network.cut(toHex(deviceId));
    this.#wait = world.after(downS * 1000, () => this.start());
  }

  stop(): void {
    this.#life++;
    this.#isUp = false;
    this.#wait?.();
  }

  async #run(life: number): Promise<void> {
    const { world, network, box, community, source, number, jitterS, mutation } = this.#parts;
    const isAlive = () => life === this.#life;
    const fleet: Fleet = await startFleet({
      devices: box.devices,
      source,
      networkId: community.genesis.networkId,
      brokerUrl: "mqtt://simulation",
      directory: this.name,
      oracleReceiptPublicKey: ed25519PublicKey(community.secrets.oracleReceipt),
      pace: {
        kind: "live",
        clock: systemClock({
          readMs: () => world.nowMs + this.skewS * 1000,
          onStepBack: () => {},
        }),
        jitterS,
        pollMs: POLL_MS,
      },
      seed: `${number}`,
      faults: this.rules,
      surroundings: {
        connect: (_url, options) => network.connect(box.devices[0]!.region, options, isAlive),
        after: (delayMs, run) =>
          world.after(delayMs, () => {
            if (isAlive()) run();
          }),
      },
      openDatabase: async () => {
        const level = await openSimulatedLevel(this.disk);
        return mutation.journalLevel?.(level) ?? level;
      },
    });
    if (!isAlive()) return;
    await fleet.done;
  }

  /** A full disk stops the process, as it should; anything else is a bug. */
  #fail(life: number, failure: unknown): void {
    if (life !== this.#life) return;
    const isFull = failure instanceof GridError && failure.code === "disk_full";
    if (!isFull || !this.disk.wasFull) this.#parts.onViolation(`meters ${this.name}`, failure);
    this.crash("process", RESTART_MS / 1000);
  }
}

type Parts = {
  readonly world: World;
  readonly network: Network;
  readonly community: Community;
  readonly box: BoxOfMeters;
  readonly number: number; // in its region
  readonly source: EnergySource;
  readonly jitterS: number;
  readonly mutation: Mutation;
  readonly onViolation: (where: string, failure: unknown) => void;
};
