/**
 * What regions owe each other while their lanes stand at different slots. A forward flow has two
 * ends, and each settles with a slot of its own lane; the entries of both on `neighbours` sum to
 * zero. So the sum of all `neighbours` accounts is zero but for ends that have not settled while
 * the other has: these are outstanding, and accounts and outstanding together are zero, always.
 */
import { assert } from "../primitives/errors.ts";
import type { Slot } from "../primitives/units.ts";
import type { LineFlow, SlotRecord } from "../wire/slot-record.ts";
import type { HeldSlot } from "./forward-book.ts";
import { readForward } from "./forward-book.ts";
import { clearedSlots, type Lane } from "./lane.ts";
import type { Rules } from "./rules.ts";

/** What settling its end of a forward flow puts on the region's `neighbours` account. */
export function flowEndUc(
  { lines }: Rules,
  end: { readonly regionIndex: number; readonly priceUcPerWh: number },
  { lineIndex, energyWh, rentUc }: LineFlow,
): bigint {
  const line = lines[lineIndex]!;
  const energyUc = BigInt(end.priceUcPerWh) * BigInt(energyWh);
  if (line.from === end.regionIndex) return -energyUc;
  return energyUc - BigInt(line.feeUcPerWh) * BigInt(energyWh) - rentUc;
}

/** The region at the other end of a line. */
export function otherEnd(
  { lines }: Rules,
  at: { readonly regionIndex: number; readonly lineIndex: number },
): number {
  const { from, to } = lines[at.lineIndex]!;
  return from === at.regionIndex ? to : from;
}

/** What ends that have not settled will put on `neighbours` accounts, their other ends having. */
export function outstandingUc(rules: Rules, lanes: readonly Lane[]): bigint {
  const front = Math.max(...lanes.map(clearedSlots));
  let totalUc = 0n;
  lanes.forEach((lane, regionIndex) => {
    const cleared = clearedSlots(lane);
    if (cleared === front) return;
    const held = readForward(lane.forward);
    for (let slotIndex = cleared; slotIndex < front; slotIndex++) {
      const waiting = held.held((rules.firstSlot + slotIndex) as Slot);
      if (waiting === null) continue;
      totalUc += waitingUc(rules, { regionIndex, held: waiting }, (other) => {
        return clearedSlots(lanes[other]!) > slotIndex;
      });
    }
  });
  return totalUc;
}

/** Of a slot held in one region: its ends whose other end stands in a region that `isMeant`. */
export function waitingUc(
  rules: Rules,
  at: { readonly regionIndex: number; readonly held: HeldSlot },
  isMeant: (otherRegion: number) => boolean,
): bigint {
  const { regionIndex } = at;
  const { priceUcPerWh, flows } = at.held;
  let totalUc = 0n;
  for (const flow of flows) {
    if (!isMeant(otherEnd(rules, { regionIndex, lineIndex: flow.lineIndex }))) continue;
    totalUc += flowEndUc(rules, { regionIndex, priceUcPerWh }, flow);
  }
  return totalUc;
}

/** Asserts that a block's slots made and lost no money between regions. */
export function assertShared(block: {
  readonly rules: Rules;
  readonly before: readonly Lane[];
  readonly after: readonly Lane[]; // forward markets sealed
  readonly records: readonly SlotRecord[];
}): void {
  const { rules, before, after, records } = block;
  if (records.length === 0) return; // whatever is outstanding has not changed
  let movedUc = outstandingUc(rules, after) - outstandingUc(rules, before);
  for (const { neighboursUc } of records) movedUc += neighboursUc;
  assert(movedUc === 0n, "what regions owe each other is in an account or outstanding");
}
