/**
 * Method: sunrise, sunset and noon of known places and days (published almanacs, to the minute),
 * then laws of geometry. Tolerance 3 minutes: refraction is taken as 0.833 degrees, as almanacs
 * do.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { clearSky, sunVector } from "../../../firmware-sim/profiles/solar-position.ts";

const LONDON = { latitudeDeg: 51.507, longitudeDeg: -0.128, utcOffsetS: 0 };
const VIENNA = { latitudeDeg: 48.208, longitudeDeg: 16.372, utcOffsetS: 3600 };
const SYDNEY = { latitudeDeg: -33.868, longitudeDeg: 151.209, utcOffsetS: 36_000 };
const QUITO = { latitudeDeg: -0.18, longitudeDeg: -78.467, utcOffsetS: -18_000 };
const HORIZON = Math.sin((-0.833 * Math.PI) / 180);

/** Minutes of the local day at which the sun's height crosses the horizon, by bisection. */
function crossing(place: typeof LONDON, date: string, from: number, to: number): number {
  const startS = Date.parse(`${date}T00:00Z`) / 1000 - place.utcOffsetS;
  const up = (minute: number) => sunVector(place, startS + minute * 60).z > HORIZON;
  const rising = up(to);
  expect(up(from)).toBe(!rising);
  let [low, high] = [from, to];
  while (high - low > 0.1) {
    const middle = (low + high) / 2;
    if (up(middle) === rising) high = middle;
    else low = middle;
  }
  return high;
}

// Times in the place's standard time.
test.each([
  {
    name: "London, summer solstice",
    place: LONDON,
    date: "2024-06-20",
    rise: "03:43",
    set: "20:21",
  },
  {
    name: "London, winter solstice",
    place: LONDON,
    date: "2023-12-22",
    rise: "08:04",
    set: "15:53",
  },
  {
    name: "London, spring equinox",
    place: LONDON,
    date: "2024-03-20",
    rise: "06:03",
    set: "18:14",
  },
  {
    name: "Vienna, summer solstice",
    place: VIENNA,
    date: "2024-06-21",
    rise: "03:54",
    set: "19:58",
  },
  {
    name: "Vienna, winter solstice",
    place: VIENNA,
    date: "2024-12-21",
    rise: "07:42",
    set: "16:03",
  },
  {
    name: "Sydney, winter solstice",
    place: SYDNEY,
    date: "2024-06-21",
    rise: "07:00",
    set: "16:54",
  },
  { name: "Quito, equinox", place: QUITO, date: "2024-09-22", rise: "06:03", set: "18:10" },
])("$name: $rise to $set", ({ place, date, rise, set }) => {
  const minutes = (text: string) => Number(text.slice(0, 2)) * 60 + Number(text.slice(3));
  expect(Math.abs(crossing(place, date, 0, 720) - minutes(rise))).toBeLessThanOrEqual(3);
  expect(Math.abs(crossing(place, date, 720, 1439) - minutes(set))).toBeLessThanOrEqual(3);
});

test("stands at 90 - latitude + declination at noon of a solstice, in the south", () => {
  // 2024-06-20, solar noon in London 12:02 UTC.
  const sun = sunVector(LONDON, Date.parse("2024-06-20T12:02Z") / 1000);
  expect((Math.asin(sun.z) * 180) / Math.PI).toBeCloseTo(90 - 51.507 + 23.44, 1);
  expect(sun.y).toBeLessThan(0); // the noon sun of the north stands south
  expect(Math.abs(sun.x)).toBeLessThan(0.01);
});

test("rises in the east and sets in the west", () => {
  expect(sunVector(VIENNA, Date.parse("2024-06-21T05:00Z") / 1000).x).toBeGreaterThan(0.5);
  expect(sunVector(VIENNA, Date.parse("2024-06-21T17:00Z") / 1000).x).toBeLessThan(-0.5);
});

test("the direction is a unit vector, anywhere and at any time", () => {
  const place = fc.record({
    latitudeDeg: fc.double({ min: -89, max: 89, noNaN: true }),
    longitudeDeg: fc.double({ min: -180, max: 180, noNaN: true }),
    utcOffsetS: fc.constant(0),
  });
  const law = (at: typeof LONDON, timeS: number) => {
    const { x, y, z } = sunVector(at, timeS);
    expect(x * x + y * y + z * z).toBeCloseTo(1, 9);
  };
  fc.assert(fc.property(place, fc.nat({ max: 4_000_000_000 }), law));
});

test.each([
  { sinElevation: 1, beamW: [930, 960] }, // 1353 x 0.7 at one air mass
  { sinElevation: 0.5, beamW: [750, 790] }, // two air masses
  { sinElevation: 0.1, beamW: [200, 320] },
  { sinElevation: 0, beamW: [0, 0] },
  { sinElevation: -0.5, beamW: [0, 0] },
])("clear-sky beam at sin(elevation) $sinElevation", ({ sinElevation, beamW }) => {
  expect(clearSky(sinElevation).beamW).toBeGreaterThanOrEqual(beamW[0]!);
  expect(clearSky(sinElevation).beamW).toBeLessThanOrEqual(beamW[1]!);
});
