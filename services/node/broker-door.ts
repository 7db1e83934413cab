/**
 * The door to MQTT that the configuration asks for: the embedded broker with the devices'
 * credentials, or a connection to somebody else's broker.
 */
import { timingSafeEqual } from "node:crypto";
import { readFileSync } from "node:fs";
import type { Broker } from "../broker/broker.ts";
import { type Credentials, startEmbeddedBroker } from "../broker/embedded.ts";
import { connectExternalBroker } from "../broker/external.ts";
import { sha256 } from "../crypto/hash.ts";
import type { Oracle } from "../oracle/oracle.ts";
import { fromHex } from "../primitives/bytes.ts";
import { GridError } from "../primitives/errors.ts";
import type { NodeOptions } from "./node.ts";

export function openBroker({
  options,
  oracle,
}: {
  options: NodeOptions;
  oracle: Oracle;
}): Promise<Broker> {
  const { mqtt } = options.config;
  const onReading = ({ topic, payload }: { topic: string; payload: Uint8Array }) =>
    oracle.ingest({ topic, payload });
  if ("url" in mqtt) {
    return connectExternalBroker({
      url: mqtt.url,
      onReading,
      ...(mqtt.username === undefined ? {} : { username: mqtt.username }),
      ...(mqtt.passwordFile === undefined ? {} : { password: readSecret(mqtt.passwordFile) }),
    });
  }
  return startEmbeddedBroker({
    host: mqtt.host,
    port: mqtt.port,
    credentials: deviceCredentials(options),
    onReading,
  });
}

/** User name = device id; the stored hash is compared in constant time, also for unknown names. */
function deviceCredentials({ genesis, credentials }: NodeOptions): Credentials {
  const regionOf = new Map(
    genesis.regions.flatMap(({ id, meters }) => meters.map((meter) => [meter.deviceId, id])),
  );
  const nobody = sha256(new Uint8Array(0));
  return ({ username, password }) => {
    const stored = credentials.get(username);
    const region = regionOf.get(username);
    const expected = stored === undefined ? nobody : fromHex(stored);
    const isRight = timingSafeEqual(sha256(password), expected);
    if (!isRight || stored === undefined || region === undefined) return null;
    return { kind: "device", deviceId: fromHex(username), region };
  };
}

function readSecret(file: string): string {
  try {
    return readFileSync(file, "utf8").trim();
  } catch (cause) {
    const message = `${file}: mqtt.passwordFile cannot be read`;
    throw new GridError("config_invalid", message, { file }, { cause });
  }
}
