/**
 * Method: clients in process first (order, resuming, limits), then real sockets for what only a
 * socket does: a client that stalls, one that goes away, and a node that stops.
 */
import { connect } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { serveApi } from "../../../services/api/serve.ts";
import { createStreamHub } from "../../../services/api/stream-hub.ts";
import type { CommittedBlock } from "../../../services/chain/access.ts";
import {
  STREAM_CLIENTS_MAX,
  STREAM_QUEUE_MAX,
  STREAM_REPLAY_BLOCKS_MAX,
} from "../../../services/primitives/limits.ts";
import { unixSeconds } from "../../../services/primitives/units.ts";
import { type Status, StreamBlock } from "../../../services/wire/api.ts";
import { createChainFixture } from "../../support/chain-fixture.ts";
import { readEvents } from "./event-reader.ts";
import { createHarness, type Harness } from "./harness.ts";

const STREAM = "/api/v1/stream";

async function follow(harness: Harness, lastEventId?: string) {
  const headers = lastEventId === undefined ? {} : { "Last-Event-ID": lastEventId };
  const response = await harness.request(STREAM, { headers });
  expect(response.status).toBe(200);
  return { response, events: readEvents(response.body) };
}

const metric = async (harness: Harness, name: string) =>
  Number((await harness.options.metrics.getSingleMetricAsString(name)).match(/ (\d+)$/)?.[1]);

test("first the status, then each block with its height as id", async () => {
  const harness = await createHarness({ slots: 2 });
  const { response, events } = await follow(harness);
  expect(response.headers.get("Content-Type")).toMatch(/^text\/event-stream/);
  expect(response.headers.get("Cache-Control")).toContain("no-transform");
  const first = await events.next();
  expect(first).toMatchObject({ event: "status", id: "2", data: { height: 2 } });
  const block = harness.chain.clearSlot();
  harness.chain.commitEmpty();
  const event = await events.next();
  expect(event).toMatchObject({ event: "block", id: "3" });
  const data = StreamBlock.parse(event?.data);
  // The region that is too small to be shown is not in it.
  expect(data.slots.map(({ region }) => region)).toEqual(["meadow", "harbour", "hill"]);
  expect(data.slots[0]).toMatchObject({ height: 3, slot: block.slotRecords[0]!.slot });
  expect(await events.next()).toMatchObject({ id: "4", data: { slots: [] } });
  await events.cancel();
});

test("a client that returns hears exactly what it missed, as it would have heard it", async () => {
  const harness = await createHarness({ slots: 1 });
  const live = await follow(harness);
  expect((await live.events.next())?.event).toBe("status");
  for (const step of ["slot", "empty", "slot", "slot", "empty"]) {
    if (step === "slot") harness.chain.clearSlot();
    else harness.chain.commitEmpty();
  }
  const heard = [];
  for (let i = 0; i < 5; i++) heard.push(await live.events.next());
  const { events } = await follow(harness, "2");
  expect(await events.next()).toMatchObject({ event: "status", id: null }); // keeps its place
  for (const missed of heard.slice(1)) expect(await events.next()).toEqual(missed);
  harness.chain.clearSlot();
  expect(await events.next()).toMatchObject({ event: "block", id: "7" });
  expect(await live.events.next()).toMatchObject({ event: "block", id: "7" });
  await Promise.all([events.cancel(), live.events.cancel()]);
});

test("a block that comes while a client resumes is heard once, in order", async () => {
  const harness = await createHarness({ slots: 3 });
  const { events } = await follow(harness, "1");
  harness.chain.clearSlot(); // before anything was read
  const ids = [];
  for (let i = 0; i < 4; i++) ids.push((await events.next())?.id);
  expect(ids).toEqual([null, "2", "3", "4"]);
  await events.cancel();
});

test("a block that the head shows before it is announced is not heard twice", async () => {
  let announce: (block: CommittedBlock) => void = () => undefined;
  const appHash = new Uint8Array(32);
  const timeS = unixSeconds(0);
  const hub = createStreamHub({
    chain: {
      head: () => ({
        ...{ height: 5, timeS, appHash, clearedSlots: 0, lastClearedSlot: null },
        ...{ lastCompleteSlot: null, lanesOut: [], chainVersion: 1 },
        committee: { nextSequence: 1, upgrades: [] },
      }),
      onBlock: (listener) => {
        announce = listener;
        return () => undefined;
      },
    },
    status: async () => ({ height: 5 }) as Status,
    blockEvent: ({ height }) => ({ height, timeS: 0, appHash: "0x", slots: [] }),
    replay: async () => [],
    repeat: () => () => undefined,
    onDrop: () => undefined,
  });
  const { signal } = new AbortController();
  const events = readEvents(hub.open({ lastHeight: null, signal, sever: () => undefined }));
  const quiet = { timeS, appHash, results: [], slotRecords: [], laneFailures: [] };
  for (const height of [5, 6]) announce({ height, ...quiet });
  expect((await events.next())?.id).toBe("5");
  expect((await events.next())?.id).toBe("6");
  await events.cancel();
});

test.each([
  { name: "nothing missed", lastEventId: "5", reset: false },
  { name: "one missed", lastEventId: "4", reset: false },
  { name: "ahead of the chain", lastEventId: "6", reset: true },
  { name: "no height", lastEventId: "abc", reset: true },
  { name: "negative", lastEventId: "-1", reset: true },
])("resuming after $lastEventId ($name): reset $reset", async ({ lastEventId, reset }) => {
  const harness = await createHarness({ slots: 5 });
  const { events } = await follow(harness, lastEventId);
  expect((await events.next())?.event).toBe("status");
  harness.chain.clearSlot();
  const event = await events.next();
  if (reset) expect(event).toEqual({ event: "reset", id: "5", data: { height: 5 } });
  else expect(event).toMatchObject({ event: "block", id: lastEventId === "5" ? "6" : "5" });
  await events.cancel();
});

test("a longer absence than can be replayed is told to fetch anew, at the edge", async () => {
  const harness = await createHarness({ slots: 1 });
  for (let i = 0; i < STREAM_REPLAY_BLOCKS_MAX; i++) harness.chain.commitEmpty();
  const enough = await follow(harness, "1");
  expect((await enough.events.next())?.event).toBe("status");
  for (let i = 0; i < STREAM_REPLAY_BLOCKS_MAX; i++) {
    expect((await enough.events.next())?.id).toBe(String(i + 2));
  }
  const tooMuch = await follow(harness, "0");
  expect((await tooMuch.events.next())?.event).toBe("status");
  expect(await tooMuch.events.next()).toMatchObject({ event: "reset" });
  await Promise.all([enough.events.cancel(), tooMuch.events.cancel()]);
});

test("a heartbeat is a comment, and only where nothing else waits", async () => {
  const harness = await createHarness({ slots: 1 });
  const { events } = await follow(harness);
  await events.next();
  harness.beat();
  expect(await events.nextRaw()).toBe(": beat");
  harness.chain.clearSlot();
  harness.beat();
  expect(await events.nextRaw()).toMatch(/^event: block/);
  await events.cancel();
});

test("clients are limited, and their places come back", async () => {
  const harness = await createHarness({ slots: 1 });
  const clients = [];
  for (let i = 0; i < STREAM_CLIENTS_MAX; i++) clients.push(await follow(harness));
  expect(await metric(harness, "gridlane_api_stream_clients")).toBe(STREAM_CLIENTS_MAX);
  const refused = await harness.json(STREAM, { status: 503 });
  expect(refused).toMatchObject({ code: "capacity_exceeded", facts: { max: STREAM_CLIENTS_MAX } });
  await clients[0]!.events.cancel();
  await (await follow(harness)).events.cancel();
  await Promise.all(clients.map(({ events }) => events.cancel()));
  expect(await metric(harness, "gridlane_api_stream_clients")).toBe(0);
});

test("a client that reads nothing is dropped when its queue is full; others go on", async () => {
  const harness = await createHarness({ slots: 1 });
  const [slow, quick] = [await follow(harness), await follow(harness)];
  await quick.events.next();
  for (let i = 0; i <= STREAM_QUEUE_MAX; i++) {
    harness.chain.commitEmpty();
    expect((await quick.events.next())?.id).toBe(String(i + 2));
  }
  expect(await metric(harness, "gridlane_api_stream_drops_total")).toBe(1);
  expect(await metric(harness, "gridlane_api_stream_clients")).toBe(1);
  expect(await slow.events.next()).toBeNull();
  await quick.events.cancel();
});

test("a client that reads nothing over three heartbeats is dropped", async () => {
  const harness = await createHarness({ slots: 1 });
  await follow(harness);
  for (let beat = 1; beat <= 3; beat++) {
    expect(await metric(harness, "gridlane_api_stream_drops_total")).toBe(0);
    harness.beat();
  }
  expect(await metric(harness, "gridlane_api_stream_drops_total")).toBe(1);
});

test("asking for the head alone opens no stream", async () => {
  const harness = await createHarness({ slots: 1 });
  const response = await harness.request(STREAM, { method: "HEAD" });
  expect(response.status).toBe(200);
  expect(await metric(harness, "gridlane_api_stream_clients")).toBe(0);
});

test("a fault while the first events are made ends the stream and frees the place", async () => {
  const harness = await createHarness({ slots: 3 });
  harness.chain.slotRecords = () => Promise.reject(new Error("disk on fire"));
  const { events } = await follow(harness, "1");
  await expect(events.next()).rejects.toThrow("disk on fire");
  expect(await metric(harness, "gridlane_api_stream_clients")).toBe(0);
});

/** @param copies - of each slot in its event, to fill a socket's buffers in few blocks */
async function served({ copies = 1 } = {}) {
  const homes = Array(5).fill("plain");
  const regions = [{ id: "row", mechanism: "mid-market-rate", homes }] as const;
  const fixture = createChainFixture({ regions });
  const chain = {
    ...fixture,
    onBlock: (listener: Parameters<typeof fixture.onBlock>[0]) =>
      fixture.onBlock((block) => {
        const slotRecords = Array(copies).fill(block.slotRecords).flat();
        listener({ ...block, slotRecords });
      }),
  };
  const harness = await createHarness({ chain, slots: 1 });
  const { url, stop } = await serveApi({ api: harness.api, host: "127.0.0.1", port: 0 });
  onTestFinished(stop);
  return { harness, url, stop };
}

/** Turns until `done`; every turn lets sockets and streams move. */
async function until(done: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await done())) await new Promise((resolve) => setImmediate(resolve));
}

test("over a socket: events come, and going away frees the place", async () => {
  const { harness, url } = await served();
  const leaving = new AbortController();
  const response = await fetch(`${url}${STREAM}`, { signal: leaving.signal });
  expect(response.headers.get("X-Accel-Buffering")).toBe("no");
  const events = readEvents(response.body);
  expect(await events.next()).toMatchObject({ event: "status", id: "1" });
  harness.chain.clearSlot();
  expect(await events.next()).toMatchObject({ event: "block", id: "2" });
  leaving.abort();
  await until(async () => (await metric(harness, "gridlane_api_stream_clients")) === 0);
  expect(await metric(harness, "gridlane_api_stream_drops_total")).toBe(0);
});

test("over a socket: a client that stalls is cut off; nobody else notices", async () => {
  const { harness, url } = await served({ copies: 200 });
  const quick = readEvents((await fetch(`${url}${STREAM}`)).body);
  await quick.next();
  const stalled = connect(Number(new URL(url).port), "127.0.0.1");
  stalled.on("error", () => undefined); // being cut off is what is asked for
  const gone = new Promise<void>((resolve) => stalled.once("close", () => resolve()));
  stalled.pause();
  stalled.write(`GET ${STREAM} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`);
  await until(async () => (await metric(harness, "gridlane_api_stream_clients")) === 2);
  const dropped = async () => (await metric(harness, "gridlane_api_stream_drops_total")) > 0;
  for (let height = 2; !(await dropped()); height++) {
    harness.chain.clearSlot();
    expect((await quick.next())?.id).toBe(String(height));
  }
  stalled.resume();
  await gone;
  expect(await metric(harness, "gridlane_api_stream_clients")).toBe(1);
  await quick.cancel();
});

test("over a socket: stopping ends the streams in good order and refuses new ones", async () => {
  const { harness, url, stop } = await served();
  const events = readEvents((await fetch(`${url}${STREAM}`)).body);
  await events.next();
  harness.chain.clearSlot();
  await stop();
  expect(await events.next()).toMatchObject({ id: "2" }); // what was queued still came
  expect(await events.next()).toBeNull();
  await expect(fetch(`${url}/livez`)).rejects.toThrow();
  expect(await harness.json(STREAM, { status: 503 })).toMatchObject({ code: "stopped" });
});
