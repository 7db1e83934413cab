/**
 * Method: a community runs with simulated meters; the operator makes an auditor's token, a stranger
 * audits the running node with it and the genesis file, and the token is taken back: as typed.
 */
import { join } from "node:path";
import { expect, test } from "vitest";
import { gridlane, inTemporaryDirectory, run } from "../support/command.ts";

const FAST = { GRIDLANE_CLOCK: "readings", GRIDLANE_HTTP_PORT: "0", GRIDLANE_MQTT_PORT: "0" };

test("a stranger audits a running node, as long as the operator lets them", async () => {
  await inTemporaryDirectory(async (directory) => {
    const village = join(directory, "village");
    expect((await run(["init", village, "--homes", "6", "--json"])).code).toBe(0);
    const config = join(village, "gridlane.yaml");
    const node = gridlane(["node", "--config", config], FAST);
    const [, url = ""] = await node.says(/(http:\/\/127\.0\.0\.1:\d+)/);
    const [, broker = ""] = await node.says(/(mqtt:\/\/127\.0\.0\.1:\d+)/);
    const paced = ["--slots", "3", "--as-fast-as-possible", "--json"];
    const meters = await run(["meters", "--directory", village, "--broker", broker, ...paced]);
    expect(meters.code, meters.stderr).toBe(0);

    const pairing = await run(["pair", "--auditor", "--config", config, "--url", url, "--json"]);
    expect(pairing.code, pairing.stderr).toBe(0);
    const { token } = JSON.parse(pairing.stdout);
    const audit = ["audit", "--url", url, "--genesis", join(village, "genesis.json")];
    const found = await run([...audit, "--token", token, "--json"]);
    expect(found.code, found.stdout + found.stderr).toBe(0);
    const report = JSON.parse(found.stdout);
    expect(report).toMatchObject({ equal: true, divergence: null, fromHeight: 0 });
    expect(report.totals).toMatchObject({ slots: 3, certificates: 9 });

    const revoked = await run(["pair", "--revoke-auditors", "--config", config, "--url", url]);
    expect(revoked.stdout, revoked.stderr).toBe("1 tokens taken back\n");
    const late = await run(audit, { GRIDLANE_AUDIT_TOKEN: token });
    expect(late.code).toBe(1);
    expect(late.stderr).toMatch(/auditor's token \[request_refused\]/);
    expect(await node.kill("SIGTERM"), node.stderr()).toBe(0);
  });
});
