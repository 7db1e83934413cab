/**
 * Method: records with a good seal and another form inside, as a table: found by the fuzzer, or
 * next to what it found. Each is a coded refusal that names the record.
 */
import { expect, test } from "vitest";
import { createApplication } from "../../../services/chain/application.ts";
import { decodeReceiptsPath } from "../../../services/chain/proofs.ts";
import { sealRecord } from "../../../services/chain/sealed-record.ts";
import { admissionKey, HEAD_KEY, proofKey } from "../../../services/chain/store-keys.ts";
import type { CodecValue } from "../../../services/primitives/codec.ts";
import { GridError } from "../../../services/primitives/errors.ts";
import { randomBlocks, threeRegions } from "./workload.ts";

const fixture = threeRegions();
const { genesis } = fixture;

function storeOfChain(): Map<string, Uint8Array> {
  const app = createApplication({ genesis, stored: new Map() });
  app.initChain();
  const stored = new Map<string, Uint8Array>();
  for (const block of randomBlocks(fixture, "hostile", 3)) {
    app.finalizeBlock(block);
    for (const { key, value } of app.commit().changes) {
      if (value === null) stored.delete(key);
      else stored.set(key, value);
    }
  }
  return stored;
}
const stored = storeOfChain();
const hash = new Uint8Array(32);
const members = genesis.regions[0]!.members.length;
const place = { regionIndex: 0, slot: fixture.slotAtIndex(0) };
const pathKey = proofKey(place.regionIndex, place.slot);

function refusal(run: () => unknown): string {
  try {
    run();
    return "accepted";
  } catch (failure) {
    if (!(failure instanceof GridError)) throw failure;
    return `${failure.code}: ${failure.message}`;
  }
}

test.each<{ key: string; value: CodecValue }>([
  { key: HEAD_KEY, value: [1, 2, 3, 4] },
  { key: HEAD_KEY, value: [hash, 2, 3, 4] },
  { key: HEAD_KEY, value: [hash, -1, 3, hash] },
  { key: HEAD_KEY, value: [hash, 2, 2n ** 60n, hash] },
  { key: HEAD_KEY, value: [hash, 2, 3] },
  { key: admissionKey(0), value: new Array(members).fill(null) },
  { key: admissionKey(0), value: new Array(members).fill("1") },
  { key: admissionKey(0), value: new Array(members).fill(-1) },
  { key: admissionKey(0), value: new Array(members + 1).fill(0) },
])("$key of another form stops the start", ({ key, value }) => {
  const hostile = new Map(stored).set(key, sealRecord(key, value));
  const answer = refusal(() => createApplication({ genesis, stored: hostile }));
  expect(answer).toMatch(/^database_corrupt: /);
  expect(answer).toContain(key);
});

test.each<{ value: CodecValue }>([
  { value: [0, new Uint8Array(31)] },
  { value: [0, new Uint8Array(0)] },
  { value: [-1, hash] },
  { value: [2n ** 60n, hash] },
  { value: [hash, 0] },
  { value: null },
])("a receipts path of another form is refused: $value", ({ value }) => {
  const answer = refusal(() => decodeReceiptsPath(place, sealRecord(pathKey, value)));
  expect(answer).toMatch(/^database_corrupt: /);
});
