/**
 * Prices and flows of a slot's two markets against the slow coupling of the market's own tests
 * (negative cycles in bigint), fed from reports and orders as the auditor knows them.
 */
import type { Line } from "../../../services/market/network.ts";
import { ASK, BID, type OrderRow } from "../../../services/market/orders.ts";
import type { SlotRecord } from "../../../services/wire/slot-record.ts";
import { coupleSlowly, type SlowCoupling } from "../../services/market/slow-coupling.ts";
import type { Places } from "./delivery.ts";
import type { Order } from "./law.ts";
import { sum } from "./shares.ts";
import type { SlotCheck } from "./slot-check.ts";

/** Any amount that no meter here could use up. */
const RETAILER_WH = 1_000_000;

type Flows = readonly SlotRecord["flows"][]; // by region

/** All uniform-price regions, coupled over what forward flows left of the lines. */
export function checkMeteredMarket(check: SlotCheck, places: readonly Places[]): void {
  const { genesis, records, brought } = check;
  const { retailUcPerWh, feedInUcPerWh } = genesis;
  const rows = records.map((record, r): OrderRow[] => {
    if (record.mechanism !== "uniform-price") return [];
    const retailer = [
      row(BID, feedInUcPerWh, RETAILER_WH, 1000),
      row(ASK, retailUcPerWh, RETAILER_WH, 1001),
    ];
    const members = places[r]!.at.flatMap((place) => {
      const { maxBuyUcPerWh, minSellUcPerWh } = brought[r]!.limits[place.member]!;
      const bidWh = place.toBuyWh - place.ownBoughtWh;
      const askWh = place.toSellWh - place.ownSoldWh;
      const [bid, ask] = [2 * place.meter, 2 * place.meter + 1];
      return [row(BID, maxBuyUcPerWh, bidWh, bid), row(ASK, minSellUcPerWh, askWh, ask)];
    });
    return [...members.filter((one) => one.energyWh > 0), ...retailer];
  });
  const forward = flowsByLine(
    check,
    records.map((record) => record.forward?.flows ?? []),
  );
  const lines = marketLines(check).map((line) => {
    const twin = genesis.lines.find(({ from, to }) => from === line.toId && to === line.fromId);
    const freedWh = twin === undefined ? 0 : (forward.get(twin.id) ?? 0);
    return { ...line, capacityWh: line.capacityWh - (forward.get(line.id) ?? 0) + freedWh };
  });
  const slow = coupleSlowly(rows, lines);
  compareFlows(
    check,
    lines,
    slow,
    records.map((record) => record.flows),
  );
  records.forEach((record, r) => {
    if (record.mechanism !== "uniform-price") return;
    const found = `[${record.priceLowUcPerWh}, ${record.priceHighUcPerWh}]`;
    const due = `[${slow.low[r]}, ${slow.high[r]}]`;
    check.expect(found === due, () => `region ${r}: prices ${found}, the slow market's ${due}`);
  });
}

/** The slot's forward auction: prices, flows, and each member's position between its bounds. */
export function checkForwardMarket(check: SlotCheck, places: readonly Places[]): void {
  const { records, brought, expect } = check;
  const rows = brought.map(({ orders }) =>
    (orders ?? []).map((order) =>
      row(order.isBid ? BID : ASK, order.limitUcPerWh, order.energyWh, order.id),
    ),
  );
  if (rows.every((one) => one.length === 0)) {
    records.forEach((record, r) => {
      expect(record.forward === null, () => `region ${r}: traded forward without orders`);
    });
    return;
  }
  const lines = marketLines(check);
  const slow = coupleSlowly(rows, lines);
  compareFlows(
    check,
    lines,
    slow,
    records.map((record) => record.forward?.flows ?? []),
  );
  records.forEach((record, r) => {
    const { positions } = places[r]!;
    if (record.forward === null) {
      expect(positions.size === 0, () => `region ${r}: forward energy without a forward record`);
      return;
    }
    const price = record.forward.priceUcPerWh;
    const [low, high] = [slow.low[r], slow.high[r]];
    const isInside = (low ?? price) <= price && price <= (high ?? price);
    const isMiddle = low == null || high == null || price === Math.floor((low + high) / 2);
    expect(isInside && isMiddle, () => `region ${r}: forward price ${price} of [${low}, ${high}]`);
    checkPositions(check, r, { orders: brought[r]!.orders ?? [], price, places: places[r]! });
  });
  const traded = places.flatMap(({ positions }) => [...positions.values()]);
  const volume = sum(traded.map((position) => position.boughtWh));
  expect(volume === slow.volumeWh, () => `forward ${volume} Wh, could trade ${slow.volumeWh}`);
}

/** Better than the price: filled whole. Worse: not at all. At the price: what is left. */
function checkPositions(
  { expect }: SlotCheck,
  r: number,
  auction: { readonly orders: readonly Order[]; readonly price: number; readonly places: Places },
): void {
  const { orders, price, places } = auction;
  const members = new Set([...orders.map((one) => one.member), ...places.positions.keys()]);
  for (const member of members) {
    const { boughtWh, soldWh } = places.positions.get(member) ?? { boughtWh: 0, soldWh: 0 };
    const own = orders.filter((order) => order.member === member);
    const total = (isWanted: (order: Order) => boolean) =>
      sum(own.filter(isWanted).map((order) => order.energyWh));
    const isRight =
      boughtWh >= total((one) => one.isBid && one.limitUcPerWh > price) &&
      boughtWh <= total((one) => one.isBid && one.limitUcPerWh >= price) &&
      soldWh >= total((one) => !one.isBid && one.limitUcPerWh < price) &&
      soldWh <= total((one) => !one.isBid && one.limitUcPerWh <= price);
    expect(
      isRight,
      () => `region ${r} member ${member}: bought ${boughtWh}, sold ${soldWh} forward`,
    );
  }
}

type NamedLine = Line & { readonly fromId: string; readonly toId: string };

/** Lines between two regions under the uniform price; the others carry nothing. */
function marketLines({ genesis, records }: SlotCheck): NamedLine[] {
  const regionOf = (id: string) => genesis.regions.findIndex((region) => region.id === id);
  return genesis.lines
    .map((line) => {
      const [from, to] = [regionOf(line.from), regionOf(line.to)];
      return { ...line, from, to, fromId: line.from, toId: line.to };
    })
    .filter(({ from, to }) => [from, to].every((r) => records[r]!.mechanism === "uniform-price"));
}

function flowsByLine({ genesis }: SlotCheck, flows: Flows): Map<string, number> {
  return new Map(
    flows.flat().map(({ lineIndex, energyWh }) => [genesis.lines[lineIndex]!.id, energyWh]),
  );
}

function compareFlows(
  check: SlotCheck,
  lines: readonly NamedLine[],
  slow: SlowCoupling,
  flows: Flows,
): void {
  const found = flowsByLine(check, flows);
  const due = new Map(lines.map((line, l) => [line.id, slow.flowWh[l]!]));
  for (const { id } of check.genesis.lines) {
    const [is, wanted] = [found.get(id) ?? 0, due.get(id) ?? 0];
    check.expect(is === wanted, () => `line ${id}: ${is} Wh, the slow market's ${wanted}`);
  }
}

function row(side: OrderRow["side"], limitUcPerWh: number, energyWh: number, tieIndex: number) {
  return { side, limitUcPerWh, energyWh, tieIndex };
}
