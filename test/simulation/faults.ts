/**
 * Carries a plan's faults out: puts each into the world at its time, arms traps again when a
 * process died before they sprang, and heals everything when the plan's slots are over.
 */

import { isStateKey } from "../../services/chain/store-keys.ts";
import { ENGINE_STATE_KEY } from "../../services/ordering/embedded/keys.ts";
import { toHex } from "../../services/primitives/bytes.ts";
import { unixSeconds, wattHours } from "../../services/primitives/units.ts";
import { signReading } from "../../services/wire/reading.ts";
import { readingTopic } from "../../services/wire/topics.ts";
import type { Auditor } from "./auditor/ledger.ts";
import { type Community, GENESIS_S, SLOT_S, type Truth } from "./community.ts";
import type { Disk } from "./disk.ts";
import type { MarketNode } from "./market-node.ts";
import type { MeterBox } from "./meter-box.ts";
import type { Network, Weather } from "./network.ts";
import type { Box, Fault, Plan } from "./plan.ts";
import type { World } from "./world.ts";

export type Stage = {
  readonly world: World;
  readonly plan: Plan;
  readonly community: Community;
  readonly truth: Truth;
  readonly network: Network;
  readonly node: MarketNode;
  readonly boxes: readonly (readonly MeterBox[])[];
  readonly auditor: Auditor;
};

/** A trap of the node that has not sprung yet. */
type Armed = { readonly set: (spring: () => void) => void; readonly spring: () => void };

export class Faults {
  readonly #stage: Stage;
  readonly #armed = new Set<Armed>();
  readonly #endS: number;

  constructor(stage: Stage) {
    this.#stage = stage;
    this.#endS = stage.plan.slots * SLOT_S;
  }

  /** Puts every fault into the world. Call once, before it runs. */
  schedule(): void {
    for (const fault of this.#stage.plan.faults) this.#schedule(fault);
    this.#at(this.#endS, () => this.#heal());
  }

  /** For a node that begins: what has not happened to the last one may happen to this one. */
  arm(): void {
    for (const trap of this.#armed) this.#set(trap);
  }

  #at(offsetS: number, run: () => void): void {
    this.#stage.world.at((GENESIS_S + offsetS) * 1000, run);
  }

  /** Never beyond the end of the faults, and at least a second. */
  #down(downS: number): number {
    const nowS = this.#stage.world.nowMs / 1000 - GENESIS_S;
    return Math.max(1, Math.min(downS, this.#endS - nowS));
  }

  #set(trap: Armed): void {
    trap.set(() => {
      this.#armed.delete(trap);
      trap.spring();
    });
  }

  #trapNode(afterS: number, trap: Armed): void {
    this.#at(afterS, () => {
      this.#armed.add(trap);
      if (!this.#stage.node.isDown) this.#set(trap);
    });
  }

  #box({ region, box }: Box): MeterBox {
    return this.#stage.boxes[region]![box]!;
  }

  #schedule(fault: Fault): void {
    const { node, network, community } = this.#stage;
    switch (fault.kind) {
      case "node-crash":
        this.#scheduleNodeCrash(fault);
        break;
      case "meter-crash":
        this.#scheduleMeterCrash(fault);
        break;
      case "disk-full":
        this.#scheduleFullDisk(fault);
        break;
      case "read-failure": {
        const set = (spring: () => void) => node.trapRead(fault.disk, fault.read, spring);
        this.#trapNode(fault.afterS, { set, spring: () => {} });
        break;
      }
      case "flipped-bit":
        this.#at(fault.atS, () => this.#flip(fault));
        break;
      case "partition": {
        const { id } = community.genesis.regions[fault.region]!;
        this.#at(fault.fromS, () => network.partition(id, true));
        this.#at(fault.untilS, () => network.partition(id, false));
        break;
      }
      case "cut":
        this.#at(fault.atS, () => {
          const { devices } = community.boxes[fault.region]![fault.box]!;
          for (const { deviceId } of devices) network.cut(toHex(deviceId));
        });
        break;
      case "receipts-lost":
        this.#during(fault, "receiptsLost", fault.share);
        break;
      case "readings-lost":
        this.#during(fault, "readingsLost", fault.share);
        break;
      case "duplicate":
        this.#during(fault, "duplicated", fault.share);
        break;
      case "delay":
        this.#during(fault, "delayMaxMs", fault.maxS * 1000);
        break;
      case "skew": {
        const box = this.#box(fault);
        this.#at(fault.fromS, () => {
          box.skewS = fault.byS;
        });
        this.#at(fault.untilS, () => {
          box.skewS = 0;
        });
        break;
      }
      case "node-clock-back":
        this.#at(fault.atS, () => {
          node.clockBackS = fault.byS;
        });
        this.#at(Math.min(this.#endS, fault.atS + 2 * SLOT_S), () => {
          node.clockBackS = 0;
        });
        break;
      case "lying-meter":
        break; // the box was given its rule at the start
      case "cloned-key":
        this.#at(fault.atS, () => this.#clone(fault));
        break;
      case "poisoned-lane":
        break; // in the node's executor
    }
  }

  #during<Name extends keyof Weather>(
    window: { readonly region: number; readonly fromS: number; readonly untilS: number },
    name: Name,
    value: Weather[Name],
  ): void {
    const { network, community } = this.#stage;
    const weather = network.weather(community.genesis.regions[window.region]!.id);
    const before = weather[name];
    this.#at(window.fromS, () => {
      weather[name] = value;
    });
    this.#at(window.untilS, () => {
      weather[name] = before;
    });
  }

  #scheduleNodeCrash(fault: Extract<Fault, { kind: "node-crash" }>): void {
    const { node } = this.#stage;
    const { at } = fault;
    this.#trapNode(fault.afterS, {
      set: (spring) => {
        if ("step" in at) node.trapStep(at.step, at.count, spring);
        else node.disk(at.write).trap("cut", at.count, spring);
      },
      spring: () => node.crash(fault.cut, this.#down(fault.downS)),
    });
  }

  #scheduleMeterCrash(fault: Extract<Fault, { kind: "meter-crash" }>): void {
    const box = this.#box(fault);
    const crash = () => box.crash(fault.cut, this.#down(fault.downS));
    this.#at(fault.afterS, () => {
      if (fault.write === 0) crash();
      else box.disk.trap("cut", fault.write, crash);
    });
  }

  #scheduleFullDisk(fault: Extract<Fault, { kind: "disk-full" }>): void {
    const { world, node } = this.#stage;
    const { disk: on } = fault;
    const fill = (disk: Disk) => () => {
      world.note(`${disk.name} is full`);
      world.after(fault.fullS * 1000, () => disk.free());
    };
    if (typeof on === "string") {
      const disk = node.disk(on);
      const set = (spring: () => void) => disk.trap("full", fault.write, spring);
      this.#trapNode(fault.afterS, { set, spring: fill(disk) });
      return;
    }
    const { disk } = this.#box(on);
    this.#at(fault.afterS, () => disk.trap("full", fault.write, fill(disk)));
  }

  /** The node is stopped, a bit of its database flips, and it starts again. */
  #flip({ family }: Extract<Fault, { kind: "flipped-bit" }>): void {
    const { node, world } = this.#stage;
    if (node.isDown || node.damage !== null) return;
    const prefix = { header: "h/", body: "b/", response: "r/", engine: "", state: "a/" }[family];
    node.crash("process", this.#down(5));
    node.damage = node.chainDisk.flip((key) => {
      if (family === "engine") return key === ENGINE_STATE_KEY;
      return key.startsWith(prefix) && (family !== "state" || isStateKey(key.slice(2)));
    });
    world.note(`a bit flips in ${node.damage?.key ?? "nothing"}`);
  }

  /** Somebody else with the meter's key signs what the meter did not say. */
  #clone({ region, box, ahead }: Extract<Fault, { kind: "cloned-key" }>): void {
    const { community, auditor, truth, network, world } = this.#stage;
    const device = community.boxes[region]![box]!.devices[0]!;
    const { id, meters } = community.genesis.regions[region]!;
    const meter = meters.findIndex(({ deviceId }) => deviceId === toHex(device.deviceId));
    const last = auditor.readings.lastTaken({ region, meter });
    const ingest = network.door.ingest();
    if (last === null || ingest === null) return;
    const registers = truth.registers({ region, meter, slot: last.endSlot + ahead });
    const payload = signReading({
      networkId: community.genesis.networkId,
      key: device.key,
      reading: {
        deviceId: device.deviceId,
        boot: last.boot,
        seq: last.seq + ahead,
        intervalEndS: unixSeconds((last.endSlot + 1 + ahead) * SLOT_S),
        intervalS: SLOT_S,
        importWh: device.role === "production" ? null : wattHours(registers.importWh + 1_000),
        exportWh: wattHours(registers.exportWh + 1_000),
        ...{ timeStatus: 2, clockErrorMs: 0, flags: 0, kind: 0 },
        firmwareHash: new Uint8Array(8),
        previousHash: new Uint8Array(8).fill(0xee),
      },
    });
    auditor.readings.declareClone(payload);
    world.note(`clone of ${id}/${meter}`);
    ingest({ topic: readingTopic(id, device.deviceId), payload }).catch(() => {});
  }

  #heal(): void {
    const { node, boxes, network, community } = this.#stage;
    this.#armed.clear();
    node.disarm();
    node.clockBackS = 0;
    node.chainDisk.free();
    node.oracleDisk.free();
    for (const { id } of community.genesis.regions) {
      const calm = { receiptsLost: 0, readingsLost: 0, duplicated: 0, delayMaxMs: 0 };
      if (network.weather(id).isPartitioned) network.partition(id, false);
      Object.assign(network.weather(id), calm);
    }
    for (const box of boxes.flat()) {
      box.skewS = 0;
      box.disk.free();
      box.disk.disarm();
    }
  }
}
