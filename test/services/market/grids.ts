/** Random networks of small books: many ties, negative prices, islands, parallel and idle lines. */
import fc from "fast-check";
import type { Line } from "../../../services/market/network.ts";
import type { OrderRow } from "../../../services/market/orders.ts";

export type RandomGrid = { regions: OrderRow[][]; lines: Line[] };

export function randomGrid(options: { regionsMax: number; span: number; energyMax: number }) {
  const { regionsMax, span, energyMax } = options;
  const row = fc.record({
    side: fc.constantFrom<0 | 1>(0, 1),
    limitUcPerWh: fc.integer({ min: -span, max: span }),
    energyWh: fc.integer({ min: 1, max: energyMax }),
  });
  const rows = fc.array(row, { maxLength: 4 });
  const withTies = rows.map((list) => list.map((r, tieIndex) => ({ ...r, tieIndex })));
  return fc.array(withTies, { minLength: 2, maxLength: regionsMax }).chain((regions) => {
    const drawn = fc.record({
      from: fc.nat(regions.length - 1),
      hop: fc.integer({ min: 1, max: regions.length - 1 }),
      capacityWh: fc.integer({ min: 0, max: 2 * energyMax }),
      feeUcPerWh: fc.constantFrom(0, 0, 1, 3),
      key: fc.nat(999),
    });
    const lines = fc.array(drawn, { maxLength: 6 }).map((list) =>
      list.map(({ from, hop, capacityWh, feeUcPerWh, key }, at) => {
        const to = (from + hop) % regions.length;
        return { id: `${key}-${at}`, from, to, capacityWh, feeUcPerWh };
      }),
    );
    return fc.record({ regions: fc.constant(regions), lines });
  });
}
