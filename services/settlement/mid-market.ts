/**
 * The mid-market rate as an allocation: the region alone with the retailer. What a meter has to buy
 * and to sell in a slot stand side by side, each at its side's rate. Limits play no part: nobody is
 * worse off than with the retailer alone.
 */
import { floorDivide } from "../ledger/apportion.ts";
import { midMarketRate } from "../market/mechanisms/mid-market-rate.ts";
import type { Delivery } from "./forward.ts";
import type { Allocation, RetailerPrices } from "./slot.ts";

export function allocateMidMarket(parts: {
  readonly delivery: Delivery;
  readonly retailer: RetailerPrices;
}): Allocation {
  const { retailer } = parts;
  const { importWh, exportWh } = parts.delivery;
  const rate = midMarketRate({ importWh, exportWh, ...retailer });
  const { totals } = rate;
  const none = new Float64Array(importWh.length);
  return {
    supply: {
      communityBoughtWh: rate.boughtWh,
      communitySoldWh: rate.soldWh,
      neighbourBoughtWh: none,
      neighbourSoldWh: none,
      retailerBoughtWh: rate.retailerImportWh,
      retailerSoldWh: rate.retailerExportWh,
    },
    amountUc: rate.amountUc,
    priceUcPerWh: totals.tradedWh > 0 ? midPrice(retailer) : null,
    buyPriceUcPerWh: averagePrice(rate.buyersPayUc, totals.importWh),
    sellPriceUcPerWh: averagePrice(rate.sellersGetUc, totals.exportWh),
    retailerUc: rate.retailerUc,
    neighboursUc: 0n,
    gridOperatorUc: 0n,
    treasuryUc: 0n,
  };
}

/** For reading: floored, as the rate floors the community's money. */
function midPrice({ retailUcPerWh, feedInUcPerWh }: RetailerPrices): number {
  return Math.floor((retailUcPerWh + feedInUcPerWh) / 2);
}

/** For reading, floored; the amounts are exact. Null where nothing was on that side. */
function averagePrice(totalUc: bigint, energyWh: number): number | null {
  if (energyWh === 0) return null;
  return Number(floorDivide(totalUc, BigInt(energyWh)));
}
