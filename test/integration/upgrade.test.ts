/**
 * The operator's commands about lanes and versions, on a community made by `init`: a release that
 * there is no cause for, an upgrade that this software does not know. The node must stop right
 * before its height with a code, start no more, and hold everything that it acknowledged.
 */
import { join } from "node:path";
import { expect, test } from "vitest";
import { gridlane, inTemporaryDirectory, run } from "../support/command.ts";

const FAST = { GRIDLANE_CLOCK: "readings", GRIDLANE_HTTP_PORT: "0", GRIDLANE_MQTT_PORT: "0" };
const H = 12;

test("lanes and upgrade as commands; the node stops before an unknown version", async () => {
  await inTemporaryDirectory(async (directory) => {
    const village = join(directory, "village");
    expect((await run(["init", village, "--homes", "6"])).code).toBe(0);
    const config = join(village, "gridlane.yaml");
    const node = gridlane(["node", "--config", config], FAST);
    const [, url = ""] = await node.says(/(http:\/\/127\.0\.0\.1:\d+)/);
    const at = ["--config", config, "--url", url];

    const lanes = await run(["lanes", "list", ...at]);
    expect(lanes.stdout).toMatch(/hill\s+in the market/);
    const release = await run(["lanes", "release", "hill", ...at]);
    expect(release.code).toBe(1);
    expect(release.stderr).toMatch(/is not quarantined \[release_invalid\]/);
    const nowhere = await run(["lanes", "release", "nowhere", ...at]);
    expect(nowhere.code).toBe(2);
    expect(nowhere.stderr).toMatch(/no region nowhere; there are .*hill/);

    const near = await run(["upgrade", "schedule", "--version", "2", "--height", "3", ...at]);
    expect(near.stderr).toMatch(/\[upgrade_invalid\]/);
    const wanted = ["--version", "2", "--height", String(H)];
    const scheduled = await run(["upgrade", "schedule", ...wanted, ...at]);
    expect(scheduled.code, scheduled.stderr).toBe(0);
    expect(scheduled.stderr).toMatch(/does not know version 2/);
    const list = await run(["upgrade", "list", ...at, "--json"]);
    expect(JSON.parse(list.stdout)).toMatchObject({
      ...{ nextSequence: 2, chainVersion: 1, upgrades: [{ version: 2, height: H }] },
    });

    const [, broker = ""] = await node.says(/(mqtt:\/\/127\.0\.0\.1:\d+)/);
    const paced = ["--slots", "40", "--as-fast-as-possible"];
    const meters = gridlane(["meters", "--directory", village, "--broker", broker, ...paced]);
    try {
      expect(await node.ended).toBe(1);
      expect(node.stderr()).toMatch(
        /from block 12 on the chain follows version 2.*upgrade_required/,
      );
    } finally {
      await meters.kill("SIGKILL");
    }
    const again = await run(["node", "--config", config], FAST);
    expect(again.code).toBe(1);
    expect(again.stderr).toMatch(/\[upgrade_required\]/);
    const audit = await run(["audit", village, "--json"]);
    expect(audit.code, audit.stderr).toBe(0);
    expect(JSON.parse(audit.stdout)).toMatchObject({ totals: { blocks: H - 1 } });
  });
});
