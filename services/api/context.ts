/** What all routes share: who asks, which region is meant, and what may be shown of it. */
import type { HttpBindings } from "@hono/node-server";
import type { Context } from "hono";
import { getCookie } from "hono/cookie";
import { sha256 } from "../crypto/hash.ts";
import { bytesEqual, toHex0x, utf8 } from "../primitives/bytes.ts";
import { GridError } from "../primitives/errors.ts";
import { AGGREGATE_METERS_MIN } from "../primitives/limits.ts";
import { slotAt, unixSeconds } from "../primitives/units.ts";
import type { Status } from "../wire/api.ts";
import type { Genesis, GenesisRegion } from "../wire/genesis.ts";
import { QUALITY } from "../wire/report.ts";
import { type Auditors, createAuditors } from "./auditors.ts";
import type { ApiOptions } from "./options.ts";
import { createReadModel, type ReadModel } from "./read-model.ts";
import { createSessions, type Member, type Sessions } from "./sessions.ts";

/** In-process requests have no socket behind them. */
export type ApiEnv = { Bindings: Partial<HttpBindings> };
export const SESSION_COOKIE = "gridlane_session";

export type ApiContext = {
  readonly options: ApiOptions;
  readonly genesis: Genesis;
  readonly readModel: ReadModel;
  readonly sessions: Sessions;
  readonly auditors: Auditors;
  /** @throws GridError resource_unknown */
  region(id: string): { readonly regionIndex: number; readonly region: GenesisRegion };
  /** Enough meters that its sums show no household. */
  isShown(regionIndex: number): boolean;
  /** @throws GridError group_small */
  requireShown(regionIndex: number): void;
  status(): Promise<Status>;
  /** The session's member; null without a valid session. */
  memberOf(c: Context<ApiEnv>): Promise<Member | null>;
  /** @throws GridError unauthenticated */
  requireMember(c: Context<ApiEnv>): Promise<Member>;
  /** @throws GridError unauthenticated */
  requireOperator(c: Context<ApiEnv>): void;
};

export function createContext(options: ApiOptions): ApiContext {
  const { chain, operatorToken, realClock, random } = options;
  const { genesis } = chain;
  const readModel = createReadModel(options);
  const sessions = createSessions({ store: options.sessions, clock: realClock, random });
  const auditors = createAuditors({ store: options.sessions, clock: realClock, random });
  const indexOf = new Map(genesis.regions.map((region, i) => [region.id, i]));
  const operatorHash = sha256(utf8(operatorToken));
  const isShown = (regionIndex: number) =>
    readModel.layout(regionIndex).gridMeters >= AGGREGATE_METERS_MIN;
  const memberOf: ApiContext["memberOf"] = async (c) => {
    const token = sessionToken(c);
    return token === null ? null : sessions.find(token);
  };
  return {
    options,
    genesis,
    readModel,
    sessions,
    auditors,
    region: (id) => {
      const regionIndex = indexOf.get(id);
      if (regionIndex === undefined) throw unknown("region", id);
      return { regionIndex, region: genesis.regions[regionIndex]! };
    },
    isShown,
    requireShown: (regionIndex) => {
      if (!isShown(regionIndex)) throw groupSmall(genesis.regions[regionIndex]!.id);
    },
    status: () => readStatus(options, readModel),
    memberOf,
    requireMember: async (c) => {
      const member = await memberOf(c);
      if (member === null) throw unauthenticated("session");
      return member;
    },
    requireOperator: (c) => {
      const token = bearerToken(c);
      // Of hashes, so that the time it takes says nothing about the token.
      if (token === null || !bytesEqual(sha256(utf8(token)), operatorHash)) {
        throw unauthenticated("operator token");
      }
    },
  };
}

/** The bearer token, or else the cookie's. */
export function sessionToken(c: Context<ApiEnv>): string | null {
  return bearerToken(c) ?? getCookie(c, SESSION_COOKIE) ?? null;
}

export function bearerToken(c: Context<ApiEnv>): string | null {
  return c.req.header("Authorization")?.match(/^Bearer ([\w.~+/=-]+)$/i)?.[1] ?? null;
}

export function unknown(what: string, value: string): GridError {
  const shown = value.length > 80 ? `${value.slice(0, 80)}...` : value;
  return new GridError("resource_unknown", `there is no ${what} ${shown}`, { what, value: shown });
}

export function groupSmall(what: string): GridError {
  const metersMin = AGGREGATE_METERS_MIN;
  const message = `${what} has fewer than ${metersMin} meters: its sums would show a household`;
  return new GridError("group_small", message, { what, metersMin });
}

function unauthenticated(needs: string): GridError {
  return new GridError("unauthenticated", `this needs a valid ${needs}`, { needs });
}

async function readStatus(options: ApiOptions, readModel: ReadModel): Promise<Status> {
  await readModel.warmed;
  const { chain, clock, oracle, speed, timeZone, version } = options;
  const { genesis } = chain;
  const head = chain.head();
  let [members, metersRegistered, metersReporting] = [0, 0, 0];
  genesis.regions.forEach((region, regionIndex) => {
    members += region.members.length;
    metersRegistered += region.meters.length;
    const quality = readModel.lastRecord(regionIndex)?.quality ?? new Uint8Array(0);
    for (const letter of quality) if (letter !== QUALITY.missing) metersReporting++;
  });
  const counters = oracle.counters();
  return {
    networkId: genesis.networkId,
    chainId: genesis.chainId,
    chainVersion: head.chainVersion,
    version,
    currency: genesis.currency,
    timeZone,
    slotS: genesis.slotS,
    retailUcPerWh: genesis.retailUcPerWh,
    feedInUcPerWh: genesis.feedInUcPerWh,
    height: head.height,
    appHash: toHex0x(head.appHash),
    blockTimeS: head.timeS,
    marketTimeS: clock.nowS(),
    speed,
    genesisSlot: slotAt(unixSeconds(genesis.genesisTimeS), genesis.slotS),
    lastSlot: head.lastClearedSlot,
    clearedSlots: head.clearedSlots,
    regions: genesis.regions.length,
    members,
    metersRegistered,
    metersReporting,
    readingsAccepted: counters.accepted,
    readingsRefused: { ...counters.refused },
  };
}
