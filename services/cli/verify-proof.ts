/**
 * An exported bill proof judged offline: the text of a file in, every step with its result out.
 *
 * Safe because nothing in the file is believed: its shape is judged by the API's own schema and
 * limits, its steps by the light client, and the key it names counts only where it is the trusted
 * one. Where no key is trusted the file's own is used, and the verdict says so.
 */
import { verifyBillProof } from "../chain/light-client/verify-bill.ts";
import { fromHex, toHex } from "../primitives/bytes.ts";
import { GridError } from "../primitives/errors.ts";
import { PROOF_FILE_BYTES_MAX } from "../primitives/limits.ts";
import { BillProofAnswer } from "../wire/api.ts";
import type { Bill } from "../wire/bill.ts";
import type { Genesis } from "../wire/genesis.ts";
import { decodeHeader, type Header } from "../wire/header.ts";

/** Whom to believe: a key, a genesis with its key, or nobody but the file. */
export type Trust =
  | { readonly source: "key"; readonly publicKey: Uint8Array }
  | { readonly source: "genesis"; readonly genesis: Genesis }
  | { readonly source: "file" };

/** In the order of checking. */
export const PROOF_STEPS = [
  "key",
  "names",
  "bill",
  "receipts",
  "lanes",
  "header",
  "signature",
] as const;
export type ProofStep = (typeof PROOF_STEPS)[number];

export type ProofVerdict = {
  readonly valid: boolean;
  readonly failed: ProofStep | null;
  readonly keySource: Trust["source"];
  readonly sequencerPublicKey: string; // the one that the signature was checked against
  readonly networkId: string;
  readonly region: string; // proven by a genesis alone: the chain knows regions by number
  readonly height: number; // of the signed header
  readonly appHash: string;
  readonly bill: BillProofAnswer["bill"];
};

/**
 * @param text - JSON of GET /api/v1/me/bills/:slot/:leaf/proof
 * @throws GridError bytes_malformed naming what is not of this form
 */
export function verifyProofText(text: string, trust: Trust): ProofVerdict {
  const answer = readAnswer(text);
  const header = decodeHeader(hexBytes(answer.header, "header"));
  const named = hexBytes(answer.sequencerPublicKey, "sequencerPublicKey");
  const sequencerPublicKey = trustedKey(trust) ?? named;
  const failed = failedStep({ answer, header, named, sequencerPublicKey, trust });
  return {
    valid: failed === null,
    failed,
    keySource: trust.source,
    sequencerPublicKey: toHex(sequencerPublicKey),
    networkId: header.networkId,
    region: answer.region,
    height: header.height,
    appHash: toHex(header.appHash),
    bill: answer.bill,
  };
}

function trustedKey(trust: Trust): Uint8Array | null {
  if (trust.source === "file") return null;
  return trust.source === "key" ? trust.publicKey : fromHex(trust.genesis.sequencerPublicKey);
}

function failedStep(form: {
  readonly answer: BillProofAnswer;
  readonly header: Header;
  readonly named: Uint8Array;
  readonly sequencerPublicKey: Uint8Array;
  readonly trust: Trust;
}): ProofStep | null {
  const { answer, header, named, sequencerPublicKey, trust } = form;
  // The file claims who signed; a claim that is not the truth makes it no proof of what it says.
  if (toHex(named) !== toHex(sequencerPublicKey)) return "key";
  if (trust.source === "genesis" && !areNames(answer, header, trust.genesis)) return "names";
  const result = verifyBillProof({
    bill: { ...answer.bill, amountUc: BigInt(answer.bill.amountUc) } as Bill,
    proof: {
      regionIndex: answer.regionIndex,
      leafIndex: answer.leafIndex,
      receiptsProof: answer.receiptsProof.map((hex, i) => hexBytes(hex, `receiptsProof[${i}]`)),
      lanesProof: answer.lanesProof.map((hex, i) => hexBytes(hex, `lanesProof[${i}]`)),
      header,
      signature: hexBytes(answer.signature, "signature"),
    },
    sequencerPublicKey,
  });
  return result?.step ?? null;
}

/** Network and region by name: hashed nowhere but in genesis. */
function areNames(answer: BillProofAnswer, header: Header, genesis: Genesis): boolean {
  const region = genesis.regions[answer.regionIndex]?.id;
  return region === answer.region && header.networkId === genesis.networkId;
}

function readAnswer(text: string): BillProofAnswer {
  if (text.length > PROOF_FILE_BYTES_MAX) {
    return fail("file", `it has more than ${PROOF_FILE_BYTES_MAX} bytes`);
  }
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    return fail("file", `it is not JSON: ${(cause as Error).message}`);
  }
  const parsed = BillProofAnswer.safeParse(json);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  return fail(issue?.path.join(".") || "file", issue?.message ?? "unknown fault");
}

function hexBytes(hex: string, what: string): Uint8Array {
  if (hex.length % 2 !== 0) return fail(what, "it has half a byte");
  return fromHex(hex);
}

function fail(what: string, why: string): never {
  throw new GridError("bytes_malformed", `not an exported bill proof: ${what}: ${why}`, {
    what,
    offset: 0,
  });
}
