/** A database on disk in a directory of its own, gone after the test. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Level } from "level";
import { onTestFinished } from "vitest";
import type { KeyValues } from "../../../services/api/key-values.ts";

export async function openLevel(): Promise<KeyValues> {
  const directory = await mkdtemp(join(tmpdir(), "gridlane-api-"));
  const level = new Level<string, Uint8Array>(directory, { valueEncoding: "view" });
  onTestFinished(async () => {
    await level.close();
    await rm(directory, { recursive: true });
  });
  return level.sublevel<string, Uint8Array>("api", { valueEncoding: "view" });
}
