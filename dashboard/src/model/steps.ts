/**
 * Merit orders as lines: each step of a curve is a horizontal run at its price. Supply rises,
 * demand falls; where a side is exhausted its line turns vertical, which is where two flat curves
 * meet.
 */
import type { CurveStep, SlotDetail } from "../../../services/wire/api.ts";

/** x in cumulated Wh, y in uc/Wh. */
export type CurvePoint = { readonly x: number; readonly y: number };

/** From (0, first price), per step two points. No steps, no points. */
export function stepCurve(steps: readonly CurveStep[]): CurvePoint[] {
  const points: CurvePoint[] = [];
  let x = 0;
  for (const step of steps) {
    points.push({ x, y: step.priceUcPerWh });
    x += step.energyWh;
    points.push({ x, y: step.priceUcPerWh });
  }
  return points;
}

/** The curve and the vertical at its end, up (supply) or down (demand) to `edgeUcPerWh`. */
export function closedCurve(steps: readonly CurveStep[], edgeUcPerWh: number): CurvePoint[] {
  const points = stepCurve(steps);
  const end = points.at(-1);
  return end === undefined ? [] : [...points, { x: end.x, y: edgeUcPerWh }];
}

/** Price range that shows both curves, the tariffs around them and the clearing price. */
export function priceRange(detail: SlotDetail): { lowUcPerWh: number; highUcPerWh: number } {
  const prices = [
    detail.feedInUcPerWh,
    detail.retailUcPerWh,
    ...detail.supply.map((step) => step.priceUcPerWh),
    ...detail.demand.map((step) => step.priceUcPerWh),
    ...(detail.priceUcPerWh === null ? [] : [detail.priceUcPerWh]),
  ];
  const low = Math.min(...prices);
  const high = Math.max(...prices);
  const margin = Math.max(1000, Math.ceil((high - low) / 8));
  return {
    lowUcPerWh: low >= 0 ? Math.max(0, low - margin) : low - margin,
    highUcPerWh: high + margin,
  };
}

/**
 * Where the own order stands in its curve: in the middle of the step that holds its limit. Null
 * without an order or without a curve (fewer meters than may be shown).
 */
export function ownPoint(detail: SlotDetail): CurvePoint | null {
  const { own } = detail;
  if (own === null || own.importWh === own.exportWh) return null;
  const sells = own.exportWh > own.importWh;
  const steps = sells ? detail.supply : detail.demand;
  const limit = sells ? own.minSellUcPerWh : own.maxBuyUcPerWh;
  let before = 0;
  for (const step of steps) {
    const holds = sells ? step.priceUcPerWh >= limit : step.priceUcPerWh <= limit;
    if (holds || step === steps.at(-1)) return { x: before + step.energyWh / 2, y: limit };
    before += step.energyWh;
  }
  return null;
}
