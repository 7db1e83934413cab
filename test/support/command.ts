/** Runs the real command `gridlane` as a user would, and ends it by its own process id. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

export type Command = {
  readonly process: ChildProcess;
  /** Everything on stdout and stderr so far. */
  stdout(): string;
  stderr(): string;
  /** Resolves with the match once stderr or stdout shows it; rejects if the process ends first. */
  says(pattern: RegExp): Promise<RegExpMatchArray>;
  /** Resolves when the process has ended: its exit code, or the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals>;
  kill(signal: NodeJS.Signals): Promise<number | NodeJS.Signals>;
};

/** @param input - what stands on its standard input, to the end; without it there is none */
export function gridlane(
  args: readonly string[],
  environment: NodeJS.ProcessEnv = {},
  input: string | Uint8Array | null = null,
): Command {
  const child = spawn(process.execPath, ["bin/gridlane.mjs", ...args], {
    env: { ...process.env, NO_COLOR: "1", ...environment },
    stdio: [input === null ? "ignore" : "pipe", "pipe", "pipe"],
  });
  child.stdin?.on("error", () => {}); // a command may refuse before it has read everything
  child.stdin?.end(input);
  const text = { stdout: "", stderr: "" };
  const watchers = new Set<() => void>();
  for (const name of ["stdout", "stderr"] as const) {
    child[name]!.setEncoding("utf8").on("data", (chunk: string) => {
      text[name] += chunk;
      for (const watch of [...watchers]) watch();
    });
  }
  let hasEnded = false;
  const ended = new Promise<number | NodeJS.Signals>((resolve) => {
    child.on("close", (code, signal) => {
      hasEnded = true;
      resolve(code ?? signal ?? 1);
      for (const watch of [...watchers]) watch();
    });
  });
  return {
    process: child,
    stdout: () => text.stdout,
    stderr: () => text.stderr,
    ended,
    says: (pattern) =>
      new Promise((resolve, reject) => {
        const watch = () => {
          const match = text.stderr.match(pattern) ?? text.stdout.match(pattern);
          if (match === null && !hasEnded) return;
          watchers.delete(watch);
          if (match !== null) resolve(match);
          else reject(new Error(`ended before ${pattern}:\n${text.stderr}\n${text.stdout}`));
        };
        watchers.add(watch);
        watch();
      }),
    kill: (signal) => {
      if (!hasEnded) child.kill(signal);
      return ended;
    },
  };
}

/** Runs to the end; for commands that end by themselves. */
export async function run(
  args: readonly string[],
  environment: NodeJS.ProcessEnv = {},
  input: string | Uint8Array | null = null,
): Promise<{ code: number | NodeJS.Signals; stdout: string; stderr: string }> {
  const command = gridlane(args, environment, input);
  const code = await command.ended;
  return { code, stdout: command.stdout(), stderr: command.stderr() };
}

/** A directory of its own for `use`, removed afterwards. */
export async function inTemporaryDirectory<T>(use: (directory: string) => Promise<T>): Promise<T> {
  const directory = mkdtempSync(join(tmpdir(), "gridlane-test-"));
  try {
    return await use(directory);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** A port that was free a moment ago, for a server that must come back on the same one. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      const port = typeof address === "object" && address !== null ? address.port : 0;
      server.close(() => resolve(port));
    });
  });
}
