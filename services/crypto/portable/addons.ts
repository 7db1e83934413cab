/** The browser has no native accelerator. */
import type { Accelerator } from "../accelerators.ts";

export function loadAll(): readonly Accelerator[] {
  return [];
}
