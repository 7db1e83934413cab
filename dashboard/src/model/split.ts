/**
 * The two splits of the home page: where solar power went and where consumption came from, each
 * in three parts with energy and money.
 *
 * The API gives what a window came to as a whole (`paidUc`, `earnedUc`). The utility's part is its
 * energy at the published tariff, the neighbourhood's is what remains, so the parts always sum to
 * the bill. What was traded before the slot is the neighbourhood's too, deviations included. What
 * the own roof covers has no bill: it saved the retail price, and cost nothing.
 */
import type { EnergySummary, Status } from "../../../services/wire/api.ts";

export type Tariff = Pick<Status, "retailUcPerWh" | "feedInUcPerWh">;
export type Source = "own" | "neighbourhood" | "utility";

export type Part = {
  readonly source: Source;
  readonly energyWh: number | null; // null: no meter can tell
  readonly moneyUc: bigint | null; // earned or paid; of solar power used at home: saved
};

export type Split = {
  readonly totalWh: number;
  readonly moneyUc: bigint; // earned, or paid; without what the own roof saved
  readonly parts: readonly [Part, Part, Part]; // own, neighbourhood, utility
};

export function productionSplit(summary: EnergySummary, tariff: Tariff): Split {
  const market = apart({
    totalUc: BigInt(summary.earnedUc),
    neighbourhoodWh: summary.exportWh - summary.retailerSoldWh,
    utilityWh: summary.retailerSoldWh,
    utilityUcPerWh: tariff.feedInUcPerWh,
  });
  const energyWh = summary.ownUseWh;
  const savedUc = energyWh === null ? null : BigInt(energyWh) * BigInt(tariff.retailUcPerWh);
  return {
    totalWh: (energyWh ?? 0) + summary.exportWh,
    moneyUc: BigInt(summary.earnedUc),
    parts: [{ source: "own", energyWh, moneyUc: savedUc }, ...market],
  };
}

export function consumptionSplit(summary: EnergySummary, tariff: Tariff): Split {
  const market = apart({
    totalUc: BigInt(summary.paidUc),
    neighbourhoodWh: summary.importWh - summary.retailerBoughtWh,
    utilityWh: summary.retailerBoughtWh,
    utilityUcPerWh: tariff.retailUcPerWh,
  });
  const energyWh = summary.ownUseWh;
  return {
    totalWh: (energyWh ?? 0) + summary.importWh,
    moneyUc: BigInt(summary.paidUc),
    parts: [{ source: "own", energyWh, moneyUc: energyWh === null ? null : 0n }, ...market],
  };
}

function apart(form: {
  totalUc: bigint;
  neighbourhoodWh: number;
  utilityWh: number;
  utilityUcPerWh: number;
}): [Part, Part] {
  const atTariff = BigInt(form.utilityWh) * BigInt(form.utilityUcPerWh);
  // With one partner there is nothing to tell apart.
  const utilityUc = form.neighbourhoodWh === 0 ? form.totalUc : atTariff;
  return [
    {
      source: "neighbourhood",
      energyWh: form.neighbourhoodWh,
      moneyUc: form.totalUc - utilityUc,
    },
    { source: "utility", energyWh: form.utilityWh, moneyUc: utilityUc },
  ];
}

/** What the community was worth against the utility alone, signed. */
export function advantageUc(summary: EnergySummary): bigint {
  return BigInt(summary.amountUc) - BigInt(summary.retailerAloneUc);
}
