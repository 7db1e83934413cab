/**
 * One cleared slot, over the regions that cleared it together, against the reports it stands on:
 * who bought and sold what, at which price, for how much money. Recomputed by hand where the rule
 * has one answer; where the market may choose (fills at the margin), held to what every right
 * answer has: complementary slackness, and for some slots the slow coupling of the market's own
 * tests.
 */

import { sha256 } from "../../../services/crypto/hash.ts";
import { bytesEqual } from "../../../services/primitives/bytes.ts";
import { BILL_KIND, type Bill } from "../../../services/wire/bill.ts";
import type { Genesis } from "../../../services/wire/genesis.ts";
import type { Report } from "../../../services/wire/report.ts";
import type { SlotRecord } from "../../../services/wire/slot-record.ts";
import type { Limits } from "../../../services/wire/transaction.ts";
import { type Places, placesOf } from "./delivery.ts";
import { outstandingUc } from "./outstanding.ts";
import { shareOut, sum, sumUc } from "./shares.ts";

/** What one region brings to a slot. */
export type Brought = {
  readonly report: Report;
  readonly reportBytes: Uint8Array;
  readonly limits: readonly Limits[];
};

/** Tells of the first thing that is wrong. */
export type Expect = (isRight: boolean, what: () => string) => void;

export type SlotCheck = {
  readonly genesis: Genesis;
  readonly slot: number;
  readonly regions: readonly number[]; // that clear the slot now, rising
  readonly brought: readonly (Brought | null)[]; // by region; null: not one of them
  readonly records: readonly (SlotRecord | null)[]; // by region, as above
  /** Records of the slot so far, by region: also of those that cleared it in another block. */
  readonly known: readonly (SlotRecord | null)[];
  readonly expect: Expect;
};

/** @returns by region: where each grid meter's energy stood before the market */
export function checkSlot(check: SlotCheck): readonly (Places | null)[] {
  const { genesis, records, known, brought, expect } = check;
  const places = records.map((record, r) => {
    if (record === null) return null;
    checkRecord(check, r);
    return placesOf(genesis.regions[r]!, brought[r]!.report, billsOf(record, BILL_KIND.slot));
  });
  records.forEach((record, r) => {
    if (record === null) return;
    const own = places[r]!;
    checkEnergy(check, record, own);
    if (record.mechanism === "mid-market-rate") checkMidMarket(check, record, own);
    else checkUniformPrice(check, record, own, brought[r]!.limits);
    checkLateBills(check, record, brought[r]!.report);
    checkInstitutions(check, r, own);
  });
  const owedUc = sumUc(known.map((one) => one?.neighboursUc ?? 0n));
  const waitingUc = outstandingUc(genesis, known);
  expect(owedUc + waitingUc === 0n, () => `regions owe each other ${owedUc}, wait ${waitingUc}`);
  return places;
}

function billsOf({ bills }: SlotRecord, kind: number): Bill[] {
  return [...bills].filter((bill) => bill.kind === kind);
}

function checkRecord({ genesis, slot, records, brought, expect }: SlotCheck, r: number): void {
  const record = records[r]!;
  const { report, reportBytes, limits } = brought[r]!;
  expect(record.slot === slot && record.regionIndex === r, () => `region ${r}: a wrong record`);
  const isSame = (a: ArrayLike<number>, b: ArrayLike<number>) =>
    a.length === b.length && Array.from(a).every((value, i) => value === b[i]);
  expect(bytesEqual(record.reportHash, sha256(reportBytes)), () => `region ${r}: report hash`);
  expect(isSame(record.importWh, report.importWh), () => `region ${r}: import is not the report's`);
  expect(isSame(record.exportWh, report.exportWh), () => `region ${r}: export is not the report's`);
  expect(isSame(record.quality, report.quality), () => `region ${r}: quality is not the report's`);
  const sells = limits.map((one) => one.minSellUcPerWh);
  const buys = limits.map((one) => one.maxBuyUcPerWh);
  expect(isSame(record.minSellUcPerWh, sells), () => `region ${r}: least selling prices in force`);
  expect(isSame(record.maxBuyUcPerWh, buys), () => `region ${r}: highest buying prices in force`);
  const { meters } = genesis.regions[r]!;
  const grid = meters.flatMap((meter, m) => (meter.role === "grid" ? [m] : []));
  const slotBills = billsOf(record, BILL_KIND.slot);
  const billed = slotBills.map((bill) => bill.meterIndex);
  expect(isSame(billed, grid), () => `region ${r}: one bill for each grid meter`);
  slotBills.forEach((bill) => {
    const m = bill.meterIndex;
    const isRight =
      bill.slot === slot &&
      bill.memberIndex === meters[m]!.memberIndex &&
      bill.importWh === report.importWh[m] &&
      bill.exportWh === report.exportWh[m] &&
      bill.quality === report.quality[m];
    expect(isRight, () => `region ${r} meter ${m}: the bill is not of the report's energy`);
  });
}

const insideBought = (bill: Bill) => bill.communityBoughtWh + bill.neighbourBoughtWh;
const insideSold = (bill: Bill) => bill.communitySoldWh + bill.neighbourSoldWh;

/** Every Wh of a meter has a source and a sink, and what a deviation left has its own line. */
function checkEnergy({ expect }: SlotCheck, record: SlotRecord, places: Places): void {
  const r = record.regionIndex;
  const bills = billsOf(record, BILL_KIND.slot);
  bills.forEach((bill, i) => {
    const place = places.at[i]!;
    const { toBuyWh, toSellWh, undeliveredWh, untakenWh } = place;
    const name = () => `region ${r} meter ${bill.meterIndex}`;
    const isSpread =
      bill.forwardBoughtWh === place.forwardBoughtWh && bill.forwardSoldWh === place.forwardSoldWh;
    expect(isSpread, () => `${name()}: forward energy stands on the wrong meter`);
    const bought = insideBought(bill) + bill.retailerBoughtWh + bill.imbalanceBoughtWh;
    const sold = insideSold(bill) + bill.retailerSoldWh + bill.imbalanceSoldWh;
    expect(bought === toBuyWh, () => `${name()}: bought ${bought}, had to buy ${toBuyWh}`);
    expect(sold === toSellWh, () => `${name()}: sold ${sold}, had to sell ${toSellWh}`);
    const short = Math.max(0, undeliveredWh - insideBought(bill));
    const long = Math.max(0, untakenWh - insideSold(bill));
    expect(bill.imbalanceBoughtWh === short, () => `${name()}: short ${bill.imbalanceBoughtWh}`);
    expect(bill.imbalanceSoldWh === long, () => `${name()}: long ${bill.imbalanceSoldWh}`);
    const parts = [
      ...[bill.communityBoughtWh, bill.communitySoldWh, bill.neighbourBoughtWh],
      ...[bill.neighbourSoldWh, bill.retailerBoughtWh, bill.retailerSoldWh],
    ];
    expect(Math.min(...parts) >= 0, () => `${name()}: negative energy`);
  });
  const boughtHere = sum(bills.map((bill) => bill.communityBoughtWh));
  const soldHere = sum(bills.map((bill) => bill.communitySoldWh));
  expect(
    boughtHere === soldHere,
    () => `region ${r}: community bought ${boughtHere}, sold ${soldHere}`,
  );
  expect(record.tradedWh === boughtHere, () => `region ${r}: traded ${record.tradedWh}`);
}

/** What forward energy and deviations add to a bill, whatever the mechanism. */
function besideMarketUc({ genesis }: SlotCheck, bill: Bill): bigint {
  const { retailUcPerWh, feedInUcPerWh, forward } = genesis;
  const forwardUc = bill.forwardPriceUcPerWh * (bill.forwardSoldWh - bill.forwardBoughtWh);
  const shortUc = (forward!.shortUcPerWh! - retailUcPerWh) * bill.imbalanceBoughtWh;
  const longUc = (feedInUcPerWh - forward!.longUcPerWh!) * bill.imbalanceSoldWh;
  return BigInt(forwardUc - shortUc - longUc);
}

function checkMidMarket(check: SlotCheck, record: SlotRecord, places: Places): void {
  const { genesis, expect } = check;
  const bills = billsOf(record, BILL_KIND.slot);
  const buys = places.at.map((place) => place.toBuyWh);
  const sells = places.at.map((place) => place.toSellWh);
  const [needed, offered] = [sum(buys), sum(sells)];
  const traded = Math.min(needed, offered);
  const { retailUcPerWh: retail, feedInUcPerWh: feedIn } = genesis;
  const innerUc = (BigInt(traded) * BigInt(retail + feedIn)) / 2n;
  const paysUc = shareOut(innerUc + BigInt((needed - traded) * retail), buys);
  const getsUc = shareOut(innerUc + BigInt((offered - traded) * feedIn), sells);
  bills.forEach((bill, i) => {
    const dueUc = getsUc[i]! - paysUc[i]! + besideMarketUc(check, bill);
    const name = `region ${record.regionIndex} meter ${bill.meterIndex}`;
    expect(bill.amountUc === dueUc, () => `${name}: amount ${bill.amountUc}, due ${dueUc}`);
    expect(insideBought(bill) === bill.communityBoughtWh, () => `${name}: no neighbours here`);
  });
  expect(record.tradedWh === traded, () => `region ${record.regionIndex}: traded, not ${traded}`);
}

function checkUniformPrice(
  check: SlotCheck,
  record: SlotRecord,
  places: Places,
  limits: readonly Limits[],
): void {
  const { genesis, expect } = check;
  const { retailUcPerWh: retail, feedInUcPerWh: feedIn } = genesis;
  const bills = billsOf(record, BILL_KIND.slot);
  const price = record.priceUcPerWh;
  const r = record.regionIndex;
  bills.forEach((bill, i) => {
    const name = () => `region ${r} meter ${bill.meterIndex} at ${price}`;
    const inside = insideSold(bill) - insideBought(bill);
    const fromRetailer = bill.retailerBoughtWh + bill.imbalanceBoughtWh;
    const toRetailer = bill.retailerSoldWh + bill.imbalanceSoldWh;
    const marketUc = (price ?? 0) * inside + feedIn * toRetailer - retail * fromRetailer;
    const dueUc = BigInt(marketUc) + besideMarketUc(check, bill);
    expect(bill.amountUc === dueUc, () => `${name()}: amount ${bill.amountUc}, due ${dueUc}`);
    const place = places.at[i]!;
    const bid = {
      wh: place.toBuyWh - place.ownBoughtWh,
      filled: insideBought(bill) - place.ownBoughtWh,
    };
    const ask = {
      wh: place.toSellWh - place.ownSoldWh,
      filled: insideSold(bill) - place.ownSoldWh,
    };
    const { maxBuyUcPerWh, minSellUcPerWh } = limits[bill.memberIndex]!;
    expect(bid.filled >= 0 && ask.filled >= 0, () => `${name()}: own use is not its own`);
    if (price === null) {
      expect(bid.filled === 0 && ask.filled === 0, () => `${name()}: traded without a price`);
      return;
    }
    const isBound = price === retail || price === feedIn; // the retailer may serve instead
    if (maxBuyUcPerWh < price) expect(bid.filled === 0, () => `${name()}: bought above the limit`);
    if (minSellUcPerWh > price) expect(ask.filled === 0, () => `${name()}: sold below the limit`);
    if (isBound) return;
    if (maxBuyUcPerWh > price)
      expect(bid.filled === bid.wh, () => `${name()}: a better bid unfilled`);
    if (minSellUcPerWh < price)
      expect(ask.filled === ask.wh, () => `${name()}: a better ask unfilled`);
  });
  const neighbours = bills.map((bill) => bill.neighbourBoughtWh - bill.neighbourSoldWh);
  const net = record.inflowWh - record.outflowWh;
  const isInner = price !== null && price !== retail && price !== feedIn;
  expect(!isInner || sum(neighbours) === net, () => `region ${r}: over lines came ${net}`);
  if (price === null) return;
  expect(price >= feedIn && price <= retail, () => `region ${r}: price ${price} out of bounds`);
  const { priceLowUcPerWh: low, priceHighUcPerWh: high } = record;
  const middle = Math.floor((low! + high!) / 2);
  expect(price === middle, () => `region ${r}: price ${price}, middle of [${low}, ${high}]`);
}

function checkLateBills({ genesis, expect }: SlotCheck, record: SlotRecord, report: Report): void {
  const r = record.regionIndex;
  const { meters } = genesis.regions[r]!;
  const { retailUcPerWh: retail, feedInUcPerWh: feedIn } = genesis;
  const bills = billsOf(record, BILL_KIND.late);
  const due = report.late
    .filter((entry) => meters[entry.meterIndex]!.role === "grid")
    .sort((a, b) => a.meterIndex - b.meterIndex || a.slot - b.slot); // the order of leaves
  expect(bills.length === due.length, () => `region ${r}: ${bills.length} late bills`);
  due.forEach((entry, i) => {
    const bill = bills[i]!;
    const isRight =
      bill.slot === entry.slot &&
      bill.meterIndex === entry.meterIndex &&
      bill.importWh === entry.importWh &&
      bill.exportWh === entry.exportWh &&
      bill.amountUc === BigInt(feedIn * entry.exportWh - retail * entry.importWh);
    expect(
      isRight,
      () => `region ${r}: late bill of meter ${entry.meterIndex}, slot ${entry.slot}`,
    );
  });
}

/** Money: line fees and rent from flows and prices; all of a slot's entries sum to zero. */
function checkInstitutions(check: SlotCheck, r: number, places: Places): void {
  const { records, expect } = check;
  const record = records[r]!;
  let [feesUc, rentUc, neighboursUc] = [0n, 0n, 0n];
  for (const market of [meteredFlows(check, r), forwardFlows(check, r)]) {
    feesUc += market.feesUc;
    rentUc += market.rentUc;
    neighboursUc += market.neighboursUc;
  }
  expect(record.gridOperatorUc === feesUc, () => `region ${r}: fees ${record.gridOperatorUc}`);
  expect(record.treasuryUc === rentUc, () => `region ${r}: rent ${record.treasuryUc}`);
  const owed = record.neighboursUc;
  expect(owed === neighboursUc, () => `region ${r}: neighbours ${owed}, due ${neighboursUc}`);
  const membersUc = sumUc([...record.bills].map((bill) => bill.amountUc));
  const all = membersUc + record.retailerUc + owed + feesUc + rentUc;
  expect(all === 0n, () => `region ${r}: a slot's money sums to ${all}`);
  const forward = sum(places.at.map((place) => place.forwardSoldWh - place.forwardBoughtWh));
  const flows = record.forward?.flows ?? [];
  const net = sum(flows.map((flow) => flow.energyWh * direction(check.genesis, flow.lineIndex, r)));
  expect(forward + net === 0, () => `region ${r}: forward sold + inflow is not bought + outflow`);
}

/** 1: the line ends in the region, -1: it starts there. */
function direction({ lines, regions }: Genesis, lineIndex: number, r: number): number {
  return lines[lineIndex]!.to === regions[r]!.id ? 1 : -1;
}

type FlowMoney = {
  readonly feesUc: bigint;
  readonly rentUc: bigint;
  readonly neighboursUc: bigint;
};

function meteredFlows(check: SlotCheck, r: number): FlowMoney {
  const { records } = check;
  const prices = records.map((record) => record?.priceUcPerWh ?? null);
  const flows = records.map((record) => record?.flows ?? []);
  return flowMoney(check, r, { prices, flows, what: "line" });
}

function forwardFlows(check: SlotCheck, r: number): FlowMoney {
  const { known } = check;
  const prices = known.map((record) => record?.forward?.priceUcPerWh ?? null);
  const flows = known.map((record) => (record === null ? null : (record.forward?.flows ?? [])));
  return flowMoney(check, r, { prices, flows, what: "forward line" });
}

function flowMoney(
  { genesis, expect }: SlotCheck,
  r: number,
  market: {
    readonly prices: readonly (number | null)[];
    readonly flows: readonly (SlotRecord["flows"] | null)[]; // null: its end waits to settle
    readonly what: string;
  },
): FlowMoney {
  const money = { feesUc: 0n, rentUc: 0n, neighboursUc: 0n };
  for (const { lineIndex, energyWh, rentUc } of market.flows[r]!) {
    const line = genesis.lines[lineIndex]!;
    const name = () => `${market.what} ${line.id}`;
    const [from, to] = [line.from, line.to].map((id) =>
      genesis.regions.findIndex((region) => region.id === id),
    ) as [number, number];
    if (energyWh === 0) {
      expect(rentUc === 0n, () => `${name()}: rent without flow`);
      continue;
    }
    const other = market.flows[from === r ? to : from] ?? null;
    if (other !== null) {
      const same = other.find((flow) => flow.lineIndex === lineIndex);
      const isSame = same?.energyWh === energyWh && same.rentUc === rentUc;
      expect(isSame, () => `${name()}: its ends differ`);
      const gap = market.prices[to]! - market.prices[from]! - line.feeUcPerWh;
      expect(gap >= 0, () => `${name()}: flows against the prices`);
      expect(rentUc === BigInt(gap) * BigInt(energyWh), () => `${name()}: rent ${rentUc}`);
    }
    if (from === r) {
      money.neighboursUc -= BigInt(market.prices[r]! * energyWh);
      continue;
    }
    const feeUc = BigInt(line.feeUcPerWh * energyWh);
    money.feesUc += feeUc;
    money.rentUc += rentUc;
    money.neighboursUc += BigInt(market.prices[r]! * energyWh) - feeUc - rentUc;
  }
  return money;
}
