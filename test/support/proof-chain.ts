/**
 * A chain in memory with real signed readings behind its reports, and proofs of every kind made
 * from it as a node makes them: for tests of whatever verifies, prints or mutates proofs. Equal
 * seeds give equal bytes.
 */
import {
  absenceProofView,
  billProofView,
  pendingSlotProofView,
  policyProofView,
  readingProofView,
  slotPolicyProofView,
} from "../../services/api/proof-views.ts";
import type { SlotAnchor, StateView } from "../../services/chain/access.ts";
import { createApplication } from "../../services/chain/application.ts";
import {
  absenceProof,
  billProofAt,
  type KeptReading,
  pendingSlotProof,
  policyProof,
  readingProof,
  slotAnchor,
  slotPolicyProof,
} from "../../services/chain/proofs.ts";
import { proofKey } from "../../services/chain/store-keys.ts";
import { merkleProof } from "../../services/crypto/merkle.ts";
import { readingsRoot } from "../../services/oracle/readings-tree.ts";
import { type SignedHeader, signBlock } from "../../services/ordering/embedded/block.ts";
import { concatBytes, fromHex } from "../../services/primitives/bytes.ts";
import { METERS_PER_REGION_MAX } from "../../services/primitives/limits.ts";
import { createPrng, type Prng } from "../../services/primitives/prng.ts";
import type { UnixSeconds, WattHours } from "../../services/primitives/units.ts";
import { BILL_KIND } from "../../services/wire/bill.ts";
import { decodeReading, readingLeaf, signReading } from "../../services/wire/reading.ts";
import type { LateEntry } from "../../services/wire/report.ts";
import type { SlotRecord } from "../../services/wire/slot-record.ts";
import { threeRegions } from "../services/chain/workload.ts";
import type { MarketFixture } from "./market-fixture.ts";

export type ProvedSlot = {
  readonly record: SlotRecord;
  readonly anchor: SlotAnchor;
  readonly readings: readonly KeptReading[]; // by meter
};

export type ProofChain = {
  readonly fixture: MarketFixture;
  readonly slots: readonly ProvedSlot[];
  readonly view: StateView; // of the last block
  readonly signed: SignedHeader; // proves that state
};

/** Slots of three regions; of every third one the last region's report comes a slot late. */
export function createProofChain(seed = "proofs", slotCount = 4): ProofChain {
  const fixture = threeRegions();
  const { genesis } = fixture;
  const prng = createPrng(seed);
  const app = createApplication({ genesis, stored: new Map() });
  app.initChain();
  const stored = new Map<string, Uint8Array>();
  const headers = new Map<number, SignedHeader>();
  const records: SlotRecord[] = [];
  const kept = new Map<string, KeptReading[]>();
  let waiting: Uint8Array[] = [];
  for (let slotIndex = 0; slotIndex < slotCount; slotIndex++) {
    const height = slotIndex + 1;
    const transactions = waiting;
    waiting = [];
    genesis.regions.forEach((_, regionIndex) => {
      const readings = signReadings(fixture, prng, { regionIndex, slotIndex });
      kept.set(`${regionIndex}/${fixture.slotAtIndex(slotIndex)}`, readings.kept);
      const report = reportOf(fixture, prng, { regionIndex, slotIndex }, readings.root);
      const isLate = regionIndex === 2 && slotIndex % 3 === 1;
      (isLate ? waiting : transactions).push(report);
    });
    const timeS = (fixture.slotEndS(slotIndex) + 60) as UnixSeconds;
    const { appHash, slotRecords } = app.finalizeBlock({ height, timeS, transactions });
    for (const { key, value } of app.commit().changes) if (value) stored.set(key, value);
    records.push(...slotRecords);
    headers.set(height + 1, signHeader(fixture, { height: height + 1, timeS, appHash }));
  }
  const slots = records.map((record) => {
    const { regionIndex, slot } = record;
    const storedPath = stored.get(proofKey(regionIndex, slot))!;
    const next = headers.get(record.height + 1)!;
    const anchor = slotAnchor({ record, storedPath, next });
    return { record, anchor, readings: kept.get(`${regionIndex}/${slot}`)! };
  });
  return { fixture, slots, view: app.view(), signed: headers.get(slotCount + 1)! };
}

function signHeader(
  { genesis, sequencerSecret }: MarketFixture,
  at: { readonly height: number; readonly timeS: UnixSeconds; readonly appHash: Uint8Array },
): SignedHeader {
  const parentHash = new Uint8Array(32).fill(at.height);
  const { header, signature } = signBlock({
    header: { chainVersion: 1, networkId: genesis.networkId, parentHash, ...at },
    transactions: [],
    secretKey: sequencerSecret,
  });
  return { header, signature };
}

/** One signed reading a meter, with its salt and its siblings in the report's tree. */
function signReadings(
  { genesis, deviceSecrets, slotEndS }: MarketFixture,
  prng: Prng,
  at: { readonly regionIndex: number; readonly slotIndex: number },
): { readonly root: Uint8Array; readonly kept: KeptReading[] } {
  const { meters } = genesis.regions[at.regionIndex]!;
  const signed = meters.map(({ deviceId }, m) => {
    const record = signReading({
      reading: {
        deviceId: fromHex(deviceId),
        boot: 1,
        seq: at.slotIndex,
        intervalEndS: slotEndS(at.slotIndex),
        intervalS: genesis.slotS,
        importWh: (1000 * at.slotIndex + prng.below(900)) as WattHours,
        exportWh: prng.below(900) as WattHours,
        timeStatus: 2,
        clockErrorMs: 0,
        flags: 0,
        kind: 0,
        firmwareHash: new Uint8Array(8),
        previousHash: new Uint8Array(8),
      },
      networkId: genesis.networkId,
      key: { algorithm: "ed25519", secretKey: deviceSecrets[at.regionIndex]![m]! },
    });
    return { record, salt: Uint8Array.from({ length: 32 }, () => prng.below(256)) };
  });
  const leaves = signed.map(({ record, salt }) =>
    readingLeaf({ payload: decodeReading(record).payload, salt }),
  );
  const length = new Uint8Array(32);
  length[0] = leaves.length;
  const chunks = concatBytes(leaves);
  const kept = signed.map((reading, meterIndex) => {
    const path = merkleProof({ chunks, index: meterIndex, limit: METERS_PER_REGION_MAX });
    return { ...reading, meterIndex, siblings: [...path, length] };
  });
  return { root: readingsRoot(chunks), kept };
}

function reportOf(
  fixture: MarketFixture,
  prng: Prng,
  at: { readonly regionIndex: number; readonly slotIndex: number },
  root: Uint8Array,
): Uint8Array {
  const { meters } = fixture.genesis.regions[at.regionIndex]!;
  const energy = () => (prng.below(3) === 0 ? 0 : prng.below(1500));
  return fixture.reportTransaction({
    ...at,
    importWh: meters.map(energy),
    exportWh: meters.map(energy),
    late: lateOf(fixture, prng, at),
    readingsRoot: root,
  });
}

/** Late energy of some meters in both slots before, so that kinds, meters and slots all differ. */
function lateOf(
  fixture: MarketFixture,
  prng: Prng,
  { regionIndex, slotIndex }: { readonly regionIndex: number; readonly slotIndex: number },
): LateEntry[] {
  const { meters } = fixture.genesis.regions[regionIndex]!;
  return [slotIndex - 2, slotIndex - 1].flatMap((at) => {
    if (at < 0) return [];
    const slot = fixture.slotAtIndex(at);
    return meters.flatMap((_, meterIndex) => {
      if (prng.below(2) === 0) return [];
      return [{ slot, meterIndex, importWh: prng.below(90), exportWh: 0, quality: 0 }];
    });
  });
}

export type NamedProof = { readonly kind: string; readonly answer: object };

/** Proofs of every kind as files hold them; of each kind several. */
export function exportedProofs({ fixture, slots, view, signed }: ProofChain): NamedProof[] {
  const { genesis } = fixture;
  const proofs: NamedProof[] = [];
  const add = (answer: object) => {
    proofs.push({ kind: "kind" in answer ? String(answer.kind) : "bill", answer });
  };
  for (const { record, anchor, readings } of slots) {
    [...record.bills].forEach((bill, leafIndex) => {
      add(billProofView(genesis, bill, billProofAt(record, anchor, leafIndex)));
    });
    for (const kept of readings) {
      add(readingProofView(genesis, readingProof(record, anchor, kept)));
    }
    add(slotPolicyProofView(genesis, slotPolicyProof(record, anchor)));
    genesis.regions[record.regionIndex]!.members.forEach((_, memberIndex) => {
      const meterIndexes = metersOf(fixture, record.regionIndex, memberIndex);
      if (meterIndexes.length === 0) return; // without a meter there is nothing to be billed
      const claim = { kinds: [BILL_KIND.late], meterIndexes };
      const proof = absenceProof(record, anchor, claim);
      if (proof !== null) add(absenceProofView(genesis, memberIndex, proof));
    });
  }
  genesis.regions.forEach((_, regionIndex) => {
    const lane = view.laneProof(regionIndex);
    add(policyProofView(genesis, policyProof(lane, signed)));
    const pending = pendingSlotProof(lane, signed, lane.clearedSlots + regionIndex)!;
    add(pendingSlotProofView(genesis, pending));
  });
  return proofs;
}

export function metersOf(
  { genesis }: MarketFixture,
  regionIndex: number,
  memberIndex: number,
): number[] {
  return genesis.regions[regionIndex]!.meters.flatMap((meter, m) =>
    meter.memberIndex === memberIndex ? [m] : [],
  );
}
