/**
 * Method: vectors by others pin each engine's accept set (RFC 8032, Wycheproof, ed25519-speccheck,
 * the 196 small-order signatures of ZIP-215), then properties: the engines agree on every mutation.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type Ed25519Signed,
  ed25519PublicKey,
  isRegistrableEd25519Key,
  signEd25519,
  verifyEd25519,
} from "../../../services/crypto/ed25519.ts";
import { sodium } from "../../../services/crypto/native/addons.ts";
import * as native from "../../../services/crypto/native/ed25519.ts";
import * as portable from "../../../services/crypto/portable/ed25519.ts";
import { concatBytes, fromHex, toHex, utf8 } from "../../../services/primitives/bytes.ts";
import { flipBit, readJson, vectorsAbsent, wycheproof } from "./vectors.ts";

/** RFC 8032, section 7.1, tests 1 to 3. */
const RFC_8032 = [
  {
    secret: "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
    public: "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
    message: "",
    signature:
      "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155" +
      "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
  },
  {
    secret: "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
    public: "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
    message: "72",
    signature:
      "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da" +
      "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
  },
  {
    secret: "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
    public: "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
    message: "af82",
    signature:
      "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac" +
      "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
  },
];

test.each(RFC_8032)("RFC 8032: signs and verifies message '$message'", (row) => {
  const secretKey = fromHex(row.secret);
  const message = fromHex(row.message);
  for (const engine of [native, portable]) {
    expect(toHex(engine.publicKeyOf(secretKey))).toBe(row.public);
    expect(toHex(engine.sign({ message, secretKey }))).toBe(row.signature);
  }
  const publicKey = fromHex(row.public);
  expect(verifyEd25519({ signature: fromHex(row.signature), message, publicKey })).toBe(true);
  expect(isRegistrableEd25519Key(publicKey)).toBe(true);
});

const FIELD_PRIME = "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f";

/** All 14 encodings of the 8 points of small order: y and the sign bit, canonical or not. */
const SMALL_ORDER = [
  "0100000000000000000000000000000000000000000000000000000000000000", // order 1
  "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // the same, y + p
  "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // order 2
  "0000000000000000000000000000000000000000000000000000000000000000", // order 4
  FIELD_PRIME, // order 4, y + p
  "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05", // order 8
  "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a", // order 8
].flatMap((hex) => [fromHex(hex), flipBit(fromHex(hex), 255)]);

const accepts = (verify: (signed: Ed25519Signed) => boolean) => (signed: Ed25519Signed) =>
  signed.signature.length === 64 && signed.publicKey.length === 32 && verify(signed);

describe.skipIf(vectorsAbsent)("vectors by others", () => {
  const cases = wycheproof("ed25519_test.json");

  test("Wycheproof: 151 cases; ZIP-215 is laxer in exactly one", () => {
    expect(cases).toHaveLength(151);
    for (const verify of [verifyEd25519, accepts(portable.verify), accepts(native.verify)]) {
      const differing = cases.filter((row) => verify(row) !== row.valid);
      expect(differing.map((row) => [row.comment, row.valid])).toEqual([
        [expect.stringContaining("R encodes y = 1 with the sign bit of x set"), false],
      ]);
    }
  });

  test.skipIf(sodium() === null)("Wycheproof: libsodium alone differs in none", () => {
    const differing = cases.filter((row) => accepts(native.verifyBySodium)(row) !== row.valid);
    expect(differing).toEqual([]);
  });

  const speccheck = (
    readJson<{ message: string; pub_key: string; signature: string }[]>(
      "ed25519-speccheck/cases.json",
    ) ?? []
  ).map((row) => ({
    message: fromHex(row.message),
    publicKey: fromHex(row.pub_key),
    signature: fromHex(row.signature),
  }));
  const row = (verify: (signed: Ed25519Signed) => boolean) =>
    speccheck.map((signed) => (verify(signed) ? "V" : "X")).join(" ");

  test("speccheck: the rule accepts 0-5 and 9-11, the suite's Zebra row, on both engines", () => {
    for (const verify of [verifyEd25519, native.verify, portable.verify]) {
      expect(row(verify)).toBe("V V V V V V X X X V V V");
    }
  });

  test.skipIf(sodium() === null)("speccheck: libsodium alone accepts only 3", () => {
    expect(row(native.verifyBySodium)).toBe("X X X V X X X X X X X X");
  });
});

test("ZIP-215: all 196 signatures with small-order A and R and S = 0 are valid", () => {
  expect(new Set(SMALL_ORDER.map(toHex)).size).toBe(14);
  const message = utf8("Zcash");
  for (const publicKey of SMALL_ORDER) {
    for (const r of SMALL_ORDER) {
      const signature = concatBytes([r, new Uint8Array(32)]);
      expect(verifyEd25519({ signature, message, publicKey })).toBe(true);
      expect(portable.verify({ signature, message, publicKey })).toBe(true);
    }
  }
});

test("no small-order or non-canonical key may be registered, on either engine", () => {
  const secretKey = new Uint8Array(32).fill(7);
  const good = ed25519PublicKey(secretKey);
  expect(isRegistrableEd25519Key(good)).toBe(true);
  const refused = [
    ...SMALL_ORDER,
    fromHex(`${"ff".repeat(31)}7f`), // y = 2^255 - 1
    fromHex(`f0${"ff".repeat(30)}7f`), // y = p + 3: 3 is on the curve, this is its other name
    fromHex(`02${"00".repeat(31)}`), // not on the curve
    good.subarray(1),
    concatBytes([good, Uint8Array.of(0)]),
    new Uint8Array(),
  ];
  for (const key of refused) expect(isRegistrableEd25519Key(key), toHex(key)).toBe(false);
  for (const engine of [native, portable]) {
    for (const key of SMALL_ORDER) expect(engine.registrable(key)).toBe(false);
  }
});

test("malformed bytes are refused and never throw", () => {
  const secretKey = new Uint8Array(32).fill(1);
  const message = utf8("m");
  const signature = signEd25519({ message, secretKey });
  const good = { signature, message, publicKey: ed25519PublicKey(secretKey) };
  expect(verifyEd25519(good)).toBe(true);
  for (const length of [0, 1, 31, 33, 63, 65, 1000]) {
    expect(verifyEd25519({ ...good, signature: new Uint8Array(length) })).toBe(false);
    expect(verifyEd25519({ ...good, publicKey: new Uint8Array(length) })).toBe(false);
  }
  expect(() => signEd25519({ message, secretKey: new Uint8Array(64) })).toThrow("32 bytes");
});

test("bytes in shared memory verify and sign like any other", () => {
  const shared = (bytes: Uint8Array) => {
    const copy = new Uint8Array(new SharedArrayBuffer(bytes.length));
    copy.set(bytes);
    return copy;
  };
  const secretKey = shared(new Uint8Array(32).fill(9));
  const message = shared(utf8("a reading"));
  const publicKey = ed25519PublicKey(secretKey);
  expect(publicKey).toEqual(portable.publicKeyOf(secretKey));
  const signature = signEd25519({ message, secretKey });
  expect(signature).toEqual(portable.sign({ message, secretKey }));
  const signed = { signature: shared(signature), message, publicKey: shared(publicKey) };
  expect(native.verifyBySodium(signed)).toBe(sodium() !== null);
  expect(verifyEd25519(signed)).toBe(true);
});

test("the engines sign alike, and agree on every mutation of signature, message and key", () => {
  const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
  const law = (secretKey: Uint8Array, message: Uint8Array, bit: number, noise: Uint8Array) => {
    const publicKey = native.publicKeyOf(secretKey);
    const signature = native.sign({ message, secretKey });
    expect(portable.publicKeyOf(secretKey)).toEqual(publicKey);
    expect(portable.sign({ message, secretKey })).toEqual(signature);
    const smallOrder = SMALL_ORDER[bit % 14]!;
    const mutations: [Ed25519Signed, boolean?][] = [
      [{ signature, message, publicKey }, true],
      [{ signature: flipBit(signature, bit), message, publicKey }, false],
      [{ signature, message: flipBit(message, bit), publicKey }, false],
      [{ signature, message, publicKey: flipBit(publicKey, bit) }, false],
      [{ signature: noise, message, publicKey }, false],
      [{ signature, message, publicKey: smallOrder }],
      [{ signature: concatBytes([smallOrder, signature.subarray(32)]), message, publicKey }],
    ];
    for (const [signed, verdict] of mutations) {
      const answer = native.verify(signed);
      expect(portable.verify(signed)).toBe(answer);
      if (verdict !== undefined) expect(answer).toBe(verdict);
    }
  };
  const message = fc.uint8Array({ minLength: 1, maxLength: 64 });
  fc.assert(fc.property(bytes(32), message, fc.nat(), bytes(64), law), { numRuns: 40 });
});

test("a key array that is overwritten signs with its new bytes", () => {
  const message = new Uint8Array([1, 2, 3]);
  const secretKey = new Uint8Array(32).fill(7);
  const first = signEd25519({ message, secretKey });
  expect(signEd25519({ message, secretKey })).toEqual(first);
  secretKey.fill(8);
  const fresh = signEd25519({ message, secretKey: new Uint8Array(32).fill(8) });
  expect(signEd25519({ message, secretKey })).toEqual(fresh);
  const publicKey = ed25519PublicKey(secretKey);
  publicKey.fill(0); // the caller's copy
  expect(ed25519PublicKey(secretKey)).not.toEqual(publicKey);
});
