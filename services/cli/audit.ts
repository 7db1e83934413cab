/**
 * `gridlane audit`: replays a community's chain from genesis and compares it with all that the node
 * stored; of a stopped node in its directory, of a running one over HTTP. Exit code 0 where
 * everything is equal, 1 with the first divergence where it is not.
 */
import { join, resolve } from "node:path";
import { Command } from "commander";
import { type AuditReport, type AuditRequest, auditDirectory, auditSource } from "../node/audit.ts";
import { createHttpAuditSource } from "../node/audit-http.ts";
import { snapshotStart } from "../node/audit-start.ts";
import { CONFIG_FILE_NAME, readConfig } from "../node/config.ts";
import { fromHex } from "../primitives/bytes.ts";
import { GridError } from "../primitives/errors.ts";
import { AUDIT_WORKERS_MAX } from "../primitives/limits.ts";
import type { Genesis } from "../wire/genesis.ts";
import { printReport, progressOn } from "./audit-talk.ts";
import { readGenesis } from "./directory.ts";
import { wholeNumber } from "./options.ts";
import { EXIT, printJson, say } from "./talk.ts";

/** Where a token may stand that should not be seen in a list of processes. */
const TOKEN_VARIABLE = "GRIDLANE_AUDIT_TOKEN";

type Options = {
  readonly genesis?: string;
  readonly url?: string;
  readonly token?: string;
  readonly fromSnapshot?: string;
  readonly trustedHash?: string;
  readonly workers?: number;
  readonly json?: true;
};

export function auditCommand(): Command {
  const threads = wholeNumber({ min: 0, max: AUDIT_WORKERS_MAX });
  return new Command("audit")
    .description("replay a chain from genesis and compare every stored record with the outcome")
    .argument("[directory]", "a stopped community's directory, with its gridlane.yaml", ".")
    .option("--genesis <file>", "a genesis you trust, instead of the directory's own")
    .option("--url <url>", "somebody else's running node, instead of a directory")
    .option("--token <token>", `with --url: an auditor's; or in ${TOKEN_VARIABLE}`)
    .option("--from-snapshot <directory>", "begin at a snapshot's state instead of genesis")
    .option("--trusted-hash <hex>", "with --from-snapshot: the app hash after its height")
    .option("--workers <n>", "threads that check signatures ahead (default: by cores)", threads)
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      `
Nothing is changed. Exit code 0: all is equal; 1: not so, and the first divergence is printed.
A trusted hash is one that an earlier audit printed, or that a header of the next height carries.
The operator makes a token with \`gridlane pair --auditor\`.

Examples:
  gridlane audit village
  gridlane audit --url http://127.0.0.1:8787 --genesis genesis.json --token 5e0c...
  gridlane audit village --from-snapshot village/data/snapshots/4711 --trusted-hash b5d2...`,
    )
    .action(async (directory: string, options: Options) => {
      const report = await audit(directory, options);
      if (report.divergence !== null) {
        process.exitCode = EXIT.error;
        if (process.stderr.isTTY) say(""); // the bar stopped where it stood
      }
      if (options.json) return printJson({ equal: report.divergence === null, ...report });
      printReport(report);
    });
}

function audit(directory: string, options: Options): Promise<AuditReport> {
  const { url, workers } = options;
  const shared = {
    onProgress: progressOn(process.stderr),
    ...(workers !== undefined && { workers }),
  };
  return url === undefined
    ? auditStopped(directory, options, shared)
    : auditRunning(url, options, shared);
}

type Shared = Omit<AuditRequest, "genesis">;

function auditStopped(directory: string, options: Options, shared: Shared): Promise<AuditReport> {
  if (options.token !== undefined) refuse("token", "--token goes with --url");
  const file = join(directory, CONFIG_FILE_NAME);
  const config = readConfig({ file, environment: process.env });
  const genesis = readGenesis(resolve(options.genesis ?? config.genesis));
  const start = startOf(genesis, options);
  return auditDirectory({ ...shared, ...start, genesis, dataDirectory: config.data });
}

function auditRunning(url: string, options: Options, shared: Shared): Promise<AuditReport> {
  if (options.genesis === undefined) {
    return refuse("genesis", "--url needs --genesis: a copy that does not come from that node");
  }
  const token = options.token ?? process.env[TOKEN_VARIABLE];
  if (token === undefined || !/^[0-9a-f]{64}$/.test(token)) {
    return refuse("token", `--url needs an auditor's token, in --token or ${TOKEN_VARIABLE}`);
  }
  const onRetry = (why: string) => say(`audit: ${url} did not answer (${why}), trying again`);
  const source = createHttpAuditSource({ url, token, onRetry });
  const genesis = readGenesis(resolve(options.genesis));
  return auditSource({ ...shared, ...startOf(genesis, options), genesis, source });
}

/** From genesis unless a snapshot and its hash are named. */
function startOf(genesis: Genesis, { fromSnapshot, trustedHash }: Options) {
  if (fromSnapshot === undefined && trustedHash === undefined) return {};
  if (fromSnapshot === undefined) {
    return refuse("trusted-hash", "--trusted-hash goes with --from-snapshot");
  }
  if (trustedHash === undefined || !/^(0x)?[0-9a-f]{64}$/.test(trustedHash)) {
    return refuse("trusted-hash", "--from-snapshot needs --trusted-hash: 64 hexadecimal digits");
  }
  const hash = fromHex(trustedHash.replace(/^0x/, ""));
  return { start: snapshotStart({ genesis, directory: fromSnapshot, trustedHash: hash }) };
}

function refuse(argument: string, message: string): never {
  throw new GridError("argument_invalid", message, { argument, value: "" });
}
