/**
 * The root of a cleared slot, a leaf of its lane's history: what was billed, which readings and
 * which report it was billed from, and under which law. SSZ hash_tree_root of
 *
 *   SlotRoot = Container {
 *     receipts:  List[Bill, 2^17]       `receipts.ts`
 *     readings:  List[Root, 2^16]       salted leaves by meter, made by the oracle
 *     report:    Bytes32                SHA-256 of the report that the committee signed
 *     policy:    Policy                 `wire/policy.ts`
 *   }
 */
import { merkleProof, merkleRoot } from "../crypto/merkle.ts";
import { concatBytes } from "../primitives/bytes.ts";
import { encodePolicy, policyRoot } from "../wire/policy.ts";
import type { SlotRecord } from "../wire/slot-record.ts";
import { SLOT_FIELD } from "./light-client/paths.ts";

type SlotParts = Pick<SlotRecord, "receiptsRoot" | "readingsRoot" | "reportHash" | "policy">;

const FIELDS = Object.keys(SLOT_FIELD).length;

export function slotRoot(slot: SlotParts): Uint8Array {
  return merkleRoot(fieldRoots(slot), FIELDS);
}

/** Siblings from a field's root to the slot's root. */
export function slotFieldProof(slot: SlotParts, field: keyof typeof SLOT_FIELD): Uint8Array[] {
  return merkleProof({ chunks: fieldRoots(slot), index: SLOT_FIELD[field], limit: FIELDS });
}

function fieldRoots({ receiptsRoot, readingsRoot, reportHash, policy }: SlotParts): Uint8Array {
  return concatBytes([receiptsRoot, readingsRoot, reportHash, policyRoot(encodePolicy(policy))]);
}
