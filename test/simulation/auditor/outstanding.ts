/**
 * What regions owe each other of a slot that some of them have cleared and others have not: of a
 * forward flow each end settles with its own region's slot, and both entries sum to zero. So what
 * the end that waits will come to is known from the end that has settled.
 */
import type { Genesis } from "../../../services/wire/genesis.ts";
import type { SlotRecord } from "../../../services/wire/slot-record.ts";

/** @param known - the slot's records so far, by region */
export function outstandingUc(
  { lines, regions }: Genesis,
  known: readonly (SlotRecord | null)[],
): bigint {
  let waitingUc = 0n;
  known.forEach((record, r) => {
    for (const { lineIndex, energyWh, rentUc } of record?.forward?.flows ?? []) {
      const { from, to, feeUcPerWh } = lines[lineIndex]!;
      const isStart = from === regions[r]!.id;
      const other = regions.findIndex(({ id }) => id === (isStart ? to : from));
      if (known[other] !== null) continue;
      const energyUc = BigInt(record!.forward!.priceUcPerWh) * BigInt(energyWh);
      const feeUc = BigInt(feeUcPerWh) * BigInt(energyWh);
      const settledUc = isStart ? -energyUc : energyUc - feeUc - rentUc;
      waitingUc -= settledUc;
    }
  });
  return waitingUc;
}
