/** Method: the salt is what HKDF of RFC 5869 gives, and differs wherever the record does. */
import { expect, test } from "vitest";
import { hkdfSha256 } from "../../../services/crypto/hash.ts";
import { Salts, saltInfo } from "../../../services/oracle/salts.ts";
import { toHex } from "../../../services/primitives/bytes.ts";

const secret = new Uint8Array(32).fill(9);
const deviceId = new Uint8Array(16).fill(1);

test("the salt is HKDF-SHA-256 without salt, 32 bytes", () => {
  for (const record of [
    { deviceId, boot: 0, seq: 0 },
    { deviceId, boot: 2 ** 32 - 1, seq: 2 ** 53 - 1 },
  ]) {
    const info = saltInfo(record);
    const expected = hkdfSha256({ secret, salt: new Uint8Array(0), info, length: 32 });
    expect(toHex(new Salts(secret).saltOf(record))).toBe(toHex(expected));
  }
});

test("each record, device and secret has its own", () => {
  const salts = new Salts(secret);
  const all = [
    salts.saltOf({ deviceId, boot: 1, seq: 2 }),
    salts.saltOf({ deviceId, boot: 2, seq: 1 }),
    salts.saltOf({ deviceId: new Uint8Array(16), boot: 1, seq: 2 }),
    new Salts(new Uint8Array(32)).saltOf({ deviceId, boot: 1, seq: 2 }),
  ];
  expect(new Set(all.map(toHex)).size).toBe(4);
});
