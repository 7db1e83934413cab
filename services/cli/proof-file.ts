/**
 * The form of a proof file: which kind it is, and its fields as the API's own schema reads them.
 * Bytes are turned from hexadecimal only where their turn comes.
 */
import type { z } from "zod";
import { fromHex } from "../primitives/bytes.ts";
import { GridError } from "../primitives/errors.ts";
import { BillProofAnswer } from "../wire/api.ts";
import {
  AbsenceProofAnswer,
  PendingSlotProofAnswer,
  PolicyProofAnswer,
  ReadingProofAnswer,
  SlotPolicyProofAnswer,
} from "../wire/proof-answers.ts";

const FORMS = {
  bill: BillProofAnswer,
  reading: ReadingProofAnswer,
  policy: PolicyProofAnswer,
  "slot-policy": SlotPolicyProofAnswer,
  absence: AbsenceProofAnswer,
  "pending-slot": PendingSlotProofAnswer,
} as const;

export type ProofFile = {
  [Kind in keyof typeof FORMS]: {
    readonly kind: Kind;
    readonly answer: z.output<(typeof FORMS)[Kind]>;
  };
}[keyof typeof FORMS];

/** @throws GridError bytes_malformed naming the first field that is not of this form */
export function parseProofFile(json: unknown): ProofFile {
  const kind = kindOf(json);
  const parsed = FORMS[kind].safeParse(json);
  if (parsed.success) return { kind, answer: parsed.data } as ProofFile;
  const [issue] = parsed.error.issues;
  return malformed(issue?.path.join(".") || "file", issue?.message ?? "unknown fault");
}

/** A bill's proof is the only one that does not name its kind. */
function kindOf(json: unknown): keyof typeof FORMS {
  if (typeof json !== "object" || json === null || !("kind" in json)) return "bill";
  const { kind } = json;
  if (typeof kind === "string" && kind !== "bill" && Object.hasOwn(FORMS, kind)) {
    return kind as keyof typeof FORMS;
  }
  return malformed("kind", "no proof of a known kind");
}

export function hexBytes(hex: string, what: string): Uint8Array {
  if (hex.length % 2 !== 0) return malformed(what, "it has half a byte");
  return fromHex(hex);
}

export function hexNodes(nodes: readonly string[], what: string): Uint8Array[] {
  return nodes.map((hex, i) => hexBytes(hex, `${what}[${i}]`));
}

export function malformed(what: string, why: string): never {
  throw new GridError("bytes_malformed", `not an exported proof: ${what}: ${why}`, {
    what,
    offset: 0,
  });
}
