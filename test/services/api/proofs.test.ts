/**
 * Method: every route of proofs, judged by the offline verifier that its readers use; then a table
 * of questions about what is not there, not yet there, or somebody else's.
 */
import { expect, test } from "vitest";
import { type Trust, verifyProofText } from "../../../services/cli/verify-proof.ts";
import type { AbsenceProofAnswer } from "../../../services/wire/proof-answers.ts";
import { type ChainFixture, createChainFixture } from "../../support/chain-fixture.ts";
import { bearer, createHarness } from "./harness.ts";

async function harnessOfSlots() {
  const harness = await createHarness({ slots: 3 });
  const { chain } = harness;
  chain.commitEmpty();
  const trust: Trust = { source: "genesis", genesis: chain.genesis };
  const token = await harness.signIn("harbour", 5);
  const proof = async (path: string) => {
    const answer = await harness.json<object>(`/api/v1/${path}/proof`, bearer(token));
    return { answer, verdict: verifyProofText(JSON.stringify(answer), trust) };
  };
  return { harness, chain, proof, token, slot: chain.firstSlot + 1 };
}

test("the law in force, the law of a slot, and a slot to come are proved to anybody", async () => {
  const { harness, proof, chain, slot } = await harnessOfSlots();
  for (const { id, mechanism } of chain.genesis.regions) {
    const inForce = await proof(`regions/${id}/policy`);
    expect(inForce.verdict).toMatchObject({ kind: "policy", valid: true, region: id });
    expect(inForce.answer).toMatchObject({ policy: { mechanism, fromSlot: chain.firstSlot } });
    const ofSlot = await proof(`regions/${id}/slots/${slot}/policy`);
    expect(ofSlot.verdict).toMatchObject({ kind: "slot-policy", valid: true });
    const pending = await proof(`regions/${id}/slots/${slot + 2}/pending`);
    expect(pending.verdict).toMatchObject({ kind: "pending-slot", valid: true });
    for (const path of ["policy", `slots/${slot}/policy`, `slots/${slot + 9}/pending`]) {
      await harness.json(`/api/v1/regions/${id}/${path}/proof`); // without a session
    }
  }
});

test("a member proves that there is no late bill, for all own meters or one", async () => {
  const { harness, proof, chain, slot, token } = await harnessOfSlots();
  const { answer, verdict } = await proof(`me/absences/${slot}`);
  expect(verdict).toMatchObject({ kind: "absence", valid: true });
  expect(verdict.claim).toMatch(/no late bill of member 5 .* \(2 of the member's 2\)$/);
  const { gaps } = answer as AbsenceProofAnswer;
  const device = gaps[1]!.deviceId.slice(2);
  const path = `/api/v1/me/absences/${slot}/proof?kind=slot&device=${device}`;
  const one = await harness.json<AbsenceProofAnswer>(path, bearer(token)); // a production meter
  const trust: Trust = { source: "genesis", genesis: chain.genesis };
  expect(verifyProofText(JSON.stringify(one), trust)).toMatchObject({ valid: true });
  expect(one.gaps).toHaveLength(1);
});

const deviceOf = (chain: ChainFixture, region: string, memberIndex: number) =>
  chain.genesis.regions
    .find(({ id }) => id === region)!
    .meters.find((meter) => meter.memberIndex === memberIndex)!.deviceId;
const chain = createChainFixture();
const own = deviceOf(chain, "harbour", 5);
const others = deviceOf(chain, "harbour", 4);
const [first, later] = [chain.firstSlot, chain.firstSlot + 50];

test.each([
  { path: `me/readings/${first}/${others}`, status: 404, says: /no meter of yours/ },
  { path: `me/readings/${later}/${own}`, status: 404, says: /no cleared slot/ },
  { path: `me/readings/${first}/xyz`, status: 400, says: /device id/ },
  { path: `me/absences/${first}`, query: `?device=${others}`, status: 404, says: /no meter of/ },
  { path: `me/absences/${first}`, query: "?kind=slot", status: 404, says: /there is a slot bill/ },
  { path: `me/absences/${first}`, query: "?kind=early", status: 400, says: /kind/ },
  { path: `me/absences/${later}`, status: 404, says: /no cleared slot/ },
  { path: "regions/nowhere/policy", status: 404, says: /no region nowhere/ },
  { path: `regions/harbour/slots/${later}/policy`, status: 404, says: /no cleared slot/ },
  { path: `regions/harbour/slots/${first}/pending`, status: 404, says: /the slot has cleared/ },
  { path: "regions/harbour/slots/1e3/policy", status: 400, says: /whole number/ },
])("$path$query answers $status", async ({ path, query = "", status, says }) => {
  const { harness, token } = await harnessOfSlots();
  const url = `/api/v1/${path}/proof${query}`;
  const refused = await harness.json(url, { ...bearer(token), status });
  expect(JSON.stringify(refused)).toMatch(says);
});

test("own proofs need a session", async () => {
  const { harness, slot } = await harnessOfSlots();
  for (const path of [`readings/${slot}/${own}`, `absences/${slot}`, `bills/${slot}/0`]) {
    const refused = await harness.json(`/api/v1/me/${path}/proof`, { status: 401 });
    expect(refused).toMatchObject({ code: "unauthenticated" });
  }
});

test("what the last block changed is proved one block later", async () => {
  const { harness, chain, slot, token } = await harnessOfSlots();
  chain.clearSlot();
  const paths = [
    "regions/harbour/policy",
    `regions/harbour/slots/${slot + 2}/policy`,
    `me/absences/${slot + 2}`,
  ].map((path) => `/api/v1/${path}/proof`);
  for (const path of paths) {
    const early = await harness.json(path, { ...bearer(token), status: 404 });
    expect(early.message).toMatch(/one more block/);
  }
  chain.commitEmpty();
  for (const path of paths) await harness.json(path, bearer(token));
});
