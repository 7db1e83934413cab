/**
 * Method: proof files of every kind from one chain, as the API writes them. Each holds, says what
 * it claims and names its steps; each field changed on its own names the step at which it fails;
 * and one changed byte anywhere in any of them is refused.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { STEP_WORDS } from "../../../services/chain/light-client/steps.ts";
import { type Trust, verifyProofText } from "../../../services/cli/verify-proof.ts";
import { toHex0x } from "../../../services/primitives/bytes.ts";
import { GridError } from "../../../services/primitives/errors.ts";
import { genesisHash } from "../../../services/wire/genesis.ts";
import type {
  AbsenceProofAnswer,
  PolicyProofAnswer,
} from "../../../services/wire/proof-answers.ts";
import { createProofChain, exportedProofs } from "../../support/proof-chain.ts";

const chain = createProofChain("kinds");
const { genesis } = chain.fixture;
const proofs = exportedProofs(chain);
const byGenesis: Trust = { source: "genesis", genesis };
const KINDS = ["bill", "reading", "policy", "slot-policy", "absence", "pending-slot"] as const;
const ofKind = (kind: string) => proofs.filter((proof) => proof.kind === kind);
const exampleOf = (kind: string) => ofKind(kind).at(-1)!.answer as Record<string, unknown>;
const verify = (answer: object, trust: Trust = byGenesis) =>
  verifyProofText(JSON.stringify(answer), trust);

test.each(KINDS)("every %s proof holds and says its claim and steps", (kind) => {
  const all = ofKind(kind);
  expect(all.length).toBeGreaterThan(2);
  for (const { answer } of all) {
    const verdict = verify(answer);
    expect(verdict).toMatchObject({ kind, valid: true, failed: null });
    expect(verdict.claim).not.toMatch(/undefined|NaN|null/);
    const steps = ["key", "names", ...Object.keys(STEP_WORDS[kind])];
    expect(verdict.steps.map(({ step }) => step)).toEqual(steps);
    expect(verify(answer, { source: "file" }).valid).toBe(true);
  }
});

test("claims, in words", () => {
  const claims = KINDS.map((kind) => verify(exampleOf(kind)).claim);
  expect(claims[1]).toMatch(
    /^the reading of 2023-11-15 \d\d:\d\dZ \(import .* kWh, export .* kWh\)/,
  );
  const law = /mid-market-rate \(retail 30.00, feed-in 8.00 ct\/kWh\) since slot \d+ of genesis/;
  expect(claims[2]).toMatch(law);
  expect(claims[3]).toMatch(/^slot \d+ of south cleared under mid-market-rate/);
  expect(claims[4]).toMatch(/^slot \d+ holds no late bill of member \d of \w+, meters [\d, ]+ \(/);
  expect(claims[5]).toMatch(/^slot \d+ of south is not cleared: \d+ slots are since genesis$/);
});

test("the law is named by the genesis hash", () => {
  const { policy } = exampleOf("policy") as unknown as PolicyProofAnswer;
  expect(policy.lawHash).toBe(toHex0x(genesisHash(genesis)));
});

const zeros = (bytes: number) => `0x${"00".repeat(bytes)}`;
const policy = (change: object) => ({ ...(exampleOf("policy").policy as object), ...change });
const absence = exampleOf("absence") as unknown as AbsenceProofAnswer;
const [gap] = absence.gaps;
const gaps = (change: object) => ({ gaps: [{ ...gap, ...change }] });
const leaf = gap!.before ?? gap!.after!;
const side = gap!.before === null ? "after" : "before";
describe.each([
  ["reading", "names", { slot: 5 }],
  ["reading", "names", { meterIndex: 4_000 }],
  ["reading", "names", { devicePublicKey: zeros(32) }],
  ["reading", "reading", { record: "0x80" }],
  ["reading", "readings", { salt: zeros(31) }],
  ["reading", "readings", { readingsProof: [] }],
  ["reading", "lanes", { salt: zeros(32) }],
  ["reading", "lanes", { lanesProof: [] }],
  ["reading", "signature", { signature: zeros(64) }],
  ["policy", "policy", { policy: policy({ lawHash: zeros(31) }) }],
  ["policy", "policy", { policy: policy({ retailUcPerWh: 10_000_001 }) }],
  ["policy", "state", { stateProof: [] }],
  ["policy", "lanes", { policy: policy({ retailUcPerWh: 29_999 }) }],
  ["policy", "lanes", { policy: policy({ mechanism: "uniform-price" }) }],
  ["policy", "lanes", { policy: policy({ lawHash: zeros(32) }) }],
  ["slot-policy", "names", { slotIndex: 900 }],
  ["slot-policy", "slot", { slotProof: [zeros(32)] }],
  ["slot-policy", "lanes", { policy: policy({ fromSlot: 0 }) }],
  ["absence", "names", { memberIndex: 99 }],
  ["absence", "names", gaps({ deviceId: zeros(16) })],
  ["absence", "gaps", { bills: 0 }],
  ["absence", "gaps", gaps({ index: 0, before: leaf, after: leaf })],
  ["absence", "gaps", gaps({ billKind: gap!.billKind === "late" ? "slot" : "late" })],
  ["absence", "receipts", { slotProof: [] }],
  ["absence", "receipts", gaps({ [side]: { ...leaf, placeProof: [] } })],
  ["absence", "lanes", { bills: absence.bills + 1 }],
  ["pending-slot", "claim", { clearedSlots: 1_000 }],
  ["pending-slot", "claim", { historyRoot: zeros(31) }],
  ["pending-slot", "lanes", { clearedSlots: 0 }],
  ["pending-slot", "lanes", { historyRoot: zeros(32) }],
] as const)("%s fails at %s", (kind, step, change) => {
  test(`with ${JSON.stringify(change).slice(0, 60)}`, () => {
    expect(verify({ ...exampleOf(kind), ...change })).toMatchObject({ failed: step });
  });
});

test("a reading of another device, or signed by another, is no reading of the meter", () => {
  const [one, other] = ofKind("reading").map(({ answer }) => answer as Record<string, unknown>);
  const { record } = other!;
  expect(verify({ ...one, record }).failed).toBe("names");
  expect(verify({ ...one, record }, { source: "file" }).failed).toBe("device");
});

const codeOf = (text: string) => {
  try {
    return verifyProofText(text, byGenesis).valid ? "valid" : "refused";
  } catch (failure) {
    if (!(failure instanceof GridError)) throw failure;
    return failure.code;
  }
};

test.each([
  ["an unknown kind", { ...exampleOf("policy"), kind: "law" }],
  ["a bill that names its kind", { ...exampleOf("bill"), kind: "bill" }],
  ["a kind of every object", { ...exampleOf("policy"), kind: "constructor" }],
  ["a name that nothing reads", { ...exampleOf("policy"), note: "and the moon is made of cheese" }],
  ["no gap", { ...absence, gaps: [] }],
  ["half a byte", { ...exampleOf("policy"), signature: "0x0" }],
])("%s is malformed", (_, answer) => {
  expect(codeOf(JSON.stringify(answer))).toBe("bytes_malformed");
});

test.each(KINDS)("a changed byte anywhere in a %s proof is refused", (kind) => {
  const encoder = new TextEncoder();
  const files = ofKind(kind).map(({ answer }) => encoder.encode(JSON.stringify(answer)));
  fc.assert(
    fc.property(fc.nat(), fc.nat(), fc.integer({ min: 1, max: 255 }), (which, at, change) => {
      const bytes = files[which % files.length]!.slice();
      bytes[at % bytes.length]! ^= change;
      const text = new TextDecoder().decode(bytes);
      expect(codeOf(text), text).toMatch(/^(refused|bytes_malformed)$/);
    }),
    { numRuns: 1500 },
  );
});
