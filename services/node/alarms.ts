/**
 * The alarm of a poisoned lane: an error in the log when a lane is quarantined, with what broke,
 * and a word when it is back. At a start, who is out already.
 */
import { quarantineView } from "../api/quarantine-view.ts";
import type { ChainReader, LaneOut } from "../chain/access.ts";
import type { LaneFailure } from "../chain/lane-executor.ts";
import type { Log } from "./log.ts";

/** Returns the way to stop. */
export function watchLanes(chain: ChainReader, log: Pick<Log, "error" | "info">): () => void {
  let out = new Map<number, LaneOut>();
  const idOf = (regionIndex: number) => chain.genesis.regions[regionIndex]!.id;
  const look = (failures: readonly LaneFailure[]) => {
    const { lanesOut, clearedSlots } = chain.head();
    const now = new Map(lanesOut.map((lane) => [lane.regionIndex, lane]));
    for (const [regionIndex, lane] of now) {
      const before = out.get(regionIndex);
      const failure = failures.find((each) => each.regionIndex === regionIndex);
      if (before?.standing === lane.standing && failure === undefined) continue;
      const regionId = idOf(regionIndex);
      const view = quarantineView(lane, { regionId, clearedSlots });
      const facts = { region: regionId, ...view, invariant: failure?.message };
      if (lane.standing === "quarantined") log.error(facts, "lane quarantined");
      else log.info(facts, "lane released: it catches up");
    }
    for (const regionIndex of out.keys()) {
      if (!now.has(regionIndex))
        log.info({ region: idOf(regionIndex) }, "lane in the market again");
    }
    out = now;
  };
  look([]);
  return chain.onBlock((block) => look(block.laneFailures));
}
