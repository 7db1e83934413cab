/**
 * A community's directory, as `gridlane init` leaves it:
 *
 *   gridlane.yaml       the node's configuration        genesis.json    what everybody agrees on
 *   keys/               the node's secrets, mode 0600   credentials.json  hashed broker passwords
 *   fleet.json          simulated meters with their keys, for `gridlane meters`
 *   passwords.json      broker passwords of real meters, for whoever installs them, mode 0600
 *   member-keys.json    keys of simulated members, mode 0600
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { stringify } from "yaml";
import { z } from "zod";
import type { Device } from "../../firmware-sim/provision.ts";
import { CONFIG_FILE_NAME } from "../node/config.ts";
import { type NodeKeys, writeKeys } from "../node/keys.ts";
import { fromHex, toHex } from "../primitives/bytes.ts";
import { GridError } from "../primitives/errors.ts";
import { Genesis } from "../wire/genesis.ts";
import { devicePublicKey } from "../wire/reading.ts";
import type { Provisioned } from "./community.ts";

const zHex = z.string().regex(/^([0-9a-f]{2})+$/);
const FleetFile = z.strictObject({
  version: z.literal(1),
  networkId: z.string(),
  slotS: z.int(),
  genesisTimeS: z.int(),
  receiptPublicKey: zHex, // of the oracle: its receipts alone end a journal entry
  seed: z.string(), // of the physical model
  regions: z.array(z.strictObject({ id: z.string(), homes: z.int() })),
  devices: z.array(
    z.strictObject({
      region: z.string(),
      deviceId: zHex,
      algorithm: z.enum(["ed25519", "p256"]),
      secretKey: zHex,
      role: z.enum(["grid", "production", "feeder"]),
      home: z.int().nullable(),
      label: z.string(),
      password: z.string(),
      connectionW: z.int(),
    }),
  ),
});
export type Fleet = Omit<z.output<typeof FleetFile>, "devices" | "receiptPublicKey"> & {
  readonly receiptPublicKey: Uint8Array;
  readonly devices: readonly Device[];
};

/** Writes everything; refuses a directory that already holds a community. */
export function writeDirectory({
  directory,
  provisioned,
  keys,
  seed,
  config,
}: {
  directory: string;
  provisioned: Provisioned;
  keys: NodeKeys;
  seed: string;
  config: Readonly<Record<string, unknown>>; // beside `version`
}): void {
  if (isCommunity(directory)) {
    throw new GridError("argument_invalid", `${directory} already holds a community`, {
      argument: "directory",
      value: directory,
    });
  }
  makeDirectory(directory);
  const { genesis } = provisioned;
  writeKeys(join(directory, "keys"), keys);
  writeJson(join(directory, "genesis.json"), genesis, 0o644);
  writeJson(join(directory, "credentials.json"), provisioned.credentials, 0o600);
  if (Object.keys(provisioned.passwords).length > 0) {
    writeJson(join(directory, "passwords.json"), provisioned.passwords, 0o600);
  }
  if (provisioned.devices.length > 0) {
    writeJson(join(directory, "member-keys.json"), provisioned.memberKeys, 0o600);
    writeJson(join(directory, "fleet.json"), fleetFile(provisioned, seed), 0o600);
  }
  // Last, because its presence is what makes the directory a community.
  const header = "# gridlane node. Every key has a default; unknown keys are refused.\n";
  const yaml = stringify({ version: 1, ...config });
  writeFileSync(join(directory, CONFIG_FILE_NAME), `${header}${yaml}`);
}

export function isCommunity(directory: string): boolean {
  return existsSync(join(directory, CONFIG_FILE_NAME));
}

export function readGenesis(file: string): Genesis {
  const parsed = Genesis.safeParse(readJson(file));
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const where = issue?.path.join(".") ?? "";
  throw new GridError("config_invalid", `${file}: ${where}: ${issue?.message}`, { file });
}

/** Broker passwords: device id -> SHA-256. */
export function readCredentials(file: string): ReadonlyMap<string, string> {
  const parsed = z.record(z.string(), zHex).safeParse(readJson(file));
  if (parsed.success) return new Map(Object.entries(parsed.data));
  throw new GridError("config_invalid", `${file}: must map device ids to hashes`, { file });
}

export function readFleet(directory: string): Fleet {
  const file = join(directory, "fleet.json");
  const parsed = FleetFile.safeParse(readJson(file));
  if (!parsed.success) {
    throw new GridError("config_invalid", `${file}: ${z.prettifyError(parsed.error)}`, { file });
  }
  const { devices, receiptPublicKey, ...rest } = parsed.data;
  return {
    ...rest,
    receiptPublicKey: fromHex(receiptPublicKey),
    devices: devices.map(({ deviceId, algorithm, secretKey, ...device }) => {
      const key = { algorithm, secretKey: fromHex(secretKey) };
      return { ...device, deviceId: fromHex(deviceId), key, publicKey: devicePublicKey(key) };
    }),
  };
}

function fleetFile({ genesis, devices }: Provisioned, seed: string): z.input<typeof FleetFile> {
  return {
    version: 1,
    networkId: genesis.networkId,
    slotS: genesis.slotS,
    genesisTimeS: genesis.genesisTimeS,
    receiptPublicKey: genesis.oracle.members[0]!.receiptPublicKey,
    seed,
    regions: genesis.regions.map(({ id }) => ({
      id,
      homes: devices.filter((device) => device.region === id && device.role === "grid").length,
    })),
    devices: devices.map(({ deviceId, key, publicKey: _, ...device }) => ({
      ...device,
      deviceId: toHex(deviceId),
      algorithm: key.algorithm,
      secretKey: toHex(key.secretKey),
    })),
  };
}

function writeJson(file: string, value: unknown, mode: number): void {
  writeFileSync(file, `${JSON.stringify(value, null, 1)}\n`, { mode });
}

function readJson(file: string): unknown {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (cause) {
    throw new GridError("config_invalid", `${file}: cannot be read`, { file }, { cause });
  }
  try {
    return JSON.parse(text);
  } catch (cause) {
    const message = `${file}: is not JSON: ${(cause as Error).message}`;
    throw new GridError("config_invalid", message, { file }, { cause });
  }
}

/** Makes a directory, or says in one sentence why not. */
export function makeDirectory(directory: string): void {
  try {
    mkdirSync(directory, { recursive: true });
    readdirSync(directory);
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    if (code === "ENOSPC") {
      throw new GridError(
        "disk_full",
        `no space is left for ${directory}`,
        { directory },
        { cause },
      );
    }
    const message = `${directory} cannot be made or read: give it to the user that runs gridlane`;
    throw new GridError("permission_denied", message, { path: directory }, { cause });
  }
}
