/**
 * The pairing session of this browser. The token itself is a cookie that no script can read; kept
 * here is only whose session it is, until the node refuses it or the member unpairs.
 */
import { computed, signal } from "@preact/signals";
import { api } from "./api-client.ts";

export type Paired = { readonly region: string; readonly label: string };

const STORAGE_KEY = "gridlane.session";

export const session = signal<Paired | null>(stored());
/** Names the session in keys of what was asked for with it. */
export const sessionKey = computed(() => {
  const paired = session.value;
  return paired === null ? "visitor" : `${paired.region} ${paired.label}`;
});
/** True after the node refused a session that this browser had: the page says why it is gone. */
export const sessionEnded = signal(false);

/** @throws ApiFailure when the code is unknown, used or expired */
export async function pair(code: string): Promise<void> {
  const { region, label } = await api.pair(code, {});
  session.value = { region, label };
  sessionEnded.value = false;
  store(session.value);
}

/** Ends the session at the node too. @throws ApiFailure when the node does not answer */
export async function unpair(): Promise<void> {
  await api.unpair({});
  session.value = null;
  store(null);
}

/** The node does not know the session any more. */
export function endSession(): void {
  if (session.value === null) return;
  session.value = null;
  sessionEnded.value = true;
  store(null);
}

function stored(): Paired | null {
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(STORAGE_KEY) ?? "null");
    return isPaired(kept) ? { region: kept.region, label: kept.label } : null;
  } catch {
    return null;
  }
}

function isPaired(value: unknown): value is Paired {
  if (typeof value !== "object" || value === null) return false;
  const { region, label } = value as Partial<Paired>;
  return typeof region === "string" && typeof label === "string";
}

function store(paired: Paired | null): void {
  try {
    if (paired === null) localStorage.removeItem(STORAGE_KEY);
    else localStorage.setItem(STORAGE_KEY, JSON.stringify(paired));
  } catch {
    // Without storage the page forgets who it is for when it closes.
  }
}
