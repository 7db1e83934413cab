/**
 * `gridlane doctor`: what could keep a node from running well, each finding with its fix. Exit code
 * 4 where a check fails; warnings alone end with 0.
 */
import { accessSync, constants, existsSync, readdirSync, statfsSync } from "node:fs";
import { createConnection } from "node:net";
import { dirname, join } from "node:path";
import { Command } from "commander";
import type { z } from "zod";
import { accelerators } from "../crypto/accelerators.ts";
import { type NodeConfig, readConfig } from "../node/config.ts";
import { looseKeyFiles, readKeys } from "../node/keys.ts";
import { checkExpression } from "../node/schedule.ts";
import { readShelf, snapshotFault } from "../node/snapshot-files.ts";
import { toHex } from "../primitives/bytes.ts";
import { GridError } from "../primitives/errors.ts";
import type { Health } from "../wire/api.ts";
import { type Genesis, genesisHash } from "../wire/genesis.ts";
import { readCredentials, readGenesis } from "./directory.ts";
import { ask, CONFIG_HERE } from "./operator.ts";
import { EXIT, print, printJson } from "./talk.ts";

type Finding = {
  readonly check: string; // stable code
  readonly result: "ok" | "warn" | "fail";
  readonly message: string;
  readonly fix: string | null; // null where nothing is to be done
};

const FREE_BYTES_MIN = 1_000_000_000;

export function doctorCommand(): Command {
  return new Command("doctor")
    .description("check this machine and a node's directory, and say how to fix what is wrong")
    .option("--config <file>", "the node's configuration", CONFIG_HERE)
    .option("--json", "print one JSON object")
    .addHelpText("after", "\nExample:\n  gridlane doctor --config village/gridlane.yaml")
    .action(async (options: { config: string; json?: true }) => {
      const findings = await examine(options.config);
      const isHealthy = findings.every(({ result }) => result !== "fail");
      if (!isHealthy) process.exitCode = EXIT.unhealthy;
      if (options.json) return printJson({ healthy: isHealthy, findings });
      for (const { check, result, message, fix } of findings) {
        print(`${result.padEnd(4)}  ${check.padEnd(14)}  ${message}`);
        if (fix !== null) print(`      ${"".padEnd(14)}  fix: ${fix}`);
      }
    });
}

async function examine(file: string): Promise<Finding[]> {
  const findings = [nodeVersion(), nativeCryptography()];
  const config = attempt("config", () => readConfig({ file, environment: process.env }));
  findings.push(config.finding);
  if (config.value === null) return findings;
  const { value: settings } = config;
  const genesis = attempt("genesis", () => readGenesis(settings.genesis));
  findings.push(genesis.finding, keysFinding(settings, genesis.value));
  findings.push(credentialsFinding(settings, genesis.value), dataFinding(settings));
  findings.push(...snapshotFindings(settings));
  findings.push(diskFinding(settings), timeZoneFinding(settings), jobsFinding(settings));
  findings.push(...(await runningFindings(settings)));
  if (!["127.0.0.1", "::1", "localhost"].includes(settings.http.host)) {
    const message = `the API listens on ${settings.http.host} over plain http`;
    findings.push(warn("secure-context", message, "put a TLS proxy in front of it"));
  }
  return findings;
}

function nodeVersion(): Finding {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  const message = `Node ${process.versions.node}`;
  if (major > 20 || (major === 20 && minor >= 19)) return ok("node-version", message);
  return fail("node-version", message, "install Node 20.19 or later");
}

function nativeCryptography(): Finding {
  const missing = accelerators().filter(({ loaded }) => !loaded);
  if (missing.length === 0) return ok("cryptography", "native engines are loaded");
  const names = missing.map(({ name }) => name).join(", ");
  const message = `without ${names}: right, but many times slower`;
  return warn("cryptography", message, "run `npm ci` on this machine's own platform");
}

function keysFinding(config: NodeConfig, genesis: Genesis | null): Finding {
  const keys = attempt("keys", () => readKeys(config.keys));
  if (keys.value === null || genesis === null) return keys.finding;
  const [loose] = looseKeyFiles(config.keys);
  if (loose === undefined) return ok("keys", `readable by their owner alone, in ${config.keys}`);
  return fail("keys", `others can read ${loose}`, `chmod 600 ${config.keys}/*.key`);
}

function credentialsFinding(config: NodeConfig, genesis: Genesis | null): Finding {
  const credentials = attempt("credentials", () => readCredentials(config.credentials));
  if (credentials.value === null || genesis === null) return credentials.finding;
  const { value: known } = credentials;
  const meters = genesis.regions.flatMap((region) => region.meters);
  const missing = meters.filter(({ deviceId }) => !known.has(deviceId)).length;
  const hash = toHex(genesisHash(genesis)).slice(0, 16);
  if (missing === 0) return ok("credentials", `${meters.length} meters; genesis ${hash}`);
  const message = `${missing} of ${meters.length} meters have no broker password`;
  return fail("credentials", message, "run `gridlane init` for this genesis again");
}

function dataFinding({ data }: NodeConfig): Finding {
  const place = existsSync(data) ? data : dirname(data);
  try {
    accessSync(place, constants.R_OK | constants.W_OK | constants.X_OK);
    const size = existsSync(data)
      ? `${readdirSync(data).length} entries`
      : "made at the first start";
    return ok("data", `${data} (${size})`);
  } catch {
    return fail("data", `${place} may not be written`, `give ${place} to the user of the node`);
  }
}

/** The newest snapshot is read whole; one that will not do is named. */
function snapshotFindings({ data }: NodeConfig): Finding[] {
  const shelf = attempt("snapshots", () => readShelf(join(data, "snapshots")));
  if (shelf.value === null) return [shelf.finding];
  const { kept, ignored } = shelf.value;
  const findings = ignored.map(({ directory, why }) =>
    warn("snapshots", `${directory}: ${why}`, "remove it: it is never used"),
  );
  const [newest] = kept;
  if (newest === undefined) return [...findings, ok("snapshots", "none yet: the node takes them")];
  const { height } = newest.snapshot;
  const fault = snapshotFault(newest);
  if (fault !== null) {
    const message = `that of height ${height} will not do: ${fault}`;
    return [...findings, warn("snapshots", message, "remove it: the next one takes its place")];
  }
  return [...findings, ok("snapshots", `${kept.length} kept, the newest of height ${height}`)];
}

function diskFinding({ data }: NodeConfig): Finding {
  const place = existsSync(data) ? data : dirname(data);
  if (!existsSync(place)) return fail("disk", `${place} does not exist`, `make ${place}`);
  const { bavail, bsize } = statfsSync(place);
  const message = `${Math.floor((bavail * bsize) / 1e9)} GB free`;
  if (bavail * bsize >= FREE_BYTES_MIN) return ok("disk", message);
  return warn("disk", message, "free some space: a full disk stops the node (nothing is lost)");
}

function timeZoneFinding({ timeZone }: NodeConfig): Finding {
  const nowMs = Date.now();
  const offset = (ms: number) =>
    new Intl.DateTimeFormat("en", { timeZone, timeZoneName: "longOffset" })
      .formatToParts(ms)
      .find(({ type }) => type === "timeZoneName")?.value;
  for (let day = 1; day <= 366; day++) {
    const ms = nowMs + day * 86_400_000;
    if (offset(ms) === offset(ms - 86_400_000)) continue;
    const date = new Date(ms).toISOString().slice(0, 10);
    return ok("time-zone", `${timeZone}; clocks change around ${date} (92 or 100 slots)`);
  }
  return ok("time-zone", `${timeZone}; no clock change within a year`);
}

function jobsFinding({ jobs }: NodeConfig): Finding {
  const checked = attempt("jobs", () => {
    for (const [name, expression] of Object.entries(jobs)) checkExpression(name, expression);
  });
  return checked.value === null ? checked.finding : ok("jobs", Object.values(jobs).join(", "));
}

/** A node that answers is asked whether it is ready; otherwise its ports must be free. */
async function runningFindings({ http, mqtt }: NodeConfig): Promise<Finding[]> {
  const url = `http://${http.host}:${http.port}`;
  try {
    const health = (await ask(`${url}/readyz`)) as z.output<typeof Health>;
    if (health.ready) return [ok("running", `a node answers at ${url} and is ready`)];
    return [fail("running", `the node at ${url}: ${health.reasons.join("; ")}`, "see its log")];
  } catch (error) {
    if (!(error instanceof GridError) || error.code !== "node_unreachable") throw error;
  }
  const findings = [ok("running", "no node runs here now")];
  const ports = "port" in mqtt ? [http, mqtt] : [http];
  for (const { host, port } of ports) {
    if (port === 0 || !(await isTaken(host, port))) continue;
    const fix = "stop it, or choose another port in the configuration";
    findings.push(fail("port", `another program listens on ${host}:${port}`, fix));
  }
  return findings;
}

function isTaken(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ host, port, timeout: 1000 });
    const answer = (taken: boolean) => {
      socket.destroy();
      resolve(taken);
    };
    socket.on("connect", () => answer(true));
    socket.on("error", () => answer(false));
    socket.on("timeout", () => answer(false));
  });
}

function attempt<Value>(check: string, read: () => Value) {
  try {
    return { value: read(), finding: ok(check, "reads well") };
  } catch (error) {
    if (!(error instanceof GridError)) throw error;
    const fix = "correct what the message names, or run `gridlane init` in an empty directory";
    return { value: null, finding: fail(check, error.message, fix) };
  }
}

function ok(check: string, message: string): Finding {
  return { check, result: "ok", message, fix: null };
}

function warn(check: string, message: string, fix: string): Finding {
  return { check, result: "warn", message, fix };
}

function fail(check: string, message: string, fix: string): Finding {
  return { check, result: "fail", message, fix };
}
