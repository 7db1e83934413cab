/**
 * Who is asking: one-time pairing codes, made for a member by the operator, and the sessions that
 * they open.
 *
 * Safe because a code is 40 random bits, works once and for ten minutes, and guessing is limited
 * per address and over all addresses; a token is 256 random bits; both are stored as SHA-256 only.
 * A wrong, used and expired code get the same answer. All times are real time, not market time: a
 * demo's clock may run a hundred times as fast.
 */
import { toHex } from "../primitives/bytes.ts";
import type { Clock } from "../primitives/clock.ts";
import { assert, GridError } from "../primitives/errors.ts";
import {
  PAIRING_ATTEMPTS_MAX,
  PAIRING_ATTEMPTS_PER_ADDRESS_MAX,
  PAIRINGS_MAX,
  SESSIONS_MAX,
} from "../primitives/limits.ts";
import { hashOf, makeRoom } from "./grants.ts";
import type { MemberGrant, SessionStore } from "./session-store.ts";

export const PAIRING_S = 600;
/** A household signs in about once a season. */
export const SESSION_S = 90 * 86_400;
/** Crockford's base 32: no I, L, O, U; what is mistaken for 1 or 0 is read as such. */
const CODE_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const CODE_LENGTH = 8;
/** Wrong codes are counted over windows of this length, seconds. */
const ATTEMPT_WINDOW_S = 600;

export type Member = { readonly regionIndex: number; readonly memberIndex: number };
export type Sessions = {
  /** @throws GridError capacity_exceeded beyond PAIRINGS_MAX waiting codes */
  pair(member: Member): Promise<{ code: string; expiresS: number }>;
  /**
   * Opens a session and uses up the code.
   *
   * @throws GridError pairing_invalid, attempts_exceeded, capacity_exceeded
   */
  open(request: { code: string; address: string }): Promise<Member & { token: string }>;
  /** The session's member, or null where the token opens none (any more). */
  find(token: string): Promise<Member | null>;
  close(token: string): Promise<void>;
};

export function createSessions({
  store,
  clock,
  random,
}: {
  store: SessionStore;
  /** Real time. */
  clock: Clock;
  /** Unpredictable bytes. */
  random: (length: number) => Uint8Array;
}): Sessions {
  const attempts = new Attempts(clock);
  const oneByOne = createQueue();
  const member = ({ regionIndex, memberIndex }: MemberGrant): Member => {
    return { regionIndex, memberIndex };
  };
  const live = async (kind: MemberGrant["kind"], secret: string) => {
    const grant = await store.get({ kind, hash: hashOf(secret) });
    if (grant === null || grant.kind === "auditor") return null;
    return grant.expiresS > clock.nowS() ? grant : null;
  };
  return {
    pair: (to) =>
      oneByOne(async () => {
        await makeRoom({ store, clock, kind: "pairing", max: PAIRINGS_MAX });
        const code = newCode(random);
        const expiresS = clock.nowS() + PAIRING_S;
        const grant: MemberGrant = { kind: "pairing", hash: hashOf(code), ...to, expiresS };
        await store.replace({ remove: [], add: [grant] });
        return { code, expiresS };
      }),
    open: ({ code, address }) =>
      oneByOne(async () => {
        attempts.refuseBeyondMax(address);
        const pairing = await live("pairing", normalise(code));
        if (pairing === null) {
          attempts.count(address);
          throw new GridError("pairing_invalid", "this code is wrong, used up or expired", {
            what: "code",
          });
        }
        await makeRoom({ store, clock, kind: "session", max: SESSIONS_MAX });
        const token = toHex(random(32));
        const expiresS = clock.nowS() + SESSION_S;
        const session: MemberGrant = { ...pairing, kind: "session", hash: hashOf(token), expiresS };
        await store.replace({ remove: [pairing], add: [session] });
        return { ...member(pairing), token };
      }),
    find: async (token) => {
      const session = await live("session", token);
      return session === null ? null : member(session);
    },
    close: (token) =>
      store.replace({ remove: [{ kind: "session", hash: hashOf(token) }], add: [] }),
  };
}

function newCode(random: (length: number) => Uint8Array): string {
  const bytes = random(CODE_LENGTH);
  assert(bytes.length === CODE_LENGTH, "the random source gives as many bytes as asked for");
  return Array.from(bytes, (byte) => CODE_ALPHABET[byte % CODE_ALPHABET.length]).join("");
}

/** As a person may type it: any case, with spaces or dashes, O for 0 and I or L for 1. */
function normalise(code: string): string {
  return code.toUpperCase().replace(/[\s-]/g, "").replace(/O/g, "0").replace(/[IL]/g, "1");
}

/** Wrong codes in fixed windows; at most PAIRING_ATTEMPTS_MAX addresses are remembered. */
class Attempts {
  readonly #clock: Clock;
  readonly #byAddress = new Map<string, number>();
  #total = 0;
  #window = -1;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** @throws GridError attempts_exceeded */
  refuseBeyondMax(address: string): void {
    const window = Math.floor(this.#clock.nowS() / ATTEMPT_WINDOW_S);
    if (window !== this.#window) {
      this.#byAddress.clear();
      this.#total = 0;
      this.#window = window;
    }
    const ofAddress = this.#byAddress.get(address) ?? 0;
    const isOver =
      ofAddress >= PAIRING_ATTEMPTS_PER_ADDRESS_MAX || this.#total >= PAIRING_ATTEMPTS_MAX;
    if (!isOver) return;
    const retryAfterS = (window + 1) * ATTEMPT_WINDOW_S - this.#clock.nowS();
    throw new GridError("attempts_exceeded", `too many wrong codes: wait ${retryAfterS} s`, {
      retryAfterS,
    });
  }

  count(address: string): void {
    this.#total++;
    this.#byAddress.set(address, (this.#byAddress.get(address) ?? 0) + 1);
  }
}

/** Runs tasks one after another, so that a code cannot be used twice at once. */
function createQueue(): <T>(task: () => Promise<T>) => Promise<T> {
  let tail: Promise<unknown> = Promise.resolve();
  return (task) => {
    const run = tail.then(task);
    tail = run.catch(() => undefined); // the caller has the failure; the next task is not its
    return run;
  };
}
