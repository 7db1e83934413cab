/** Method: there and back; only the member's own signature over these bytes opens a receipt. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { ed25519PublicKey, signEd25519 } from "../../../services/crypto/ed25519.ts";
import { concatBytes, utf8 } from "../../../services/primitives/bytes.ts";
import { type CodecValue, decode, encode } from "../../../services/primitives/codec.ts";
import { GridError } from "../../../services/primitives/errors.ts";
import { encodeReceipt, openReceipt, type Receipt } from "../../../services/wire/receipt.ts";
import { sampleReceipt, receiptSecretKey as secretKey } from "./samples.ts";

const publicKey = ed25519PublicKey(secretKey);
const bytes = encodeReceipt({ receipt: sampleReceipt(), secretKey });

const bytesOf = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const anyReceipt = fc.record({
  deviceId: bytesOf(16),
  boot: fc.integer({ min: 0, max: 0xffff_ffff }),
  seq: fc.maxSafeNat(),
  recordHash: bytesOf(32),
  leafHash: bytesOf(32),
  memberId: fc.string({ maxLength: 31 }),
  code: fc.nat(40),
  timeS: fc.nat(),
}) as unknown as fc.Arbitrary<Receipt>;

test("any receipt comes back", () => {
  fc.assert(
    fc.property(anyReceipt, (receipt) => {
      const opened = openReceipt({ bytes: encodeReceipt({ receipt, secretKey }), publicKey });
      expect(opened).toEqual(receipt);
    }),
    { numRuns: 50 },
  );
});

test("another member's key does not open it", () => {
  expect(openReceipt({ bytes, publicKey: ed25519PublicKey(new Uint8Array(32)) })).toBeNull();
});

test("any changed byte is refused or does not verify", () => {
  for (let i = 0; i < bytes.length; i += 3) {
    const changed = bytes.slice();
    changed[i]! ^= 1;
    let opened: Receipt | null = null;
    try {
      opened = openReceipt({ bytes: changed, publicKey });
    } catch (error) {
      expect(error).toBeInstanceOf(GridError);
    }
    expect(opened, `byte ${i}`).toBeNull();
  }
});

test.each<[number, CodecValue]>([
  [0, new Uint8Array(15)],
  [1, -1],
  [2, 2n ** 53n],
  [3, new Uint8Array(31)],
  [4, null],
  [5, 7],
  [6, "0"],
  [7, -1],
])("field %i is checked even under a valid signature", (index, value) => {
  const [body] = decode(bytes) as Uint8Array[];
  const fields = [...(decode(body!) as CodecValue[])];
  fields[index] = value;
  const forged = encode(fields);
  const message = concatBytes([utf8("gridlane/receipt/v1"), forged]);
  const signature = signEd25519({ message, secretKey });
  expect(() => openReceipt({ bytes: encode([forged, signature]), publicKey })).toThrow(
    "not a receipt",
  );
});

test.each([[encode([])], [encode([1, 2])], [encode(["a", "b"])], [new Uint8Array(0)]])(
  "no receipt: %o",
  (other) => {
    expect(() => openReceipt({ bytes: other, publicKey })).toThrow(GridError);
  },
);
