/**
 * Who may do what at the embedded broker, by topic. Pure. The broker's identity is a convenience,
 * not a proof: whatever passes here still has to carry the device's signature.
 *
 * A device publishes its own leaves and hears its own receipts: no wildcards, nothing of others. A
 * committee member reads its community's topics and answers devices. `$SYS` is closed to both.
 */
import { toHex } from "../primitives/bytes.ts";
import { parseDeviceTopic, TOPIC_ROOT } from "../wire/topics.ts";

export type Principal =
  | { readonly kind: "device"; readonly deviceId: Uint8Array; readonly region: string }
  | { readonly kind: "member"; readonly memberId: string };

export type Publication = { readonly topic: string; readonly retain: boolean };

export type AccessRules = {
  mayPublish(principal: Principal, publication: Publication): boolean;
  maySubscribe(principal: Principal, filter: string): boolean;
  /** Asked again for each message: a stored subscription proves nothing. */
  mayReceive(principal: Principal, topic: string): boolean;
};

const DEVICE_LEAVES = new Set(["r", "b", "state"]);
const ANSWER_LEAVES = new Set(["ack", "cmd"]);

export const gridlaneRules: AccessRules = {
  mayPublish: (principal, publication) =>
    principal.kind === "device"
      ? deviceMayPublish(principal, publication)
      : memberMayPublish(principal, publication),

  maySubscribe: (principal, filter) =>
    principal.kind === "device" ? isOwnAck(principal, filter) : filter.startsWith(`${TOPIC_ROOT}/`),

  mayReceive: (principal, topic) =>
    principal.kind === "device" ? isOwnAck(principal, topic) : topic.startsWith(`${TOPIC_ROOT}/`),
};

type Device = Extract<Principal, { kind: "device" }>;
type Member = Extract<Principal, { kind: "member" }>;

function deviceMayPublish(device: Device, { topic, retain }: Publication): boolean {
  const leaf = ownLeaf(device, topic);
  if (leaf === null || !DEVICE_LEAVES.has(leaf)) return false;
  return !retain || leaf === "state";
}

function isOwnAck(device: Device, topic: string): boolean {
  return ownLeaf(device, topic) === "ack";
}

/** Where a device's own topics begin. Kept, since it is asked for with every message. */
const ownPrefixes = new WeakMap<Device, string>();

/** What follows the device's own prefix in its own region, or null. Wildcards match nothing. */
export function ownLeaf(device: Device, topic: string): string | null {
  let prefix = ownPrefixes.get(device);
  if (prefix === undefined) {
    prefix = `${TOPIC_ROOT}/${device.region}/m/${toHex(device.deviceId)}/`;
    ownPrefixes.set(device, prefix);
  }
  return topic.startsWith(prefix) ? topic.slice(prefix.length) : null;
}

function memberMayPublish({ memberId }: Member, { topic, retain }: Publication): boolean {
  const parsed = parseDeviceTopic(topic);
  if (parsed !== null) return ANSWER_LEAVES.has(parsed.leaf) && !retain;
  const [root, version, , area, owner] = topic.split("/");
  if (`${root}/${version}` !== TOPIC_ROOT) return false;
  return area === "pub" || (area === "o" && owner === memberId && !retain);
}
