/**
 * Genesis: what every participant of a network must agree on before block 1. A JSON file, checked
 * here; its hash names it. Regions, meters and members are numbered by their place in it.
 */
import { z } from "zod";
import { sha256, sha256Stream } from "../crypto/hash.ts";
import { utf8 } from "../primitives/bytes.ts";
import {
  COMMITTEE_MEMBERS_MAX,
  FORWARD_HORIZON_S_MAX,
  LINES_MAX,
  MEMBERS_PER_REGION_MAX,
  METERS_PER_REGION_MAX,
  PRICE_UC_PER_WH_MAX,
  REGIONS_MAX,
  REGISTER_WH_MAX,
  SLOT_ENERGY_WH_MAX,
  SLOT_S_MAX,
  SLOT_S_MIN,
} from "../primitives/limits.ts";
import { REGION_ID_PATTERN } from "./topics.ts";

export const CHAIN_VERSION = 1;

const zHex = (bytes: number) =>
  z.string().regex(new RegExp(`^[0-9a-f]{${2 * bytes}}$`), `must be ${bytes} bytes in hexadecimal`);
const zPrice = z.int().min(-PRICE_UC_PER_WH_MAX).max(PRICE_UC_PER_WH_MAX);
const zRegionId = z.string().regex(REGION_ID_PATTERN, "lower case, digits and dashes, up to 31");

const Limits = z.strictObject({ minSellUcPerWh: zPrice, maxBuyUcPerWh: zPrice });

export const GenesisMember = z.strictObject({
  label: z.string().min(1).max(40), // a pseudonym: genesis is readable by everyone on the chain
  address: zHex(20),
  limits: Limits.optional(), // default: sell at or above feed-in, buy at or below retail
});

export const GenesisMeter = z.strictObject({
  deviceId: zHex(16),
  algorithm: z.enum(["ed25519", "p256"]),
  publicKey: z.string().regex(/^([0-9a-f]{64}|[0-9a-f]{66})$/, "32 or 33 bytes in hexadecimal"),
  /** grid: the billed meter. production: behind it, for ratios. feeder: the region's own check. */
  role: z.enum(["grid", "production", "feeder"]),
  memberIndex: z.int().min(0).nullable(), // null for a feeder meter
  connectionW: z.int().min(1).max(10_000_000),
  openingImportWh: z.int().min(0).max(REGISTER_WH_MAX), // registers at move-in
  openingExportWh: z.int().min(0).max(REGISTER_WH_MAX),
  /**
   * Who vouches for its readings; left out: the meter itself. gateway-signed: it cannot sign, and
   * a gateway beside it does. imported: taken from documents that another system had signed.
   */
  trust: z.enum(["meter-signed", "gateway-signed", "imported"]).optional(),
});

export const GenesisRegion = z.strictObject({
  id: zRegionId,
  name: z.string().min(1).max(60),
  /** The law at genesis. Regions under the uniform price couple with each other over the lines. */
  mechanism: z.enum(["mid-market-rate", "uniform-price"]),
  members: z.array(GenesisMember).min(1).max(MEMBERS_PER_REGION_MAX),
  meters: z.array(GenesisMeter).min(1).max(METERS_PER_REGION_MAX),
});

export const GenesisLine = z.strictObject({
  id: zRegionId,
  from: zRegionId,
  to: zRegionId,
  capacityWh: z.int().min(0).max(SLOT_ENERGY_WH_MAX), // per slot
  feeUcPerWh: z.int().min(0).max(PRICE_UC_PER_WH_MAX), // regulated network charge
});

/**
 * The forward market's law. What is left out has the default that `forwardLaw` gives it: the gate
 * closes 900 s before a slot, orders are taken a day ahead, and a deviation costs what the retailer
 * charges anybody.
 */
export const GenesisForward = z.strictObject({
  gateClosureS: z.int().min(0).max(86_400).optional(), // before the slot starts; whole slots
  horizonS: z.int().min(0).max(FORWARD_HORIZON_S_MAX).optional(), // how far ahead a slot may start
  shortUcPerWh: zPrice.optional(), // paid for energy sold forward and not delivered
  longUcPerWh: zPrice.optional(), // received for energy bought forward and not taken
});

export const Genesis = z
  .strictObject({
    chainVersion: z.literal(CHAIN_VERSION),
    networkId: z.string().regex(/^[a-z0-9][a-z0-9-]{2,39}$/),
    chainId: z.int().min(1).max(0xffff_ffff),
    currency: z.string().regex(/^[A-Z]{3}$/),
    genesisTimeS: z.int().min(0), // start of the first slot
    slotS: z.int().min(SLOT_S_MIN).max(SLOT_S_MAX),
    sequencerPublicKey: zHex(32), // Ed25519
    oracle: z.strictObject({
      members: z
        .array(
          z.strictObject({
            id: zRegionId,
            blsPublicKey: zHex(48),
            blsPossession: zHex(96),
            receiptPublicKey: zHex(32), // Ed25519
          }),
        )
        .min(1)
        .max(COMMITTEE_MEMBERS_MAX),
      faultyMax: z.int().min(0), // f; a quorum is floor((n + f) / 2) + 1
      cutoffS: z.int().min(1).max(86_400), // after a slot's end, when its report closes at last
      correctionWindowS: z
        .int()
        .min(0)
        .max(86_400 * 60),
    }),
    retailUcPerWh: zPrice, // the retailer of last resort sells at this
    feedInUcPerWh: zPrice, // and buys at this
    forward: GenesisForward.optional(),
    regions: z.array(GenesisRegion).min(1).max(REGIONS_MAX),
    lines: z.array(GenesisLine).max(LINES_MAX),
  })
  .superRefine((genesis, context) => {
    const refuse = (path: (string | number)[], message: string) =>
      context.addIssue({ code: "custom", path, message });
    if (genesis.genesisTimeS % genesis.slotS !== 0) {
      refuse(["genesisTimeS"], "must stand on a slot boundary");
    }
    if (genesis.feedInUcPerWh > genesis.retailUcPerWh) {
      refuse(["feedInUcPerWh"], "must not be above retailUcPerWh");
    }
    const law = forwardLaw(genesis);
    if (law.gateClosureS % genesis.slotS !== 0) {
      refuse(["forward", "gateClosureS"], "must be a whole number of slots");
    }
    if (law.horizonS < law.gateClosureS) {
      refuse(["forward", "horizonS"], "must not be below gateClosureS");
    }
    // A deviation must never be a gain.
    if (law.shortUcPerWh < genesis.retailUcPerWh) {
      refuse(["forward", "shortUcPerWh"], "must not be below retailUcPerWh");
    }
    if (law.longUcPerWh > genesis.feedInUcPerWh) {
      refuse(["forward", "longUcPerWh"], "must not be above feedInUcPerWh");
    }
    if (3 * genesis.oracle.faultyMax >= Math.max(genesis.oracle.members.length, 1)) {
      refuse(["oracle", "faultyMax"], "must be below a third of the members");
    }
    const regionIds = genesis.regions.map((region) => region.id);
    const devices = new Set<string>();
    const addresses = new Set<string>();
    genesis.regions.forEach((region, r) => {
      if (regionIds.indexOf(region.id) !== r) refuse(["regions", r, "id"], "is not unique");
      region.members.forEach((member, m) => {
        const path = ["regions", r, "members", m, "address"];
        if (addresses.has(member.address)) refuse(path, "is not unique");
        addresses.add(member.address);
      });
      region.meters.forEach((meter, m) => {
        const path = ["regions", r, "meters", m];
        if (devices.has(meter.deviceId)) refuse([...path, "deviceId"], "is not unique");
        devices.add(meter.deviceId);
        const keyBytes = meter.algorithm === "ed25519" ? 32 : 33;
        if (meter.publicKey.length !== 2 * keyBytes) {
          refuse([...path, "publicKey"], `must be ${keyBytes} bytes for ${meter.algorithm}`);
        }
        const isFeeder = meter.role === "feeder";
        if (isFeeder !== (meter.memberIndex === null)) {
          refuse([...path, "memberIndex"], "is null for a feeder meter and for nothing else");
        }
        if ((meter.memberIndex ?? 0) >= region.members.length) {
          refuse([...path, "memberIndex"], "names no member of the region");
        }
      });
    });
    const lineIds = genesis.lines.map((line) => line.id);
    genesis.lines.forEach((line, l) => {
      if (lineIds.indexOf(line.id) !== l) refuse(["lines", l, "id"], "is not unique");
      if (line.from === line.to) refuse(["lines", l, "to"], "must differ from `from`");
      for (const end of ["from", "to"] as const) {
        if (!regionIds.includes(line[end])) refuse(["lines", l, end], "names no region");
      }
    });
  });

export type Genesis = z.output<typeof Genesis>;
export type GenesisRegion = z.output<typeof GenesisRegion>;
export type GenesisMeter = z.output<typeof GenesisMeter>;
export type GenesisMember = z.output<typeof GenesisMember>;
export type MeterRole = GenesisMeter["role"];
export type MeterTrust = NonNullable<GenesisMeter["trust"]>;
export type Mechanism = GenesisRegion["mechanism"];

/** The forward market's law with nothing left out; long <= feed-in <= retail <= short. */
export type ForwardLaw = {
  readonly gateClosureS: number;
  readonly horizonS: number;
  readonly shortUcPerWh: number;
  readonly longUcPerWh: number;
};

const GATE_CLOSURE_S = 900;
const HORIZON_S = 86_400;

/** The one place where the forward law's defaults stand. */
export function forwardLaw(genesis: {
  readonly slotS: number;
  readonly retailUcPerWh: number;
  readonly feedInUcPerWh: number;
  readonly forward?: z.output<typeof GenesisForward> | undefined;
}): ForwardLaw {
  const { slotS, retailUcPerWh, feedInUcPerWh, forward } = genesis;
  const gateClosureS = forward?.gateClosureS ?? Math.ceil(GATE_CLOSURE_S / slotS) * slotS;
  return {
    gateClosureS,
    horizonS: forward?.horizonS ?? Math.max(HORIZON_S, gateClosureS),
    shortUcPerWh: forward?.shortUcPerWh ?? retailUcPerWh,
    longUcPerWh: forward?.longUcPerWh ?? feedInUcPerWh,
  };
}

/** The one place where the default of `trust` stands. */
export function meterTrust({ trust }: Pick<GenesisMeter, "trust">): MeterTrust {
  return trust ?? "meter-signed";
}

/** SHA-256 of the canonical JSON: keys sorted, no white space. Integers and text only, so exact. */
export function genesisHash(genesis: Genesis): Uint8Array {
  const known = hashes.get(genesis) ?? sha256Stream(piecesOf(genesis));
  hashes.set(genesis, known);
  return known.slice();
}

/** Of a network of a million meters the text is hundreds of megabytes: one region's is not. */
function* piecesOf(genesis: Genesis): Generator<Uint8Array> {
  let before = "{";
  for (const [key, value] of sortedEntries(genesis)) {
    const name = `${before}${JSON.stringify(key)}:`;
    before = ",";
    if (!Array.isArray(value)) {
      yield utf8(name + canonicalJson(value));
      continue;
    }
    yield utf8(`${name}[`);
    for (const [i, item] of value.entries()) yield utf8((i === 0 ? "" : ",") + canonicalJson(item));
    yield utf8("]");
  }
  yield utf8("}");
}

/** A genesis never changes, and that of a million meters takes seconds to write out. */
const hashes = new WeakMap<Genesis, Uint8Array>();

function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const entries = sortedEntries(value);
  return `{${entries.map(([k, item]) => `${JSON.stringify(k)}:${canonicalJson(item)}`).join(",")}}`;
}

function sortedEntries(value: object): [string, unknown][] {
  const entries = Object.entries(value).filter(([, item]) => item !== undefined);
  return entries.sort(([a], [b]) => (a < b ? -1 : 1));
}

/** What oracle members sign under: network, committee, keys and rules. Any change changes it. */
export function oracleConfigDigest(genesis: Genesis): Uint8Array {
  return sha256(utf8("gridlane/oracle-config/v1"), genesisHash(genesis));
}

/** Signatures that make a certificate: floor((n + f) / 2) + 1. */
export function oracleQuorum(genesis: Genesis): number {
  return Math.floor((genesis.oracle.members.length + genesis.oracle.faultyMax) / 2) + 1;
}
