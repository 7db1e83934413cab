/** The pairing session of this browser: a bearer token, kept until it is refused or forgotten. */
import { signal } from "@preact/signals";
import type { Session } from "../../../services/wire/api.ts";
import { api } from "./api-client.ts";

const STORAGE_KEY = "gridlane.session";

export const session = signal<Session | null>(stored());
/** True after the node refused a session that this browser had: the page says why it is gone. */
export const sessionEnded = signal(false);

/** @throws ApiFailure when the code is unknown, used or expired */
export async function pair(code: string): Promise<void> {
  const fresh = await api.pair(code, {});
  session.value = fresh;
  sessionEnded.value = false;
  store(JSON.stringify(fresh));
}

export function forgetSession(): void {
  session.value = null;
  store(null);
}

export function endSession(): void {
  if (session.value === null) return;
  forgetSession();
  sessionEnded.value = true;
}

function stored(): Session | null {
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(STORAGE_KEY) ?? "null");
    return isSession(kept) ? kept : null;
  } catch {
    return null;
  }
}

function isSession(value: unknown): value is Session {
  if (typeof value !== "object" || value === null) return false;
  const { token, region, label } = value as Partial<Session>;
  return [token, region, label].every((field) => typeof field === "string");
}

function store(text: string | null): void {
  try {
    if (text === null) localStorage.removeItem(STORAGE_KEY);
    else localStorage.setItem(STORAGE_KEY, text);
  } catch {
    // Without storage the session lasts as long as the page.
  }
}
