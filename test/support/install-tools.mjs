/**
 * Installs what the tests need and npm cannot give: Debian's chromium (browser tests) and mosquitto
 * (a foreign broker). As root with apt-get it does so itself; otherwise it says exactly what to run.
 * Without them the tests that need them skip visibly.
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";

const TOOLS = [
  { file: "/usr/bin/chromium", packages: ["chromium"] },
  { file: "/usr/sbin/mosquitto", packages: ["mosquitto", "mosquitto-clients"] },
];
const missing = TOOLS.filter((tool) => !existsSync(tool.file)).flatMap((tool) => tool.packages);

if (missing.length > 0) {
  const command = `apt-get update && apt-get install -y ${missing.join(" ")}`;
  const canInstall = process.getuid?.() === 0 && existsSync("/usr/bin/apt-get");
  if (canInstall) {
    process.stdout.write(`installing ${missing.join(" ")} for the tests\n`);
    const run = (args) =>
      spawnSync("apt-get", args, {
        stdio: ["ignore", "ignore", "inherit"],
        env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
      });
    run(["update"]);
    const { status } = run(["install", "-y", "--no-install-recommends", ...missing]);
    if (status !== 0) process.stdout.write(`could not install them; run: ${command}\n`);
  } else {
    process.stdout.write(`some tests will skip without ${missing.join(", ")}; run: ${command}\n`);
  }
}
