/**
 * How the command speaks: data on stdout, talk on stderr, one exit code per kind of ending. An
 * error is one sentence with its code; what a person did not cause keeps its stack for the log.
 */
import { styleText } from "node:util";
import { CommanderError } from "commander";
import { GridError, InvariantError } from "../primitives/errors.ts";

export const EXIT = { ok: 0, error: 1, usage: 2, config: 3, unhealthy: 4 } as const;

/** Data: one JSON value, or lines of text. */
export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, bigintAsText, 2)}\n`);
}

export function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Data that may be long. A reader that has seen enough (`| head`) is no failure. */
export function printText(text: string): void {
  process.stdout.once("error", (failure: NodeJS.ErrnoException) => {
    if (failure.code !== "EPIPE") throw failure;
  });
  process.stdout.write(text);
}

/** Talk for whoever watches; never parsed by anyone. */
export function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

export function heading(text: string): string {
  return styleText("bold", text);
}

/** Columns as wide as their widest cell; numbers to the right. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((cell, i) => Math.max(cell.length, ...rows.map((row) => row[i]!.length)));
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, i) => {
        const isNumber = /^[-–]?[\d.,]/.test(cell) || cell === "–";
        return isNumber ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!);
      })
      .join("  ")
      .trimEnd();
  return [line(head), widths.map((width) => "-".repeat(width)).join("  "), ...rows.map(line)].join(
    "\n",
  );
}

function bigintAsText(_key: string, value: unknown): unknown {
  return typeof value === "bigint" ? value.toString() : value;
}

/** Says what went wrong and returns the exit code. */
export function reportFailure(error: unknown, format: "text" | "json"): number {
  if (error instanceof CommanderError) {
    // commander has already written its message; help and version end with 0
    return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  }
  if (error instanceof GridError) {
    if (format === "json")
      printJson({ error: error.code, message: error.message, facts: error.facts });
    say(`gridlane: ${error.message} [${error.code}]`);
    if (error.code === "config_invalid") return EXIT.config;
    return error.code === "argument_invalid" ? EXIT.usage : EXIT.error;
  }
  const what = error instanceof Error ? error : new Error(String(error));
  const kind = what instanceof InvariantError ? "a bug broke an invariant" : "unexpected failure";
  say(`gridlane: ${kind}: ${what.message} [bug]`);
  say("Nothing acknowledged is lost: start again. Please report this with the lines below.");
  say((what.stack ?? "").split("\n").slice(1, 6).join("\n"));
  return EXIT.error;
}
