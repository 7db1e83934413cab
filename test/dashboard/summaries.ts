/** Slots and summaries for the tests of the dashboard's model: only what a case names differs. */
import type { EnergySummary, SlotDetail, SlotSummary } from "../../services/wire/api.ts";

export function slotOf(slot: number, more: Partial<SlotSummary> = {}): SlotSummary {
  return {
    region: "r1",
    slot,
    startS: slot * 900,
    endS: (slot + 1) * 900,
    height: slot,
    mechanism: "uniform-price",
    priceUcPerWh: 19_000,
    priceIntervalUcPerWh: null,
    buyPriceUcPerWh: more.priceUcPerWh === undefined ? 19_000 : more.priceUcPerWh,
    sellPriceUcPerWh: more.priceUcPerWh === undefined ? 19_000 : more.priceUcPerWh,
    importWh: 0,
    exportWh: 0,
    tradedWh: 0,
    inflowWh: 0,
    outflowWh: 0,
    retailerBoughtWh: 0,
    retailerSoldWh: 0,
    metersReported: 20,
    metersMissing: 0,
    refusedReadings: 0,
    ...more,
  };
}

export function detailOf(more: Partial<SlotDetail>): SlotDetail {
  return {
    ...slotOf(1),
    supply: [],
    demand: [],
    suppressed: false,
    retailUcPerWh: 30_000,
    feedInUcPerWh: 8_000,
    forward: null,
    flows: [],
    receiptsRoot: "0x",
    readingsRoot: "0x",
    reportHash: "0x",
    own: null,
    ...more,
  };
}

export function sumsOf(more: Partial<EnergySummary>): EnergySummary {
  return {
    window: "last",
    fromSlot: 1,
    toSlot: 1,
    slots: 1,
    missingReadings: 0,
    productionWh: null,
    consumptionWh: 0,
    ownUseWh: 0,
    importWh: 0,
    exportWh: 0,
    communityBoughtWh: 0,
    communitySoldWh: 0,
    neighbourBoughtWh: 0,
    neighbourSoldWh: 0,
    retailerBoughtWh: 0,
    retailerSoldWh: 0,
    forwardBoughtWh: 0,
    forwardSoldWh: 0,
    imbalanceBoughtWh: 0,
    imbalanceSoldWh: 0,
    paidUc: "0",
    earnedUc: "0",
    retailerAloneUc: "0",
    amountUc: "0",
    savingsUc: "0",
    peakImportW: 0,
    peakImportSlot: null,
    ratios: {
      selfSufficiencyOwn: null,
      selfSufficiencyCommunity: null,
      selfConsumptionOwn: null,
      selfConsumptionCommunity: null,
    },
    ...more,
  };
}
