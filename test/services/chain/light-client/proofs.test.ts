/**
 * Method: every kind of proof, over every slot, meter, member and kind of bill of a chain: what is
 * so is proved, what is not so has no proof, and a prover who moves a true proof to another claim,
 * place, slot or region, or mixes two true ones, is refused.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { createApplication } from "../../../../services/chain/application.ts";
import {
  type AbsenceProof,
  type Gap,
  verifyAbsenceProof,
  verifyPendingSlotProof,
} from "../../../../services/chain/light-client/verify-absence.ts";
import {
  verifyPolicyProof,
  verifySlotPolicyProof,
} from "../../../../services/chain/light-client/verify-policy.ts";
import { verifyReadingProof } from "../../../../services/chain/light-client/verify-reading.ts";
import {
  absenceProof,
  pendingSlotProof,
  policyProof,
  readingProof,
  slotPolicyProof,
} from "../../../../services/chain/proofs.ts";
import { fromHex } from "../../../../services/primitives/bytes.ts";
import { BILL_KIND, compareLeaves } from "../../../../services/wire/bill.ts";
import { createProofChain, metersOf } from "../../../support/proof-chain.ts";

const chain = createProofChain("light client", 7);
const { fixture, slots, view, signed } = chain;
const { genesis } = fixture;
const sequencerPublicKey = fromHex(genesis.sequencerPublicKey);
const KINDS = Object.values(BILL_KIND);

const absenceStep = (proof: AbsenceProof) =>
  verifyAbsenceProof({ proof, sequencerPublicKey })?.step ?? null;

test("the chain has what the proofs are about", () => {
  const bills = slots.flatMap(({ record }) => [...record.bills]);
  const late = bills.filter(({ kind }) => kind === BILL_KIND.late);
  expect(late.length).toBeGreaterThan(20);
  for (const { record } of slots) {
    for (let i = 1; i < record.bills.length; i++) {
      expect(compareLeaves(record.bills.at(i - 1)!, record.bills.at(i)!)).toBeLessThan(0);
    }
  }
  // Two late bills of one meter in one slot, for two slots of delivery.
  const twice = slots.some(({ record }) => {
    const meters = [...record.bills]
      .filter(({ kind }) => kind === 1)
      .map((bill) => bill.meterIndex);
    return new Set(meters).size < meters.length;
  });
  expect(twice).toBe(true);
});

test("a bill that is not there is proved absent, one that is there is not", () => {
  let absent = 0;
  for (const { record, anchor } of slots) {
    const { meters } = genesis.regions[record.regionIndex]!;
    for (const kind of KINDS) {
      for (let meterIndex = 0; meterIndex < meters.length + 2; meterIndex++) {
        const isThere = [...record.bills].some(
          (bill) => bill.kind === kind && bill.meterIndex === meterIndex,
        );
        const claim = { kinds: [kind], meterIndexes: [meterIndex] };
        const proof = absenceProof(record, anchor, claim);
        expect(proof === null).toBe(isThere);
        if (proof === null) continue;
        expect(absenceStep(proof)).toBeNull();
        absent++;
      }
    }
  }
  expect(absent).toBeGreaterThan(100);
});

test("a member is absent by all meters at once, and open leaves tell no energy", () => {
  let proved = 0;
  for (const { record, anchor } of slots) {
    const { regionIndex } = record;
    genesis.regions[regionIndex]!.members.forEach((_, memberIndex) => {
      const meterIndexes = metersOf(fixture, regionIndex, memberIndex);
      if (meterIndexes.length === 0) return; // without a meter nothing is claimed
      const proof = absenceProof(record, anchor, { kinds: [BILL_KIND.late], meterIndexes });
      const isThere = [...record.bills].some(
        (bill) => bill.kind === 1 && bill.memberIndex === memberIndex,
      );
      expect(proof === null).toBe(isThere);
      if (proof === null) return;
      expect(proof.gaps.map((gap) => gap.meterIndex)).toEqual(meterIndexes);
      expect(absenceStep(proof)).toBeNull();
      const opened = proof.gaps.flatMap(({ before, after }) => [before, after]);
      for (const leaf of opened) {
        const fields = Object.keys(leaf?.place ?? {}).sort();
        if (leaf !== null) expect(fields).toEqual(["kind", "memberIndex", "meterIndex", "slot"]);
      }
      proved++;
    });
  }
  expect(proved).toBeGreaterThan(3);
});

test("no true gap can be bent to hide a bill that is there", () => {
  const all = slots.flatMap(({ record, anchor }) =>
    KINDS.flatMap((kind) =>
      Array.from({ length: 8 }, (_, meterIndex) =>
        absenceProof(record, anchor, { kinds: [kind], meterIndexes: [meterIndex] }),
      ).flatMap((proof) => (proof === null ? [] : [{ proof, record }])),
    ),
  );
  const bend = fc.record({
    kind: fc.nat(2),
    meterIndex: fc.nat(8),
    shift: fc.integer({ min: -2, max: 2 }),
    bills: fc.integer({ min: -2, max: 2 }),
    drop: fc.constantFrom("none", "before", "after", "both"),
    other: fc.nat(),
  });
  fc.assert(
    fc.property(fc.nat(), bend, (which, { kind, meterIndex, shift, bills, drop, other }) => {
      const { proof, record } = all[which % all.length]!;
      const stranger = all[other % all.length]!.proof.gaps[0]!;
      const [gap] = proof.gaps as [Gap];
      const bent: Gap = {
        ...{ kind, meterIndex, index: gap.index + shift },
        before: drop === "before" || drop === "both" ? null : gap.before,
        after: drop === "after" ? null : drop === "none" ? gap.after : stranger.after,
      };
      const forged = { ...proof, bills: proof.bills + bills, gaps: [bent] };
      const isThere = [...record.bills].some(
        (bill) => bill.kind === kind && bill.meterIndex === meterIndex,
      );
      if (absenceStep(forged) === null) expect(isThere).toBe(false);
      if (shift !== 0 || bills !== 0) expect(absenceStep(forged)).not.toBeNull();
    }),
    { numRuns: 2000 },
  );
});

test("an empty slot has no bill of anybody: the empty list is proved as such", () => {
  const { anchor } = slots[0]!;
  const none: AbsenceProof = {
    ...anchor,
    bills: 0,
    gaps: [{ kind: 0, meterIndex: 0, index: 0, before: null, after: null }],
    slotProof: [new Uint8Array(32), new Uint8Array(32)],
  };
  // Its root is not the slot's: the step that fails is the one that joins it to the chain.
  expect(absenceStep(none)).toBe("lanes");
  expect(absenceStep({ ...none, gaps: [] })).toBe("claim");
});

test("every reading is proved behind its slot, and behind no other", () => {
  for (const { record, anchor, readings } of slots) {
    const { meters } = genesis.regions[record.regionIndex]!;
    for (const kept of readings) {
      const devicePublicKey = fromHex(meters[kept.meterIndex]!.publicKey);
      const proof = readingProof(record, anchor, kept);
      const step = (changed: object) =>
        verifyReadingProof({
          proof: { ...proof, ...changed },
          devicePublicKey,
          sequencerPublicKey,
        })?.step ?? null;
      expect(step({})).toBeNull();
      expect(step({ meterIndex: kept.meterIndex + 1 })).toBe("lanes");
      expect(step({ slotIndex: anchor.slotIndex + 1 })).toBe("lanes");
      expect(step({ regionIndex: (record.regionIndex + 1) % 3 })).toBe("lanes");
      expect(step({ salt: new Uint8Array(32) })).toBe("lanes");
      const header = { ...proof.header, networkId: "another" };
      expect(step({ header })).toBe("device"); // a reading of one network is worthless in another
    }
  }
});

test("the law is proved in force, and of every slot", () => {
  genesis.regions.forEach((region, regionIndex) => {
    const proof = policyProof(view.laneProof(regionIndex), signed);
    const { mechanism } = region;
    expect(proof.policy).toMatchObject({ mechanism, fromSlot: fixture.slotAtIndex(0) });
    expect(verifyPolicyProof({ proof, sequencerPublicKey })).toBeNull();
    const elsewhere = { ...proof, regionIndex: (regionIndex + 1) % 3 };
    expect(verifyPolicyProof({ proof: elsewhere, sequencerPublicKey })?.step).toBe("lanes");
    const policy = { ...proof.policy, retailUcPerWh: 1.5 };
    const fraction = verifyPolicyProof({ proof: { ...proof, policy }, sequencerPublicKey });
    expect(fraction?.step).toBe("policy");
  });
  for (const { record, anchor } of slots) {
    const proof = slotPolicyProof(record, anchor);
    expect(verifySlotPolicyProof({ proof, sequencerPublicKey })).toBeNull();
    const policy = { ...proof.policy, feedInUcPerWh: 7_999 };
    const changed = verifySlotPolicyProof({ proof: { ...proof, policy }, sequencerPublicKey });
    expect(changed?.step).toBe("lanes");
  }
});

test("a slot is pending exactly where the history does not reach it", () => {
  genesis.regions.forEach((_, regionIndex) => {
    const lane = view.laneProof(regionIndex);
    for (let slotIndex = 0; slotIndex < lane.clearedSlots + 4; slotIndex++) {
      const proof = pendingSlotProof(lane, signed, slotIndex);
      expect(proof === null).toBe(slotIndex < lane.clearedSlots);
      if (proof === null) continue;
      const step = (changed: object) =>
        verifyPendingSlotProof({ proof: { ...proof, ...changed }, sequencerPublicKey })?.step;
      expect(step({})).toBeUndefined();
      expect(step({ slotIndex: lane.clearedSlots - 1 })).toBe("claim");
      expect(step({ clearedSlots: lane.clearedSlots - 1 })).toBe("lanes");
    }
  });
});

test("at genesis every slot is pending", () => {
  const app = createApplication({ genesis, stored: new Map() });
  const { appHash } = app.initChain();
  const lane = app.view().laneProof(1);
  expect(lane).toMatchObject({ clearedSlots: 0, appHash });
});
