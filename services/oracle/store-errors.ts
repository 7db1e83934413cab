/**
 * What can go wrong with the directory of the oracle's database, as errors a person can act on.
 * LevelDB tells a lock and a corruption by code; a full disk and a missing permission by text only.
 */
import { GridError } from "../primitives/errors.ts";

type Failure = { readonly code?: string; readonly message: string; readonly cause?: unknown };

/** A LevelDB or file-system failure as a GridError; anything else is a bug and passes unchanged. */
export function storeError(failure: unknown, directory: string): unknown {
  if (failure instanceof GridError || !(failure instanceof Error)) return failure;
  const chain = causes(failure);
  const codes = chain.map((error) => error.code ?? "");
  const text = chain.map((error) => error.message).join("; ");
  const options = { cause: failure };
  if (codes.includes("LEVEL_LOCKED")) {
    const message = `another process uses the oracle's store in ${directory}: stop that one first`;
    return new GridError("database_locked", message, { directory }, options);
  }
  if (codes.includes("ENOSPC") || /No space left on device|Disk quota exceeded/i.test(text)) {
    const message = `no space is left on the disk of ${directory}: free some and start again`;
    return new GridError("disk_full", message, { directory }, options);
  }
  const denied = /Permission denied|Read-only file system|Operation not permitted/i.test(text);
  const deniedCodes = ["EACCES", "EPERM", "EROFS", "ENOTDIR", "EEXIST"];
  if (denied || codes.some((code) => deniedCodes.includes(code))) {
    const message = `${directory} must be a directory that the node's user can read and write`;
    return new GridError("permission_denied", message, { path: directory }, options);
  }
  if (codes.some((code) => ["LEVEL_CORRUPTION", "LEVEL_IO_ERROR"].includes(code))) {
    return corruptStore(directory, chain.at(-1)?.message ?? "unknown", options);
  }
  return failure;
}

export function corruptStore(directory: string, what: string, options?: ErrorOptions) {
  const message = `the oracle's store in ${directory} is damaged (${what}): restore it from a backup`;
  return new GridError("database_corrupt", message, { directory, what }, options);
}

/** The error and its causes, outermost first. */
function causes(failure: Error): Failure[] {
  const chain: Failure[] = [];
  for (let at: unknown = failure; at instanceof Error && chain.length < 8; at = at.cause) {
    chain.push(at);
  }
  return chain;
}
