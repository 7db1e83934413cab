/** Two devices and a member for broker tests, with their logins and topics. */
import type { Principal } from "../../services/broker/access-rules.ts";
import type { Credentials } from "../../services/broker/embedded.ts";
import { bytesEqual, fromHex, utf8 } from "../../services/primitives/bytes.ts";

export const REGION = "oak";
export const METER = "0a".repeat(16);
export const OTHER_METER = "0b".repeat(16);
export const MEMBER = "oracle";
export const PASSWORDS: Readonly<Record<string, string>> = {
  [METER]: "meter-secret",
  [OTHER_METER]: "other-secret",
  [MEMBER]: "member-secret",
};

export function leafTopic(leaf: string, deviceId = METER): string {
  return `gridlane/v1/${REGION}/m/${deviceId}/${leaf}`;
}

export function login(username: string) {
  return { clientId: username, username, password: PASSWORDS[username]! };
}

export const testCredentials: Credentials = ({ username, password }): Principal | null => {
  const expected = PASSWORDS[username];
  if (expected === undefined || !bytesEqual(password, utf8(expected))) return null;
  if (username === MEMBER) return { kind: "member", memberId: MEMBER };
  return { kind: "device", deviceId: fromHex(username), region: REGION };
};
