/**
 * The embedded MQTT 3.1.1 broker: aedes on one TCP listener, with what it leaves open closed.
 * Credentials, access rules and the durable write are handed in.
 *
 * aedes sends the PUBACK of QoS 1 before it persists or forwards anything; only its publish hook
 * runs earlier. So the durable write happens inside `authorizePublish`, and the hook errors only on
 * a breach of the rules or a failed store: an error cuts the connection, it cannot say why.
 * Each further trap is named where it is closed, and has a regression test.
 */
import { createServer, type Server, type Socket } from "node:net";
import {
  Aedes,
  type AedesPublishPacket,
  type Client,
  type ConnectPacket,
  type PublishPacket,
} from "aedes";
import {
  FORWARDS_WAITING_MAX,
  KEEPALIVE_S_MAX,
  READING_BYTES_MAX,
  READINGS_IN_FLIGHT_PER_DEVICE_MAX,
  SESSION_QUEUE_MAX,
  SUBSCRIPTIONS_PER_CLIENT_MAX,
} from "../primitives/limits.ts";
import { type AccessRules, gridlaneRules, ownLeaf, type Principal } from "./access-rules.ts";
import {
  type Broker,
  type IncomingReading,
  type MovingCounters,
  type OutgoingMessage,
  type ReadingHandler,
  zeroCounters,
} from "./broker.ts";
import { guardSocket } from "./guarded-socket.ts";
import { listen } from "./listen.ts";
import type { ReadingWindow } from "./reading-window.ts";
import {
  CONNACK,
  isNameless,
  maySignIn,
  openSession,
  type Refusal,
  type Session,
} from "./session.ts";
import { SessionStore } from "./session-store.ts";

/** Who a user name and password belong to, or null. MUST take equally long for both answers. */
export type Credentials = (login: {
  readonly username: string; // empty where the client gave none
  readonly password: Uint8Array;
}) => Principal | null;

export type EmbeddedBrokerOptions = {
  readonly host: string;
  readonly port: number; // 0: any free one
  readonly credentials: Credentials;
  readonly onReading: ReadingHandler;
  readonly rules?: AccessRules;
  /** Time limits, each with the default in its place; tests shorten them. */
  readonly connectTimeoutMs?: number; // from TCP accept to CONNECT: 10,000
  readonly drainTimeoutMs?: number; // for a client that has stopped reading: 15,000
};

/** Messages on their way to subscribers; one that stopped reading holds FORWARDS_WAITING_MAX. */
const CONCURRENCY = 1000;
/** Our deepest topic has seven levels; the store's matcher takes 100. */
const TOPIC_LEVELS_MAX = 16;
/** The broker's own topics: closed in every direction, whatever the rules say. */
const SYSTEM_PREFIX = "$SYS/";

/**
 * Starts listening.
 *
 * @throws GridError port_in_use, permission_denied (a port below 1024), argument_invalid (the host)
 */
export async function startEmbeddedBroker(options: EmbeddedBrokerOptions): Promise<Broker> {
  const broker = new EmbeddedBroker(options);
  await broker.start();
  return broker;
}

class EmbeddedBroker implements Broker {
  readonly counters: MovingCounters = zeroCounters();
  url = "";
  readonly #options: EmbeddedBrokerOptions;
  readonly #rules: AccessRules;
  readonly #server: Server;
  readonly #sessions = new WeakMap<Client, Session>();
  readonly #clients = new Map<string, Client>(); // by id; aedes's own count drifts (aedes #985)
  #running = 0; // readings at the handler
  #onIdle: () => void = () => {};
  #aedes!: Aedes;

  constructor(options: EmbeddedBrokerOptions) {
    this.#options = options;
    this.#rules = options.rules ?? gridlaneRules;
    this.#server = createServer((socket) => this.#accept(socket));
  }

  async start(): Promise<void> {
    const { host, port, connectTimeoutMs = 10_000, drainTimeoutMs = 15_000 } = this.#options;
    this.#aedes = await Aedes.createBroker({
      persistence: new SessionStore({
        maySubscribe: (client, filter) => this.#grants(client, filter),
        queueMax: SESSION_QUEUE_MAX,
        onDrop: () => this.counters.messagesDropped++,
      }),
      concurrency: CONCURRENCY,
      connectTimeout: connectTimeoutMs,
      drainTimeout: drainTimeoutMs,
      maxTopicLevels: TOPIC_LEVELS_MAX,
      maxInflightInbound: READINGS_IN_FLIGHT_PER_DEVICE_MAX,
      preConnect: (client, packet, callback) => {
        this.#greet(client, packet);
        callback(null, true);
      },
      authenticate: (client, username, password, callback) => {
        const code = this.#refuseLogin(client, username ?? "", password ?? new Uint8Array(0));
        if (code === null) {
          callback(null, true);
          return;
        }
        this.counters.loginsRefused++;
        // The types ask for an enumeration that does not exist at run time.
        const refusal = Object.assign(new Error("login refused"), { returnCode: code as number });
        callback(refusal as Parameters<typeof callback>[0], false);
      },
      authorizePublish: (client, packet, callback) => {
        this.#authorizePublish(client, packet, callback);
      },
      authorizeSubscribe: (client, subscription, callback) => {
        // Never an error: a denial by error leaves the filter in the store, and every later
        // CONNECT of that session then waits for its CONNACK in vain.
        const allowed = this.#grants(client, subscription.topic);
        if (!allowed) this.counters.subscriptionsDenied++;
        callback(null, allowed ? subscription : null);
      },
      authorizeForward: (client, packet) => this.#authorizeForward(client, packet),
    });
    this.#aedes.on("client", (client) => this.#register(client));
    this.#aedes.on("clientDisconnect", (client) => this.#unregister(client));
    try {
      const onAcceptFailure = () => this.counters.connectionsFailed++;
      await listen(this.#server, { host, port, onAcceptFailure });
    } catch (failure) {
      this.#aedes.close(); // its timers would keep the process alive
      throw failure;
    }
    const address = this.#server.address();
    const bound = typeof address === "object" && address !== null ? address.port : port;
    this.url = `mqtt://${host.includes(":") ? `[${host}]` : host}:${bound}`;
  }

  async publish({ topic, payload, retain = false }: OutgoingMessage): Promise<void> {
    const bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
    const packet: PublishPacket = {
      cmd: "publish",
      topic,
      payload: bytes,
      qos: 1,
      retain,
      dup: false,
    };
    await new Promise<void>((resolve, reject) => {
      this.#aedes.publish(packet, (failure) => (failure ? reject(failure) : resolve()));
    });
    this.counters.messagesSent++;
  }

  async stop(): Promise<void> {
    const closed = new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
    });
    await new Promise<void>((resolve) => this.#aedes.close(() => resolve()));
    await closed;
    if (this.#running > 0) {
      await new Promise<void>((resolve) => {
        this.#onIdle = resolve;
      });
    }
  }

  #accept(socket: Socket): void {
    socket.setNoDelay(true);
    let client: Client | null = null;
    guardSocket(socket, {
      room: () => {
        const session = client === null ? undefined : this.#sessions.get(client);
        return READINGS_IN_FLIGHT_PER_DEVICE_MAX - (session?.window.inFlight ?? 0);
      },
      onOversized: () => this.counters.packetsOversized++,
    });
    client = this.#aedes.handle(socket);
  }

  #greet(client: Client, packet: ConnectPacket): void {
    // aedes refuses a keep alive beyond its limit with code 6, which MQTT 3.1.1 does not know. A
    // server may cut a silent client whatever it asked for, so ours is the shorter patience.
    const asked = packet.keepalive ?? 0;
    packet.keepalive = asked === 0 ? KEEPALIVE_S_MAX : Math.min(asked, KEEPALIVE_S_MAX);
    this.#sessions.set(client, openSession(packet));
  }

  /** Null where the login is good. The code never says which part was wrong. */
  #refuseLogin(client: Client, username: string, password: Uint8Array): Refusal | null {
    const session = this.#sessions.get(client)!;
    if (isNameless(session)) return CONNACK.identifier_rejected;
    const principal = this.#options.credentials({ username, password });
    if (principal === null) return CONNACK.not_authorized;
    const login = { clientId: client.id, username };
    if (!maySignIn({ session, principal, login, rules: this.#rules })) {
      return CONNACK.not_authorized;
    }
    session.principal = principal;
    if (this.#clients.has(client.id)) this.counters.takeovers++;
    return null;
  }

  /** Runs before the PUBACK, and again for a will. An error cuts the connection. */
  #authorizePublish(
    client: Client | null,
    packet: PublishPacket,
    callback: (failure: Error | null) => void,
  ): void {
    // MQTT-3.3.1-3: the flag of the sender's repetition is not the receivers' business.
    packet.dup = false;
    const session = client === null ? undefined : this.#sessions.get(client);
    const principal = session?.principal ?? null;
    const { topic } = packet;
    if (session === undefined || principal === null || !this.#mayPublish(principal, packet)) {
      this.counters.publishesDenied++;
      callback(new Error("not allowed"));
      return;
    }
    if (principal.kind === "device" && isReading(principal, topic)) {
      const { region, deviceId } = principal;
      // A copy: the packet is a view of a network buffer many times its size.
      const payload = new Uint8Array(packet.payload as Uint8Array);
      this.#take(session.window, { topic, payload, region, deviceId }, callback);
      return;
    }
    callback(null);
  }

  #mayPublish(principal: Principal, { topic, retain, payload }: PublishPacket): boolean {
    if (topic.startsWith(SYSTEM_PREFIX)) return false;
    if (!this.#rules.mayPublish(principal, { topic, retain })) return false;
    // A reading too long is answered by its handler; nothing else may be.
    const isAnswered = principal.kind === "device" && isReading(principal, topic);
    return isAnswered || payload.length <= READING_BYTES_MAX;
  }

  #take(
    window: ReadingWindow,
    reading: IncomingReading,
    callback: (failure: Error | null) => void,
  ): void {
    this.#running++;
    window.admit(
      () => this.#options.onReading(reading),
      (failure) => {
        if (failure === null) this.counters.readings++;
        else this.counters.readingsFailed++;
        callback(failure === null ? null : new Error("not stored", { cause: failure }));
        if (--this.#running === 0) this.#onIdle();
      },
    );
  }

  /** Asked for each filter, and again before it is stored. */
  #grants(client: Client, filter: string): boolean {
    const session = this.#sessions.get(client);
    const principal = session?.principal ?? null;
    if (session === undefined || principal === null || filter.startsWith(SYSTEM_PREFIX))
      return false;
    if (!this.#rules.maySubscribe(principal, filter)) return false;
    const { filters } = session;
    if (filters.size >= SUBSCRIPTIONS_PER_CLIENT_MAX && !filters.has(filter)) return false;
    filters.add(filter);
    return true;
  }

  /** Also for retained and queued messages: a filter that slipped into a session reads nothing. */
  #authorizeForward(client: Client, packet: AedesPublishPacket): AedesPublishPacket | null {
    const session = this.#sessions.get(client);
    const principal = session?.principal ?? null;
    if (session === undefined || principal === null || packet.topic.startsWith(SYSTEM_PREFIX))
      return null;
    if (!this.#rules.mayReceive(principal, packet.topic)) return null;
    // A client that has stopped reading must not use up the slots of all others until the drain
    // timeout frees them.
    const isBlocked = (client.conn as Socket).writableNeedDrain;
    session.waitingForwards = isBlocked ? session.waitingForwards + 1 : 0;
    if (session.waitingForwards <= FORWARDS_WAITING_MAX) return packet;
    this.counters.messagesDropped++;
    return null;
  }

  #register(client: Client): void {
    this.#clients.set(client.id, client);
    this.counters.clients = this.#clients.size;
  }

  #unregister(client: Client): void {
    // After a takeover the id belongs to the newer connection.
    if (this.#clients.get(client.id) === client) this.#clients.delete(client.id);
    this.counters.clients = this.#clients.size;
  }
}

/** Live or backfill, under the device's own prefix. */
function isReading(device: Extract<Principal, { kind: "device" }>, topic: string): boolean {
  const leaf = ownLeaf(device, topic);
  return leaf === "r" || leaf === "b";
}
