/** What every AuditSource must do: the numbered requirements of `audit-source.ts`. */
import { expect, test } from "vitest";
import type { AuditSource } from "../../../services/chain/audit-source.ts";
import { isStateKey } from "../../../services/chain/store-keys.ts";
import { sha256 } from "../../../services/crypto/hash.ts";
import { toHex } from "../../../services/primitives/bytes.ts";
import { AUDIT_RECORDS_PER_PAGE_MAX } from "../../../services/primitives/limits.ts";
import type { MemoryChain } from "../../support/memory-audit-source.ts";

/** Megabytes are compared by their hashes. */
function digest(bytes: Uint8Array | null): string {
  return bytes === null ? "none" : `${bytes.length} ${toHex(sha256(bytes))}`;
}

/** @param open - a source of this chain, whose state has been committed up to its last block */
export function auditSourceSuite(
  open: () => Promise<{
    readonly source: AuditSource;
    readonly chain: MemoryChain;
    close(): Promise<void>;
  }>,
): void {
  const using = async (
    work: (source: AuditSource, chain: MemoryChain) => Promise<void>,
  ): Promise<void> => {
    const { source, chain, close } = await open();
    try {
      await work(source, chain);
    } finally {
      await close();
    }
  };

  test("the head is what is stored", () =>
    using(async (source, chain) => {
      expect(await source.head()).toEqual(chain.head);
      expect(source.name).not.toBe("");
    }));

  test("blocks come in order, at least one a page, and none beyond the last", () =>
    using(async (source, { blocks }) => {
      const found = [];
      for (let from = 1; from <= blocks.length; ) {
        const page = await source.blocks({ fromHeight: from, toHeight: blocks.length });
        expect(page.length).toBeGreaterThan(0);
        found.push(...page);
        from += page.length;
      }
      expect(found).toEqual(blocks);
      expect(await source.blocks({ fromHeight: 2, toHeight: 2 })).toEqual([blocks[1]]);
      const beyond = { fromHeight: blocks.length + 1, toHeight: blocks.length + 9 };
      expect(await source.blocks(beyond)).toEqual([]);
    }));

  test("records come by key, null where there is none", () =>
    using(async (source, { records }) => {
      const keys = ["none/0000", ...records.keys()].slice(0, AUDIT_RECORDS_PER_PAGE_MAX);
      const found: (Uint8Array | null)[] = [];
      while (found.length < keys.length) {
        const page = await source.records(keys.slice(found.length));
        expect(page.length).toBeGreaterThan(0);
        found.push(...page);
      }
      expect(found.map(digest)).toEqual(keys.map((key) => digest(records.get(key) ?? null)));
    }));

  test("a walk over the keys meets each once, and the strays", () =>
    using(async (source, { records, strays, head }) => {
      const keys: string[] = [];
      const odd: string[] = [];
      for (let after: string | null = ""; after !== null; ) {
        const page = await source.keys(after);
        expect(page.height).toBe(head.blocks);
        keys.push(...page.keys);
        odd.push(...page.strays);
        after = page.next;
      }
      expect(keys).toEqual([...records.keys()].sort());
      expect(odd).toEqual(strays);
    }));

  test("a walk over the state meets each record once, all of one height", () =>
    using(async (source, { records, head }) => {
      const found = new Map<string, string>();
      for (let after: string | null = ""; after !== null; ) {
        const page = await source.state(after);
        expect(page.state).toEqual(head.state);
        for (const { key, value } of page.records) found.set(key, digest(value));
        after = page.next;
      }
      const state = [...records].filter(([key]) => isStateKey(key));
      const stored = state.map(([key, value]) => [key, digest(value)] as [string, string]);
      expect([...found]).toEqual(stored.sort(([a], [b]) => (a < b ? -1 : 1)));
    }));
}
