/**
 * A fleet of simulated meters: source, journal and connections under one clock.
 *
 * Two paces. `live` follows a clock: as a slot ends, all meters close it and publish, spread over a
 * jitter; slots that passed in a pause are made up for. `as-fast-as-possible` needs no clock: it
 * publishes a slot, waits until each record has its receipt, and goes on.
 */
import type { Clock } from "../services/primitives/clock.ts";
import { assert, GridError } from "../services/primitives/errors.ts";
import { createPrng, type Prng } from "../services/primitives/prng.ts";
import { slotAt, slotEndS, slot as toSlot } from "../services/primitives/units.ts";
import type { Receipt } from "../services/wire/receipt.ts";
import { readingCodeName } from "../services/wire/refusals.ts";
import type { LinkState, Timing, Transmission } from "./connection.ts";
import { createFaultInjector, type FaultRule } from "./fault-injector.ts";
import { type FleetStatus, FleetTally } from "./fleet-status.ts";
import { Journal, type OpenDatabase } from "./journal.ts";
import { Meters, type Outgoing } from "./meters.ts";
import type { EnergySource } from "./profiles/energy-source.ts";
import type { Device } from "./provision.ts";
import { checkBrokerUrl, Publisher } from "./publisher.ts";
import { pause, SURROUNDINGS, type Surroundings } from "./surroundings.ts";

export type Pace =
  | {
      readonly kind: "live";
      readonly clock: Clock;
      readonly jitterS: number; // market seconds after a slot's end, below the slot's length
      readonly pollMs?: number; // how often the clock is read; default 200
    }
  | {
      readonly kind: "as-fast-as-possible";
      readonly endSlot?: number; // exclusive; default: the source's end
      /** Called before a slot's records go out: bring market time to the slot's end. */
      readonly beforePublish?: (slot: number) => void | Promise<void>;
      /** Called when each of them has its receipt. */
      readonly afterReceipts?: (slot: number) => void | Promise<void>;
    };

/** Facts for whoever logs and counts. Devices are named by their id in hexadecimal. */
export type FleetEvent =
  | { readonly kind: "slot-closed"; readonly slot: number; readonly records: number }
  | {
      readonly kind: "refused";
      readonly device: string;
      readonly slot: number;
      readonly code: number;
    }
  | { readonly kind: "link"; readonly device: string; readonly state: LinkState }
  | { readonly kind: "foreign-receipt"; readonly device: string };

export type FleetOptions = {
  readonly devices: readonly Device[];
  readonly source: EnergySource; // its slotS is the network's
  readonly networkId: string;
  readonly brokerUrl: string;
  readonly directory: string; // of the journal
  readonly oracleReceiptPublicKey: Uint8Array; // Ed25519
  readonly pace: Pace;
  readonly firstSlot?: number; // where a new fleet begins; default: the source's first slot
  readonly seed?: string; // of jitter and faults, never of keys or energy
  readonly faults?: readonly FaultRule[];
  readonly timing?: Partial<Timing>;
  readonly onEvent?: (event: FleetEvent) => void;
  readonly surroundings?: Surroundings; // default: MQTT.js and the machine's timers
  readonly openDatabase?: OpenDatabase; // default: LevelDB in the directory
};

/**
 * Opens the journal, boots the meters and connects.
 *
 * @throws GridError argument_invalid, and what `Journal.open` throws
 */
export async function startFleet(options: FleetOptions): Promise<Fleet> {
  checkBrokerUrl(options.brokerUrl);
  const firstSlot = options.firstSlot ?? options.source.firstSlot;
  if (firstSlot === null) throw invalid("firstSlot", "-", "this source needs a first slot");
  const { pace, source } = options;
  if (pace.kind === "live" && !(pace.jitterS >= 0 && pace.jitterS < source.slotS)) {
    throw invalid("jitterS", String(pace.jitterS), `must be from 0 to below ${source.slotS}`);
  }
  if (pace.kind === "as-fast-as-possible" && (pace.endSlot ?? source.endSlot) === null) {
    throw invalid("endSlot", "-", "this source has no end of its own");
  }
  const { networkId, faults = [], seed = "" } = options;
  const injector =
    faults.length === 0
      ? null
      : createFaultInjector({ rules: faults, networkId, seed, travels: "broker" });
  const journal = await Journal.open(options.directory, options.openDatabase);
  const fleet = new Fleet(options, journal, injector);
  await fleet.start(firstSlot);
  return fleet;
}

function invalid(argument: string, value: string, message: string) {
  const text = `${argument} ${value}: ${message}`;
  return new GridError("argument_invalid", text, { argument, value });
}

type Due = { readonly dueS: number; readonly outgoing: Outgoing };

export class Fleet {
  readonly #options: FleetOptions;
  readonly #journal: Journal;
  readonly #meters: Meters;
  readonly #publisher: Publisher;
  readonly #tally: FleetTally;
  readonly #jitter: Prng;
  readonly #stopping = new AbortController();
  #isResumed = false;
  #done: Promise<FleetStatus> | null = null;
  #due: Due[] = []; // live: still to be offered

  /** Use `startFleet`. */
  constructor(
    options: FleetOptions,
    journal: Journal,
    injector: ReturnType<typeof createFaultInjector> | null,
  ) {
    const { devices, source, networkId, brokerUrl, oracleReceiptPublicKey, timing } = options;
    const surroundings = options.surroundings ?? SURROUNDINGS;
    const seed = options.seed ?? "";
    this.#options = options;
    this.#journal = journal;
    this.#meters = new Meters({ devices, source, journal, networkId, injector });
    this.#tally = new FleetTally();
    this.#jitter = createPrng(`gridlane/jitter/${seed}`);
    this.#publisher = new Publisher({
      devices,
      brokerUrl,
      oracleReceiptPublicKey,
      seed,
      surroundings,
      ...(timing === undefined ? {} : { timing }),
      onReceipt: (device, transmission, receipt) => this.#settle(device, transmission, receipt),
      onLost: (_device, transmission) => this.#tally.lost(transmission),
      onForeignReceipt: (device) => {
        this.#tally.foreignReceipt();
        options.onEvent?.({ kind: "foreign-receipt", device });
      },
      onLink: (device, state) => options.onEvent?.({ kind: "link", device, state }),
    });
  }

  /** Called once, by `startFleet`. */
  async start(firstSlot: number): Promise<void> {
    this.#isResumed = this.#journal.nextSlot !== null && this.#journal.nextSlot > firstSlot;
    try {
      const nextSlot = this.#journal.nextSlot ?? firstSlot;
      if (nextSlot < (this.#options.source.firstSlot ?? 0)) {
        throw invalid("firstSlot", String(nextSlot), "the source begins later");
      }
      const left = await this.#meters.boot(firstSlot);
      this.#publisher.start();
      this.#done = this.#run(left);
    } catch (error) {
      await this.#journal.close();
      throw error;
    }
  }

  /**
   * Resolves when the pace has nothing more to do, or after `stop`; rejects when the journal cannot
   * be written. MUST be awaited by someone.
   */
  get done(): Promise<FleetStatus> {
    assert(this.#done !== null, "a fleet is started before it is awaited");
    return this.#done;
  }

  status(): FleetStatus {
    return this.#tally.status({
      devices: this.#options.devices,
      journal: this.#journal,
      isConnected: (device) => this.#publisher.isConnected(device),
    });
  }

  /** Records of closed slots whose jitter lets them out only after `timeS`. */
  waitingForJitter(timeS: number): number {
    return this.#due.filter(({ dueS }) => dueS > timeS).length;
  }

  /** Ends after the step at hand; what has no receipt stays in the journal for the next start. */
  async stop(): Promise<FleetStatus> {
    this.#stopping.abort();
    await this.#publisher.stop();
    return await this.done;
  }

  async #run(left: readonly Outgoing[]): Promise<FleetStatus> {
    const { pace } = this.#options;
    try {
      if (pace.kind === "live") await this.#runLive(left, pace);
      else await this.#runFast(left, pace);
    } finally {
      await this.#publisher.stop();
      await this.#journal.close();
    }
    return this.status();
  }

  async #runLive(
    left: readonly Outgoing[],
    { clock, jitterS, pollMs = 200 }: Extract<Pace, { kind: "live" }>,
  ): Promise<void> {
    const { signal } = this.#stopping;
    const { slotS, endSlot } = this.#options.source;
    for (const one of left) this.#offer(one);
    while (!signal.aborted) {
      const nowS = clock.nowS();
      const liveSlot = slotAt(nowS, slotS) - 1; // the last one that has ended
      const lastSlot = Math.min(liveSlot, (endSlot ?? Infinity) - 1);
      if (this.#nextSlot() <= lastSlot) {
        const slot = this.#nextSlot();
        const kind = slot < liveSlot ? "backfill" : "live";
        for (const outgoing of await this.#close(slot, kind)) {
          const waitS = kind === "live" ? jitterS * this.#delayShare(outgoing.device, slot) : 0;
          this.#due.push({ dueS: slotEndS(toSlot(slot), slotS) + waitS, outgoing });
        }
      }
      this.#offerDue(nowS);
      await this.#journal.flush();
      if (this.#nextSlot() <= lastSlot) continue; // still catching up
      if (this.#nextSlot() >= (endSlot ?? Infinity) && this.#due.length === 0)
        return this.#publisher.idle();
      await pause(this.#options.surroundings ?? SURROUNDINGS, { delayMs: pollMs, signal });
    }
  }

  /** 0 to 1, the same for a meter and slot in every run. */
  #delayShare(device: string, slot: number): number {
    return this.#jitter.fork(`${device}/${slot}`).unit();
  }

  /** In the order they were made: a meter's records never overtake each other. */
  #offerDue(nowS: number): void {
    const held: Due[] = [];
    for (const one of this.#due) {
      if (one.dueS <= nowS) this.#offer(one.outgoing);
      else held.push(one);
    }
    this.#due = held;
  }

  async #runFast(
    left: readonly Outgoing[],
    pace: Extract<Pace, { kind: "as-fast-as-possible" }>,
  ): Promise<void> {
    const endSlot = pace.endSlot ?? this.#options.source.endSlot!; // `startFleet` has checked it
    // After a restart the last slot may be on its way, or its `afterReceipts` not have come.
    if (this.#isResumed) await this.#publishFast(this.#nextSlot() - 1, left, pace);
    while (!this.#stopping.signal.aborted && this.#nextSlot() < endSlot) {
      const slot = this.#nextSlot();
      await this.#publishFast(slot, await this.#close(slot, "live"), pace);
    }
  }

  async #publishFast(
    slot: number,
    outgoing: readonly Outgoing[],
    pace: Extract<Pace, { kind: "as-fast-as-possible" }>,
  ): Promise<void> {
    await pace.beforePublish?.(slot);
    for (const one of outgoing) this.#offer(one);
    await this.#publisher.idle();
    await this.#journal.flush();
    if (!this.#stopping.signal.aborted) await pace.afterReceipts?.(slot);
  }

  #nextSlot(): number {
    return this.#journal.nextSlot!;
  }

  async #close(slot: number, kind: "live" | "backfill"): Promise<Outgoing[]> {
    const outgoing = await this.#meters.closeSlot(slot, kind);
    for (const { transmission } of outgoing) this.#tally.sent(transmission);
    this.#options.onEvent?.({ kind: "slot-closed", slot, records: outgoing.length });
    return outgoing;
  }

  #offer({ device, transmission }: Outgoing): void {
    this.#publisher.offer(device, transmission);
  }

  #settle(device: string, transmission: Transmission, receipt: Receipt): void {
    this.#tally.receipt(transmission, receipt.code);
    const { record } = transmission;
    if (record === null) return;
    this.#journal.settle(record, receipt);
    if (readingCodeName(receipt.code) === "accepted") return;
    this.#options.onEvent?.({ kind: "refused", device, slot: record.slot, code: receipt.code });
  }
}
