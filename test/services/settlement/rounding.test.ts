/**
 * Method: the ledger's rule of division and the market's are two programs for one law, so each is
 * the other's twin.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { apportion } from "../../../services/ledger/apportion.ts";
import { shareMoney } from "../../../services/market/ration.ts";

test("money is divided by one rule, in the market as in the ledger", () => {
  const weights = fc.array(fc.oneof(fc.nat(5), fc.nat(10_000_000)), { maxLength: 40 });
  const total = fc.oneof(fc.bigInt(-50n, 50n), fc.bigInt(-(2n ** 62n), 2n ** 62n));
  fc.assert(
    fc.property(total, weights, (totalUc, shape) => {
      fc.pre(shape.some((weight) => weight > 0));
      expect(apportion(totalUc, shape)).toEqual(shareMoney({ totalUc, weights: shape }));
    }),
    { numRuns: 500 },
  );
});
