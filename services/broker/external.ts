/**
 * Any MQTT 3.1.1 broker by URL, for communities that outgrow the embedded one. Needs QoS 1,
 * retained messages and topic rules of it; never MQTT 5, QoS 2, shared subscriptions or `$SYS`.
 *
 * The broker acknowledges to the meter; we acknowledge to the broker, once the reading is durable.
 * The session is kept (`clean: false`), so what we did not acknowledge comes again. The meter keeps
 * its journal until our receipt, so a broker that loses its memory loses no energy.
 *
 * mqtt.js handles one message at a time and would wait a whole disk write for each. So its own
 * PUBACK is held back (an error handed to `handleMessage`'s callback means just that) and ours is
 * written when the durable batch is done, in arrival order (MQTT-4.6.0-2).
 */
import mqtt, { type IClientOptions, type IPublishPacket, type MqttClient } from "mqtt";
import { assert, GridError } from "../primitives/errors.ts";
import { parseDeviceTopic, READING_TOPIC_FILTER } from "../wire/topics.ts";
import {
  type Broker,
  type IncomingReading,
  type MovingCounters,
  type OutgoingMessage,
  type ReadingHandler,
  zeroCounters,
} from "./broker.ts";
import { ReadingWindow } from "./reading-window.ts";

/** Readings taken from the broker and not yet acknowledged; beyond it we stop reading. */
export const EXTERNAL_IN_FLIGHT_MAX = 1000;
/** Backfill comes on its own leaf. */
const READING_FILTERS = [READING_TOPIC_FILTER, READING_TOPIC_FILTER.replace(/r$/, "b")];

export type ExternalBrokerOptions = {
  readonly url: string; // mqtt:// or mqtts://
  /** Names the session: the same after a restart, and no one else's. Default: gridlane-oracle. */
  readonly clientId?: string;
  readonly username?: string;
  readonly password?: string;
  readonly tls?: { readonly ca?: string; readonly cert?: string; readonly key?: string }; // PEM
  readonly onReading: ReadingHandler;
  readonly connectTimeoutMs?: number; // 10,000
  readonly reconnectMs?: number; // between two attempts after the first connection: 1000
};

/**
 * Connects and subscribes; from then on reconnects by itself.
 *
 * @throws GridError broker_unreachable, also where the login is refused; permission_denied where
 *   the broker denies the subscription
 */
export async function connectExternalBroker(options: ExternalBrokerOptions): Promise<Broker> {
  const broker = new ExternalBroker(options);
  await broker.start();
  return broker;
}

class ExternalBroker implements Broker {
  readonly url: string;
  readonly counters: MovingCounters = zeroCounters();
  readonly #options: ExternalBrokerOptions;
  readonly #client: MqttClient;
  #running = 0; // readings at the handler
  #onRoom: () => void = () => {};
  #onIdle: () => void = () => {};
  #window = new ReadingWindow();
  #isStopping = false;

  constructor(options: ExternalBrokerOptions) {
    this.#options = options;
    this.url = options.url;
    this.#client = mqtt.connect(options.url, { ...clientOptions(options), manualConnect: true });
    // A failed attempt is followed by the next, and a failed start throws: see `start`.
    this.#client.on("error", () => {});
    this.#client.handleMessage = (packet, callback) => this.#receive(packet, callback);
  }

  async start(): Promise<void> {
    const { url, reconnectMs = 1000 } = this.#options;
    try {
      await this.#firstConnection();
      for (const filter of READING_FILTERS) await this.#subscribe(filter);
    } catch (failure) {
      await this.#client.endAsync(true);
      throw failure instanceof GridError ? failure : unreachable(url, failure);
    }
    this.#client.options.reconnectPeriod = reconnectMs;
    this.#client.on("connect", () => {
      this.counters.clients = 1;
    });
    this.#client.on("close", () => {
      this.counters.clients = 0;
      if (!this.#isStopping) this.counters.connectionsFailed++;
    });
    this.counters.clients = 1;
  }

  async #subscribe(filter: string): Promise<void> {
    try {
      await this.#client.subscribeAsync(filter, { qos: 1 });
    } catch (failure) {
      const { packet } = failure as { packet?: { granted?: readonly unknown[] } };
      const isDenied = packet?.granted?.includes(SUBACK_FAILURE) === true;
      throw isDenied ? subscriptionDenied(this.url, filter) : failure;
    }
  }

  #firstConnection(): Promise<void> {
    const client = this.#client;
    return new Promise((resolve, reject) => {
      const settle = (failure: Error | null) => {
        client.off("connect", onConnect);
        client.off("error", settle);
        client.off("close", onClose);
        if (failure === null) resolve();
        else reject(failure);
      };
      const onConnect = () => settle(null);
      const onClose = () => settle(new Error("the connection was closed"));
      client.on("connect", onConnect);
      client.on("error", settle);
      client.on("close", onClose);
      client.connect();
    });
  }

  async publish({ topic, payload, retain = false }: OutgoingMessage): Promise<void> {
    // mqtt.js would queue without end, and lose the queue if the link drops while it is replayed
    // (MQTT.js #2015). Whoever publishes decides: a meter asks for its receipt again anyway.
    if (!this.#client.connected) throw unreachable(this.url, null);
    const bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
    await this.#client.publishAsync(topic, bytes, { qos: 1, retain });
    this.counters.messagesSent++;
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    if (this.#running > 0) {
      await new Promise<void>((resolve) => {
        this.#onIdle = resolve;
      });
    }
    await this.#client.endAsync(!this.#client.connected);
    this.counters.clients = 0;
  }

  #receive(packet: IPublishPacket, callback: (failure?: Error) => void): void {
    if (this.#isStopping) {
      callback(new Error("stopping"));
      return;
    }
    const parsed = parseDeviceTopic(packet.topic);
    if (parsed === null) {
      // Not ours to answer, and no resending would change it.
      this.counters.messagesDropped++;
      callback();
      return;
    }
    const { region, deviceId } = parsed;
    const payload = new Uint8Array(packet.payload as Uint8Array);
    const goOn = () => callback(new Error("acknowledged later"));
    this.#take(packet, { topic: packet.topic, payload, region, deviceId });
    // Not calling back stops mqtt.js from reading, and TCP then stops the broker.
    if (this.#window.inFlight < EXTERNAL_IN_FLIGHT_MAX) goOn();
    else this.#onRoom = goOn;
  }

  #take(packet: IPublishPacket, reading: IncomingReading): void {
    const { stream } = this.#client;
    const window = this.#window;
    this.#running++;
    window.admit(
      () => this.#options.onReading(reading),
      (failure) => {
        const isCurrent = this.#client.stream === stream;
        if (failure === null) {
          this.counters.readings++;
          // After a reconnect the broker sends it again, under whatever identifier it likes.
          if (packet.qos === 1 && isCurrent) stream.write(puback(packet));
        } else {
          // A broker sends again only after a reconnect; what failed is counted, not hidden.
          this.counters.readingsFailed++;
          if (this.#window === window) this.#window = new ReadingWindow();
          if (isCurrent) stream.destroy();
        }
        this.#onRoom();
        this.#onRoom = () => {};
        if (--this.#running === 0) this.#onIdle();
      },
    );
  }
}

/** MQTT 3.1.1, section 3.4. */
function puback({ messageId }: IPublishPacket): Uint8Array {
  assert(messageId !== undefined, "a PUBLISH of QoS 1 has an identifier");
  return Uint8Array.of(0x40, 2, Math.floor(messageId / 256), messageId % 256);
}

function clientOptions(options: ExternalBrokerOptions): IClientOptions {
  const {
    clientId = "gridlane-oracle",
    username,
    password,
    tls,
    connectTimeoutMs = 10_000,
  } = options;
  return {
    protocolVersion: 4,
    clientId,
    clean: false,
    keepalive: 60,
    connectTimeout: connectTimeoutMs,
    reconnectPeriod: 0, // until the first connection stands
    resubscribe: true,
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...tls,
  };
}

/** SUBACK 0x80 of MQTT 3.1.1. */
const SUBACK_FAILURE = 128;
/** CONNACK 4 and 5 of MQTT 3.1.1. */
const LOGIN_REFUSED = new Set<unknown>([4, 5]);

function unreachable(url: string, cause: unknown) {
  const code = (cause as { code?: unknown } | null)?.code;
  const message = LOGIN_REFUSED.has(code)
    ? `the MQTT broker at ${url} refuses the login: check user name and password`
    : `the MQTT broker at ${url} does not answer: check the address, and that it runs`;
  return new GridError("broker_unreachable", message, { url }, { cause });
}

function subscriptionDenied(url: string, filter: string) {
  return new GridError(
    "permission_denied",
    `the MQTT broker at ${url} denies the subscription to ${filter}: allow it in its rules`,
    { path: filter },
  );
}
