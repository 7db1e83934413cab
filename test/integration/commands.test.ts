/**
 * The commands an operator types, on a community made by `init`: node, meters in a process of their
 * own, status, pair, doctor; the embedded broker and a foreign one (mosquitto). Method: what each
 * prints and how it ends; then each kind of bad input, with its code and exit code, no stack trace.
 */
import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { freePort, gridlane, inTemporaryDirectory, run } from "../support/command.ts";
import { mosquittoPath, startMosquitto } from "../support/mosquitto.ts";

const FAST = { GRIDLANE_CLOCK: "readings", GRIDLANE_HTTP_PORT: "0", GRIDLANE_MQTT_PORT: "0" };

async function made(directory: string, homes = "6"): Promise<string> {
  const village = join(directory, "village");
  const init = await run(["init", village, "--homes", homes, "--json"]);
  expect(init.code, init.stderr).toBe(0);
  expect(JSON.parse(init.stdout)).toMatchObject({ networkId: "village", directory: village });
  return village;
}

test("init, node, meters, status, pair, doctor", async () => {
  await inTemporaryDirectory(async (directory) => {
    const village = await made(directory);
    const config = join(village, "gridlane.yaml");
    const before = await run(["doctor", "--config", config, "--json"], FAST);
    expect(before.code, before.stdout).toBe(0);

    const node = gridlane(["node", "--config", config], FAST);
    const [, url = ""] = await node.says(/(http:\/\/127\.0\.0\.1:\d+)/);
    const [, broker = ""] = await node.says(/(mqtt:\/\/127\.0\.0\.1:\d+)/);
    const paced = ["--slots", "4", "--as-fast-as-possible", "--json"];
    const meters = await run(["meters", "--directory", village, "--broker", broker, ...paced]);
    expect(meters.code, meters.stderr).toBe(0);
    expect(JSON.parse(meters.stdout)).toMatchObject({ slots: 4, unreceipted: 0 });
    expect(Object.keys(JSON.parse(meters.stdout).receipts)).toEqual(["accepted"]);

    const status = await run(["status", "--url", url, "--json"]);
    expect(status.code, status.stderr).toBe(0);
    expect(JSON.parse(status.stdout)).toMatchObject({
      ready: true,
      readingsRefused: {},
      regions: 3,
    });
    const words = await run(["status", "--url", url]);
    expect(words.stdout).toMatch(/hill\s+uniform-price/);

    const at = ["--config", config, "--url", url, "--json"];
    const pair = await run(["pair", "hill", "hill-1", ...at]);
    expect(pair.code, pair.stderr).toBe(0);
    const { code } = JSON.parse(pair.stdout);
    const headers = { "content-type": "application/json" };
    const body = JSON.stringify({ code });
    const opened = await fetch(`${url}/api/v1/session`, { method: "POST", headers, body });
    expect(await opened.json()).toMatchObject({ region: "hill", label: "hill-1" });
    const nobody = await run(["pair", "hill", "nobody", ...at]);
    expect(nobody.code).toBe(1);
    expect(nobody.stderr).toMatch(/\[request_refused\]/);

    const other = await run(["node", "--config", config], FAST);
    expect(other.code).toBe(1);
    expect(other.stderr).toMatch(/\[database_locked\]/);
    expect(await node.kill("SIGTERM"), node.stderr()).toBe(0);
    expect(node.stderr()).toMatch(/stopped/);
  });
});

test.skipIf(mosquittoPath === null)("the same through mosquitto, a broker of others", async () => {
  await inTemporaryDirectory(async (directory) => {
    const village = await made(directory);
    const { devices } = JSON.parse(readFileSync(join(village, "fleet.json"), "utf8"));
    const passwords = (devices as { deviceId: string; password: string }[]).map((device) => {
      return [device.deviceId, device.password];
    });
    const foreign = await startMosquitto({ oracle: "o", ...Object.fromEntries(passwords) });
    writeFileSync(join(village, "oracle.password"), "o\n");
    const config = join(village, "gridlane.yaml");
    const login = "username: oracle, passwordFile: oracle.password";
    const mqtt = `mqtt: { url: "${foreign.url}", ${login} }\n`;
    writeFileSync(config, readFileSync(config, "utf8") + mqtt);
    const { GRIDLANE_MQTT_PORT: _, ...environment } = FAST;
    const node = gridlane(["node", "--config", config], environment);
    try {
      const [, url = ""] = await node.says(/(http:\/\/127\.0\.0\.1:\d+)/);
      const paced = ["--slots", "3", "--as-fast-as-possible", "--json"];
      const to = ["--directory", village, "--broker", foreign.url];
      const meters = await run(["meters", ...to, ...paced]);
      expect(meters.code, meters.stderr).toBe(0);
      expect(JSON.parse(meters.stdout)).toMatchObject({ slots: 3, unreceipted: 0 });
      const status = await run(["status", "--url", url, "--json"]);
      expect(JSON.parse(status.stdout).readingsAccepted).toBeGreaterThan(3 * 18);
      expect(await node.kill("SIGTERM"), node.stderr()).toBe(0);
    } finally {
      await node.kill("SIGKILL");
      await foreign.remove();
    }
  });
});

test("an external broker that is away is said in one sentence", async () => {
  await inTemporaryDirectory(async (directory) => {
    const village = await made(directory);
    const node = await run(["node", "--config", join(village, "gridlane.yaml")], {
      ...FAST,
      GRIDLANE_MQTT_URL: `mqtt://127.0.0.1:${await freePort()}`,
    });
    expect(node.code).toBe(1);
    expect(node.stderr).toMatch(/\[broker_unreachable\]/);
    expect(node.stderr).not.toMatch(/\n\s+at /);
  });
});

test.each([
  ["an unknown command", ["frobnicate"], 2, /unknown command/],
  ["an unknown option", ["demo", "--frobnicate"], 2, /unknown option/],
  ["a number that is none", ["demo", "--slots", "many"], 2, /whole number/],
  ["a date that is none", ["demo", "--from", "yesterday"], 2, /date/],
  ["a node without a configuration", ["node", "--config", "absent.yaml"], 3, /config_invalid/],
  ["meters without a fleet", ["meters", "--directory", "absent"], 3, /config_invalid/],
  ["more homes than a fleet holds", ["init", "absent", "--homes", "10000"], 2, /ask for fewer/],
  ["a replay that is not there", ["demo", "--replay", "absent.csv"], 1, /file_unreadable/],
  ["no node at that address", ["status", "--url", "http://127.0.0.1:1"], 1, /node_unreachable/],
] as const)("%s: a sentence and exit code", async (_, args, code, sentence) => {
  const ended = await run(args);
  expect(ended.code, ended.stderr).toBe(code);
  expect(ended.stderr).toMatch(sentence);
  expect(ended.stderr).not.toMatch(/\n\s+at /);
  expect(ended.stdout).toBe("");
});

test("doctor and node find a damaged genesis, a loose key, a file in the way", async () => {
  await inTemporaryDirectory(async (directory) => {
    const village = await made(directory);
    const config = join(village, "gridlane.yaml");
    chmodSync(join(village, "keys", "sequencer.key"), 0o644);
    const loose = await run(["doctor", "--config", config], FAST);
    expect(loose.code).toBe(4);
    expect(loose.stdout).toMatch(/fail\s+keys/);
    expect(loose.stdout).toMatch(/fix: chmod 600/);
    const genesisFile = join(village, "genesis.json");
    const genesis = readFileSync(genesisFile, "utf8");
    writeFileSync(genesisFile, genesis.replace('"slotS": 900', '"slotS": -1'));
    const broken = await run(["node", "--config", config], FAST);
    expect(broken.code).toBe(3);
    expect(broken.stderr).toMatch(/genesis\.json: slotS/);
    writeFileSync(genesisFile, genesis);
    writeFileSync(join(village, "data"), "a file in the way");
    const blocked = await run(["node", "--config", config], FAST);
    expect(blocked.code).toBe(1);
    expect(blocked.stderr).toMatch(/\[permission_denied\]/);
    expect(blocked.stderr).not.toMatch(/\n\s+at /);
    const again = await run(["init", village]);
    expect(again.code).toBe(2);
    expect(again.stderr).toMatch(/already holds a community/);
  });
});

test("a replay of other homes than the community's is refused", async () => {
  await inTemporaryDirectory(async (directory) => {
    const village = await made(directory);
    const csv = join(directory, "homes.csv");
    const rows = ["2017-06-01T00:00,1,0", "2017-06-01T01:00,1,0"];
    writeFileSync(csv, `${["timestamp,a_load_kwh,a_pv_kwh", ...rows].join("\n")}\n`);
    const meters = await run(["meters", "--directory", village, "--replay", csv]);
    expect(meters.code).toBe(2);
    expect(meters.stderr).toMatch(/not this community's.*gridlane init/);
  });
});

test("a damaged chain database is named, and nothing is overwritten", async () => {
  await inTemporaryDirectory(async (directory) => {
    const village = await made(directory);
    const config = join(village, "gridlane.yaml");
    const chain = join(village, "data", "chain");
    mkdirSync(chain, { recursive: true });
    writeFileSync(join(chain, "CURRENT"), "MANIFEST-999999\n");
    writeFileSync(join(chain, "000005.ldb"), "no table");
    const node = await run(["node", "--config", config], FAST);
    expect(node.code).toBe(1);
    expect(node.stderr).toMatch(/\[database_corrupt\]/);
    expect(node.stderr).not.toMatch(/\n\s+at /);
    expect(readdirSync(chain)).toContain("000005.ldb");
  });
});
