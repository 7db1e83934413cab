/**
 * Writes the golden vectors that do not exist yet: `npm run vectors`. It never overwrites one: a
 * frozen vector that no longer holds is a changed format, and that needs a new version of it.
 *
 * Before the first release of a chain version its log may be made again, and only then:
 * `npm run vectors -- --remake-unreleased-log` (README.md).
 */
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { buildVectors } from "./build.ts";
import { encodeGoldenLog, GOLDEN_LOG_FILE } from "./golden-log.ts";
import { buildGoldenLog } from "./golden-scenario.ts";

const REMAKE = "--remake-unreleased-log";

function write(name: string, content: () => string | Uint8Array, frozen: "kept" | "remade"): void {
  const file = join(import.meta.dirname, name);
  if (existsSync(file) && frozen === "kept") {
    process.stderr.write(`${name} is frozen: left as it is\n`);
    return;
  }
  writeFileSync(file, content());
  process.stderr.write(`${name} written\n`);
}

const [flag, ...more] = process.argv.slice(2);
if (more.length > 0 || (flag !== undefined && flag !== REMAKE)) {
  process.stderr.write(`vectors: the only option is ${REMAKE}\n`);
  process.exitCode = 2;
} else {
  for (const [name, content] of Object.entries(buildVectors())) {
    write(name, () => `${JSON.stringify(content, null, 2)}\n`, "kept");
  }
  const log = () => encodeGoldenLog(buildGoldenLog());
  write(GOLDEN_LOG_FILE, log, flag === REMAKE ? "remade" : "kept");
}
