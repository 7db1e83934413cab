/**
 * Method: build the doors as the dashboard does, in memory, and look at what came in. The bundle
 * must hold @noble and no native engine: a `node:` import breaks only in the member's browser.
 */
import { fileURLToPath } from "node:url";
import { build, type Rolldown } from "vite";
import { expect, test } from "vitest";

const DOORS = ["hash", "merkle", "ed25519", "p256", "secp256k1", "bls", "accelerators"];

test("under the browser condition no door reaches a native engine or a node: module", async () => {
  const folder = fileURLToPath(new URL("../../../services/crypto/", import.meta.url));
  const entry = Object.fromEntries(DOORS.map((door) => [door, `${folder}${door}.ts`]));
  const built = await build({
    configFile: false,
    logLevel: "silent",
    build: { write: false, lib: { entry, formats: ["es"] } },
  });
  const chunks = ([built].flat() as Rolldown.RolldownOutput[])
    .flatMap((result) => result.output)
    .filter((part) => part.type === "chunk");
  const modules = chunks.flatMap((chunk) => Object.keys(chunk.modules));
  expect(modules.filter((id) => id.includes("/portable/")).length).toBe(DOORS.length - 1);
  expect(modules.filter((id) => id.includes("/native/"))).toEqual([]);
  const outside = chunks.flatMap((chunk) => [...chunk.imports, ...chunk.dynamicImports]);
  expect(outside.filter((id) => !chunks.some((chunk) => chunk.fileName === id))).toEqual([]);
  for (const chunk of chunks) expect(chunk.code).not.toMatch(/node:|\brequire\(|createRequire/);
});
