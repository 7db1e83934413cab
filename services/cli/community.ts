/**
 * A community in a YAML file, and what `gridlane init` makes of it: genesis, credentials of the
 * meters at the broker, and for simulated homes a fleet file with their keys. Real meters bring
 * their public key; simulated ones get one derived from the seed: a demo is the same each time.
 */
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { parseDocument } from "yaml";
import { z } from "zod";
import { type Device, type PlannedHome, provisionFleet } from "../../firmware-sim/provision.ts";
import { blsPublicKey, blsSecretKey, proveBlsPossession } from "../crypto/bls.ts";
import { ed25519PublicKey } from "../crypto/ed25519.ts";
import { hkdfSha256, sha256 } from "../crypto/hash.ts";
import { explainIssues } from "../node/config.ts";
import type { NodeKeys } from "../node/keys.ts";
import { fromHex, toHex, utf8 } from "../primitives/bytes.ts";
import { GridError } from "../primitives/errors.ts";
import { createPrng } from "../primitives/prng.ts";
import {
  CHAIN_VERSION,
  Genesis,
  GenesisLine,
  GenesisMember,
  GenesisMeter,
  GenesisRegion,
} from "../wire/genesis.ts";
import { deviceIdOf } from "../wire/reading.ts";
import { type Limits, memberAddress } from "../wire/transaction.ts";

const RealMeter = GenesisMeter.omit({ memberIndex: true, deviceId: true }).extend({
  openingImportWh: GenesisMeter.shape.openingImportWh.default(0),
  openingExportWh: GenesisMeter.shape.openingExportWh.default(0),
});
const CommunityRegion = z.strictObject({
  id: GenesisRegion.shape.id,
  name: GenesisRegion.shape.name,
  mechanism: GenesisRegion.shape.mechanism,
  members: z.array(GenesisMember.extend({ meters: z.array(RealMeter).min(1) })).default([]),
  feeder: RealMeter.omit({ role: true }).optional(),
  /** Simulated homes beside the real members, with a simulated feeder meter. */
  simulatedHomes: z.int().min(0).max(10_000).default(0),
  /** safe: nobody can lose against the retailer alone. varied: some ask for more, some pay less. */
  simulatedLimits: z.enum(["safe", "varied"]).default("safe"),
});

export const Community = z.strictObject({
  version: z.literal(1),
  networkId: Genesis.shape.networkId,
  chainId: Genesis.shape.chainId,
  currency: Genesis.shape.currency,
  timeZone: z.string().default("Europe/Vienna"),
  startsAt: z.iso.datetime({ offset: true }), // of the first slot, on a slot boundary
  slotS: Genesis.shape.slotS.default(900),
  retailUcPerWh: Genesis.shape.retailUcPerWh,
  feedInUcPerWh: Genesis.shape.feedInUcPerWh,
  cutoffS: z.int().min(1).max(86_400).default(300),
  correctionWindowS: z
    .int()
    .min(0)
    .default(7 * 86_400),
  regions: z.array(CommunityRegion).min(1),
  lines: z.array(GenesisLine).default([]),
});
export type Community = z.output<typeof Community>;

/** Everything `init` writes. A password is known to its device; the node keeps its hash. */
export type Provisioned = {
  readonly genesis: Genesis;
  readonly credentials: Readonly<Record<string, string>>; // deviceId hex -> SHA-256 of password
  readonly passwords: Readonly<Record<string, string>>; // real meters, for whoever installs them
  readonly devices: readonly Device[]; // simulated meters
  readonly memberKeys: Readonly<Record<string, string>>; // address -> secret, simulated homes
};

export function readCommunity(file: string): Community {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (cause) {
    throw new GridError("config_invalid", `${file}: cannot be read`, { file }, { cause });
  }
  const document = parseDocument(text);
  const [fault] = document.errors;
  if (fault !== undefined) {
    throw new GridError("config_invalid", `${file}: ${fault.message}`, { file });
  }
  return parseCommunity(document.toJS(), file);
}

export function parseCommunity(json: unknown, file: string): Community {
  const parsed = Community.safeParse(json);
  if (parsed.success) return parsed.data;
  throw new GridError("config_invalid", explainIssues(file, parsed.error), { file });
}

/**
 * @param homes - the simulated homes of each region, by region id
 * @param seed - of the simulated meters' and members' keys
 */
export function provisionCommunity({
  community,
  homes,
  keys,
  seed,
  file,
}: {
  community: Community;
  homes: ReadonlyMap<string, readonly PlannedHome[]>;
  keys: NodeKeys;
  seed: string;
  file: string;
}): Provisioned {
  const plan = community.regions
    .map(({ id }) => ({ id, homes: homes.get(id) ?? [] }))
    .filter((region) => region.homes.length > 0);
  const { devices } = provisionFleet({ seed, regions: plan });
  const memberKeys: Record<string, string> = {};
  const credentials: Record<string, string> = {};
  const passwords: Record<string, string> = {};
  const addCredential = (deviceId: string, password: string) => {
    credentials[deviceId] = toHex(sha256(utf8(password)));
  };
  const regions = community.regions.map((region) => {
    const members: z.input<typeof GenesisMember>[] = [];
    const meters: z.input<typeof GenesisMeter>[] = [];
    const addReal = (meter: z.output<typeof RealMeter>, memberIndex: number | null) => {
      const deviceId = toHex(deviceIdOf(fromHex(meter.publicKey)));
      passwords[deviceId] = toHex(randomBytes(16));
      addCredential(deviceId, passwords[deviceId]);
      meters.push({ ...meter, deviceId, memberIndex });
    };
    for (const { meters: own, ...member } of region.members) {
      for (const meter of own) addReal(meter, members.length);
      members.push(member);
    }
    if (region.feeder !== undefined) addReal({ ...region.feeder, role: "feeder" }, null);
    const firstHome = members.length;
    (homes.get(region.id) ?? []).forEach((home, h) => {
      const secretKey = memberSecret(seed, region.id, h);
      const address = toHex(memberAddress(secretKey));
      memberKeys[address] = toHex(secretKey);
      const limits = region.simulatedLimits === "varied" ? variedLimits(community, seed, h) : null;
      members.push({ label: home.label, address, ...(limits === null ? {} : { limits }) });
    });
    for (const device of devices.filter(({ region: id }) => id === region.id)) {
      addCredential(toHex(device.deviceId), device.password);
      meters.push({
        deviceId: toHex(device.deviceId),
        algorithm: device.key.algorithm,
        publicKey: toHex(device.publicKey),
        role: device.role,
        memberIndex: device.home === null ? null : firstHome + device.home,
        connectionW: device.connectionW,
        openingImportWh: 0,
        openingExportWh: 0,
      });
    }
    return { id: region.id, name: region.name, mechanism: region.mechanism, members, meters };
  });
  const genesis = Genesis.safeParse({
    chainVersion: CHAIN_VERSION,
    networkId: community.networkId,
    chainId: community.chainId,
    currency: community.currency,
    genesisTimeS: Date.parse(community.startsAt) / 1000,
    slotS: community.slotS,
    sequencerPublicKey: toHex(ed25519PublicKey(keys.sequencer)),
    oracle: {
      members: [oracleMember(keys)],
      faultyMax: 0,
      cutoffS: community.cutoffS,
      correctionWindowS: community.correctionWindowS,
    },
    retailUcPerWh: community.retailUcPerWh,
    feedInUcPerWh: community.feedInUcPerWh,
    regions,
    lines: community.lines,
  });
  if (!genesis.success) {
    throw new GridError("config_invalid", explainIssues(file, genesis.error), { file });
  }
  return { genesis: genesis.data, credentials, passwords, devices, memberKeys };
}

function oracleMember(keys: NodeKeys) {
  const secretKey = blsSecretKey(keys["oracle-bls"]);
  return {
    id: "oracle-1",
    blsPublicKey: toHex(blsPublicKey(secretKey)),
    blsPossession: toHex(proveBlsPossession(secretKey)),
    receiptPublicKey: toHex(ed25519PublicKey(keys["oracle-receipt"])),
  };
}

/** A simulated member's Ethereum key; below the group order but for one seed in 2^128. */
function memberSecret(seed: string, region: string, home: number): Uint8Array {
  return hkdfSha256({
    secret: utf8(seed),
    salt: utf8("gridlane/simulated-member/v1"),
    info: utf8(`${region}/${home}`),
    length: 32,
  });
}

/**
 * Three levels a side, so that a public curve has steps with enough meters behind each. Every limit
 * stands between feed-in and retail: whoever trades does at least as well as with the retailer.
 */
function variedLimits(community: Community, seed: string, home: number): Limits {
  const { feedInUcPerWh: low, retailUcPerWh: high } = community;
  const prng = createPrng(`${seed}/limits`).fork(String(home));
  const level = (share: number) => low + Math.floor((high - low) * share);
  return {
    minSellUcPerWh: level([0.05, 0.2, 0.35][prng.below(3)]!),
    maxBuyUcPerWh: level([0.55, 0.75, 1][prng.below(3)]!),
  };
}
