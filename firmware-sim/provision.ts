/**
 * Provisioning of a simulated fleet: which meters there are, their keys and their passwords.
 *
 * Everything is derived from the seed by HKDF-SHA-256, so the same plan gives the same fleet; a
 * home added at the end changes no other. Only for simulation: a real meter makes its key itself
 * and never shows it, and whoever knows the seed can sign for every meter here.
 */
import { hkdfSha256 } from "../services/crypto/hash.ts";
import { compareBytes, fromHex, toHex, utf8 } from "../services/primitives/bytes.ts";
import { GridError } from "../services/primitives/errors.ts";
import { FLEET_DEVICES_MAX } from "../services/primitives/limits.ts";
import type { MeterRole } from "../services/wire/genesis.ts";
import { type DeviceKey, deviceIdOf, devicePublicKey } from "../services/wire/reading.ts";

export type FleetPlan = {
  readonly seed: string;
  readonly regions: readonly {
    readonly id: string;
    readonly homes: readonly PlannedHome[];
  }[];
};
export type PlannedHome = {
  readonly label: string;
  readonly hasPanels: boolean;
  readonly connectionW?: number; // default CONNECTION_W_DEFAULT
};

export type Device = {
  readonly region: string;
  readonly deviceId: Uint8Array; // 16 B
  readonly key: DeviceKey;
  readonly publicKey: Uint8Array; // of `key`: 32 B Ed25519, 33 B P-256
  readonly role: MeterRole;
  readonly home: number | null; // place in the region's homes; null for the feeder meter
  readonly label: string; // the home's; "feeder" for the feeder meter
  readonly password: string; // at the broker; the user name is the device id in hexadecimal
  readonly connectionW: number;
};

/** 3 x 25 A at 230 V. */
export const CONNECTION_W_DEFAULT = 17_250;
/** The genesis format's bound on one connection. */
const CONNECTION_W_MAX = 10_000_000;
/** One device in eight has a P-256 key, as secure elements do; the others sign faster. */
const P256_BELOW = 32; // of 256

/** Order n of P-256's base point (FIPS 186-5): a secret key is in [1, n-1]. */
const P256_ORDER = fromHex("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551");

/**
 * Provisions what the plan names. Per region, in this order: the grid meter of each home (so meter
 * index = home index), then the production meter of each home with panels, then the feeder meter.
 *
 * @throws GridError argument_invalid beyond FLEET_DEVICES_MAX meters
 */
export function provisionFleet(plan: FleetPlan): { devices: readonly Device[] } {
  refuseBeyondMax(plan);
  const devices: Device[] = [];
  for (const { id, homes } of plan.regions) {
    const make = (role: MeterRole, home: number | null, label: string, connectionW: number) =>
      devices.push(provision({ seed: plan.seed, region: id, role, home, label, connectionW }));
    let feederW = 0;
    homes.forEach((home, h) => {
      const connectionW = home.connectionW ?? CONNECTION_W_DEFAULT;
      feederW += connectionW;
      make("grid", h, home.label, connectionW);
    });
    homes.forEach((home, h) => {
      if (!home.hasPanels) return;
      make("production", h, home.label, home.connectionW ?? CONNECTION_W_DEFAULT);
    });
    make("feeder", null, "feeder", Math.max(1, Math.min(feederW, CONNECTION_W_MAX)));
  }
  return { devices };
}

/** Counted before a key is derived: deriving a million keys takes minutes. */
function refuseBeyondMax({ regions }: FleetPlan): void {
  const meters = regions.reduce((sum, { homes }) => {
    return sum + homes.length + homes.filter((home) => home.hasPanels).length + 1;
  }, 0);
  if (meters <= FLEET_DEVICES_MAX) return;
  const message =
    `these homes have ${meters} meters, a simulated fleet has at most ${FLEET_DEVICES_MAX}: ` +
    "ask for fewer homes";
  throw new GridError("argument_invalid", message, { argument: "homes", value: String(meters) });
}

function provision({
  seed,
  ...device
}: Omit<Device, "deviceId" | "key" | "publicKey" | "password"> & {
  readonly seed: string;
}): Device {
  const name = `${device.region}/${device.role}/${device.home ?? "-"}`;
  const derive = (what: string, length: number) =>
    hkdfSha256({
      secret: utf8(seed),
      salt: utf8("gridlane/simulated-device/v1"),
      info: utf8(`${name}/${what}`),
      length,
    });
  const isP256 = derive("algorithm", 1)[0]! < P256_BELOW;
  const key: DeviceKey = isP256
    ? { algorithm: "p256", secretKey: p256Secret(derive) }
    : { algorithm: "ed25519", secretKey: derive("ed25519", 32) };
  const publicKey = devicePublicKey(key);
  const deviceId = deviceIdOf(publicKey);
  return { ...device, deviceId, key, publicKey, password: toHex(derive("password", 16)) };
}

/** Draws again in the one case of 2^32 that falls outside [1, n-1]. */
function p256Secret(derive: (what: string, length: number) => Uint8Array): Uint8Array {
  for (let attempt = 0; ; attempt++) {
    const secret = derive(`p256/${attempt}`, 32);
    if (compareBytes(secret, P256_ORDER) < 0 && secret.some((byte) => byte !== 0)) return secret;
  }
}
