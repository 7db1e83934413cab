/**
 * Proofs as they travel: JSON of the API, and the files that `gridlane verify` reads. Bytes are
 * hexadecimal. Every proof ends in the same way, in a header that the sequencer signed; a bill's
 * (`api.ts`) is the only one without a `kind`.
 *
 * Strict: a name that no verifier reads would be a claim that nothing proves.
 */
import { z } from "zod";

const zBytes = z.string().regex(/^0x([0-9a-f]{2})*$/, "must be bytes in hexadecimal");
const zNodes = z.array(zBytes).max(64);
const zIndex = z.int().min(0);

const anchor = {
  region: z.string(),
  regionIndex: zIndex,
  lanesProof: zNodes,
  header: zBytes, // canonical bytes, `wire/header.ts`
  signature: zBytes,
  sequencerPublicKey: zBytes,
};
const ofSlot = {
  slot: zIndex,
  slotIndex: zIndex, // slots of the region before it, since genesis
};

export const PolicyValue = z.strictObject({
  fromSlot: zIndex,
  mechanism: z.enum(["mid-market-rate", "uniform-price"]),
  retailUcPerWh: z.int(),
  feedInUcPerWh: z.int(),
  lawHash: zBytes, // genesis hash, or the proposal that was executed
});

/** A meter's signed record behind a cleared slot. */
export const ReadingProofAnswer = z.strictObject({
  kind: z.literal("reading"),
  ...anchor,
  ...ofSlot,
  meterIndex: zIndex,
  devicePublicKey: zBytes,
  record: zBytes, // COSE_Sign1, as the meter published it
  salt: zBytes,
  readingsProof: zNodes,
});

/** The law in force in a region at a height. */
export const PolicyProofAnswer = z.strictObject({
  kind: z.literal("policy"),
  ...anchor,
  policy: PolicyValue,
  stateProof: zNodes,
});

/** The law that a slot cleared under. */
export const SlotPolicyProofAnswer = z.strictObject({
  kind: z.literal("slot-policy"),
  ...anchor,
  ...ofSlot,
  policy: PolicyValue,
  slotProof: zNodes,
});

const PlacedLeaf = z.strictObject({
  slot: zIndex,
  meterIndex: zIndex,
  memberIndex: zIndex,
  kind: zIndex, // BILL_KIND
  placeProof: zNodes,
  receiptsProof: zNodes,
});

/** No bill of a kind for a member's meters in a cleared slot. */
export const AbsenceProofAnswer = z.strictObject({
  kind: z.literal("absence"),
  ...anchor,
  ...ofSlot,
  memberIndex: zIndex,
  bills: zIndex, // of the slot
  slotProof: zNodes,
  gaps: z
    .array(
      z.strictObject({
        billKind: z.enum(["slot", "late"]),
        meterIndex: zIndex,
        deviceId: zBytes,
        index: zIndex, // where such a bill would stand
        before: PlacedLeaf.nullable(),
        after: PlacedLeaf.nullable(),
      }),
    )
    .min(1),
});

/** A slot that its region has not cleared at a height. */
export const PendingSlotProofAnswer = z.strictObject({
  kind: z.literal("pending-slot"),
  ...anchor,
  ...ofSlot,
  clearedSlots: zIndex,
  historyRoot: zBytes,
});

export type ReadingProofAnswer = z.output<typeof ReadingProofAnswer>;
export type PolicyProofAnswer = z.output<typeof PolicyProofAnswer>;
export type SlotPolicyProofAnswer = z.output<typeof SlotPolicyProofAnswer>;
export type AbsenceProofAnswer = z.output<typeof AbsenceProofAnswer>;
export type PendingSlotProofAnswer = z.output<typeof PendingSlotProofAnswer>;
