/**
 * `gridlane lanes`: which regions are in the market, and the way back for one that is not. A lane
 * whose data met a bug is quarantined by the chain itself; only the committee lets it back.
 */
import { Command } from "commander";
import { GridError } from "../primitives/errors.ts";
import type { Region } from "../wire/api.ts";
import {
  genesisOf,
  type OrderOptions,
  order,
  reportOrder,
  withOrderOptions,
} from "./committee-order.ts";
import { ask, nodeUrl } from "./operator.ts";
import { print, printJson, say, table } from "./talk.ts";

export function lanesCommand(): Command {
  const command = new Command("lanes")
    .description("show which regions are in the market, and release one that was quarantined")
    .addHelpText(
      "after",
      `
Examples:
  gridlane lanes list
  gridlane lanes release hill --config village/gridlane.yaml`,
    );
  for (const sub of [listCommand(), releaseCommand()]) command.addCommand(sub.exitOverride());
  return command;
}

function listCommand(): Command {
  return withOrderOptions(new Command("list").description("every region's standing")).action(
    async ({ url, config, json }: OrderOptions) => {
      const regions = (await ask(`${nodeUrl({ url, config })}/api/v1/regions`)) as Region[];
      const lanes = regions.map(({ id, quarantine }) => ({ region: id, quarantine }));
      if (json) return printJson(lanes);
      print(
        table(
          ["region", "standing", "since slot", "broke in", "slots missed"],
          lanes.map(({ region, quarantine }) =>
            quarantine === null
              ? [region, "in the market", "–", "–", "–"]
              : [
                  region,
                  quarantine.standing,
                  String(quarantine.sinceSlot),
                  quarantine.step,
                  String(quarantine.missedSlots),
                ],
          ),
        ),
      );
      for (const { region, quarantine } of lanes) {
        if (quarantine !== null) say(`${region}: ${quarantine.fix}`);
      }
    },
  );
}

function releaseCommand(): Command {
  return withOrderOptions(
    new Command("release")
      .description("let a quarantined region catch up and join the market again")
      .argument("<region>", "its id"),
  ).action(async (region: string, options: OrderOptions) => {
    const { regions } = genesisOf(options);
    const regionIndex = regions.findIndex(({ id }) => id === region);
    if (regionIndex < 0) {
      const known = regions.map(({ id }) => id).join(", ");
      const message = `no region ${region}; there are ${known}`;
      throw new GridError("argument_invalid", message, { argument: "region", value: region });
    }
    const answer = await order(options, { kind: "release", regionIndex });
    reportOrder(answer, options, `region ${region} released: it catches up on its own`);
  });
}
