/**
 * The height of the last committed block, outside the database: a second witness. A log that lost
 * its end looks to LevelDB like a node that stopped earlier; the tip says that it did not.
 *
 * Safe without a sync of its own: it is written after the block's batch is on the disk, so it is
 * never ahead of a whole store, and where power fails before it is out it is merely behind. A tip
 * that cannot be read says nothing.
 */
import { closeSync, openSync, readSync, writeSync } from "node:fs";
import { join } from "node:path";
import { uintBytes } from "../../primitives/bytes.ts";
import { storeFailure } from "../../primitives/store-failure.ts";
import { seal, unseal } from "./sealed.ts";
import { chainStore } from "./store-errors.ts";

export const TIP_FILE_NAME = "TIP";

const HEIGHT_BYTES = 6;
const FILE_BYTES = 4 + HEIGHT_BYTES; // the seal stands first

export type TipFile = {
  /** As it was found; 0 where there is none. */
  readonly height: number;
  write(height: number): void;
  close(): void;
};

/** @throws GridError permission_denied or disk_full */
export function openTipFile(
  directory: string,
  { writes }: { readonly writes: "allowed" | "refused" },
): TipFile {
  const file = join(directory, TIP_FILE_NAME);
  const guarded = <T>(work: () => T): T => {
    try {
      return work();
    } catch (failure) {
      throw storeFailure(failure, chainStore(directory));
    }
  };
  const descriptor = guarded(() => openAt(file, writes));
  return {
    height: descriptor === null ? 0 : heightIn(descriptor),
    write: (height) => {
      const bytes = seal(TIP_FILE_NAME, uintBytes(height, HEIGHT_BYTES));
      guarded(() => writeSync(descriptor!, bytes, 0, bytes.length, 0));
    },
    close: () => {
      if (descriptor !== null) closeSync(descriptor);
    },
  };
}

function openAt(file: string, writes: "allowed" | "refused"): number | null {
  try {
    return openSync(file, writes === "allowed" ? "r+" : "r");
  } catch (failure) {
    if ((failure as NodeJS.ErrnoException).code !== "ENOENT") throw failure;
    return writes === "allowed" ? openSync(file, "wx+") : null;
  }
}

function heightIn(descriptor: number): number {
  const bytes = new Uint8Array(FILE_BYTES);
  if (readSync(descriptor, bytes, 0, FILE_BYTES, 0) < FILE_BYTES) return 0;
  const value = unseal(TIP_FILE_NAME, bytes);
  return value === null ? 0 : value.reduce((height, byte) => 256 * height + byte, 0);
}
