/**
 * Where pairing codes, sessions and auditors' tokens are kept: by the SHA-256 of the secret, never
 * the secret, so a copy of the database opens nothing. The kinds stand apart: a token of one kind
 * is not found as another.
 */
import { decode, encode } from "../primitives/codec.ts";
import { GridError } from "../primitives/errors.ts";
import type { KeyValues } from "./key-values.ts";

export type GrantKind = "pairing" | "session" | "auditor";
export type GrantKey = { readonly kind: GrantKind; readonly hash: string }; // 64 hex digits
/** The right to act as a member, until it expires. */
export type MemberGrant = {
  readonly kind: "pairing" | "session";
  readonly hash: string;
  readonly regionIndex: number;
  readonly memberIndex: number;
  readonly expiresS: number; // real time, unix seconds
};
/** The right to read the chain as it is stored, until it expires. It acts as nobody. */
export type AuditorGrant = {
  readonly kind: "auditor";
  readonly hash: string;
  readonly expiresS: number;
};
export type Grant = MemberGrant | AuditorGrant;

/**
 * Requirements (one shared suite holds every implementation to them):
 * 1. `replace` MUST be atomic, and durable when it resolves; removing what is absent is no fault.
 * 2. `list` answers all grants of a kind, expired ones included, by rising hash.
 */
export type SessionStore = {
  get(key: GrantKey): Promise<Grant | null>;
  replace(change: {
    readonly remove: readonly GrantKey[];
    readonly add: readonly Grant[];
  }): Promise<void>;
  list(kind: GrantKind): Promise<Grant[]>;
};

/** Forgets with the process. */
export class MemorySessionStore implements SessionStore {
  readonly #grants = new Map<string, Grant>();

  async get(key: GrantKey): Promise<Grant | null> {
    return this.#grants.get(keyOf(key)) ?? null;
  }

  async replace({ remove, add }: { remove: readonly GrantKey[]; add: readonly Grant[] }) {
    for (const key of remove) this.#grants.delete(keyOf(key));
    for (const grant of add) this.#grants.set(keyOf(grant), grant);
  }

  async list(kind: GrantKind): Promise<Grant[]> {
    const found = [...this.#grants.values()].filter((grant) => grant.kind === kind);
    return found.sort((a, b) => (a.hash < b.hash ? -1 : 1));
  }
}

export class LevelSessionStore implements SessionStore {
  readonly #database: KeyValues;

  constructor(database: KeyValues) {
    this.#database = database;
  }

  async get(key: GrantKey): Promise<Grant | null> {
    const value = await this.#database.get(keyOf(key));
    return value === undefined ? null : decodeGrant(key, value);
  }

  async replace({ remove, add }: { remove: readonly GrantKey[]; add: readonly Grant[] }) {
    await this.#database.batch(
      [
        ...remove.map((key) => ({ type: "del", key: keyOf(key) }) as const),
        ...add.map((grant) => {
          return { type: "put", key: keyOf(grant), value: encodeGrant(grant) } as const;
        }),
      ],
      { sync: true },
    );
  }

  async list(kind: GrantKind): Promise<Grant[]> {
    const range = { gte: keyOf({ kind, hash: "" }), lte: keyOf({ kind, hash: "g" }) };
    const found: Grant[] = [];
    for await (const [key, value] of this.#database.iterator(range)) {
      found.push(decodeGrant({ kind, hash: key.slice(kind.length + 1) }, value));
    }
    return found;
  }
}

function keyOf({ kind, hash }: GrantKey): string {
  return `${kind}/${hash}`;
}

function encodeGrant(grant: Grant): Uint8Array {
  if (grant.kind === "auditor") return encode([grant.expiresS]);
  return encode([grant.regionIndex, grant.memberIndex, grant.expiresS]);
}

function decodeGrant({ kind, hash }: GrantKey, bytes: Uint8Array): Grant {
  const fields = decode(bytes);
  const count = kind === "auditor" ? 1 : 3;
  if (!Array.isArray(fields) || fields.length !== count) {
    throw new GridError("bytes_malformed", "not a grant", { what: "grant", offset: 0 });
  }
  if (kind === "auditor") return { kind, hash, expiresS: fields[0] as number };
  const [regionIndex, memberIndex, expiresS] = fields as number[];
  return { kind, hash, regionIndex: regionIndex!, memberIndex: memberIndex!, expiresS: expiresS! };
}
