/**
 * Method: the commands as an operator types them, against the API in process (only the socket is
 * missing), over a fixture chain with a region that is out. The orders themselves are tested with a
 * real node in `test/integration/upgrade.test.ts`.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test, vi } from "vitest";
import { doctorCommand } from "../../../services/cli/doctor.ts";
import { lanesCommand } from "../../../services/cli/lanes.ts";
import { statusCommand } from "../../../services/cli/status.ts";
import { upgradeCommand } from "../../../services/cli/upgrade.ts";
import { createKeys } from "../../../services/node/keys.ts";
import { createChainFixture } from "../../support/chain-fixture.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";
import { createHarness } from "../api/harness.ts";

afterEach(() => {
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
  process.exitCode = undefined;
});

async function setUp() {
  const chain = createChainFixture();
  const harness = await createHarness({ chain, slots: 2 });
  await harness.api.warmed;
  chain.quarantine(1);
  for (let i = 0; i < 3; i++) chain.clearSlot();
  vi.stubGlobal("fetch", (url: string, init?: RequestInit) =>
    harness.request(new URL(url).pathname, init),
  );
  const texts = { out: "", talk: "" };
  vi.spyOn(process.stdout, "write").mockImplementation((text) => {
    texts.out += String(text);
    return true;
  });
  vi.spyOn(process.stderr, "write").mockImplementation((text) => {
    texts.talk += String(text);
    return true;
  });
  const { id } = chain.genesis.regions[1]!;
  return { chain, id, texts };
}

const AT = ["--url", "http://node"];

test("lanes list shows who is out, since when, and the way back", async () => {
  const { chain, id, texts } = await setUp();
  await lanesCommand().parseAsync(["list", ...AT], { from: "user" });
  const since = chain.firstSlot + 2;
  expect(texts.out).toMatch(new RegExp(`${id}\\s+quarantined\\s+${since}\\s+open\\s+3`));
  expect(texts.out).toMatch(/meadow\s+in the market/);
  expect(texts.talk).toContain(`gridlane lanes release ${id}`);
  texts.out = "";
  await lanesCommand().parseAsync(["list", ...AT, "--json"], { from: "user" });
  const lanes = JSON.parse(texts.out) as { region: string; quarantine: unknown }[];
  expect(lanes.filter(({ quarantine }) => quarantine !== null)).toMatchObject([
    { region: id, quarantine: { standing: "quarantined", sinceSlot: since, missedSlots: 3 } },
  ]);
});

test("status says it and stays at exit code 0: the node is ready", async () => {
  const { chain, id, texts } = await setUp();
  await statusCommand().parseAsync(AT, { from: "user" });
  const since = `since slot ${chain.firstSlot + 2} (its open step broke an invariant)`;
  expect(texts.out).toContain(`region ${id} is quarantined ${since}, 3 slots missed`);
  expect(process.exitCode).toBeUndefined();
});

test("doctor names the region and the fix", async () => {
  const { id, texts } = await setUp();
  const directory = temporaryDirectory();
  mkdirSync(directory, { recursive: true });
  const config = join(directory, "gridlane.yaml");
  writeFileSync(config, "version: 1\n");
  await doctorCommand().parseAsync(["--config", config, "--json"], { from: "user" });
  const { findings } = JSON.parse(texts.out) as { findings: { check: string }[] };
  expect(findings.filter(({ check }) => check === "lanes")).toEqual([
    {
      ...{ check: "lanes", result: "fail" },
      message: expect.stringContaining(`region ${id} is quarantined`),
      fix: expect.stringContaining(`gridlane lanes release ${id}`),
    },
  ]);
});

test("upgrade list says the version in force", async () => {
  const { texts } = await setUp();
  await upgradeCommand().parseAsync(["list", ...AT], { from: "user" });
  expect(texts.out).toBe("version 1 for the next block, 6\n");
});

test("an order with a key that is not the committee's is refused before it is sent", async () => {
  const { chain, id } = await setUp();
  const directory = temporaryDirectory();
  mkdirSync(directory, { recursive: true });
  createKeys(join(directory, "keys"));
  writeFileSync(join(directory, "genesis.json"), JSON.stringify(chain.genesis));
  const config = join(directory, "gridlane.yaml");
  writeFileSync(config, "version: 1\n");
  const release = lanesCommand().parseAsync(["release", id, "--config", config, ...AT], {
    from: "user",
  });
  await expect(release).rejects.toMatchObject({
    code: "config_invalid",
    message: expect.stringContaining("not one of its committee"),
  });
  expect(chain.submitted).toEqual([]);
});
