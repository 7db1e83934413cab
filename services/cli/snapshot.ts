/**
 * `gridlane snapshot list | export | import`: what a node keeps, carried to another machine, and a
 * new node that begins with it. Nobody who carries the files is trusted: the sequencer's signature
 * on the header that holds the app hash is, or an app hash known from elsewhere.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { Command, InvalidArgumentError } from "commander";
import { readConfig } from "../node/config.ts";
import { type KeptSnapshot, readAnchor, readShelf, snapshotFault } from "../node/snapshot-files.ts";
import { exportSnapshot, importSnapshotDirectory } from "../node/snapshot-transfer.ts";
import { fromHex, toHex0x } from "../primitives/bytes.ts";
import { readGenesis } from "./directory.ts";
import { CONFIG_HERE } from "./operator.ts";
import { wholeNumber } from "./options.ts";
import { EXIT, print, printJson, say, table } from "./talk.ts";
import { utcTime } from "./words.ts";

const height = wholeNumber({ min: 1, max: Number.MAX_SAFE_INTEGER });

export function snapshotCommand(): Command {
  return new Command("snapshot")
    .description("snapshots of the chain: list them, export one, begin a new node with one")
    .addCommand(listCommand())
    .addCommand(exportCommand())
    .addCommand(importCommand());
}

function listCommand(): Command {
  return new Command("list")
    .description("the snapshots that a node keeps, each read whole and verified")
    .option("--config <file>", "the node's configuration", CONFIG_HERE)
    .option("--json", "print one JSON object")
    .addHelpText("after", "\nExample:\n  gridlane snapshot list --config village/gridlane.yaml")
    .action((options: { config: string; json?: true }) => {
      const { data } = readConfig({ file: options.config, environment: process.env });
      const { kept, ignored } = readShelf(join(data, "snapshots"));
      const rows = kept.map(rowOf);
      if (rows.some(({ fault }) => fault !== null)) process.exitCode = EXIT.unhealthy;
      if (options.json) return printJson({ snapshots: rows, ignored });
      print(
        table(
          ["height", "market time", "slots", "chunks", "app hash", "verified"],
          rows.map((row) => [
            ...[String(row.height), utcTime(row.timeS), String(row.clearedSlots)],
            ...[String(row.chunks), row.appHash ?? "–", row.fault ?? "whole"],
          ]),
        ),
      );
      for (const { directory, why } of ignored) say(`ignored ${directory}: ${why}`);
    });
}

function rowOf(kept: KeptSnapshot) {
  const { snapshot, clearedSlots, timeS, directory } = kept;
  const fault = snapshotFault(kept);
  const appHash = fault === null ? toHex0x(readAnchor(kept).next.header.appHash) : null;
  const { height: at, chunks } = snapshot;
  return { height: at, timeS, clearedSlots, chunks, appHash, fault, directory };
}

function exportCommand(): Command {
  return new Command("export")
    .description("copy a snapshot, and the blocks after it, to a directory that can be carried")
    .argument("<directory>", "an empty or new directory")
    .option("--config <file>", "the node's configuration", CONFIG_HERE)
    .option("--height <height>", "of the snapshot; default: the newest", height)
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      `
While the node runs, the snapshot is exported without the blocks after it.

Example:
  gridlane snapshot export --config village/gridlane.yaml /mnt/stick/village`,
    )
    .action(async (target: string, options: { config: string; height?: number; json?: true }) => {
      const { data } = readConfig({ file: options.config, environment: process.env });
      const request = { dataDirectory: data, height: options.height ?? null, target };
      const exported = await exportSnapshot(request);
      if (options.json) return printJson({ ...exported, directory: target });
      print(`height    ${exported.height}`);
      print(`app hash  ${exported.appHash}`);
      print(`blocks    ${exported.blocks ?? 1} after it`);
      if (exported.blocks === null) say("the node runs: stop it first to export its later blocks");
    });
}

function importCommand(): Command {
  return new Command("import")
    .description("begin a new node's chain with a snapshot instead of block 1")
    .argument("<directory>", "an exported snapshot, or one that a node keeps")
    .option("--config <file>", "the new node's configuration", CONFIG_HERE)
    .option("--app-hash <hex>", "refuse any other app hash than this, whoever signed it", appHash)
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      `
The snapshot is verified against the app hash in a header that genesis's sequencer signed. Bills of
slots before it stay with the node that has them; everything after it is as on every other node.
Readings are not on the chain: a node that goes on collecting them needs the oracle's store too.

Example:
  gridlane snapshot import --config village/gridlane.yaml /mnt/stick/village
  gridlane node --config village/gridlane.yaml`,
    )
    .action(
      async (source: string, options: { config: string; appHash?: Uint8Array; json?: true }) => {
        const config = readConfig({ file: options.config, environment: process.env });
        const imported = await importSnapshotDirectory({
          source,
          dataDirectory: config.data,
          genesis: readGenesis(config.genesis),
          trustedAppHash: options.appHash ?? null,
        });
        if (options.json) return printJson(imported);
        print(`snapshot  height ${imported.snapshotHeight}, verified`);
        print(`height    ${imported.height}, app hash ${imported.appHash}`);
        if (!existsSync(join(config.data, "oracle"))) {
          say(`the oracle's store is not part of it: copy data/oracle of the node it came from`);
        }
        say("then start the node: it goes on from here");
      },
    );
}

function appHash(text: string): Uint8Array {
  if (!/^(0x)?[0-9a-f]{64}$/.test(text)) throw new InvalidArgumentError("must be 64 hex digits");
  return fromHex(text);
}
