/** `gridlane status`: what a running node says of itself; exit code 4 when it is not ready. */
import { join } from "node:path";
import { Command } from "commander";
import type { z } from "zod";
import { readConfig } from "../node/config.ts";
import { readShelf } from "../node/snapshot-files.ts";
import type { Health, Region, Status } from "../wire/api.ts";
import { ask, CONFIG_HERE, nodeUrl } from "./operator.ts";
import { EXIT, print, printJson, say, table } from "./talk.ts";
import { ctPerKwh, kwh, utcTime } from "./words.ts";

export function statusCommand(): Command {
  return new Command("status")
    .description("show what a running node is doing")
    .option("--config <file>", "the node's configuration", CONFIG_HERE)
    .option("--url <url>", "the node's address, instead of the configured one")
    .option("--json", "print one JSON object")
    .addHelpText("after", "\nExample:\n  gridlane status --url http://127.0.0.1:8787")
    .action(async (options) => {
      const url = nodeUrl(options);
      const [status, regions, health] = await Promise.all([
        ask(`${url}/api/v1/status`) as Promise<Status>,
        ask(`${url}/api/v1/regions`) as Promise<Region[]>,
        ask(`${url}/readyz`) as Promise<z.output<typeof Health>>,
      ]);
      if (!health.ready) process.exitCode = EXIT.unhealthy;
      if (options.json) return printJson({ ...status, ...health, regionList: regions });
      print(`network   ${status.networkId}, chain ${status.chainId}, software ${status.version}`);
      print(`height    ${status.height}, app hash ${status.appHash}`);
      print(`market    ${utcTime(status.marketTimeS)}, ${status.clearedSlots} slots cleared`);
      print(
        `meters    ${status.metersReporting} of ${status.metersRegistered} reported the last slot`,
      );
      print(`readings  ${status.readingsAccepted} taken since the start, ${refusals(status)}`);
      const shelf = options.url === undefined ? shelfText(options.config) : null;
      if (shelf !== null) print(`snapshots ${shelf}`);
      print(
        table(
          ["region", "rule", "slot", "price ct/kWh", "traded kWh", "imported kWh", "exported kWh"],
          regions.map(({ id, mechanism, lastSlot }) => [
            id,
            mechanism,
            lastSlot === null ? "–" : utcTime(lastSlot.startS),
            lastSlot?.priceUcPerWh == null ? "–" : ctPerKwh(lastSlot.priceUcPerWh),
            lastSlot === null ? "–" : kwh(lastSlot.tradedWh),
            lastSlot === null ? "–" : kwh(lastSlot.importWh),
            lastSlot === null ? "–" : kwh(lastSlot.exportWh),
          ]),
        ),
      );
      for (const reason of health.reasons) say(`not ready: ${reason}`);
    });
}

/** What lies on this machine, where the node's configuration does. */
function shelfText(config: string): string {
  const { data } = readConfig({ file: config, environment: process.env });
  const { kept, ignored } = readShelf(join(data, "snapshots"));
  const heights = kept.map(({ snapshot }) => snapshot.height).join(", ");
  const others = ignored.map(({ directory, why }) => `; ignored: ${directory}: ${why}`).join("");
  return `${kept.length === 0 ? "none" : `of heights ${heights}`}${others}`;
}

function refusals({ readingsRefused }: Status): string {
  const codes = Object.entries(readingsRefused).filter(([, count]) => count > 0);
  if (codes.length === 0) return "none refused";
  return `refused: ${codes.map(([code, count]) => `${count} ${code}`).join(", ")}`;
}
