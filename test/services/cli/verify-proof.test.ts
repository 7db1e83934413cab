/**
 * Method: exported proofs of a real chain, as the API writes them, against each kind of trust; then
 * every field changed on its own names its step, every malformed text its code, and a flipped bit
 * anywhere in the file is refused.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { createApplication } from "../../../services/chain/application.ts";
import { billProof } from "../../../services/chain/proofs.ts";
import { proofKey } from "../../../services/chain/store-keys.ts";
import { type Trust, verifyProofText } from "../../../services/cli/verify-proof.ts";
import { signBlock } from "../../../services/ordering/embedded/block.ts";
import { fromHex, toHex, toHex0x } from "../../../services/primitives/bytes.ts";
import { GridError } from "../../../services/primitives/errors.ts";
import { PROOF_FILE_BYTES_MAX } from "../../../services/primitives/limits.ts";
import type { UnixSeconds } from "../../../services/primitives/units.ts";
import type { BillProofAnswer } from "../../../services/wire/api.ts";
import { encodeHeader } from "../../../services/wire/header.ts";
import { randomBlocks, threeRegions } from "../chain/workload.ts";

const fixture = threeRegions();
const { genesis, sequencerSecret: secretKey } = fixture;

function exportedProofs(): BillProofAnswer[] {
  const app = createApplication({ genesis, stored: new Map() });
  app.initChain();
  return randomBlocks(fixture, "verify", 3).flatMap((block) => {
    const { appHash, slotRecords } = app.finalizeBlock(block);
    const stored = new Map(app.commit().changes.map(({ key, value }) => [key, value]));
    const next = signBlock({
      header: {
        ...{ chainVersion: 1, networkId: genesis.networkId, height: block.height + 1 },
        ...{ timeS: block.timeS as UnixSeconds, parentHash: new Uint8Array(32), appHash },
      },
      ...{ transactions: [], secretKey },
    });
    return slotRecords.flatMap((record) =>
      [...record.bills].map((bill, leafIndex) => {
        const storedPath = stored.get(proofKey(record.regionIndex, record.slot))!;
        const proof = billProof({ record, storedPath, next, leafIndex });
        return {
          bill: { ...bill, amountUc: bill.amountUc.toString() },
          region: genesis.regions[record.regionIndex]!.id,
          ...{ regionIndex: proof.regionIndex, leafIndex: proof.leafIndex },
          receiptsProof: proof.receiptsProof.map(toHex0x),
          lanesProof: proof.lanesProof.map(toHex0x),
          header: toHex0x(encodeHeader(proof.header)),
          signature: toHex0x(proof.signature),
          sequencerPublicKey: `0x${genesis.sequencerPublicKey}`,
        };
      }),
    );
  });
}

const exported = exportedProofs();
const answer = exported.at(-1)!;
const byGenesis: Trust = { source: "genesis", genesis };
const publicKey = fromHex(genesis.sequencerPublicKey);
const verify = (value: unknown, trust: Trust = byGenesis) =>
  verifyProofText(JSON.stringify(value), trust);

test("every exported proof holds under each kind of trust, which is named", () => {
  expect(exported.length).toBeGreaterThan(20);
  for (const one of exported) {
    for (const trust of [byGenesis, { source: "key", publicKey }, { source: "file" }] as const) {
      expect(verify(one, trust)).toMatchObject({
        ...{ valid: true, failed: null, keySource: trust.source },
        ...{ sequencerPublicKey: genesis.sequencerPublicKey, networkId: genesis.networkId },
        bill: one.bill,
      });
    }
  }
});

const zeros = (bytes: number) => `0x${"00".repeat(bytes)}`;
test.each([
  { step: "key", change: { sequencerPublicKey: zeros(32) } },
  { step: "names", change: { region: "elsewhere" } },
  { step: "names", change: { regionIndex: answer.regionIndex + 1 } },
  { step: "receipts", change: { leafIndex: -1 } },
  { step: "receipts", change: { receiptsProof: answer.receiptsProof.slice(1) } },
  { step: "receipts", change: { receiptsProof: ["0x", ...answer.receiptsProof.slice(1)] } },
  { step: "lanes", change: { leafIndex: answer.leafIndex + 1 } },
  { step: "lanes", change: { lanesProof: [...answer.lanesProof, zeros(32)] } },
  { step: "lanes", change: { bill: { ...answer.bill, amountUc: `${answer.bill.amountUc}0` } } },
  { step: "bill", change: { bill: { ...answer.bill, amountUc: `9${"0".repeat(40)}` } } },
  { step: "signature", change: { signature: zeros(64) } },
  { step: "signature", change: { signature: "0x" } },
])("a changed $change is refused at $step", ({ step, change }) => {
  expect(verify({ ...answer, ...change })).toMatchObject({ valid: false, failed: step });
});

test("another sequencer's key, genesis or region is not the trusted one", () => {
  const stranger = { source: "key", publicKey: new Uint8Array(32).fill(9) } as const;
  expect(verify(answer, stranger)).toMatchObject({ valid: false, failed: "key" });
  const other = { source: "genesis", genesis: { ...genesis, networkId: "other" } } as const;
  expect(verify(answer, other)).toMatchObject({ valid: false, failed: "names" });
});

test("a file with a key of its own making passes on trust only", () => {
  const forgedKey = { ...answer, sequencerPublicKey: zeros(32) };
  expect(verify(forgedKey, { source: "file" })).toMatchObject({ failed: "signature" });
});

function codeOf(text: string): string {
  try {
    verifyProofText(text, byGenesis);
    return "no refusal";
  } catch (failure) {
    if (!(failure instanceof GridError)) throw failure;
    return `${failure.code} ${(failure as GridError<"bytes_malformed">).facts.what}`;
  }
}

test.each([
  { name: "nothing", text: "", what: "file" },
  { name: "no JSON", text: "{", what: "file" },
  { name: "null", text: "null", what: "file" },
  { name: "another value", text: "[]", what: "file" },
  { name: "no bill", text: JSON.stringify({ ...answer, bill: undefined }), what: "bill" },
  {
    name: "a bill with a fraction",
    text: JSON.stringify({ ...answer, bill: { ...answer.bill, importWh: 0.5 } }),
    what: "bill.importWh",
  },
  {
    name: "money that is no number",
    text: JSON.stringify({ ...answer, bill: { ...answer.bill, amountUc: "1e3" } }),
    what: "bill.amountUc",
  },
  { name: "a digit", text: JSON.stringify({ ...answer, signature: "0x0" }), what: "signature" },
  { name: "no hex", text: JSON.stringify({ ...answer, signature: "zz" }), what: "signature" },
  { name: "no header", text: JSON.stringify({ ...answer, header: "0x80" }), what: "fields" },
  {
    name: "a half sibling",
    text: JSON.stringify({ ...answer, lanesProof: ["0x123", ...answer.lanesProof.slice(1)] }),
    what: "lanesProof[0]",
  },
])("$name is malformed", ({ text, what }) => {
  expect(codeOf(text)).toBe(`bytes_malformed ${what}`);
});

test("a file is read up to its limit", () => {
  const text = JSON.stringify(answer);
  const full = text.padEnd(PROOF_FILE_BYTES_MAX);
  expect(verifyProofText(full, byGenesis).valid).toBe(true);
  expect(codeOf(`${full} `)).toBe("bytes_malformed file");
});

test("a flipped bit anywhere in the file is refused", () => {
  const encoder = new TextEncoder();
  fc.assert(
    fc.property(fc.nat(), fc.nat(), fc.nat(7), fc.boolean(), (which, at, bit, isPretty) => {
      const one = exported[which % exported.length]!;
      const bytes = encoder.encode(JSON.stringify(one, null, isPretty ? 1 : 0));
      bytes[at % bytes.length]! ^= 1 << bit;
      const text = new TextDecoder().decode(bytes);
      let isValid = false;
      try {
        isValid = verifyProofText(text, byGenesis).valid;
      } catch (failure) {
        expect((failure as GridError).code).toBe("bytes_malformed");
      }
      expect(isValid, text).toBe(false);
    }),
    { numRuns: 3000 },
  );
});

test("any text is answered, by a verdict or by a code", () => {
  // Not String(value): an object with a member "toString" has no text of its own.
  const prettyJson = fc.jsonValue().map((value) => JSON.stringify(value, null, 2));
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json(), prettyJson), (text) => {
      expect(codeOf(text)).toMatch(/^bytes_malformed /);
    }),
    { numRuns: 1000 },
  );
  const fields = fc.record({
    ...Object.fromEntries(
      Object.entries(answer).map(([name, value]) => [
        name,
        fc.oneof(fc.constant(value), fc.json()),
      ]),
    ),
    leafIndex: fc.integer(),
    header: fc.uint8Array({ maxLength: 200 }).map((bytes) => `0x${toHex(bytes)}`),
  });
  fc.assert(
    fc.property(fields, (value) => {
      expect(codeOf(JSON.stringify(value))).toMatch(/^(bytes_malformed |no refusal)/);
    }),
    { numRuns: 1000 },
  );
});
