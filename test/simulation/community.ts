/**
 * Small communities to simulate: genesis, secrets, meters, and what each home uses in each slot.
 * Made once per process, since deriving keys costs more than a run; a seed picks one.
 */

import type { EnergySource, HomeEnergy } from "../../firmware-sim/profiles/energy-source.ts";
import { type Device, provisionFleet } from "../../firmware-sim/provision.ts";
import { blsPublicKey, blsSecretKey, proveBlsPossession } from "../../services/crypto/bls.ts";
import { ed25519PublicKey } from "../../services/crypto/ed25519.ts";
import { sha256 } from "../../services/crypto/hash.ts";
import { toHex, utf8 } from "../../services/primitives/bytes.ts";
import { createPrng, type Prng } from "../../services/primitives/prng.ts";
import type { UnixSeconds } from "../../services/primitives/units.ts";
import { Genesis } from "../../services/wire/genesis.ts";
import { memberAddress } from "../../services/wire/transaction.ts";

export const COMMUNITIES = 12;
export const SLOT_S = 900;
/** 2023-11-15T00:00:00Z. */
export const GENESIS_S = 1_700_006_400 as UnixSeconds;
export const GENESIS_SLOT = GENESIS_S / SLOT_S;
export const CUTOFF_S = 300;
export const RETAIL_UC_PER_WH = 30_000;
export const FEED_IN_UC_PER_WH = 8_000;

const REGION_IDS = ["east", "west", "south"];

/** The meters of one process. */
export type BoxOfMeters = { readonly region: number; readonly devices: readonly Device[] };

export type Community = {
  readonly number: number;
  readonly genesis: Genesis;
  readonly boxes: readonly (readonly BoxOfMeters[])[]; // by region: homes, then the feeder
  readonly secrets: {
    readonly sequencer: Uint8Array;
    readonly oracleBls: Uint8Array;
    readonly oracleReceipt: Uint8Array;
    readonly salt: Uint8Array;
    readonly members: readonly (readonly Uint8Array[])[];
  };
};

const made = new Map<number, Community>();

export function communityOf(number: number): Community {
  const known = made.get(number) ?? makeCommunity(number);
  made.set(number, known);
  return known;
}

type RegionPlan = {
  readonly id: string;
  readonly mechanism: "mid-market-rate" | "uniform-price";
  readonly homes: readonly { readonly label: string; readonly hasPanels: boolean }[];
  readonly isShared: boolean; // the last home belongs to the first home's member
};

function makeCommunity(number: number): Community {
  const prng = createPrng(`gridlane/simulation/community/${number}`);
  const secret = (what: string) => sha256(utf8(`gridlane/simulation/${number}/${what}`));
  const regions = Array.from({ length: 2 + (number % 2) }, (_, r) => planRegion(prng, number, r));
  const { devices } = provisionFleet({ seed: `simulation/${number}`, regions });
  const members = regions.map(({ id, homes, isShared }) =>
    homes.slice(isShared ? 1 : 0).map((_, m) => secret(`member/${id}/${m}`)),
  );
  const secrets = {
    sequencer: secret("sequencer"),
    oracleBls: blsSecretKey(secret("oracle")),
    oracleReceipt: secret("receipt"),
    salt: secret("salt"),
    members,
  };
  const genesis = Genesis.parse({
    chainVersion: 1,
    networkId: `simulation-${number}`,
    chainId: 4242,
    currency: "EUR",
    genesisTimeS: GENESIS_S,
    slotS: SLOT_S,
    sequencerPublicKey: toHex(ed25519PublicKey(secrets.sequencer)),
    oracle: {
      members: [
        {
          id: "oracle-1",
          blsPublicKey: toHex(blsPublicKey(secrets.oracleBls)),
          blsPossession: toHex(proveBlsPossession(secrets.oracleBls)),
          receiptPublicKey: toHex(ed25519PublicKey(secrets.oracleReceipt)),
        },
      ],
      faultyMax: 0,
      cutoffS: CUTOFF_S,
      // Most keep every gap correctable; one in four lets energy leave the window.
      correctionWindowS: (number % 4 === 3 ? 3 : 200) * SLOT_S,
    },
    retailUcPerWh: RETAIL_UC_PER_WH,
    feedInUcPerWh: FEED_IN_UC_PER_WH,
    forward: {
      gateClosureS: SLOT_S * (1 + prng.below(2)),
      horizonS: 8 * SLOT_S,
      shortUcPerWh: RETAIL_UC_PER_WH + prng.below(3) * 7_500,
      longUcPerWh: FEED_IN_UC_PER_WH - prng.below(3) * 3_000,
    },
    regions: regions.map((region, r) => genesisRegion(region, devices, members[r]!)),
    lines: lines(prng, regions),
  });
  return {
    number,
    genesis,
    secrets,
    boxes: regions.map((region, r) => boxesOf(region, r, devices)),
  };
}

function planRegion(prng: Prng, number: number, r: number): RegionPlan {
  const homes = Array.from({ length: 2 + prng.below(2) }, (_, h) => ({
    label: `home-${h}`,
    hasPanels: h === 0 || prng.below(3) === 0,
  }));
  // Two regions under the uniform price at least, so that there is something to couple.
  const isUniform = r < 2 ? number % 6 !== 5 || r === 0 : prng.below(3) === 0;
  return {
    id: REGION_IDS[r]!,
    mechanism: isUniform ? "uniform-price" : "mid-market-rate",
    homes,
    isShared: homes.length === 3 && prng.below(2) === 0,
  };
}

function genesisRegion(region: RegionPlan, devices: readonly Device[], members: Uint8Array[]) {
  const { id, mechanism, homes } = region;
  return {
    id,
    name: id,
    mechanism,
    members: members.map((secret, m) => ({
      label: `member-${m}`,
      address: toHex(memberAddress(secret)),
    })),
    meters: devices
      .filter((device) => device.region === id)
      .map(({ deviceId, key, publicKey, role, home, connectionW }) => ({
        deviceId: toHex(deviceId),
        algorithm: key.algorithm,
        publicKey: toHex(publicKey),
        role,
        memberIndex: home === null ? null : home % (homes.length - (region.isShared ? 1 : 0)),
        connectionW,
        openingImportWh: 0,
        openingExportWh: 0,
      })),
  };
}

function lines(prng: Prng, regions: readonly RegionPlan[]) {
  return regions.slice(1).flatMap(({ id: to }, r) => {
    const from = regions[r]!.id;
    const capacityWh = prng.below(4) === 0 ? 0 : 50 + prng.below(600);
    const feeUcPerWh = prng.below(3) * 1_000;
    const line = (a: string, b: string) => ({ id: `${a}-${b}`, from: a, to: b });
    return [
      { ...line(from, to), capacityWh, feeUcPerWh },
      { ...line(to, from), capacityWh: capacityWh + prng.below(2) * 100, feeUcPerWh },
    ];
  });
}

/** Homes in their order, each with its meters; then the feeder, as one more home of its own. */
function boxesOf(region: RegionPlan, r: number, devices: readonly Device[]): BoxOfMeters[] {
  const own = devices.filter((device) => device.region === region.id);
  const homes = region.homes.map((_, h) => ({
    region: r,
    devices: own.filter((device) => device.home === h),
  }));
  const feeder = own.filter((device) => device.role === "feeder");
  // A fleet adds a feeder up from the homes beside it; in a box of its own it is told.
  const told = feeder.map((device) => ({ ...device, home: region.homes.length }));
  return [...homes, { region: r, devices: told }];
}

/** What the homes of a run measure: the truth that everything is compared with. */
export class Truth {
  readonly #community: Community;
  readonly #prng: Prng;
  readonly #energies = new Map<string, HomeEnergy>();
  readonly #meters: readonly (readonly { readonly role: string; readonly home: number }[])[];

  constructor(community: Community, seed: number) {
    this.#community = community;
    this.#prng = createPrng(`gridlane/simulation/energy/${seed}`);
    this.#meters = community.boxes.map((boxes, r) => {
      const devices = boxes.flatMap((box) => box.devices);
      return community.genesis.regions[r]!.meters.map(({ deviceId }) => {
        const device = devices.find((one) => toHex(one.deviceId) === deviceId)!;
        return { role: device.role, home: device.home! };
      });
    });
  }

  /** For the fleets: one region's homes, its feeder as the last. */
  source(): EnergySource {
    return {
      slotS: SLOT_S,
      firstSlot: GENESIS_SLOT,
      endSlot: null,
      energyOf: ({ region, home, slot }) => this.#home(REGION_IDS.indexOf(region), home, slot),
    };
  }

  /** True energy through a meter in a slot (absolute number). */
  energy(at: { readonly region: number; readonly meter: number; readonly slot: number }) {
    const { role, home } = this.#meters[at.region]![at.meter]!;
    const { importWh, exportWh, productionWh } = this.#home(at.region, home, at.slot);
    if (role === "production") return { importWh: 0, exportWh: productionWh };
    return { importWh, exportWh };
  }

  /** True registers of a meter at the end of a slot. */
  registers(at: { readonly region: number; readonly meter: number; readonly slot: number }) {
    let [importWh, exportWh] = [0, 0];
    for (let slot = GENESIS_SLOT; slot <= at.slot; slot++) {
      const energy = this.energy({ ...at, slot });
      importWh += energy.importWh;
      exportWh += energy.exportWh;
    }
    return { importWh, exportWh };
  }

  #home(region: number, home: number, slot: number): HomeEnergy {
    const key = `${region}/${home}/${slot}`;
    const known = this.#energies.get(key) ?? this.#draw(region, home, slot);
    this.#energies.set(key, known);
    return known;
  }

  #draw(region: number, home: number, slot: number): HomeEnergy {
    const homes = this.#community.boxes[region]!.length - 1;
    if (home === homes) return this.#feeder(region, slot);
    const prng = this.#prng.fork(`${region}/${home}/${slot}`);
    const hasPanels = this.#community.boxes[region]![home]!.devices.length > 1;
    const loadWh = prng.below(4) === 0 ? 0 : prng.below(800);
    const productionWh = hasPanels && prng.below(3) > 0 ? prng.below(1_600) : 0;
    // Load and production do not always coincide inside a slot: some energy goes both ways.
    const bothWh = prng.below(5) === 0 ? prng.below(40) : 0;
    return {
      importWh: Math.max(loadWh - productionWh, 0) + bothWh,
      exportWh: Math.max(productionWh - loadWh, 0) + (hasPanels ? bothWh : 0),
      productionWh,
    };
  }

  #feeder(region: number, slot: number): HomeEnergy {
    let netWh = 0;
    for (let home = 0; home < this.#community.boxes[region]!.length - 1; home++) {
      const { importWh, exportWh } = this.#home(region, home, slot);
      netWh += importWh - exportWh;
    }
    return { importWh: Math.max(netWh, 0), exportWh: Math.max(-netWh, 0), productionWh: 0 };
  }
}
