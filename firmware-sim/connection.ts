/**
 * One meter's MQTT connection: QoS 1, own credentials, own in-flight window, own resending.
 *
 * MQTT.js can drop QoS 1 messages while it replays its store, so nothing is left to that store:
 * each attempt is a fresh client with an empty one, and after a connect everything unreceipted is
 * sent again, oldest first, in the bytes that were signed once. A record is done only by the
 * oracle's signed receipt over these very bytes; a PUBACK alone means nothing but "on its way".
 */
import { Socket } from "node:net";
import { sha256 } from "../services/crypto/hash.ts";
import { bytesEqual, toHex } from "../services/primitives/bytes.ts";
import { assert, GridError } from "../services/primitives/errors.ts";
import { READINGS_IN_FLIGHT_PER_DEVICE_MAX } from "../services/primitives/limits.ts";
import type { Prng } from "../services/primitives/prng.ts";
import { openReceipt, type Receipt } from "../services/wire/receipt.ts";
import { readingTopic, receiptTopic } from "../services/wire/topics.ts";
import type { FaultName } from "./faults.ts";
import type { JournalRecord } from "./journal.ts";
import type { Device } from "./provision.ts";
import { type MqttClient, SURROUNDINGS, type Surroundings } from "./surroundings.ts";

/** What waits for a receipt: a journal record, or what a fault put on the wire beside it. */
export type Transmission = {
  readonly bytes: Uint8Array;
  readonly record: JournalRecord | null;
  readonly fault: FaultName | null; // sent once; lost with its connection
};

/** Milliseconds of real time. */
export type Timing = {
  readonly backoffMinMs: number; // doubles with each failure, with jitter of a half
  readonly backoffMaxMs: number;
  readonly receiptTimeoutMs: number; // without any receipt: send everything unreceipted again
  readonly connectTimeoutMs: number;
};
export const TIMING_DEFAULT: Timing = {
  backoffMinMs: 250,
  backoffMaxMs: 30_000,
  receiptTimeoutMs: 30_000,
  connectTimeoutMs: 10_000,
};

export type ConnectionEvents = {
  /** The receipt's signature holds and names these bytes. */
  onReceipt(transmission: Transmission, receipt: Receipt): void;
  /** A transmission of a fault went down with its connection. */
  onLost(transmission: Transmission): void;
  /** Something on the ack topic was no receipt of this oracle for this device. */
  onForeignReceipt(): void;
  onLink(state: LinkState): void;
};
export type LinkState =
  | { readonly kind: "connected" }
  | { readonly kind: "disconnected"; readonly reason: string };

export type ConnectionOptions = {
  readonly device: Device;
  readonly brokerUrl: string;
  readonly oracleReceiptPublicKey: Uint8Array;
  readonly timing: Timing;
  readonly prng: Prng; // jitter only
  readonly events: ConnectionEvents;
  readonly surroundings?: Surroundings; // default: MQTT.js and the machine's timers
};

type Waiting = Transmission & { readonly hash: Uint8Array };

export class Connection {
  readonly #options: ConnectionOptions;
  readonly #surroundings: Surroundings;
  readonly #queue: Waiting[] = []; // oldest first; the first #inFlight of it are on the wire
  #inFlight = 0;
  #client: MqttClient | null = null;
  #isReady = false;
  #attempt = 0;
  #stopped = false;
  #reconnectTimer: (() => void) | null = null; // cancels it
  #receiptTimer: (() => void) | null = null;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.#surroundings = options.surroundings ?? SURROUNDINGS;
  }

  get isReady(): boolean {
    return this.#isReady;
  }

  /** Transmissions without a receipt. */
  get waiting(): number {
    return this.#queue.length;
  }

  start(): void {
    this.#connect();
  }

  offer(transmission: Transmission): void {
    this.#queue.push({ ...transmission, hash: sha256(transmission.bytes) });
    this.#pump();
  }

  /**
   * Closes at once: what is unreceipted stays in the journal, and a graceful end would wait for
   * PUBACKs that may never come. There is no will that a missing DISCONNECT could set off.
   */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#isReady = false;
    this.#reconnectTimer?.();
    this.#clearReceiptTimer();
    const client = this.#client;
    this.#client = null;
    if (client?.connected) await client.endAsync(true);
    else client?.end(true);
  }

  #connect(): void {
    const { device, brokerUrl, timing } = this.#options;
    const name = toHex(device.deviceId);
    const client = this.#surroundings.connect(brokerUrl, {
      clientId: name,
      username: name,
      password: device.password,
      protocolVersion: 4,
      clean: true,
      keepalive: 60,
      reconnectPeriod: 0,
      connectTimeout: timing.connectTimeoutMs,
      resubscribe: false,
      queueQoSZero: false,
    });
    this.#client = client;
    // A reading is one small packet: Nagle's algorithm would hold it back for the peer's delayed
    // acknowledgement, some 40 ms each way.
    if (client.stream instanceof Socket) client.stream.setNoDelay(true);
    client.on("connect", () => this.#subscribe(client));
    client.on("message", (_topic, payload) => {
      if (client === this.#client) this.#receive(Uint8Array.from(payload));
    });
    client.on("error", (error) => this.#drop(client, reasonOf(error)));
    client.on("close", () => this.#drop(client, "the broker closed the connection"));
  }

  /** Listens for receipts before it publishes: none may be missed. */
  #subscribe(client: MqttClient): void {
    const { region, deviceId } = this.#options.device;
    client.subscribe(receiptTopic(region, deviceId), { qos: 1 }, (error, granted) => {
      if (client !== this.#client) return;
      const qos = granted?.[0]?.qos;
      if (error || (qos !== 0 && qos !== 1)) {
        this.#drop(client, "the broker refused the receipt topic");
        return;
      }
      this.#isReady = true;
      this.#attempt = 0;
      this.#options.events.onLink({ kind: "connected" });
      this.#pump();
    });
  }

  #drop(client: MqttClient, reason: string): void {
    if (client !== this.#client) return;
    const wasReady = this.#isReady;
    this.#client = null;
    this.#isReady = false;
    client.removeAllListeners();
    client.on("error", () => {}); // a socket may still fail while it closes; it is ours no more
    client.end(true);
    this.#rewind();
    if (wasReady || this.#attempt === 0) {
      this.#options.events.onLink({ kind: "disconnected", reason });
    }
    if (this.#stopped) return;
    this.#reconnectTimer = this.#surroundings.after(this.#backoffMs(), () => this.#connect());
  }

  #backoffMs(): number {
    const { backoffMinMs, backoffMaxMs } = this.#options.timing;
    const fullMs = Math.min(backoffMaxMs, backoffMinMs * 2 ** Math.min(this.#attempt, 20));
    this.#attempt++;
    return Math.floor(fullMs * (0.5 + 0.5 * this.#options.prng.unit()));
  }

  /** Everything on the wire counts as unsent again; a fault's own transmissions are gone. */
  #rewind(): void {
    this.#clearReceiptTimer();
    const flying = this.#queue.splice(0, this.#inFlight);
    this.#inFlight = 0;
    this.#queue.unshift(...flying.filter((one) => one.record !== null));
    for (const one of flying) if (one.record === null) this.#options.events.onLost(one);
  }

  #pump(): void {
    const client = this.#client;
    if (client === null || !this.#isReady) return;
    const { region, deviceId } = this.#options.device;
    const topic = readingTopic(region, deviceId);
    while (this.#inFlight < this.#windowEnd()) {
      const next = this.#queue[this.#inFlight]!;
      this.#inFlight++;
      const { buffer, byteOffset, length } = next.bytes;
      client.publish(topic, Buffer.from(buffer, byteOffset, length), { qos: 1 }, (error) => {
        if (error === undefined || error === null) {
          if (next.record !== null && next.record.state === "new") next.record.state = "sent";
        }
      });
    }
    if (this.#inFlight > 0) this.#startReceiptTimer();
  }

  #windowEnd(): number {
    return Math.min(this.#queue.length, READINGS_IN_FLIGHT_PER_DEVICE_MAX);
  }

  #startReceiptTimer(): void {
    this.#receiptTimer ??= this.#surroundings.after(this.#options.timing.receiptTimeoutMs, () => {
      this.#receiptTimer = null;
      this.#rewind();
      this.#pump();
    });
  }

  #clearReceiptTimer(): void {
    this.#receiptTimer?.();
    this.#receiptTimer = null;
  }

  #receive(payload: Uint8Array): void {
    const receipt = this.#open(payload);
    if (receipt === null || !bytesEqual(receipt.deviceId, this.#options.device.deviceId)) {
      this.#options.events.onForeignReceipt();
      return;
    }
    const at = this.#queue.findIndex((one) => bytesEqual(one.hash, receipt.recordHash));
    if (at < 0) return; // given twice: an earlier receipt has ended this record
    const [done] = this.#queue.splice(at, 1);
    assert(done !== undefined, "a found transmission is there");
    // After a reconnect a receipt may come before its record was sent again.
    if (at < this.#inFlight) this.#inFlight--;
    this.#clearReceiptTimer();
    this.#options.events.onReceipt(done, receipt);
    this.#pump();
  }

  #open(payload: Uint8Array): Receipt | null {
    try {
      return openReceipt({ bytes: payload, publicKey: this.#options.oracleReceiptPublicKey });
    } catch (error) {
      if (error instanceof GridError && error.code === "bytes_malformed") return null;
      throw error;
    }
  }
}

function reasonOf(error: Error & { code?: string | number }): string {
  return error.message !== "" ? error.message : String(error.code ?? "connection failed");
}
