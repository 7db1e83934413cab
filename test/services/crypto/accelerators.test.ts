/**
 * Method: take the native addons away, as on a machine without prebuilt binaries, and hold the
 * native engines to the portable answers: an absent addon may cost time, never agreement.
 */
import { expect, test, vi } from "vitest";
import { accelerators } from "../../../services/crypto/accelerators.ts";
import { loadAll } from "../../../services/crypto/portable/addons.ts";
import { concatBytes, utf8 } from "../../../services/primitives/bytes.ts";

vi.mock("../../../services/crypto/native/addons.ts", async (load) => ({
  ...(await load<typeof import("../../../services/crypto/native/addons.ts")>()),
  sodium: () => null,
  hashtree: () => null,
  blst: () => null,
  secp256k1: () => null,
}));

const secretKey = new Uint8Array(32).fill(3);
const message = utf8("a reading");

test("without hashtree the Merkle levels are the same", async () => {
  const native = await import("../../../services/crypto/native/hash.ts");
  const portable = await import("../../../services/crypto/portable/hash.ts");
  const pairs = new Uint8Array(256).map((_, i) => i);
  const [a, b] = [new Uint8Array(128), new Uint8Array(128)];
  native.pairsInto(pairs, a);
  portable.pairsInto(pairs, b);
  expect(a).toEqual(b);
  const pair = pairs.subarray(0, 64);
  expect(native.sha256Of([pair])).toEqual(portable.sha256Of([pair]));
});

test("without libsodium Ed25519 is noble's", async () => {
  const native = await import("../../../services/crypto/native/ed25519.ts");
  const portable = await import("../../../services/crypto/portable/ed25519.ts");
  const publicKey = native.publicKeyOf(secretKey);
  expect(publicKey).toEqual(portable.publicKeyOf(secretKey));
  const signature = native.sign({ message, secretKey });
  expect(signature).toEqual(portable.sign({ message, secretKey }));
  expect(native.verifyBySodium({ signature, message, publicKey })).toBe(false);
  expect(native.verify({ signature, message, publicKey })).toBe(true);
});

test("without libsecp256k1 signing and recovery are noble's", async () => {
  const native = await import("../../../services/crypto/native/secp256k1.ts");
  const portable = await import("../../../services/crypto/portable/secp256k1.ts");
  const digest = new Uint8Array(32).fill(9);
  const signed = native.sign({ digest: digest, secretKey });
  expect(signed).toEqual(portable.sign({ digest: digest, secretKey }));
  expect(native.recover({ digest, ...signed })).toEqual(portable.publicKeyOf(secretKey));
  expect(native.publicKeyOf(secretKey)).toEqual(portable.publicKeyOf(secretKey));
});

test("without blst the certificates are noble's", async () => {
  const native = await import("../../../services/crypto/native/bls.ts");
  const portable = await import("../../../services/crypto/portable/bls.ts");
  const key = native.secretKeyOf(concatBytes([secretKey, message]));
  const signature = native.sign({ message, secretKey: key });
  const publicKeys = [native.publicKeyOf(key)];
  expect(portable.verifyAggregate({ signature, message, publicKeys })).toBe(true);
  expect(native.verifyAggregate({ signature, message, publicKeys })).toBe(true);
  expect(native.aggregate([signature, signature])).toEqual(
    portable.aggregate([signature, signature]),
  );
});

test("the report names each accelerator once; a browser has none", () => {
  const names = accelerators().map((accelerator) => accelerator.name);
  expect(names).toEqual(["sodium-native", "hashtree", "blst", "secp256k1"]);
  expect(loadAll()).toEqual([]);
});
