/**
 * Method: one suite for every broker, as `services/broker/broker.ts` demands it: the embedded one,
 * and mosquitto reached as an external one (skipped, visibly, where it is not installed). Meters
 * are mqtt.js clients, as in the field. Then what only an external broker has: reconnects,
 * refusals, and redelivery of what we did not acknowledge.
 */
import { createServer } from "node:net";
import mqtt, { type MqttClient } from "mqtt";
import { afterEach, describe, expect, test, vi } from "vitest";
import type { Broker, IncomingReading, ReadingHandler } from "../../services/broker/broker.ts";
import { startEmbeddedBroker } from "../../services/broker/embedded.ts";
import { connectExternalBroker, EXTERNAL_IN_FLIGHT_MAX } from "../../services/broker/external.ts";
import { fromUtf8, toHex, utf8 } from "../../services/primitives/bytes.ts";
import { READING_BYTES_MAX } from "../../services/primitives/limits.ts";
import {
  leafTopic,
  login,
  MEMBER,
  METER,
  OTHER_METER,
  PASSWORDS,
  REGION,
  testCredentials,
} from "../support/broker-devices.ts";
import { type Mosquitto, mosquittoPath, startMosquitto } from "../support/mosquitto.ts";

const cleanup: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const undo of cleanup.splice(0).reverse()) await undo();
});

type Start = (onReading: ReadingHandler) => Promise<Broker>;

const startEmbedded: Start = async (onReading) => {
  const options = { host: "127.0.0.1", port: 0, credentials: testCredentials, onReading };
  const broker = await startEmbeddedBroker(options);
  cleanup.push(() => broker.stop());
  return broker;
};

const startExternal: Start = async (onReading) => {
  const mosquitto = await launch();
  return attach(mosquitto, onReading);
};

async function launch(): Promise<Mosquitto> {
  const mosquitto = await startMosquitto(PASSWORDS);
  cleanup.push(() => mosquitto.remove());
  return mosquitto;
}

async function attach(mosquitto: Mosquitto, onReading: ReadingHandler): Promise<Broker> {
  const broker = await connectExternalBroker({
    url: mosquitto.url,
    clientId: "gridlane-oracle-test",
    username: MEMBER,
    password: PASSWORDS[MEMBER]!,
    reconnectMs: 20,
    onReading,
  });
  cleanup.push(() => broker.stop());
  return broker;
}

async function meter(broker: Broker, deviceId = METER): Promise<MqttClient> {
  const client = await mqtt.connectAsync(broker.url, {
    ...login(deviceId),
    protocolVersion: 4,
    reconnectPeriod: 20,
  });
  client.on("error", () => {});
  cleanup.push(() => client.endAsync(true));
  return client;
}

async function until(condition: () => void): Promise<void> {
  await vi.waitFor(condition, { timeout: 10_000, interval: 5 });
}

const brokers = [
  { name: "embedded", start: startEmbedded, isAbsent: false },
  { name: "external (mosquitto)", start: startExternal, isAbsent: mosquittoPath === null },
];

for (const { name, start, isAbsent } of brokers) {
  describe.skipIf(isAbsent)(`any broker: ${name}`, () => {
    test("readings of both leaves reach the handler in order, with region and device", async () => {
      const seen: IncomingReading[] = [];
      const broker = await start(async (reading) => void seen.push(reading));
      const client = await meter(broker);
      const texts = Array.from({ length: 200 }, (_, i) => `r${i}`);
      const sent = texts.map((text) => client.publishAsync(leafTopic("r"), text, { qos: 1 }));
      sent.push(client.publishAsync(leafTopic("b"), "late", { qos: 1 }));
      await Promise.all(sent);
      await until(() => expect(broker.counters.readings).toBe(201));
      expect(seen.map(({ payload }) => fromUtf8(payload))).toEqual([...texts, "late"]);
      expect(seen[0]).toMatchObject({ topic: leafTopic("r"), region: REGION });
      expect(toHex(seen[0]!.deviceId)).toBe(METER);
      expect(Buffer.isBuffer(seen[0]!.payload)).toBe(false);
    });

    test("nothing is acknowledged before the handler resolves", async () => {
      let release!: () => void;
      const write = new Promise<void>((resolve) => {
        release = resolve;
      });
      let started = 0;
      const broker = await start(() => {
        started++;
        return write;
      });
      const client = await meter(broker);
      const sent = client.publishAsync(leafTopic("r"), "one", { qos: 1 });
      await until(() => expect(started).toBe(1));
      expect(broker.counters.readings).toBe(0);
      release();
      await sent;
      await until(() => expect(broker.counters.readings).toBe(1));
    });

    test("many writes are under way at once, and are acknowledged in order", async () => {
      const waiting: (() => void)[] = [];
      const broker = await start(
        () =>
          new Promise((resolve) => {
            waiting.push(resolve);
            // The last to come is the first to be written.
            if (waiting.length === 10) for (const done of waiting.reverse()) done();
          }),
      );
      const client = await meter(broker);
      for (let i = 0; i < 10; i++) client.publish(leafTopic("r"), `r${i}`, { qos: 1 });
      await until(() => expect(broker.counters.readings).toBe(10));
    });

    test("a reading whose handler failed comes again", async () => {
      const seen: string[] = [];
      let isBroken = true;
      const broker = await start(async ({ payload }) => {
        seen.push(fromUtf8(payload));
        if (isBroken) {
          isBroken = false;
          throw new Error("disk full");
        }
      });
      const client = await meter(broker);
      await client.publishAsync(leafTopic("r"), "precious", { qos: 1 });
      await until(() => expect(broker.counters.readings).toBe(1));
      expect(seen).toEqual(["precious", "precious"]);
      expect(broker.counters.readingsFailed).toBe(1);
    });

    test("garbage, nothing, and too much reach the handler like any reading", async () => {
      const sizes: number[] = [];
      const broker = await start(async ({ payload }) => void sizes.push(payload.length));
      const client = await meter(broker);
      for (const size of [1, READING_BYTES_MAX, READING_BYTES_MAX + 1]) {
        await client.publishAsync(leafTopic("r"), Buffer.alloc(size, 0xff), { qos: 1 });
      }
      await until(() => expect(sizes).toEqual([1, READING_BYTES_MAX, READING_BYTES_MAX + 1]));
    });

    test("receipts reach their device with QoS 1, and no other", async () => {
      const broker = await start(async () => {});
      const [mine, other] = [await meter(broker), await meter(broker, OTHER_METER)];
      const heard: string[] = [];
      mine.on("message", (topic, payload, { qos }) => heard.push(`${topic} ${payload} ${qos}`));
      other.on("message", () => heard.push("leaked"));
      await mine.subscribeAsync(leafTopic("ack"), { qos: 1 });
      await other.subscribeAsync(leafTopic("ack", OTHER_METER), { qos: 1 });
      await broker.publish({ topic: leafTopic("ack"), payload: utf8("taken") });
      await until(() => expect(heard).toEqual([`${leafTopic("ack")} taken 1`]));
      expect(broker.counters.messagesSent).toBe(1);
    });

    test("a device's reading under another's name does not reach the handler", async () => {
      const seen: string[] = [];
      const broker = await start(async ({ payload }) => void seen.push(fromUtf8(payload)));
      const [client, honest] = [await meter(broker), await meter(broker, OTHER_METER)];
      client.options.reconnectPeriod = 0;
      client.publish(leafTopic("r", OTHER_METER), "forged", { qos: 1 });
      await honest.publishAsync(leafTopic("r", OTHER_METER), "own", { qos: 1 });
      await until(() => expect(seen).toContain("own"));
      expect(seen).toEqual(["own"]);
    });

    test("stop waits for the handler, and nothing is handled after it", async () => {
      let release!: () => void;
      let started = 0;
      const broker = await start(() => {
        started++;
        return new Promise<void>((resolve) => {
          release = resolve;
        });
      });
      const client = await meter(broker);
      client.publish(leafTopic("r"), "one", { qos: 1 });
      await until(() => expect(started).toBe(1));
      let isStopped = false;
      const stopping = broker.stop().then(() => {
        isStopped = true;
      });
      await new Promise((resolve) => setImmediate(resolve));
      expect(isStopped).toBe(false);
      release();
      await stopping;
      client.publish(leafTopic("r"), "late", { qos: 1 });
      await new Promise((resolve) => setImmediate(resolve));
      expect(started).toBe(1);
    });
  });
}

describe.skipIf(mosquittoPath === null)("an external broker", () => {
  test("that restarts is found again, with what its session holds", async () => {
    const mosquitto = await launch();
    const seen: string[] = [];
    const broker = await attach(mosquitto, async ({ payload }) => {
      seen.push(fromUtf8(payload));
    });
    const client = await meter(broker);
    await client.publishAsync(leafTopic("r"), "before", { qos: 1 });
    await until(() => expect(seen).toEqual(["before"]));
    await mosquitto.kill();
    await until(() => expect(broker.counters).toMatchObject({ clients: 0 }));
    await expect(
      broker.publish({ topic: leafTopic("ack"), payload: utf8("x") }),
    ).rejects.toMatchObject({ code: "broker_unreachable", facts: { url: broker.url } });
    await mosquitto.start();
    await client.publishAsync(leafTopic("r"), "after", { qos: 1 });
    await until(() => expect(seen).toEqual(["before", "after"]));
    await until(() => expect(broker.counters).toMatchObject({ clients: 1 }));
    await broker.publish({ topic: leafTopic("ack"), payload: utf8("x") });
    expect(broker.counters.connectionsFailed).toBeGreaterThan(0);
  });

  test("keeps for us what was published while this process was away", async () => {
    const mosquitto = await launch();
    const first = await attach(mosquitto, async () => {});
    await first.stop();
    const client = await meter(first);
    await client.publishAsync(leafTopic("r"), "while away", { qos: 1 });
    const seen: string[] = [];
    await attach(mosquitto, async ({ payload }) => void seen.push(fromUtf8(payload)));
    await until(() => expect(seen).toEqual(["while away"]));
  });

  test("is not asked for more than the window while the store hangs", async () => {
    let release!: () => void;
    const write = new Promise<void>((resolve) => {
      release = resolve;
    });
    let started = 0;
    const broker = await attach(await launch(), () => {
      started++;
      return write;
    });
    const client = await meter(broker);
    const all = Array.from({ length: 50 }, (_, i) =>
      client.publishAsync(leafTopic("r"), `${i}`, { qos: 1 }),
    );
    await Promise.all(all); // mosquitto took them all, and hands us 20 at a time
    await until(() => expect(started).toBeGreaterThanOrEqual(20));
    expect(started).toBeLessThanOrEqual(EXTERNAL_IN_FLIGHT_MAX);
    release();
    await until(() => expect(broker.counters.readings).toBe(50));
  });

  test("that refuses the login is named as such", async () => {
    const mosquitto = await launch();
    const connecting = connectExternalBroker({
      url: mosquitto.url,
      username: MEMBER,
      password: "wrong",
      onReading: async () => {},
    });
    await expect(connecting).rejects.toMatchObject({
      code: "broker_unreachable",
      facts: { url: mosquitto.url },
      message: expect.stringContaining("refuses the login"),
    });
  });
});

test("an external broker that is not there is named, with a way out", async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  const url = `mqtt://127.0.0.1:${port}`;
  await expect(connectExternalBroker({ url, onReading: async () => {} })).rejects.toMatchObject({
    code: "broker_unreachable",
    facts: { url },
    message: expect.stringMatching(/does not answer: check the address/),
  });
});

test("an external broker that denies the readings is named with the filter", async () => {
  // The embedded broker stands in for one whose rules are too tight: a device may not read others.
  const broker = await startEmbedded(async () => {});
  const connecting = connectExternalBroker({
    url: broker.url,
    ...login(METER),
    onReading: async () => {},
  });
  await expect(connecting).rejects.toMatchObject({
    code: "permission_denied",
    facts: { path: "gridlane/v1/+/m/+/r" },
  });
});
