/**
 * Method: the ten MQTT 3.1.1 cases of the Eclipse Paho interoperability suite, written anew on a
 * bare client and named as there, with open rules and under gridlane's own. Where the recorded
 * results of that suite are at hand, the names must be its names, and whatever plain aedes passes
 * must pass here. An absence is proved by the message behind it, not by waiting.
 */
import { existsSync, readFileSync } from "node:fs";
import { afterEach, describe, expect, test } from "vitest";
import { type AccessRules, gridlaneRules } from "../../services/broker/access-rules.ts";
import type { Broker } from "../../services/broker/broker.ts";
import { startEmbeddedBroker } from "../../services/broker/embedded.ts";
import { utf8 } from "../../services/primitives/bytes.ts";
import {
  acknowledgement,
  type ConnectFields,
  type Message,
  PACKET,
  type PublishFields,
  packet,
  packetId,
  publishPacket,
  unsubscribePacket,
  WireClient,
} from "../support/mqtt-wire.ts";

const DENIED = "test/nosubscribe";
const openRules: AccessRules = {
  mayPublish: () => true,
  maySubscribe: (_, filter) => filter !== DENIED,
  mayReceive: () => true,
};

type Setting = {
  readonly name: string;
  readonly rules: AccessRules;
  readonly prefix: string; // before every topic of the suite
};
const settings: Setting[] = [
  { name: "open rules", rules: openRules, prefix: "" },
  { name: "gridlane's rules", rules: gridlaneRules, prefix: "gridlane/v1/oak/pub/" },
];

const cleanup: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const undo of cleanup.splice(0).reverse()) await undo();
});

async function start({ rules }: Setting): Promise<Broker> {
  const broker = await startEmbeddedBroker({
    host: "127.0.0.1",
    port: 0,
    credentials: () => ({ kind: "member", memberId: "suite" }),
    rules,
    onReading: async () => {},
  });
  cleanup.push(() => broker.stop());
  return broker;
}

function open(broker: Broker): WireClient {
  const client = new WireClient(broker.url);
  cleanup.push(() => void client.socket.destroy());
  return client;
}

async function connected(broker: Broker, fields: ConnectFields): Promise<WireClient> {
  const client = open(broker);
  expect(await client.connect(fields)).toMatchObject({ code: 0 });
  return client;
}

/** Publishes and completes the handshake of the quality of service. */
async function publish(client: WireClient, fields: PublishFields): Promise<void> {
  const { qos = 1, id = 1 } = fields;
  client.send(publishPacket(fields));
  if (qos === 1) expect(packetId((await client.next(PACKET.puback))!)).toBe(id);
  if (qos !== 2) return;
  expect(packetId((await client.next(PACKET.pubrec))!)).toBe(id);
  client.send(acknowledgement(PACKET.pubrel, id));
  expect(packetId((await client.next(PACKET.pubcomp))!)).toBe(id);
}

/** The next message, acknowledged as its quality of service demands. */
async function receive(client: WireClient): Promise<Message> {
  const message = (await client.message())!;
  if (message.qos === 1) client.send(acknowledgement(PACKET.puback, message.id));
  if (message.qos === 2) {
    client.send(acknowledgement(PACKET.pubrec, message.id));
    expect(packetId((await client.next(PACKET.pubrel))!)).toBe(message.id);
    client.send(acknowledgement(PACKET.pubcomp, message.id));
  }
  return message;
}

async function receiveAll(client: WireClient, count: number): Promise<Message[]> {
  const messages = [];
  for (let i = 0; i < count; i++) messages.push(await receive(client));
  return messages.sort((a, b) => (a.payload < b.payload ? -1 : 1));
}

const cases: Record<string, (setting: Setting) => Promise<void>> = {
  testBasic: async (setting) => {
    const broker = await start(setting);
    const topic = `${setting.prefix}TopicA`;
    await (await connected(broker, { clientId: "a" })).disconnect();
    const client = await connected(broker, { clientId: "a" });
    expect(await client.subscribe({ [topic]: 2 })).toEqual([2]);
    for (const qos of [0, 1, 2]) await publish(client, { topic, payload: `qos ${qos}`, qos });
    expect((await receiveAll(client, 3)).map(({ payload, qos }) => [payload, qos])).toEqual([
      ["qos 0", 0],
      ["qos 1", 1],
      ["qos 2", 2],
    ]);
    await client.disconnect();
    const wrong = open(broker); // protocol name "hj", MQTT-3.1.2-1
    wrong.send(packet(PACKET.connect, 0, [Uint8Array.of(0, 2), utf8("hj"), new Uint8Array(8)]));
    expect(await wrong.next(PACKET.connack)).toBeNull();
  },

  test_retained_messages: async (setting) => {
    const broker = await start(setting);
    const topics = ["TopicA/B", "Topic/C", "TopicA/C"].map((one) => setting.prefix + one);
    const client = await connected(broker, { clientId: "a" });
    for (const [qos, topic] of topics.entries()) {
      await publish(client, { topic, payload: `qos ${qos}`, qos, retain: true });
    }
    expect(await client.subscribe({ [`${setting.prefix}+/+`]: 2 })).toEqual([2]);
    const kept = await receiveAll(client, 3);
    expect(kept.map(({ payload, retain }) => [payload, retain])).toEqual([
      ["qos 0", true],
      ["qos 1", true],
      ["qos 2", true],
    ]);
    for (const [qos, topic] of topics.entries()) {
      await publish(client, { topic, payload: "", qos, retain: true });
    }
    await receiveAll(client, 3); // the clearing messages themselves
    const later = await connected(broker, { clientId: "b" });
    await later.subscribe({ [`${setting.prefix}+/+`]: 2 });
    await publish(client, { topic: topics[0]!, payload: "fresh" });
    expect(await receive(later)).toMatchObject({ payload: "fresh", retain: false });
  },

  test_offline_message_queueing: async (setting) => {
    const broker = await start(setting);
    const topics = ["TopicA/B", "Topic/C", "TopicA/C"].map((one) => setting.prefix + one);
    const away = await connected(broker, { clientId: "away", clean: false });
    await away.subscribe({ [`${setting.prefix}+/+`]: 2 });
    await away.disconnect();
    const sender = await connected(broker, { clientId: "sender" });
    for (const [qos, topic] of topics.entries()) {
      await publish(sender, { topic, payload: `qos ${qos}`, qos });
    }
    const back = open(broker);
    expect(await back.connect({ clientId: "away", clean: false })).toEqual({
      code: 0,
      sessionPresent: true,
    });
    const kept = await receiveAll(back, 2);
    expect(kept.map(({ payload }) => payload)).toEqual(["qos 1", "qos 2"]);
  },

  test_overlapping_subscriptions: async (setting) => {
    const broker = await start(setting);
    const { prefix } = setting;
    const client = await connected(broker, { clientId: "a" });
    await client.subscribe({ [`${prefix}TopicA/#`]: 2, [`${prefix}TopicA/+`]: 1 });
    await publish(client, { topic: `${prefix}TopicA/C`, payload: "overlap", qos: 2 });
    await publish(client, { topic: `${prefix}TopicA/D`, payload: "sentinel", qos: 0 });
    const received = [await receive(client)];
    while (received.at(-1)!.payload !== "sentinel") received.push(await receive(client));
    // MQTT-3.3.5-1: once at the highest QoS, or once for each subscription at its own.
    const levels = received.filter(({ payload }) => payload === "overlap").map(({ qos }) => qos);
    expect([[2], [1, 2]]).toContainEqual(levels.sort());
  },

  test_keepalive: async (setting) => {
    const broker = await start(setting);
    const topic = `${setting.prefix}TopicA`;
    const watcher = await connected(broker, { clientId: "watcher" });
    await watcher.subscribe({ [topic]: 2 });
    const will = { topic, payload: "keepalive expiry", qos: 2 };
    const silent = await connected(broker, { clientId: "silent", keepaliveS: 1, will });
    expect(await receive(watcher)).toMatchObject({ payload: "keepalive expiry", qos: 2 });
    await silent.closed();
  },

  test_redelivery_on_reconnect: async (setting) => {
    const broker = await start(setting);
    const { prefix } = setting;
    const first = await connected(broker, { clientId: "b", clean: false });
    await first.subscribe({ [`${prefix}TopicA/#`]: 2 });
    const sender = await connected(broker, { clientId: "a" });
    await publish(sender, { topic: `${prefix}TopicA/B`, payload: "one", qos: 1 });
    await publish(sender, { topic: `${prefix}TopicA/C`, payload: "two", qos: 2 });
    // Both arrive and stay unacknowledged.
    expect([(await first.message())!.qos, (await first.message())!.qos].sort()).toEqual([1, 2]);
    await first.drop();
    const second = await connected(broker, { clientId: "b", clean: false });
    const again = await receiveAll(second, 2);
    expect(again.map(({ payload }) => payload)).toEqual(["one", "two"]);
  },

  test_subscribe_failure: async (setting) => {
    const broker = await start(setting);
    const client = await connected(broker, { clientId: "a" });
    expect(await client.subscribe({ [DENIED]: 2 })).toEqual([128]);
    expect(await client.ping()).toBe(true);
  },

  test_dollar_topics: async (setting) => {
    const broker = await start(setting);
    const watcher = await connected(broker, { clientId: "watcher" });
    const everything = setting.prefix === "" ? ["+/+", "#"] : [`${setting.prefix}#`];
    await watcher.subscribe(Object.fromEntries(everything.map((filter) => [filter, 2])));
    const sender = await connected(broker, { clientId: "sender" });
    sender.send(publishPacket({ topic: `$${setting.prefix}TopicA/B`, payload: "hidden" }));
    await sender.next(PACKET.puback); // or its end, under rules that know no such topic
    await broker.publish({ topic: `${setting.prefix}TopicA/B`, payload: utf8("sentinel") });
    expect(await receive(watcher)).toMatchObject({ payload: "sentinel" });
  },

  test_unsubscribe: async (setting) => {
    const broker = await start(setting);
    const topics = ["TopicA", "TopicA/B", "Topic/C"].map((one) => setting.prefix + one);
    const client = await connected(broker, { clientId: "b" });
    await client.subscribe(Object.fromEntries(topics.map((topic) => [topic, 2])));
    client.send(unsubscribePacket([topics[0]!], 7));
    expect(packetId((await client.next(PACKET.unsuback))!)).toBe(7);
    const sender = await connected(broker, { clientId: "a" });
    for (const topic of topics) await publish(sender, { topic, payload: topic });
    expect((await receiveAll(client, 2)).map(({ payload }) => payload).sort()).toEqual(
      topics.slice(1).sort(),
    );
  },

  test_zero_length_clientid: async (setting) => {
    const broker = await start(setting);
    const kept = open(broker); // MQTT-3.1.3-8
    expect(await kept.connect({ clientId: "", clean: false })).toMatchObject({ code: 2 });
    await kept.closed();
    const passing = open(broker);
    expect(await passing.connect({ clientId: "" })).toMatchObject({ code: 0 });
    expect(await passing.ping()).toBe(true);
  },
};

describe.each(settings)("MQTT 3.1.1 with $name", (setting) => {
  test.each(Object.keys(cases))("%s", (name) => cases[name]!(setting));
});

const RECORDED = "../shared/data/metering/mqtt-conformance/aedes-1.2.0.json";

test.skipIf(!existsSync(RECORDED))("the cases are those of the recorded suite", () => {
  const recorded = JSON.parse(readFileSync(RECORDED, "utf8"));
  const v3 = recorded.protocols.find((one: { protocol: string }) => one.protocol === "v3");
  const names = v3.results.map((one: { name: string }) => one.name);
  expect(Object.keys(cases).sort()).toEqual([...names].sort());
});
