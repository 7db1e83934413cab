/**
 * Method: a year of a drawn community against what such homes and panels do (PVGIS gives Vienna
 * about 1,000 to 1,200 kWh per kWp at the best tilt), then the laws: any order, any slot length, no
 * energy lost.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { createModelSource, drawHomes } from "../../../firmware-sim/profiles/model.ts";

const HOMES = drawHomes({ seed: "model", region: "north", count: 12 });
const source = (slotS: number, seed = "model") =>
  createModelSource({ seed, slotS, regions: [{ id: "north", homes: HOMES }] });
const JANUARY = Date.UTC(2025, 0, 1) / 1000;
const at = (home: number, slot: number) => ({ region: "north", home, slot });

test("a year of homes and panels is of the size that homes and panels have", () => {
  const hourly = source(3600);
  const first = JANUARY / 3600;
  let shareWithPanels = 0;
  for (const [home, traits] of HOMES.entries()) {
    let loadWh = 0;
    let productionWh = 0;
    let nightWh = 0;
    let peakWh = 0;
    for (let slot = first; slot < first + 8760; slot++) {
      const energy = hourly.loadAndProduction(at(home, slot));
      loadWh += energy.loadWh;
      productionWh += energy.productionWh;
      peakWh = Math.max(peakWh, energy.loadWh, energy.productionWh);
      if ((slot - first) % 24 >= 21 || (slot - first) % 24 < 2) nightWh += energy.productionWh;
    }
    const electric = traits.car === null && traits.heatPump === null;
    expect(loadWh).toBeGreaterThan(1_200_000);
    expect(loadWh).toBeLessThan(electric ? 6_000_000 : 13_000_000);
    expect(peakWh).toBeLessThan(traits.connectionW);
    expect(nightWh).toBe(0); // 22:00 to 03:00 local
    if (traits.panels === null) expect(productionWh).toBe(0);
    else {
      shareWithPanels += 1 / HOMES.length;
      expect(productionWh / traits.panels.peakW).toBeGreaterThan(750);
      expect(productionWh / traits.panels.peakW).toBeLessThan(1_250);
    }
  }
  expect(shareWithPanels).toBeGreaterThan(0.2);
  expect(shareWithPanels).toBeLessThan(0.9);
});

test("summer days give more than winter days", () => {
  const daily = source(3600);
  const home = HOMES.findIndex((traits) => traits.panels !== null);
  const productionOf = (month: number) => {
    const first = Date.UTC(2025, month, 1) / 1000 / 3600;
    let productionWh = 0;
    for (let slot = first; slot < first + 28 * 24; slot++) {
      productionWh += daily.loadAndProduction(at(home, slot)).productionWh;
    }
    return productionWh;
  };
  expect(productionOf(5)).toBeGreaterThan(3 * productionOf(11));
});

test("homes of one region share their sky; another seed has another", () => {
  const homes = [HOMES[0]!, HOMES[0]!].map((traits) => ({
    ...traits,
    panels: { peakW: 5000, tiltDeg: 30, azimuthDeg: 180, inverterW: 4600, performanceRatio: 0.85 },
  }));
  const series = (seed: string, region: string, home: number) => {
    const model = createModelSource({
      seed,
      slotS: 900,
      regions: [
        { id: "north", homes },
        { id: "south", homes },
      ],
    });
    const first = Date.UTC(2025, 5, 1) / 1000 / 900;
    return Array.from(
      { length: 96 * 5 },
      (_, k) => model.loadAndProduction({ region, home, slot: first + k }).productionWh,
    );
  };
  expect(series("s", "north", 0)).toEqual(series("s", "north", 1));
  expect(series("s", "north", 0)).not.toEqual(series("s", "south", 0));
  expect(series("s", "north", 0)).not.toEqual(series("t", "north", 0));
});

test("depends on (seed, home, slot) alone: any order, a fresh source, a larger region", () => {
  const warm = source(900);
  const slots = fc.array(fc.tuple(fc.nat({ max: 11 }), fc.nat({ max: 96 * 400 })), {
    minLength: 1,
    maxLength: 6,
  });
  fc.assert(
    fc.property(slots, (asked) => {
      for (const [home, offset] of asked) {
        const slot = JANUARY / 900 + offset;
        expect(source(900).energyOf(at(home, slot))).toEqual(warm.energyOf(at(home, slot)));
      }
    }),
    { numRuns: 25 },
  );
  expect(drawHomes({ seed: "model", region: "north", count: 20 }).slice(0, 12)).toEqual(HOMES);
});

test("splitting a slot neither makes nor loses a Wh, across midnight and for odd lengths", () => {
  const law = (home: number, hour: number, slotS: number) => {
    const whole = source(3600);
    const parts = source(slotS);
    const first = JANUARY / 3600 + hour;
    let [wholeWh, partsWh, productionWh, partsProductionWh] = [0, 0, 0, 0];
    // 7 hours are a whole number of slots of each length below.
    for (let slot = first; slot < first + 7; slot++) {
      const energy = whole.loadAndProduction(at(home, slot));
      wholeWh += energy.loadWh;
      productionWh += energy.productionWh;
    }
    const from = (first * 3600) / slotS;
    for (let slot = from; slot < from + (7 * 3600) / slotS; slot++) {
      const energy = parts.loadAndProduction(at(home, slot));
      partsWh += energy.loadWh;
      partsProductionWh += energy.productionWh;
    }
    expect([partsWh, partsProductionWh]).toEqual([wholeWh, productionWh]);
  };
  const hours = fc.nat({ max: 8700 });
  const lengths = fc.constantFrom(60, 100, 300, 900, 1800);
  fc.assert(fc.property(fc.nat({ max: 11 }), hours, lengths, law), { numRuns: 40 });
});

test("a meter's two directions are the difference of load and production", () => {
  const model = source(900);
  for (let slot = JANUARY / 900 + 96 * 160; slot < JANUARY / 900 + 96 * 161; slot++) {
    for (let home = 0; home < HOMES.length; home++) {
      const { loadWh, productionWh } = model.loadAndProduction(at(home, slot));
      const energy = model.energyOf(at(home, slot));
      expect(Math.min(energy.importWh, energy.exportWh)).toBe(0);
      expect(energy.importWh - energy.exportWh).toBe(loadWh - productionWh);
      expect(energy.productionWh).toBe(productionWh);
      expect(Number.isSafeInteger(energy.importWh + energy.exportWh)).toBe(true);
    }
  }
});
