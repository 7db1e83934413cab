/**
 * Method: `audit`, `proof` and `verify` as an auditor and a member type them, on a community that
 * ran with simulated meters: what each prints and how it ends, on truth, on a planted lie, on bad
 * input.
 */
import { mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readGenesis } from "../../services/cli/directory.ts";
import { verifyProofText } from "../../services/cli/verify-proof.ts";
import { openSealedLevel } from "../../services/ordering/embedded/sealed-level.ts";
import { PROOF_FILE_BYTES_MAX } from "../../services/primitives/limits.ts";
import { tableOfBills } from "../../services/wire/bill-table.ts";
import { decodeSlotRecord, encodeSlotRecord } from "../../services/wire/slot-record.ts";
import { gridlane, inTemporaryDirectory, run } from "../support/command.ts";

const FAST = { GRIDLANE_CLOCK: "readings", GRIDLANE_HTTP_PORT: "0", GRIDLANE_MQTT_PORT: "0" };

/** A session of the village's first member, as the dashboard opens it. */
async function openSession(url: string, config: string): Promise<string> {
  const pair = await run(["pair", "hill", "hill-1", "--config", config, "--url", url, "--json"]);
  expect(pair.code, pair.stderr).toBe(0);
  const headers = { "content-type": "application/json" };
  const body = JSON.stringify({ code: JSON.parse(pair.stdout).code });
  const opened = await fetch(`${url}/api/v1/session`, { method: "POST", headers, body });
  return ((await opened.json()) as { token: string }).token;
}

/** A proof of each kind through `gridlane proof`; those of the first slot, whose header is made. */
async function exportProofs(node: { url: string; config: string; directory: string }) {
  const { url, config, directory } = node;
  const token = await openSession(url, config);
  const headers = { authorization: `Bearer ${token}` };
  const answer = async (path: string) => (await fetch(`${url}/api/v1/${path}`, { headers })).json();
  const lines = (await answer("me/bills")) as { settledSlot: number }[];
  const me = (await answer("me")) as { meters: { deviceId: string; role: string }[] };
  const slot = String(lines.at(-1)!.settledSlot);
  const own = ["--slot", slot, "--session", token];
  const device = me.meters.find(({ role }) => role === "grid")!.deviceId;
  const beyond = String(Number(slot) + 1000);
  const kinds = {
    bill: ["bill", ...own],
    reading: ["reading", ...own, "--device", device],
    policy: ["policy", "--region", "hill"],
    "slot-policy": ["policy", "--region", "hill", "--slot", slot],
    absence: ["absence", ...own],
    "pending-slot": ["pending", "--region", "hill", "--slot", beyond],
  };
  const exported = Object.entries(kinds).map(async ([kind, args]) => {
    const file = join(directory, `${kind}.json`);
    const written = await run(["proof", ...args, "--url", url, "-o", file]);
    expect(written.code, `${kind}: ${written.stderr}`).toBe(0);
    expect(written.stderr).toContain(`written to ${file}`);
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });
  await Promise.all(exported);
  return Object.keys(kinds);
}

/** One bill changed in a stored slot record, under the store's own checksum. */
async function plantLie(village: string): Promise<string> {
  const level = await openSealedLevel(join(village, "data", "chain"));
  const range = { gte: "a/slot/", lt: "a/slot0", order: "rising", limit: 1 } as const;
  const [first] = await level.range(range);
  const record = decodeSlotRecord(first!.value);
  const [lie, ...rest] = record.bills;
  const bills = tableOfBills([{ ...lie!, exportWh: 77_777 }, ...rest]);
  await level.write([{ key: first!.key, value: encodeSlotRecord({ ...record, bills }) }]);
  await level.close();
  return first!.key.slice(2);
}

test("a member verifies a bill, an auditor the whole chain", async () => {
  await inTemporaryDirectory(async (directory) => {
    const village = join(directory, "village");
    expect((await run(["init", village, "--homes", "6", "--json"])).code).toBe(0);
    const config = join(village, "gridlane.yaml");
    const genesis = join(village, "genesis.json");
    const node = gridlane(["node", "--config", config], FAST);
    const [, url = ""] = await node.says(/(http:\/\/127\.0\.0\.1:\d+)/);
    const [, broker = ""] = await node.says(/(mqtt:\/\/127\.0\.0\.1:\d+)/);
    const paced = ["--slots", "3", "--as-fast-as-possible", "--json"];
    const meters = await run(["meters", "--directory", village, "--broker", broker, ...paced]);
    expect(meters.code, meters.stderr).toBe(0);
    const file = join(directory, "bill.json");
    const kinds = await exportProofs({ url, config, directory });
    const trust = { source: "genesis", genesis: readGenesis(genesis) } as const;
    for (const kind of kinds) {
      const text = readFileSync(join(directory, `${kind}.json`), "utf8");
      expect(verifyProofText(text, trust)).toMatchObject({ kind, valid: true });
    }
    const reading = await run(["verify", join(directory, "reading.json"), "--genesis", genesis]);
    expect(reading.code, reading.stdout + reading.stderr).toBe(0);
    expect(reading.stdout).toMatch(/^ok {4}device .*the meter signed the record$/m);
    expect(reading.stdout).toMatch(/^The reading is proved\.$/m);

    const trusted = await run(["verify", file, "--genesis", genesis]);
    expect(trusted.code, trusted.stderr).toBe(0);
    expect(trusted.stdout).toMatch(/^ok {4}signature/m);
    expect(trusted.stdout).toMatch(/The bill is proved\.$/m);
    expect(trusted.stderr).toBe("");
    const { sequencerPublicKey } = JSON.parse(readFileSync(genesis, "utf8"));
    const key = ["--key", sequencerPublicKey];
    const byKey = await run(["verify", file, ...key, "--json"]);
    expect(byKey.code, byKey.stderr).toBe(0);
    expect(JSON.parse(byKey.stdout)).toMatchObject({
      ...{ valid: true, failed: null, keySource: "key", sequencerPublicKey },
      ...{ networkId: "village", region: "hill" },
    });
    const onTrust = await run(["verify", file]);
    expect(onTrust.code, onTrust.stderr).toBe(0);
    expect(onTrust.stderr).toMatch(/taken from the file, on trust/);
    expect(onTrust.stdout).toMatch(/ON TRUST/);
    const proof = JSON.parse(readFileSync(file, "utf8"));
    const forged = join(directory, "forged.json");
    writeFileSync(forged, JSON.stringify({ ...proof, bill: { ...proof.bill, amountUc: "99" } }));
    const refused = await run(["verify", forged, ...key]);
    expect(refused.code).toBe(1);
    expect(refused.stdout).toMatch(/^FAIL {2}lanes/m);
    expect(refused.stdout).toMatch(/NOT proved: step lanes fails/);

    const running = await run(["audit", village], FAST);
    expect(running.code).toBe(1);
    expect(running.stderr).toMatch(/\[database_locked\]/);
    expect(await node.kill("SIGTERM"), node.stderr()).toBe(0);

    const audit = await run(["audit", village, "--json"]);
    expect(audit.code, audit.stdout + audit.stderr).toBe(0);
    expect(audit.stderr).toMatch(/audit: block (\d+) of \1, 3 slots/);
    const report = JSON.parse(audit.stdout);
    expect(report).toMatchObject({ equal: true, divergence: null, networkId: "village" });
    expect(report.totals).toMatchObject({ slots: 3, certificates: 9 });
    const words = await run(["audit", village, "--genesis", genesis]);
    expect(words.code, words.stderr).toBe(0);
    expect(words.stdout).toMatch(/^equal +every block, root, record and sum$/m);

    const record = await plantLie(village);
    const lie = await run(["audit", village]);
    expect(lie.code).toBe(1);
    expect(lie.stdout).toMatch(/^DIVERGENCE$/m);
    expect(lie.stdout).toContain(record);
    expect(lie.stdout).toMatch(/field +bills\[0\]\.exportWh\n +stored +77777\n +computed +\d+/);
    const found = await run(["audit", village, "--json"]);
    expect(found.code).toBe(1);
    expect(JSON.parse(found.stdout)).toMatchObject({ equal: false, divergence: { record } });
  });
});

test("bad input ends with a code and an exit code, no stack trace", async () => {
  await inTemporaryDirectory(async (directory) => {
    const village = join(directory, "village");
    expect((await run(["init", village, "--homes", "6"])).code).toBe(0);
    const other = join(directory, "other.json");
    const genesis = JSON.parse(readFileSync(join(village, "genesis.json"), "utf8"));
    writeFileSync(other, JSON.stringify({ ...genesis, networkId: "other" }));
    const text = join(directory, "text");
    writeFileSync(text, "no proof");
    const large = join(directory, "large");
    writeFileSync(large, " ".repeat(PROOF_FILE_BYTES_MAX + 1));
    mkdirSync(join(village, "data"));
    const table = [
      { args: ["audit", join(directory, "nowhere")], code: 3, says: /\[config_invalid\]/ },
      { args: ["audit", village], code: 1, says: /holds no chain's database.*\[file_unreadable\]/ },
      { args: ["audit", village, "--genesis", text], code: 3, says: /\[config_invalid\]/ },
      { args: ["verify", join(directory, "nowhere")], code: 1, says: /\[file_unreadable\]/ },
      { args: ["verify", directory], code: 1, says: /\[(file_unreadable)\]/ },
      { args: ["verify", large], code: 1, says: /larger than.*\[file_unreadable\]/ },
      { args: ["verify", text], code: 1, says: /not JSON.*\[bytes_malformed\]/ },
      { args: ["verify", text, "--key", "12"], code: 2, says: /64 hexadecimal digits/ },
      {
        args: ["verify", text, "--key", "ab".repeat(32), "--genesis", other],
        code: 2,
        says: /cannot be used with/,
      },
      { args: ["verify"], code: 2, says: /missing required argument/ },
    ];
    for (const { args, code, says } of table) {
      const ending = await run(args);
      expect(ending.code, `${args.join(" ")}: ${ending.stderr}`).toBe(code);
      expect(ending.stderr).toMatch(says);
      expect(ending.stderr).not.toMatch(/\n\s+at /);
    }
  });
});
