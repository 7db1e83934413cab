/**
 * Who may audit: tokens that the operator hands out. A token reads the chain as it is stored, which
 * holds every meter's energy of every slot, and nothing else: it acts as nobody, opens no session,
 * and no session opens what it opens.
 *
 * Safe because a token is 256 random bits, kept as its SHA-256 only, expires, and can be taken
 * back; what one auditor asks in a window of time is bounded, and what all of them ask at once.
 */
import { toHex } from "../primitives/bytes.ts";
import type { Clock } from "../primitives/clock.ts";
import { GridError } from "../primitives/errors.ts";
import {
  AUDIT_REQUESTS_AT_ONCE_MAX,
  AUDIT_REQUESTS_PER_WINDOW_MAX,
  AUDITORS_MAX,
} from "../primitives/limits.ts";
import { hashOf, makeRoom } from "./grants.ts";
import type { AuditorGrant, SessionStore } from "./session-store.ts";

const DAY_S = 86_400;
/** Requests are counted over windows of this length, seconds. */
const WINDOW_S = 10;

export type Auditors = {
  /** @throws GridError capacity_exceeded beyond AUDITORS_MAX tokens */
  grant(days: number): Promise<{ token: string; expiresS: number }>;
  /** Takes all tokens back; says how many there were. */
  revoke(): Promise<number>;
  /**
   * Answers one request of an auditor.
   *
   * @throws GridError unauthenticated, attempts_exceeded in one window, capacity_exceeded at once
   */
  serve<Answer>(token: string | null, answer: () => Promise<Answer>): Promise<Answer>;
};

export function createAuditors({
  store,
  clock,
  random,
}: {
  store: SessionStore;
  /** Real time. */
  clock: Clock;
  /** Unpredictable bytes. */
  random: (length: number) => Uint8Array;
}): Auditors {
  const counts = new Map<string, number>(); // requests in this window, by hash of the token
  let window = -1;
  let atOnce = 0;
  const admit = (hash: string) => {
    const now = Math.floor(clock.nowS() / WINDOW_S);
    if (now !== window) counts.clear();
    window = now;
    const count = counts.get(hash) ?? 0;
    if (count >= AUDIT_REQUESTS_PER_WINDOW_MAX) {
      const retryAfterS = (window + 1) * WINDOW_S - clock.nowS();
      throw new GridError("attempts_exceeded", `too many requests: wait ${retryAfterS} s`, {
        retryAfterS,
      });
    }
    counts.set(hash, count + 1);
    if (atOnce < AUDIT_REQUESTS_AT_ONCE_MAX) return;
    const max = AUDIT_REQUESTS_AT_ONCE_MAX;
    throw new GridError("capacity_exceeded", `no more than ${max} requests of audits at once`, {
      what: "audit requests",
      max,
    });
  };
  return {
    grant: async (days) => {
      await makeRoom({ store, clock, kind: "auditor", max: AUDITORS_MAX });
      const token = toHex(random(32));
      const expiresS = clock.nowS() + days * DAY_S;
      const grant: AuditorGrant = { kind: "auditor", hash: hashOf(token), expiresS };
      await store.replace({ remove: [], add: [grant] });
      return { token, expiresS };
    },
    revoke: async () => {
      const remove = await store.list("auditor");
      await store.replace({ remove, add: [] });
      return remove.length;
    },
    serve: async (token, answer) => {
      const hash = token === null ? null : hashOf(token);
      const grant = hash === null ? null : await store.get({ kind: "auditor", hash });
      if (hash === null || grant === null || grant.expiresS <= clock.nowS()) {
        const needs = "auditor's token";
        throw new GridError("unauthenticated", `this needs a valid ${needs}`, { needs });
      }
      admit(hash);
      atOnce++;
      try {
        return await answer();
      } finally {
        atOnce--;
      }
    },
  };
}
