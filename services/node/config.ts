/**
 * The node's configuration: one YAML file, one schema. Precedence: flags, then GRIDLANE_*
 * environment variables, then the file, then defaults. An unknown key is an error, not a wish.
 */
import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { parseDocument } from "yaml";
import { z } from "zod";
import { GridError } from "../primitives/errors.ts";
import { LANE_WORKERS_MAX, SNAPSHOTS_LISTED_MAX } from "../primitives/limits.ts";

export const CONFIG_VERSION = 1;
export const CONFIG_FILE_NAME = "gridlane.yaml";

const zPort = z.int().min(0).max(65_535); // 0: any free port

export const NodeConfig = z.strictObject({
  version: z.literal(CONFIG_VERSION),
  /** Paths are relative to the file. */
  genesis: z.string().default("genesis.json"),
  keys: z.string().default("keys"),
  credentials: z.string().default("credentials.json"),
  data: z.string().default("data"),
  http: z
    .strictObject({ host: z.string().default("127.0.0.1"), port: zPort.default(8787) })
    .prefault({}),
  mqtt: z
    .union([
      z.strictObject({ host: z.string().default("127.0.0.1"), port: zPort.default(1883) }),
      z.strictObject({
        url: z.string().regex(/^mqtts?:\/\//, "must begin with mqtt:// or mqtts://"),
        username: z.string().optional(),
        passwordFile: z.string().optional(),
      }),
    ])
    .prefault({}),
  lanes: z
    .strictObject({
      /**
       * Threads beside the node's own that execute lanes and verify signatures; 0: none. What they
       * give is the same bytes, whatever their number. auto: none for a small community, which they
       * would only cost memory, else one for each further core, at most 8.
       */
      workers: z.union([z.literal("auto"), z.int().min(0).max(LANE_WORKERS_MAX)]).default("auto"),
    })
    .prefault({}),
  /** system: wall-clock time. readings: time moves with the meters', for replay. */
  clock: z.enum(["system", "readings"]).default("system"),
  timeZone: z
    .string()
    .refine(isTimeZone, { error: "is no time zone this machine knows (example: Europe/Vienna)" })
    .default("Europe/Vienna"),
  /** Real seconds after a start in which no slot is cut off, so that journals can drain. */
  startGraceS: z.int().min(0).max(3600).default(30),
  log: z
    .strictObject({
      level: z.enum(["debug", "info", "warn", "error"]).default("info"),
      keepDays: z.int().min(1).max(3650).default(14),
    })
    .prefault({}),
  /** A snapshot every so many slots (default: one a day), and how many are kept. */
  snapshots: z
    .strictObject({
      everySlots: z.int().min(1).max(1_000_000).optional(),
      keep: z.int().min(1).max(SNAPSHOTS_LISTED_MAX).default(2),
    })
    .prefault({}),
  /** Blocks that stay; never fewer than the oldest snapshot needs. Headers always stay. */
  retain: z
    .union(
      [
        z.literal("all"),
        z.strictObject({ days: z.int().min(1).max(36_600) }),
        z.strictObject({ blocks: z.int().min(1).max(1_000_000_000) }),
      ],
      { error: "must be all, {days: N} or {blocks: N}" },
    )
    .default("all"),
  jobs: z
    .strictObject({
      dailyStatement: z.string().default("10 0 * * *"), // outside 01:00-03:59: DST
      logPruning: z.string().default("20 0 * * *"),
    })
    .prefault({}),
});
export type NodeConfig = z.output<typeof NodeConfig>;

/** Reads, overlays the environment, checks, and makes paths absolute. */
export function readConfig({
  file,
  environment,
}: {
  file: string;
  environment: Readonly<Record<string, string | undefined>>;
}): NodeConfig {
  const document = parseDocument(readText(file));
  const [fault] = document.errors;
  if (fault !== undefined) {
    throw new GridError("config_invalid", `${file}: ${fault.message}`, { file });
  }
  const json: unknown = document.toJS() ?? {};
  const config = parseConfig(overlayEnvironment(json, environment), file);
  const base = dirname(resolve(file));
  const { mqtt } = config;
  return {
    ...config,
    genesis: resolve(base, config.genesis),
    keys: resolve(base, config.keys),
    credentials: resolve(base, config.credentials),
    data: resolve(base, config.data),
    mqtt:
      "url" in mqtt && mqtt.passwordFile !== undefined
        ? { ...mqtt, passwordFile: resolve(base, mqtt.passwordFile) }
        : mqtt,
  };
}

export function parseConfig(json: unknown, file: string): NodeConfig {
  const parsed = NodeConfig.safeParse(json);
  if (parsed.success) return parsed.data;
  throw new GridError("config_invalid", explainIssues(file, parsed.error), { file });
}

/** One line per fault: file, key, what to do. */
export function explainIssues(file: string, error: z.ZodError): string {
  return error.issues
    .map((issue) => {
      const key = issue.path.join(".") || "(top)";
      if (issue.code === "unrecognized_keys") {
        const known = Object.keys(NodeConfig.shape);
        const hints = issue.keys.map((name) => {
          const near = known.find((option) => distance(option, name) <= 2);
          return near === undefined ? `"${name}"` : `"${name}" (did you mean "${near}"?)`;
        });
        return `${file}: ${key}: unknown key ${hints.join(", ")}: remove or correct it`;
      }
      return `${file}: ${key}: ${issue.message}`;
    })
    .join("\n");
}

/** GRIDLANE_HTTP_PORT=0 sets http.port; a value that reads as a number becomes one. */
function overlayEnvironment(
  json: unknown,
  environment: Readonly<Record<string, string | undefined>>,
): unknown {
  if (typeof json !== "object" || json === null || Array.isArray(json)) return json;
  const out = structuredClone(json) as Record<string, unknown>;
  const settings: readonly (readonly [string, readonly string[]])[] = [
    ["GRIDLANE_HTTP_HOST", ["http", "host"]],
    ["GRIDLANE_HTTP_PORT", ["http", "port"]],
    ["GRIDLANE_MQTT_HOST", ["mqtt", "host"]],
    ["GRIDLANE_MQTT_PORT", ["mqtt", "port"]],
    ["GRIDLANE_LANES_WORKERS", ["lanes", "workers"]],
    ["GRIDLANE_DATA", ["data"]],
    ["GRIDLANE_CLOCK", ["clock"]],
    ["GRIDLANE_TIME_ZONE", ["timeZone"]],
    ["GRIDLANE_LOG_LEVEL", ["log", "level"]],
  ];
  for (const [name, path] of settings) {
    const text = environment[name];
    if (text === undefined || text === "") continue;
    const value = /^\d+$/.test(text) ? Number(text) : text;
    const [section, key] = path;
    if (key === undefined) out[section!] = value;
    else out[section!] = { ...(out[section!] as object | undefined), [key]: value };
  }
  const url = environment.GRIDLANE_MQTT_URL;
  if (url !== undefined && url !== "") {
    // An external broker takes the embedded one's place, whatever host and port said.
    const { host: _host, port: _port, ...rest } = (out.mqtt ?? {}) as Record<string, unknown>;
    out.mqtt = { ...rest, url };
  }
  return out;
}

function readText(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    const missing = (cause as NodeJS.ErrnoException).code === "ENOENT";
    const why = missing ? "does not exist: run `gridlane init` first" : "cannot be read";
    throw new GridError("config_invalid", `${file}: ${why}`, { file }, { cause });
  }
}

function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat("en", { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

/** Levenshtein distance, for "did you mean". */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const swap = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(swap, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}
