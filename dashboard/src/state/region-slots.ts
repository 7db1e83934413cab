/** One region's slots from the start of the market's day: asked for once, and after gaps. */
import { useEffect } from "preact/hooks";
import type { SlotSummary, Status } from "../../../services/wire/api.ts";
import { type Day, dayOf } from "../model/day.ts";
import { SLOTS_KEPT_MAX } from "../model/slots.ts";
import { api } from "./api-client.ts";
import { type Loadable, useResource } from "./loadable.ts";
import { zone } from "./locale.ts";
import { slotsByRegion, takeSlots } from "./market.ts";
import { gaps } from "./stream.ts";

/** The list beside the chart is not empty just after midnight. */
const SLOTS_BEFORE_MIDNIGHT = 12;

export type RegionSlots = {
  readonly slots: readonly SlotSummary[] | null; // null: not here yet
  readonly loaded: Loadable<SlotSummary[]>;
  retry(): void;
};

export function useRegionSlots(region: string, status: Status): RegionSlots {
  const resource = useResource(`slots ${region}`, gaps.value, (caller) => {
    const fromSlot = Math.floor(marketDay(status).startS / status.slotS) - SLOTS_BEFORE_MIDNIGHT;
    return api.slots(region, { fromSlot: Math.max(0, fromSlot), limit: SLOTS_KEPT_MAX }, caller);
  });
  const loaded = resource.state.value;
  useEffect(() => {
    if (loaded.value !== null) takeSlots(region, loaded.value);
  }, [region, loaded.value]);
  const slots = slotsByRegion.value[region] ?? null;
  return {
    slots: loaded.value === null && loaded.failure === null ? null : slots,
    loaded,
    retry: () => void resource.refresh(),
  };
}

/** The community's day of the last cleared slot; before the first one, of the market's time. */
export function marketDay(status: Status): Day {
  const timeS = status.lastSlot === null ? status.marketTimeS : status.lastSlot * status.slotS;
  return dayOf(timeS, zone().timeZone);
}
