/**
 * Method: vectors by others (known Ethereum keys, the EIP-155 example, Wycheproof seen through
 * recovery), then properties: libsecp256k1 and noble recover alike from every mutation.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { keccak256, sha256 } from "../../../services/crypto/hash.ts";
import * as native from "../../../services/crypto/native/secp256k1.ts";
import * as portable from "../../../services/crypto/portable/secp256k1.ts";
import {
  type RecoverableDigest,
  recoverAddress,
  recoverAddressAnyS,
  secp256k1Address,
  signSecp256k1,
} from "../../../services/crypto/secp256k1.ts";
import { compareBytes, fromHex, toHex, utf8 } from "../../../services/primitives/bytes.ts";
import { type Case, flipBit, rawFromDer, vectorsAbsent, wycheproof } from "./vectors.ts";

const ORDER = BigInt("0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141");

function scalar(value: bigint): Uint8Array {
  return fromHex(value.toString(16).padStart(64, "0"));
}
function negated(s: Uint8Array): Uint8Array {
  return scalar(ORDER - BigInt(`0x${toHex(s)}`));
}

test.each([
  // The key 1; the first two development keys of Hardhat and Anvil.
  [`${"00".repeat(31)}01`, "7e5f4552091a69125d5dfcb7b8c2659029395bdf"],
  [
    "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",
    "f39fd6e51aad88f6f4ce6ab8827279cfffb92266",
  ],
  [
    "59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d",
    "70997970c51812dc3a010c7d01b50e0d17dc79c8",
  ],
])("the address of %s", (secret, address) => {
  expect(toHex(secp256k1Address(fromHex(secret)))).toBe(address);
});

test("the example of EIP-155: digest, signature, sender", () => {
  const digest = fromHex("daf5a779ae972f972197303d7b574746c7ef83eadac0f2791ad23db92e4c8e53");
  const secretKey = new Uint8Array(32).fill(0x46);
  const r = fromHex("28ef61340bd939bc2195fe537567866003e1a15d3c71ff63e1590620aa636276");
  const s = fromHex("67cbe9d8997f761aecb703304b3800ccf555c9f3dc64214b297fb1966a3b6d83");
  for (const engine of [native, portable]) {
    const signed = engine.sign({ digest, secretKey });
    expect(signed).toEqual({ r, s, yParity: 0 });
  }
  const sender = recoverAddress({ digest: digest, r, s, yParity: 0 });
  expect(toHex(sender ?? new Uint8Array())).toBe("9d8a62f656a8d1615c1294fd71e9cfb3e4855a4f");
});

describe.skipIf(vectorsAbsent)(
  "Wycheproof, as recovery: a signature holds if it gives the key",
  () => {
    const recovered = (row: Case, recover: (signed: RecoverableDigest) => Uint8Array | null) => {
      const address = toHex(keccak256(row.publicKey.subarray(1)).subarray(12));
      const digest = sha256(row.message);
      const [r, s] = [row.signature.slice(0, 32), row.signature.slice(32)];
      return [0, 1].some((yParity) => {
        const found = recover({ digest, r, s, yParity });
        return found !== null && toHex(found) === address;
      });
    };
    /** R.x above n: ECDSA verifies these; recovery needs parity 2 or 3, which Ethereum lacks. */
    const beyondRecovery = (row: Case) =>
      row.comment === "k*G has a large x-coordinate" || row.comment.startsWith("r = 2, x = n + 2");

    test("any S, raw: 252 cases", () => {
      const cases = wycheproof("ecdsa_secp256k1_sha256_p1363_test.json");
      expect(cases).toHaveLength(252);
      for (const row of cases) {
        const expected = row.valid && !beyondRecovery(row);
        expect(recovered(row, recoverAddressAnyS), row.name).toBe(expected);
      }
    });

    test("low S only, from DER: 463 cases", () => {
      const cases = wycheproof("ecdsa_secp256k1_sha256_bitcoin_test.json");
      expect(cases).toHaveLength(463);
      for (const row of cases) {
        const signature = rawFromDer(row.signature);
        const verdict = signature !== null && recovered({ ...row, signature }, recoverAddress);
        expect(verdict, row.name).toBe(row.valid && !beyondRecovery(row));
      }
    });

    test("the engines recover the same key, or none, from every case", () => {
      for (const row of wycheproof("ecdsa_secp256k1_sha256_p1363_test.json")) {
        if (row.signature.length !== 64) continue;
        const [r, s] = [row.signature.slice(0, 32), row.signature.slice(32)];
        for (const yParity of [0, 1]) {
          const signed = { digest: sha256(row.message), r, s, yParity };
          expect(native.recover(signed), row.name).toEqual(portable.recover(signed));
        }
      }
    });
  },
);

test("EIP-2: S at n/2 stands, one above falls; the precompile's recovery takes both", () => {
  const digest = sha256(utf8("edge"));
  const r = signSecp256k1({ digest: digest, secretKey: new Uint8Array(32).fill(5) }).r;
  const half = ORDER / 2n;
  expect(recoverAddress({ digest, r, s: scalar(half), yParity: 0 })).toHaveLength(20);
  expect(recoverAddress({ digest, r, s: scalar(half + 1n), yParity: 0 })).toBeNull();
  expect(recoverAddressAnyS({ digest, r, s: scalar(half + 1n), yParity: 0 })).toHaveLength(20);
});

test("malformed input recovers null and never throws", () => {
  const digest = sha256(utf8("edge"));
  const signed = signSecp256k1({ digest: digest, secretKey: new Uint8Array(32).fill(5) });
  const good = { digest, ...signed };
  expect(recoverAddress(good)).toEqual(secp256k1Address(new Uint8Array(32).fill(5)));
  const malformed: Partial<RecoverableDigest>[] = [
    ...[0, 31, 33, 64].flatMap((length) => {
      const bytes = new Uint8Array(length).fill(1);
      return [{ digest: bytes }, { r: bytes }, { s: bytes }];
    }),
    ...[0n, ORDER, 2n ** 256n - 1n].flatMap((value) => [
      { r: scalar(value) },
      { s: scalar(value) },
    ]),
    ...[-1, 2, 3, 27, 0.5, Number.NaN].map((yParity) => ({ yParity })),
    { r: scalar(5n) }, // no point has x = 5
  ];
  for (const change of malformed) {
    expect(recoverAddress({ ...good, ...change })).toBeNull();
    expect(recoverAddressAnyS({ ...good, ...change })).toBeNull();
  }
  const secretKey = new Uint8Array(32).fill(5);
  expect(() => signSecp256k1({ digest: new Uint8Array(31), secretKey })).toThrow("digest");
  expect(() => secp256k1Address(new Uint8Array(31))).toThrow("32 bytes");
});

test("the engines sign alike, digests above n too, and recover alike from any mutation", () => {
  const word = fc.uint8Array({ minLength: 32, maxLength: 32 });
  const large = fc.nat({ max: 255 }).map((byte) => new Uint8Array(32).fill(0xff).fill(byte, 31));
  const law = (secret: bigint, digest: Uint8Array, bit: number, noise: Uint8Array) => {
    const secretKey = scalar(secret);
    const signed = native.sign({ digest: digest, secretKey });
    expect(portable.sign({ digest: digest, secretKey })).toEqual(signed);
    expect(portable.publicKeyOf(secretKey)).toEqual(native.publicKeyOf(secretKey));
    const good = { digest, ...signed };
    expect(recoverAddress(good)).toEqual(secp256k1Address(secretKey));
    const flipped = { ...good, yParity: 1 - signed.yParity };
    const mutations = [
      flipped,
      { ...good, r: flipBit(signed.r, bit) },
      { ...good, s: flipBit(signed.s, bit) },
      { ...good, digest: flipBit(digest, bit) },
      { ...good, r: noise },
      { ...good, s: noise },
    ];
    for (const mutation of mutations) {
      const found = native.recover(mutation);
      expect(portable.recover(mutation)).toEqual(found);
      expect(found).not.toEqual(native.publicKeyOf(secretKey));
    }
    // The mirrored signature is the same key's, and only low S is let in.
    const mirrored = { ...flipped, s: negated(signed.s) };
    expect(recoverAddressAnyS(mirrored)).toEqual(secp256k1Address(secretKey));
    expect(recoverAddress(mirrored)).toBeNull();
    expect(compareBytes(signed.s, negated(signed.s))).toBeLessThan(0);
  };
  const secret = fc.bigInt({ min: 1n, max: ORDER - 1n });
  fc.assert(fc.property(secret, fc.oneof(word, large), fc.nat(), word, law), { numRuns: 30 });
});
