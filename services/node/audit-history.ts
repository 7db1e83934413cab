/**
 * The records that blocks leave for good, such as slot records and their proofs: compared with what
 * the source holds, in the order in which the replay made them, a page at a time and behind the
 * replay, so that neither waits for the other.
 *
 * Safe because a difference is never overtaken: whoever ends an audit settles what waits here
 * first.
 */
import type { StoreChange } from "../chain/abci.ts";
import type { AuditSource } from "../chain/audit-source.ts";
import { type Difference, recordDifference } from "../chain/record-difference.ts";
import { GridError } from "../primitives/errors.ts";
import { AUDIT_PAGE_BYTES_MAX, AUDIT_RECORDS_PER_PAGE_MAX } from "../primitives/limits.ts";
import type { Genesis } from "../wire/genesis.ts";
import { refuse } from "./audit-finding.ts";
import { KeyRuns } from "./key-runs.ts";

type Expected = {
  readonly block: number;
  readonly key: string;
  readonly computed: Uint8Array | null;
};

export class HistoryComparison {
  readonly #source: AuditSource;
  readonly #genesis: Genesis;
  readonly #regionOf: (key: string) => string | null;
  readonly #made = new KeyRuns();
  #waiting: Expected[] = [];
  #waitingBytes = 0;
  #comparing: Promise<void> = Promise.resolve();

  constructor(parts: {
    readonly source: AuditSource;
    readonly genesis: Genesis;
    /** The region's id in a key, for whoever reads the finding. */
    readonly regionOf: (key: string) => string | null;
  }) {
    this.#source = parts.source;
    this.#genesis = parts.genesis;
    this.#regionOf = parts.regionOf;
  }

  /** A record that the replay made in this block. */
  expect(block: number, { key, value }: StoreChange): void {
    this.#waiting.push({ block, key, computed: value });
    this.#waitingBytes += value?.length ?? 0;
    this.#made.add(key);
  }

  /** Whether the replay made a record of this key. */
  made(key: string): boolean {
    return this.#made.has(key);
  }

  /** Starts a comparison where a page waits; one is under way at a time. */
  async proceed(): Promise<void> {
    const isPage =
      this.#waiting.length >= AUDIT_RECORDS_PER_PAGE_MAX ||
      this.#waitingBytes >= AUDIT_PAGE_BYTES_MAX;
    if (!isPage) return;
    await this.#comparing;
    this.#start();
  }

  /** Compares everything that waits. @throws Diverged, or what the source throws */
  async settle(): Promise<void> {
    await this.#comparing;
    this.#start();
    await this.#comparing;
  }

  #start(): void {
    const batch = this.#waiting;
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#comparing = this.#compare(batch);
    this.#comparing.catch(() => undefined); // met by the next one who waits for it
  }

  async #compare(batch: readonly Expected[]): Promise<void> {
    for (let at = 0; at < batch.length; ) {
      const asked = batch.slice(at, at + AUDIT_RECORDS_PER_PAGE_MAX);
      const records = await this.#source.records(asked.map(({ key }) => key));
      if (records.length === 0) {
        const value = asked[0]!.key;
        throw new GridError("resource_unknown", `${this.#source.name} does not answer`, {
          what: "record",
          value,
        });
      }
      records.forEach((stored, i) => {
        const { block, key, computed } = asked[i]!;
        const difference = boundedDifference(this.#genesis, { key, stored, computed });
        refuse({ block, region: this.#regionOf(key), record: key }, difference);
      });
      at += records.length;
    }
  }
}

/** Bytes that are far longer than the truth are not worth reading field by field. */
export function boundedDifference(
  genesis: Genesis,
  record: {
    readonly key: string;
    readonly stored: Uint8Array | null;
    readonly computed: Uint8Array | null;
  },
): Difference | null {
  const { stored, computed } = record;
  const longest = 4096 + 2 * (computed?.length ?? 0);
  if (stored === null || stored.length <= longest) return recordDifference(genesis, record);
  return {
    field: "length",
    stored: String(stored.length),
    computed: String(computed?.length ?? 0),
  };
}
