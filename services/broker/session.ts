/** What the embedded broker knows of one connection, and whether it may log in. */
import type { ConnectPacket } from "aedes";
import { toHex } from "../primitives/bytes.ts";
import type { AccessRules, Principal, Publication } from "./access-rules.ts";
import { ReadingWindow } from "./reading-window.ts";

/** Codes of a CONNACK that refuses (MQTT 3.1.1, section 3.2.2.3). */
export const CONNACK = { identifier_rejected: 2, not_authorized: 5 } as const;
export type Refusal = (typeof CONNACK)[keyof typeof CONNACK];

export type Session = {
  readonly window: ReadingWindow;
  readonly hasEmptyId: boolean;
  readonly isClean: boolean;
  readonly will: Publication | null;
  readonly filters: Set<string>; // granted so far
  principal: Principal | null; // null before CONNECT was accepted
  waitingForwards: number;
};

export function openSession({ clientId, clean, will }: ConnectPacket): Session {
  return {
    window: new ReadingWindow(),
    hasEmptyId: clientId === "",
    isClean: clean === true,
    will: will === undefined ? null : { topic: will.topic, retain: will.retain === true },
    filters: new Set(),
    principal: null,
    waitingForwards: 0,
  };
}

/** MQTT-3.1.3-8: a session needs a name; aedes would make one up (aedes #1095). */
export function isNameless(session: Session): boolean {
  return session.hasEmptyId && !session.isClean;
}

/** Whether the principal may open this session: its own id, and a will it could publish itself. */
export function maySignIn({
  session,
  principal,
  login,
  rules,
}: {
  session: Session;
  principal: Principal;
  login: { readonly clientId: string; readonly username: string };
  rules: AccessRules;
}): boolean {
  if (principal.kind === "device") {
    const id = toHex(principal.deviceId);
    if (login.clientId !== id || login.username !== id) return false;
  }
  return session.will === null || rules.mayPublish(principal, session.will);
}
