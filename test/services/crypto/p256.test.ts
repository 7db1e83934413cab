/**
 * Method: vectors by others (RFC 6979 for signing; Wycheproof, raw and DER, for verifying), then
 * properties: OpenSSL and noble agree on every mutation, and the key cache changes no answer.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { KeyCache } from "../../../services/crypto/native/key-cache.ts";
import * as native from "../../../services/crypto/native/p256.ts";
import {
  isRegistrableP256Key,
  type P256Signed,
  p256PublicKey,
  signP256,
  verifyP256,
} from "../../../services/crypto/p256.ts";
import * as portable from "../../../services/crypto/portable/p256.ts";
import { concatBytes, fromHex, toHex, utf8 } from "../../../services/primitives/bytes.ts";
import { compressed, flipBit, rawFromDer, vectorsAbsent, wycheproof } from "./vectors.ts";

const ORDER = BigInt("0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551");
const FIELD_PRIME = "ffffffff00000001000000000000000000000000ffffffffffffffffffffffff";
const SECRET = fromHex("c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721");

function scalar(value: bigint): Uint8Array {
  return fromHex(value.toString(16).padStart(64, "0"));
}
function negatedS(signature: Uint8Array): Uint8Array {
  const s = BigInt(`0x${toHex(signature.subarray(32))}`);
  return concatBytes([signature.subarray(0, 32), scalar(ORDER - s)]);
}

test.each([
  [
    "sample",
    "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716" +
      "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8",
  ],
  [
    "test",
    "f1abb023518351cd71d881567b1ea663ed3efcf6c5132b354f28d3b0b7d38367" +
      "019f4113742a2b14bd25926b49c649155f267e60d3814b4c0cc84250e46f0083",
  ],
])("RFC 6979, A.2.5: signs %j with the nonce of the RFC", (text, signature) => {
  const message = utf8(text);
  expect(toHex(signP256({ message, secretKey: SECRET }))).toBe(signature);
  const publicKey = fromHex("0360fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6");
  expect(p256PublicKey(SECRET)).toEqual(publicKey);
  expect(verifyP256({ signature: fromHex(signature), message, publicKey })).toBe(true);
});

const verifiers: [string, (signed: P256Signed) => boolean][] = [
  ["the door", verifyP256],
  ["native", native.verify],
  ["portable", portable.verify],
];

describe.skipIf(vectorsAbsent).each(verifiers)("Wycheproof on %s", (_name, verify) => {
  test("raw signatures: 262 cases", () => {
    const cases = wycheproof("ecdsa_secp256r1_sha256_p1363_test.json");
    expect(cases).toHaveLength(262);
    for (const row of cases) {
      const publicKey = compressed(row.publicKey);
      expect(verify({ ...row, publicKey }), row.name).toBe(row.valid);
    }
  });

  test("DER signatures, where they have a raw form: 484 cases", () => {
    const cases = wycheproof("ecdsa_secp256r1_sha256_test.json");
    expect(cases).toHaveLength(484);
    let raw = 0;
    for (const row of cases) {
      const signature = rawFromDer(row.signature);
      if (signature !== null) raw++;
      const publicKey = compressed(row.publicKey);
      const verdict = signature !== null && verify({ ...row, signature, publicKey });
      expect(verdict, row.name).toBe(row.valid);
    }
    expect(raw).toBe(249); // the others are malformed DER, all of them invalid
  });
});

test("high S is accepted: secure elements do not normalise it", () => {
  const message = utf8("reading");
  const publicKey = p256PublicKey(SECRET);
  const signature = signP256({ message, secretKey: SECRET });
  for (const [, verify] of verifiers) {
    expect(verify({ message, publicKey, signature })).toBe(true);
    expect(verify({ message, publicKey, signature: negatedS(signature) })).toBe(true);
  }
});

test("r and s outside [1, n-1] are refused, malformed bytes never throw", () => {
  const message = utf8("reading");
  const publicKey = p256PublicKey(SECRET);
  const signature = signP256({ message, secretKey: SECRET });
  const [r, s] = [signature.subarray(0, 32), signature.subarray(32)];
  for (const wrong of [scalar(0n), scalar(ORDER), scalar(ORDER + 1n), scalar(2n ** 256n - 1n)]) {
    for (const pair of [concatBytes([wrong, s]), concatBytes([r, wrong])]) {
      for (const [, verify] of verifiers) {
        expect(verify({ message, publicKey, signature: pair })).toBe(false);
      }
    }
  }
  for (const length of [0, 1, 32, 34, 63, 65, 70, 1000]) {
    const bytes = new Uint8Array(length).fill(3);
    expect(verifyP256({ message, publicKey, signature: bytes })).toBe(false);
    expect(verifyP256({ message, publicKey: bytes, signature })).toBe(false);
  }
  expect(() => signP256({ message, secretKey: new Uint8Array(31) })).toThrow("32 bytes");
});

test("a key has one form: compressed, its coordinate below the field's prime, on the curve", () => {
  const good = p256PublicKey(SECRET);
  expect(isRegistrableP256Key(good)).toBe(true);
  const x = toHex(good.subarray(1));
  const refused = [
    ...["00", "01", "04", "05", "06", "07", "ff"].map((prefix) => prefix + x),
    `04${x}${x}`, // uncompressed
    `02${FIELD_PRIME}`, // 0, by its other name
    `02${"ff".repeat(32)}`,
    `02${"00".repeat(31)}01`, // 1 is no coordinate of a point
    `03${"00".repeat(31)}01`,
    "00", // infinity
    "",
  ];
  const message = utf8("m");
  const signature = signP256({ message, secretKey: SECRET });
  for (const hex of refused) {
    const publicKey = fromHex(hex);
    expect(isRegistrableP256Key(publicKey), hex).toBe(false);
    expect(verifyP256({ message, signature, publicKey }), hex).toBe(false);
  }
  for (const engine of [native, portable]) {
    expect(engine.registrable(fromHex(`02${"00".repeat(32)}`))).toBe(true); // x = 0 has a root
    expect(engine.registrable(fromHex(`02${FIELD_PRIME}`))).toBe(false);
    expect(engine.registrable(fromHex(`02${"00".repeat(31)}01`))).toBe(false);
  }
});

test("the engines agree on every mutation, and on which bytes are keys", () => {
  const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
  const law = (seed: bigint, message: Uint8Array, bit: number, noise: Uint8Array) => {
    const secretKey = scalar(seed);
    const publicKey = portable.publicKeyOf(secretKey);
    const signature = portable.sign({ message, secretKey });
    const random = concatBytes([Uint8Array.of(2 + (bit & 1)), noise.subarray(0, 32)]);
    expect(native.registrable(random)).toBe(portable.registrable(random));
    const mutations: [P256Signed, boolean][] = [
      [{ signature, message, publicKey }, true],
      [{ signature: negatedS(signature), message, publicKey }, true],
      [{ signature: flipBit(signature, bit), message, publicKey }, false],
      [{ signature: noise, message, publicKey }, false],
      [{ signature, message: flipBit(message, bit), publicKey }, false],
      [{ signature, message, publicKey: flipBit(publicKey, bit) }, false],
      [{ signature, message, publicKey: random }, false],
    ];
    for (const [signed, verdict] of mutations) {
      expect(native.verify(signed)).toBe(verdict);
      expect(portable.verify(signed)).toBe(verdict);
      expect(verifyP256(signed)).toBe(verdict);
    }
  };
  const seed = fc.bigInt({ min: 1n, max: ORDER - 1n });
  const message = fc.uint8Array({ minLength: 1, maxLength: 64 });
  fc.assert(fc.property(seed, message, fc.nat(), bytes(64), law), { numRuns: 25 });
});

test("bytes in shared memory verify like any other", () => {
  const shared = (bytes: Uint8Array) => {
    const copy = new Uint8Array(new SharedArrayBuffer(bytes.length));
    copy.set(bytes);
    return copy;
  };
  const message = shared(utf8("a reading"));
  const publicKey = shared(p256PublicKey(SECRET));
  const signature = shared(signP256({ message, secretKey: SECRET }));
  for (const [, verify] of verifiers) expect(verify({ message, publicKey, signature })).toBe(true);
});

test("the key cache is bounded, drops the least recently used, keeps no refused key", () => {
  const read: string[] = [];
  const cache = new KeyCache<string>(2, (bytes) => {
    read.push(toHex(bytes));
    return bytes[0] === 0 ? null : toHex(bytes);
  });
  const get = (byte: number) => cache.get(Uint8Array.of(byte));
  expect([get(1), get(2), get(1), get(3), get(0), get(0)]).toEqual([
    "01",
    "02",
    "01",
    "03",
    null,
    null,
  ]);
  expect(cache.size).toBe(2);
  expect(read).toEqual(["01", "02", "03", "00", "00"]);
  expect([get(1), get(3), get(2)]).toEqual(["01", "03", "02"]); // 2 had been dropped
  expect(read).toEqual(["01", "02", "03", "00", "00", "02"]);
});
