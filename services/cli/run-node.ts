/** `gridlane node`: one command, one YAML file. Ends on SIGINT or SIGTERM, in order. */
import { Command } from "commander";
import { readConfig } from "../node/config.ts";
import { looseKeyFiles, readKeys } from "../node/keys.ts";
import { type RunningNode, startNode } from "../node/node.ts";
import { buildDashboard } from "./dashboard.ts";
import { readCredentials, readGenesis } from "./directory.ts";
import { CONFIG_HERE } from "./operator.ts";
import { say } from "./talk.ts";
import { VERSION } from "./version.ts";

export function nodeCommand(): Command {
  return new Command("node")
    .description("run a node: ordering, oracle, broker, API and dashboard")
    .option("--config <file>", "the configuration", CONFIG_HERE)
    .addHelpText(
      "after",
      `
Environment: GRIDLANE_HTTP_PORT, GRIDLANE_MQTT_PORT, GRIDLANE_MQTT_URL, GRIDLANE_DATA and others
override the file.

Example:
  gridlane node --config village/gridlane.yaml`,
    )
    .action(async (options: { config: string }) => {
      const config = readConfig({ file: options.config, environment: process.env });
      for (const file of looseKeyFiles(config.keys)) {
        say(`warning: others can read ${file}: chmod 600 ${file}`);
      }
      const node = await startNode({
        config,
        genesis: readGenesis(config.genesis),
        keys: readKeys(config.keys),
        credentials: readCredentials(config.credentials),
        version: VERSION,
        dashboardDirectory: await buildDashboard(),
        stderr: "warnings",
      });
      say(`dashboard and API  ${node.httpUrl}`);
      say(`meters             ${node.mqttUrl}`);
      say("Ctrl-C stops it.");
      await untilStopped(node);
      say("stopped; nothing is lost, start again whenever you like");
    });
}

/** Resolves when a signal asked the node to stop and it has; rejects when it cannot go on. */
export async function untilStopped(node: RunningNode): Promise<void> {
  const signal = interrupted();
  try {
    await Promise.race([signal.arrived, node.ended]);
  } finally {
    signal.ignore();
    await node.stop();
  }
}

/** The first SIGINT or SIGTERM; a second one ends the process at once. */
export function interrupted(): { readonly arrived: Promise<void>; ignore(): void } {
  let resolve!: () => void;
  const arrived = new Promise<void>((done) => {
    resolve = done;
  });
  const once = () => {
    process.removeListener("SIGINT", once);
    process.removeListener("SIGTERM", once);
    resolve();
  };
  process.on("SIGINT", once);
  process.on("SIGTERM", once);
  return { arrived, ignore: once };
}
