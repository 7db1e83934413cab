/**
 * Regions for settlement tests: meters, members and limits, cleared by the market itself and
 * settled.
 */
import { couple } from "../../../services/market/coupling.ts";
import type { Slot } from "../../../services/primitives/units.ts";
import { buildBook, membersFirst } from "../../../services/settlement/book.ts";
import {
  deliver,
  type ForwardSlot,
  type ImbalancePrices,
} from "../../../services/settlement/forward.ts";
import { allocateMidMarket } from "../../../services/settlement/mid-market.ts";
import { createRoster, type Roster } from "../../../services/settlement/roster.ts";
import { settleSlot } from "../../../services/settlement/settle.ts";
import {
  type MeteredSlot,
  NO_LINES,
  type RetailerPrices,
  type Settlement,
} from "../../../services/settlement/slot.ts";
import { allocateUniformPrice } from "../../../services/settlement/uniform-price.ts";
import type { GenesisRegion } from "../../../services/wire/genesis.ts";
import type { LateEntry } from "../../../services/wire/report.ts";

export const SLOT = 1000 as Slot;
export const RETAILER: RetailerPrices = { retailUcPerWh: 30_000, feedInUcPerWh: 8_000 };

export const IMBALANCE: ImbalancePrices = { shortUcPerWh: 45_000, longUcPerWh: 3_000 };

export type TestMeter = {
  readonly member: number;
  readonly importWh: number;
  readonly exportWh: number;
  readonly role?: "grid" | "production" | "feeder";
};
export type TestRegion = {
  readonly meters: readonly TestMeter[];
  readonly minSell: readonly number[]; // by member
  readonly maxBuy: readonly number[];
  readonly late?: readonly LateEntry[];
  readonly forward?: ForwardSlot;
};

export function rosterOf(region: TestRegion): Roster {
  return createRoster({
    members: region.minSell.map(() => ({})),
    meters: region.meters.map(({ member, role }) => ({
      role: role ?? "grid",
      memberIndex: role === "feeder" ? null : member,
    })),
  } as unknown as GenesisRegion);
}

export function meteredOf(region: TestRegion): MeteredSlot {
  return {
    slot: SLOT,
    importWh: Uint32Array.from(region.meters, (meter) => meter.importWh),
    exportWh: Uint32Array.from(region.meters, (meter) => meter.exportWh),
    quality: new Uint8Array(region.meters.length),
    late: region.late ?? [],
  };
}

export function deliveryOf(region: TestRegion) {
  const forward = region.forward ?? null;
  return deliver({ roster: rosterOf(region), metered: meteredOf(region), forward });
}

export function settleMidMarket(region: TestRegion, retailer = RETAILER): Settlement {
  const roster = rosterOf(region);
  const metered = meteredOf(region);
  const delivery = deliveryOf(region);
  const allocation = allocateMidMarket({ delivery, retailer });
  return settleSlot({ roster, metered, delivery, retailer, imbalance: IMBALANCE, allocation });
}

export type TestLine = {
  readonly from: number;
  readonly to: number;
  readonly capacityWh: number;
  readonly feeUcPerWh: number;
};

/** Clears all regions together over the lines and settles each. */
export function settleUniformPrice(
  regions: readonly TestRegion[],
  lines: readonly TestLine[] = [],
  retailer = RETAILER,
) {
  const named = lines.map((line, l) => ({ id: `line-${l}`, ...line }));
  const sum = (r: number, end: "from" | "to") =>
    lines.filter((line) => line[end] === r).reduce((wh, line) => wh + line.capacityWh, 0);
  const books = regions.map((region, r) =>
    buildBook({
      roster: rosterOf(region),
      delivery: deliveryOf(region),
      limits: {
        minSellUcPerWh: Int32Array.from(region.minSell),
        maxBuyUcPerWh: Int32Array.from(region.maxBuy),
      },
      retailer,
      lines: { inWh: sum(r, "to"), outWh: sum(r, "from") },
    }),
  );
  const coupling = couple({ regions: books.map((book) => book.orders), lines: named });
  const settlements = regions.map((region, r) => {
    const clearing = coupling.clearings[r]!;
    const totals = { ...NO_LINES };
    lines.forEach((line, l) => {
      const flowWh = coupling.flowWh[l]!;
      if (line.from === r) totals.outflowWh += flowWh;
      if (line.to !== r) return;
      totals.inflowWh += flowWh;
      totals.inflowFeesUc += coupling.feesUc[l]!;
      totals.inflowRentUc += coupling.rentUc[l]!;
    });
    const allocation = allocateUniformPrice({
      book: books[r]!,
      fillWh: membersFirst(books[r]!.orders, clearing.fillWh),
      priceUcPerWh: clearing.priceUcPerWh,
      lines: totals,
      retailer,
    });
    const settlement = settleSlot({
      roster: rosterOf(region),
      metered: meteredOf(region),
      delivery: deliveryOf(region),
      retailer,
      imbalance: IMBALANCE,
      allocation,
    });
    return { ...settlement, lines: totals };
  });
  return { settlements, coupling, books };
}
