/**
 * `gridlane audit`: replays a community's chain from genesis and compares it with all that the node
 * stored. Exit code 0 where everything is equal, 1 with the first divergence where it is not.
 */
import { join, resolve } from "node:path";
import { Command } from "commander";
import { type AuditReport, auditDirectory } from "../node/audit.ts";
import type { AuditProgress } from "../node/audit-run.ts";
import { CONFIG_FILE_NAME, readConfig } from "../node/config.ts";
import { readGenesis } from "./directory.ts";
import { EXIT, print, printJson, say } from "./talk.ts";
import { currency, kwh } from "./words.ts";

/** Blocks between two lines of progress where stderr is no terminal. */
const BLOCKS_PER_LINE = 1000;
const BAR_CELLS = 30;

export function auditCommand(): Command {
  return new Command("audit")
    .description("replay a stopped node's chain from genesis and compare every stored record")
    .argument("[directory]", "the community's directory, with its gridlane.yaml", ".")
    .option("--genesis <file>", "a genesis you trust, instead of the directory's own")
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      `
Nothing is changed. Exit code 0: all is equal; 1: not so, and the first divergence is printed.

Example:
  gridlane audit village`,
    )
    .action(async (directory: string, options: { genesis?: string; json?: true }) => {
      const file = join(directory, CONFIG_FILE_NAME);
      const config = readConfig({ file, environment: process.env });
      const report = await auditDirectory({
        dataDirectory: config.data,
        genesis: readGenesis(resolve(options.genesis ?? config.genesis)),
        onProgress: progressOn(process.stderr),
      });
      if (report.divergence !== null) {
        process.exitCode = EXIT.error;
        if (process.stderr.isTTY) say(""); // the bar stopped where it stood
      }
      if (options.json) return printJson({ equal: report.divergence === null, ...report });
      printReport(report);
    });
}

/** A bar that redraws itself on a terminal; a line now and then elsewhere. */
export function progressOn(stream: NodeJS.WriteStream): (progress: AuditProgress) => void {
  let drawn = -1;
  return ({ height, blocks, slots }) => {
    const cells = Math.floor((BAR_CELLS * height) / blocks);
    const counts = `block ${height} of ${blocks}, ${slots} slots`;
    if (!stream.isTTY) {
      if (height % BLOCKS_PER_LINE === 0 || height === blocks) say(`audit: ${counts}`);
      return;
    }
    if (cells === drawn && height < blocks) return;
    drawn = cells;
    const bar = "#".repeat(cells).padEnd(BAR_CELLS, ".");
    stream.write(`\r[${bar}] ${counts}${height === blocks ? "\n" : ""}`);
  };
}

function printReport({
  networkId,
  appHash,
  totals,
  unexecutedBlocks,
  divergence,
}: AuditReport): void {
  const { blocks, slots, transactions, refusedTransactions, certificates, bills } = totals;
  print(`network       ${networkId}`);
  print(`blocks        ${blocks}, app hash ${appHash}`);
  if (unexecutedBlocks > 0) print("              the last one was not executed by the node yet");
  print(`slots         ${slots}`);
  print(`transactions  ${transactions}, ${refusedTransactions} of them refused`);
  print(`certificates  ${certificates}`);
  print(`bills         ${bills}`);
  const energy = [totals.importWh, totals.exportWh, totals.tradedWh].map((wh) => kwh(Number(wh)));
  print(`energy kWh    imported ${energy[0]}, exported ${energy[1]}, traded ${energy[2]}`);
  const money = [totals.membersUc, totals.retailerUc, totals.neighboursUc].map(currency);
  const institutions = [totals.gridOperatorUc, totals.treasuryUc].map(currency);
  print(`money         members ${money[0]}, retailer ${money[1]}, neighbours ${money[2]},`);
  print(`              grid operator ${institutions[0]}, treasury ${institutions[1]}`);
  if (divergence === null) {
    print("equal         every block, root, record and sum");
    return;
  }
  const { block, region, record, field, stored, computed } = divergence;
  print("DIVERGENCE");
  print(`  block       ${block}`);
  print(`  region      ${region ?? "–"}`);
  print(`  record      ${record}`);
  print(`  field       ${field}`);
  print(`  stored      ${stored}`);
  print(`  computed    ${computed}`);
}
