/**
 * `gridlane init`: a new community in a directory of its own. From a community file, from a CSV of
 * real homes, or from flags: then the homes are simulated and everything works at once.
 */
import { randomBytes } from "node:crypto";
import { join, resolve } from "node:path";
import { Command } from "commander";
import { drawHomes } from "../../firmware-sim/profiles/model.ts";
import { type Replay, readReplay } from "../../firmware-sim/profiles/replay.ts";
import type { PlannedHome } from "../../firmware-sim/provision.ts";
import { hkdfSha256 } from "../crypto/hash.ts";
import { KEY_NAMES, type NodeKeys } from "../node/keys.ts";
import { toHex, utf8 } from "../primitives/bytes.ts";
import { type Community, parseCommunity, provisionCommunity, readCommunity } from "./community.ts";
import { writeDirectory } from "./directory.ts";
import { isoDate, wholeNumber } from "./options.ts";
import { printJson, say } from "./talk.ts";

export function initCommand(): Command {
  return new Command("init")
    .description("make a new community: genesis, keys, configuration, simulated meters")
    .argument("<directory>", "where to make it")
    .option("--community <file>", "regions, members, real meters and lines in YAML")
    .option("--replay <file>", "one region with the homes of this CSV instead")
    .option("--from <date>", "with --replay: the first day", isoDate)
    .option("--homes <n>", "simulated homes per region", wholeNumber({ min: 1, max: 10_000 }), 20)
    .option("--seed <text>", "of simulated keys and homes (default: random)")
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      `\nExamples:\n  gridlane init village\n  gridlane init co-op --community co-op.yaml`,
    )
    .action(async (directory: string, options) => {
      const seed: string = options.seed ?? toHex(randomBytes(16));
      const keys = options.seed === undefined ? freshKeys() : derivedKeys(seed);
      const plan = await planOf(options, seed);
      const made = makeCommunity({
        directory: resolve(directory),
        ...plan,
        keys,
        seed,
        config: {},
      });
      const summary = {
        directory: resolve(directory),
        networkId: made.genesis.networkId,
        regions: made.genesis.regions.map(({ id, members, meters }) => ({
          id,
          members: members.length,
          meters: meters.length,
        })),
        config: join(resolve(directory), "gridlane.yaml"),
      };
      if (options.json) return printJson(summary);
      say(`Made ${summary.networkId} in ${summary.directory}:`);
      for (const region of summary.regions) {
        say(`  ${region.id}: ${region.members} members, ${region.meters} meters`);
      }
      say(`Start it:  gridlane node --config ${summary.config}`);
      if (made.devices.length > 0) {
        say(`Meters:    gridlane meters --directory ${summary.directory}`);
      }
    });
}

export type CommunityPlan = {
  readonly community: Community;
  readonly homes: ReadonlyMap<string, readonly PlannedHome[]>;
  readonly file: string; // named in errors
};

async function planOf(
  options: { community?: string; replay?: string; from?: string; homes: number },
  seed: string,
): Promise<CommunityPlan> {
  if (options.community !== undefined) {
    const community = readCommunity(options.community);
    return { community, homes: simulatedHomes(community, seed), file: options.community };
  }
  if (options.replay !== undefined) {
    const { from } = options;
    const replay = await readReplay({
      file: options.replay,
      ...(from === undefined ? {} : { from }),
    });
    return replayPlan(replay);
  }
  const nextQuarter = Math.ceil(Date.now() / 900_000) * 900_000;
  const community = parseCommunity(
    villages({
      ...{ startsAt: new Date(nextQuarter), homes: options.homes },
      ...{ networkId: "village", cutoffS: 300 },
    }),
    "(built-in community)",
  );
  return { community, homes: simulatedHomes(community, seed), file: "(built-in community)" };
}

/** Three regions joined by lines: two clear at a uniform price together, one by mid-market rate. */
export function villages({
  startsAt,
  homes,
  networkId,
  cutoffS,
}: {
  startsAt: Date;
  homes: number;
  networkId: string;
  cutoffS: number;
}) {
  const region = (id: string, name: string, mechanism: string, simulatedLimits: string) => ({
    ...{ id, name, mechanism, simulatedHomes: homes, simulatedLimits },
  });
  // A line each way, for as much as a village transformer carries in a quarter hour.
  const line = (from: string, to: string, capacityWh: number) => ({
    ...{ id: `${from}-${to}`, from, to, capacityWh, feeUcPerWh: 500 },
  });
  return {
    version: 1,
    networkId,
    chainId: 260_620,
    currency: "EUR",
    timeZone: "Europe/Vienna",
    startsAt: startsAt.toISOString(),
    retailUcPerWh: 30_000,
    feedInUcPerWh: 8_000,
    cutoffS,
    regions: [
      region("hill", "Hill", "uniform-price", "varied"),
      region("mill", "Mill", "uniform-price", "varied"),
      region("harbour", "Harbour", "mid-market-rate", "safe"),
    ],
    lines: [
      ...[line("hill", "mill", 4_000), line("mill", "hill", 4_000)],
      ...[line("mill", "harbour", 4_000), line("harbour", "mill", 4_000)],
    ],
  };
}

/** One region with the homes of a replay, under the mid-market rate; times of the file are UTC. */
export function replayPlan(replay: Replay): CommunityPlan {
  const community = parseCommunity(
    {
      version: 1,
      networkId: "replay",
      chainId: 260_620,
      currency: "EUR",
      timeZone: "UTC",
      startsAt: new Date(replay.startS * 1000).toISOString(),
      retailUcPerWh: 30_000,
      feedInUcPerWh: 8_000,
      regions: [{ id: "replay", name: "Replay", mechanism: "mid-market-rate" }],
    },
    "(replay)",
  );
  const homes = replay.homes.map(({ label, hasPanels, peakW }) => ({
    label,
    hasPanels,
    connectionW: Math.max(17_250, Math.ceil(peakW)), // what was measured must have fitted
  }));
  return { community, homes: new Map([["replay", homes]]), file: "(replay)" };
}

export function simulatedHomes(
  community: Community,
  seed: string,
): ReadonlyMap<string, readonly PlannedHome[]> {
  return new Map(
    community.regions.map(({ id, simulatedHomes: count }) => [
      id,
      drawHomes({ seed, region: id, count }).map(({ label, connectionW, panels }) => {
        return { label, connectionW, hasPanels: panels !== null };
      }),
    ]),
  );
}

export function makeCommunity({
  directory,
  config,
  keys,
  seed,
  ...plan
}: CommunityPlan & {
  directory: string;
  config: Readonly<Record<string, unknown>>;
  keys: NodeKeys;
  seed: string;
}) {
  const provisioned = provisionCommunity({ ...plan, keys, seed });
  const timeZone = plan.community.timeZone;
  writeDirectory({ directory, provisioned, keys, seed, config: { timeZone, ...config } });
  return provisioned;
}

function freshKeys(): NodeKeys {
  return Object.fromEntries(
    KEY_NAMES.map((name) => [name, randomBytes(32)]),
  ) as unknown as NodeKeys;
}

/** The same keys every time: for demos and tests, where the seed is no secret. */
export function derivedKeys(seed: string): NodeKeys {
  const derive = (name: string) =>
    hkdfSha256({
      secret: utf8(seed),
      salt: utf8("gridlane/node-key/v1"),
      info: utf8(name),
      length: 32,
    });
  return Object.fromEntries(KEY_NAMES.map((name) => [name, derive(name)])) as NodeKeys;
}
