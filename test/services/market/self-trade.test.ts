/** Method: worked members, then random books against a twin that nets one Wh at a time. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { ASK, BID } from "../../../services/market/orders.ts";
import { netOwnOrders, type OwnedOrder } from "../../../services/market/self-trade.ts";

const order = (text: string, id: number): OwnedOrder => {
  const [, member, side, limit, energy] = /^(\d)(b|a)(-?\d+)x(\d+)$/.exec(text)!;
  return {
    id,
    memberIndex: Number(member),
    side: side === "b" ? BID : ASK,
    limitUcPerWh: Number(limit),
    energyWh: Number(energy),
  };
};

test.each([
  ["nothing crosses", "0b10x5 0a11x5", "5 5"],
  ["equal limits cross", "0b10x5 0a10x3", "2 0"],
  ["others' orders do not count", "0b30x5 1a10x5", "5 5"],
  ["best limits first, worst are left", "0b30x10 0a25x10 0a10x10", "0 10 0"],
  ["until one side is out", "0b30x10 0b20x10 0a10x15", "0 5 0"],
  ["until they no longer cross", "0b30x10 0b8x10 0a10x15", "0 10 5"],
  ["the earlier of equal limits first", "0b30x10 0b30x10 0a10x12", "0 8 0"],
  ["negative prices", "0b-5x4 0a-9x9", "0 5"],
])("%s: %s", (_, text, left) => {
  expect([...netOwnOrders(text.split(" ").map(order))].join(" ")).toBe(left);
});

const anyBook = fc.array(
  fc.record({
    memberIndex: fc.nat(2),
    side: fc.constantFrom(BID as 0 | 1, ASK as 0 | 1),
    limitUcPerWh: fc.integer({ min: -3, max: 3 }),
    energyWh: fc.integer({ min: 1, max: 6 }),
  }),
  { maxLength: 14 },
);

/** The dearest bid gives one Wh to the cheapest ask, as long as they cross. */
function twin(orders: readonly OwnedOrder[]): number[] {
  const left = orders.map(({ energyWh }) => energyWh);
  for (const member of [0, 1, 2]) {
    for (;;) {
      const best = (side: 0 | 1, sign: number) =>
        orders
          .map((row, i) => ({ ...row, i }))
          .filter((row) => row.memberIndex === member && row.side === side && left[row.i]! > 0)
          .sort((p, q) => sign * (q.limitUcPerWh - p.limitUcPerWh) || p.id - q.id)[0];
      const [bid, ask] = [best(BID, 1), best(ASK, -1)];
      if (!bid || !ask || bid.limitUcPerWh < ask.limitUcPerWh) break;
      left[bid.i]! -= 1;
      left[ask.i]! -= 1;
    }
  }
  return left;
}

test("random books are netted as Wh by Wh, in any order of input", () => {
  fc.assert(
    fc.property(anyBook, fc.nat(1000), (rows, turn) => {
      const orders = rows.map((row, id) => ({ id, ...row }));
      const left = [...netOwnOrders(orders)];
      expect(left).toEqual(twin(orders));
      const by = orders.length === 0 ? 0 : turn % orders.length;
      const turned = [...orders.slice(by), ...orders.slice(0, by)];
      expect([...netOwnOrders(turned)]).toEqual([...left.slice(by), ...left.slice(0, by)]);
    }),
    { numRuns: 300 },
  );
});
