/**
 * A bill line checked against the sequencer's signature, in this browser. Nothing the node says is
 * believed but its key, and that only once: the first key seen of a network is kept, and a
 * different one later fails the check.
 */
import { verifyBillProof } from "../../../services/chain/light-client/verify-bill.ts";
import { fromHex } from "../../../services/primitives/bytes.ts";
import { GridError } from "../../../services/primitives/errors.ts";
import type { BillLine, BillProofAnswer } from "../../../services/wire/api.ts";
import { BILL_FIELDS, type Bill } from "../../../services/wire/bill.ts";
import { decodeHeader, type Header } from "../../../services/wire/header.ts";

/** In the order of checking. */
export type ProofStep = "line" | "header" | "receipts" | "lanes" | "key" | "signature";

export type Verdict = {
  readonly failed: ProofStep | null; // null: every step holds
  readonly height: number; // of the header; 0 where it cannot be read
  readonly sequencerPublicKey: string; // the one the proof was checked against
  readonly pinned: "now" | "before";
};

export function verifyAnswer(request: {
  line: BillLine;
  answer: BillProofAnswer;
  networkId: string;
}): Verdict {
  const { line, answer, networkId } = request;
  const pinnedKey = keptKey(networkId);
  const sequencerPublicKey = pinnedKey ?? answer.sequencerPublicKey;
  const header = readHeader(answer.header);
  const failed = failedStep({ line, answer, networkId, header, sequencerPublicKey });
  // A key that proved nothing is not worth keeping.
  if (pinnedKey === null && failed === null) keepKey(networkId, sequencerPublicKey);
  return {
    failed,
    height: header?.height ?? 0,
    sequencerPublicKey,
    pinned: pinnedKey === null ? "now" : "before",
  };
}

function failedStep(form: {
  line: BillLine;
  answer: BillProofAnswer;
  networkId: string;
  header: Header | null;
  sequencerPublicKey: string;
}): ProofStep | null {
  const { line, answer, header } = form;
  // The proved bill must be the very line on the page.
  if (BILL_FIELDS.some((field) => answer.bill[field] !== line[field])) return "line";
  if (header === null || header.networkId !== form.networkId) return "header";
  const broken = provenStep({ answer, header, sequencerPublicKey: form.sequencerPublicKey });
  if (broken === "signature" && form.sequencerPublicKey !== answer.sequencerPublicKey) return "key";
  return broken;
}

function provenStep(form: {
  answer: BillProofAnswer;
  header: Header;
  sequencerPublicKey: string;
}): ProofStep | null {
  const { answer, header } = form;
  try {
    const result = verifyBillProof({
      bill: { ...answer.bill, amountUc: BigInt(answer.bill.amountUc) } as Bill,
      proof: {
        regionIndex: answer.regionIndex,
        leafIndex: answer.leafIndex,
        receiptsProof: answer.receiptsProof.map(fromHex),
        lanesProof: answer.lanesProof.map(fromHex),
        header,
        signature: fromHex(answer.signature),
      },
      sequencerPublicKey: fromHex(form.sequencerPublicKey),
    });
    if (result === null) return null;
    return result.step === "bill" ? "line" : result.step;
  } catch (error) {
    if (error instanceof GridError) return "receipts"; // hashes that are none
    throw error;
  }
}

function readHeader(hex: string): Header | null {
  try {
    return decodeHeader(fromHex(hex));
  } catch (error) {
    if (error instanceof GridError) return null;
    throw error;
  }
}

const storageKey = (networkId: string) => `gridlane.sequencer.${networkId}`;

function keptKey(networkId: string): string | null {
  try {
    return localStorage.getItem(storageKey(networkId));
  } catch {
    return null;
  }
}

function keepKey(networkId: string, sequencerPublicKey: string): void {
  try {
    localStorage.setItem(storageKey(networkId), sequencerPublicKey);
  } catch {
    // Without storage every check is the first one, and says so.
  }
}
