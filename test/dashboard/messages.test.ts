/**
 * Method: the messages file against the sources that read it: every text is used, every plural has
 * both its forms, and no text carries markup.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

const messages: Record<string, string> = JSON.parse(
  readFileSync("dashboard/messages/en.json", "utf8"),
);
const sources = readdirSync("dashboard/src", { recursive: true, encoding: "utf8" })
  .filter((file) => /\.tsx?$/.test(file))
  .map((file) => readFileSync(join("dashboard/src", file), "utf8"))
  .join("\n");

test("every text is used by its key, or by a key that is put together", () => {
  const stems = [...sources.matchAll(/`([a-z]+(?:\.[a-zA-Z]+)*\.?[a-zA-Z]*)\$\{/g)].map(
    (m) => m[1]!,
  );
  const unused = Object.keys(messages).filter((key) => {
    const name = key.replace(/_(one|other)$/, "");
    return !sources.includes(`"${name}"`) && !stems.some((stem) => name.startsWith(stem));
  });
  expect(unused).toEqual([]);
});

test("plurals come in pairs, and texts are plain", () => {
  const keys = Object.keys(messages);
  const lonely = keys.filter((key) => {
    const twin = key.replace(/_one$/, "_other");
    return key.endsWith("_one") && !keys.includes(twin);
  });
  expect(lonely).toEqual([]);
  for (const text of Object.values(messages)) expect(text).not.toMatch(/[<>]|^\s|\s$/);
});
