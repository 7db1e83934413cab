/**
 * Whether a lane takes part in the market, as part of its state. A lane whose step broke an
 * invariant is quarantined: it stays as it was before that slot, and waits. Released by the
 * committee it catches up on its own, and is in the market again once it has.
 *
 *   Quarantine = Container {
 *     standing:  uint64   0 in the market, 1 quarantined, 2 catching up
 *     sinceSlot: uint64   the slot that it missed first; 0 in the market
 *     step:      uint64   which step failed there: 1 open, 2 market, 3 close; 0 in the market
 *   }
 *
 * It stands in the lane's counters, so it is copied, stored and shared with workers as they are.
 */
import { merkleRoot } from "../crypto/merkle.ts";
import { concatBytes } from "../primitives/bytes.ts";
import type { Slot } from "../primitives/units.ts";
import { COUNTER, type LaneColumns } from "./lane-columns.ts";
import { uint64Chunk } from "./number-lists.ts";

/** Codes are consensus: append, never renumber. */
const STANDING = { inMarket: 0n, quarantined: 1n, catchingUp: 2n } as const;
const STEPS = ["open", "market", "close"] as const; // code: place + 1

/** The step of a slot that broke. */
export type QuarantineStep = (typeof STEPS)[number];

export type Quarantine = {
  readonly standing: "quarantined" | "catching up";
  readonly sinceSlot: Slot;
  readonly step: QuarantineStep;
};

type Counters = Pick<LaneColumns, "counters">;

/**
 * The one place that says who takes part: in slots, in forward auctions, and in whatever else lanes
 * do together. A lane that does not keeps what waits for it.
 */
export function takesPart({ columns }: { readonly columns: Counters }): boolean {
  return columns.counters[COUNTER.standing] === STANDING.inMarket;
}

/** Null for a lane in the market. */
export function quarantineOf({ columns }: { readonly columns: Counters }): Quarantine | null {
  const { counters } = columns;
  if (counters[COUNTER.standing] === STANDING.inMarket) return null;
  const isReleased = counters[COUNTER.standing] === STANDING.catchingUp;
  return {
    standing: isReleased ? "catching up" : "quarantined",
    sinceSlot: Number(counters[COUNTER.quarantineSlot]!) as Slot,
    step: STEPS[Number(counters[COUNTER.quarantineStep]!) - 1]!,
  };
}

/** Writes a lane's standing; null: in the market. */
export function setQuarantine({ counters }: Counters, quarantine: Quarantine | null): void {
  const { standing, sinceSlot, step } = quarantine ?? { standing: null, sinceSlot: 0, step: null };
  counters[COUNTER.standing] =
    standing === null
      ? STANDING.inMarket
      : standing === "quarantined"
        ? STANDING.quarantined
        : STANDING.catchingUp;
  counters[COUNTER.quarantineSlot] = BigInt(sinceSlot);
  counters[COUNTER.quarantineStep] = step === null ? 0n : BigInt(STEPS.indexOf(step) + 1);
}

/** Whether stored counters are ones that `setQuarantine` writes. */
export function isWholeQuarantine({ counters }: Counters): boolean {
  const standing = counters[COUNTER.standing]!;
  const slot = counters[COUNTER.quarantineSlot]!;
  const step = counters[COUNTER.quarantineStep]!;
  if (standing === STANDING.inMarket) return slot === 0n && step === 0n;
  const isKnown = standing === STANDING.quarantined || standing === STANDING.catchingUp;
  const isSlot = slot <= BigInt(Number.MAX_SAFE_INTEGER);
  return isKnown && isSlot && step >= 1n && step <= BigInt(STEPS.length);
}

/** hash_tree_root of Quarantine. */
export function quarantineRoot({ counters }: Counters): Uint8Array {
  const fields = [COUNTER.standing, COUNTER.quarantineSlot, COUNTER.quarantineStep];
  return merkleRoot(concatBytes(fields.map((at) => uint64Chunk(counters[at]!))), fields.length);
}
