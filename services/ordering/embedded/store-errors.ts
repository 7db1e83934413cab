/** How this folder's database is named in the failures of `primitives/store-failure.ts`. */
import type { GridError } from "../../primitives/errors.ts";
import { corruptStore, type StorePlace } from "../../primitives/store-failure.ts";

export function chainStore(directory: string): StorePlace {
  return { directory, what: "the chain's database" };
}

export function corrupt(directory: string, damage: string): GridError {
  return corruptStore(chainStore(directory), damage);
}
