/**
 * A home's photovoltaic panels: sky to power.
 * Tilted plane: beam by the angle of incidence, isotropic diffuse sky and reflecting ground (Liu &
 * Jordan, Solar Energy 7:53, 1963). Losses of cable, dust, heat and inverter are one ratio.
 */
import { DAY_MINUTES, type SkyDay } from "./sky.ts";

export type Panels = {
  readonly peakW: number; // at 1,000 W/m2
  readonly tiltDeg: number; // 0 flat, 90 a wall
  readonly azimuthDeg: number; // 180 south, 90 east
  readonly inverterW: number; // no more than this leaves them
  readonly performanceRatio: number; // 0 to 1
};

const GROUND_ALBEDO = 0.2;
const RADIANS = Math.PI / 180;

/** Mean power of one minute, W. */
export function panelPowerW(panels: Panels, sky: SkyDay, minute: number): number {
  const tilt = panels.tiltDeg * RADIANS;
  const azimuth = panels.azimuthDeg * RADIANS;
  const sunZ = sky.sunZ[minute]!;
  const incidence =
    Math.sin(tilt) *
      (Math.sin(azimuth) * sky.sunX[minute]! + Math.cos(azimuth) * sky.sunY[minute]!) +
    Math.cos(tilt) * sunZ;
  const beamW = sky.beamW[minute]!;
  const diffuseW = sky.diffuseW[minute]!;
  const globalW = diffuseW + beamW * Math.max(0, sunZ);
  const planeW =
    beamW * Math.max(0, incidence) +
    (diffuseW * (1 + Math.cos(tilt))) / 2 +
    (GROUND_ALBEDO * globalW * (1 - Math.cos(tilt))) / 2;
  return Math.min(panels.inverterW, (panels.peakW * panels.performanceRatio * planeW) / 1000);
}

/** Energy since midnight by minute, Wh, DAY_MINUTES + 1 values from 0. */
export function productionOfDay(panels: Panels | null, sky: SkyDay): Float64Array {
  const sum = new Float64Array(DAY_MINUTES + 1);
  if (panels === null) return sum;
  for (let minute = 0; minute < DAY_MINUTES; minute++) {
    // Most minutes of a year are dark, and the dark gives nothing.
    const powerW = sky.diffuseW[minute]! > 0 ? panelPowerW(panels, sky, minute) : 0;
    sum[minute + 1] = sum[minute]! + powerW / 60;
  }
  return sum;
}
