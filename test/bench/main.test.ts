/** Method: the command as a person types it; what it measures is no test's business. */
import { spawnSync } from "node:child_process";
import { expect, test } from "vitest";

test.each([[], ["nothing"], ["market", "twice"]])(
  "without one known name the benches are listed: %s",
  (...names) => {
    const args = ["--import", "tsx", "test/bench/main.ts", ...names];
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
    expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
    expect(stderr).toContain("npm run bench -- market | chain | broker | oracle | audit | restart");
  },
);
