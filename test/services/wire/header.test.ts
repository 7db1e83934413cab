/** Method: there and back; the sequencer's signature covers every field; what is no header. */
import { expect, test } from "vitest";
import { ed25519PublicKey, signEd25519 } from "../../../services/crypto/ed25519.ts";
import { toHex } from "../../../services/primitives/bytes.ts";
import { type CodecValue, decode, encode } from "../../../services/primitives/codec.ts";
import type { UnixSeconds } from "../../../services/primitives/units.ts";
import {
  decodeHeader,
  encodeHeader,
  type Header,
  headerHash,
  headerSignedBytes,
  verifyHeader,
} from "../../../services/wire/header.ts";
import { sampleHeader, sequencerSecretKey as secretKey } from "./samples.ts";

const header = sampleHeader();
const publicKey = ed25519PublicKey(secretKey);
const signature = signEd25519({ message: headerSignedBytes(header), secretKey });

test("a header comes back", () => {
  expect(decodeHeader(encodeHeader(header))).toEqual(header);
});

const zeros = new Uint8Array(32);
test.each<[string, Partial<Header>]>([
  ["chainVersion", { chainVersion: 2 }],
  ["networkId", { networkId: "elsewhere" }],
  ["height", { height: 4712 }],
  ["timeS", { timeS: 1 as UnixSeconds }],
  ["parentHash", { parentHash: zeros }],
  ["transactionsRoot", { transactionsRoot: zeros }],
  ["appHash", { appHash: zeros }],
])("the signature covers %s", (_field, change) => {
  expect(verifyHeader({ header, signature, publicKey })).toBe(true);
  expect(verifyHeader({ header: { ...header, ...change }, signature, publicKey })).toBe(false);
  expect(toHex(headerHash({ ...header, ...change }))).not.toBe(toHex(headerHash(header)));
});

test.each<[string, number, CodecValue]>([
  ["chainVersion", 0, -1],
  ["networkId", 1, 5],
  ["height", 2, "1"],
  ["timeS", 3, null],
  ["parentHash", 4, new Uint8Array(31)],
  ["transactionsRoot", 5, 0],
  ["appHash", 6, new Uint8Array(33)],
])("refused by name: %s", (field, index, value) => {
  const fields = [...(decode(encodeHeader(header)) as CodecValue[])];
  fields[index] = value;
  expect(() => decodeHeader(encode(fields))).toThrow(`not a header: ${field}`);
});

test("a header has seven fields", () => {
  expect(() => decodeHeader(encode([1]))).toThrow("not a header: fields");
});
