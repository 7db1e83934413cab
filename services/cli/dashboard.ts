/**
 * The built dashboard. There is no build step to remember: a start builds the page where it is
 * missing or older than its sources (a second or two), and then never again.
 */
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../dashboard", import.meta.url));
const DIST = join(ROOT, "dist");

/** @returns the directory of the built page */
export async function buildDashboard(): Promise<string> {
  if (!isFresh()) {
    const { build } = await import("vite");
    await build({ root: ROOT, configFile: join(ROOT, "vite.config.ts"), logLevel: "error" });
  }
  return DIST;
}

function isFresh(): boolean {
  const page = join(DIST, "index.html");
  if (!existsSync(page)) return false;
  const builtMs = statSync(page).mtimeMs;
  const sources = readdirSync(ROOT, { recursive: true, encoding: "utf8" }).filter(
    (name) => !/^(dist|node_modules)(\/|$)/.test(name),
  );
  return sources.every((name) => statSync(join(ROOT, name)).mtimeMs <= builtMs);
}
