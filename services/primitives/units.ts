/**
 * Quantities: integers whose unit lives in the type and nowhere at run time.
 *
 * Energy, prices and times are safe-integer numbers (each bounded far below 2^53); money is the
 * only bigint, so arithmetic of money with the rest fails to compile even where a brand was lost.
 */
import { assert } from "./errors.ts";

declare const unit: unique symbol;
type Quantity<Repr extends number | bigint, Unit extends string> = Repr & { readonly [unit]: Unit };
/** Energy in Wh, never negative: direction is in the name (`importWh`, `exportWh`). */
export type WattHours = Quantity<number, "Wh">;
/** Price in uc/Wh, may be negative. 1 uc/Wh = 0.01 currency units per MWh: price x Wh is exact. */
export type Price = Quantity<number, "uc/Wh">;
/** Money in micro-cents (1e-8 of the currency unit). Signed: a ledger delta may be negative. */
export type MicroCents = Quantity<bigint, "uc">;
/** Seconds since 1970-01-01T00:00:00Z, leap seconds ignored (POSIX). */
export type UnixSeconds = Quantity<number, "s">;
/** Delivery slot number: floor(unixS / slotS). */
export type Slot = Quantity<number, "slot">;

export function wattHours(value: number): WattHours {
  assert(Number.isSafeInteger(value), "energy must be a safe integer");
  assert(value >= 0, "energy must not be negative");
  return value as WattHours;
}

export function price(value: number): Price {
  assert(Number.isSafeInteger(value), "price must be a safe integer");
  return value as Price;
}

export function microCents(value: bigint): MicroCents {
  return value as MicroCents;
}

export function unixSeconds(value: number): UnixSeconds {
  assert(Number.isSafeInteger(value), "time must be a safe integer");
  assert(value >= 0, "time must not be before 1970");
  return value as UnixSeconds;
}

export function slot(value: number): Slot {
  assert(Number.isSafeInteger(value), "slot must be a safe integer");
  assert(value >= 0, "slot must not be negative");
  return value as Slot;
}

/** Money for energy at a price: exact, never rounded. */
export function cost(priceUcPerWh: Price, energyWh: WattHours): MicroCents {
  return (BigInt(priceUcPerWh) * BigInt(energyWh)) as MicroCents;
}

/** The slot that contains `timeS`: slots are [slotStartS, slotStartS + slotS). */
export function slotAt(timeS: UnixSeconds, slotS: number): Slot {
  return slot(Math.floor(timeS / slotS));
}

export function slotStartS(at: Slot, slotS: number): UnixSeconds {
  return unixSeconds(at * slotS);
}

export function slotEndS(at: Slot, slotS: number): UnixSeconds {
  return unixSeconds((at + 1) * slotS);
}
