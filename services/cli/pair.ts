/** `gridlane pair`: a one-time code with which a member opens the dashboard as themselves. */
import { Command } from "commander";
import type { z } from "zod";
import type { Pairing } from "../wire/api.ts";
import { CONFIG_HERE, operatorOf } from "./operator.ts";
import { print, printJson } from "./talk.ts";

export function pairCommand(): Command {
  return new Command("pair")
    .description("make a one-time code that opens the dashboard for one member")
    .argument("<region>", "the region's id")
    .argument("<member>", "the member's label in genesis")
    .option("--config <file>", "the node's configuration", CONFIG_HERE)
    .option("--url <url>", "the node's address, where it is not the configured one")
    .option("--json", "print one JSON object")
    .addHelpText("after", "\nExample:\n  gridlane pair hill hill-3 --config village/gridlane.yaml")
    .action(async (region: string, member: string, options) => {
      const operator = operatorOf(options);
      const answer = (await operator.post("/api/v1/pairings", { region, member })) as z.output<
        typeof Pairing
      >;
      const link = `${operator.url}/#/pair/${answer.code}`;
      if (options.json) return printJson({ ...answer, link });
      print(`${answer.code}`);
      print(`Open ${link}, or type the code there. It works once, for ten minutes.`);
    });
}
