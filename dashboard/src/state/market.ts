/**
 * What the whole page knows of the market: status, health, regions, and the slots of each region
 * that was looked at, kept fresh by the stream.
 */
import { signal } from "@preact/signals";
import type { SlotSummary, Status, StreamBlock } from "../../../services/wire/api.ts";
import { mergeSlots } from "../model/slots.ts";
import { api } from "./api-client.ts";
import { createResource } from "./loadable.ts";

const statusResource = createResource(api.status);
const healthResource = createResource(api.health);
const regionsResource = createResource(api.regions);

export const status = statusResource.state;
export const health = healthResource.state;
export const regions = regionsResource.state;
export const refreshStatus = statusResource.refresh;
export const refreshHealth = healthResource.refresh;
export const refreshRegions = regionsResource.refresh;

/** Slots by region id, each list rising. */
export const slotsByRegion = signal<Readonly<Record<string, readonly SlotSummary[]>>>({});
/** Newest slot that the stream brought, for the screen reader's line. */
export const newestSlot = signal<SlotSummary | null>(null);
/** Rises when figures that sum over slots must be asked for again; at most every second. */
export const revision = signal(0);

const REVISION_MS_MIN = 1000;
let touched = false;

export function touch(): void {
  if (touched) return;
  touched = true;
  setTimeout(() => {
    touched = false;
    revision.value++;
  }, REVISION_MS_MIN);
}

export function takeSlots(region: string, slots: readonly SlotSummary[]): void {
  const known = slotsByRegion.value[region] ?? [];
  slotsByRegion.value = { ...slotsByRegion.value, [region]: mergeSlots(known, slots) };
}

export function takeBlock(block: StreamBlock): void {
  const kept = status.value.value;
  if (kept !== null && block.height >= kept.height) {
    const lastSlot = Math.max(kept.lastSlot ?? -1, ...block.slots.map((slot) => slot.slot));
    status.value = {
      value: {
        ...kept,
        height: block.height,
        appHash: block.appHash,
        blockTimeS: block.timeS,
        lastSlot: lastSlot < 0 ? null : lastSlot,
      },
      failure: null,
    };
  }
  if (block.slots.length === 0) return;
  for (const slot of block.slots) takeSlots(slot.region, [slot]);
  newestSlot.value = block.slots.at(-1) ?? null;
  touch();
}

export function takeStatus(fresh: Status): void {
  status.value = { value: fresh, failure: null };
}
