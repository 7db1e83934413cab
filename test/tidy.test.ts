/**
 * The code's own shape, tested like any behaviour: layers, homes of packages, purity, line length.
 * Method: the rules are pure functions over {path, text}; the tree must pass them, and each must be
 * seen to fail on a planted violation.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";

/** Folder -> folders it may import, bottom layer first. ARCHITECTURE.md explains each row. */
const MAY_IMPORT: Record<string, readonly string[]> = {
  "services/primitives": [],
  "services/crypto": ["services/primitives"],
  "services/wire": ["services/primitives", "services/crypto"],
  "services/market": ["services/primitives", "services/crypto", "services/wire"],
  "services/metering": ["services/primitives", "services/crypto", "services/wire"],
  "services/ledger": ["services/primitives", "services/crypto", "services/wire"],
  "services/settlement": [
    ...["services/primitives", "services/crypto", "services/wire"],
    ...["services/market", "services/metering", "services/ledger"],
  ],
  "services/chain": [
    ...["services/primitives", "services/crypto", "services/wire", "services/market"],
    ...["services/metering", "services/ledger", "services/settlement"],
  ],
  "services/ordering": [
    "services/primitives",
    "services/crypto",
    "services/wire",
    "services/chain",
  ],
  "services/oracle": [
    ...["services/primitives", "services/crypto", "services/wire", "services/metering"],
    ...["services/ledger", "services/chain"],
  ],
  "services/broker": ["services/primitives", "services/crypto", "services/wire"],
  "services/api": [
    ...["services/primitives", "services/crypto", "services/wire", "services/metering"],
    ...["services/settlement", "services/chain"],
  ],
  "services/node": [
    ...["services/primitives", "services/crypto", "services/wire", "services/metering"],
    ...["services/settlement", "services/chain", "services/ordering", "services/oracle"],
    ...["services/broker", "services/api"],
  ],
  "firmware-sim": ["services/primitives", "services/crypto", "services/wire"],
  dashboard: ["services/primitives", "services/wire", "services/crypto", "services/chain"],
  "services/gateway": [
    ...["services/primitives", "services/crypto", "services/wire", "services/metering"],
    ...["services/oracle", "firmware-sim"],
  ],
  "services/cli": [
    ...["services/primitives", "services/crypto", "services/wire", "services/market"],
    ...["services/metering", "services/chain", "services/ordering", "services/oracle"],
    ...["services/api", "services/node", "firmware-sim", "services/gateway"],
  ],
};
/** Third-party package -> the folders that are its home. Everything else wraps or receives it. */
const HOMES: Record<string, readonly string[]> = {
  "@noble/curves": ["services/crypto"],
  "@noble/hashes": ["services/crypto"],
  "sodium-native": ["services/crypto"],
  secp256k1: ["services/crypto"],
  "@chainsafe/blst": ["services/crypto"],
  "@chainsafe/hashtree": ["services/crypto"],
  zod: ["services/wire", "services/api", "services/node", "services/cli"],
  level: ["services/ordering", "services/oracle", "services/node", "firmware-sim"],
  aedes: ["services/broker"],
  "aedes-persistence": ["services/broker"],
  mqtt: ["services/broker", "firmware-sim", "services/gateway"],
  hono: ["services/api"],
  "@hono/node-server": ["services/api"],
  "@hono/zod-openapi": ["services/api"],
  "node-cron": ["services/node"],
  pino: ["services/node"],
  "prom-client": ["services/node", "services/api"],
  yaml: ["services/node", "services/cli"],
  commander: ["services/cli"],
  vite: ["services/cli", "dashboard"],
  preact: ["dashboard"],
  "@preact/signals": ["dashboard"],
  "chart.js": ["dashboard"],
  "chartjs-plugin-annotation": ["dashboard"],
};
/** The dashboard may bundle of the chain only what verifies it; of the oracle, formats are free. */
const FORMATS = /^services\/oracle\/(adapters\/|ocmf-signature)/;
const NARROW: readonly (readonly [string, string, RegExp])[] = [
  ["dashboard", "services/chain", /^services\/chain\/light-client\//],
  ["services/gateway", "services/oracle", FORMATS],
  ["services/cli", "services/oracle", FORMATS],
];
/** Layers that give the same bytes on every machine, and what they may therefore not say. */
const PURE = [
  ...["services/primitives", "services/crypto", "services/wire", "services/market"],
  ...["services/metering", "services/ledger", "services/settlement", "services/chain"],
  "services/oracle/adapters", // of the oracle, the part that reads foreign bytes
];
const BANNED: readonly (readonly [RegExp, string])[] = [
  [/\bDate\.now\b|\bnew Date\b|\bDate\(|\bperformance\.now\b/, "take a slot or a time"],
  [/\bMath\.random\b|\brandomUUID\b|\brandomBytes\b/, "take a Prng or bytes as an argument"],
  [/\bset(Timeout|Interval|Immediate)\b|\bqueueMicrotask\b/, "take a Clock as an argument"],
  [/\bprocess\.|\bfetch\(|\bWebSocket\b|\brequire\(/, "I/O belongs to the outer layers"],
  [/\basync\b|\bawait\b|\bnew Promise\b/, "a state transition runs to completion"],
  [/\bparseFloat\b|\btoFixed\b|\blocaleCompare\b|\btoLocaleString\b|\bIntl\./, "integers only"],
  [/\bMath\.(exp|pow|log\w*|sin|cos|tan|sqrt|cbrt)\b/, "not bit-stable across engines"],
];
/** Only the engines of `crypto` may reach for Node's own cryptography. */
const NODE_ALLOWED = /^services\/crypto\/native\//;
/** A division says how it rounds: Math.floor(a / b), BigInt(a) / BigInt(b), or it stands here. */
const ROUNDS = /Math\.(floor|ceil|trunc)\(|BigInt\(/;
const DIVIDES = new RegExp(
  `^services/(${[
    ...["ledger/apportion", "primitives/prng", "market/ration", "market/rules"],
    ...["market/offline-mechanisms", "market/mechanisms/supply-demand-ratio"],
  ].join("|")})\\.ts$`,
);

type Source = { readonly path: string; readonly text: string };

const folders = Object.keys(MAY_IMPORT);
const sources: Source[] = [...folders, "test"]
  .flatMap((folder) =>
    readdirSync(folder, { recursive: true, encoding: "utf8" })
      .filter((name) => /\.tsx?$/.test(name) && !/(^|\/)(dist|node_modules)\//.test(name))
      .map((name) => join(folder, name)),
  )
  .map((path) => ({ path, text: readFileSync(path, "utf8") }));

function folderOf(path: string): string | undefined {
  return folders.find((folder) => path.startsWith(`${folder}/`));
}

/** Source without comments, strings kept: an import in a comment is no import. */
function code(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\/|(^|[^:"'`])\/\/.*/g, "$1");
}

function importsOf({ text }: Source): string[] {
  const forms = [
    /(?:^|\n)\s*(?:import|export)\b[^"';]*?\bfrom\s*"([^"]+)"/g,
    /(?:^|\n)\s*import\s*"([^"]+)"/g,
    /\b(?:import|require)\(\s*"([^"]+)"\s*\)/g,
    /new URL\(\s*"([^"]+\.ts)"\s*,\s*import\.meta\.url\s*\)/g,
  ];
  return forms.flatMap((form) => [...code(text).matchAll(form)].map(([, to = ""]) => to));
}

function packageOf(specifier: string): string {
  return specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");
}

function importFault(source: Source, to: string): string | null {
  const folder = folderOf(source.path);
  if (folder === undefined) return null;
  if (to.startsWith("node:")) return null; // judged by purity
  if (to.startsWith("#native/")) return folder === "services/crypto" ? null : "crypto's own door";
  if (!to.startsWith(".")) {
    return HOMES[packageOf(to)]?.includes(folder) ? null : `no home of ${packageOf(to)}`;
  }
  const target = join(dirname(source.path), to);
  if (!/\.(tsx?|css|json|svg)$/.test(target) && !existsSync(target)) return "write the ending";
  const reached = folderOf(target);
  if (reached === folder) return null;
  if (reached === undefined || !(MAY_IMPORT[folder] ?? []).includes(reached)) {
    return "imports run downwards";
  }
  const narrow = NARROW.find(([from, into]) => from === folder && into === reached);
  return narrow === undefined || narrow[2].test(target) ? null : `only ${narrow[2].source}`;
}

function importFaults(list: readonly Source[]): string[] {
  return list.flatMap((source) =>
    importsOf(source).flatMap((to) => {
      const fault = importFault(source, to);
      return fault === null ? [] : [`${source.path}: "${to}": ${fault}`];
    }),
  );
}

function purityFaults(list: readonly Source[]): string[] {
  return list
    .filter(({ path }) => PURE.some((folder) => path.startsWith(`${folder}/`)))
    .flatMap(({ path, text }) => {
      const body = code(text);
      const faults = BANNED.filter(([word]) => word.test(body)).map(([, use]) => use);
      if (/["']node:/.test(body) && !NODE_ALLOWED.test(path)) faults.push("no node: modules");
      const divisions = body.split("\n").filter((line) => {
        return / \/ /.test(line.replace(/"[^"]*"|`[^`]*`/g, "")) && !ROUNDS.test(line);
      });
      if (divisions.length > 0 && !DIVIDES.test(path)) faults.push(`divides: ${divisions[0]}`);
      return faults.map((fault) => `${path}: ${fault}`);
    });
}

function layoutFaults(list: readonly Source[]): string[] {
  return list
    .filter(({ text }) => text.split("\n").some((line) => line.length > 100))
    .map(({ path }) => `${path}: a line exceeds 100 columns`);
}

test("the layer table has no circle and no missing row", () => {
  folders.forEach((folder, i) => {
    for (const below of MAY_IMPORT[folder] ?? []) {
      expect(folders.indexOf(below), `${folder} -> ${below}`).toBeLessThan(i);
    }
  });
  const services = readdirSync("services").map((name) => `services/${name}`);
  expect(services.filter((folder) => !folders.includes(folder))).toEqual([]);
});

test("every import is in its own folder, an allowed one, or a package with its home there", () => {
  expect(importFaults(sources)).toEqual([]);
});

test("primitives to chain are pure", () => {
  expect(purityFaults(sources)).toEqual([]);
});

test("lines are at most 100 columns", () => {
  expect(layoutFaults(sources)).toEqual([]);
});

test("every folder says what it owns", () => {
  const owners = [...folders, "dao", "test"].filter((folder) => {
    return !existsSync(join(folder, "README.md"));
  });
  expect(owners).toEqual([]);
});

test("every package of the manifest has a home, and every home is a package", () => {
  const manifest = JSON.parse(readFileSync("package.json", "utf8"));
  const runtime = Object.keys(manifest.dependencies).filter((name) => name !== "tsx");
  expect(runtime.filter((name) => !(name in HOMES))).toEqual([]);
  expect(Object.keys(HOMES).filter((name) => !runtime.includes(name))).toEqual([]);
});

test.each([
  ["upward import", "services/market/x.ts", 'import { a } from "../chain/lane.ts";'],
  ["sideways import", "services/ledger/x.ts", 'import type { A } from "../market/orders.ts";'],
  ["package away from home", "services/chain/x.ts", 'import { Level } from "level";'],
  ["subpath away from home", "services/api/x.ts", 'import { p256 } from "@noble/curves/nist.js";'],
  ["dynamic import", "services/wire/x.ts", 'const m = await import("mqtt");'],
  ["require", "services/wire/x.ts", 'const m = require("mqtt");'],
  ["worker", "services/wire/x.ts", 'new URL("../node/worker.ts", import.meta.url)'],
  ["folder import", "services/wire/x.ts", 'import { a } from "../primitives/units";'],
  ["whole chain in the page", "dashboard/x.ts", 'import { a } from "../services/chain/lane.ts";'],
  ["multi-line import", "services/market/x.ts", 'import {\n  a,\n} from "../node/node.ts";'],
])("a planted %s is reported", (_, path, text) => {
  expect(importFaults([{ path, text }])).toHaveLength(1);
});

test.each([
  ["clock", "const t = Date.now();"],
  ["date", "const t = new Date(0);"],
  ["randomness", "const r = Math.random();"],
  ["timer", "setInterval(f, 1);"],
  ["promise", "async function f() {}"],
  ["node module", 'import { readFileSync } from "node:fs";'],
  ["float", "const half = a / 2;"],
  ["locale", "list.sort((a, b) => a.localeCompare(b));"],
  ["unstable function", "const x = Math.exp(1);"],
])("a planted %s in a pure layer is reported", (_, text) => {
  expect(purityFaults([{ path: "services/chain/x.ts", text }])).toHaveLength(1);
});

test("words in comments and exact floors are no violation", () => {
  const text = "// new Date() is banned; a / b too\nconst n = Math.floor(a / b);\n";
  expect(purityFaults([{ path: "services/chain/x.ts", text }])).toEqual([]);
  const comment = '/* import { a } from "../node/node.ts"; */';
  expect(importFaults([{ path: "services/wire/x.ts", text: comment }])).toEqual([]);
});
