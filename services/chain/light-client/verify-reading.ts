/**
 * Verifies that a meter's own signed record stands behind a cleared slot: the device's signature ->
 * salted leaf -> readings root -> slot root -> app hash -> header -> the sequencer's signature.
 *
 * The slot root holds the readings root, the report's hash and the bills of one slot side by side,
 * so the record is shown behind the very report that was billed, without opening the report: its
 * columns tell every neighbour's energy. The record proved is the newest of the meter that the
 * report used, for the slot itself or for late energy; older ones hang on its `previousHash`.
 */
import { rootFromProof } from "../../crypto/merkle.ts";
import { bytesEqual } from "../../primitives/bytes.ts";
import { GridError } from "../../primitives/errors.ts";
import { METERS_PER_REGION_MAX } from "../../primitives/limits.ts";
import {
  decodeReading,
  keyIdOf,
  readingLeaf,
  type SignedReading,
  verifyReading,
} from "../../wire/reading.ts";
import { type Anchor, type AnchorStep, areNodes, isIndex, verifySlotRoot } from "./core.ts";
import { READINGS_PROOF_NODES, readingsPathIndex } from "./paths.ts";

export type ReadingProof = Anchor & {
  readonly meterIndex: number; // in the region
  readonly slotIndex: number; // slots of the lane cleared before it
  readonly record: Uint8Array; // as the meter published it
  readonly salt: Uint8Array; // 32 B
  readonly readingsProof: readonly Uint8Array[]; // salted leaf -> the slot's root
};

export type ReadingProofStep = "reading" | "device" | "readings" | AnchorStep;

/** @returns null where the proof holds */
export function verifyReadingProof({
  proof,
  devicePublicKey,
  sequencerPublicKey,
}: {
  proof: ReadingProof;
  devicePublicKey: Uint8Array; // from genesis
  sequencerPublicKey: Uint8Array;
}): null | { readonly step: ReadingProofStep } {
  const record = readRecord(proof.record);
  if (record === null) return { step: "reading" };
  const { networkId } = proof.header;
  const isKeyOfDevice = bytesEqual(record.keyId, keyIdOf(devicePublicKey));
  if (!isKeyOfDevice || !verifyReading({ record, networkId, publicKey: devicePublicKey })) {
    return { step: "device" };
  }
  const isMeter = isIndex(proof.meterIndex, METERS_PER_REGION_MAX);
  if (!isMeter || proof.salt.length !== 32 || !areNodes(proof.readingsProof, READINGS_PROOF_NODES))
    return { step: "readings" };
  const slotRoot = rootFromProof({
    leaf: readingLeaf({ payload: record.payload, salt: proof.salt }),
    index: readingsPathIndex(proof.meterIndex),
    proof: proof.readingsProof,
  });
  const { slotIndex } = proof;
  const step = verifySlotRoot({ slotRoot, slotIndex, anchor: proof, sequencerPublicKey });
  return step === null ? null : { step };
}

function readRecord(bytes: Uint8Array): SignedReading | null {
  try {
    return decodeReading(bytes);
  } catch (failure) {
    if (failure instanceof GridError) return null;
    throw failure;
  }
}
