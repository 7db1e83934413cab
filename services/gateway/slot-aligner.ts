/**
 * Which register stands for a slot: the last one read at or before the slot's end, within the slot.
 *
 * Nothing is interpolated: what is signed is what was read, with the moment it was read at. Energy
 * between that moment and the slot's end counts for the next slot. A slot without any register has
 * none; the next record covers it too, and the total is exact all the same.
 */
import { assert } from "../primitives/errors.ts";

export type Sample = {
  readonly readS: number; // unix seconds
  readonly importWh: number | null;
  readonly exportWh: number | null;
  readonly resolutionWh: number;
  readonly flags: number; // READING_FLAG
  readonly isMeterTime: boolean; // false: read by the gateway's own clock
};
export type SlotSample = { readonly slot: number; readonly sample: Sample };

export class SlotAligner {
  readonly #slotS: number;
  #nextSlot: number;
  #last: Sample | null = null; // latest one inside #nextSlot

  /** @param nextSlot - the first slot that may still be closed */
  constructor({ slotS, nextSlot }: { slotS: number; nextSlot: number }) {
    this.#slotS = slotS;
    this.#nextSlot = nextSlot;
  }

  /**
   * A sample of a slot already closed, or older than the last, is of no use and changes nothing.
   *
   * @returns the slots that this sample ends, oldest first: at most two
   */
  take(sample: Sample): SlotSample[] {
    // A register read exactly at a slot's end belongs to that slot.
    const slot = Math.ceil(sample.readS / this.#slotS) - 1;
    if (slot < this.#nextSlot || sample.readS < (this.#last?.readS ?? 0)) return [];
    const closed = this.closeBefore(slot);
    this.#last = sample;
    const isAtEnd = sample.readS === (slot + 1) * this.#slotS;
    return isAtEnd ? [...closed, ...this.closeBefore(slot + 1)] : closed;
  }

  /** Ends all slots before `slot`: a later register or the clock says that they are over. */
  closeBefore(slot: number): SlotSample[] {
    if (slot <= this.#nextSlot) return [];
    const last = this.#last;
    const closed = last === null ? [] : [{ slot: this.#nextSlot, sample: last }];
    assert(last === null || last.readS <= (this.#nextSlot + 1) * this.#slotS, "inside its slot");
    this.#nextSlot = slot;
    this.#last = null;
    return closed;
  }
}
