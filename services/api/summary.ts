/**
 * Sums as a member reads them: where the energy went and came from, with money and ratios.
 *
 * Ratios follow Home Assistant (energy.ts): covered / consumed and used / produced, null where the
 * denominator is zero, never NaN and never 100 % by default. "Own" counts community energy as grid;
 * "community" counts what own region and neighbour regions covered as local: only the retailer is
 * outside. A community's ratios are those of its summed energies. Where a member feeds in without
 * a production meter, what the home used of it is unknown, and so are that member's ratios; in a
 * community's sums such a home counts with what its grid meter sees. The peak is the slot that drew
 * the most, as average power: null where there is no slot, zero where nothing was drawn.
 */
import type { EnergySummary, Ratios } from "../wire/api.ts";
import { type EnergyColumn, energyOf, moneyOf, type Totals } from "./totals.ts";

/** @param options.slotS - slot length, seconds: makes the energy of a slot its average power */
export function energySummary({
  window,
  totals,
  production,
  slotS,
}: {
  window: EnergySummary["window"];
  totals: Totals;
  /** metered: of a member with a production meter, or of a group that has one. */
  production: "metered" | "none";
  slotS: number;
}): EnergySummary {
  // Registers are cut to whole Wh one by one, so a difference of them may stand at -1.
  const energyWh = (column: EnergyColumn) => Math.max(0, energyOf(totals, column));
  const paidUc = moneyOf(totals, "paidUc");
  const earnedUc = moneyOf(totals, "earnedUc");
  const retailerAloneUc = moneyOf(totals, "retailerAloneUc");
  const { peak } = totals;
  return {
    window,
    fromSlot: totals.fromSlot,
    toSlot: totals.toSlot,
    slots: totals.slots,
    missingReadings: energyOf(totals, "missingReadings"),
    productionWh: production === "metered" ? energyWh("productionWh") : null,
    consumptionWh: energyWh("consumptionWh"),
    ownUseWh: ownUseWh(totals, production),
    importWh: energyWh("importWh"),
    exportWh: energyWh("exportWh"),
    communityBoughtWh: energyWh("communityBoughtWh"),
    communitySoldWh: energyWh("communitySoldWh"),
    neighbourBoughtWh: energyWh("neighbourBoughtWh"),
    neighbourSoldWh: energyWh("neighbourSoldWh"),
    retailerBoughtWh: energyWh("retailerBoughtWh"),
    retailerSoldWh: energyWh("retailerSoldWh"),
    forwardBoughtWh: energyWh("forwardBoughtWh"),
    forwardSoldWh: energyWh("forwardSoldWh"),
    imbalanceBoughtWh: energyWh("imbalanceBoughtWh"),
    imbalanceSoldWh: energyWh("imbalanceSoldWh"),
    paidUc: paidUc.toString(),
    earnedUc: earnedUc.toString(),
    retailerAloneUc: retailerAloneUc.toString(),
    amountUc: (earnedUc - paidUc).toString(),
    savingsUc: (earnedUc - paidUc - retailerAloneUc).toString(),
    peakImportW: peak === null ? null : Math.round((peak.importWh * 3600) / slotS),
    peakImportSlot: peak === null || peak.importWh === 0 ? null : peak.slot,
    ratios: ratios(totals, production),
  };
}

function ownUseWh(totals: Totals, production: "metered" | "none"): number | null {
  if (production === "metered") return Math.max(0, energyOf(totals, "ownUseWh"));
  return energyOf(totals, "unmeteredExportWh") > 0 ? null : 0;
}

function ratios(totals: Totals, production: "metered" | "none"): Ratios {
  const ownWh = ownUseWh(totals, production);
  const consumedWh = energyOf(totals, "consumptionWh");
  const producedWh = production === "metered" ? energyOf(totals, "productionWh") : 0;
  // Import that was not the retailer's came from members, before delivery or after.
  const boughtWh = energyOf(totals, "importWh") - energyOf(totals, "retailerBoughtWh");
  const soldWh = energyOf(totals, "producerSoldWh");
  return {
    selfSufficiencyOwn: production === "metered" ? share(ownWh, consumedWh) : null,
    selfSufficiencyCommunity: share(ownWh === null ? null : ownWh + boughtWh, consumedWh),
    selfConsumptionOwn: share(ownWh, producedWh),
    selfConsumptionCommunity: share(ownWh === null ? null : ownWh + soldWh, producedWh),
  };
}

function share(part: number | null, whole: number): number | null {
  if (part === null || whole <= 0) return null;
  return Math.min(1, Math.max(0, part / whole));
}
