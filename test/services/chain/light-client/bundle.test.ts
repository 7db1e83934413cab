/**
 * Method: build the light client as a browser would get it, all verifiers with their cryptography
 * in one file, and weigh it. It must hold no native engine, no `node:` module and no package but
 * @noble.
 */
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build, type Rolldown } from "vite";
import { expect, test } from "vitest";

const GZIPPED_BYTES_MAX = 40_000;
const VERIFIERS = ["verify-bill", "verify-reading", "verify-policy", "verify-absence"];
const ENTRY = "virtual:light-client";

test("the light client with its cryptography stays below 40 kB gzipped", async () => {
  const folder = fileURLToPath(
    new URL("../../../../services/chain/light-client/", import.meta.url),
  );
  const text = [...VERIFIERS, "cometbft/verify", "cometbft/rpc-json"]
    .map((name) => `export * from ${JSON.stringify(`${folder}${name}.ts`)};`)
    .join("\n");
  const built = await build({
    configFile: false,
    logLevel: "silent",
    plugins: [
      {
        name: "entry",
        resolveId: (id) => (id === ENTRY ? id : null),
        load: (id) => (id === ENTRY ? text : null),
      },
    ],
    build: {
      write: false,
      minify: true,
      rolldownOptions: {
        input: ENTRY,
        preserveEntrySignatures: "strict",
        output: { format: "es" },
      },
    },
  });
  const chunks = ([built].flat() as Rolldown.RolldownOutput[])
    .flatMap((result) => result.output)
    .filter((part) => part.type === "chunk");
  expect(chunks).toHaveLength(1);
  const [{ code, exports, modules, imports }] = chunks as [Rolldown.OutputChunk];
  expect(exports).toEqual(
    expect.arrayContaining([
      ...["verifyBillProof", "verifyReadingProof", "verifyPolicyProof", "verifySlotPolicyProof"],
      ...["verifyAbsenceProof", "verifyPendingSlotProof", "verifyLightBlock", "readSignedHeader"],
    ]),
  );
  expect(imports).toEqual([]);
  const names = Object.keys(modules);
  expect(names.filter((id) => /\/native\/|node_modules\/(?!@noble\/)/.test(id))).toEqual([]);
  expect(code).not.toMatch(/node:|\bBuffer\b|\brequire\(/);
  const bytes = gzipSync(code, { level: 9 }).length;
  expect(bytes, `${code.length} bytes minified`).toBeLessThan(GZIPPED_BYTES_MAX);
});
