/**
 * `gridlane meters`: the simulated meters of a community, in a process of their own. They speak to
 * any MQTT broker, sign, keep a journal, and delete from it only on the oracle's receipt.
 */
import { join, resolve } from "node:path";
import { Command } from "commander";
import { type Pace, type Fleet as RunningFleet, startFleet } from "../../firmware-sim/fleet.ts";
import type { EnergySource } from "../../firmware-sim/profiles/energy-source.ts";
import { createModelSource, drawHomes } from "../../firmware-sim/profiles/model.ts";
import { readReplay } from "../../firmware-sim/profiles/replay.ts";
import { createReplaySource } from "../../firmware-sim/profiles/replay-source.ts";
import { systemClock } from "../node/clocks.ts";
import { GridError } from "../primitives/errors.ts";
import { slotAt, unixSeconds } from "../primitives/units.ts";
import { type Fleet, readFleet } from "./directory.ts";
import { importOcmfCommand } from "./ocmf.ts";
import { days, isoDate, slots } from "./options.ts";
import { interrupted } from "./run-node.ts";
import { print, printJson, say } from "./talk.ts";

export function metersCommand(): Command {
  return new Command("meters")
    .description("run a community's simulated meters against a broker")
    .option("--directory <directory>", "the community's directory", ".")
    .option("--broker <url>", "the MQTT broker", "mqtt://127.0.0.1:1883")
    .option("--replay <file>", "measured homes from a CSV instead of the model")
    .option("--from <date>", "with --replay: the first day", isoDate)
    .option("--days <n>", "with --replay: how many days", days)
    .option("--slots <n>", "end after this many slots since genesis", slots)
    .option("--as-fast-as-possible", "do not wait for the clock: next slot once all have receipts")
    .option("--json", "print one JSON object at the end")
    .addHelpText(
      "after",
      `
The CSV's first column is the start of each row (hour_start_local, timestamp, or unix seconds; times
without offset are UTC), then <home>_load_kwh and <home>_pv_kwh for each home. Hours, half hours and
quarter hours become slots by interpolating the registers, so that energy is conserved.

Examples:
  gridlane meters --directory village
  gridlane meters --directory homes --replay homes.csv --from 2017-06-01 --as-fast-as-possible`,
    )
    .addCommand(importOcmfCommand())
    .action(async (options) => {
      const directory = resolve(options.directory);
      const fleet = readFleet(directory);
      const source = await energySource(fleet, options);
      const genesisSlot = slotAt(unixSeconds(fleet.genesisTimeS), fleet.slotS);
      const ended = endingAfter(source, genesisSlot, options.slots);
      const pace: Pace = options.asFastAsPossible
        ? { kind: "as-fast-as-possible" }
        : { kind: "live", clock: systemClock({ onStepBack: clockSetBack }), jitterS: 30 };
      const running = await openFleet({
        ...{ fleet, source: ended, brokerUrl: options.broker, pace },
        directory: join(directory, "meters"),
      });
      say(`${fleet.devices.length} meters publish to ${options.broker}; Ctrl-C stops them`);
      const status = await untilDone(running);
      const { nextSlot, receipts, unreceipted } = status;
      const closed = nextSlot === null ? 0 : nextSlot - genesisSlot;
      if (options.json) return printJson({ slots: closed, receipts, unreceipted });
      print(`${closed} slots closed since genesis; ${unreceipted} readings wait for a receipt`);
      for (const [code, count] of Object.entries(receipts)) print(`receipts: ${count} ${code}`);
    });
}

/** The model of the fleet's own seed, or a replay. */
export async function energySource(
  fleet: Fleet,
  options: { replay?: string; from?: string; days?: number },
): Promise<EnergySource> {
  const { seed, slotS } = fleet;
  if (options.replay === undefined) {
    const regions = fleet.regions.map(({ id, homes }) => ({
      id,
      homes: drawHomes({ seed, region: id, count: homes }),
    }));
    return createModelSource({ seed, slotS, regions });
  }
  const { replay: file, from, days: count } = options;
  const replay = await readReplay({
    file,
    ...(from === undefined ? {} : { from }),
    ...(count === undefined ? {} : { days: count }),
  });
  if (replay.ignoredColumns.length > 0) {
    say(`${file}: columns not used: ${replay.ignoredColumns.join(", ")}`);
  }
  const [region, ...others] = fleet.regions;
  if (region?.homes !== replay.homes.length || others.length > 0) {
    const message =
      `the ${replay.homes.length} homes of ${file} are not this community's: ` +
      `make one for them with \`gridlane init DIRECTORY --replay ${file}\``;
    throw new GridError("argument_invalid", message, { argument: "replay", value: file });
  }
  const homes = replay.homes.map((_, home) => home);
  return createReplaySource({ replay, slotS, regions: [{ id: region.id, homes }] });
}

/** The source, ending `slots` after genesis where that is sooner. */
export function endingAfter(
  source: EnergySource,
  genesisSlot: number,
  count: number | undefined,
): EnergySource {
  if (count === undefined) return source;
  const endSlot = Math.min(genesisSlot + count, source.endSlot ?? Number.MAX_SAFE_INTEGER);
  return { ...source, endSlot };
}

export function openFleet({
  fleet,
  source,
  brokerUrl,
  directory,
  pace,
}: {
  fleet: Fleet;
  source: EnergySource;
  brokerUrl: string;
  directory: string;
  pace: Pace;
}): Promise<RunningFleet> {
  return startFleet({
    devices: fleet.devices,
    source,
    networkId: fleet.networkId,
    brokerUrl,
    directory,
    oracleReceiptPublicKey: fleet.receiptPublicKey,
    firstSlot: slotAt(unixSeconds(fleet.genesisTimeS), fleet.slotS),
    pace,
    seed: fleet.seed,
  });
}

async function untilDone(running: RunningFleet) {
  const signal = interrupted();
  const stopped = signal.arrived.then(() => running.stop());
  const status = await Promise.race([running.done, stopped]);
  signal.ignore();
  return status;
}

function clockSetBack(byS: number): void {
  say(`this machine's clock was set back by ${Math.round(byS)} s; market time waits for it`);
}
