/**
 * Which register of a source that cannot sign is believed.
 *
 * A register never falls, and cannot rise faster than the connection allows: a reboot's glitch
 * (3.737, 0.000, 3.746 kWh) or a spike is held back, never corrected and never signed, so it
 * creates no energy. The bound is the oracle's own (V10), so what is believed here is accepted
 * there. Holding is not for ever: time widens the bound, and a register that has passed the last
 * believed one is believed again. A meter that was exchanged stays silent until it is registered.
 */
import { energyBoundWh } from "../metering/registers.ts";

export type Registers = { readonly importWh: number | null; readonly exportWh: number | null };
export type Believed = Registers & { readonly atS: number };

export type Belief =
  | { readonly kind: "believed" }
  | {
      readonly kind: "held";
      readonly why: "register_fell" | "register_jumped";
      readonly register: keyof Registers;
      readonly measured: number; // Wh
      readonly bound: number; // Wh
    };

/** Telegrams may be delayed and then come in a burst: a bound over less time would hold them. */
const ELAPSED_MIN_S = 60;

export function judgeRegisters({
  last,
  next,
  connectionW,
  resolutionWh,
}: {
  last: Believed;
  next: Believed;
  connectionW: number;
  resolutionWh: number;
}): Belief {
  const elapsedS = Math.max(next.atS - last.atS, ELAPSED_MIN_S);
  const stepWh = energyBoundWh({ connectionW, slotS: 1, slots: elapsedS }) + resolutionWh;
  for (const register of ["importWh", "exportWh"] as const) {
    const [before, measured] = [last[register], next[register]];
    if (before === null || measured === null) continue;
    if (measured < before) {
      return { kind: "held", why: "register_fell", register, measured, bound: before };
    }
    const bound = before + stepWh;
    if (measured > bound) {
      return { kind: "held", why: "register_jumped", register, measured, bound };
    }
  }
  return { kind: "believed" };
}
