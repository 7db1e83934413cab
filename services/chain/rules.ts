/**
 * What genesis fixes, prepared once for execution: rosters, the committee, lines of the market.
 * Refuses a genesis whose keys could not be trusted later.
 */

import { verifyBlsPossession } from "../crypto/bls.ts";
import { isRegistrableEd25519Key } from "../crypto/ed25519.ts";
import type { Line } from "../market/network.ts";
import { fromHex } from "../primitives/bytes.ts";
import { GridError } from "../primitives/errors.ts";
import { type Slot, slotAt, type UnixSeconds } from "../primitives/units.ts";
import type { LineCapacities } from "../settlement/book.ts";
import { createRoster, type Roster } from "../settlement/roster.ts";
import type { RetailerPrices } from "../settlement/slot.ts";
import {
  type ForwardLaw,
  forwardLaw,
  type Genesis,
  genesisHash,
  type Mechanism,
  oracleConfigDigest,
  oracleQuorum,
} from "../wire/genesis.ts";
import { createDirectory, type Directory } from "./admission.ts";

export type RegionRules = {
  readonly roster: Roster;
  readonly mechanism: Mechanism;
  readonly gridMembers: ReadonlySet<number>; // members who have a meter to deliver at
  readonly touchingLines: readonly number[]; // genesis lines that start or end here, rising
  readonly lineCapacities: LineCapacities; // of the market's lines
};

/** The coupled market: nodes are the regions under the uniform price, in the order of genesis. */
export type MarketRules = {
  readonly regionOfNode: readonly number[];
  readonly lines: readonly Line[]; // between nodes
  readonly lineOfGenesis: Int32Array; // genesis line -> position in `lines`, -1: not in the market
  readonly genesisLine: readonly number[]; // position in `lines` -> genesis line
};

/** The forward market: all regions are nodes, by index; the coupled market's lines join them. */
export type ForwardRules = {
  readonly law: ForwardLaw;
  readonly lines: readonly Line[]; // the market's, between regions
  readonly genesisLine: readonly number[]; // position in `lines` -> genesis line
  /** Genesis line -> the line that runs the other way beside it, -1 where there is none. */
  readonly twin: Int32Array;
};

/** A line of genesis between its regions' indexes. */
export type GenesisLine = {
  readonly from: number;
  readonly to: number;
  readonly feeUcPerWh: number;
};

/**
 * What the steps of lanes may know of genesis: plain data, as workers are handed a copy. It grows
 * with regions and meters, but never holds their keys and names.
 */
export type LaneRules = Pick<Rules, "lines" | "retailer"> & {
  readonly regions: readonly LaneRegion[];
  readonly forward: Pick<ForwardRules, "law">;
};
export type LaneRegion = Omit<RegionRules, "gridMembers">;

export type Rules = {
  readonly genesis: Genesis;
  readonly genesisHash: Uint8Array;
  readonly firstSlot: Slot; // starts at genesis time
  readonly regions: readonly RegionRules[];
  readonly lines: readonly GenesisLine[]; // of genesis, in its order
  readonly indexOfRegion: ReadonlyMap<string, number>; // by id
  readonly market: MarketRules;
  readonly forward: ForwardRules;
  readonly retailer: RetailerPrices;
  readonly directory: Directory;
  readonly committee: {
    readonly publicKeys: readonly Uint8Array[]; // BLS, possession proved
    readonly quorum: number;
    readonly configDigest: Uint8Array;
  };
};

/** @throws GridError config_invalid where a key of genesis cannot be trusted */
export function createRules(genesis: Genesis): Rules {
  const market = marketRules(genesis);
  const indexOfRegion = new Map(genesis.regions.map(({ id }, r) => [id, r]));
  return {
    genesis,
    genesisHash: genesisHash(genesis),
    firstSlot: slotAt(genesis.genesisTimeS as UnixSeconds, genesis.slotS),
    regions: genesis.regions.map((region, r) => ({
      roster: createRoster(region),
      mechanism: region.mechanism,
      gridMembers: new Set(
        region.meters.flatMap(({ role, memberIndex }) => {
          return role === "grid" && memberIndex !== null ? [memberIndex] : [];
        }),
      ),
      touchingLines: genesis.lines.flatMap((line, l) => {
        return line.from === region.id || line.to === region.id ? [l] : [];
      }),
      lineCapacities: capacitiesAt(market, market.regionOfNode.indexOf(r)),
    })),
    lines: genesis.lines.map(({ from, to, feeUcPerWh }) => {
      return { from: indexOfRegion.get(from)!, to: indexOfRegion.get(to)!, feeUcPerWh };
    }),
    indexOfRegion,
    market,
    forward: forwardRules(genesis, market),
    retailer: { retailUcPerWh: genesis.retailUcPerWh, feedInUcPerWh: genesis.feedInUcPerWh },
    directory: createDirectory(genesis),
    committee: {
      publicKeys: committeeKeys(genesis),
      quorum: oracleQuorum(genesis),
      configDigest: oracleConfigDigest(genesis),
    },
  };
}

/** The market of the regions for which `takesPart` holds: lines to the others carry nothing. */
export function marketRules(
  genesis: Genesis,
  takesPart: (regionIndex: number) => boolean = () => true,
): MarketRules {
  const regionOfNode = genesis.regions.flatMap((region, r) =>
    region.mechanism === "uniform-price" && takesPart(r) ? [r] : [],
  );
  const nodeOf = new Map(regionOfNode.map((r, node) => [genesis.regions[r]!.id, node]));
  const lines: Line[] = [];
  const lineOfGenesis = new Int32Array(genesis.lines.length).fill(-1);
  genesis.lines.forEach((line, l) => {
    const from = nodeOf.get(line.from);
    const to = nodeOf.get(line.to);
    // A region under another mechanism trades with its retailer alone: its lines carry nothing.
    if (from === undefined || to === undefined) return;
    const { id, capacityWh, feeUcPerWh } = line;
    lineOfGenesis[l] = lines.length;
    lines.push({ id, from, to, capacityWh, feeUcPerWh });
  });
  const genesisLine = genesis.lines.flatMap((_, l) => (lineOfGenesis[l]! < 0 ? [] : [l]));
  return { regionOfNode, lines, lineOfGenesis, genesisLine };
}

function forwardRules(genesis: Genesis, market: MarketRules): ForwardRules {
  const { regionOfNode, genesisLine } = market;
  const lines = market.lines.map((line) => {
    return { ...line, from: regionOfNode[line.from]!, to: regionOfNode[line.to]! };
  });
  return { law: forwardLaw(genesis), lines, genesisLine, twin: twinLines(genesis) };
}

/** The k-th line from A to B and the k-th from B to A are two directions of one line. */
function twinLines({ lines }: Genesis): Int32Array {
  const between = new Map<string, number[]>();
  lines.forEach(({ from, to }, l) => {
    const way = `${from}>${to}`;
    between.set(way, [...(between.get(way) ?? []), l]);
  });
  return Int32Array.from(lines, ({ from, to }, l) => {
    const rank = between.get(`${from}>${to}`)!.indexOf(l);
    return between.get(`${to}>${from}`)?.[rank] ?? -1;
  });
}

/** Both ways of every line count: what flows forward one way frees room for the other. */
function capacitiesAt(market: MarketRules, node: number): LineCapacities {
  const totalWh = market.lines
    .filter((line) => line.from === node || line.to === node)
    .reduce((total, line) => total + line.capacityWh, 0);
  return { inWh: totalWh, outWh: totalWh };
}

/** Geneses whose committee was checked: a possession proof costs 15 ms. */
const checked = new WeakMap<Genesis, readonly Uint8Array[]>();

/** Aggregates are forgeable with rogue keys, so each key proves its possession. */
function committeeKeys(genesis: Genesis): readonly Uint8Array[] {
  const known = checked.get(genesis);
  if (known !== undefined) return known;
  if (!isRegistrableEd25519Key(fromHex(genesis.sequencerPublicKey))) {
    return refuse("sequencerPublicKey", "is no Ed25519 key that may enter state");
  }
  const keys = genesis.oracle.members.map((member, m) => {
    const publicKey = fromHex(member.blsPublicKey);
    const possession = fromHex(member.blsPossession);
    if (!verifyBlsPossession({ possession, publicKey })) {
      return refuse(`oracle.members[${m}].blsPossession`, "proves no possession of the key");
    }
    return publicKey;
  });
  checked.set(genesis, keys);
  return keys;
}

function refuse(where: string, why: string): never {
  throw new GridError("config_invalid", `genesis: ${where} ${why}`, { file: "genesis" });
}
