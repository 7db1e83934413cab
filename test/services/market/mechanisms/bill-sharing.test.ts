/** Method: two slots worked by hand, then random horizons against conservation. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { billSharing } from "../../../../services/market/mechanisms/bill-sharing.ts";
import { columns, type Meter, meters } from "./conservation.ts";

test("two slots by hand: import at noon is free, the evening is shared by all imports", () => {
  // Noon: A gives 10, B takes 4: 6 go out at 8. Evening: A takes 3, B takes 5: 8 come in at 30.
  const shared = billSharing([
    {
      importWh: Uint32Array.of(0, 4),
      exportWh: Uint32Array.of(10, 0),
      retailUcPerWh: 30,
      feedInUcPerWh: 8,
    },
    {
      importWh: Uint32Array.of(3, 5),
      exportWh: Uint32Array.of(0, 0),
      retailUcPerWh: 30,
      feedInUcPerWh: 8,
    },
  ]);
  // Cost 240 by imports 3 : 9, earnings 48 to the only exporter.
  expect([...shared.amountUc]).toEqual([48n - 60n, -180n]);
  expect(shared.retailerUc).toBe(240n - 48n);
  expect([...shared.slots[0]!.boughtWh]).toEqual([0, 4]);
  expect([...shared.slots[1]!.retailerImportWh]).toEqual([3, 5]);
});

test("no slots, no bill", () => {
  expect(billSharing([])).toMatchObject({ retailerUc: 0n, slots: [] });
});

test("money conserves, and all together pay what one connection would", () => {
  const law = (days: [Meter[], number, number][]) => {
    const count = Math.min(...days.map(([rows]) => rows.length));
    const slots = days.map(([rows, retailUcPerWh, feedInUcPerWh]) => ({
      ...columns(rows.slice(0, count)),
      retailUcPerWh,
      feedInUcPerWh,
    }));
    const shared = billSharing(slots);
    let owedUc = 0n;
    for (const slot of slots) {
      const netWh = slot.importWh.reduce((sum, wh, i) => sum + wh - slot.exportWh[i]!, 0);
      owedUc += BigInt(netWh) * BigInt(netWh > 0 ? slot.retailUcPerWh : slot.feedInUcPerWh);
    }
    expect(shared.retailerUc).toBe(owedUc);
    expect(shared.amountUc.reduce((sum, amount) => sum + amount, owedUc)).toBe(0n);
  };
  const slot = fc.tuple(meters, fc.nat(10_000_000), fc.nat(10_000_000));
  fc.assert(fc.property(fc.array(slot, { minLength: 1, maxLength: 6 }), law), { numRuns: 500 });
});
