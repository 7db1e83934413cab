/**
 * Method: a bare MQTT client on bytes against the embedded broker. First the contract (durable
 * before acknowledged, in order, bounded), then one regression test for each trap of aedes that
 * the broker closes. Nothing sleeps: a PINGREQ is the barrier behind which an absence is proved.
 */
import { once } from "node:events";
import { createServer } from "node:net";
import mqtt from "mqtt";
import { afterEach, describe, expect, test } from "vitest";
import type { Broker, IncomingReading } from "../../../services/broker/broker.ts";
import {
  type EmbeddedBrokerOptions,
  startEmbeddedBroker,
} from "../../../services/broker/embedded.ts";
import { fromUtf8, toHex, utf8 } from "../../../services/primitives/bytes.ts";
import {
  KEEPALIVE_S_MAX,
  MQTT_PACKET_BYTES_MAX,
  READING_BYTES_MAX,
  READINGS_IN_FLIGHT_PER_DEVICE_MAX,
  SESSION_QUEUE_MAX,
  SUBSCRIPTIONS_PER_CLIENT_MAX,
} from "../../../services/primitives/limits.ts";
import {
  leafTopic,
  login,
  MEMBER,
  METER,
  OTHER_METER,
  REGION,
  testCredentials,
} from "../../support/broker-devices.ts";
import {
  acknowledgement,
  barePacket,
  type ConnectFields,
  connectPacket,
  PACKET,
  packetId,
  publishPacket,
  remainingLength,
  subscribePacket,
  WireClient,
} from "../../support/mqtt-wire.ts";

const cleanup: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const undo of cleanup.splice(0).reverse()) await undo();
});

async function start(options: Partial<EmbeddedBrokerOptions> = {}): Promise<Broker> {
  const broker = await startEmbeddedBroker({
    host: "127.0.0.1",
    port: 0,
    credentials: testCredentials,
    onReading: async () => {},
    ...options,
  });
  cleanup.push(() => broker.stop());
  return broker;
}

function open(broker: Broker): WireClient {
  const client = new WireClient(broker.url);
  cleanup.push(() => void client.socket.destroy());
  return client;
}

async function connected(
  broker: Broker,
  name: string,
  fields: Partial<ConnectFields> = {},
): Promise<WireClient> {
  const client = open(broker);
  expect(await client.connect({ ...login(name), ...fields })).toMatchObject({ code: 0 });
  return client;
}

/** A promise to settle by hand. */
function latch() {
  let release!: () => void;
  let fail!: (failure: Error) => void;
  const promise = new Promise<void>((resolve, reject) => {
    release = resolve;
    fail = reject;
  });
  return { promise, release, fail };
}

const reading = (payload: string | Uint8Array, id = 1) =>
  publishPacket({ topic: leafTopic("r"), payload, id });

describe("readings", () => {
  test("reach the handler with region and device of the topic, on both leaves", async () => {
    const seen: IncomingReading[] = [];
    const broker = await start({ onReading: async (incoming) => void seen.push(incoming) });
    const meter = await connected(broker, METER);
    meter.send(reading("live"), publishPacket({ topic: leafTopic("b"), payload: "late", id: 2 }));
    await meter.next(PACKET.puback);
    await meter.next(PACKET.puback);
    expect(seen.map((one) => [one.topic, fromUtf8(one.payload), one.region])).toEqual([
      [leafTopic("r"), "live", REGION],
      [leafTopic("b"), "late", REGION],
    ]);
    expect(seen.map((one) => toHex(one.deviceId))).toEqual([METER, METER]);
    expect(broker.counters).toMatchObject({ readings: 2, clients: 1 });
  });

  test("are acknowledged only after the handler resolved", async () => {
    const write = latch();
    const broker = await start({ onReading: () => write.promise });
    const meter = await connected(broker, METER);
    meter.send(reading("one", 7));
    // The PINGRESP overtakes it: the PUBACK is held by nothing but the write.
    expect(await meter.ping()).toBe(true);
    expect(meter.waiting).toEqual([]);
    write.release();
    expect(packetId((await meter.next(PACKET.puback))!)).toBe(7);
  });

  test("are acknowledged in arrival order, whatever order the writes end in", async () => {
    const writes = [latch(), latch(), latch()];
    const allStarted = latch();
    let started = 0;
    const broker = await start({
      onReading: () => {
        if (started === 2) allStarted.release();
        return writes[started++]!.promise;
      },
    });
    const [meter, other] = [await connected(broker, METER), await connected(broker, OTHER_METER)];
    meter.send(reading("a", 1), reading("b", 2), reading("c", 3));
    await allStarted.promise;
    writes[2]!.release();
    writes[1]!.release();
    await other.ping();
    await other.ping();
    expect(meter.waiting).toEqual([]);
    writes[0]!.release();
    const ids = [];
    for (let i = 0; i < 3; i++) ids.push(packetId((await meter.next(PACKET.puback))!));
    expect(ids).toEqual([1, 2, 3]);
  });

  test("whose store failed are not acknowledged, nor those behind them", async () => {
    const writes = [latch(), latch()];
    let started = 0;
    const broker = await start({
      onReading: () => {
        // The later one succeeds first, the earlier one fails then.
        if (started === 1) queueMicrotask(() => writes[0]!.fail(new Error("disk full")));
        if (started === 1) writes[1]!.release();
        return writes[started++]!.promise;
      },
    });
    const meter = await connected(broker, METER);
    meter.send(reading("a", 1), reading("b", 2));
    expect(await meter.next(PACKET.puback)).toBeNull();
    expect(broker.counters).toMatchObject({ readings: 0, readingsFailed: 2 });
  });

  test("that are garbage or too long reach the handler and are acknowledged", async () => {
    const lengths: number[] = [];
    const broker = await start({
      onReading: async ({ payload }) => void lengths.push(payload.length),
    });
    const meter = await connected(broker, METER);
    const sizes = [0, 1, READING_BYTES_MAX, READING_BYTES_MAX + 1, 60_000];
    for (const [i, size] of sizes.entries()) {
      meter.send(reading(new Uint8Array(size).fill(0xff), i + 1));
      expect(packetId((await meter.next(PACKET.puback))!)).toBe(i + 1);
    }
    expect(lengths).toEqual(sizes);
  });

  test("of QoS 0 and QoS 2 are taken too", async () => {
    const seen: string[] = [];
    const broker = await start({
      onReading: async ({ payload }) => void seen.push(fromUtf8(payload)),
    });
    const meter = await connected(broker, METER);
    meter.send(publishPacket({ topic: leafTopic("r"), payload: "zero", qos: 0 }));
    meter.send(publishPacket({ topic: leafTopic("r"), payload: "two", qos: 2, id: 9 }));
    expect(packetId((await meter.next(PACKET.pubrec))!)).toBe(9);
    meter.send(acknowledgement(PACKET.pubrel, 9));
    expect(packetId((await meter.next(PACKET.pubcomp))!)).toBe(9);
    expect(seen).toEqual(["zero", "two"]);
  });

  test("go on while other clients wait for their writes", async () => {
    const slow = latch();
    const broker = await start({
      onReading: ({ deviceId }) => (toHex(deviceId) === METER ? slow.promise : Promise.resolve()),
    });
    const [meter, other] = [await connected(broker, METER), await connected(broker, OTHER_METER)];
    meter.send(reading("held"));
    await meter.ping();
    other.send(publishPacket({ topic: leafTopic("r", OTHER_METER), payload: "quick" }));
    expect(await other.next(PACKET.puback)).not.toBeNull();
    slow.release();
    expect(await meter.next(PACKET.puback)).not.toBeNull();
  });
});

describe("limits", () => {
  test("500 readings in one write start no more than the window, and all are taken", async () => {
    let running = 0;
    let most = 0;
    const broker = await start({
      onReading: async () => {
        most = Math.max(most, ++running);
        await new Promise((resolve) => setImmediate(resolve));
        running--;
      },
    });
    const meter = await connected(broker, METER);
    meter.send(...Array.from({ length: 500 }, (_, i) => reading(`r${i}`, i + 1)));
    for (let i = 1; i <= 500; i++) {
      expect(packetId((await meter.next(PACKET.puback))!)).toBe(i);
    }
    expect(most).toBe(READINGS_IN_FLIGHT_PER_DEVICE_MAX);
    expect(broker.counters.readings).toBe(500);
  });

  test("the window holds back also while nothing completes, and later arrivals wait", async () => {
    const write = latch();
    let started = 0;
    const broker = await start({
      onReading: () => {
        started++;
        return write.promise;
      },
    });
    const meter = await connected(broker, METER);
    const all = Array.from({ length: 50 }, (_, i) => reading(`r${i}`, i + 1));
    meter.send(...all.slice(0, 30));
    const other = await connected(broker, OTHER_METER);
    await other.ping();
    meter.send(...all.slice(30));
    await other.ping();
    await other.ping();
    expect(started).toBe(READINGS_IN_FLIGHT_PER_DEVICE_MAX);
    write.release();
    for (let i = 1; i <= 50; i++) await meter.next(PACKET.puback);
    expect(started).toBe(50);
  });

  test("a packet is cut off by its announced length, before CONNECT too", async () => {
    const broker = await start();
    for (const name of [METER, null]) {
      const client = name === null ? open(broker) : await connected(broker, name);
      client.send(Uint8Array.of(0x32), remainingLength(MQTT_PACKET_BYTES_MAX));
      await client.closed();
    }
    expect(broker.counters.packetsOversized).toBe(2);
    const meter = await connected(broker, METER);
    meter.send(Uint8Array.of(0x32, 0xff, 0xff, 0xff, 0xff, 0x7f)); // no length at all
    await meter.closed();
  });

  test("a packet of exactly the limit passes", async () => {
    const broker = await start();
    const meter = await connected(broker, METER);
    const overhead = reading("", 1).length + 2; // two more digits of length
    meter.send(reading(new Uint8Array(MQTT_PACKET_BYTES_MAX - overhead), 1));
    expect(await meter.next(PACKET.puback)).not.toBeNull();
  });

  test("filters beyond the limit are denied", async () => {
    const broker = await start();
    const member = await connected(broker, MEMBER);
    const filters = Array.from({ length: SUBSCRIPTIONS_PER_CLIENT_MAX + 1 }, (_, i) => [
      `gridlane/v1/r${i}/pub/x`,
      1,
    ]);
    const granted = await member.subscribe(Object.fromEntries(filters));
    expect(granted!.filter((qos) => qos === 1)).toHaveLength(SUBSCRIPTIONS_PER_CLIENT_MAX);
    expect(granted!.at(-1)).toBe(128);
  });

  test("a queue for a client that is away is bounded", async () => {
    const broker = await start();
    const first = await connected(broker, METER, { clean: false });
    await first.subscribe({ [leafTopic("ack")]: 1 });
    await first.disconnect();
    const count = SESSION_QUEUE_MAX + 5;
    for (let i = 0; i < count; i++) {
      await broker.publish({ topic: leafTopic("ack"), payload: utf8(`${i}`) });
    }
    expect(broker.counters.messagesDropped).toBe(5);
    const again = await connected(broker, METER, { clean: false });
    for (let i = 0; i < SESSION_QUEUE_MAX; i++) {
      const message = (await again.message())!;
      expect(message.payload).toBe(`${i}`);
      again.send(acknowledgement(PACKET.puback, message.id));
    }
    await again.ping();
    // What was acknowledged made room again.
    await broker.publish({ topic: leafTopic("ack"), payload: utf8("fresh") });
    expect((await again.message())!.payload).toBe("fresh");
    expect(broker.counters.messagesDropped).toBe(5);
  });
});

describe("logins", () => {
  test.each([
    { name: "wrong password", fields: { ...login(METER), password: "wrong" } },
    { name: "unknown user", fields: { ...login(METER), username: "ff".repeat(16) } },
    { name: "client id of another", fields: { ...login(METER), clientId: OTHER_METER } },
    { name: "device without client id", fields: { ...login(METER), clientId: "" } },
    { name: "no user name", fields: { clientId: METER } },
    { name: "no password", fields: { clientId: METER, username: METER } },
    { name: "__proto__", fields: { clientId: "__proto__", username: "__proto__", password: "x" } },
    {
      name: "will on a topic of another",
      fields: { ...login(METER), will: { topic: leafTopic("state", OTHER_METER), payload: "x" } },
    },
    {
      name: "retained will on readings",
      fields: { ...login(METER), will: { topic: leafTopic("r"), payload: "x", retain: true } },
    },
  ])("$name: one answer for all, 5", async ({ fields }) => {
    const broker = await start();
    const client = open(broker);
    expect(await client.connect(fields)).toMatchObject({ code: 5 });
    await client.closed();
    expect(broker.counters).toMatchObject({ loginsRefused: 1, clients: 0 });
  });

  test("an empty client id with a session is refused with 2, without one it may pass", async () => {
    const broker = await start();
    const { username, password } = login(MEMBER);
    const kept = open(broker);
    expect(await kept.connect({ clientId: "", clean: false, username, password })).toEqual({
      code: 2,
      sessionPresent: false,
    });
    const passing = open(broker);
    expect(await passing.connect({ clientId: "", username, password })).toMatchObject({ code: 0 });
  });

  test("packets right behind a refused CONNECT do nothing", async () => {
    let readings = 0;
    const broker = await start({
      onReading: async () => {
        readings++;
      },
    });
    const client = open(broker);
    client.send(connectPacket({ ...login(METER), password: "wrong" }), reading("smuggled"));
    await client.closed();
    expect(readings).toBe(0);
  });

  test("a second connection takes the id over, ends the first, and is counted", async () => {
    const broker = await start();
    const first = await connected(broker, METER);
    const second = await connected(broker, METER);
    await first.closed();
    expect(await second.ping()).toBe(true);
    expect(broker.counters).toMatchObject({ takeovers: 1, clients: 1 });
  });
});

describe("access rules", () => {
  test.each([
    { name: "readings of another", packet: { topic: leafTopic("r", OTHER_METER) } },
    { name: "own readings in another region", packet: { topic: `gridlane/v1/elm/m/${METER}/r` } },
    { name: "its own receipts", packet: { topic: leafTopic("ack") } },
    { name: "a retained reading", packet: { topic: leafTopic("r"), retain: true } },
    { name: "$SYS", packet: { topic: "$SYS/broker/x" } },
    { name: "a topic of no device", packet: { topic: "anything" } },
    {
      name: "state beyond the size",
      packet: { topic: leafTopic("state"), payload: "x".repeat(4097) },
    },
    { name: "sixteen levels and more", packet: { topic: "a/".repeat(40) } },
  ])("a device that publishes $name is cut off", async ({ packet }) => {
    const broker = await start();
    const meter = await connected(broker, METER);
    meter.send(publishPacket({ payload: "x", ...packet }));
    expect(await meter.next(PACKET.puback)).toBeNull();
  });

  test("a device hears its receipts and nothing else, wildcards included", async () => {
    const broker = await start();
    const meter = await connected(broker, METER);
    const granted = await meter.subscribe({
      [leafTopic("ack")]: 1,
      [leafTopic("ack", OTHER_METER)]: 1,
      [leafTopic("r")]: 1,
      "gridlane/v1/oak/m/+/ack": 1,
      "#": 1,
      "+/+/+/+/+/+": 1,
      "$SYS/#": 1,
    });
    expect(granted).toEqual([1, 128, 128, 128, 128, 128, 128]);
    expect(broker.counters.subscriptionsDenied).toBe(6);
    await broker.publish({ topic: leafTopic("ack", OTHER_METER), payload: utf8("not yours") });
    await broker.publish({ topic: leafTopic("ack"), payload: utf8("yours") });
    expect(await meter.message()).toMatchObject({ payload: "yours", qos: 1, retain: false });
  });

  test("state is retained, and a will replaces it when the meter drops", async () => {
    const broker = await start();
    const member = await connected(broker, MEMBER);
    const will = { topic: leafTopic("state"), payload: "offline", qos: 1, retain: true };
    const meter = await connected(broker, METER, { will });
    meter.send(publishPacket({ topic: leafTopic("state"), payload: "online", retain: true }));
    await meter.next(PACKET.puback);
    await member.subscribe({ "gridlane/v1/+/m/+/state": 1 });
    expect(await member.message()).toMatchObject({ payload: "online", retain: true });
    await meter.drop();
    expect(await member.message()).toMatchObject({ payload: "offline" });
  });

  test("a committee member reads all readings and answers devices", async () => {
    const broker = await start();
    const [meter, member] = [await connected(broker, METER), await connected(broker, MEMBER)];
    await meter.subscribe({ [leafTopic("ack")]: 1 });
    expect(await member.subscribe({ "gridlane/v1/+/m/+/r": 1, "$SYS/#": 0 })).toEqual([1, 128]);
    meter.send(reading("hello"));
    expect(await member.message()).toMatchObject({ topic: leafTopic("r"), payload: "hello" });
    member.send(publishPacket({ topic: leafTopic("ack"), payload: "receipt" }));
    expect(await meter.message()).toMatchObject({ payload: "receipt" });
    member.send(publishPacket({ topic: leafTopic("ack"), payload: "x", retain: true }));
    await member.closed();
  });
});

describe("traps of aedes", () => {
  test("a filter that was denied beside an allowed one is not stored in the session", async () => {
    // Nothing is held back on delivery here: only a filter that is not stored stays silent.
    const rules = {
      mayPublish: () => true,
      maySubscribe: (_: unknown, filter: string) => filter === leafTopic("ack"),
      mayReceive: () => true,
    };
    const broker = await start({ rules });
    const first = await connected(broker, METER, { clean: false });
    const filters = { [leafTopic("ack")]: 1, [leafTopic("ack", OTHER_METER)]: 1 };
    expect(await first.subscribe(filters)).toEqual([1, 128]);
    await first.disconnect();
    await broker.publish({ topic: leafTopic("ack", OTHER_METER), payload: utf8("leaked") });
    await broker.publish({ topic: leafTopic("ack"), payload: utf8("mine") });
    const again = open(broker);
    expect(await again.connect({ ...login(METER), clean: false })).toEqual({
      code: 0,
      sessionPresent: true,
    });
    expect(await again.message()).toMatchObject({ payload: "mine" });
    await broker.publish({ topic: leafTopic("ack", OTHER_METER), payload: utf8("leaked") });
    await again.ping();
    expect(again.waiting).toEqual([]);
  });

  test("a session with only denied filters connects again, and holds none", async () => {
    const broker = await start();
    const first = await connected(broker, METER, { clean: false });
    expect(await first.subscribe({ "#": 1 })).toEqual([128]);
    await first.disconnect();
    const again = open(broker);
    expect(await again.connect({ ...login(METER), clean: false })).toEqual({
      code: 0,
      sessionPresent: false,
    });
  });

  test("rules that tighten between two connections bind the stored session", async () => {
    let mayReceive = true;
    const broker = await start({
      rules: {
        mayPublish: () => true,
        maySubscribe: () => true,
        mayReceive: () => mayReceive,
      },
    });
    const first = await connected(broker, METER, { clean: false });
    await first.subscribe({ [leafTopic("ack")]: 1 });
    await first.disconnect();
    await broker.publish({ topic: leafTopic("ack"), payload: utf8("queued") });
    mayReceive = false;
    const again = await connected(broker, METER, { clean: false });
    await broker.publish({ topic: leafTopic("ack"), payload: utf8("live") });
    await again.ping();
    expect(again.waiting).toEqual([]);
  });

  test("the DUP flag of a sender does not reach subscribers (MQTT-3.3.1-3)", async () => {
    const broker = await start();
    const [meter, member] = [await connected(broker, METER), await connected(broker, MEMBER)];
    await member.subscribe({ "gridlane/v1/+/m/+/r": 1 });
    meter.send(publishPacket({ topic: leafTopic("r"), payload: "again", dup: true }));
    expect(await member.message()).toMatchObject({ payload: "again", dup: false });
  });

  test("a TCP connection without CONNECT is cut", async () => {
    const broker = await start({ connectTimeoutMs: 50 });
    const silent = open(broker);
    await silent.closed();
  });

  test("a keep alive of 0 or beyond the limit is served, a short one is enforced", async () => {
    const broker = await start();
    for (const keepaliveS of [0, KEEPALIVE_S_MAX + 1, 65_535]) {
      const client = await connected(broker, MEMBER, { keepaliveS });
      await client.disconnect();
    }
    const meter = await connected(broker, METER, { keepaliveS: 1 });
    await meter.closed(); // after 1.5 s
  });

  test("a subscriber that stops reading holds nobody up and is cut off", async () => {
    const broker = await start({ drainTimeoutMs: 1000 });
    const frozen = await connected(broker, MEMBER);
    await frozen.subscribe({ "gridlane/v1/oak/pub/#": 1 });
    frozen.socket.pause();
    const meter = await connected(broker, METER);
    await meter.subscribe({ [leafTopic("ack")]: 1 });
    const payload = new Uint8Array(50_000);
    const flood = [];
    for (let i = 0; i < 400; i++) {
      flood.push(broker.publish({ topic: "gridlane/v1/oak/pub/x", payload }));
      await new Promise((resolve) => setImmediate(resolve)); // aedes writes in a turn of its own
    }
    // 20 MB for the frozen one are under way; a receipt and a reading pass all the same.
    await broker.publish({ topic: leafTopic("ack"), payload: utf8("receipt") });
    expect(await meter.message()).toMatchObject({ payload: "receipt" });
    meter.send(reading("still served"));
    expect(await meter.next(PACKET.puback)).not.toBeNull();
    await Promise.all(flood);
    expect(broker.counters.messagesDropped).toBeGreaterThan(0);
    frozen.socket.resume();
    await frozen.closed();
    expect(broker.counters.clients).toBe(1);
  });

  test("QoS 2: a clean session frees its identifiers (GHSA-p8r9-qf8w-p73r)", async () => {
    const seen: string[] = [];
    const broker = await start({
      onReading: async ({ payload }) => void seen.push(fromUtf8(payload)),
    });
    const half = await connected(broker, METER, { clean: false });
    half.send(publishPacket({ topic: leafTopic("r"), payload: "first", qos: 2, id: 5 }));
    await half.next(PACKET.pubrec);
    await half.drop();
    const clean = await connected(broker, METER, { clean: true });
    const member = await connected(broker, MEMBER);
    await member.subscribe({ "gridlane/v1/+/m/+/r": 1 });
    clean.send(publishPacket({ topic: leafTopic("r"), payload: "second", qos: 2, id: 5 }));
    await clean.next(PACKET.pubrec);
    expect(await member.message()).toMatchObject({ payload: "second" });
    expect(seen).toEqual(["first", "second"]);
  });

  test("QoS 2: half-open handshakes are bounded (GHSA-5jvp-3p2v-5qgf)", async () => {
    const broker = await start();
    const meter = await connected(broker, METER);
    for (let id = 1; id <= READINGS_IN_FLIGHT_PER_DEVICE_MAX; id++) {
      meter.send(publishPacket({ topic: leafTopic("r"), payload: "x", qos: 2, id }));
      expect(await meter.next(PACKET.pubrec)).not.toBeNull();
    }
    meter.send(publishPacket({ topic: leafTopic("r"), payload: "x", qos: 2, id: 999 }));
    expect(await meter.next(PACKET.pubrec)).toBeNull();
  });

  test("deep topics do not crash the matcher", async () => {
    const broker = await start();
    const member = await connected(broker, MEMBER);
    member.send(subscribePacket({ [`gridlane/v1/${"x/".repeat(200)}`]: 1 }));
    await member.closed();
    const meter = await connected(broker, METER);
    expect(await meter.ping()).toBe(true);
  });
});

describe("start and stop", () => {
  test("a port in use is named, with a way out", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    cleanup.push(() => void server.close());
    const { port } = server.address() as { port: number };
    await expect(start({ port })).rejects.toMatchObject({
      code: "port_in_use",
      facts: { host: "127.0.0.1", port },
      message: expect.stringMatching(/choose another port/),
    });
  });

  test("a host that is not ours is named", async () => {
    await expect(start({ host: "192.0.2.1" })).rejects.toMatchObject({ code: "argument_invalid" });
  });

  test("stop waits for the writes under way and ends every connection", async () => {
    const write = latch();
    const broker = await startEmbeddedBroker({
      host: "127.0.0.1",
      port: 0,
      credentials: testCredentials,
      onReading: () => write.promise,
    });
    const meter = await connected(broker, METER);
    meter.send(reading("last"));
    await meter.ping();
    let isStopped = false;
    const stopping = broker.stop().then(() => {
      isStopped = true;
    });
    await meter.closed();
    expect(isStopped).toBe(false);
    write.release();
    await stopping;
    const late = new WireClient(broker.url);
    await late.closed();
  });

  test("mqtt.js, as the meters use it, gets through end to end", async () => {
    const broker: Broker = await start({
      onReading: async ({ payload }) => broker.publish({ topic: leafTopic("ack"), payload }),
    });
    const client = await mqtt.connectAsync(broker.url, {
      ...login(METER),
      protocolVersion: 4,
      reconnectPeriod: 0,
    });
    cleanup.push(() => client.endAsync(true));
    const receipts: string[] = [];
    client.on("message", (_, payload) => receipts.push(payload.toString()));
    await client.subscribeAsync(leafTopic("ack"), { qos: 1 });
    const all = Array.from({ length: 100 }, (_, i) => `r${i}`);
    await Promise.all(all.map((text) => client.publishAsync(leafTopic("r"), text, { qos: 1 })));
    expect(broker.counters).toMatchObject({ readings: 100, messagesSent: 100 });
    expect([...receipts].sort()).toEqual([...all].sort());
  });

  test("packets sent together with CONNECT are served once it is accepted", async () => {
    const broker = await start();
    const meter = open(broker);
    meter.send(connectPacket(login(METER)), reading("early"), barePacket(PACKET.pingreq));
    expect(await meter.next(PACKET.puback)).not.toBeNull();
    expect(await meter.next(PACKET.pingresp)).not.toBeNull();
  });
});
