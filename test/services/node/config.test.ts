/**
 * The node's configuration. Method: files as an operator writes them, each with the sentence that
 * must come back; then precedence. Every refusal names file, key and fix.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { readConfig } from "../../../services/node/config.ts";
import { GridError } from "../../../services/primitives/errors.ts";
import { LANE_WORKERS_MAX, SNAPSHOTS_LISTED_MAX } from "../../../services/primitives/limits.ts";

let directory = "";
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "gridlane-config-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

function read(yaml: string, environment: Record<string, string> = {}) {
  const file = join(directory, "gridlane.yaml");
  writeFileSync(file, yaml);
  return readConfig({ file, environment });
}

function refusal(yaml: string, environment: Record<string, string> = {}): string {
  try {
    read(yaml, environment);
  } catch (error) {
    expect(error).toBeInstanceOf(GridError);
    expect((error as GridError).code).toBe("config_invalid");
    expect((error as GridError).facts).toEqual({ file: join(directory, "gridlane.yaml") });
    return (error as GridError).message;
  }
  throw new Error("was taken");
}

test("the smallest file is a version: everything else has a default, paths are absolute", () => {
  expect(read("version: 1\n")).toMatchObject({
    genesis: join(directory, "genesis.json"),
    data: join(directory, "data"),
    http: { host: "127.0.0.1", port: 8787 },
    mqtt: { host: "127.0.0.1", port: 1883 },
    clock: "system",
    timeZone: "Europe/Vienna",
    lanes: { workers: "auto" },
    snapshots: { keep: 2 },
    retain: "all",
    jobs: { dailyStatement: "10 0 * * *" },
  });
});

test.each([
  ["no version", "data: here\n", /version/],
  ["another version", "version: 2\n", /version/],
  ["an unknown key", "version: 1\ntimezone: UTC\n", /timezone.*did you mean "timeZone"/],
  ["a key of nothing known", "version: 1\nfrobnicate: 1\n", /unknown key "frobnicate"/],
  ["a port beyond all", "version: 1\nhttp: { port: 70000 }\n", /http\.port/],
  ["no snapshot kept", "version: 1\nsnapshots: { keep: 0 }\n", /snapshots\.keep/],
  ["more than are offered", "version: 1\nsnapshots: { keep: 11 }\n", /snapshots\.keep/],
  ["one at every no slot", "version: 1\nsnapshots: { everySlots: 0 }\n", /snapshots\.everySlots/],
  ["a retention of words", "version: 1\nretain: long\n", /retain: must be all, \{days: N\}/],
  ["a retention of both", "version: 1\nretain: { days: 1, blocks: 2 }\n", /retain: must be all/],
  ["a port of words", "version: 1\nhttp: { port: many }\n", /http\.port/],
  [
    "a time zone of nowhere",
    "version: 1\ntimeZone: Europe/Atlantis\n",
    /time zone.*Europe\/Vienna/,
  ],
  ["a thread too many", "version: 1\nlanes: { workers: 65 }\n", /lanes\.workers/],
  ["fewer threads than none", "version: 1\nlanes: { workers: -1 }\n", /lanes\.workers/],
  ["threads in words", "version: 1\nlanes: { workers: many }\n", /lanes\.workers/],
  ["a broker of no scheme", "version: 1\nmqtt: { url: 127.0.0.1 }\n", /mqtt/],
  ["a log level of no kind", "version: 1\nlog: { level: loud }\n", /log\.level/],
  ["no YAML", "version: [1\n", /gridlane\.yaml/],
  ["a list", "- 1\n", /gridlane\.yaml/],
  ["nothing", "", /version/],
])("%s is refused with file and key", (_, yaml, sentence) => {
  const message = refusal(yaml);
  expect(message).toMatch(sentence);
  expect(message).toContain("gridlane.yaml");
});

test("a file that is not there says what to run", () => {
  const file = join(directory, "absent.yaml");
  expect(() => readConfig({ file, environment: {} })).toThrow(/does not exist.*gridlane init/);
});

test("the environment overrides the file, and is checked like it", () => {
  const yaml = "version: 1\nhttp: { port: 9000 }\nmqtt: { host: 0.0.0.0 }\n";
  expect(read(yaml, { GRIDLANE_HTTP_PORT: "0", GRIDLANE_MQTT_PORT: "1884" })).toMatchObject({
    http: { host: "127.0.0.1", port: 0 },
    mqtt: { host: "0.0.0.0", port: 1884 },
  });
  expect(read(yaml, { GRIDLANE_HTTP_PORT: "" }).http.port).toBe(9000);
  expect(refusal(yaml, { GRIDLANE_HTTP_PORT: "many" })).toMatch(/http\.port/);
  expect(refusal(yaml, { GRIDLANE_CLOCK: "sundial" })).toMatch(/clock/);
});

test("an external broker by URL stands instead of host and port", () => {
  expect(read("version: 1\nmqtt: { url: 'mqtts://broker:8883' }\n").mqtt).toEqual({
    url: "mqtts://broker:8883",
  });
});

test.each([
  ["version: 1\nlanes: { workers: 64 }\n", {}, 64],
  ["version: 1\nlanes: { workers: 0 }\n", {}, 0],
  ["version: 1\nlanes: { workers: 3 }\n", { GRIDLANE_LANES_WORKERS: "5" }, 5],
  ["version: 1\nlanes: { workers: 3 }\n", { GRIDLANE_LANES_WORKERS: "auto" }, "auto"],
])("lane workers: %j with %j", (yaml, environment, workers) => {
  expect(read(yaml, environment as Record<string, string>).lanes.workers).toBe(workers);
});

test("threads and snapshots have a most, which is taken, and one more is refused", () => {
  const workers = (count: number) => `version: 1\nlanes: { workers: ${count} }\n`;
  const keep = (count: number) => `version: 1\nsnapshots: { keep: ${count} }\n`;
  expect(read(workers(LANE_WORKERS_MAX)).lanes.workers).toBe(LANE_WORKERS_MAX);
  expect(refusal(workers(LANE_WORKERS_MAX + 1))).toMatch(/lanes\.workers/);
  expect(read(keep(SNAPSHOTS_LISTED_MAX)).snapshots.keep).toBe(SNAPSHOTS_LISTED_MAX);
  expect(refusal(keep(SNAPSHOTS_LISTED_MAX + 1))).toMatch(/snapshots\.keep/);
});
