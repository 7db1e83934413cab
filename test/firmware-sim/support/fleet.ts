/** Fleets, sources and directories for tests of the meters. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { EnergySource } from "../../../firmware-sim/profiles/energy-source.ts";
import { type Device, provisionFleet } from "../../../firmware-sim/provision.ts";

export const NETWORK_ID = "test-net";
export const SLOT_S = 900;
export const FIRST_SLOT = 2_000_000;

/** Two homes with panels, one without, a feeder meter: 3 + 2 + 1 = 6 devices. */
export function testDevices(seed = "test"): readonly Device[] {
  return provisionFleet({
    seed,
    regions: [
      {
        id: "north",
        homes: [
          { label: "a", hasPanels: true },
          { label: "b", hasPanels: false },
          { label: "c", hasPanels: true },
        ],
      },
    ],
  }).devices;
}

/** Energy by arithmetic, so that a test can say what a register must hold. */
export function arithmeticSource({ slots = 8 }: { slots?: number } = {}): EnergySource {
  return {
    slotS: SLOT_S,
    firstSlot: FIRST_SLOT,
    endSlot: FIRST_SLOT + slots,
    energyOf: ({ home, slot }) => {
      const step = slot - FIRST_SLOT;
      const productionWh = home === 1 ? 0 : (step * 37 + home * 11) % 300;
      const loadWh = (step * 53 + home * 101) % 400;
      return {
        importWh: Math.max(loadWh - productionWh, 0),
        exportWh: Math.max(productionWh - loadWh, 0),
        productionWh,
      };
    },
  };
}

const directories: string[] = [];

export async function testDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "gridlane-meters-"));
  directories.push(directory);
  return directory;
}

/** Call in afterAll. */
export async function removeTestDirectories(): Promise<void> {
  for (const directory of directories.splice(0)) await rm(directory, { recursive: true });
}
