/** The API over a fixture chain, in process: manual clocks, hand-driven timer, counted faults. */
import { Registry } from "prom-client";
import { type Api, createApi } from "../../../services/api/api.ts";
import type { ApiOptions } from "../../../services/api/options.ts";
import { MemorySessionStore } from "../../../services/api/session-store.ts";
import { MemoryStatementStore } from "../../../services/api/statements.ts";
import { ManualClock } from "../../../services/primitives/clock.ts";
import { createPrng } from "../../../services/primitives/prng.ts";
import { unixSeconds } from "../../../services/primitives/units.ts";
import { READING_CODE } from "../../../services/wire/refusals.ts";
import { type ChainFixture, createChainFixture } from "../../support/chain-fixture.ts";
import { memoryAuditSource } from "../../support/memory-audit-source.ts";

export const OPERATOR_TOKEN = "operator-token-of-the-tests";
/** 2024-06-02T00:00:00Z: real time of the tests. */
const REAL_START_S = 1_717_286_400;

export type Harness = {
  readonly api: Api;
  readonly chain: ChainFixture;
  readonly options: ApiOptions;
  readonly realClock: ManualClock;
  readonly faults: unknown[];
  /** Runs everything that was given to `repeat` once. */
  beat(): void;
  request(path: string, init?: RequestInit): Promise<Response>;
  /** Answers with its JSON, and checks the status. */
  json<T = Record<string, unknown>>(
    path: string,
    init?: RequestInit & { status?: number },
  ): Promise<T>;
  /** A session's token for a member. */
  signIn(region: string, memberIndex: number): Promise<string>;
};

export async function createHarness({
  chain = createChainFixture(),
  slots = 0,
  ...overrides
}: Partial<ApiOptions> & { chain?: ChainFixture; slots?: number } = {}): Promise<Harness> {
  for (let i = 0; i < slots; i++) chain.clearSlot();
  const realClock = new ManualClock(unixSeconds(REAL_START_S));
  const prng = createPrng("session secrets of the tests");
  const faults: unknown[] = [];
  const repeated = new Set<() => void>();
  const options: ApiOptions = {
    chain,
    writer: chain.writer,
    audit: memoryAuditSource(),
    oracle: {
      counters: () => ({ accepted: 12, duplicate: 1, refused: { signature_invalid: 2 } }),
      meterStatus: (regionIndex) =>
        chain.genesis.regions[regionIndex]!.meters.map((_, meter) => ({
          lastIntervalEndS: meter === 0 ? null : 900 * meter,
          refused: meter,
        })),
      keptReading: ({ meterIndex }) => ({
        meterIndex,
        record: Uint8Array.of(0x80),
        salt: new Uint8Array(32).fill(3),
        siblings: Array.from({ length: 17 }, () => new Uint8Array(32)),
      }),
      refusals: async ({ regionIndex, limit }) => ({
        counts: new Map([[READING_CODE.signature_invalid, 2]]),
        rows: [
          {
            code: READING_CODE.signature_invalid,
            deviceId: regionIndex === null ? null : new Uint8Array(16).fill(7),
            recordHash: new Uint8Array(32).fill(9),
            timeS: 1_717_200_060,
            measured: null,
            bound: null,
          },
        ].slice(0, limit),
      }),
    },
    clock: { nowS: () => chain.head().timeS },
    realClock,
    speed: 90,
    statements: new MemoryStatementStore(),
    sessions: new MemorySessionStore(),
    readiness: () => ({ ready: true, reasons: [] }),
    metrics: new Registry(),
    dashboardDirectory: null,
    version: "0.1.0-test",
    timeZone: "Europe/Vienna",
    operatorToken: OPERATOR_TOKEN,
    random: (length) => Uint8Array.from({ length }, () => prng.below(256)),
    repeat: (run) => {
      repeated.add(run);
      return () => repeated.delete(run);
    },
    onFault: (fault) => faults.push(fault),
    ...overrides,
  };
  const api = createApi(options);
  const request = async (path: string, init?: RequestInit) => api.app.request(path, init);
  const json: Harness["json"] = async (path, { status = 200, ...init } = {}) => {
    const response = await request(path, init);
    const text = await response.text();
    if (response.status !== status) throw new Error(`${path}: ${response.status} ${text}`);
    return JSON.parse(text);
  };
  return {
    api,
    chain,
    options,
    realClock,
    faults,
    beat: () => {
      for (const run of [...repeated]) run();
    },
    request,
    json,
    signIn: async (region, memberIndex) => {
      const genesisRegion = chain.genesis.regions.find(({ id }) => id === region)!;
      const { code } = await json<{ code: string }>("/api/v1/pairings", {
        ...post({ region, member: genesisRegion.members[memberIndex]!.label }, OPERATOR_TOKEN),
        status: 201,
      });
      const opened = await json<{ token: string }>("/api/v1/session", {
        ...post({ code }),
        status: 201,
      });
      return opened.token;
    },
  };
}

export function bearer(token: string): RequestInit {
  return { headers: { Authorization: `Bearer ${token}` } };
}

export function post(body: unknown, token?: string): RequestInit {
  return {
    method: "POST",
    headers: {
      "Content-Type": "application/json",
      ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }),
    },
    body: typeof body === "string" ? body : JSON.stringify(body),
  };
}
