/**
 * Prices and flows of a slot's two markets against the slow coupling of the market's own tests
 * (negative cycles in bigint), fed from reports and orders as the auditor knows them.
 */
import type { Line } from "../../../services/market/network.ts";
import { ASK, BID, type OrderRow } from "../../../services/market/orders.ts";
import type { Genesis } from "../../../services/wire/genesis.ts";
import type { SlotRecord } from "../../../services/wire/slot-record.ts";
import { coupleSlowly, type SlowCoupling } from "../../services/market/slow-coupling.ts";
import type { Places } from "./delivery.ts";
import type { Auction, Order } from "./law.ts";
import { sum } from "./shares.ts";
import type { SlotCheck } from "./slot-check.ts";

/** Any amount that no meter here could use up. */
const RETAILER_WH = 1_000_000;

type Flows = readonly SlotRecord["flows"][]; // by region

/** All uniform-price regions, coupled over what forward flows left of the lines. */
export function checkMeteredMarket(check: SlotCheck, places: readonly (Places | null)[]): void {
  const { genesis, regions, records, brought } = check;
  const { retailUcPerWh, feedInUcPerWh } = genesis;
  const rows = records.map((record, r): OrderRow[] => {
    if (record?.mechanism !== "uniform-price") return [];
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
    records.map((record) => record?.forward?.flows ?? []),
  );
  const lines = marketLines(genesis, (r) => regions.includes(r)).map((line) => {
    const twin = genesis.lines.find(({ from, to }) => from === line.toId && to === line.fromId);
    const freedWh = twin === undefined ? 0 : (forward.get(twin.id) ?? 0);
    return { ...line, capacityWh: line.capacityWh - (forward.get(line.id) ?? 0) + freedWh };
  });
  const slow = coupleSlowly(rows, lines);
  for (const r of regions) compareFlows(check, r, { lines, slow, flows: records[r]!.flows });
  records.forEach((record, r) => {
    if (record?.mechanism !== "uniform-price") return;
    const found = `[${record.priceLowUcPerWh}, ${record.priceHighUcPerWh}]`;
    const due = `[${slow.low[r]}, ${slow.high[r]}]`;
    check.expect(found === due, () => `region ${r}: prices ${found}, the slow market's ${due}`);
  });
}

/** A slot's forward auction, as far as it has settled: each region settles its end on its own. */
export type HeldAuction = Auction & {
  slow: SlowCoupling | null; // once somebody asks
  readonly boughtWh: Map<number, number>; // by region that has settled
};

/** The slot's forward auction: prices, flows, and each member's position between its bounds. */
export function checkForwardMarket(
  check: SlotCheck,
  held: HeldAuction | null,
  places: readonly (Places | null)[],
): void {
  const { genesis, regions, records, expect } = check;
  if (held === null || held.orders.every((one) => one.length === 0)) {
    for (const r of regions) {
      expect(records[r]!.forward === null, () => `region ${r}: traded forward without orders`);
    }
    return;
  }
  const lines = marketLines(genesis, (r) => held.present[r]!);
  held.slow ??= coupleSlowly(forwardRows(held), lines);
  const { slow } = held;
  for (const r of regions) {
    const { forward } = records[r]!;
    const { positions } = places[r]!;
    compareFlows(check, r, { lines, slow, flows: forward?.flows ?? [] });
    held.boughtWh.set(r, sum([...positions.values()].map((position) => position.boughtWh)));
    if (forward === null) {
      expect(positions.size === 0, () => `region ${r}: forward energy without a forward record`);
      continue;
    }
    const price = forward.priceUcPerWh;
    const [low, high] = [slow.low[r], slow.high[r]];
    const isInside = (low ?? price) <= price && price <= (high ?? price);
    const isMiddle = low == null || high == null || price === Math.floor((low + high) / 2);
    expect(isInside && isMiddle, () => `region ${r}: forward price ${price} of [${low}, ${high}]`);
    expect(held.present[r]!, () => `region ${r}: traded forward while it was out`);
    checkPositions(check, r, { orders: held.orders[r]!, price, places: places[r]! });
  }
  if (held.present.some((isIn, r) => isIn && !held.boughtWh.has(r))) return;
  const volume = sum([...held.boughtWh.values()]);
  expect(volume === slow.volumeWh, () => `forward ${volume} Wh, could trade ${slow.volumeWh}`);
}

function forwardRows({ orders }: Auction): OrderRow[][] {
  return orders.map((own) =>
    own.map((order) => row(order.isBid ? BID : ASK, order.limitUcPerWh, order.energyWh, order.id)),
  );
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

/** Lines between two regions under the uniform price that take part; the others carry nothing. */
function marketLines(genesis: Genesis, takesPart: (r: number) => boolean): NamedLine[] {
  const { regions } = genesis;
  const regionOf = (id: string) => regions.findIndex((region) => region.id === id);
  const isIn = (r: number) => regions[r]!.mechanism === "uniform-price" && takesPart(r);
  return genesis.lines
    .map((line) => {
      const [from, to] = [regionOf(line.from), regionOf(line.to)];
      return { ...line, from, to, fromId: line.from, toId: line.to };
    })
    .filter(({ from, to }) => isIn(from) && isIn(to));
}

function flowsByLine({ genesis }: SlotCheck, flows: Flows): Map<string, number> {
  return new Map(
    flows.flat().map(({ lineIndex, energyWh }) => [genesis.lines[lineIndex]!.id, energyWh]),
  );
}

/** What a region's record says of each line that touches it, against the slow market. */
function compareFlows(
  check: SlotCheck,
  r: number,
  market: {
    readonly lines: readonly NamedLine[];
    readonly slow: SlowCoupling;
    readonly flows: SlotRecord["flows"];
  },
): void {
  const { lines, slow, flows } = market;
  const { id: own } = check.genesis.regions[r]!;
  const found = flowsByLine(check, [flows]);
  const due = new Map(lines.map((line, l) => [line.id, slow.flowWh[l]!]));
  for (const { id, from, to } of check.genesis.lines) {
    if (from !== own && to !== own) continue;
    const [is, wanted] = [found.get(id) ?? 0, due.get(id) ?? 0];
    check.expect(is === wanted, () => `line ${id}: ${is} Wh, the slow market's ${wanted}`);
  }
}

function row(side: OrderRow["side"], limitUcPerWh: number, energyWh: number, tieIndex: number) {
  return { side, limitUcPerWh, energyWh, tieIndex };
}
