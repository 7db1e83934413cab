/** What rights of every kind share: how a secret is kept, and room for a new one. */
import { sha256 } from "../crypto/hash.ts";
import { toHex, utf8 } from "../primitives/bytes.ts";
import type { Clock } from "../primitives/clock.ts";
import { GridError } from "../primitives/errors.ts";
import type { GrantKind, SessionStore } from "./session-store.ts";

/** Under which a secret's grant is kept. */
export function hashOf(secret: string): string {
  return toHex(sha256(utf8(secret)));
}

/**
 * Removes the expired of a kind.
 *
 * @param parts.clock - real time
 * @throws GridError capacity_exceeded where the rest fills the store
 */
export async function makeRoom(parts: {
  readonly store: SessionStore;
  readonly clock: Clock;
  readonly kind: GrantKind;
  readonly max: number;
}): Promise<void> {
  const { store, clock, kind, max } = parts;
  const grants = await store.list(kind);
  const expired = grants.filter(({ expiresS }) => expiresS <= clock.nowS());
  if (expired.length > 0) await store.replace({ remove: expired, add: [] });
  if (grants.length - expired.length < max) return;
  throw new GridError("capacity_exceeded", `no more than ${max} ${kind}s at once`, {
    what: kind,
    max,
  });
}
