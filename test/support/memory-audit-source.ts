/** A chain's stored bytes in memory, as an auditor reads them: small pages, so that walks turn. */
import type { AuditSource } from "../../services/chain/audit-source.ts";
import { isStateKey } from "../../services/chain/store-keys.ts";
import { GridError } from "../../services/primitives/errors.ts";
import type { AuditHead, BlockBytes } from "../../services/wire/audit-page.ts";

export type MemoryChain = {
  readonly head: AuditHead;
  readonly blocks: readonly BlockBytes[]; // from height 1
  readonly records: ReadonlyMap<string, Uint8Array>; // the application's
  readonly strays: readonly string[];
};

const EMPTY: MemoryChain = {
  head: { genesisHash: new Uint8Array(32), base: 1, blocks: 0, state: null },
  blocks: [],
  records: new Map(),
  strays: [],
};

export function memoryAuditSource(chain: MemoryChain = EMPTY, entriesPerPage = 3): AuditSource {
  const sorted = [...chain.records.keys()].sort();
  const pageAfter = (keys: readonly string[], after: string) => {
    const rest = keys.filter((key) => key > after);
    const page = rest.slice(0, entriesPerPage);
    return { page, next: page.length < rest.length ? page.at(-1)! : null };
  };
  return {
    name: "memory",
    head: async () => chain.head,
    blocks: async ({ fromHeight, toHeight }) => {
      if (fromHeight < chain.head.base) {
        throw new GridError("resource_unknown", "no such block", { what: "block", value: "" });
      }
      const until = Math.min(toHeight, fromHeight + entriesPerPage - 1);
      return chain.blocks.slice(fromHeight - 1, until);
    },
    records: async (keys) =>
      keys.slice(0, entriesPerPage).map((key) => chain.records.get(key) ?? null),
    keys: async (after) => {
      const { page, next } = pageAfter(sorted, after);
      const strays = after === "" ? chain.strays : [];
      return { height: chain.head.blocks, keys: page, strays, next };
    },
    state: async (after) => {
      const { page, next } = pageAfter(sorted.filter(isStateKey), after);
      const records = page.map((key) => ({ key, value: chain.records.get(key)! }));
      return { state: chain.head.state, records, next };
    },
  };
}
