/**
 * A member's signed readings out of a stopped node's own store, each verified again before it is
 * handed on: a store that decayed exports nothing it cannot prove.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { openOracleStore } from "../oracle/store.ts";
import { fromHex } from "../primitives/bytes.ts";
import { GridError } from "../primitives/errors.ts";
import { slotAt, unixSeconds } from "../primitives/units.ts";
import { type Genesis, genesisHash } from "../wire/genesis.ts";
import { decodeReading, type SignedReading, verifyReading } from "../wire/reading.ts";

export type StoredReading = {
  readonly meterIndex: number;
  readonly bytes: Uint8Array; // as received
  readonly signed: SignedReading;
};

/**
 * Oldest first.
 *
 * @param meters - their places in the region
 * @param fromS - intervals that end after it; `toS`: and not after that
 * @throws GridError database_locked while the node runs, database_corrupt, genesis_mismatch
 */
export async function* storedReadings({
  dataDirectory,
  genesis,
  regionIndex,
  meters,
  fromS,
  toS,
}: {
  dataDirectory: string;
  genesis: Genesis;
  regionIndex: number;
  meters: readonly number[];
  fromS: number;
  toS: number;
}): AsyncGenerator<StoredReading> {
  const directory = join(dataDirectory, "oracle");
  if (!existsSync(directory)) {
    const message = `${directory} does not exist: no node has run here`;
    throw new GridError("file_unreadable", message, { file: directory });
  }
  const store = await openOracleStore({ directory, genesisHash: genesisHash(genesis) });
  try {
    const fromSlot = slotAt(unixSeconds(fromS), genesis.slotS);
    const rows = store.readingsFrom({ regionIndex, fromSlot });
    for await (const { meterIndex, row } of rows) {
      if (!meters.includes(meterIndex)) continue;
      const signed = decodeReading(row.record);
      if (signed.reading.intervalEndS <= fromS || signed.reading.intervalEndS > toS) continue;
      const { publicKey } = genesis.regions[regionIndex]!.meters[meterIndex]!;
      const { networkId } = genesis;
      if (!verifyReading({ record: signed, networkId, publicKey: fromHex(publicKey) })) {
        const what = `a reading of meter ${meterIndex} that its key did not sign`;
        throw new GridError("database_corrupt", `${directory}: ${what}`, { directory, what });
      }
      yield { meterIndex, bytes: row.record, signed };
    }
  } finally {
    await store.close();
  }
}
