/** Where a replay begins: at genesis, or at a state that somebody has reason to trust. */
import type { UnixSeconds } from "../primitives/units.ts";
import type { Genesis } from "../wire/genesis.ts";
import type { Header } from "../wire/header.ts";

export type AuditStart = {
  readonly height: number; // 0: genesis
  readonly timeS: UnixSeconds; // of that block; genesis time at height 0
  readonly records: ReadonlyMap<string, Uint8Array>; // of the state; none at genesis
  readonly parent: Header | null; // of that block, where it is known
  /** Whether a key that is no part of the state may be older than the start. */
  holds(key: string): boolean;
};

export function genesisStart(genesis: Genesis): AuditStart {
  return {
    height: 0,
    timeS: genesis.genesisTimeS as UnixSeconds,
    records: new Map(),
    parent: null,
    holds: () => false,
  };
}
