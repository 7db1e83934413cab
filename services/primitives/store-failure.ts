/**
 * What can go wrong with a database's directory, as errors a person can act on. LevelDB tells a
 * lock and a corruption by code; a full disk and a missing permission only by their text.
 */
import { GridError } from "./errors.ts";

export type StorePlace = {
  readonly directory: string;
  readonly what: string; // "the oracle's store": stands at the start of a sentence
};
type Failure = { readonly code?: string; readonly message: string; readonly cause?: unknown };

/** A LevelDB or file-system failure as a GridError; anything else is a bug and passes unchanged. */
export function storeFailure(failure: unknown, place: StorePlace): unknown {
  if (failure instanceof GridError || !(failure instanceof Error)) return failure;
  const { directory, what } = place;
  const chain = causes(failure);
  const codes = chain.map((error) => error.code ?? "");
  const text = chain.map((error) => error.message).join("; ");
  const has = (...names: string[]) => names.some((name) => codes.includes(name));
  const options = { cause: failure };
  if (has("LEVEL_LOCKED")) {
    const message = `another process uses ${what} in ${directory}: stop it first`;
    return new GridError("database_locked", message, { directory }, options);
  }
  if (has("LEVEL_CORRUPTION") || /\bCorruption:/.test(text)) {
    return corruptStore(place, chain.at(-1)?.message ?? "unknown", options);
  }
  if (has("ENOSPC") || /No space left on device|Disk quota exceeded/i.test(text)) {
    const message = `no space is left for ${directory}: free some and start again, nothing is lost`;
    return new GridError("disk_full", message, { directory }, options);
  }
  const isDenied = /Permission denied|Read-only file system|Operation not permitted/i.test(text);
  if (isDenied || has("EACCES", "EPERM", "EROFS")) {
    const message = `${directory} may not be read and written: give it to the user of gridlane`;
    return new GridError("permission_denied", message, { path: directory }, options);
  }
  if (has("EEXIST", "ENOTDIR")) {
    const message = `${directory} cannot be a directory, a file is in the way: name another one`;
    return new GridError("permission_denied", message, { path: directory }, options);
  }
  if (has("LEVEL_IO_ERROR")) {
    return corruptStore(place, chain.at(-1)?.message ?? "unknown", options);
  }
  return failure;
}

export function corruptStore(place: StorePlace, damage: string, options?: ErrorOptions) {
  const { directory, what } = place;
  const message = `${what} in ${directory} is damaged (${damage}): restore it from a backup`;
  return new GridError("database_corrupt", message, { directory, what: damage }, options);
}

/** The error and its causes, outermost first. */
function causes(failure: Error): Failure[] {
  const chain: Failure[] = [];
  for (let at: unknown = failure; at instanceof Error && chain.length < 8; at = at.cause) {
    chain.push(at);
  }
  return chain;
}
