/** What the composition root hands to the API. Everything impure comes in here. */
import type { Registry } from "prom-client";
import type { ChainReader, ChainWriter } from "../chain/access.ts";
import type { AuditSource } from "../chain/audit-source.ts";
import type { KeptReading } from "../chain/proofs.ts";
import type { Clock } from "../primitives/clock.ts";
import type { Slot } from "../primitives/units.ts";
import type { SessionStore } from "./session-store.ts";
import type { StatementStore } from "./statements.ts";

/** The oracle as far as the API shows it. */
export type OracleView = {
  /** Since the process started. */
  counters(): {
    readonly accepted: number;
    readonly duplicate: number;
    readonly refused: Readonly<Record<string, number>>; // by code name
  };
  /** By meter index of the region. */
  meterStatus(regionIndex: number): readonly {
    readonly lastIntervalEndS: number | null;
    readonly refused: number;
  }[];
  /** The owner's signed record behind a slot's report; null: none, or erased. */
  keptReading(at: {
    readonly regionIndex: number;
    readonly slot: Slot;
    readonly meterIndex: number;
  }): KeptReading | null;
  refusals(query: {
    readonly regionIndex: number | null; // null: records whose topic names no region
    readonly day: number; // of market time, floor(unix s / 86400)
    readonly limit: number; // rows
  }): Promise<{
    readonly counts: ReadonlyMap<number, number>; // by code, of the whole day
    readonly rows: readonly {
      readonly code: number;
      readonly deviceId: Uint8Array | null;
      readonly recordHash: Uint8Array;
      readonly timeS: number;
      readonly measured: number | null;
      readonly bound: number | null;
    }[]; // newest first
  }>;
};

export type ApiOptions = {
  readonly chain: ChainReader;
  readonly writer: ChainWriter;
  /** The chain as it is stored, for auditors. */
  readonly audit: AuditSource;
  readonly oracle: OracleView;
  /** Market time. */
  readonly clock: Clock;
  /** Real time: codes and sessions expire by it, however fast the market runs. */
  readonly realClock: Clock;
  /** Market seconds per real second; null: driven by readings. */
  readonly speed: number | null;
  readonly statements: StatementStore;
  readonly sessions: SessionStore;
  readonly readiness: () => { readonly ready: boolean; readonly reasons: readonly string[] };
  readonly metrics: Registry;
  /** Built dashboard; null: none is served. */
  readonly dashboardDirectory: string | null;
  readonly version: string;
  readonly timeZone: string; // IANA name
  /** Opens pairing and the refusal log to the operator. */
  readonly operatorToken: string;
  /** Unpredictable bytes. */
  readonly random: (length: number) => Uint8Array;
  /** Calls `run` again and again in real time; returns the way to stop. */
  readonly repeat: (run: () => void, intervalMs: number) => () => void;
  /** Told of faults that are the program's, not the request's: to log, or to stop on. */
  readonly onFault: (fault: unknown) => void;
};
