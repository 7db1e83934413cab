/**
 * The command `gridlane`. Each subcommand is a file; this one mounts them, and turns every ending
 * into an exit code (`talk.ts`).
 */
import { Command } from "commander";
import { auditCommand } from "./audit.ts";
import { demoCommand } from "./demo.ts";
import { doctorCommand } from "./doctor.ts";
import { gatewayCommand } from "./gateway.ts";
import { initCommand } from "./init.ts";
import { lanesCommand } from "./lanes.ts";
import { marketCommand } from "./market.ts";
import { metersCommand } from "./meters.ts";
import { exportCommand } from "./ocmf.ts";
import { ordersCommand } from "./orders.ts";
import { pairCommand } from "./pair.ts";
import { payCommand, paymentsCommand } from "./pay.ts";
import { proofCommand } from "./proof.ts";
import { nodeCommand } from "./run-node.ts";
import { snapshotCommand } from "./snapshot.ts";
import { statusCommand } from "./status.ts";
import { reportFailure, say } from "./talk.ts";
import { upgradeCommand } from "./upgrade.ts";
import { verifyCommand } from "./verify.ts";
import { VERSION } from "./version.ts";

const program = new Command("gridlane")
  .description("A local energy market that its members own.")
  .version(VERSION)
  .enablePositionalOptions() // after a command's name, `--version` is the command's own
  .exitOverride()
  .configureOutput({ writeErr: (text) => say(text.trimEnd()) })
  .showHelpAfterError("(add --help for the options)")
  .addHelpText(
    "after",
    `
Examples:
  gridlane demo                         a living market of three regions, on this machine
  gridlane init village                 a new community in ./village
  gridlane node --config village/gridlane.yaml
  gridlane status --json
  gridlane market clear book.json       an order book of your own, cleared and proven

Exit codes: 0 ok, 1 error, 2 usage, 3 config, 4 unhealthy.
Data goes to stdout, everything else to stderr.`,
  );

for (const command of [
  demoCommand(),
  initCommand(),
  nodeCommand(),
  metersCommand(),
  gatewayCommand(),
  statusCommand(),
  doctorCommand(),
  pairCommand(),
  marketCommand(),
  ordersCommand(),
  payCommand(),
  paymentsCommand(),
  lanesCommand(),
  upgradeCommand(),
  auditCommand(),
  snapshotCommand(),
  proofCommand(),
  verifyCommand(),
  exportCommand(),
]) {
  for (const each of [command, ...command.commands]) {
    each.exitOverride().copyInheritedSettings(program);
  }
  program.addCommand(command);
}

try {
  await program.parseAsync(process.argv);
} catch (error) {
  process.exitCode = reportFailure(error, process.argv.includes("--json") ? "json" : "text");
}
