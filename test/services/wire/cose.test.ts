/**
 * Method: the COSE working group's own Sign1 examples. A generic verifier, written here on cborg
 * and our curves, must agree with each expected outcome; the reading profile must refuse them all,
 * above all the two that are valid COSE in another encoding. Then our readings under that verifier.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import * as cborg from "cborg";
import { expect, test } from "vitest";
import { verifyEd25519 } from "../../../services/crypto/ed25519.ts";
import { verifyP256 } from "../../../services/crypto/p256.ts";
import { concatBytes, fromHex, toHex, utf8 } from "../../../services/primitives/bytes.ts";
import {
  type DeviceAlgorithm,
  decodeReading,
  devicePublicKey,
  signReading,
} from "../../../services/wire/reading.ts";
import { NETWORK_ID, sampleKey, sampleReading } from "./samples.ts";

const DIRECTORY = "../shared/data/metering/cose";
const ED25519 = -8;
const P256 = -7;

type Key = {
  readonly crv: string;
  readonly x?: string;
  readonly y?: string;
  readonly x_hex?: string;
};
type Example = {
  readonly title: string;
  readonly fail?: boolean;
  readonly input: { readonly sign0?: { readonly key: Key; readonly external?: string } };
  readonly intermediates: { readonly ToBeSign_hex: string };
  readonly output: { readonly cbor: string };
};

const examples = existsSync(DIRECTORY)
  ? readdirSync(DIRECTORY)
      .filter((name) => name.endsWith(".json"))
      .map((name) => [name, JSON.parse(readFileSync(join(DIRECTORY, name), "utf8"))] as const)
      .filter((entry): entry is [string, Example] => entry[1].input.sign0 !== undefined)
  : [];
/** The curves and hashes that meters use; P-384, P-521 and Ed448 are not ours to verify. */
const supported = examples.filter(([, { input, title }]) => {
  return ["P-256", "Ed25519"].includes(input.sign0!.key.crv) && !title.includes("SHA-512");
});

type Envelope = readonly [Uint8Array, Map<number, unknown>, Uint8Array, Uint8Array];

/** RFC 9052 as liberal as it is: any encoding, tag optional, algorithm in either header. */
function openSign1(bytes: Uint8Array) {
  const options = { useMaps: true, allowIndefinite: true, strict: false };
  const tags = cborg.Tagged.preserve(18);
  const decoded = cborg.decode(bytes, { ...options, tags });
  const envelope = (decoded instanceof cborg.Tagged ? decoded.value : decoded) as Envelope;
  const [header, unprotected, payload, signature] = envelope;
  const fields = header.length === 0 ? new Map() : cborg.decode(header, options);
  // An empty protected map is signed as the empty string (section 4.4).
  const signed = fields.size === 0 ? new Uint8Array(0) : header;
  const algorithm = fields.get(1) ?? unprotected.get(1);
  const toBeSigned = (externalAad: Uint8Array) =>
    cborg.encode(["Signature1", signed, externalAad, payload]);
  return { algorithm, signature, toBeSigned };
}

type Outcome = { readonly verified: boolean; readonly toBeSigned: Uint8Array };

function verifySign1(bytes: Uint8Array, publicKey: Uint8Array, externalAad: Uint8Array): Outcome {
  const { algorithm, signature, toBeSigned } = openSign1(bytes);
  const message = toBeSigned(externalAad);
  if (algorithm === ED25519 && publicKey.length === 32) {
    return { verified: verifyEd25519({ signature, message, publicKey }), toBeSigned: message };
  }
  if (algorithm === P256 && publicKey.length === 33) {
    return { verified: verifyP256({ signature, message, publicKey }), toBeSigned: message };
  }
  return { verified: false, toBeSigned: message };
}

function publicKeyOf(key: Key): Uint8Array {
  if (key.x_hex !== undefined) return fromHex(key.x_hex);
  const [x, y] = [key.x, key.y].map((text) => new Uint8Array(Buffer.from(text!, "base64url")));
  return concatBytes([Uint8Array.of(2 + (y!.at(-1)! & 1)), x!]);
}

test.skipIf(supported.length === 0)("the examples of our curves are there", () => {
  expect(supported.map(([name]) => name)).toHaveLength(11);
});

test.skipIf(supported.length === 0).each(supported)("%s: as COSE says", (_name, example) => {
  const { key, external } = example.input.sign0!;
  const bytes = fromHex(example.output.cbor);
  const verify = () => verifySign1(bytes, publicKeyOf(key), fromHex(external ?? ""));
  if (example.fail === true) {
    let verified = false;
    try {
      ({ verified } = verify());
    } catch {
      // A wrong tag is refused by the decoder: also a refusal.
    }
    expect(verified).toBe(false);
    return;
  }
  const { verified, toBeSigned } = verify();
  expect(toHex(toBeSigned)).toBe(example.intermediates.ToBeSign_hex.toLowerCase());
  expect(verified).toBe(true);
});

test.skipIf(examples.length === 0).each(examples)("%s: no reading", (_name, example) => {
  expect(() => decodeReading(fromHex(example.output.cbor))).toThrow(/^not (a reading|canonical)/);
});

test.each<[string, RegExp]>([
  ["sign1-tests_sign-pass-01.json", /protected header/], // the algorithm stands unprotected
  ["sign1-tests_sign-pass-03.json", /COSE_Sign1 envelope/], // no tag
])("%s is valid COSE, and the profile says what it misses", (name, reason) => {
  const example = examples.find(([file]) => file === name)?.[1];
  if (example === undefined) return;
  expect(() => decodeReading(fromHex(example.output.cbor))).toThrow(reason);
});

test.each<DeviceAlgorithm>(["ed25519", "p256"])("our %s readings are COSE to everyone", (name) => {
  const key = sampleKey(name);
  const bytes = signReading({ reading: sampleReading(name), networkId: NETWORK_ID, key });
  const externalAad = concatBytes([utf8("gridlane/reading/v1"), utf8(NETWORK_ID)]);
  const publicKey = devicePublicKey(key);
  expect(verifySign1(bytes, publicKey, externalAad).verified).toBe(true);
  expect(verifySign1(bytes, publicKey, utf8("another")).verified).toBe(false);
  expect(verifySign1(bytes.slice().fill(1, -1), publicKey, externalAad).verified).toBe(false);
});
