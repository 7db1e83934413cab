/**
 * Where each grid meter of a region stands before the metered market, worked out from its registers
 * and the member's forward position: what it has to buy and to sell, and what of it is the member's
 * own.
 */
import type { Bill } from "../../../services/wire/bill.ts";
import type { Genesis } from "../../../services/wire/genesis.ts";
import type { Report } from "../../../services/wire/report.ts";
import { shareOut, sum } from "./shares.ts";

export type Place = {
  readonly meter: number;
  readonly member: number;
  toBuyWh: number;
  toSellWh: number;
  forwardBoughtWh: number;
  forwardSoldWh: number;
  undeliveredWh: number;
  untakenWh: number;
  ownBoughtWh: number;
  ownSoldWh: number;
};

export type Position = { readonly boughtWh: number; readonly soldWh: number };
export type Places = {
  readonly at: readonly Place[]; // by grid meter
  readonly positions: ReadonlyMap<number, Position>; // by member, as the bills say
};

/** @param bills - of the slot, by grid meter: how much the member had traded forward */
export function placesOf(
  region: Genesis["regions"][number],
  report: Report,
  bills: readonly Bill[],
): Places {
  const at: Place[] = region.meters.flatMap(({ role, memberIndex }, meter) => {
    if (role !== "grid") return [];
    const energy = { toBuyWh: report.importWh[meter]!, toSellWh: report.exportWh[meter]! };
    const rest = { forwardBoughtWh: 0, forwardSoldWh: 0, undeliveredWh: 0, untakenWh: 0 };
    return [{ meter, member: memberIndex!, ...energy, ...rest, ownBoughtWh: 0, ownSoldWh: 0 }];
  });
  const positions = new Map<number, Position>();
  for (const member of new Set(at.map((place) => place.member))) {
    const own = at.filter((place) => place.member === member);
    const billed = bills.filter((bill) => bill.memberIndex === member);
    const boughtWh = sum(billed.map((bill) => bill.forwardBoughtWh));
    const soldWh = sum(billed.map((bill) => bill.forwardSoldWh));
    if (boughtWh + soldWh > 0) positions.set(member, { boughtWh, soldWh });
    deliver(own, { boughtWh, soldWh });
    useOwn(own);
  }
  return { at, positions };
}

/** Met by the own register first, spread by it; what is missing stands on the first meter. */
function deliver(own: readonly Place[], { boughtWh, soldWh }: Position): void {
  const exports = own.map((place) => place.toSellWh);
  const imports = own.map((place) => place.toBuyWh);
  const given = Math.min(soldWh, sum(exports));
  const taken = Math.min(boughtWh, sum(imports));
  const givenBy = shareOut(BigInt(given), exports).map(Number);
  const takenBy = shareOut(BigInt(taken), imports).map(Number);
  own.forEach((place, i) => {
    place.forwardSoldWh = givenBy[i]!;
    place.forwardBoughtWh = takenBy[i]!;
    place.toSellWh -= givenBy[i]!;
    place.toBuyWh -= takenBy[i]!;
  });
  const first = own[0]!;
  first.forwardSoldWh += soldWh - given;
  first.undeliveredWh = soldWh - given;
  first.toBuyWh += soldWh - given;
  first.forwardBoughtWh += boughtWh - taken;
  first.untakenWh = boughtWh - taken;
  first.toSellWh += boughtWh - taken;
}

/** What a member has to sell and to buy in one slot never meets the market. */
function useOwn(own: readonly Place[]): void {
  const buys = own.map((place) => place.toBuyWh);
  const sells = own.map((place) => place.toSellWh);
  const used = BigInt(Math.min(sum(buys), sum(sells)));
  const bought = shareOut(used, buys);
  const sold = shareOut(used, sells);
  own.forEach((place, i) => {
    place.ownBoughtWh = Number(bought[i]!);
    place.ownSoldWh = Number(sold[i]!);
  });
}
