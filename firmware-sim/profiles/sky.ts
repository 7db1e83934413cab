/**
 * One region's sky, minute by minute of a local day: sun, clouds, irradiance, air temperature.
 * All homes of a region share it, so their panels rise and fall together as neighbours' do.
 *
 * Clouds are a seeded process: each day draws how overcast it is, a broken sky wavers between its
 * 20-minute knots, and everything is interpolated from knots that depend on (seed, day) alone, so
 * any day can be computed without the days before it.
 */
import type { Prng } from "../../services/primitives/prng.ts";
import { clearSky, type Place, sunVector } from "./solar-position.ts";

export const DAY_MINUTES = 1440;
const KNOT_MINUTES = 20;
const KNOTS = DAY_MINUTES / KNOT_MINUTES;
const CLEARNESS_MIN = 0.08; // a thick overcast still lets this much through

export type SkyDay = {
  readonly sunX: Float64Array; // unit vector to the sun, by minute
  readonly sunY: Float64Array;
  readonly sunZ: Float64Array;
  readonly beamW: Float64Array; // W/m2 normal to the beam, clouds included
  readonly diffuseW: Float64Array; // W/m2 on the horizontal, clouds included
  readonly temperatureC: Float64Array;
};

/** @param day - days since 1970-01-01 in the place's standard time */
export function skyDay({ place, prng, day }: { place: Place; prng: Prng; day: number }): SkyDay {
  const sky: SkyDay = {
    sunX: new Float64Array(DAY_MINUTES),
    sunY: new Float64Array(DAY_MINUTES),
    sunZ: new Float64Array(DAY_MINUTES),
    beamW: new Float64Array(DAY_MINUTES),
    diffuseW: new Float64Array(DAY_MINUTES),
    temperatureC: new Float64Array(DAY_MINUTES),
  };
  const clearness = clearnessOf(prng, day);
  const startS = day * 86_400 - place.utcOffsetS;
  const meanC = meanTemperatureC(place, prng, day);
  for (let minute = 0; minute < DAY_MINUTES; minute++) {
    const sun = sunVector(place, startS + minute * 60 + 30);
    const clear = clearSky(sun.z);
    const share = clearness[minute]!;
    // Global irradiance falls with the clearness, its beam faster: clouds turn beam into diffuse.
    const globalW = share * (clear.beamW * Math.max(0, sun.z) + clear.diffuseW);
    const beamW = share * share * clear.beamW;
    sky.sunX[minute] = sun.x;
    sky.sunY[minute] = sun.y;
    sky.sunZ[minute] = sun.z;
    sky.beamW[minute] = beamW;
    sky.diffuseW[minute] = globalW - beamW * Math.max(0, sun.z);
    sky.temperatureC[minute] = meanC - 4.5 * Math.cos((2 * Math.PI * (minute - 180)) / DAY_MINUTES);
  }
  return sky;
}

/** Clear-sky index by minute, CLEARNESS_MIN to 1. */
function clearnessOf(prng: Prng, day: number): Float64Array {
  const days = [day - 1, day, day + 1].map((d) => drawDay(prng, d));
  const out = new Float64Array(DAY_MINUTES);
  const noise = [...days[1]!.knots, days[2]!.knots[0]!];
  for (let minute = 0; minute < DAY_MINUTES; minute++) {
    // The day's own value holds at noon and glides into its neighbours' towards midnight.
    const half = minute / DAY_MINUTES - 0.5;
    const other = half < 0 ? days[0]! : days[2]!;
    const mean = days[1]!.mean + (other.mean - days[1]!.mean) * Math.abs(half);
    const knot = Math.floor(minute / KNOT_MINUTES);
    const part = (minute % KNOT_MINUTES) / KNOT_MINUTES;
    const waver = noise[knot]! + (noise[knot + 1]! - noise[knot]!) * part;
    // A fully clear or fully overcast sky is steady; a broken one wavers most.
    const value = mean + 2.4 * mean * (1 - mean) * waver;
    out[minute] = Math.min(1, Math.max(CLEARNESS_MIN, value));
  }
  return out;
}

function drawDay(prng: Prng, day: number): { mean: number; knots: number[] } {
  const own = prng.fork(`clouds/${day}`);
  const kind = own.unit();
  const mean =
    kind < 0.35
      ? 0.93 + 0.07 * own.unit()
      : kind < 0.75
        ? 0.45 + 0.4 * own.unit()
        : 0.12 + 0.25 * own.unit();
  return { mean, knots: Array.from({ length: KNOTS }, () => 2 * own.unit() - 1) };
}

/** Coldest in late January in the north, half a year later in the south, warmer to the equator. */
function meanTemperatureC(place: Place, prng: Prng, day: number): number {
  const yearC = 27 - 0.35 * Math.abs(place.latitudeDeg);
  const swingC = 0.22 * place.latitudeDeg;
  const weatherC = 6 * (prng.fork(`temperature/${day}`).unit() - 0.5);
  return yearC - swingC * Math.cos((2 * Math.PI * (day - 25)) / 365.25) + weatherC;
}
