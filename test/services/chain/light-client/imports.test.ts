/**
 * Method: follow the imports of the browser's verifiers. What they reach at run time must be small:
 * primitives, wire, crypto and its own folder.
 */
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";

const STARTS = [
  ...["verify-bill", "verify-reading", "verify-policy", "verify-absence"],
  ...["cometbft/verify", "cometbft/rpc-json"],
].map((name) => `services/chain/light-client/${name}.ts`);
const ALLOWED = /^services\/(primitives|wire|crypto|chain\/light-client)\//;

/** Imports that are left after types are erased. */
function runtimeImports(path: string): string[] {
  const text = readFileSync(path, "utf8");
  const imports = text.matchAll(/^import (?!type )(?:[^"]*? from )?"([^"]+)";/gms);
  return [...imports].map((match) => match[1]!);
}

test("the verifiers reach nothing of the chain but themselves, and no schema library", () => {
  const seen = new Set<string>();
  const packages = new Set<string>();
  const queue = [...STARTS];
  for (let path = queue.pop(); path !== undefined; path = queue.pop()) {
    if (seen.has(path)) continue;
    seen.add(path);
    for (const target of runtimeImports(path)) {
      if (target.startsWith(".")) queue.push(join(dirname(path), target));
      else packages.add(target);
    }
  }
  expect([...seen].filter((path) => !ALLOWED.test(path))).toEqual([]);
  expect([...packages].filter((name) => !/^(#native\/|@noble\/)/.test(name))).toEqual([]);
  expect(seen.size).toBeGreaterThan(5);
});
