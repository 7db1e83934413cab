/**
 * `gridlane gateway`: signs for a meter that cannot. Reads its telegrams from a file, standard
 * input, TCP, a serial port or a local MQTT broker, and publishes what `gridlane meters` would.
 */
import { randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { Command } from "commander";
import { z } from "zod";
import type { Device } from "../../firmware-sim/provision.ts";
import { type Gateway, type GatewayEvent, startGateway } from "../gateway/gateway.ts";
import type { GatewayStatus } from "../gateway/gateway-status.ts";
import { systemClock } from "../node/clocks.ts";
import { fromHex, toHex } from "../primitives/bytes.ts";
import { GridError } from "../primitives/errors.ts";
import type { Genesis, GenesisMeter, MeterTrust } from "../wire/genesis.ts";
import { type DeviceKey, deviceIdOf, devicePublicKey } from "../wire/reading.ts";
import { readGenesis } from "./directory.ts";
import {
  adapterOf,
  addSourceOptions,
  type SourceOptions,
  settingsOf,
  sourceOf,
} from "./gateway-source.ts";
import { wholeNumber } from "./options.ts";
import { interrupted } from "./run-node.ts";
import { print, printJson, say } from "./talk.ts";

type Options = SourceOptions & {
  key: string;
  genesis: string;
  passwords: string;
  broker: string;
  journal: string;
  meter?: string;
  grace: number;
  json?: true;
};

export function gatewayCommand(): Command {
  const command = new Command("gateway")
    .description("sign for a meter that cannot: telegrams in, signed readings out")
    .option("--key <file>", "the device key, made by `gridlane gateway key`", "gateway.key.json")
    .option("--genesis <file>", "the network's genesis", "genesis.json")
    .option("--passwords <file>", "broker passwords by device id", "passwords.json")
    .option("--broker <url>", "the community's MQTT broker", "mqtt://127.0.0.1:1883")
    .option("--journal <directory>", "what must not be forgotten", "gateway")
    .option("--meter <id>", "take telegrams of this identification alone")
    .option("--grace <seconds>", "how late a slot's telegram may come", wholeNumber(GRACE), 20);
  return addSourceOptions(command)
    .option("--json", "print one JSON object at the end")
    .addHelpText(
      "after",
      `
For a slot the last register read at or before its end is signed, as read and with the moment it was
read at; nothing is interpolated. A register that falls, or rises faster than the connection allows,
is held back. The meter's registration must say trust: gateway-signed (or imported, for OCMF).

Examples:
  gridlane gateway key gateway.key.json
  gridlane gateway --format dsmr --serial /dev/ttyUSB0
  gridlane gateway --format sml --tcp 192.168.1.20:7000
  gridlane gateway --format tasmota --mqtt mqtt://127.0.0.1 --topic tele/plug/SENSOR --counts import
  gridlane gateway --format ocmf --file session.xml --ocmf-key 3059...`,
    )
    .addCommand(keyCommand())
    .action(async (options: Options) => {
      const status = await untilDone(await openGateway(options));
      if (options.json) return printJson(status);
      for (const line of summary(status)) print(line);
    });
}

const GRACE = { min: 0, max: 3600 };

const KeyFile = z.strictObject({
  version: z.literal(1),
  algorithm: z.enum(["ed25519", "p256"]),
  secretKey: z.string().regex(/^[0-9a-f]{64}$/),
});

function keyCommand(): Command {
  return new Command("key")
    .description("make a device key, and print the meter's entry for the community file")
    .argument("<file>", "where to write it; never overwritten")
    .option("--json", "print one JSON object")
    .action((file: string, _: unknown, command: Command) => {
      const options: { json?: true } = command.optsWithGlobals(); // --json may land at the parent
      const key: DeviceKey = { algorithm: "ed25519", secretKey: randomBytes(32) };
      const content = { version: 1, algorithm: key.algorithm, secretKey: toHex(key.secretKey) };
      try {
        writeFileSync(file, `${JSON.stringify(content, null, 1)}\n`, { mode: 0o600, flag: "wx" });
      } catch (cause) {
        const message = `${file} exists or cannot be written: a key is never overwritten`;
        throw new GridError(
          "argument_invalid",
          message,
          { argument: "file", value: file },
          { cause },
        );
      }
      const publicKey = toHex(devicePublicKey(key));
      const deviceId = toHex(deviceIdOf(devicePublicKey(key)));
      if (options.json) return printJson({ file, algorithm: key.algorithm, publicKey, deviceId });
      say(`wrote ${file}; register the meter with this entry:`);
      print(`- algorithm: ${key.algorithm}`);
      print(`  publicKey: "${publicKey}"`);
      print("  role: grid");
      print("  trust: gateway-signed");
      print("  connectionW: 17250");
      print("  openingImportWh: 0   # the registers at move-in");
      print("  openingExportWh: 0");
    });
}

async function openGateway(options: Options): Promise<Gateway> {
  const genesis = readGenesis(resolve(options.genesis));
  const key = readKey(resolve(options.key));
  const { region, meter } = registrationOf(genesis, key, options.genesis);
  const { trust } = meter;
  const [member] = genesis.oracle.members;
  const source = sourceOf(options);
  const gateway = await startGateway({
    device: deviceOf({ region, meter, key, passwords: resolve(options.passwords) }),
    ...{ meter, trust, networkId: genesis.networkId, slotS: genesis.slotS },
    ...{ genesisTimeS: genesis.genesisTimeS, source, adapter: adapterOf(options) },
    settings: settingsOf(options),
    counts: options.counts,
    identification: options.meter ?? null,
    time:
      options.time ?? (source.kind === "file" || source.kind === "frames" ? "telegram" : "auto"),
    graceS: options.grace,
    clock: systemClock({ onStepBack: (byS) => say(`the clock was set back by ${byS} s`) }),
    brokerUrl: options.broker,
    directory: resolve(options.journal),
    oracleReceiptPublicKey: fromHex(member!.receiptPublicKey),
    onEvent: (event) => say(eventLine(event)),
  });
  say(`${meter.deviceId} of ${region} publishes to ${options.broker}; Ctrl-C stops it`);
  return gateway;
}

function readKey(file: string): DeviceKey {
  let json: unknown;
  try {
    json = JSON.parse(readFileSync(file, "utf8"));
  } catch (cause) {
    throw new GridError("config_invalid", `${file}: cannot be read`, { file }, { cause });
  }
  const parsed = KeyFile.safeParse(json);
  if (!parsed.success) {
    throw new GridError("config_invalid", `${file}: is no device key: make one`, { file });
  }
  const { algorithm, secretKey } = parsed.data;
  return { algorithm, secretKey: fromHex(secretKey) };
}

type Registration = {
  readonly region: string;
  readonly meter: GenesisMeter & { readonly trust: Exclude<MeterTrust, "meter-signed"> };
};

/** The registration is what others see of this meter: a gateway does not sign under another one. */
function registrationOf(genesis: Genesis, key: DeviceKey, file: string): Registration {
  const publicKey = toHex(devicePublicKey(key));
  for (const { id, meters } of genesis.regions) {
    const meter = meters.find((one) => one.publicKey === publicKey);
    if (meter === undefined) continue;
    const { trust } = meter;
    if (trust === "gateway-signed" || trust === "imported") {
      return { region: id, meter: { ...meter, trust } };
    }
    const text = `${file}: meter ${meter.deviceId} is registered as signing itself`;
    const message = `${text}: a gateway needs trust: gateway-signed`;
    throw new GridError("config_invalid", message, { file });
  }
  const message = `${file}: no meter has this key; register its public key ${publicKey}`;
  throw new GridError("config_invalid", message, { file });
}

function deviceOf({
  region,
  meter,
  key,
  passwords,
}: Registration & { key: DeviceKey; passwords: string }): Device {
  return {
    ...{ region, key, deviceId: fromHex(meter.deviceId), publicKey: fromHex(meter.publicKey) },
    ...{ role: meter.role, home: null, label: "gateway", connectionW: meter.connectionW },
    password: passwordOf(passwords, meter.deviceId),
  };
}

function passwordOf(file: string, deviceId: string): string {
  let json: unknown;
  try {
    json = JSON.parse(readFileSync(file, "utf8"));
  } catch (cause) {
    throw new GridError("config_invalid", `${file}: cannot be read`, { file }, { cause });
  }
  const password = z.record(z.string(), z.string()).safeParse(json).data?.[deviceId];
  if (password !== undefined) return password;
  throw new GridError("config_invalid", `${file}: has no password for ${deviceId}`, { file });
}

async function untilDone(gateway: Gateway): Promise<GatewayStatus> {
  const signal = interrupted();
  try {
    return await Promise.race([gateway.done, signal.arrived.then(() => gateway.stop())]);
  } finally {
    signal.ignore();
  }
}

function eventLine(event: GatewayEvent): string {
  switch (event.kind) {
    case "source": {
      const { state } = event;
      return `source: ${state === "connected" ? state : state.disconnected}`;
    }
    case "broker": {
      const { state } = event;
      return `broker: ${state.kind === "connected" ? state.kind : state.reason}`;
    }
    case "telegram-refused":
      return event.message;
    case "register-held":
      return `held back: ${event.message}`;
    case "slot-signed":
      return `slot ${event.slot} signed as ${event.seq}`;
    case "reading-refused":
      return `slot ${event.slot} refused by the oracle: ${event.code}`;
  }
}

function summary(status: GatewayStatus): string[] {
  const { refused, receipts, ...counts } = status;
  const row = (name: string, value: number) => `${name.padEnd(18)} ${value}`;
  return [
    ...Object.entries(counts).map(([name, value]) => row(name, value)),
    ...Object.entries(refused).map(([name, value]) => row(`refused ${name}`, value)),
    ...Object.entries(receipts).map(([name, value]) => row(`receipts ${name}`, value)),
  ];
}
