/**
 * What can go wrong with the database's directory, as errors a person can act on. LevelDB tells a
 * lock and a corruption apart by code; a full disk and a missing permission only by their text.
 */
import { GridError } from "../../primitives/errors.ts";

/** A LevelDB or file-system failure as a GridError; anything else is a bug and passes unchanged. */
export function storeError(failure: unknown, directory: string): unknown {
  if (failure instanceof GridError) return failure;
  const chain = causes(failure);
  const codes = chain.map((error) => error.code ?? "");
  const text = chain.map((error) => error.message).join("; ");
  if (codes.includes("LEVEL_LOCKED")) return locked(directory);
  if (codes.includes("LEVEL_CORRUPTION") || /^Corruption:/m.test(text)) {
    return corrupt(directory, innermost(chain), { cause: failure });
  }
  if (codes.includes("ENOSPC") || /No space left on device|Disk quota exceeded/i.test(text)) {
    return diskFull(directory, { cause: failure });
  }
  const denied = /Permission denied|Read-only file system|Operation not permitted/i.test(text);
  if (denied || codes.some((code) => ["EACCES", "EPERM", "EROFS"].includes(code))) {
    return permissionDenied(directory, { cause: failure });
  }
  if (codes.some((code) => ["EEXIST", "ENOTDIR"].includes(code))) {
    return notDirectory(directory, { cause: failure });
  }
  if (codes.includes("LEVEL_IO_ERROR")) {
    return corrupt(directory, innermost(chain), { cause: failure });
  }
  return failure;
}

export function corrupt(directory: string, what: string, options?: ErrorOptions) {
  return new GridError(
    "database_corrupt",
    `the chain's database in ${directory} is damaged (${what}): ` +
      "restore the directory from a backup, or let the node sync into an empty one",
    { directory, what },
    options,
  );
}

function locked(directory: string) {
  return new GridError(
    "database_locked",
    `another process uses the database in ${directory}: stop it, or name another directory`,
    { directory },
  );
}

function diskFull(directory: string, options: ErrorOptions) {
  return new GridError(
    "disk_full",
    `no space is left on the disk of ${directory}: free some and start again, nothing is lost`,
    { directory },
    options,
  );
}

function permissionDenied(path: string, options: ErrorOptions) {
  return new GridError(
    "permission_denied",
    `${path} may not be read and written: give its files to the user that runs the node`,
    { path },
    options,
  );
}

function notDirectory(path: string, options: ErrorOptions) {
  return new GridError(
    "permission_denied",
    `${path} cannot be made a directory because a file is in the way: name another directory`,
    { path },
    options,
  );
}

type Failure = { readonly code?: string; readonly message: string };

/** The error and its causes, outermost first. */
function causes(failure: unknown): Failure[] {
  const chain: Failure[] = [];
  for (let at = failure; at instanceof Error && chain.length < 8; at = at.cause) {
    chain.push(at as Failure);
  }
  return chain;
}

function innermost(chain: readonly Failure[]): string {
  return chain.at(-1)?.message ?? "unknown";
}
