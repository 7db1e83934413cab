/**
 * What a returning stream client missed, from stored blocks and slot records: the same events that
 * it would have heard. Bounded in blocks and in records; beyond that the client fetches anew.
 */
import type { ChainReader } from "../chain/access.ts";
import { toHex0x } from "../primitives/bytes.ts";
import { STREAM_REPLAY_BLOCKS_MAX, STREAM_REPLAY_RECORDS_MAX } from "../primitives/limits.ts";
import { slot } from "../primitives/units.ts";
import type { SlotSummary, StreamBlock } from "../wire/api.ts";
import type { SlotRecord } from "../wire/slot-record.ts";

export type Replay = readonly StreamBlock[] | "unavailable";

/** @returns the blocks (afterHeight, toHeight], oldest first */
export async function replayBlocks({
  chain,
  afterHeight,
  toHeight,
  regions,
  summarise,
}: {
  chain: ChainReader;
  afterHeight: number;
  toHeight: number;
  /** Indexes of the regions whose slots may be shown. */
  regions: readonly number[];
  summarise: (record: SlotRecord) => SlotSummary;
}): Promise<Replay> {
  const missed = toHeight - afterHeight;
  if (missed === 0) return [];
  if (missed < 0 || missed > STREAM_REPLAY_BLOCKS_MAX) return "unavailable";
  const records = await recordsAfter({ chain, afterHeight, missed, regions });
  if (records === "unavailable") return "unavailable";
  const events: StreamBlock[] = [];
  for (let height = afterHeight + 1; height <= toHeight; height++) {
    const [block, next] = [await chain.block(height), await chain.block(height + 1)];
    const head = chain.head();
    if (block === null) return "unavailable";
    // A block's header holds the state before it; the state after it stands in the next one.
    const appHash = next?.header.appHash ?? (head.height === height ? head.appHash : null);
    if (appHash === null) return "unavailable";
    events.push({
      height,
      timeS: block.header.timeS,
      appHash: toHex0x(appHash),
      slots: records.filter((record) => record.height === height).map(summarise),
    });
  }
  return events;
}

/** By (slot, region), as in a block. */
async function recordsAfter({
  chain,
  afterHeight,
  missed,
  regions,
}: {
  chain: ChainReader;
  afterHeight: number;
  missed: number; // blocks
  regions: readonly number[];
}): Promise<SlotRecord[] | "unavailable"> {
  const { lastClearedSlot } = chain.head();
  if (lastClearedSlot === null || regions.length === 0) return [];
  // A block may clear several slots of a region, after a pause; seldom more than these.
  const limit = Math.min(4 * missed + 1, Math.floor(STREAM_REPLAY_RECORDS_MAX / regions.length));
  if (limit === 0) return "unavailable";
  const found: SlotRecord[] = [];
  for (const regionIndex of regions) {
    const page = await chain.slotRecords({
      regionIndex,
      fromSlot: slot(0),
      toSlot: lastClearedSlot,
      limit,
    });
    const after = page.filter((record) => record.height > afterHeight);
    if (after.length === limit) return "unavailable";
    found.push(...after);
  }
  return found.sort((a, b) => a.slot - b.slot || a.regionIndex - b.regionIndex);
}
