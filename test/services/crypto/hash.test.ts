/**
 * Method: published vectors on both engines, then the property that the engines agree on any input.
 * Sources: FIPS 180-4 and NIST examples, RFC 4231, RFC 5869, the Keccak team's empty-string digest.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import * as door from "../../../services/crypto/hash.ts";
import * as native from "../../../services/crypto/native/hash.ts";
import * as portable from "../../../services/crypto/portable/hash.ts";
import { fromHex, toHex, utf8 } from "../../../services/primitives/bytes.ts";

// Typed by the native engine: the compiler holds the portable one to the same signatures.
const ENGINES: readonly [string, typeof native][] = [
  ["native", native],
  ["portable", portable],
];

describe.each(ENGINES)("%s", (_name, engine) => {
  test.each([
    ["", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"],
    ["abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"],
    [
      "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
      "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
    ],
  ])("SHA-256 of %j", (text, digest) => {
    expect(toHex(engine.sha256Of([utf8(text)]))).toBe(digest);
    const parts = [utf8(text.slice(0, 1)), utf8(""), utf8(text.slice(1))];
    expect(toHex(engine.sha256Of(parts))).toBe(digest);
    expect(toHex(engine.sha256OfStream(parts.values()))).toBe(digest);
  });

  test("HMAC-SHA-256, RFC 4231 cases 1 and 2", () => {
    const one = engine.hmac(new Uint8Array(20).fill(0x0b), utf8("Hi There"));
    expect(toHex(one)).toBe("b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    const two = engine.hmac(utf8("Jefe"), utf8("what do ya want for nothing?"));
    expect(toHex(two)).toBe("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  });

  test("HKDF-SHA-256, RFC 5869 cases 1 and 3", () => {
    const secret = new Uint8Array(22).fill(0x0b);
    const full = engine.hkdf({
      secret,
      salt: fromHex("000102030405060708090a0b0c"),
      info: fromHex("f0f1f2f3f4f5f6f7f8f9"),
      length: 42,
    });
    expect(toHex(full)).toBe(
      "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
    );
    const empty = new Uint8Array();
    expect(toHex(engine.hkdf({ secret, salt: empty, info: empty, length: 42 }))).toBe(
      "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
    );
  });

  test("results are plain, fresh byte arrays", () => {
    const empty = new Uint8Array();
    for (const parts of [[empty], [empty, empty], [new Uint8Array(64)]]) {
      expect(engine.sha256Of(parts).constructor).toBe(Uint8Array);
    }
    expect(engine.hmac(empty, empty).constructor).toBe(Uint8Array);
    const info = { secret: empty, salt: empty, info: empty, length: 1 };
    expect(engine.hkdf(info).constructor).toBe(Uint8Array);
  });
});

test.each([
  ["", "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"],
  ["abc", "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45"],
  [
    "Transfer(address,address,uint256)",
    "ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef",
  ],
])("Keccak-256 of %j", (text, digest) => {
  expect(toHex(door.keccak256(utf8(text)))).toBe(digest);
});

test("hashPairs hashes each pair, in order, whatever view it is given", () => {
  const memory = new Uint8Array(5 + 3 * 64).map((_, i) => i * 31);
  const pairs = memory.subarray(5);
  const shared = new Uint8Array(new SharedArrayBuffer(pairs.length));
  shared.set(pairs);
  const expected = [0, 1, 2].map((i) => toHex(door.sha256(pairs.subarray(64 * i, 64 * i + 64))));
  expect(toHex(door.hashPairs(pairs))).toBe(expected.join(""));
  expect(toHex(door.hashPairs(shared))).toBe(expected.join(""));
  expect(door.hashPairs(new Uint8Array())).toHaveLength(0);
});

test("refuses what has no meaning", () => {
  expect(() => door.hashPairs(new Uint8Array(63))).toThrow("64 bytes");
  expect(() => door.hashPairsInto(new Uint8Array(64), new Uint8Array(64))).toThrow("32 bytes");
  const empty = new Uint8Array();
  const derive = (length: number) => () =>
    door.hkdfSha256({ secret: empty, salt: empty, info: empty, length });
  expect(derive(0)).toThrow("whole number");
  expect(derive(door.HKDF_LENGTH_MAX + 1)).toThrow("255 blocks");
  expect(derive(door.HKDF_LENGTH_MAX)()).toHaveLength(door.HKDF_LENGTH_MAX);
});

test("the engines agree", () => {
  const bytes = fc.uint8Array({ maxLength: 200 });
  fc.assert(
    fc.property(fc.array(bytes, { maxLength: 4 }), bytes, bytes, (parts, key, message) => {
      expect(native.sha256Of(parts)).toEqual(portable.sha256Of(parts));
      expect(native.hmac(key, message)).toEqual(portable.hmac(key, message));
      const input = { secret: key, salt: message, info: parts[0] ?? key, length: 1 + key.length };
      expect(native.hkdf(input)).toEqual(portable.hkdf(input));
      const pairs = new Uint8Array(64 * parts.length).map((_, i) => key[i % 200] ?? i);
      const [a, b] = [new Uint8Array(pairs.length / 2), new Uint8Array(pairs.length / 2)];
      native.pairsInto(pairs, a);
      portable.pairsInto(pairs, b);
      expect(a).toEqual(b);
    }),
    { numRuns: 300 },
  );
});
