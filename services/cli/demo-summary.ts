/** What a demo came to: slots, energy, prices, and how far the community supplied itself. */
import type { RunningNode } from "../node/node.ts";
import { toHex0x } from "../primitives/bytes.ts";
import { PAGE_ROWS_MAX } from "../primitives/limits.ts";
import { type Slot, slot, slotAt, unixSeconds } from "../primitives/units.ts";
import type { EnergySummary } from "../wire/api.ts";
import type { SlotRecord } from "../wire/slot-record.ts";
import { ask } from "./operator.ts";
import { heading, print, table } from "./talk.ts";
import { ctPerKwh, kwh, percent } from "./words.ts";

export type DemoSummary = {
  readonly slots: number; // cleared since genesis
  readonly appHash: string;
  readonly height: number;
  readonly regions: readonly RegionSummary[];
  readonly selfSufficiencyOwn: number | null; // 0..1
  readonly selfSufficiencyCommunity: number | null;
  readonly selfConsumptionOwn: number | null;
  readonly selfConsumptionCommunity: number | null;
};
type RegionSummary = {
  readonly id: string;
  readonly slots: number;
  readonly tradedWh: number; // between members of the region
  readonly priceMinUcPerWh: number | null; // lowest price a seller got inside the market
  readonly priceMaxUcPerWh: number | null; // highest price a buyer paid inside the market
  readonly refusedReadings: number;
};

export async function demoSummary(node: RunningNode): Promise<DemoSummary> {
  const { chain } = node;
  const regions: RegionSummary[] = [];
  for (let r = 0; r < chain.genesis.regions.length; r++) regions.push(await regionSummary(node, r));
  const url = `${node.httpUrl}/api/v1/community/summary?window=all`;
  const { ratios } = (await ask(url)) as EnergySummary;
  const head = chain.head();
  return {
    slots: head.clearedSlots,
    appHash: toHex0x(head.appHash),
    height: head.height,
    regions,
    ...ratios,
  };
}

async function regionSummary({ chain }: RunningNode, regionIndex: number): Promise<RegionSummary> {
  const { genesis } = chain;
  const sums = { slots: 0, tradedWh: 0, refusedReadings: 0 };
  let [low, high] = [Infinity, -Infinity];
  for await (const record of everyRecord(chain, regionIndex)) {
    sums.slots++;
    sums.tradedWh += record.tradedWh;
    sums.refusedReadings += record.refusedReadings;
    low = Math.min(low, record.sellPriceUcPerWh ?? Infinity);
    high = Math.max(high, record.buyPriceUcPerWh ?? -Infinity);
  }
  return {
    id: genesis.regions[regionIndex]!.id,
    slots: sums.slots,
    tradedWh: sums.tradedWh,
    priceMinUcPerWh: low === Infinity ? null : low,
    priceMaxUcPerWh: high === -Infinity ? null : high,
    refusedReadings: sums.refusedReadings,
  };
}

/** All cleared slots of a region, newest first, a page at a time. */
async function* everyRecord(
  chain: RunningNode["chain"],
  regionIndex: number,
): AsyncGenerator<SlotRecord> {
  const { genesisTimeS, slotS } = chain.genesis;
  const fromSlot = slotAt(unixSeconds(genesisTimeS), slotS);
  let toSlot: Slot | null = chain.head().lastClearedSlot;
  while (toSlot !== null && toSlot >= fromSlot) {
    const page = await chain.slotRecords({ regionIndex, fromSlot, toSlot, limit: PAGE_ROWS_MAX });
    yield* page;
    const oldest = page.at(-1)?.slot;
    toSlot = oldest === undefined || oldest <= fromSlot ? null : slot(oldest - 1);
  }
}

export function printSummary(summary: DemoSummary): void {
  print(heading(`${summary.slots} slots cleared, height ${summary.height}`));
  print(
    table(
      ["region", "slots", "traded kWh", "lowest ct/kWh", "highest ct/kWh", "refused readings"],
      summary.regions.map((region) => [
        region.id,
        String(region.slots),
        kwh(region.tradedWh),
        region.priceMinUcPerWh === null ? "–" : ctPerKwh(region.priceMinUcPerWh),
        region.priceMaxUcPerWh === null ? "–" : ctPerKwh(region.priceMaxUcPerWh),
        String(region.refusedReadings),
      ]),
    ),
  );
  const own = `own roof ${percent(summary.selfSufficiencyOwn)}`;
  const used = `own use ${percent(summary.selfConsumptionOwn)}`;
  print(
    `self-sufficiency  ${own}, with the community ${percent(summary.selfSufficiencyCommunity)}`,
  );
  print(
    `self-consumption  ${used}, with the community ${percent(summary.selfConsumptionCommunity)}`,
  );
  print(`app hash ${summary.appHash}`);
}
