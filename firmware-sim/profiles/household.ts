/**
 * Who lives in a simulated home and what they switch on: base load, fridge, light, cooking,
 * laundry, dishes, and for some an electric car or a heat pump.
 *
 * A day's runs depend on (seed, home, day) alone; a run may reach into the next day, so a day's
 * load is its own runs and the tail of yesterday's. Powers and times are typical of European homes
 * (about 2 to 5 MWh a year without car and heat pump), not fitted to a data set.
 */
import type { Prng } from "../../services/primitives/prng.ts";
import type { Panels } from "./panels.ts";
import { DAY_MINUTES, type SkyDay } from "./sky.ts";

export type HomeTraits = {
  readonly label: string;
  readonly connectionW: number; // of the grid connection
  readonly panels: Panels | null;
  readonly baseW: number; // always on
  readonly fridgeW: number;
  readonly fridgePeriodMinutes: number;
  readonly occupants: number;
  readonly awayOnWeekdays: boolean;
  readonly wakeMinute: number;
  readonly bedMinute: number;
  readonly car: { readonly chargerW: number; readonly dailyWh: number } | null;
  readonly heatPump: { readonly lossWPerK: number } | null;
};

/** 3 x 25 A at 230 V, and 3 x 35 A for a home with a car or a heat pump. */
const CONNECTION_W = 17_250;
const CONNECTION_LARGE_W = 24_150;
const HEATING_LIMIT_C = 15;
const ROOM_C = 20;

type Run = { readonly minute: number; readonly minutes: number; readonly powerW: number };

/** Draws one home. `prng` MUST be the home's own. */
export function drawHome(prng: Prng, label: string): HomeTraits {
  const occupants = 1 + prng.below(5);
  const hasPanels = prng.unit() < 0.55;
  const panels = hasPanels ? drawPanels(prng.fork("panels")) : null;
  const equipment = prng.fork("equipment");
  const car =
    equipment.unit() < 0.22
      ? {
          chargerW: [3_700, 7_400, 11_000][equipment.below(3)]!,
          dailyWh: 4_000 + equipment.below(9_000),
        }
      : null;
  const heatPump = equipment.unit() < 0.2 ? { lossWPerK: 120 + equipment.below(120) } : null;
  return {
    label,
    connectionW: car === null && heatPump === null ? CONNECTION_W : CONNECTION_LARGE_W,
    panels,
    baseW: 50 + 15 * occupants + prng.below(60),
    fridgeW: 60 + prng.below(60),
    fridgePeriodMinutes: 36 + prng.below(25),
    occupants,
    awayOnWeekdays: prng.unit() < 0.6,
    wakeMinute: 345 + prng.below(100),
    bedMinute: 1300 + prng.below(110),
    car,
    heatPump,
  };
}

function drawPanels(prng: Prng): Panels {
  const peakW = 3_000 + 500 * prng.below(15); // 3 to 10 kWp
  return {
    peakW,
    tiltDeg: 15 + prng.below(31),
    azimuthDeg: 110 + prng.below(141), // east-south-east to west-south-west
    inverterW: Math.floor(peakW * 0.92),
    performanceRatio: 0.78 + 0.1 * prng.unit(),
  };
}

/** Energy since midnight by minute, Wh, DAY_MINUTES + 1 values from 0. */
export function loadOfDay({
  traits,
  prng,
  sky,
  day,
}: {
  traits: HomeTraits;
  prng: Prng;
  sky: SkyDay;
  day: number;
}): Float64Array {
  const powerW = new Float64Array(DAY_MINUTES).fill(traits.baseW);
  addFridge(powerW, traits, day);
  addHeatPump(powerW, traits, sky);
  for (const run of runsOfDay(traits, prng, day)) addRun(powerW, run, 0);
  for (const run of runsOfDay(traits, prng, day - 1)) addRun(powerW, run, DAY_MINUTES);
  addLight(powerW, traits, sky, day);
  const sum = new Float64Array(DAY_MINUTES + 1);
  for (let minute = 0; minute < DAY_MINUTES; minute++) {
    sum[minute + 1] = sum[minute]! + powerW[minute]! / 60;
  }
  return sum;
}

/** Adds a run that began `back` minutes before this day's own midnight count. */
function addRun(powerW: Float64Array, run: Run, back: number): void {
  const from = Math.max(0, run.minute - back);
  const to = Math.min(DAY_MINUTES, run.minute + run.minutes - back);
  for (let minute = from; minute < to; minute++) powerW[minute]! += run.powerW;
}

function addFridge(powerW: Float64Array, traits: HomeTraits, day: number): void {
  const period = traits.fridgePeriodMinutes;
  for (let minute = 0; minute < DAY_MINUTES; minute++) {
    if ((day * DAY_MINUTES + minute) % period < 0.35 * period) powerW[minute]! += traits.fridgeW;
  }
}

/** An inverter heat pump that follows the heat loss; its efficiency falls with the cold. */
function addHeatPump(powerW: Float64Array, traits: HomeTraits, sky: SkyDay): void {
  if (traits.heatPump === null) return;
  for (let minute = 0; minute < DAY_MINUTES; minute++) {
    const outsideC = sky.temperatureC[minute]!;
    if (outsideC >= HEATING_LIMIT_C) continue;
    const efficiency = Math.max(1.8, 3.4 + 0.08 * outsideC);
    powerW[minute]! += (traits.heatPump.lossWPerK * (ROOM_C - outsideC)) / efficiency;
  }
}

/** Light, screens and the rest, while somebody is at home and awake; light only after dusk. */
function addLight(powerW: Float64Array, traits: HomeTraits, sky: SkyDay, day: number): void {
  const electronicsW = 40 * traits.occupants;
  const lightW = 30 + 25 * traits.occupants;
  for (let minute = traits.wakeMinute; minute < Math.min(traits.bedMinute, DAY_MINUTES); minute++) {
    if (isAway(traits, day, minute)) continue;
    powerW[minute]! += electronicsW + (sky.sunZ[minute]! < 0.05 ? lightW : 0);
  }
}

function isWeekend(day: number): boolean {
  const weekday = (day + 4) % 7; // 1970-01-01 was a Thursday; 0 is Sunday
  return weekday === 0 || weekday === 6;
}

function isAway(traits: HomeTraits, day: number, minute: number): boolean {
  return traits.awayOnWeekdays && !isWeekend(day) && minute >= 500 && minute < 1010;
}

/** What is switched on this day, in no order. */
function runsOfDay(traits: HomeTraits, prng: Prng, day: number): Run[] {
  const own = prng.fork(`day/${day}`);
  const runs: Run[] = [];
  const add = (minute: number, minutes: number, powerW: number) =>
    runs.push({ minute: Math.floor(minute), minutes: Math.floor(minutes), powerW });
  const appetite = 0.6 + 0.2 * traits.occupants;
  add(traits.wakeMinute + 10 + own.below(30), 6 + own.below(8), 900 * appetite);
  const home = !isAway(traits, day, 720);
  if (home && own.unit() < 0.7) add(690 + own.below(60), 20 + own.below(20), 1_100 * appetite);
  add(1050 + own.below(130), 25 + own.below(30), 1_400 * appetite);
  // Washing: heat the water, then turn the drum. Dishes: heat, wash, heat to dry.
  if (own.unit() < 0.12 * traits.occupants + 0.05) {
    const start = home ? 540 + own.below(480) : 1050 + own.below(180);
    add(start, 20, 2_000);
    add(start + 20, 75, 180);
  }
  if (own.unit() < 0.2 + 0.12 * traits.occupants) {
    const start = 1140 + own.below(150);
    add(start, 16, 2_000);
    add(start + 16, 50, 90);
    add(start + 66, 14, 1_900);
  }
  if (traits.car !== null && own.unit() < 0.65) {
    const energyWh = traits.car.dailyWh * (0.5 + own.unit());
    add(1050 + own.below(240), (energyWh / traits.car.chargerW) * 60, traits.car.chargerW);
  }
  return runs;
}
