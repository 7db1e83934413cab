/**
 * The live connection: server-sent events at /api/v1/stream, one per block, id = height.
 *
 * EventSource resumes by itself with Last-Event-ID after a broken connection. When the node refuses
 * it (full, restarting behind a proxy) the browser gives up for good, so we open a new one, ever
 * more slowly. After any gap the page asks for what it may have missed; it invents nothing.
 */
import { batch, signal } from "@preact/signals";
import type { Status, StreamBlock } from "../../../services/wire/api.ts";
import { refreshHealth, refreshStatus, status, takeBlock, takeStatus, touch } from "./market.ts";

export type Connection = "connecting" | "live" | "reconnecting" | "offline";

/** A connection lost for so long is called offline. */
const OFFLINE_AFTER_MS = 5000;
const REOPEN_MS_MIN = 1000;
const REOPEN_MS_MAX = 30_000;
/** How often a quiet page asks for the status: the network can die without telling. */
const STATUS_EVERY_MS = 30_000;

const DRAW_EVERY_MS = 100;

export const connection = signal<Connection>("connecting");
/** When the last block was heard of, by this browser's clock; null before the first. */
export const lastBlockAtMs = signal<number | null>(null);
/** Rises after a gap: what is on the page may have missed something. */
export const gaps = signal(0);

let source: EventSource | null = null;
let offlineTimer: ReturnType<typeof setTimeout> | null = null;
let reopenTimer: ReturnType<typeof setTimeout> | null = null;
let reopenMs = REOPEN_MS_MIN;
let wasLive = false;
let heardHeight = -1;
const waiting: StreamBlock[] = [];

export function startStream(): void {
  open();
  addEventListener("online", open);
  addEventListener("offline", () => {
    connection.value = "offline";
  });
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible") void poll();
  });
  setInterval(() => {
    if (document.visibilityState === "visible") void poll();
  }, STATUS_EVERY_MS);
}

/** Tries again at once: what the banner's button does. */
export function reconnect(): void {
  reopenMs = REOPEN_MS_MIN;
  open();
}

function open(): void {
  source?.close();
  if (reopenTimer !== null) clearTimeout(reopenTimer);
  reopenTimer = null;
  const mine = new EventSource("/api/v1/stream");
  source = mine;
  mine.addEventListener("open", onOpen);
  mine.addEventListener("error", () => onError(mine));
  mine.addEventListener("status", (event) => {
    const fresh = parsed(event.data);
    if (isStatus(fresh)) noteStatus(fresh);
  });
  mine.addEventListener("block", (event) => {
    const block = parsed(event.data);
    if (isBlock(block)) noteBlock(block);
  });
  mine.addEventListener("reset", noteGap); // more was missed than the node can tell again
}

function onOpen(): void {
  reopenMs = REOPEN_MS_MIN;
  if (offlineTimer !== null) clearTimeout(offlineTimer);
  offlineTimer = null;
  connection.value = "live";
  if (wasLive) noteGap();
  wasLive = true;
}

function noteGap(): void {
  gaps.value++;
  touch();
  void poll();
}

function onError(mine: EventSource): void {
  if (mine !== source) return;
  if (connection.value !== "offline") connection.value = "reconnecting";
  offlineTimer ??= setTimeout(() => {
    if (connection.value !== "live") connection.value = "offline";
  }, OFFLINE_AFTER_MS);
  if (mine.readyState !== EventSource.CLOSED) return; // the browser tries again itself
  reopenTimer ??= setTimeout(open, reopenMs);
  reopenMs = Math.min(2 * reopenMs, REOPEN_MS_MAX);
}

/** Status and health; an open stream whose node does not answer is a dead one, and is reopened. */
async function poll(): Promise<void> {
  await Promise.all([refreshStatus(), refreshHealth()]);
  if (status.value.failure?.httpStatus !== 0 || connection.value !== "live") return;
  connection.value = "reconnecting";
  open();
}

function noteStatus(fresh: Status): void {
  takeStatus(fresh);
  if (fresh.height <= heardHeight) return;
  heardHeight = fresh.height;
  lastBlockAtMs.value = blockHeardAtMs(fresh) ?? lastBlockAtMs.value;
}

/** A replay clears many slots a second; the page is drawn ten times a second at most. */
function noteBlock(block: StreamBlock): void {
  if (waiting.length === 0) setTimeout(drawWaiting, DRAW_EVERY_MS);
  waiting.push(block);
}

function drawWaiting(): void {
  const blocks = waiting.splice(0);
  batch(() => {
    for (const block of blocks) takeBlock(block);
    heardHeight = Math.max(heardHeight, ...blocks.map((block) => block.height));
    lastBlockAtMs.value = Date.now();
  });
}

/** Market time runs `speed` times real time; without a speed the age cannot be told. */
function blockHeardAtMs(fresh: Status): number | null {
  if (fresh.speed === null || fresh.speed <= 0) return null;
  const ageS = Math.max(0, fresh.marketTimeS - fresh.blockTimeS) / fresh.speed;
  return Date.now() - ageS * 1000;
}

function parsed(text: unknown): unknown {
  try {
    return JSON.parse(String(text));
  } catch {
    return null;
  }
}

function isStatus(value: unknown): value is Status {
  const { height, slotS, networkId } = (value ?? {}) as Partial<Status>;
  return typeof height === "number" && typeof slotS === "number" && typeof networkId === "string";
}

function isBlock(value: unknown): value is StreamBlock {
  const { height, timeS, slots } = (value ?? {}) as Partial<StreamBlock>;
  return typeof height === "number" && typeof timeS === "number" && Array.isArray(slots);
}
