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
import { assert, InvariantError } from "../primitives/errors.ts";
import type { Slot } from "../primitives/units.ts";
import type { SlotRecord } from "../wire/slot-record.ts";
import {
  attempt,
  type Brought,
  failuresOf,
  type LaneExecutor,
  type LaneFailure,
  type LaneOutcome,
  valuesOf,
} from "./lane-executor.ts";
import { clearMarket } from "./market-step.ts";
import { waitingUc } from "./outstanding.ts";
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
  const market = blameMarket(slot, brought, () => clearMarket(rules, brought));
  if ("failure" in market) return { failed: [market.failure] };
  const outcomes = opened.close(market.value.answers);
  const unclosed = failuresOf(outcomes);
  if (unclosed.length > 0) return { failed: unclosed };
  const closed = valuesOf(outcomes);
  const checked = blameMarket(slot, brought, () => {
    const fault = market.value.check(closed.map(({ cleared }) => cleared));
    assert(fault === null, "a clearing passes its witness");
  });
  if ("failure" in checked) return { failed: [checked.failure] };
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
 * What lanes that take part settle of forward flows to and from lanes that do not: those settle
 * their end with a slot of their own. Zero where every region takes part.
 */
function owedByAbsentUc(rules: Rules, brought: readonly Brought[]): bigint {
  const present = new Set(brought.map(({ regionIndex }) => regionIndex));
  let owedUc = 0n;
  for (const { regionIndex, held } of brought) {
    if (held === null) continue;
    owedUc += waitingUc(rules, { regionIndex, held }, (other) => !present.has(other));
  }
  return owedUc;
}

/**
 * Runs a part of the market step. Where one lane clears on its own a failure is that lane's; else
 * nobody can tell whose it is, and the block fails.
 */
function blameMarket<Value>(
  slot: Slot,
  brought: readonly Brought[],
  run: () => Value,
): LaneOutcome<Value> {
  const [only] = brought;
  if (brought.length === 1) return attempt(only!, "market", run);
  try {
    return { value: run() };
  } catch (cause) {
    if (!(cause instanceof InvariantError)) throw cause;
    const regions = brought.length;
    const message = `market step of slot ${slot} over ${regions} regions: ${cause.message}`;
    throw new InvariantError(message, { cause });
  }
}
