/** Method: a few worked keys, then random adds against a plain set. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { KeyRuns } from "../../../services/node/key-runs.ts";

const slot = (region: number, n: number) => `slot/000${region}/${String(n).padStart(16, "0")}`;

test("families, regions and widths stand apart; odd keys are kept whole", () => {
  const runs = new KeyRuns();
  for (const key of [slot(1, 5), slot(1, 7), "lane/0001", "x/00000000000005"]) runs.add(key);
  for (const key of [slot(1, 5), slot(1, 7), "lane/0001", "x/00000000000005"]) {
    expect(runs.has(key), key).toBe(true);
  }
  for (const key of [slot(1, 6), slot(2, 5), "lane/0002", "x/0000000000000005", "proof/0001", ""]) {
    expect(runs.has(key), key).toBe(false);
  }
});

test("it holds what was added and nothing else", () => {
  const keys = fc.array(fc.tuple(fc.nat(2), fc.nat(30)), { maxLength: 60 });
  fc.assert(
    fc.property(keys, (added) => {
      const runs = new KeyRuns();
      const plain = new Set<string>();
      for (const [region, n] of added) {
        runs.add(slot(region, n));
        plain.add(slot(region, n));
      }
      for (let region = 0; region < 3; region++) {
        for (let n = 0; n <= 31; n++) {
          expect(runs.has(slot(region, n))).toBe(plain.has(slot(region, n)));
        }
      }
    }),
  );
});
