/**
 * Market clocks of the shell. `systemClock` is the field's: market time is wall-clock time.
 * `scaledClock` runs a demo at many market seconds per real second. Both never fall, even where
 * the machine's clock is set back; each step back is reported once, for the log.
 */
import type { Clock } from "../primitives/clock.ts";
import { type UnixSeconds, unixSeconds } from "../primitives/units.ts";

export function systemClock({
  onStepBack,
  readMs = Date.now,
}: {
  readonly onStepBack: (byS: number) => void;
  readonly readMs?: () => number; // the machine's clock, unix milliseconds
}): Clock {
  let latestMs = readMs();
  let previousMs = latestMs;
  return {
    nowS: () => {
      const nowMs = readMs();
      if (nowMs < previousMs - 1000) onStepBack((previousMs - nowMs) / 1000);
      previousMs = nowMs;
      latestMs = Math.max(latestMs, nowMs); // stands until the machine's clock has caught up
      return unixSeconds(Math.floor(latestMs / 1000));
    },
  };
}

/**
 * @param startS - market time at this moment
 * @param speed - market seconds per real second, > 0
 */
export function scaledClock({ startS, speed }: { startS: UnixSeconds; speed: number }): Clock {
  const origin = performance.now();
  return {
    nowS: () => unixSeconds(startS + Math.floor(((performance.now() - origin) / 1000) * speed)),
  };
}
