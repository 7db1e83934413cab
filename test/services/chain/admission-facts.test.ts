/**
 * Method: a counting executor stands where threads would, and the application without one is the
 * reference: the same answers, each signature verified once, memory bounded at its edge.
 */
import { expect, test } from "vitest";
import { createMemberReader, senderOf } from "../../../services/chain/admission-facts.ts";
import { createApplication } from "../../../services/chain/application.ts";
import { type Certified, verifyCertificate } from "../../../services/chain/certificates.ts";
import { Facts } from "../../../services/chain/facts.ts";
import { type LaneExecutor, sequentialExecutor } from "../../../services/chain/lane-executor.ts";
import { randomBlocks, threeRegions } from "./workload.ts";

const fixture = threeRegions();
const blocks = randomBlocks(fixture, "facts", 4);

function counting(): { executor: LaneExecutor; senders: Uint8Array[]; certificates: Certified[] } {
  const senders: Uint8Array[] = [];
  const certificates: Certified[] = [];
  const executor: LaneExecutor = {
    ...sequentialExecutor,
    senders(transactions) {
      senders.push(...transactions);
      return transactions.map(senderOf);
    },
    certificates(work) {
      certificates.push(...work.certificates);
      return work.certificates.map((one) => verifyCertificate(work.publicKeys, one));
    },
  };
  return { executor, senders, certificates };
}

const start = (executor?: LaneExecutor) => {
  const given = executor === undefined ? {} : { executor };
  const app = createApplication({ genesis: fixture.genesis, stored: new Map(), ...given });
  app.initChain();
  return app;
};

test("the same results and app hashes, and each signature is asked for once", () => {
  const plain = start();
  const { executor, senders, certificates } = counting();
  const app = start(executor);
  for (const block of blocks) {
    const { results, appHash } = app.finalizeBlock(block);
    expect({ results, appHash }).toEqual(
      (({ results, appHash }) => ({ results, appHash }))(plain.finalizeBlock(block)),
    );
    app.finalizeBlock(block); // another round of the same block
    app.commit();
    plain.commit();
  }
  const all = blocks.flatMap(({ transactions }) => transactions);
  const members = all.filter((bytes) => bytes[0] === 2);
  expect(senders).toEqual(members);
  expect(certificates).toHaveLength(all.filter((b) => b[0] === 0x67 && b.length > 9).length);
});

test("what checkTx has verified, the block does not verify again", () => {
  const { executor, senders, certificates } = counting();
  const app = start(executor);
  for (const bytes of blocks[0]!.transactions) app.checkTx(bytes);
  app.finalizeBlock(blocks[0]!);
  expect(senders).toEqual([]);
  expect(certificates).toEqual([]);
});

test("a sender that is remembered is the one that the signature gives", () => {
  const reader = createMemberReader();
  const members = blocks.flatMap(({ transactions }) => transactions).filter((b) => b[0] === 2);
  for (const bytes of members) {
    const first = tryRead(reader, bytes);
    expect(tryRead(reader, bytes)).toEqual(first);
    expect(senderOf(bytes)).toEqual(first === null ? null : first.sender);
  }
});

function tryRead(reader: ReturnType<typeof createMemberReader>, bytes: Uint8Array) {
  try {
    return reader(bytes);
  } catch {
    return null;
  }
}

test("facts: as many as allowed are remembered, the oldest goes first", () => {
  const facts = new Facts<number>(3);
  for (const key of ["a", "b", "c"]) facts.put(key, key.charCodeAt(0));
  expect(["a", "b", "c"].map((key) => facts.get(key))).toEqual([97, 98, 99]);
  expect(facts.put("d", 100)).toBe(100);
  expect(["a", "b", "c", "d"].map((key) => facts.get(key))).toEqual([undefined, 98, 99, 100]);
});
