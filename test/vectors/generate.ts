/**
 * Writes the golden vectors that do not exist yet: `npm run vectors`. It never overwrites one: a
 * frozen vector that no longer holds is a changed format, and that needs a new version of it.
 */
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { buildVectors } from "./build.ts";

for (const [name, content] of Object.entries(buildVectors())) {
  const file = join(import.meta.dirname, name);
  if (existsSync(file)) {
    process.stderr.write(`${name} is frozen: left as it is\n`);
  } else {
    writeFileSync(file, `${JSON.stringify(content, null, 2)}\n`);
    process.stderr.write(`${name} written\n`);
  }
}
