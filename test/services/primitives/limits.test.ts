/** Method: the relations that other modules rely on, and that every limit is a usable number. */
import { expect, test } from "vitest";
import * as limits from "../../../services/primitives/limits.ts";

const entries: [string, number | bigint][] = Object.entries(limits);

test.each(entries)("%s is a positive safe integer, or money in 64 bits", (name, value) => {
  expect(name).toMatch(/^[A-Z0-9_]+_(MAX|MIN)$/);
  if (name.endsWith("_UC_MAX")) expect(BigInt.asIntN(64, value as bigint)).toBe(value);
  else expect(Number.isSafeInteger(value)).toBe(true);
  expect(value > 0).toBe(true);
});

test("a slot's length divides nothing away: the smallest is below the largest", () => {
  expect(limits.SLOT_S_MIN).toBeLessThan(limits.SLOT_S_MAX);
});

test("sums stay exact: a full region's energy is safe, its money fits 64 bits", () => {
  const regionWh = limits.SLOT_ENERGY_WH_MAX * limits.METERS_PER_REGION_MAX;
  expect(Number.isSafeInteger(regionWh)).toBe(true);
  expect(BigInt(regionWh) * BigInt(limits.PRICE_UC_PER_WH_MAX)).toBeLessThan(2n ** 63n);
  expect(Number.isSafeInteger(limits.REGISTER_WH_MAX + limits.SLOT_ENERGY_WH_MAX)).toBe(true);
});

test("a refund fits its account: all that a region may have in flight, above a full one", () => {
  const inFlightUc =
    BigInt(limits.MESSAGES_PER_PAIR_MAX * (limits.REGIONS_MAX - 1)) * limits.PAYMENT_UC_MAX;
  expect(limits.PAID_BALANCE_UC_MAX + inFlightUc).toBeLessThan(2n ** 63n);
  expect(limits.MESSAGES_PER_PAIR_MAX * (limits.REGIONS_MAX - 1)).toBeLessThanOrEqual(
    limits.INBOX_MESSAGES_MAX,
  );
});

test("what is sent together fits together", () => {
  expect(limits.TRANSACTION_BYTES_MAX).toBeLessThan(limits.BLOCK_BYTES_MAX);
  expect(limits.MEMPOOL_TRANSACTIONS_MAX).toBeLessThanOrEqual(limits.BLOCK_TRANSACTIONS_MAX);
  expect(limits.COMMITTEE_MEMBERS_MAX).toBeLessThanOrEqual(32); // one bit each of a 32-bit mask
  expect(limits.BLS_KEYS_CACHED_MAX).toBeGreaterThanOrEqual(limits.COMMITTEE_MEMBERS_MAX);
});
