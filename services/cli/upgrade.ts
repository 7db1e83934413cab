/** `gridlane upgrade`: from which block on the chain follows the rules of a later version. */
import { Command } from "commander";
import { VERSIONS } from "../chain/versions.ts";
import { CHAIN_VERSION_MAX } from "../primitives/limits.ts";
import type { CommitteeOrders, Status } from "../wire/api.ts";
import { type OrderOptions, order, reportOrder, withOrderOptions } from "./committee-order.ts";
import { ask, nodeUrl } from "./operator.ts";
import { wholeNumber } from "./options.ts";
import { print, printJson, say, table } from "./talk.ts";

export function upgradeCommand(): Command {
  const command = new Command("upgrade")
    .description("show and schedule versions of the chain's rules")
    .addHelpText(
      "after",
      `
Every node must run software that knows a version before its height comes: others stop there. An
order replaces the upgrade that is still to come, so a later height postpones it.

Examples:
  gridlane upgrade list
  gridlane upgrade schedule --version 2 --height 12000 --config village/gridlane.yaml`,
    );
  for (const sub of [listCommand(), scheduleCommand()]) command.addCommand(sub.exitOverride());
  return command;
}

function listCommand(): Command {
  return withOrderOptions(
    new Command("list").description("the version in force, and those ordered"),
  ).action(async ({ url, config, json }: OrderOptions) => {
    const at = nodeUrl({ url, config });
    const [orders, status] = await Promise.all([
      ask(`${at}/api/v1/committee`) as Promise<CommitteeOrders>,
      ask(`${at}/api/v1/status`) as Promise<Status>,
    ]);
    if (json) return printJson({ ...orders, height: status.height });
    print(`version ${orders.chainVersion} for the next block, ${status.height + 1}`);
    if (orders.upgrades.length === 0) return;
    print(
      table(
        ["version", "from block", "state"],
        orders.upgrades.map(({ version, height }) => [
          String(version),
          String(height),
          height <= status.height + 1 ? "in force" : "to come",
        ]),
      ),
    );
  });
}

function scheduleCommand(): Command {
  const version = wholeNumber({ min: 2, max: CHAIN_VERSION_MAX });
  const height = wholeNumber({ min: 1, max: Number.MAX_SAFE_INTEGER });
  return withOrderOptions(
    new Command("schedule")
      .description("order that blocks from a height on follow a later version")
      .requiredOption("--version <number>", "the version", version)
      .requiredOption("--height <number>", "the first block that follows it", height),
  ).action(
    async (options: OrderOptions & { readonly version: number; readonly height: number }) => {
      const upgrade = { version: options.version, height: options.height };
      if (!VERSIONS.has(upgrade.version)) {
        say(`This software does not know version ${upgrade.version}: it will stop at that block.`);
      }
      const answer = await order(options, { kind: "upgrade", ...upgrade });
      reportOrder(answer, options, `version ${upgrade.version} from block ${upgrade.height} on`);
    },
  );
}
