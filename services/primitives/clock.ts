/**
 * Market time, handed in. The core never reads a clock; the shell owns exactly one of these.
 * `services/node` has the system and scaled clocks; here is the one that simulations drive.
 */
import { assert } from "./errors.ts";
import { type UnixSeconds, unixSeconds } from "./units.ts";

export type Clock = {
  /** Market time now. MUST never fall. */
  nowS(): UnixSeconds;
};

/** Time that moves when told to: for replay as fast as possible, and for simulation. */
export class ManualClock implements Clock {
  #nowS: UnixSeconds;

  constructor(startS: UnixSeconds) {
    this.#nowS = startS;
  }

  nowS(): UnixSeconds {
    return this.#nowS;
  }

  /** Moves forward to `toS`; a time already passed is ignored, so late events are harmless. */
  advanceTo(toS: UnixSeconds): void {
    assert(Number.isSafeInteger(toS), "time must be a safe integer");
    if (toS > this.#nowS) this.#nowS = unixSeconds(toS);
  }
}
