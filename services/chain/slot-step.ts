/**
 * One slot, over the regions that take part in it:
 *
 *   phase 1   each lane: limits due, report -> curve of its orders   (lanes on their own)
 *   market    prices and flows over these lanes                      (barrier)
 *   phase 2   each lane: fills, bills, balances, record              (lanes on their own)
 *
 * The draft changes only when every lane has come through: a slot in which a lane failed leaves no
 * trace but the list of who failed, and may be cleared again without them.
 */
import { assert } from "../primitives/errors.ts";
import type { Slot } from "../primitives/units.ts";
import type { SlotRecord } from "../wire/slot-record.ts";
import {
  type Brought,
  failuresOf,
  type LaneExecutor,
  type LaneFailure,
  valuesOf,
} from "./lane-executor.ts";
import { clearMarket } from "./market-step.ts";
import type { Rules } from "./rules.ts";
import type { Draft } from "./state.ts";

export type SlotClearing =
  | { readonly records: readonly SlotRecord[] } // by region, rising
  | { readonly failed: readonly LaneFailure[] };

/**
 * @param parts.regions - who takes part, rising; each has the slot's report pending. The others
 *   bring no book, and lines to them carry nothing.
 */
export function clearSlot(parts: {
  readonly rules: Rules;
  readonly draft: Draft;
  readonly executor: LaneExecutor;
  readonly slot: Slot;
  readonly regions: readonly number[];
  readonly height: number;
}): SlotClearing {
  const { rules, draft, executor, slot, regions, height } = parts;
  const jobs = regions.map((regionIndex) => {
    const held = draft.forward(regionIndex).held(slot);
    return { regionIndex, lane: draft.lane(regionIndex), held };
  });
  const opened = executor.open({ rules, slot, height, jobs });
  const unopened = failuresOf(opened.brought);
  if (unopened.length > 0) return { failed: unopened };
  const brought = valuesOf(opened.brought);
  const market = clearMarket(rules, brought);
  const outcomes = opened.close(market.answers);
  const unclosed = failuresOf(outcomes);
  if (unclosed.length > 0) return { failed: unclosed };
  const closed = valuesOf(outcomes);
  const fault = market.check(closed.map(({ cleared }) => cleared));
  assert(fault === null, "a clearing passes its witness");
  let neighboursUc = 0n;
  for (const { regionIndex, lane, record } of closed) {
    draft.setLane(regionIndex, lane);
    if (draft.forward(regionIndex).held(slot) !== null) draft.ownForward(regionIndex).settle(slot);
    neighboursUc += record.neighboursUc;
  }
  assert(neighboursUc === owedByAbsentUc(rules, brought), "what regions owe each other is shared");
  return { records: closed.map(({ record }) => record) };
}

/**
 * What lanes that take part hold of forward flows to and from lanes that do not: those settle their
 * end with a slot of their own. Zero where every region takes part.
 */
function owedByAbsentUc({ lines }: Rules, brought: readonly Brought[]): bigint {
  const present = new Set(brought.map(({ regionIndex }) => regionIndex));
  let owedUc = 0n;
  for (const { regionIndex, held } of brought) {
    for (const { lineIndex, energyWh, rentUc } of held?.flows ?? []) {
      const { from, to, feeUcPerWh } = lines[lineIndex]!;
      if (present.has(from) && present.has(to)) continue;
      const energyUc = BigInt(held!.priceUcPerWh) * BigInt(energyWh);
      if (from === regionIndex) owedUc -= energyUc;
      else owedUc += energyUc - BigInt(feeUcPerWh) * BigInt(energyWh) - rentUc;
    }
  }
  return owedUc;
}
