/**
 * The form of an offline market: what `gridlane market clear` reads and writes, as plain objects.
 * Energy and prices are integers, money is a decimal string; regions and lines go by name.
 */
import type { Line } from "./network.ts";
import type { PriceRule, Rationing } from "./rules.ts";

export type OfflineOrder = {
  readonly id: string;
  readonly side: "bid" | "ask";
  readonly limitUcPerWh: number;
  readonly energyWh: number;
  readonly coefficientPpm?: number; // bids under a static key; together one million a region
  readonly priority?: number; // lower first among equals; 0 by default, then by id
};

export type OfflineRegion = { readonly id: string; readonly orders: readonly OfflineOrder[] };

export type OfflineLine = {
  readonly id: string;
  readonly from: string; // region ids
  readonly to: string;
  readonly capacityWh: number;
  readonly feeUcPerWh?: number;
};

export type UniformPriceRule = {
  readonly mechanism: "uniform-price";
  readonly price?: PriceRule["kind"]; // midpoint by default
  readonly kPpm?: number; // for k-weighted
  readonly rationing?: Rationing; // pro-rata by default
  readonly tickUcPerWh?: number;
};

/** Rates and keys share every order's energy, whatever its limit. */
export type OfflineRule =
  | UniformPriceRule
  | { readonly mechanism: "pay-as-bid"; readonly tickUcPerWh?: number }
  | {
      readonly mechanism: "mid-market-rate";
      readonly retailUcPerWh: number;
      readonly feedInUcPerWh: number;
    }
  | {
      readonly mechanism: "supply-demand-ratio";
      readonly retailUcPerWh: number;
      readonly feedInUcPerWh: number;
      readonly compensationPpm?: number;
    }
  | {
      readonly mechanism: "allocation";
      readonly key: "pro-rata" | "static";
      readonly passes?: 1 | 2;
      readonly priceUcPerWh: number;
    };

export type OfflineInput = {
  readonly regions: readonly OfflineRegion[];
  readonly lines: readonly OfflineLine[];
  readonly rule: OfflineRule;
};

export type OfflineFill = {
  readonly orderId: string;
  readonly energyWh: number; // what amountUc settles, the retailer's part included
  readonly amountUc: string; // > 0 receives, < 0 pays
  readonly retailerWh?: number; // rates only: the retailer's part of energyWh
};

export type OfflineRegionResult = {
  readonly id: string;
  readonly priceUcPerWh: number | null;
  readonly priceIntervalUcPerWh: readonly [number, number] | null;
  readonly boughtWh: number; // sums of the fills, by side
  readonly soldWh: number;
  readonly fills: readonly OfflineFill[];
  readonly retailerUc?: string; // rates only: what the retailer receives
};

export type OfflineOutput = {
  readonly regions: readonly OfflineRegionResult[];
  readonly flows: readonly {
    readonly lineId: string;
    readonly energyWh: number;
    readonly rentUc: string; // congestion rent, the fee taken out
    readonly feeUc: string;
  }[];
  readonly welfareUc: string;
  readonly witness: "verified";
};

/** Which field of the input is refused, and why. */
export type OfflineRefusal = {
  readonly code: string;
  readonly path: string; // like regions[0].orders[3].energyWh
  readonly value: string | number | null;
};

export type OfflineResult =
  | { readonly output: OfflineOutput }
  | { readonly refusal: OfflineRefusal };

/** The file's lines with region positions for ids; -1 for an unknown id. */
export function linesOf(input: OfflineInput): Line[] {
  const places = new Map(input.regions.map((region, at) => [region.id, at]));
  return input.lines.map((line) => ({
    id: line.id,
    from: places.get(line.from) ?? -1,
    to: places.get(line.to) ?? -1,
    capacityWh: line.capacityWh,
    feeUcPerWh: line.feeUcPerWh ?? 0,
  }));
}
