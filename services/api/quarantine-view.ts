/** A region that is out of the market, in words an operator can act on. */
import type { LaneOut } from "../chain/access.ts";
import type { RegionQuarantine } from "../wire/api.ts";

/** @param clearedSlots - slots that the regions in the market have cleared since genesis */
export function quarantineView(
  lane: LaneOut,
  { regionId, clearedSlots }: { readonly regionId: string; readonly clearedSlots: number },
): RegionQuarantine {
  const { standing, sinceSlot, step } = lane;
  const missedSlots = Math.max(0, clearedSlots - lane.clearedSlots);
  return { standing, sinceSlot, step, missedSlots, fix: fixOf(standing, regionId) };
}

function fixOf(standing: LaneOut["standing"], regionId: string): string {
  if (standing === "catching up") {
    return "wait: the committee has released it, and it clears what it missed";
  }
  return (
    "nothing is lost: report the node's log line of this lane, install the version that repairs " +
    `it, let its height come, then run \`gridlane lanes release ${regionId}\``
  );
}
