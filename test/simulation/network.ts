/**
 * The network between meters and node, with the broker's promises (`services/broker/broker.ts`): a
 * PUBACK only after the reading handler has resolved, in the order of the PUBLISHes of a
 * connection; where it rejects, the connection ends; a receipt reaches whoever has subscribed.
 *
 * A connection keeps order, as TCP does. Faults of a region break these habits for a while: a
 * partition, messages lost on either way, repeated, or each delayed by its own.
 */
import { EventEmitter } from "node:events";
import type { IClientOptions } from "mqtt";
import type { MqttClient } from "../../firmware-sim/surroundings.ts";
import { ReadingWindow } from "../../services/broker/reading-window.ts";
import { toHex } from "../../services/primitives/bytes.ts";
import type { Prng } from "../../services/primitives/prng.ts";
import { parseDeviceTopic } from "../../services/wire/topics.ts";
import type { World } from "./world.ts";

/** The node as the network meets it. */
export type Door = {
  /** Null while no node listens. */
  ingest(): ((arrival: { topic: string; payload: Uint8Array }) => Promise<void>) | null;
};

/** What goes wrong in a region now. Shares are of messages, 0 to 1. */
export type Weather = {
  isPartitioned: boolean;
  receiptsLost: number;
  readingsLost: number;
  duplicated: number;
  delayMaxMs: number;
};

const LATENCY_MIN_MS = 5;
const LATENCY_SPAN_MS = 60;
/** A connection whose peer has vanished is given up after so long. */
const KEEPALIVE_MS = 90_000;

export class Network {
  readonly world: World;
  readonly door: Door;
  readonly prng: Prng;
  readonly #weather = new Map<string, Weather>();
  readonly #sessions = new Map<string, SimulatedClient>(); // by client id

  constructor(world: World, door: Door) {
    this.world = world;
    this.door = door;
    this.prng = world.prng.fork("network");
  }

  weather(region: string): Weather {
    const known = this.#weather.get(region) ?? {
      ...{ isPartitioned: false, receiptsLost: 0, readingsLost: 0, duplicated: 0, delayMaxMs: 0 },
    };
    this.#weather.set(region, known);
    return known;
  }

  /** @param isAlive - whether the process that connects still runs */
  connect(region: string, options: IClientOptions, isAlive: () => boolean): MqttClient {
    const client = new SimulatedClient(this, { region, id: options.clientId!, isAlive });
    // The part of a client that a meter's connection uses is all there.
    return client as unknown as MqttClient;
  }

  /** As the broker: to the device that listens; gone where none does. */
  publishReceipt(topic: string, payload: Uint8Array): void {
    const address = parseDeviceTopic(topic)!;
    this.#sessions.get(toHex(address.deviceId))?.deliver(topic, payload);
  }

  partition(region: string, isPartitioned: boolean): void {
    this.weather(region).isPartitioned = isPartitioned;
    for (const client of this.#sessions.values()) {
      if (client.region !== region) continue;
      if (isPartitioned) this.world.after(KEEPALIVE_MS, () => client.cut("keepalive timeout"));
      else client.cut("connection reset");
    }
  }

  /** The node is gone: every connection to it breaks. */
  nodeLost(): void {
    for (const client of [...this.#sessions.values()]) client.cut("connection reset");
  }

  cut(id: string): void {
    this.#sessions.get(id)?.cut("connection reset");
  }

  open(client: SimulatedClient): boolean {
    if (this.door.ingest() === null || this.weather(client.region).isPartitioned) return false;
    this.#sessions.get(client.id)?.cut("taken over");
    this.#sessions.set(client.id, client);
    return true;
  }

  close(client: SimulatedClient): void {
    if (this.#sessions.get(client.id) === client) this.#sessions.delete(client.id);
  }

  latencyMs(): number {
    return LATENCY_MIN_MS + this.prng.below(LATENCY_SPAN_MS);
  }

  happens(share: number): boolean {
    return share > 0 && this.prng.unit() < share;
  }
}

type Granted = (error: Error | null, granted?: { topic: string; qos: number }[]) => void;
type Acknowledged = (error?: Error) => void;

/** Both ends of one connection attempt. */
class SimulatedClient extends EventEmitter {
  readonly region: string;
  readonly id: string;
  readonly stream = null; // no socket to tune
  connected = false;
  readonly #network: Network;
  readonly #isAlive: () => boolean;
  readonly #window = new ReadingWindow();
  #isGone = false;
  #isSubscribed = false;
  #arrivesMs = { up: 0, down: 0 };

  constructor(network: Network, at: { region: string; id: string; isAlive: () => boolean }) {
    super();
    this.#network = network;
    this.region = at.region;
    this.id = at.id;
    this.#isAlive = at.isAlive;
    network.world.after(2 * network.latencyMs(), () => {
      if (this.#isGone || !this.#isAlive()) return;
      if (network.open(this)) {
        this.connected = true;
        this.emit("connect");
      } else {
        this.emit("error", new Error("connect ECONNREFUSED"));
        this.cut("connect ECONNREFUSED");
      }
    });
  }

  subscribe(topic: string, { qos }: { qos: number }, done: Granted): void {
    this.#travel("up", () => {
      this.#isSubscribed = true;
      this.#travel("down", () => done(null, [{ topic, qos }]));
    });
  }

  publish(topic: string, payload: Uint8Array, _options: object, done: Acknowledged): void {
    const weather = this.#network.weather(this.region);
    const bytes = Uint8Array.from(payload);
    const delayMs = weather.delayMaxMs > 0 ? this.#network.prng.below(weather.delayMaxMs) : 0;
    const isLost = this.#network.happens(weather.readingsLost);
    const copies = this.#network.happens(weather.duplicated) ? 2 : 1;
    this.#travel("up", () => {
      if (isLost) return;
      for (let copy = 0; copy < copies; copy++) {
        const waitMs = delayMs + copy * this.#network.latencyMs();
        // Beyond the broker a message goes on although its connection may have ended.
        if (waitMs === 0) this.#take(topic, bytes, done);
        else this.#network.world.after(waitMs, () => this.#take(topic, bytes, done));
      }
    });
  }

  #take(topic: string, payload: Uint8Array, done: Acknowledged): void {
    const ingest = this.#network.door.ingest();
    if (ingest === null) return;
    this.#window.admit(
      () => ingest({ topic, payload }),
      (failure) => {
        if (failure !== null) this.cut("the broker closed the connection");
        else this.#travel("down", () => done());
      },
    );
  }

  deliver(topic: string, payload: Uint8Array): void {
    const weather = this.#network.weather(this.region);
    if (!this.#isSubscribed || this.#network.happens(weather.receiptsLost)) return;
    const copies = this.#network.happens(weather.duplicated) ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) {
      this.#travel("down", () => this.emit("message", topic, Buffer.from(payload)));
    }
  }

  cut(_reason: string): void {
    if (this.#isGone) return;
    this.#leave();
    this.#network.world.after(this.#network.latencyMs(), () => {
      if (this.#isAlive()) this.emit("close");
    });
  }

  end(): void {
    this.#leave();
  }

  async endAsync(): Promise<void> {
    this.#leave();
  }

  #leave(): void {
    this.#isGone = true;
    this.connected = false;
    this.#network.close(this);
  }

  /** In order, unless the region is cut off or one end is gone by then. */
  #travel(way: "up" | "down", arrive: () => void): void {
    if (this.#isGone || this.#network.weather(this.region).isPartitioned) return;
    const { world } = this.#network;
    const atMs = Math.max(world.nowMs + this.#network.latencyMs(), this.#arrivesMs[way]);
    this.#arrivesMs[way] = atMs;
    world.at(atMs, () => {
      if (!this.#isGone && this.#isAlive()) arrive();
    });
  }
}
