/**
 * The physical model as an energy source: load and production of each home in each slot.
 *
 * Deterministic in (seed, region, home, slot). A slot costs at most one day of its home, which is
 * cached; energy is rounded on the day's running sum, so no slot loses or gains by rounding.
 */
import { assert } from "../../services/primitives/errors.ts";
import { createPrng, type Prng } from "../../services/primitives/prng.ts";
import type { EnergySource, HomeEnergy } from "./energy-source.ts";
import { drawHome, type HomeTraits, loadOfDay } from "./household.ts";
import { productionOfDay } from "./panels.ts";
import { DAY_MINUTES, type SkyDay, skyDay } from "./sky.ts";
import type { Place } from "./solar-position.ts";

/** Vienna, without summer time: slots are UTC, and habits need no more than the season. */
export const PLACE_DEFAULT: Place = { latitudeDeg: 48.2, longitudeDeg: 16.37, utcOffsetS: 3600 };
/** Days kept per home and region: today, and yesterday for whoever lags. */
export const DAYS_CACHED_MAX = 2;
const DAY_S = 86_400;

export type ModelRegion = {
  readonly id: string;
  readonly homes: readonly HomeTraits[];
  readonly place?: Place;
};

/** The homes of a region, drawn from the seed; home k is the same whatever `count` is. */
export function drawHomes({
  seed,
  region,
  count,
}: {
  seed: string;
  region: string;
  count: number;
}): HomeTraits[] {
  return Array.from({ length: count }, (_, home) =>
    drawHome(homePrng(seed, region, home).fork("traits"), `${region}-${home + 1}`),
  );
}

export type ModelSource = EnergySource & {
  /** Load and production of one home in one slot, integer Wh, before they meet at the meter. */
  loadAndProduction(at: { region: string; home: number; slot: number }): {
    loadWh: number;
    productionWh: number;
  };
};

export function createModelSource({
  seed,
  slotS,
  regions,
}: {
  seed: string;
  slotS: number;
  regions: readonly ModelRegion[];
}): ModelSource {
  const byId = new Map(regions.map((region) => [region.id, new ModelledRegion(seed, region)]));
  const loadAndProduction = (at: { region: string; home: number; slot: number }) => {
    const region = byId.get(at.region);
    assert(region !== undefined, "the model knows the region");
    return region.energy(at.home, at.slot * slotS, (at.slot + 1) * slotS);
  };
  return {
    slotS,
    firstSlot: null,
    endSlot: null,
    loadAndProduction,
    energyOf: (at): HomeEnergy => {
      const { loadWh, productionWh } = loadAndProduction(at);
      return {
        importWh: Math.max(loadWh - productionWh, 0),
        exportWh: Math.max(productionWh - loadWh, 0),
        productionWh,
      };
    },
  };
}

function homePrng(seed: string, region: string, home: number): Prng {
  return createPrng(`gridlane/homes/${seed}`).fork(`${region}/${home}`);
}

type HomeDay = { readonly loadWh: Float64Array; readonly productionWh: Float64Array };

class ModelledRegion {
  readonly #region: ModelRegion;
  readonly #place: Place;
  readonly #sky: Prng;
  readonly #homes: readonly Prng[];
  readonly #skies = new Map<number, SkyDay>();
  readonly #days: Map<number, HomeDay>[];

  constructor(seed: string, region: ModelRegion) {
    this.#region = region;
    this.#place = region.place ?? PLACE_DEFAULT;
    this.#sky = createPrng(`gridlane/sky/${seed}`).fork(region.id);
    this.#homes = region.homes.map((_, home) => homePrng(seed, region.id, home).fork("days"));
    this.#days = region.homes.map(() => new Map());
  }

  energy(home: number, fromS: number, toS: number): { loadWh: number; productionWh: number } {
    assert(home >= 0 && home < this.#homes.length, "the model knows the home");
    const localFromS = fromS + this.#place.utcOffsetS;
    const localToS = toS + this.#place.utcOffsetS;
    let loadWh = 0;
    let productionWh = 0;
    for (let atS = localFromS; atS < localToS; ) {
      const day = Math.floor(atS / DAY_S);
      const untilS = Math.min(localToS, (day + 1) * DAY_S);
      const table = this.#day(home, day);
      const span = [atS - day * DAY_S, untilS - day * DAY_S] as const;
      loadWh += between(table.loadWh, span);
      productionWh += between(table.productionWh, span);
      atS = untilS;
    }
    return { loadWh, productionWh };
  }

  #day(home: number, day: number): HomeDay {
    return cached(this.#days[home]!, day, () => {
      const traits = this.#region.homes[home]!;
      const sky = cached(this.#skies, day, () =>
        skyDay({ place: this.#place, prng: this.#sky, day }),
      );
      return {
        loadWh: loadOfDay({ traits, prng: this.#homes[home]!, sky, day }),
        productionWh: productionOfDay(traits.panels, sky),
      };
    });
  }
}

/** Integer Wh between two seconds of the day: a difference of rounded running sums. */
function between(sum: Float64Array, [fromS, toS]: readonly [number, number]): number {
  return Math.round(sumAt(sum, toS)) - Math.round(sumAt(sum, fromS));
}

function sumAt(sum: Float64Array, atS: number): number {
  const minute = Math.floor(atS / 60);
  if (minute >= DAY_MINUTES) return sum[DAY_MINUTES]!;
  return sum[minute]! + ((sum[minute + 1]! - sum[minute]!) * (atS - minute * 60)) / 60;
}

function cached<Value>(cache: Map<number, Value>, key: number, make: () => Value): Value {
  const known = cache.get(key);
  if (known !== undefined) return known;
  const value = make();
  if (cache.size >= DAYS_CACHED_MAX) cache.delete(cache.keys().next().value as number);
  cache.set(key, value);
  return value;
}
