/**
 * `gridlane demo`: a living market on this machine in one command: three regions joined by lines,
 * simulated or replayed homes, meters over MQTT, oracle, chain, auctions, bills and dashboard.
 */
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { Command } from "commander";
import type { Pace, Fleet as RunningFleet } from "../../firmware-sim/fleet.ts";
import { readReplay } from "../../firmware-sim/profiles/replay.ts";
import { readConfig } from "../node/config.ts";
import { readKeys } from "../node/keys.ts";
import { type RunningNode, startNode } from "../node/node.ts";
import { GridError } from "../primitives/errors.ts";
import { slotAt, unixSeconds } from "../primitives/units.ts";
import { parseCommunity } from "./community.ts";
import { buildDashboard } from "./dashboard.ts";
import { type DemoClock, startDemoClock } from "./demo-clock.ts";
import { demoSummary, printSummary } from "./demo-summary.ts";
import { sayPairing, saySlots } from "./demo-talk.ts";
import { isCommunity, readCredentials, readFleet, readGenesis } from "./directory.ts";
import { derivedKeys, makeCommunity, replayPlan, simulatedHomes, villages } from "./init.ts";
import { endingAfter, energySource, openFleet } from "./meters.ts";
import { days, isoDate, port, positiveNumber, slots, wholeNumber } from "./options.ts";
import { interrupted } from "./run-node.ts";
import { printJson, say } from "./talk.ts";
import { VERSION } from "./version.ts";

type DemoOptions = {
  data?: string;
  replay?: string;
  from?: string;
  days?: number;
  slots?: number;
  slotSeconds: number;
  asFastAsPossible?: true;
  homes: number;
  seed: string;
  httpPort: number;
  mqttPort: number;
  json?: true;
};

/** The demo begins at sunrise on a day in June, when roofs begin to have something to sell. */
const DEMO_STARTS_AT = new Date("2026-06-20T04:00:00Z");

export function demoCommand(): Command {
  return new Command("demo")
    .description("run a living market on this machine")
    .option("--data <directory>", "where it lives (default: .gridlane/demo, or by replay)")
    .option("--slots <n>", "end after this many more slots, with a summary", slots)
    .option("--slot-seconds <s>", "real seconds per 15-minute slot", positiveNumber, 10)
    .option("--replay <file>", "measured homes from a CSV instead of simulated ones")
    .option("--from <date>", "with --replay: the first day", isoDate)
    .option("--days <n>", "with --replay: how many days", days)
    .option("--as-fast-as-possible", "do not wait for the clock")
    .option("--homes <n>", "homes per region", wholeNumber({ min: 5, max: 1000 }), 20)
    .option("--seed <text>", "of homes, weather and keys", "gridlane")
    .option("--http-port <n>", "0: any free one", port, 8787)
    .option("--mqtt-port <n>", "0: any free one", port, 1883)
    .option("--json", "print one JSON object at the end")
    .addHelpText(
      "after",
      `
Examples:
  gridlane demo                                         stop it with Ctrl-C; it resumes
  gridlane demo --slots 8 --json
  gridlane demo --replay homes.csv --from 2017-06-01 --days 7 --as-fast-as-possible --json`,
    )
    .action((options: DemoOptions) => runDemo(options));
}

async function runDemo(options: DemoOptions): Promise<void> {
  const directory = resolve(options.data ?? defaultDirectory(options));
  await prepare(directory, options);
  const file = join(directory, "gridlane.yaml");
  const config = readConfig({ file, environment: {} });
  const genesis = readGenesis(config.genesis);
  const fleet = readFleet(directory);
  const speed = genesis.slotS / options.slotSeconds;
  const isFast = options.asFastAsPossible === true;
  const clock = isFast
    ? null
    : startDemoClock({
        file: join(directory, "market-time"),
        startS: unixSeconds(genesis.genesisTimeS),
        speed,
      });
  let node: RunningNode;
  try {
    node = await startNode({
      config: {
        ...config,
        http: { host: "127.0.0.1", port: isFast ? 0 : options.httpPort },
        mqtt: { host: "127.0.0.1", port: isFast ? 0 : options.mqttPort },
        clock: isFast ? "readings" : "system",
      },
      genesis,
      keys: readKeys(config.keys),
      credentials: readCredentials(config.credentials),
      version: VERSION,
      dashboardDirectory: isFast ? null : await buildDashboard(),
      stderr: "nothing",
      ...(clock === null ? {} : { clock: { clock, speed } }),
    });
  } catch (failure) {
    clock?.stop();
    throw failure;
  }
  const genesisSlot = slotAt(unixSeconds(genesis.genesisTimeS), genesis.slotS);
  const { clearedSlots: cleared, timeS: chainTimeS } = node.chain.head();
  // A chain ahead of the clock was run as fast as possible; its meters may be one slot further on.
  if (clock !== null && chainTimeS > clock.nowS()) {
    clock.advanceTo(unixSeconds(chainTimeS + genesis.slotS));
  }
  if (cleared > 0) say(`Resuming after ${cleared} slots (${directory}).`);
  if (!isFast) await greet(node, directory);
  const wanted = options.slots === undefined ? undefined : cleared + options.slots;
  const source = endingAfter(await energySource(fleet, options), genesisSlot, wanted);
  const stopTalking = saySlots({ chain: node.chain, everySlot: isFast ? 96 : 1 });
  const meters = await openFleet({
    ...{ fleet, source, brokerUrl: node.mqttUrl },
    directory: join(directory, "meters"),
    pace: paceOf(node, clock, source.endSlot),
  });
  const target = (source.endSlot ?? Number.MAX_SAFE_INTEGER) - genesisSlot;
  const ending = await untilEnd({ node, meters, target });
  stopTalking();
  const summary = ending === "done" ? await demoSummary(node) : null;
  await meters.stop();
  await node.stop();
  clock?.stop();
  if (summary === null) {
    say(`Stopped; nothing is lost. The same command resumes here: ${directory}`);
  } else if (options.json) printJson(summary);
  else printSummary(summary);
}

function paceOf(node: RunningNode, clock: DemoClock | null, endSlot: number | null): Pace {
  return clock === null
    ? { kind: "as-fast-as-possible", endSlot: endSlot ?? Number.MAX_SAFE_INTEGER }
    : { kind: "live", clock: node.clock, jitterS: 30 };
}

/** A demo that is asked for something else never mixes with one that is there. */
function defaultDirectory(options: DemoOptions): string {
  if (options.replay === undefined) return join(".gridlane", "demo");
  const name = createHash("sha256")
    .update(JSON.stringify(recipeOf(options)))
    .digest("hex");
  return join(".gridlane", `replay-${name.slice(0, 8)}`);
}

/** What makes the community; the rest of the options may change between two starts. */
function recipeOf({ replay, from, homes, seed }: DemoOptions) {
  return replay === undefined
    ? { homes, seed }
    : { replay: resolve(replay), from: from ?? null, seed };
}

/** Makes the community on the first start; refuses a directory made by another recipe. */
async function prepare(directory: string, options: DemoOptions): Promise<void> {
  const recipeFile = join(directory, "demo.json");
  const recipe = JSON.stringify(recipeOf(options));
  if (isCommunity(directory)) {
    const made = existsSync(recipeFile) ? readFileSync(recipeFile, "utf8").trim() : null;
    if (made === recipe) return;
    const message =
      made === null
        ? `${directory} holds a community that is no demo: name another directory with --data`
        : `${directory} holds another demo (${made}): delete it, or name another with --data`;
    throw new GridError("argument_invalid", message, { argument: "data", value: directory });
  }
  const { seed, from } = options;
  const keys = derivedKeys(seed);
  if (options.replay !== undefined) {
    const window = { file: options.replay, ...(from === undefined ? {} : { from }) };
    makeCommunity({ directory, ...replayPlan(await readReplay(window)), keys, seed, config: {} });
  } else {
    // A slow machine and a fast clock: what is a second here may be an hour of market time.
    const timing = { startsAt: DEMO_STARTS_AT, cutoffS: 7200 };
    const spec = villages({ ...timing, homes: options.homes, networkId: "demo" });
    const community = parseCommunity(spec, "(demo)");
    const homes = simulatedHomes(community, seed);
    makeCommunity({ directory, community, homes, file: "(demo)", keys, seed, config: {} });
  }
  writeFileSync(recipeFile, `${recipe}\n`);
}

async function greet(node: RunningNode, directory: string): Promise<void> {
  say(`Dashboard   ${node.httpUrl}`);
  await sayPairing(node, join(directory, "keys"));
  say(`API         ${node.httpUrl}/openapi.json`);
  say(`Meters      ${node.mqttUrl}`);
  say("Ctrl-C stops it; the same command resumes.");
  say("");
}

/** Done when `target` slots have cleared; or a signal came. Rejects when a part cannot go on. */
async function untilEnd({
  node,
  meters,
  target,
}: {
  node: RunningNode;
  meters: RunningFleet;
  target: number;
}): Promise<"done" | "interrupted"> {
  const signal = interrupted();
  let unsubscribe = () => {};
  const cleared = new Promise<"done">((done) => {
    const look = () => {
      if (node.chain.head().clearedSlots >= target) done("done");
    };
    unsubscribe = node.chain.onBlock(look);
    look();
  });
  const broken = Promise.all([node.ended, meters.done]).then(() => cleared);
  try {
    return await Promise.race([cleared, broken, signal.arrived.then(() => "interrupted" as const)]);
  } finally {
    unsubscribe();
    signal.ignore();
  }
}
