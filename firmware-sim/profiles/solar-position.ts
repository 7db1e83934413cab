/**
 * Where the sun stands, and how strong it is without clouds.
 *
 * Position: NOAA, "General Solar Position Calculations" (Fourier series after Spencer, 1971), good
 * to a few hundredths of a degree. Beam: Meinel & Meinel, "Applied Solar Energy" (1976), 1.353
 * kW/m2 x 0.7 ^ (air mass ^ 0.678), with a diffuse share of a tenth. Air mass: Kasten & Young,
 * Applied Optics 28:4735 (1989). Floats are fine here: what leaves the profiles is integer Wh.
 */

export type Place = {
  readonly latitudeDeg: number; // north positive
  readonly longitudeDeg: number; // east positive
  readonly utcOffsetS: number; // standard time of the people who live there
};

/** Unit vector to the sun: x east, y north, z up. z is the sine of the elevation. */
export type SunVector = { readonly x: number; readonly y: number; readonly z: number };

const RADIANS = Math.PI / 180;
const SOLAR_CONSTANT_W = 1353;
const DAY_S = 86_400;

/** @param timeS - unix seconds */
export function sunVector(place: Place, timeS: number): SunVector {
  const year = yearFraction(timeS);
  const declination = declinationOf(year);
  // True solar time: UTC + 4 minutes per degree east + equation of time.
  const minutes =
    (((timeS % DAY_S) + DAY_S) % DAY_S) / 60 + 4 * place.longitudeDeg + equationOfTime(year);
  const hourAngle = (minutes / 4 - 180) * RADIANS;
  const latitude = place.latitudeDeg * RADIANS;
  const cosDeclination = Math.cos(declination);
  const sinDeclination = Math.sin(declination);
  return {
    x: -cosDeclination * Math.sin(hourAngle),
    y:
      Math.cos(latitude) * sinDeclination -
      Math.sin(latitude) * cosDeclination * Math.cos(hourAngle),
    z:
      Math.sin(latitude) * sinDeclination +
      Math.cos(latitude) * cosDeclination * Math.cos(hourAngle),
  };
}

/** Clear-sky irradiance, W/m2: normal to the beam, and diffuse on the horizontal. */
export function clearSky(sinElevation: number): { beamW: number; diffuseW: number } {
  if (sinElevation <= 0) return { beamW: 0, diffuseW: 0 };
  const elevationDeg = Math.asin(Math.min(1, sinElevation)) / RADIANS;
  const airMass = 1 / (sinElevation + 0.50572 * (elevationDeg + 6.07995) ** -1.6364);
  const beamW = SOLAR_CONSTANT_W * 0.7 ** (airMass ** 0.678);
  return { beamW, diffuseW: 0.1 * beamW };
}

/** Angle of the year in radians, 0 at the start of 1 January (NOAA's gamma). */
function yearFraction(timeS: number): number {
  const year = new Date(timeS * 1000).getUTCFullYear();
  const startS = Date.UTC(year, 0, 1) / 1000;
  const days = (Date.UTC(year + 1, 0, 1) / 1000 - startS) / DAY_S;
  return (2 * Math.PI * ((timeS - startS) / DAY_S - 0.5)) / days;
}

/** Radians. */
function declinationOf(year: number): number {
  return (
    0.006918 -
    0.399912 * Math.cos(year) +
    0.070257 * Math.sin(year) -
    0.006758 * Math.cos(2 * year) +
    0.000907 * Math.sin(2 * year) -
    0.002697 * Math.cos(3 * year) +
    0.00148 * Math.sin(3 * year)
  );
}

/** Minutes. */
function equationOfTime(year: number): number {
  return (
    229.18 *
    (0.000075 +
      0.001868 * Math.cos(year) -
      0.032077 * Math.sin(year) -
      0.014615 * Math.cos(2 * year) -
      0.040849 * Math.sin(2 * year))
  );
}
