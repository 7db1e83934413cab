/**
 * The connections of a fleet: one for each meter, since per-device credentials are the point. An
 * idle one costs a socket and some kilobytes, and no timer but its keepalive.
 */
import { toHex } from "../services/primitives/bytes.ts";
import { assert, GridError } from "../services/primitives/errors.ts";
import { createPrng } from "../services/primitives/prng.ts";
import type { Receipt } from "../services/wire/receipt.ts";
import {
  Connection,
  type LinkState,
  TIMING_DEFAULT,
  type Timing,
  type Transmission,
} from "./connection.ts";
import type { Device } from "./provision.ts";
import type { Surroundings } from "./surroundings.ts";

export type PublisherOptions = {
  readonly devices: readonly Device[];
  readonly brokerUrl: string; // mqtt:// or mqtts://
  readonly oracleReceiptPublicKey: Uint8Array;
  readonly seed: string; // of the reconnect jitter
  readonly timing?: Partial<Timing>;
  readonly surroundings?: Surroundings;
  readonly onReceipt: (device: string, transmission: Transmission, receipt: Receipt) => void;
  readonly onLost: (device: string, transmission: Transmission) => void;
  readonly onForeignReceipt: (device: string) => void;
  readonly onLink: (device: string, state: LinkState) => void;
};

export class Publisher {
  readonly #connections = new Map<string, Connection>();
  #outstanding = 0;
  #stopped = false;
  #idleWaiters: (() => void)[] = [];

  /** @throws GridError argument_invalid if the URL is none of MQTT */
  constructor(options: PublisherOptions) {
    const { brokerUrl, oracleReceiptPublicKey, surroundings } = options;
    checkBrokerUrl(brokerUrl);
    const timing = { ...TIMING_DEFAULT, ...options.timing };
    const prng = createPrng(`gridlane/publisher/${options.seed}`);
    for (const device of options.devices) {
      const name = toHex(device.deviceId);
      const events = {
        onReceipt: (transmission: Transmission, receipt: Receipt) => {
          options.onReceipt(name, transmission, receipt);
          this.#done();
        },
        onLost: (transmission: Transmission) => {
          options.onLost(name, transmission);
          this.#done();
        },
        onForeignReceipt: () => options.onForeignReceipt(name),
        onLink: (state: LinkState) => options.onLink(name, state),
      };
      this.#connections.set(
        name,
        new Connection({
          device,
          brokerUrl,
          oracleReceiptPublicKey,
          timing,
          prng: prng.fork(name),
          events,
          ...(surroundings === undefined ? {} : { surroundings }),
        }),
      );
    }
  }

  start(): void {
    for (const connection of this.#connections.values()) connection.start();
  }

  offer(device: string, transmission: Transmission): void {
    if (this.#stopped) return; // it is in the journal
    this.#outstanding++;
    this.#connection(device).offer(transmission);
  }

  isConnected(device: string): boolean {
    return this.#connection(device).isReady;
  }

  /** Resolves when nothing waits for a receipt, or when the publisher stops. */
  async idle(): Promise<void> {
    if (this.#outstanding === 0 || this.#stopped) return;
    await new Promise<void>((resolve) => this.#idleWaiters.push(resolve));
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#wake();
    await Promise.all([...this.#connections.values()].map((connection) => connection.stop()));
  }

  #connection(device: string): Connection {
    const connection = this.#connections.get(device);
    assert(connection !== undefined, "the publisher knows the device");
    return connection;
  }

  #done(): void {
    this.#outstanding--;
    if (this.#outstanding === 0) this.#wake();
  }

  #wake(): void {
    const waiters = this.#idleWaiters;
    this.#idleWaiters = [];
    for (const wake of waiters) wake();
  }
}

/** @throws GridError argument_invalid */
export function checkBrokerUrl(brokerUrl: string): void {
  const protocol = URL.canParse(brokerUrl) ? new URL(brokerUrl).protocol : "";
  if (protocol === "mqtt:" || protocol === "mqtts:") return;
  throw new GridError("argument_invalid", `${brokerUrl} is no mqtt:// or mqtts:// URL`, {
    argument: "broker",
    value: brokerUrl,
  });
}
