/**
 * The clearing of one slot over all regions under the uniform price, verified from the records and
 * without solving anything: complementary slackness of prices, flows and fills.
 *
 *   lines     flow within what forward flows left of the line; a line with room closes no gap of
 *             prices that would pay its fee, one that carries pays it; rent is flow times the rest
 *   members   who asked less or bid more than the price is served whole, who did not is not served;
 *             where nothing trades, no bid meets an ask
 *   price     inside its interval, and in the middle where both ends are bounded
 *
 * Together they prove the greatest welfare for what was offered. Not verified here, because records
 * do not hold it: how the margin was shared among equal limits, that the interval is the widest,
 * and which of several equally good ways the energy took. The replay asserts those.
 */
import type { Difference } from "../chain/record-difference.ts";
import type { Rules } from "../chain/rules.ts";
import type { LineFlow, SlotRecord } from "../wire/slot-record.ts";

export type WitnessFinding = { readonly regionIndex: number; readonly difference: Difference };

/** @param records - of one slot, by region; regions that did not take part are absent */
export function slotWitnessFinding(
  rules: Rules,
  records: readonly SlotRecord[],
): WitnessFinding | null {
  const byRegion = new Map(records.map((record) => [record.regionIndex, record]));
  const checks = [
    (record: SlotRecord) => priceFault(rules, record),
    (record: SlotRecord) => lineFault(rules, record, byRegion),
    (record: SlotRecord) => memberFault(rules, record),
  ];
  for (const check of checks) {
    for (const record of records) {
      const difference = check(record);
      if (difference !== null) return { regionIndex: record.regionIndex, difference };
    }
  }
  if (records.length < rules.regions.length) return null;
  const sumUc = records.reduce((sum, { neighboursUc }) => sum + neighboursUc, 0n);
  if (sumUc === 0n) return null;
  const field = "sum of neighboursUc over all regions";
  return {
    regionIndex: records[0]!.regionIndex,
    difference: { field, stored: String(sumUc), computed: "0" },
  };
}

function priceFault(rules: Rules, record: SlotRecord): Difference | null {
  const { priceLowUcPerWh: low, priceHighUcPerWh: high, priceUcPerWh: price } = record;
  const { mechanism } = rules.regions[record.regionIndex]!;
  if (record.mechanism !== mechanism) {
    return { field: "mechanism", stored: record.mechanism, computed: mechanism };
  }
  if (price === null || mechanism !== "uniform-price") return null;
  const stored = String(price);
  const { feedInUcPerWh, retailUcPerWh } = rules.retailer;
  const least = Math.max(low ?? feedInUcPerWh, feedInUcPerWh);
  const greatest = Math.min(high ?? retailUcPerWh, retailUcPerWh);
  if (price < least || price > greatest) {
    return { field: "priceUcPerWh", stored, computed: `in [${least}, ${greatest}]` };
  }
  if (low === null || high === null) return null;
  const middle = Math.floor((low + high) / 2);
  return price === middle ? null : { field: "priceUcPerWh", stored, computed: String(middle) };
}

function lineFault(
  rules: Rules,
  record: SlotRecord,
  byRegion: ReadonlyMap<number, SlotRecord>,
): Difference | null {
  const { genesis, indexOfRegion, market } = rules;
  for (const [i, flow] of record.flows.entries()) {
    const { lineIndex, energyWh } = flow;
    const line = genesis.lines[lineIndex]!;
    const from = byRegion.get(indexOfRegion.get(line.from)!);
    const to = byRegion.get(indexOfRegion.get(line.to)!);
    const where = `flows[${i}]`;
    const isOfMarket = market.lineOfGenesis[lineIndex]! >= 0;
    if (!isOfMarket || from === undefined || to === undefined) {
      if (energyWh !== 0) return fault(`${where}.energyWh`, energyWh, "0: no line of the market");
      continue;
    }
    const other = flowOf(from === record ? to : from, lineIndex);
    if (other?.energyWh !== energyWh || other.rentUc !== flow.rentUc) {
      const text = other === null ? "(absent)" : `${other.energyWh} Wh, ${other.rentUc} uc`;
      return fault(where, `${energyWh} Wh, ${flow.rentUc} uc`, `${text} at its other end`);
    }
    const roomWh = line.capacityWh - forwardWh(from, lineIndex) + twinWh(rules, from, lineIndex);
    if (energyWh < 0 || energyWh > roomWh) {
      return fault(`${where}.energyWh`, energyWh, `in [0, ${roomWh}]`);
    }
    const found = gapFault({ where, flow, roomWh, fee: line.feeUcPerWh, from, to });
    if (found !== null) return found;
  }
  return null;
}

/** Prices at both ends against what the line carries. */
function gapFault(at: {
  readonly where: string;
  readonly flow: LineFlow;
  readonly roomWh: number;
  readonly fee: number;
  readonly from: SlotRecord;
  readonly to: SlotRecord;
}): Difference | null {
  const { where, flow, from, to } = at;
  if (from.priceUcPerWh === null || to.priceUcPerWh === null) {
    const isIdle = flow.energyWh === 0 && flow.rentUc === 0n;
    return isIdle ? null : fault(`${where}.energyWh`, flow.energyWh, "0: an end has no price");
  }
  const gap = to.priceUcPerWh - from.priceUcPerWh - at.fee;
  if (flow.energyWh < at.roomWh && gap > 0) {
    return fault(`${where}.energyWh`, flow.energyWh, `${at.roomWh}: each Wh more earns ${gap} uc`);
  }
  if (flow.energyWh > 0 && gap < 0) {
    return fault(`${where}.energyWh`, flow.energyWh, `0: each Wh costs ${-gap} uc`);
  }
  const rentUc = BigInt(gap) * BigInt(flow.energyWh);
  return flow.rentUc === rentUc ? null : fault(`${where}.rentUc`, flow.rentUc, String(rentUc));
}

function flowOf(record: SlotRecord, lineIndex: number): LineFlow | null {
  return record.flows.find((flow) => flow.lineIndex === lineIndex) ?? null;
}

function forwardWh({ forward }: SlotRecord, lineIndex: number): number {
  return forward?.flows.find((flow) => flow.lineIndex === lineIndex)?.energyWh ?? 0;
}

/** Forward energy on the line that runs the other way frees as much. */
function twinWh({ forward: { twin } }: Rules, from: SlotRecord, lineIndex: number): number {
  const other = twin[lineIndex]!;
  return other < 0 ? 0 : forwardWh(from, other);
}

/** What a member had to buy and to sell, and what the market found of it beyond own use. */
type Position = { toBuyWh: number; toSellWh: number; boughtWh: number; soldWh: number };

function memberFault(rules: Rules, record: SlotRecord): Difference | null {
  if (record.mechanism !== "uniform-price") return null;
  const { priceUcPerWh: price } = record;
  const { retailUcPerWh, feedInUcPerWh } = rules.retailer;
  // The retailer's own two prices may be one; it does not trade with itself.
  let highestBid = Math.min(feedInUcPerWh, retailUcPerWh - 1);
  let lowestAsk = retailUcPerWh;
  for (const [m, position] of positionsOf(record)) {
    const ownWh = Math.min(position.toBuyWh, position.toSellWh);
    const [buyWh, sellWh] = [position.toBuyWh - ownWh, position.toSellWh - ownWh];
    const [boughtWh, soldWh] = [position.boughtWh - ownWh, position.soldWh - ownWh];
    const [bid, ask] = [record.maxBuyUcPerWh[m]!, record.minSellUcPerWh[m]!];
    if (price === null) {
      if (boughtWh !== 0 || soldWh !== 0)
        return fault(`member ${m}: traded Wh`, boughtWh + soldWh, "0");
      if (buyWh > 0) highestBid = Math.max(highestBid, bid);
      if (sellWh > 0) lowestAsk = Math.min(lowestAsk, ask);
      continue;
    }
    // At the retailer's own price the market may end and the retailer begin.
    const dueBuy = bid > price && price < retailUcPerWh ? buyWh : null;
    const dueSell = ask < price && price > feedInUcPerWh ? sellWh : null;
    const found =
      served(`member ${m}: bought Wh`, boughtWh, bid < price ? 0 : dueBuy, buyWh) ??
      served(`member ${m}: sold Wh`, soldWh, ask > price ? 0 : dueSell, sellWh);
    if (found !== null) return found;
  }
  if (price !== null || highestBid < lowestAsk) return null;
  return fault("priceUcPerWh", "null", `a bid of ${highestBid} meets an ask of ${lowestAsk}`);
}

/** @param due - exactly this; null: anything from 0 to `most` */
function served(field: string, wh: number, due: number | null, most: number): Difference | null {
  if (due !== null) return wh === due ? null : fault(field, wh, String(due));
  return wh >= 0 && wh <= most ? null : fault(field, wh, `in [0, ${most}]`);
}

function positionsOf({ bills, slot }: SlotRecord): ReadonlyMap<number, Position> {
  const positions = new Map<number, Position>();
  for (const bill of bills) {
    if (bill.slot !== slot) continue; // late energy meets no market
    const position = positions.get(bill.memberIndex) ?? {
      ...{ toBuyWh: 0, toSellWh: 0, boughtWh: 0, soldWh: 0 },
    };
    positions.set(bill.memberIndex, position);
    const boughtWh = bill.communityBoughtWh + bill.neighbourBoughtWh;
    const soldWh = bill.communitySoldWh + bill.neighbourSoldWh;
    position.boughtWh += boughtWh;
    position.soldWh += soldWh;
    position.toBuyWh += boughtWh + bill.retailerBoughtWh + bill.imbalanceBoughtWh;
    position.toSellWh += soldWh + bill.retailerSoldWh + bill.imbalanceSoldWh;
  }
  return positions;
}

function fault(field: string, stored: string | number | bigint, computed: string): Difference {
  return { field, stored: String(stored), computed };
}
