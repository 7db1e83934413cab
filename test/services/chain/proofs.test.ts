/**
 * Method: bills of a chain with several regions, slots that clear together and late bills, each
 * proved against a header that the sequencer signed; then any change anywhere in a proof or a bill
 * must be refused.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import type { BillProof } from "../../../services/chain/access.ts";
import { createApplication } from "../../../services/chain/application.ts";
import { verifyBillProof } from "../../../services/chain/light-client/verify-bill.ts";
import { billProof, decodeReceiptsPath } from "../../../services/chain/proofs.ts";
import { proofKey } from "../../../services/chain/store-keys.ts";
import { ed25519PublicKey, signEd25519 } from "../../../services/crypto/ed25519.ts";
import { toHex } from "../../../services/primitives/bytes.ts";
import type { GridError } from "../../../services/primitives/errors.ts";
import type { UnixSeconds } from "../../../services/primitives/units.ts";
import { BILL_FIELDS, type Bill } from "../../../services/wire/bill.ts";
import { type Header, headerSignedBytes } from "../../../services/wire/header.ts";
import type { SlotRecord } from "../../../services/wire/slot-record.ts";
import { randomBlocks, threeRegions } from "./workload.ts";

const fixture = threeRegions();
const sequencerPublicKey = ed25519PublicKey(fixture.sequencerSecret);

type Proved = { readonly bill: Bill; readonly proof: BillProof };

function header(height: number, appHash: Uint8Array): { header: Header; signature: Uint8Array } {
  const fields: Header = {
    chainVersion: 1,
    networkId: fixture.genesis.networkId,
    height,
    timeS: (fixture.genesis.genesisTimeS + height) as UnixSeconds,
    parentHash: new Uint8Array(32).fill(1),
    transactionsRoot: new Uint8Array(32).fill(2),
    appHash,
  };
  const message = headerSignedBytes(fields);
  const signature = signEd25519({ message, secretKey: fixture.sequencerSecret });
  return { header: fields, signature };
}

/** Every bill of the chain with its proof, made at the end of the chain. */
function provedBills(): Proved[] {
  const app = createApplication({ genesis: fixture.genesis, stored: new Map() });
  app.initChain();
  const stored = new Map<string, Uint8Array>();
  const hashes = new Map<number, Uint8Array>();
  const records: SlotRecord[] = [];
  for (const block of randomBlocks(fixture, "proofs", 7)) {
    const { appHash, slotRecords } = app.finalizeBlock(block);
    for (const { key, value } of app.commit().changes) if (value) stored.set(key, value);
    hashes.set(block.height, appHash);
    records.push(...slotRecords);
  }
  return records.flatMap((record) =>
    [...record.bills].map((bill, leafIndex) => {
      const storedPath = stored.get(proofKey(record.regionIndex, record.slot))!;
      const next = header(record.height + 1, hashes.get(record.height)!);
      return { bill, proof: billProof({ record, storedPath, next, leafIndex }) };
    }),
  );
}

const proved = provedBills();

test("the chain has late bills and slots that cleared together", () => {
  expect(proved.some(({ bill }) => bill.kind === 1)).toBe(true);
  const slotsAt = new Map<number, Set<number>>();
  for (const { bill, proof } of proved) {
    if (bill.kind === 1) continue;
    const slots = slotsAt.get(proof.header.height) ?? new Set();
    slotsAt.set(proof.header.height, slots.add(bill.slot));
  }
  expect(Math.max(...[...slotsAt.values()].map((slots) => slots.size))).toBeGreaterThan(1);
});

test("every bill of every slot is proved", () => {
  expect(proved.length).toBeGreaterThan(7 * 8);
  for (const { bill, proof } of proved) {
    expect(verifyBillProof({ bill, proof, sequencerPublicKey })).toBeNull();
  }
});

test("no two bills share a leaf", () => {
  const leaves = proved.map(({ proof }) => `${proof.regionIndex}/${proof.leafIndex}`);
  expect(new Set(leaves).size).toBe(leaves.length);
});

const example = proved[Math.floor(proved.length / 2)]!;
const step = (bill: Bill, proof: BillProof) =>
  verifyBillProof({ bill, proof, sequencerPublicKey })?.step;

test.each(BILL_FIELDS)("a changed %s is refused", (field) => {
  const { bill, proof } = example;
  const changed = (by: number) =>
    field === "amountUc"
      ? { ...bill, amountUc: bill.amountUc + BigInt(by) }
      : { ...bill, [field]: bill[field] + by };
  expect(step(changed(1) as Bill, proof)).toBe("lanes");
  expect(step(changed(-1) as Bill, proof)).toBe("lanes");
});

test("each way to be wrong names its step", () => {
  const { bill, proof } = example;
  expect(step({ ...bill, importWh: 0.5 }, proof)).toBe("bill");
  expect(step({ ...bill, amountUc: (bill.amountUc + 2n ** 64n) as never }, proof)).toBe("bill");
  expect(step(bill, { ...proof, leafIndex: -1 })).toBe("receipts");
  expect(step(bill, { ...proof, receiptsProof: proof.receiptsProof.slice(1) })).toBe("receipts");
  expect(step(bill, { ...proof, regionIndex: 1024 })).toBe("lanes");
  expect(step(bill, { ...proof, lanesProof: [...proof.lanesProof, new Uint8Array(32)] })).toBe(
    "lanes",
  );
  const other = { ...proof.header, height: -1 };
  expect(step(bill, { ...proof, header: other })).toBe("header");
  const later = { ...proof.header, height: proof.header.height + 1 };
  expect(step(bill, { ...proof, header: later })).toBe("signature");
  expect(step(bill, { ...proof, signature: new Uint8Array(64) })).toBe("signature");
  expect(step(bill, { ...proof, signature: new Uint8Array(3) })).toBe("signature");
  const stranger = ed25519PublicKey(new Uint8Array(32).fill(9));
  expect(verifyBillProof({ bill, proof, sequencerPublicKey: stranger })?.step).toBe("signature");
});

/** All byte strings of a proof, and how to put a changed one back. */
function byteParts(proof: BillProof): { get: Uint8Array; set: (to: Uint8Array) => BillProof }[] {
  const list = (key: "receiptsProof" | "lanesProof") =>
    proof[key].map((get, i) => ({
      get,
      set: (to: Uint8Array) => ({ ...proof, [key]: proof[key].map((n, j) => (j === i ? to : n)) }),
    }));
  const inHeader = (["parentHash", "transactionsRoot", "appHash"] as const).map((key) => ({
    get: proof.header[key],
    set: (to: Uint8Array) => ({ ...proof, header: { ...proof.header, [key]: to } }),
  }));
  const signature = {
    get: proof.signature,
    set: (to: Uint8Array) => ({ ...proof, signature: to }),
  };
  return [...list("receiptsProof"), ...list("lanesProof"), ...inHeader, signature];
}

test("a flipped bit anywhere in any proof is refused", () => {
  fc.assert(
    fc.property(fc.nat(), fc.nat(), fc.nat(), fc.nat(7), (which, part, at, bit) => {
      const { bill, proof } = proved[which % proved.length]!;
      const parts = byteParts(proof);
      const { get, set } = parts[part % parts.length]!;
      const flipped = get.slice();
      flipped[at % get.length]! ^= 1 << bit;
      expect(step(bill, set(flipped))).toBeDefined();
    }),
    { numRuns: 500 },
  );
});

test("a bill is proved at its own place only", () => {
  fc.assert(
    fc.property(fc.nat(), fc.nat(2 ** 41), fc.nat(1100), (which, leafIndex, regionIndex) => {
      const { bill, proof } = proved[which % proved.length]!;
      if (leafIndex !== proof.leafIndex) expect(step(bill, { ...proof, leafIndex })).toBeDefined();
      if (regionIndex !== proof.regionIndex) {
        expect(step(bill, { ...proof, regionIndex })).toBeDefined();
      }
    }),
    { numRuns: 300 },
  );
});

test("a damaged path in the store is found when it is read", () => {
  const place = { regionIndex: 0, slot: fixture.slotAtIndex(0) };
  try {
    decodeReceiptsPath(place, new Uint8Array(40));
    expect.unreachable();
  } catch (failure) {
    expect((failure as GridError).code).toBe("database_corrupt");
    expect((failure as GridError).message).toContain(proofKey(0, place.slot));
  }
});

test("the sequencer's key of genesis is the one that signs", () => {
  expect(fixture.genesis.sequencerPublicKey).toBe(toHex(sequencerPublicKey));
});
