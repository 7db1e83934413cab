/**
 * The oracle's receipt: one for every record that reaches it, taken or refused, signed by the
 * member that answered. It turns "my data was ignored" into evidence, and it alone lets a meter
 * delete a journal entry. Travels on the device's `ack` topic.
 */
import { signEd25519, verifyEd25519 } from "../crypto/ed25519.ts";
import { concatBytes, utf8 } from "../primitives/bytes.ts";
import { decode, encode } from "../primitives/codec.ts";
import { GridError } from "../primitives/errors.ts";
import type { UnixSeconds } from "../primitives/units.ts";

export type Receipt = {
  readonly deviceId: Uint8Array; // 16 B, of the topic where the record itself was unreadable
  readonly boot: number; // 0 where the record was unreadable
  readonly seq: number; // 0 where the record was unreadable
  readonly recordHash: Uint8Array; // 32 B, SHA-256 of the payload bytes as received by MQTT
  readonly leafHash: Uint8Array; // 32 B, leaf of the readings tree; zeros where refused
  readonly memberId: string; // who answered
  readonly code: number; // READING_CODE
  readonly timeS: UnixSeconds; // market time at which the record became durable
};

export function encodeReceipt({
  receipt,
  secretKey,
}: {
  receipt: Receipt;
  secretKey: Uint8Array;
}): Uint8Array {
  const body = encodeBody(receipt);
  return encode([body, signEd25519({ message: signedBytes(body), secretKey })]);
}

/**
 * @returns null unless the member's signature holds
 * @throws GridError bytes_malformed
 */
export function openReceipt({
  bytes,
  publicKey,
}: {
  bytes: Uint8Array;
  publicKey: Uint8Array;
}): Receipt | null {
  const pair = decode(bytes);
  if (!Array.isArray(pair) || pair.length !== 2) return fail();
  const [body, signature] = pair as unknown[];
  if (!(body instanceof Uint8Array) || !(signature instanceof Uint8Array)) return fail();
  if (!verifyEd25519({ signature, message: signedBytes(body), publicKey })) return null;
  return decodeBody(body);
}

function signedBytes(body: Uint8Array): Uint8Array {
  return concatBytes([utf8("gridlane/receipt/v1"), body]);
}

function encodeBody(receipt: Receipt): Uint8Array {
  return encode([
    receipt.deviceId,
    receipt.boot,
    receipt.seq,
    receipt.recordHash,
    receipt.leafHash,
    receipt.memberId,
    receipt.code,
    receipt.timeS,
  ]);
}

function decodeBody(body: Uint8Array): Receipt {
  const fields = decode(body);
  if (!Array.isArray(fields) || fields.length !== 8) return fail();
  const [deviceId, boot, seq, recordHash, leafHash, memberId, code, timeS] = fields as unknown[];
  if (!(deviceId instanceof Uint8Array) || deviceId.length !== 16) return fail();
  if (!(recordHash instanceof Uint8Array) || recordHash.length !== 32) return fail();
  if (!(leafHash instanceof Uint8Array) || leafHash.length !== 32) return fail();
  if (typeof memberId !== "string") return fail();
  for (const number of [boot, seq, code, timeS]) {
    if (typeof number !== "number" || number < 0) return fail();
  }
  return {
    deviceId,
    boot: boot as number,
    seq: seq as number,
    recordHash,
    leafHash,
    memberId,
    code: code as number,
    timeS: timeS as UnixSeconds,
  };
}

function fail(): never {
  throw new GridError("bytes_malformed", "not a receipt", { what: "receipt", offset: 0 });
}
