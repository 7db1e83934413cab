/** Method: each frozen vector is what the code writes today, byte for byte; none is missing. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { buildVectors } from "../../vectors/build.ts";

const directory = join(import.meta.dirname, "../../vectors");
const built = buildVectors();

test.each(Object.keys(built))("%s", (name) => {
  expect(built[name]).toEqual(JSON.parse(readFileSync(join(directory, name), "utf8")));
});

test("no vector file is without its builder", () => {
  const files = readdirSync(directory).filter((name) => name.endsWith(".json"));
  expect(files.sort()).toEqual(Object.keys(built).sort());
});
