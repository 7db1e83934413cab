/**
 * Each kind of proof file: what it claims in words, what of it only a genesis can confirm, and the
 * light client's verdict.
 */
import type { Anchor } from "../chain/light-client/core.ts";
import {
  type Gap,
  type PlacedLeaf,
  verifyAbsenceProof,
  verifyPendingSlotProof,
} from "../chain/light-client/verify-absence.ts";
import { verifyBillProof } from "../chain/light-client/verify-bill.ts";
import { verifyPolicyProof, verifySlotPolicyProof } from "../chain/light-client/verify-policy.ts";
import { verifyReadingProof } from "../chain/light-client/verify-reading.ts";
import { toHex0x } from "../primitives/bytes.ts";
import { GridError } from "../primitives/errors.ts";
import type { Slot } from "../primitives/units.ts";
import { BILL_KIND, type Bill } from "../wire/bill.ts";
import { type Genesis, genesisHash } from "../wire/genesis.ts";
import type { Header } from "../wire/header.ts";
import type { Policy } from "../wire/policy.ts";
import type { AbsenceProofAnswer, PolicyProofAnswer } from "../wire/proof-answers.ts";
import { decodeReading } from "../wire/reading.ts";
import { hexBytes, hexNodes, type ProofFile } from "./proof-file.ts";
import { ctPerKwh, currency, kwh, utcTime } from "./words.ts";

type Signer = { readonly header: Header; readonly sequencerPublicKey: Uint8Array };

/** The step at which the light client stops; null where the proof holds. */
export function provenStep(file: ProofFile, { header, sequencerPublicKey }: Signer): string | null {
  const anchor = anchorOf(file, header);
  switch (file.kind) {
    case "bill": {
      const { answer } = file;
      const bill = { ...answer.bill, amountUc: BigInt(answer.bill.amountUc) } as Bill;
      const receiptsProof = hexNodes(answer.receiptsProof, "receiptsProof");
      const proof = { ...anchor, leafIndex: answer.leafIndex, receiptsProof };
      return verifyBillProof({ bill, proof, sequencerPublicKey })?.step ?? null;
    }
    case "reading": {
      const { answer } = file;
      const proof = {
        ...anchor,
        meterIndex: answer.meterIndex,
        slotIndex: answer.slotIndex,
        record: hexBytes(answer.record, "record"),
        salt: hexBytes(answer.salt, "salt"),
        readingsProof: hexNodes(answer.readingsProof, "readingsProof"),
      };
      const devicePublicKey = hexBytes(answer.devicePublicKey, "devicePublicKey");
      return verifyReadingProof({ proof, devicePublicKey, sequencerPublicKey })?.step ?? null;
    }
    case "policy": {
      const stateProof = hexNodes(file.answer.stateProof, "stateProof");
      const proof = { ...anchor, policy: policyOf(file.answer.policy), stateProof };
      return verifyPolicyProof({ proof, sequencerPublicKey })?.step ?? null;
    }
    case "slot-policy": {
      const { slotIndex } = file.answer;
      const slotProof = hexNodes(file.answer.slotProof, "slotProof");
      const proof = { ...anchor, policy: policyOf(file.answer.policy), slotIndex, slotProof };
      return verifySlotPolicyProof({ proof, sequencerPublicKey })?.step ?? null;
    }
    case "absence": {
      const { slotIndex, bills } = file.answer;
      const slotProof = hexNodes(file.answer.slotProof, "slotProof");
      const gaps = file.answer.gaps.map(gapOf);
      const proof = { ...anchor, slotIndex, bills, gaps, slotProof };
      return verifyAbsenceProof({ proof, sequencerPublicKey })?.step ?? null;
    }
    case "pending-slot": {
      const { slotIndex, clearedSlots } = file.answer;
      const historyRoot = hexBytes(file.answer.historyRoot, "historyRoot");
      const proof = { ...anchor, slotIndex, clearedSlots, historyRoot };
      return verifyPendingSlotProof({ proof, sequencerPublicKey })?.step ?? null;
    }
  }
}

function anchorOf({ answer }: ProofFile, header: Header): Anchor {
  return {
    regionIndex: answer.regionIndex,
    lanesProof: hexNodes(answer.lanesProof, "lanesProof"),
    header,
    signature: hexBytes(answer.signature, "signature"),
  };
}

function policyOf(policy: PolicyProofAnswer["policy"]): Policy {
  const lawHash = hexBytes(policy.lawHash, "policy.lawHash");
  return { ...policy, fromSlot: policy.fromSlot as Slot, lawHash };
}

type GapAnswer = AbsenceProofAnswer["gaps"][number];

function gapOf({ billKind, meterIndex, index, before, after }: GapAnswer, i: number): Gap {
  return {
    kind: BILL_KIND[billKind],
    meterIndex,
    index,
    before: before && leafOf(before, `gaps[${i}].before`),
    after: after && leafOf(after, `gaps[${i}].after`),
  };
}

function leafOf(leaf: NonNullable<GapAnswer["before"]>, where: string): PlacedLeaf {
  const { meterIndex, memberIndex, kind } = leaf;
  return {
    place: { slot: leaf.slot as Slot, meterIndex, memberIndex, kind },
    placeProof: hexNodes(leaf.placeProof, `${where}.placeProof`),
    receiptsProof: hexNodes(leaf.receiptsProof, `${where}.receiptsProof`),
  };
}

/** Whether the numbers and names that a genesis gives are those of this genesis. */
export function isOfGenesis(file: ProofFile, genesis: Genesis): boolean {
  const meters = genesis.regions[file.answer.regionIndex]?.meters ?? [];
  if ("slot" in file.answer) {
    const firstSlot = Math.floor(genesis.genesisTimeS / genesis.slotS);
    if (file.answer.slot !== firstSlot + file.answer.slotIndex) return false;
  }
  if (file.kind === "reading") {
    const { meterIndex, devicePublicKey, record } = file.answer;
    const meter = meters[meterIndex];
    if (meter === undefined || `0x${meter.publicKey}` !== devicePublicKey) return false;
    const reading = readingOf(record);
    return reading === null || toHex0x(reading.deviceId) === `0x${meter.deviceId}`;
  }
  if (file.kind === "absence") {
    const { gaps, memberIndex } = file.answer;
    return gaps.every(({ meterIndex, deviceId }) => {
      const meter = meters[meterIndex];
      return meter?.memberIndex === memberIndex && `0x${meter.deviceId}` === deviceId;
    });
  }
  return true;
}

/** Null where the light client will find that it is no reading. */
function readingOf(record: string) {
  try {
    return decodeReading(hexBytes(record, "record")).reading;
  } catch (failure) {
    if (failure instanceof GridError) return null;
    throw failure;
  }
}

/** What the file says, in words; true only where every step holds. */
export function claimOf(file: ProofFile, genesis: Genesis | null): string {
  switch (file.kind) {
    case "bill": {
      const { bill } = file.answer;
      const energy = `imported ${kwh(bill.importWh)} kWh, exported ${kwh(bill.exportWh)} kWh`;
      const amount = currency(BigInt(bill.amountUc));
      return `slot ${bill.slot}, meter ${bill.meterIndex}: ${energy}, ${amount}`;
    }
    case "reading":
      return readingClaim(file.answer);
    case "policy":
      return `${policyWords(file.answer.policy, genesis)} is in force in ${file.answer.region}`;
    case "slot-policy": {
      const { slot, region, policy } = file.answer;
      return `slot ${slot} of ${region} cleared under ${policyWords(policy, genesis)}`;
    }
    case "absence":
      return absenceClaim(file.answer, genesis);
    case "pending-slot": {
      const { slot, region, clearedSlots } = file.answer;
      return `slot ${slot} of ${region} is not cleared: ${clearedSlots} slots are since genesis`;
    }
  }
}

function readingClaim(answer: Extract<ProofFile, { kind: "reading" }>["answer"]): string {
  const { slot, meterIndex } = answer;
  const behind = `is behind the report of slot ${slot}, meter ${meterIndex}`;
  const reading = readingOf(answer.record);
  if (reading === null) return `a record ${behind}`;
  const register = (energyWh: number | null) => (energyWh === null ? "–" : kwh(energyWh));
  const { importWh, exportWh, intervalEndS } = reading;
  const registers = `import ${register(importWh)} kWh, export ${register(exportWh)} kWh`;
  return `the reading of ${utcTime(intervalEndS)} (${registers}) ${behind}`;
}

function policyWords(policy: PolicyProofAnswer["policy"], genesis: Genesis | null): string {
  const [retail, feedIn] = [policy.retailUcPerWh, policy.feedInUcPerWh].map(ctPerKwh);
  const isGenesis = genesis !== null && toHex0x(genesisHash(genesis)) === policy.lawHash;
  const law = isGenesis ? "of genesis" : `of law ${policy.lawHash}`;
  const prices = `retail ${retail}, feed-in ${feedIn} ct/kWh`;
  return `${policy.mechanism} (${prices}) since slot ${policy.fromSlot} ${law}`;
}

function absenceClaim(answer: AbsenceProofAnswer, genesis: Genesis | null): string {
  const { slot, memberIndex, gaps, region } = answer;
  const kinds = [...new Set(gaps.map(({ billKind }) => billKind))].join(" or ");
  const meters = [...new Set(gaps.map(({ meterIndex }) => meterIndex))];
  const own = genesis?.regions[answer.regionIndex]?.meters.filter(
    (meter) => meter.memberIndex === memberIndex,
  );
  const all = own === undefined ? "" : ` (${meters.length} of the member's ${own.length})`;
  const whose = `member ${memberIndex} of ${region}, meters ${meters.join(", ")}${all}`;
  return `slot ${slot} holds no ${kinds} bill of ${whose}`;
}
