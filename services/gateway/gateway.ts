/**
 * A gateway: reads the telegrams of one meter that cannot sign, believes or holds back its
 * registers, takes the one that stands for each slot, signs it, and publishes it until the oracle's
 * receipt comes. Everything of one telegram is done before the next one is looked at.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { LinkState, Timing } from "../../firmware-sim/connection.ts";
import { Journal, type JournalRecord } from "../../firmware-sim/journal.ts";
import type { Device } from "../../firmware-sim/provision.ts";
import { checkBrokerUrl, Publisher } from "../../firmware-sim/publisher.ts";
import type { Adapter } from "../oracle/adapters/adapters.ts";
import { Framer } from "../oracle/adapters/framing.ts";
import type { AdapterSettings, MeterTelegram } from "../oracle/adapters/telegram.ts";
import { toHex } from "../primitives/bytes.ts";
import type { Clock } from "../primitives/clock.ts";
import { GridError } from "../primitives/errors.ts";
import { slotAt, unixSeconds } from "../primitives/units.ts";
import type { GenesisMeter, MeterTrust } from "../wire/genesis.ts";
import { READING_FLAG } from "../wire/reading.ts";
import { readingCodeName } from "../wire/refusals.ts";
import { GatewayMeter } from "./gateway-meter.ts";
import { type GatewayStatus, GatewayTally } from "./gateway-status.ts";
import { type Believed, judgeRegisters } from "./register-guard.ts";
import { type Counts, registersOf, sampleOf } from "./sampling.ts";
import { SlotAligner, type SlotSample } from "./slot-aligner.ts";
import { runSource, type SourcePlace, type SourceTiming } from "./sources.ts";

export type GatewayOptions = {
  readonly device: Device;
  readonly meter: Pick<GenesisMeter, "openingImportWh" | "openingExportWh">;
  readonly trust: Exclude<MeterTrust, "meter-signed">;
  readonly networkId: string;
  readonly slotS: number;
  readonly genesisTimeS: number;
  readonly source: SourcePlace;
  readonly adapter: Adapter;
  readonly settings: AdapterSettings;
  readonly counts: Counts;
  readonly identification: string | null; // of the meter; null: whichever it is
  /** auto: the telegram's time where it agrees with the clock. telegram: its time or nothing. */
  readonly time: "auto" | "telegram";
  readonly graceS: number; // auto: how long after a slot's end a telegram of it may come
  readonly clock: Clock;
  readonly brokerUrl: string;
  readonly directory: string; // of the journal
  readonly oracleReceiptPublicKey: Uint8Array;
  readonly timing?: Partial<Timing>;
  readonly sourceTiming?: SourceTiming;
  readonly onEvent?: (event: GatewayEvent) => void;
};

export type GatewayEvent =
  | { readonly kind: "source"; readonly state: "connected" | { readonly disconnected: string } }
  | { readonly kind: "broker"; readonly state: LinkState }
  | { readonly kind: "telegram-refused"; readonly message: string }
  | { readonly kind: "register-held"; readonly message: string }
  | { readonly kind: "slot-signed"; readonly slot: number; readonly seq: number }
  | { readonly kind: "reading-refused"; readonly slot: number; readonly code: string };

/** Real time between two looks at the clock. */
const CLOCK_POLL_MS = 500;

/** @throws GridError argument_invalid, and what `Journal.open` throws */
export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  checkBrokerUrl(options.brokerUrl);
  const journal = await Journal.open(options.directory);
  try {
    const gateway = new Gateway(options, journal);
    await gateway.start();
    return gateway;
  } catch (error) {
    await journal.close();
    throw error;
  }
}

export class Gateway {
  readonly #options: GatewayOptions;
  readonly #journal: Journal;
  readonly #meter: GatewayMeter;
  readonly #publisher: Publisher;
  readonly #tally = new GatewayTally();
  readonly #stopping = new AbortController();
  readonly #name: string;
  #framer: Framer;
  #aligner!: SlotAligner;
  #believed!: Believed;
  #held = 0; // READING_FLAG.registerHeld once a register was held since the last record
  #turn: Promise<void> = Promise.resolve(); // one thing at a time
  #done: Promise<GatewayStatus> | null = null;

  /** Use `startGateway`. */
  constructor(options: GatewayOptions, journal: Journal) {
    const { device, meter, slotS, genesisTimeS, networkId } = options;
    this.#options = options;
    this.#journal = journal;
    this.#name = toHex(device.deviceId);
    this.#framer = new Framer(options.adapter.scan);
    this.#meter = new GatewayMeter({
      ...{ device, journal, networkId, slotS },
      genesisSlot: slotAt(unixSeconds(genesisTimeS), slotS),
      opening: { importWh: meter.openingImportWh, exportWh: meter.openingExportWh },
    });
    this.#publisher = new Publisher({
      devices: [device],
      brokerUrl: options.brokerUrl,
      oracleReceiptPublicKey: options.oracleReceiptPublicKey,
      seed: this.#name,
      ...(options.timing === undefined ? {} : { timing: options.timing }),
      onReceipt: (_device, { record }, receipt) => {
        if (record !== null) this.#settle(record, receipt);
      },
      onLost: () => {},
      onForeignReceipt: () => this.#tally.count("foreignReceipts"),
      onLink: (_device, state) => options.onEvent?.({ kind: "broker", state }),
    });
  }

  /** Called once, by `startGateway`. */
  async start(): Promise<void> {
    const { slotS } = this.#options;
    const left = await this.#meter.boot();
    const { nextSlot, importWh, exportWh } = this.#meter.state;
    this.#aligner = new SlotAligner({ slotS, nextSlot });
    this.#believed = { importWh, exportWh, atS: nextSlot * slotS };
    this.#publisher.start();
    for (const record of left) this.#offer(record);
    this.#done = this.#run();
  }

  /** Resolves when the source has ended and all is receipted, or after `stop`. */
  get done(): Promise<GatewayStatus> {
    return this.#done ?? Promise.reject(new Error("started before it is awaited"));
  }

  status(): GatewayStatus {
    return this.#tally.status({
      nextSlot: this.#meter.state.nextSlot,
      seq: this.#meter.state.seq,
      unreceipted: this.#journal.recordCount(this.#name),
    });
  }

  /** What has no receipt stays in the journal for the next start. */
  async stop(): Promise<GatewayStatus> {
    this.#stopping.abort();
    await this.#publisher.stop();
    return await this.done;
  }

  async #run(): Promise<GatewayStatus> {
    const stopped = this.#stopping.signal;
    const reading = this.#read();
    const ticking = this.#tick(stopped);
    try {
      // The source ends or fails, or the clock's work fails.
      await Promise.race([reading, ticking.then(() => reading)]);
      if (!stopped.aborted) await this.#inTurn(() => this.#closeEnded(0));
      await this.#publisher.idle();
    } finally {
      this.#stopping.abort();
      await Promise.allSettled([reading, ticking]); // the first failure is already on its way
      await this.#publisher.stop();
      await this.#journal.close();
    }
    return this.status();
  }

  async #read(): Promise<void> {
    const { source, onEvent, sourceTiming } = this.#options;
    await runSource(
      source,
      {
        chunk: (bytes) => this.#inTurn(() => this.#chunk(bytes)),
        frame: (bytes) => this.#inTurn(() => this.#frame(bytes)),
        restart: () => {
          this.#tally.count("droppedBytes", this.#framer.waiting);
          this.#framer = new Framer(this.#options.adapter.scan);
        },
        link: (state) => onEvent?.({ kind: "source", state }),
      },
      {
        signal: this.#stopping.signal,
        ...(sourceTiming === undefined ? {} : { timing: sourceTiming }),
      },
    );
  }

  /** A silent meter's slots end by the clock. */
  async #tick(signal: AbortSignal): Promise<void> {
    if (this.#options.time === "telegram") return;
    while (!signal.aborted) {
      await this.#inTurn(() => this.#closeEnded(this.#options.graceS));
      await delay(CLOCK_POLL_MS, undefined, { signal }).catch(() => {}); // aborted: the loop ends
    }
  }

  async #inTurn(action: () => Promise<void>): Promise<void> {
    const mine = this.#turn.then(action);
    this.#turn = mine.catch(() => {}); // whoever waits for `mine` hears of it
    await mine;
  }

  async #chunk(bytes: Uint8Array): Promise<void> {
    const { frames, droppedBytes } = this.#framer.push(bytes);
    this.#tally.count("droppedBytes", droppedBytes);
    for (const frame of frames) await this.#frame(frame);
  }

  async #frame(frame: Uint8Array): Promise<void> {
    this.#tally.count("frames");
    let telegrams: readonly MeterTelegram[];
    try {
      telegrams = this.#options.adapter.read(frame, this.#options.settings);
    } catch (error) {
      if (!(error instanceof GridError) || error.code !== "telegram_refused") throw error;
      this.#tally.refused((error.facts as { reason: string }).reason);
      this.#options.onEvent?.({ kind: "telegram-refused", message: error.message });
      return;
    }
    for (const telegram of telegrams) await this.#telegram(telegram);
  }

  async #telegram(telegram: MeterTelegram): Promise<void> {
    const { identification, counts, clock, time, trust, device } = this.#options;
    if (identification !== null && telegram.identification !== identification) {
      return this.#tally.count("otherMeters");
    }
    const registers = registersOf(telegram, { counts, state: this.#meter.state });
    if (registers === null) return this.#tally.count("registerless");
    const sample = sampleOf(telegram, registers, { nowS: clock.nowS(), time });
    if (sample === null) return this.#tally.count("timeless");
    const next = { ...registers, atS: sample.readS };
    if (next.atS < this.#believed.atS) return this.#tally.count("late");
    const { connectionW } = device;
    const { resolutionWh } = sample;
    const belief = judgeRegisters({ last: this.#believed, next, connectionW, resolutionWh });
    if (belief.kind === "held") {
      this.#tally.count("held");
      this.#held = READING_FLAG.registerHeld;
      const { why, register, measured, bound } = belief;
      const message = `${why.replace("_", " ")}: ${register} ${measured} against ${bound}`;
      return this.#options.onEvent?.({ kind: "register-held", message });
    }
    this.#tally.count("telegrams");
    this.#believed = next;
    const origin = READING_FLAG.gatewaySigned | (trust === "imported" ? READING_FLAG.imported : 0);
    const flags = sample.flags | origin;
    for (const closed of this.#aligner.take({ ...sample, flags })) await this.#close(closed);
  }

  /** Ends what the clock says is over, `graceS` after its end. */
  async #closeEnded(graceS: number): Promise<void> {
    const { clock, slotS } = this.#options;
    const slot = Math.floor((clock.nowS() - graceS) / slotS);
    for (const closed of this.#aligner.closeBefore(slot)) await this.#close(closed);
  }

  async #close({ slot, sample }: SlotSample): Promise<void> {
    const { clock, slotS, onEvent } = this.#options;
    const isLive = slot >= slotAt(clock.nowS(), slotS) - 1;
    const flagged = { slot, sample: { ...sample, flags: sample.flags | this.#held } };
    const record = await this.#meter.close(flagged, isLive ? "live" : "backfill");
    if (record === null) return this.#tally.count("journalFull");
    this.#held = 0;
    this.#tally.count("signed");
    onEvent?.({ kind: "slot-signed", slot: record.slot, seq: record.seq });
    this.#offer(record);
  }

  #offer(record: JournalRecord): void {
    this.#publisher.offer(this.#name, { bytes: record.bytes, record, fault: null });
  }

  #settle(record: JournalRecord, receipt: { readonly code: number; readonly timeS: number }) {
    const code = readingCodeName(receipt.code);
    this.#tally.receipt(code);
    this.#journal.settle(record, receipt);
    if (code === "accepted") return;
    this.#options.onEvent?.({ kind: "reading-refused", slot: record.slot, code });
  }
}
