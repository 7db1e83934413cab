/**
 * What each step of a proof shows, in words, in the order of checking: for whoever prints or draws
 * a verdict. A proof that fails at a step has passed those before it.
 */

const ANCHOR = {
  lanes: "that root is under the app hash of the header",
  header: "the header is whole",
  signature: "the sequencer signed the header",
} as const;

/** By kind of proof, by step. */
export const STEP_WORDS = {
  bill: {
    bill: "every field of the bill is a number in its range",
    receipts: "the bill has its place among the bills of the slot, under the slot's root",
    ...ANCHOR,
  },
  reading: {
    reading: "the record is a meter's reading in its only form",
    device: "the meter signed the record",
    readings: "the salted record is behind the slot's report, under the slot's root",
    ...ANCHOR,
  },
  policy: {
    policy: "every field of the policy is in its range",
    state: "the policy is the one in the region's state",
    ...ANCHOR,
  },
  "slot-policy": {
    policy: "every field of the policy is in its range",
    slot: "the policy is the one that the slot cleared under",
    ...ANCHOR,
  },
  absence: {
    claim: "the proof names meters and kinds of bill",
    gaps: "the leaves beside each gap leave no room for such a bill",
    receipts: "these leaves stand side by side among the bills of the slot, under the slot's root",
    ...ANCHOR,
  },
  "pending-slot": {
    claim: "the slot is beyond those that the region has cleared",
    ...ANCHOR,
  },
} as const;

export type ProofKind = keyof typeof STEP_WORDS;
