/** Which native engines this machine has: for `gridlane doctor` and the node's first log line. */
import { loadAll } from "#native/addons.ts";

export type Accelerator = { readonly name: string; readonly loaded: boolean };

/** Loads them all to find out. Empty in a browser. An absent one is slower, never different. */
export function accelerators(): readonly Accelerator[] {
  return loadAll();
}
