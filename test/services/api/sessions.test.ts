/**
 * Method: one suite for both stores; then the life of a code and a session as tables of steps,
 * every refusal, and the limits at their edges.
 */
import { describe, expect, test } from "vitest";
import {
  LevelSessionStore,
  MemorySessionStore,
  type SessionStore,
} from "../../../services/api/session-store.ts";
import { createSessions, PAIRING_S, SESSION_S } from "../../../services/api/sessions.ts";
import { ManualClock } from "../../../services/primitives/clock.ts";
import {
  PAIRING_ATTEMPTS_MAX,
  PAIRING_ATTEMPTS_PER_ADDRESS_MAX,
  PAIRINGS_MAX,
} from "../../../services/primitives/limits.ts";
import { createPrng } from "../../../services/primitives/prng.ts";
import { type UnixSeconds, unixSeconds } from "../../../services/primitives/units.ts";
import { openLevel } from "./level-fixture.ts";
import { sessionStoreSuite } from "./session-store-suite.ts";

describe("in memory", () => sessionStoreSuite(async () => new MemorySessionStore()));
describe("on disk", () => {
  sessionStoreSuite(async () => new LevelSessionStore(await openLevel()));
});

const START_S = 1_717_286_400; // a multiple of the attempts' window
const MEMBER = { regionIndex: 1, memberIndex: 4 };

function setUp(store: SessionStore = new MemorySessionStore()) {
  const clock = new ManualClock(unixSeconds(START_S));
  const prng = createPrng(1);
  const random = (length: number) => Uint8Array.from({ length }, () => prng.below(256));
  const sessions = createSessions({ store, clock, random });
  const later = (byS: number) => clock.advanceTo((clock.nowS() + byS) as UnixSeconds);
  return { sessions, store, clock, later };
}

test("a code opens one session, once; it knows its member until closed", async () => {
  const { sessions } = setUp();
  const { code, expiresS } = await sessions.pair(MEMBER);
  expect(code).toMatch(/^[0-9A-HJKMNP-TV-Z]{8}$/);
  expect(expiresS).toBe(START_S + PAIRING_S);
  const { token, ...member } = await sessions.open({ code, address: "a" });
  expect(member).toEqual(MEMBER);
  expect(token).toMatch(/^[0-9a-f]{64}$/);
  expect(await sessions.find(token)).toEqual(MEMBER);
  const again = sessions.open({ code, address: "a" });
  await expect(again).rejects.toMatchObject({ code: "pairing_invalid" });
  await sessions.close(token);
  expect(await sessions.find(token)).toBeNull();
});

test("a code used twice at once opens one session", async () => {
  const { sessions, store } = setUp();
  const { code } = await sessions.pair(MEMBER);
  const both = await Promise.allSettled([
    sessions.open({ code, address: "a" }),
    sessions.open({ code, address: "b" }),
  ]);
  expect(both.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
  expect(await store.list("session")).toHaveLength(1);
});

test("a code is read as people type it", async () => {
  const { sessions } = setUp();
  const { code } = await sessions.pair(MEMBER);
  const typed = code.toLowerCase().replace(/0/g, "o").replace(/1/g, "l");
  const spaced = ` ${typed.slice(0, 4)}-${typed.slice(4)} `;
  expect(await sessions.open({ code: spaced, address: "a" })).toMatchObject(MEMBER);
});

test("codes and sessions expire by real time, to the second", async () => {
  const { sessions, later } = setUp();
  const first = await sessions.pair(MEMBER);
  later(PAIRING_S - 1);
  const { token } = await sessions.open({ code: first.code, address: "a" });
  const second = await sessions.pair(MEMBER);
  later(PAIRING_S);
  const expired = sessions.open({ code: second.code, address: "a" });
  await expect(expired).rejects.toMatchObject({ code: "pairing_invalid" });
  later(SESSION_S - PAIRING_S - 1);
  expect(await sessions.find(token)).toEqual(MEMBER);
  later(1);
  expect(await sessions.find(token)).toBeNull();
});

test("a wrong, a used and an expired code get the same answer", async () => {
  const { sessions, later } = setUp();
  const used = await sessions.pair(MEMBER);
  await sessions.open({ code: used.code, address: "a" });
  const expired = await sessions.pair(MEMBER);
  later(PAIRING_S);
  const answers = await Promise.all(
    ["ZZZZZZZZ", used.code, expired.code, "?"].map((code) =>
      sessions.open({ code, address: "a" }).catch(({ code, message, facts }) => {
        return { code, message, facts };
      }),
    ),
  );
  expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
});

test("nothing in the store opens a session", async () => {
  const { sessions, store } = setUp();
  const { code } = await sessions.pair(MEMBER);
  const [pairing] = await store.list("pairing");
  expect(JSON.stringify(pairing)).not.toContain(code);
  const { token } = await sessions.open({ code, address: "a" });
  const [session] = await store.list("session");
  expect(JSON.stringify(session)).not.toContain(token);
  expect(await sessions.find(session!.hash)).toBeNull();
});

test("wrong codes are limited per address; another address and the next window go on", async () => {
  const { sessions, later } = setUp();
  const { code } = await sessions.pair(MEMBER);
  const guess = (address: string) =>
    sessions.open({ code: "ZZZZZZZZ", address }).catch((error) => error.code);
  for (let i = 0; i < PAIRING_ATTEMPTS_PER_ADDRESS_MAX; i++) {
    expect(await guess("a")).toBe("pairing_invalid");
  }
  expect(await guess("a")).toBe("attempts_exceeded");
  // Not even the right code helps there, so that guesses teach nothing.
  const right = sessions.open({ code, address: "a" });
  await expect(right).rejects.toMatchObject({ facts: { retryAfterS: 600 } });
  expect(await sessions.open({ code, address: "b" })).toMatchObject(MEMBER);
  later(600);
  expect(await guess("a")).toBe("pairing_invalid");
});

test("wrong codes are limited over all addresses", async () => {
  const { sessions } = setUp();
  const guess = (i: number) =>
    sessions.open({ code: "ZZZZZZZZ", address: `${i}` }).catch((error) => error.code);
  for (let i = 0; i < PAIRING_ATTEMPTS_MAX; i++) expect(await guess(i)).toBe("pairing_invalid");
  expect(await guess(PAIRING_ATTEMPTS_MAX)).toBe("attempts_exceeded");
});

test("waiting codes are limited; expired ones make room", async () => {
  const { sessions, later, store } = setUp();
  for (let i = 0; i < PAIRINGS_MAX; i++) await sessions.pair(MEMBER);
  await expect(sessions.pair(MEMBER)).rejects.toMatchObject({
    code: "capacity_exceeded",
    facts: { max: PAIRINGS_MAX },
  });
  later(PAIRING_S);
  await sessions.pair(MEMBER);
  expect(await store.list("pairing")).toHaveLength(1);
});

test("a session outlives the process", async () => {
  const database = await openLevel();
  const before = setUp(new LevelSessionStore(database));
  const { code } = await before.sessions.pair(MEMBER);
  const after = setUp(new LevelSessionStore(database));
  const { token } = await after.sessions.open({ code, address: "a" });
  expect(await setUp(new LevelSessionStore(database)).sessions.find(token)).toEqual(MEMBER);
});
