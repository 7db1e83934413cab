/**
 * A chain as an auditor reads it, wherever it lies: a stopped node's directory, or somebody else's
 * node over HTTP. Nothing else is known of it, and nothing of it is believed.
 *
 * Requirements (one shared suite holds every implementation to them):
 * 1. Entries MUST be the stored bytes, neither mended nor left out.
 * 2. A page MUST hold at least one entry where there is one, and MUST end by AUDIT_PAGE_BYTES_MAX
 *    (the entry that passes them is the last) or by its count.
 * 3. A page of keys or of state MUST come from one instant, and say which.
 * 4. What cannot be read MUST be a GridError.
 */
import type { AuditHead, BlockBytes, KeyPage, StatePage } from "../wire/audit-page.ts";

export type AuditSource = {
  /** For messages: the directory, or the address. */
  readonly name: string;
  head(): Promise<AuditHead>;
  /**
   * The first blocks of a range, in order; as many as fit a page. Empty where `fromHeight` is above
   * the highest block.
   *
   * @param range.fromHeight - a stored height; @param range.toHeight - inclusive
   */
  blocks(range: {
    readonly fromHeight: number;
    readonly toHeight: number;
  }): Promise<readonly BlockBytes[]>;
  /**
   * Records of the application under the first of the keys, as many as fit a page; null for a key
   * that has none.
   *
   * @param keys - from 1 to AUDIT_RECORDS_PER_PAGE_MAX
   */
  records(keys: readonly string[]): Promise<readonly (Uint8Array | null)[]>;
  /** @param after - empty, or `next` of the page before */
  keys(after: string): Promise<KeyPage>;
  /** @param after - empty, or `next` of the page before */
  state(after: string): Promise<StatePage>;
};
