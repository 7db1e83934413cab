/**
 * Operational log: pino JSON lines in `<data>/logs/<day>.log`, one file a day (UTC), secrets
 * redacted. Warnings and errors go to stderr too, unless a command that talks itself says no.
 */
import { mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { destination, type Logger, multistream, pino, type StreamEntry } from "pino";
import { storeFailure } from "../primitives/store-failure.ts";

export type Log = Logger;
export type OpenLog = {
  readonly log: Log;
  /** Goes on in the file of today; called by the daily job. */
  rotate(): void;
  close(): void;
};

const REDACTED = ["secretKey", "password", "token", "code"].flatMap((key) => [key, `*.${key}`]);

export function openLog({
  directory,
  level,
  stderr,
}: {
  directory: string;
  level: "debug" | "info" | "warn" | "error";
  stderr: "warnings" | "nothing";
}): OpenLog {
  try {
    mkdirSync(directory, { recursive: true });
  } catch (failure) {
    throw storeFailure(failure, { directory, what: "the log" });
  }
  const fileOfToday = () => join(directory, `${dayOf(Date.now())}.log`);
  const file = destination({ dest: fileOfToday(), sync: true, append: true });
  const streams: StreamEntry[] = [{ level, stream: file }];
  if (stderr === "warnings") {
    streams.push({ level: "warn", stream: destination({ dest: 2, sync: true }) });
  }
  return {
    log: pino({ level, base: null, redact: REDACTED }, multistream(streams)),
    rotate: () => file.reopen(fileOfToday()),
    close: () => file.flushSync(),
  };
}

/** Deletes log files older than `keepDays`; returns how many. */
export function pruneLogs({
  directory,
  keepDays,
}: {
  directory: string;
  keepDays: number;
}): number {
  const oldest = dayOf(Date.now() - keepDays * 86_400_000);
  const stale = readdirSync(directory).filter(
    (name) => /^\d{4}-\d{2}-\d{2}\.log$/.test(name) && name.slice(0, 10) < oldest,
  );
  for (const name of stale) rmSync(join(directory, name));
  return stale.length;
}

function dayOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}
