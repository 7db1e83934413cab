/**
 * Delivery of what was sold and bought forward: how a meter's registers and the member's position
 * leave the energy that the metered market still has to find or to place.
 *
 * Each side is judged by its own register: energy sold forward is delivered by export, energy
 * bought forward is taken by import. What was sold and not delivered must be bought, what was
 * bought and not taken must be sold; both go to the metered market at the member's standing limits,
 * beside ordinary import and export. So a meter's residual is metered net less position. What the
 * market finds of it counts for the deviation first, and only what the deviation leaves to the
 * retailer has the short or long price. More export than was sold, or more import than was bought,
 * is no deviation but ordinary energy: hedging a part costs nothing.
 *
 * A position is the member's; with several grid meters it is spread over them by what they metered
 * (largest remainder), and a deviation stands on the first.
 */
import { apportion } from "../ledger/apportion.ts";
import { assert } from "../primitives/errors.ts";
import type { Roster } from "./roster.ts";
import { atGridMeters, type LineTotals, type MeteredSlot } from "./slot.ts";

/** What one member holds of a slot: bought or sold, never both. */
export type ForwardPosition = {
  readonly memberIndex: number;
  readonly boughtWh: number;
  readonly soldWh: number;
};

/** What a region's forward auction left for delivery. */
export type ForwardSlot = {
  readonly priceUcPerWh: number;
  readonly positions: readonly ForwardPosition[]; // members are unique
  readonly lines: LineTotals; // of the forward flows
};

/** Policy for what a deviation leaves to the retailer; long <= feed-in <= retail <= short. */
export type ImbalancePrices = { readonly shortUcPerWh: number; readonly longUcPerWh: number };

/** By place. export + forwardBought - toSell = import + forwardSold - toBuy. */
export type Delivery = {
  readonly forward: ForwardSlot | null;
  readonly forwardBoughtWh: Float64Array;
  readonly forwardSoldWh: Float64Array;
  readonly undeliveredWh: Float64Array; // of what was sold
  readonly untakenWh: Float64Array; // of what was bought
  readonly importWh: Float64Array; // to buy: import not bought forward, and the undelivered
  readonly exportWh: Float64Array; // to sell: export not sold forward, and the untaken
};

/** @param parts.forward - null: nothing of this slot was traded forward in this region */
export function deliver(parts: {
  readonly roster: Roster;
  readonly metered: MeteredSlot;
  readonly forward: ForwardSlot | null;
}): Delivery {
  const { roster, metered, forward } = parts;
  const column = () => new Float64Array(roster.gridMeters.length);
  const delivery: Delivery = {
    forward,
    forwardBoughtWh: column(),
    forwardSoldWh: column(),
    undeliveredWh: column(),
    untakenWh: column(),
    importWh: atGridMeters(roster, metered.importWh),
    exportWh: atGridMeters(roster, metered.exportWh),
  };
  if (forward === null || forward.positions.length === 0) return delivery;
  const placesOf = placesByMember(roster);
  for (const { memberIndex, boughtWh, soldWh } of forward.positions) {
    assert(boughtWh === 0 || soldWh === 0, "a forward position has one side");
    const places = placesOf[memberIndex];
    assert(places !== undefined && places.length > 0, "who trades forward has a grid meter");
    spread(places, soldWh, {
      traded: delivery.forwardSoldWh,
      metered: delivery.exportWh,
      missing: delivery.undeliveredWh,
      other: delivery.importWh,
    });
    spread(places, boughtWh, {
      traded: delivery.forwardBoughtWh,
      metered: delivery.importWh,
      missing: delivery.untakenWh,
      other: delivery.exportWh,
    });
  }
  return delivery;
}

function placesByMember(roster: Roster): readonly (readonly number[])[] {
  const placesOf = Array.from({ length: roster.memberCount }, (): number[] => []);
  roster.gridMeters.forEach((meter, place) => {
    placesOf[roster.memberOfMeter[meter]!]!.push(place);
  });
  return placesOf;
}

/** Moves the met part of a position out of `metered`, and what is missing into `other`. */
function spread(
  places: readonly number[],
  tradedWh: number,
  columns: {
    readonly traded: Float64Array;
    readonly metered: Float64Array;
    readonly missing: Float64Array;
    readonly other: Float64Array;
  },
): void {
  if (tradedWh === 0) return;
  const { traded, metered, missing, other } = columns;
  const meteredWh = places.map((place) => metered[place]!);
  const metWh = Math.min(
    tradedWh,
    meteredWh.reduce((sum, wh) => sum + wh, 0),
  );
  const met = metWh === 0 ? meteredWh.map(() => 0n) : apportion(BigInt(metWh), meteredWh);
  places.forEach((place, i) => {
    const wh = Number(met[i]!);
    traded[place]! += wh;
    metered[place]! -= wh;
  });
  const [first] = places;
  traded[first!]! += tradedWh - metWh;
  missing[first!]! += tradedWh - metWh;
  other[first!]! += tradedWh - metWh;
}

/** The retailer's part of what a meter bought (or sold) that a deviation left to it, Wh. */
export function imbalanceWh(parts: {
  readonly missingWh: number; // undelivered, or untaken
  readonly insideWh: number; // found or placed in the market
}): number {
  return Math.max(0, parts.missingWh - parts.insideWh);
}
