/**
 * Method: an auditor's right from its making to its end: what it opens and what it does not, what
 * other rights open of it, how much it may ask; then each route's pages, read as an auditor reads.
 */
import { expect, test } from "vitest";
import {
  AUDIT_KEY_CHARACTERS_MAX,
  AUDIT_RECORDS_PER_PAGE_MAX,
  AUDIT_REQUESTS_AT_ONCE_MAX,
  AUDIT_REQUESTS_PER_WINDOW_MAX,
  AUDITOR_DAYS_MAX,
  AUDITORS_MAX,
} from "../../../services/primitives/limits.ts";
import {
  decodeAuditHead,
  decodeBlockPage,
  decodeKeyPage,
  decodeRecordPage,
  decodeStatePage,
} from "../../../services/wire/audit-page.ts";
import { type MemoryChain, memoryAuditSource } from "../../support/memory-audit-source.ts";
import { bearer, createHarness, type Harness, OPERATOR_TOKEN, post } from "./harness.ts";

const bytes = (...values: number[]) => Uint8Array.from(values);
const CHAIN: MemoryChain = {
  head: {
    genesisHash: new Uint8Array(32).fill(3),
    base: 1,
    blocks: 4,
    state: { height: 4, timeS: 900 as never, appHash: new Uint8Array(32).fill(4) },
  },
  blocks: [1, 2, 3, 4].map((n) => ({ header: bytes(n), body: bytes(n, n), response: null })),
  records: new Map([
    ["head/last", bytes(1)],
    ["lane/0000", bytes(2)],
    ["slot/0000/0000000000000009", bytes(3)],
  ]),
  strays: ["zz"],
};
const GETS = ["genesis", "head", "blocks?from=1&to=2", "keys", "state"];

async function grant(harness: Harness, days = 30): Promise<string> {
  const { token } = await harness.json<{ token: string }>("/api/v1/auditors", {
    ...post({ days }, OPERATOR_TOKEN),
    status: 201,
  });
  return token;
}

const open = () => createHarness({ audit: memoryAuditSource(CHAIN), slots: 2 });
const page = async (harness: Harness, path: string, init: RequestInit) => {
  const answer = await harness.request(`/api/v1/audit/${path}`, init);
  expect(answer.status, path).toBe(200);
  expect(answer.headers.get("content-type")).toBe("application/cbor");
  expect(answer.headers.get("cache-control")).toBe("no-store");
  return new Uint8Array(await answer.arrayBuffer());
};

test("only the operator grants and revokes; only the token opens", async () => {
  const harness = await open();
  const session = await harness.signIn("meadow", 0);
  for (const token of [session, "0".repeat(64)]) {
    await harness.json("/api/v1/auditors", { ...post({ days: 1 }, token), status: 401 });
    await harness.json("/api/v1/auditors", { method: "DELETE", ...bearer(token), status: 401 });
  }
  const auditor = await grant(harness);
  for (const path of GETS) {
    const url = `/api/v1/audit/${path}`;
    expect((await harness.request(url, bearer(auditor))).status, path).toBe(200);
    for (const other of [session, OPERATOR_TOKEN, "0".repeat(64), auditor.toUpperCase()]) {
      expect((await harness.request(url, bearer(other))).status, path).toBe(401);
    }
    const cookie = { headers: { cookie: `gridlane_session=${auditor}` } };
    expect((await harness.request(url, cookie)).status, path).toBe(401);
    expect((await harness.request(url)).status, path).toBe(401);
  }
  const asked = post({ keys: ["head/last"] }, session);
  expect((await harness.request("/api/v1/audit/records", asked)).status).toBe(401);
});

test("an auditor's token acts as nobody", async () => {
  const harness = await open();
  const auditor = await grant(harness);
  const own = ["me", "me/summary", "me/statements", "me/bills", "me/orders", "refusals"];
  for (const path of own) {
    expect((await harness.request(`/api/v1/${path}`, bearer(auditor))).status, path).toBe(401);
  }
  const pair = post({ region: "meadow", member: "meadow home 1" }, auditor);
  expect((await harness.request("/api/v1/pairings", pair)).status).toBe(401);
  expect((await harness.request("/api/v1/session", post({ code: auditor }))).status).toBe(401);
  // Closing a session by it takes nothing away.
  await harness.request("/api/v1/session", { method: "DELETE", ...bearer(auditor) });
  expect((await harness.request("/api/v1/audit/head", bearer(auditor))).status).toBe(200);
});

test("a token expires, and can be taken back", async () => {
  const harness = await open();
  const [short, long] = [await grant(harness, 1), await grant(harness, 2)];
  const statusOf = async (token: string) =>
    (await harness.request("/api/v1/audit/head", bearer(token))).status;
  harness.realClock.advanceTo((harness.realClock.nowS() + 86_399) as never);
  expect([await statusOf(short), await statusOf(long)]).toEqual([200, 200]);
  harness.realClock.advanceTo((harness.realClock.nowS() + 1) as never);
  expect([await statusOf(short), await statusOf(long)]).toEqual([401, 200]);
  const revoked = await harness.json("/api/v1/auditors", {
    method: "DELETE",
    ...bearer(OPERATOR_TOKEN),
  });
  expect(revoked).toEqual({ revoked: 2 });
  expect(await statusOf(long)).toBe(401);
});

test("no more than AUDITORS_MAX tokens, of 1 to AUDITOR_DAYS_MAX days", async () => {
  const harness = await open();
  for (const days of [0, AUDITOR_DAYS_MAX + 1, 1.5]) {
    await harness.json("/api/v1/auditors", { ...post({ days }, OPERATOR_TOKEN), status: 400 });
  }
  for (let i = 0; i < AUDITORS_MAX; i++) await grant(harness, AUDITOR_DAYS_MAX);
  const full = await harness.json("/api/v1/auditors", {
    ...post({ days: 1 }, OPERATOR_TOKEN),
    status: 503,
  });
  expect(full).toMatchObject({ code: "capacity_exceeded", facts: { max: AUDITORS_MAX } });
});

test("a window of time holds so many requests of one token", async () => {
  const harness = await open();
  const [eager, other] = [await grant(harness), await grant(harness)];
  const ask = (token: string) => harness.request("/api/v1/audit/head", bearer(token));
  for (let i = 0; i < AUDIT_REQUESTS_PER_WINDOW_MAX; i++) await ask(eager);
  const refused = await ask(eager);
  expect(refused.status).toBe(429);
  const waitS = Number(refused.headers.get("retry-after"));
  expect(waitS).toBeGreaterThan(0);
  expect((await ask(other)).status).toBe(200);
  harness.realClock.advanceTo((harness.realClock.nowS() + waitS) as never);
  expect((await ask(eager)).status).toBe(200);
});

test("so many requests of all auditors at once", async () => {
  let release = () => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  const source = memoryAuditSource(CHAIN);
  const slow = { ...source, head: () => held.then(() => source.head()) };
  const harness = await createHarness({ audit: slow });
  const auditor = await grant(harness);
  const waiting = Array.from({ length: AUDIT_REQUESTS_AT_ONCE_MAX }, () =>
    harness.request("/api/v1/audit/head", bearer(auditor)),
  );
  await new Promise((resolve) => setImmediate(resolve));
  const refused = await harness.json("/api/v1/audit/keys", { ...bearer(auditor), status: 503 });
  expect(refused).toMatchObject({ code: "capacity_exceeded" });
  release();
  expect((await Promise.all(waiting)).map(({ status }) => status)).toEqual(waiting.map(() => 200));
  expect((await harness.request("/api/v1/audit/keys", bearer(auditor))).status).toBe(200);
});

test("pages are the source's, and a walk over them ends", async () => {
  const harness = await open();
  const init = bearer(await grant(harness));
  expect(decodeAuditHead(await page(harness, "head", init))).toEqual(CHAIN.head);
  expect(decodeBlockPage(await page(harness, "blocks?from=2&to=3", init))).toEqual(
    CHAIN.blocks.slice(1, 3),
  );
  const token = (init.headers as Record<string, string>).Authorization!.slice(7);
  const records = post({ keys: ["lane/0000", "none"] }, token);
  expect(decodeRecordPage(await page(harness, "records", records))).toEqual([bytes(2), null]);
  const keys = decodeKeyPage(await page(harness, "keys", init));
  expect(keys).toEqual({
    ...{ height: 4, strays: ["zz"], next: null },
    keys: ["head/last", "lane/0000", "slot/0000/0000000000000009"],
  });
  const state = decodeStatePage(await page(harness, "state?after=head%2Flast", init));
  expect(state).toEqual({
    ...{ state: CHAIN.head.state, next: null },
    records: [{ key: "lane/0000", value: bytes(2) }],
  });
  const genesis = await harness.json("/api/v1/audit/genesis", init);
  expect(genesis).toEqual(JSON.parse(JSON.stringify(harness.chain.genesis)));
});

test.each([
  ["blocks?from=0&to=2", undefined, "query.from"],
  ["blocks?from=1", undefined, "query.to"],
  ["blocks?from=1&to=x", undefined, "query.to"],
  [`keys?after=${"k".repeat(16 * AUDIT_KEY_CHARACTERS_MAX + 1)}`, undefined, "query.after"],
  ["records", { keys: [] }, "json.keys"],
  ["records", { keys: ["k".repeat(AUDIT_KEY_CHARACTERS_MAX + 1)] }, "json.keys.0"],
  ["records", { keys: Array(AUDIT_RECORDS_PER_PAGE_MAX + 1).fill("k") }, "json.keys"],
  ["records", { keys: ["k"], more: 1 }, "json.more"],
])("bad input is refused by name: %s %o", async (path, body, argument) => {
  const harness = await open();
  const auditor = await grant(harness);
  const init = body === undefined ? bearer(auditor) : post(body, auditor);
  const refused = await harness.json(`/api/v1/audit/${path}`, { ...init, status: 400 });
  expect(refused).toMatchObject({ code: "argument_invalid", facts: { argument } });
  expect(harness.faults).toEqual([]);
});
