/**
 * A week of 17 measured homes through meters, MQTT, oracle, chain, auction and settlement. Method:
 * the four ratios are computed here straight from the CSV's hours, by nothing of ours, and must be
 * met by what the chain settled.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { inTemporaryDirectory, run } from "../support/command.ts";

const CSV = "../shared/data/market/household/citylearn_fontana_hourly/community17_hourly.csv";
const hasData = existsSync(CSV);
if (!hasData) process.stdout.write(`skipped: ${CSV} is absent\n`);

/** Ratios of the hours from `from` on, straight from the table: floats, in kWh. */
function ratiosOfCsv(from: string, hours: number) {
  const [head = "", ...rows] = readFileSync(CSV, "utf8").trim().split("\n");
  const names = head.split(",");
  const start = rows.findIndex((row) => row.startsWith(`${from}T00:00`));
  const homes = names.filter((name) => name.endsWith("_load_kwh")).map((name) => name.slice(0, -9));
  const sum = { load: 0, pv: 0, ownUse: 0, import: 0, export: 0, traded: 0 };
  for (const row of rows.slice(start, start + hours)) {
    const cells = row.split(",");
    const at = (name: string) => Number(cells[names.indexOf(name)]);
    let [imported, exported] = [0, 0];
    for (const home of homes) {
      const [load, pv] = [at(`${home}_load_kwh`), at(`${home}_pv_kwh`)];
      sum.load += load;
      sum.pv += pv;
      sum.ownUse += Math.min(load, pv);
      imported += Math.max(load - pv, 0);
      exported += Math.max(pv - load, 0);
    }
    sum.import += imported;
    sum.export += exported;
    sum.traded += Math.min(imported, exported);
  }
  return {
    selfSufficiencyOwn: sum.ownUse / sum.load,
    selfSufficiencyCommunity: (sum.ownUse + sum.traded) / sum.load,
    selfConsumptionOwn: sum.ownUse / sum.pv,
    selfConsumptionCommunity: (sum.ownUse + sum.traded) / sum.pv,
  };
}

test.skipIf(!hasData)(
  "a June week of 17 measured homes settles to the table's ratios",
  async () => {
    await inTemporaryDirectory(async (directory) => {
      const args = ["demo", "--replay", CSV, "--from", "2017-06-01", "--days", "7"];
      const fast = ["--as-fast-as-possible", "--json", "--data", join(directory, "demo")];
      const { code, stdout, stderr } = await run([...args, ...fast]);
      expect(code, stderr).toBe(0);
      const summary = JSON.parse(stdout);
      expect(summary.slots).toBe(7 * 96);
      expect(summary.regions).toHaveLength(1);
      expect(summary.regions[0]).toMatchObject({ slots: 7 * 96, refusedReadings: 0 });
      expect(summary.appHash).toMatch(/^0x[0-9a-f]{64}$/);
      for (const [name, expected] of Object.entries(ratiosOfCsv("2017-06-01", 7 * 24))) {
        expect(Math.abs(summary[name] - expected), name).toBeLessThan(0.001);
      }
    });
  },
);
