/**
 * Method: real connections to an aedes broker with a test oracle that drops, repeats, delays and
 * forges receipts and cuts links. What must hold each time: every record ends by a receipt that is
 * the oracle's and names its bytes, in the bytes signed once, oldest first, never too many at once.
 */
import { afterEach, expect, test } from "vitest";
import type { LinkState, Timing, Transmission } from "../../firmware-sim/connection.ts";
import type { JournalRecord } from "../../firmware-sim/journal.ts";
import { type Device, provisionFleet } from "../../firmware-sim/provision.ts";
import { Publisher } from "../../firmware-sim/publisher.ts";
import { toHex } from "../../services/primitives/bytes.ts";
import { READINGS_IN_FLIGHT_PER_DEVICE_MAX } from "../../services/primitives/limits.ts";
import { createPrng } from "../../services/primitives/prng.ts";
import { READING_CODE } from "../../services/wire/refusals.ts";
import { receiptTopic } from "../../services/wire/topics.ts";
import { testDevices } from "./support/fleet.ts";
import { ORACLE_PUBLIC, type Policy, TAKE, TestOracle } from "./support/oracle.ts";
import { signal, signedRecords } from "./support/records.ts";

const DEVICES = testDevices();
const DEVICE = DEVICES[0]!;
const NAME = toHex(DEVICE.deviceId);
/** Soon enough for a test; a receipt timeout only where a test is about it. */
const QUICK: Partial<Timing> = { backoffMinMs: 5, backoffMaxMs: 20, receiptTimeoutMs: 60_000 };

let cleanup: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of cleanup.reverse()) await stop();
  cleanup = [];
});

async function setUp({
  policy,
  timing = {},
  devices = [DEVICE],
}: {
  policy?: Policy;
  timing?: Partial<Timing>;
  devices?: readonly Device[];
}) {
  const oracle = await TestOracle.start(policy);
  cleanup.push(() => oracle.stop());
  const settled: { device: string; seq: number | null; code: number }[] = [];
  const lost: Transmission[] = [];
  const links: LinkState[] = [];
  let foreign = 0;
  const onForeign = { next: signal() };
  const publisher = new Publisher({
    devices,
    brokerUrl: oracle.url,
    oracleReceiptPublicKey: ORACLE_PUBLIC,
    seed: "s",
    timing: { ...QUICK, ...timing },
    onReceipt: (device, { record }, { code }) => {
      settled.push({ device, seq: record?.seq ?? null, code });
    },
    onLost: (_device, transmission) => lost.push(transmission),
    onForeignReceipt: () => {
      foreign++;
      onForeign.next.resolve();
    },
    onLink: (_device, state) => links.push(state),
  });
  cleanup.push(() => publisher.stop());
  const offer = (records: readonly JournalRecord[]) => {
    for (const record of records) {
      publisher.offer(record.device, { bytes: record.bytes, record, fault: null });
    }
  };
  return { oracle, publisher, offer, settled, lost, links, onForeign, foreign: () => foreign };
}
const seqs = (settled: readonly { seq: number | null }[]) => settled.map(({ seq }) => seq);
const upTo = (count: number) => Array.from({ length: count }, (_, k) => k + 1);

test("records go out in order, once, and end by their receipts", async () => {
  const { oracle, publisher, offer, settled } = await setUp({});
  const records = signedRecords(DEVICE, 50);
  offer(records);
  publisher.start();
  await publisher.idle();
  expect(seqs(settled)).toEqual(upTo(50));
  expect(oracle.arrivals.map(({ bytes }) => bytes)).toEqual(records.map(({ bytes }) => bytes));
  expect(records.every(({ state }) => state === "sent")).toBe(true);
});

test("PUBACK alone ends nothing; at most the window is in flight", async () => {
  const window = READINGS_IN_FLIGHT_PER_DEVICE_MAX;
  const full = signal();
  const { oracle, publisher, offer, settled } = await setUp({ policy: () => ({ receipts: 0 }) });
  oracle.onArrival = () => {
    if (oracle.arrivals.length === window) full.resolve();
  };
  offer(signedRecords(DEVICE, window + 5));
  publisher.start();
  await full.promise;
  expect(settled).toEqual([]);
  expect(oracle.arrivals).toHaveLength(window);
  // Receipts one by one open the window one by one.
  oracle.policy = () => TAKE;
  for (const arrival of [...oracle.arrivals]) {
    const topic = receiptTopic(DEVICE.region, DEVICE.deviceId);
    await oracle.publish(topic, oracle.receipt(arrival, TAKE));
  }
  await publisher.idle();
  expect(seqs(settled).toSorted((a, b) => a! - b!)).toEqual(upTo(window + 5));
  expect(oracle.arrivals).toHaveLength(window + 5);
});

test("no receipt in time: all unreceipted goes again, oldest first, same bytes", async () => {
  const { oracle, publisher, offer, settled } = await setUp({
    policy: ({ copies, record }) => ({ receipts: copies === 1 && record!.reading.seq > 2 ? 0 : 1 }),
    timing: { receiptTimeoutMs: 60 },
  });
  const records = signedRecords(DEVICE, 5);
  offer(records);
  publisher.start();
  await publisher.idle();
  expect(seqs(settled)).toEqual(upTo(5));
  const resent = oracle.arrivals.filter(({ copies }) => copies === 2);
  expect(resent.map(({ record }) => record!.reading.seq)).toEqual([3, 4, 5]);
  expect(resent.map(({ bytes }) => bytes)).toEqual(records.slice(2).map(({ bytes }) => bytes));
});

test("receipts dropped, doubled, delayed, links cut: all end, once each", async () => {
  const weather = createPrng("weather");
  const held: (() => void)[] = [];
  const { oracle, publisher, offer, settled } = await setUp({
    policy: async ({ copies }) => {
      if (held.length > 3) held.shift()!();
      const luck = weather.unit();
      // What came three times is answered, so that the test ends.
      if (copies >= 3) return { receipts: 2 };
      if (luck < 0.15) return { receipts: 0 };
      if (luck < 0.25) return { receipts: 1, link: "cut" };
      if (luck < 0.3) return { receipts: 0, link: "cut" };
      if (luck < 0.6) return { receipts: 2 };
      if (luck < 0.7) await new Promise<void>((resolve) => held.push(resolve));
      return TAKE;
    },
    timing: { receiptTimeoutMs: 50 },
    devices: DEVICES.slice(0, 3),
  });
  for (const device of DEVICES.slice(0, 3)) offer(signedRecords(device, 60));
  publisher.start();
  await publisher.idle();
  for (const device of DEVICES.slice(0, 3)) {
    const own = settled.filter((one) => one.device === toHex(device.deviceId));
    expect(seqs(own).toSorted((a, b) => a! - b!)).toEqual(upTo(60));
  }
  const first = oracle.arrivals.filter(({ copies, device }) => copies === 1 && device === NAME);
  expect(first.map(({ record }) => record!.reading.seq)).toEqual(upTo(60));
  for (const release of held) release();
});

test("a receipt that is forged, foreign, for other bytes or no receipt ends nothing", async () => {
  const arrived = signal();
  const { oracle, publisher, offer, settled, onForeign, foreign } = await setUp({
    policy: () => ({ receipts: 0 }),
    timing: { receiptTimeoutMs: 60_000 },
  });
  oracle.onArrival = () => arrived.resolve();
  const [record] = signedRecords(DEVICE, 1);
  offer([record!]);
  publisher.start();
  await arrived.promise;
  const topic = receiptTopic(DEVICE.region, DEVICE.deviceId);
  const arrival = oracle.arrivals[0]!;
  const foreignOnes = [
    oracle.receipt(arrival, { receipts: 1, secretKey: new Uint8Array(32).fill(9) }),
    oracle.receipt({ ...arrival, device: toHex(DEVICES[1]!.deviceId) }, TAKE),
    Uint8Array.of(0xff, 0x00),
    new Uint8Array(0),
  ];
  for (const [k, payload] of foreignOnes.entries()) {
    await oracle.publish(topic, payload);
    await onForeign.next.promise;
    onForeign.next = signal();
    expect(foreign()).toBe(k + 1);
  }
  // Well signed, for this device, but over other bytes: nobody waits for it.
  await oracle.publish(topic, oracle.receipt({ ...arrival, bytes: Uint8Array.of(1) }, TAKE));
  expect(settled).toEqual([]);
  await oracle.publish(topic, oracle.receipt(arrival, TAKE));
  await publisher.idle();
  expect(seqs(settled)).toEqual([1]);
});

test("a negative receipt ends a record too, with its code", async () => {
  const code = READING_CODE.register_decreased;
  const { publisher, offer, settled } = await setUp({
    policy: ({ record }) => ({ receipts: 1, code: record!.reading.seq === 2 ? code : 0 }),
  });
  offer(signedRecords(DEVICE, 3));
  publisher.start();
  await publisher.idle();
  expect(settled.map((one) => one.code)).toEqual([0, code, 0]);
});

test("the broker goes and comes back: reconnect, subscribe, send what is left", async () => {
  const half = signal();
  const { oracle, publisher, offer, settled, links } = await setUp({
    policy: ({ copies }) => ({ receipts: copies === 1 ? 0 : 1 }),
  });
  oracle.onArrival = () => {
    if (oracle.arrivals.length === 4) half.resolve();
  };
  offer(signedRecords(DEVICE, 4));
  publisher.start();
  await half.promise;
  oracle.cutAll();
  await publisher.idle();
  expect(seqs(settled)).toEqual(upTo(4));
  expect(links.map(({ kind }) => kind)).toEqual(["connected", "disconnected", "connected"]);
});

test("what a fault put on the wire is lost with its connection, never sent again", async () => {
  const arrived = signal();
  const { oracle, publisher, offer, lost, settled } = await setUp({
    policy: ({ copies }) => ({ receipts: copies === 1 ? 0 : 1 }),
  });
  oracle.onArrival = () => {
    if (oracle.arrivals.length === 2) arrived.resolve();
  };
  offer(signedRecords(DEVICE, 1));
  publisher.offer(NAME, { bytes: Uint8Array.of(1, 2), record: null, fault: "malformed" });
  publisher.start();
  await arrived.promise;
  oracle.cutAll();
  await publisher.idle();
  expect(lost.map(({ fault }) => fault)).toEqual(["malformed"]);
  expect(seqs(settled)).toEqual([1]);
  expect(oracle.arrivals.filter(({ record }) => record === null)).toHaveLength(1);
});

test("each device has its own password, and a wrong one is retried, not fatal", async () => {
  const { oracle, publisher, offer, settled, links } = await setUp({});
  oracle.passwords = new Map([[NAME, "another"]]);
  offer(signedRecords(DEVICE, 1));
  publisher.start();
  await expect.poll(() => links.length).toBe(1);
  expect(links[0]).toMatchObject({ kind: "disconnected" });
  expect((links[0] as { reason: string }).reason).toContain("Not authorized");
  oracle.passwords = new Map([[NAME, DEVICE.password]]);
  await publisher.idle();
  expect(seqs(settled)).toEqual([1]);
});

test("nobody listens at the broker's port: keeps trying, stops when told", async () => {
  const { oracle, publisher, offer, links, settled } = await setUp({});
  await oracle.stop();
  cleanup.shift();
  offer(signedRecords(DEVICE, 1));
  publisher.start();
  await expect.poll(() => links.length).toBe(1);
  expect(links[0]).toMatchObject({ kind: "disconnected" });
  await publisher.stop();
  await publisher.idle(); // a stopped publisher keeps nobody waiting
  expect(settled).toEqual([]);
});

test("stops at once, though the broker never acknowledges", async () => {
  const arrived = signal();
  const { oracle, publisher, offer } = await setUp({});
  oracle.holdsPuback = true;
  oracle.onArrival = () => arrived.resolve();
  const [record] = signedRecords(DEVICE, 1);
  offer([record!]);
  publisher.start();
  await arrived.promise;
  await publisher.stop();
  expect(record!.state).toBe("new");
});

test("a hundred meters, each on its own connection", async () => {
  const homes = Array.from({ length: 99 }, (_, k) => ({ label: `${k}`, hasPanels: false }));
  const { devices } = provisionFleet({ seed: "many", regions: [{ id: "north", homes }] });
  const { oracle, publisher, offer, settled } = await setUp({ devices });
  oracle.passwords = new Map(devices.map((device) => [toHex(device.deviceId), device.password]));
  for (const device of devices) offer(signedRecords(device, 2));
  publisher.start();
  await publisher.idle();
  expect(settled).toHaveLength(200);
  expect(oracle.connections).toBe(100);
});

test.each(["http://127.0.0.1:1883", "127.0.0.1", ""])("refuses the broker URL %j", (brokerUrl) => {
  const make = () =>
    new Publisher({
      devices: DEVICES,
      brokerUrl,
      oracleReceiptPublicKey: ORACLE_PUBLIC,
      seed: "",
      onReceipt: () => {},
      onLost: () => {},
      onForeignReceipt: () => {},
      onLink: () => {},
    });
  expect(make).toThrow(expect.objectContaining({ code: "argument_invalid" }));
});
