/**
 * MQTT topics: `gridlane/v1/<region>/m/<device>/<leaf>`. General to specific, lower case, digits
 * and dashes only, so that every 3.1.1 broker (NATS included) can carry them.
 */
import { fromHex, toHex } from "../primitives/bytes.ts";

export const TOPIC_ROOT = "gridlane/v1";
/** Region ids stand in topics, URLs and file names. */
export const REGION_ID_PATTERN = /^[a-z0-9][a-z0-9-]{0,30}$/;
const DEVICE_ID_PATTERN = /^[0-9a-f]{32}$/;

/** Leaves a device publishes: live readings, backfill, and its retained state. */
export type DeviceLeaf = "r" | "b" | "state";

export function readingTopic(region: string, deviceId: Uint8Array): string {
  return `${TOPIC_ROOT}/${region}/m/${toHex(deviceId)}/r`;
}

/** Where a device listens for the oracle's signed receipts. */
export function receiptTopic(region: string, deviceId: Uint8Array): string {
  return `${TOPIC_ROOT}/${region}/m/${toHex(deviceId)}/ack`;
}

/** What the oracle subscribes to at an external broker. */
export const READING_TOPIC_FILTER = `${TOPIC_ROOT}/+/m/+/r`;

/** Parts of a device topic of any leaf, or null if it is none. */
export function parseDeviceTopic(
  topic: string,
): { region: string; deviceId: Uint8Array; leaf: string } | null {
  const parts = topic.split("/");
  const [root, version, region, marker, device, leaf] = parts;
  if (parts.length !== 6 || `${root}/${version}` !== TOPIC_ROOT || marker !== "m") return null;
  if (region === undefined || !REGION_ID_PATTERN.test(region)) return null;
  if (device === undefined || !DEVICE_ID_PATTERN.test(device)) return null;
  if (leaf === undefined || !/^[a-z]+$/.test(leaf)) return null;
  return { region, deviceId: fromHex(device), leaf };
}
