/** Method: the order and the separation of keys, as a table and as properties over heights. */
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  APPLICATION,
  applicationKey,
  applicationPart,
  BASE_KEY,
  BLOCK_HEIGHT_KEY,
  BODIES,
  bodyKey,
  ENGINE_STATE_KEY,
  HEADERS,
  headerKey,
  heightOf,
  META_KEY,
  REBUILD_KEY,
  RESPONSES,
  responseKey,
} from "../../../../services/ordering/embedded/keys.ts";

const heights = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });

test.each([
  [headerKey, 1, "h/00000000000001"],
  [bodyKey, 255, "b/000000000000ff"],
  [responseKey, 2 ** 53 - 1, "r/1fffffffffffff"],
])("%o of %d", (key, height, expected) => {
  expect(key(height)).toBe(expected);
  expect(heightOf(expected)).toBe(height);
});

test("no key is a prefix of another", () => {
  const single = [META_KEY, BLOCK_HEIGHT_KEY, BASE_KEY, ENGINE_STATE_KEY, REBUILD_KEY];
  const families = [headerKey(0), bodyKey(0), responseKey(0), applicationKey("")];
  const keys = [...single, ...families];
  for (const a of keys) for (const b of keys) if (a !== b) expect(b.startsWith(a)).toBe(false);
});

test("keys order as heights do, within the range of their family alone", () => {
  const families = [
    [headerKey, HEADERS],
    [bodyKey, BODIES],
    [responseKey, RESPONSES],
  ] as const;
  fc.assert(
    fc.property(heights, heights, fc.constantFrom(...families), (a, b, [key, range]) => {
      expect(Math.sign(a - b)).toBe(key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0);
      for (const [, other] of families) {
        expect(key(a) >= other.gte && key(a) < other.lt).toBe(other === range);
      }
    }),
  );
});

test("any key of the application stays in its range and comes back", () => {
  fc.assert(
    fc.property(fc.string(), (own) => {
      const key = applicationKey(own);
      expect(key >= APPLICATION.gte && key < APPLICATION.lt).toBe(true);
      expect(applicationPart(key)).toBe(own);
    }),
  );
});
