/** Method: what cannot be meant on the command line is refused by code, before anything is read. */

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { auditCommand } from "../../../services/cli/audit.ts";
import { pairCommand } from "../../../services/cli/pair.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";
import { threeRegions } from "../chain/workload.ts";

const directory = temporaryDirectory();
const genesis = join(directory, "genesis.json");
writeFileSync(genesis, JSON.stringify(threeRegions().genesis));
writeFileSync(join(directory, "gridlane.yaml"), "version: 1\n");
const nowhere = ["--url", "http://127.0.0.1:1"];
const remote = [...nowhere, "--genesis", genesis];
const token = ["--token", "ab".repeat(32)];
const snapshot = ["--from-snapshot", join(directory, "none")];

const rows: readonly (readonly [string, readonly string[], string, RegExp])[] = [
  ["a node without a genesis", [...nowhere, ...token], "argument_invalid", /needs --genesis/],
  ["a node without a token", remote, "argument_invalid", /needs an auditor's token/],
  ["a token that is none", [...remote, "--token", "12"], "argument_invalid", /auditor's token/],
  ["a token for a directory", [directory, ...token], "argument_invalid", /goes with --url/],
  [
    "no address",
    ["--url", "village", ...remote.slice(2), ...token],
    "argument_invalid",
    /no address/,
  ],
  ["a hash alone", [directory, "--trusted-hash", "00"], "argument_invalid", /--from-snapshot/],
  ["a snapshot alone", [directory, ...snapshot], "argument_invalid", /needs --trusted-hash/],
  ["a short hash", [directory, ...snapshot, "--trusted-hash", "00"], "argument_invalid", /64 hex/],
  [
    "no snapshot there",
    [...remote, ...token, ...snapshot, "--trusted-hash", "ab".repeat(32)],
    "snapshot_invalid",
    /none/,
  ],
  ["no directory", [join(directory, "nowhere")], "config_invalid", /gridlane\.yaml/],
];

test.each(rows)("audit: %s", async (_, args, code, says) => {
  const command = auditCommand().exitOverride();
  const outcome = command.parseAsync([...args], { from: "user" });
  await expect(outcome).rejects.toMatchObject({ code, message: expect.stringMatching(says) });
});

test.each([
  ["nobody", []],
  ["a region and an auditor", ["hill", "--auditor"]],
  ["a region without a member", ["hill"]],
])("pair: %s", async (_, args) => {
  const outcome = pairCommand().exitOverride().parseAsync(args, { from: "user" });
  await expect(outcome).rejects.toMatchObject({
    ...{ code: "argument_invalid", message: expect.stringMatching(/one of them/) },
  });
});

test.each([
  ["audit", ["--workers", "17"]],
  ["audit", ["--workers", "-1"]],
  ["pair", ["--auditor", "--days", "0"]],
  ["pair", ["--auditor", "--days", "367"]],
])("%s: out of range: %o", async (name, args) => {
  const command = (name === "audit" ? auditCommand() : pairCommand()).exitOverride();
  command.configureOutput({ writeErr: () => {} });
  const outcome = command.parseAsync(args, { from: "user" });
  await expect(outcome).rejects.toMatchObject({ code: "commander.invalidArgument" });
});
