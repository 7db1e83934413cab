/** Method: every single flipped bit, every truncation, and the value of another key are found. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { seal, unseal } from "../../../../services/ordering/embedded/sealed.ts";
import { toHex, utf8 } from "../../../../services/primitives/bytes.ts";

test("the seal is the CRC-32 of key and value", () => {
  // CRC-32 of "123456789" is cbf43926 (the check value of ISO 3309's polynomial).
  expect(toHex(seal("123", utf8("456789")))).toBe("cbf43926343536373839");
});

test("an intact value comes back; each flipped bit and each cut is found", () => {
  fc.assert(
    fc.property(fc.string(), fc.uint8Array({ maxLength: 64 }), (key, value) => {
      const sealed = seal(key, value);
      expect(unseal(key, sealed)).toEqual(value);
      for (let bit = 0; bit < 8 * sealed.length; bit++) {
        const flipped = sealed.slice();
        flipped[Math.floor(bit / 8)]! ^= 1 << (bit % 8);
        expect(unseal(key, flipped)).toBeNull();
      }
      for (let length = 0; length < 4; length++) {
        expect(unseal(key, sealed.slice(0, length))).toBeNull();
      }
      expect(unseal(`${key}x`, sealed)).toBeNull();
    }),
    { numRuns: 50 },
  );
});
