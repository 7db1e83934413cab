/**
 * The demo's market clock: many market seconds per real second, and never back, over restarts too.
 *
 * It reserves time ahead in a small file and never shows more than is reserved; a start goes on at
 * the end of the last reservation. So a reading signed before a kill is never in the future after.
 */
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import type { Clock } from "../primitives/clock.ts";
import { GridError } from "../primitives/errors.ts";
import { type UnixSeconds, unixSeconds } from "../primitives/units.ts";

/** Real seconds reserved at a time, and how often. */
const RESERVED_S = 3;
const RENEW_MS = 500;

export type DemoClock = Clock & {
  /** Jumps forward: after a stretch that was run as fast as possible. */
  advanceTo(toS: UnixSeconds): void;
  /** Stops reserving; the file then holds the time shown last. */
  stop(): void;
};

export function startDemoClock({
  file,
  startS,
  speed,
}: {
  file: string;
  startS: UnixSeconds; // where no file exists yet
  speed: number; // market seconds per real second, > 0
}): DemoClock {
  let originS: number = readReserved(file) ?? startS;
  let origin = performance.now();
  const elapsedS = () => originS + ((performance.now() - origin) / 1000) * speed;
  let reservedS = originS;
  const reserve = (untilS: number) => {
    writeFileSync(`${file}.new`, `${Math.ceil(untilS)}\n`);
    renameSync(`${file}.new`, file);
    reservedS = Math.ceil(untilS);
  };
  const nowS = () => unixSeconds(Math.floor(Math.min(elapsedS(), reservedS)));
  reserve(elapsedS() + RESERVED_S * speed);
  const timer = setInterval(() => reserve(elapsedS() + RESERVED_S * speed), RENEW_MS);
  return {
    nowS,
    advanceTo: (toS) => {
      if (toS <= nowS()) return;
      [originS, origin] = [toS, performance.now()];
      reserve(toS + RESERVED_S * speed);
    },
    stop: () => {
      clearInterval(timer);
      reserve(nowS());
    },
  };
}

function readReserved(file: string): number | null {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return null; // the first start
    throw new GridError("file_unreadable", `${file} cannot be read`, { file }, { cause });
  }
  const reservedS = Number(text);
  if (text.trim() !== "" && Number.isSafeInteger(reservedS) && reservedS >= 0) return reservedS;
  const message = `${file} holds no time: delete it, the demo goes on where its chain stands`;
  throw new GridError("file_unreadable", message, { file });
}
