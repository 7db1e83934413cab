/**
 * An exported proof judged offline: the text of a file in, every step with its result out.
 *
 * Safe because nothing in the file is believed: its shape is judged by the API's own schema and
 * limits, its steps by the light client, and the key it names counts only where it is the trusted
 * one. Where no key is trusted the file's own is used, and the verdict says so.
 */
import { type ProofKind, STEP_WORDS } from "../chain/light-client/steps.ts";
import { fromHex, toHex } from "../primitives/bytes.ts";
import { PROOF_FILE_BYTES_MAX } from "../primitives/limits.ts";
import type { BillProofAnswer } from "../wire/api.ts";
import type { Genesis } from "../wire/genesis.ts";
import { decodeHeader, type Header } from "../wire/header.ts";
import { hexBytes, malformed, type ProofFile, parseProofFile } from "./proof-file.ts";
import { claimOf, isOfGenesis, provenStep } from "./proof-kinds.ts";

/** Whom to believe: a key, a genesis with its key, or nobody but the file. */
export type Trust =
  | { readonly source: "key"; readonly publicKey: Uint8Array }
  | { readonly source: "genesis"; readonly genesis: Genesis }
  | { readonly source: "file" };

export type ProofVerdict = {
  readonly kind: ProofKind;
  readonly valid: boolean;
  readonly failed: string | null; // one of the steps
  readonly steps: readonly { readonly step: string; readonly words: string }[]; // in order
  readonly claim: string; // what the proof proves, in words
  readonly keySource: Trust["source"];
  readonly sequencerPublicKey: string; // the one that the signature was checked against
  readonly networkId: string;
  readonly region: string; // proven by a genesis alone: the chain knows regions by number
  readonly height: number; // of the signed header
  readonly appHash: string;
  readonly bill?: BillProofAnswer["bill"]; // of a bill's proof
};

/**
 * @param text - JSON of one of the API's proofs
 * @throws GridError bytes_malformed naming what is not of this form
 */
export function verifyProofText(text: string, trust: Trust): ProofVerdict {
  const file = parseProofFile(readJson(text));
  const { answer } = file;
  const header = decodeHeader(hexBytes(answer.header, "header"));
  const named = hexBytes(answer.sequencerPublicKey, "sequencerPublicKey");
  const sequencerPublicKey = trustedKey(trust) ?? named;
  const failed = failedStep({ file, header, named, sequencerPublicKey, trust });
  return {
    kind: file.kind,
    valid: failed === null,
    failed,
    steps: stepsOf(file),
    claim: claimOf(file, trust.source === "genesis" ? trust.genesis : null),
    keySource: trust.source,
    sequencerPublicKey: toHex(sequencerPublicKey),
    networkId: header.networkId,
    region: answer.region,
    height: header.height,
    appHash: toHex(header.appHash),
    ...(file.kind === "bill" ? { bill: file.answer.bill } : {}),
  };
}

/** The file's own steps behind those about whom to believe. */
function stepsOf({ kind, answer }: ProofFile): ProofVerdict["steps"] {
  const own = Object.entries(STEP_WORDS[kind]).map(([step, words]) => ({ step, words }));
  return [
    { step: "key", words: "the file names the sequencer's key that is trusted" },
    { step: "names", words: `${answer.region} and all that genesis numbers are its own` },
    ...own,
  ];
}

function trustedKey(trust: Trust): Uint8Array | null {
  if (trust.source === "file") return null;
  return trust.source === "key" ? trust.publicKey : fromHex(trust.genesis.sequencerPublicKey);
}

function failedStep(form: {
  readonly file: ProofFile;
  readonly header: Header;
  readonly named: Uint8Array;
  readonly sequencerPublicKey: Uint8Array;
  readonly trust: Trust;
}): string | null {
  const { file, header, named, sequencerPublicKey, trust } = form;
  // The file claims who signed; a claim that is not the truth makes it no proof of what it says.
  if (toHex(named) !== toHex(sequencerPublicKey)) return "key";
  if (trust.source === "genesis" && !areNames(file, header, trust.genesis)) return "names";
  return provenStep(file, { header, sequencerPublicKey });
}

/** What only genesis says: network and region by name, slots and meters by number. */
function areNames(file: ProofFile, header: Header, genesis: Genesis): boolean {
  const { region, regionIndex } = file.answer;
  if (genesis.regions[regionIndex]?.id !== region) return false;
  return header.networkId === genesis.networkId && isOfGenesis(file, genesis);
}

function readJson(text: string): unknown {
  if (text.length > PROOF_FILE_BYTES_MAX) {
    return malformed("file", `it has more than ${PROOF_FILE_BYTES_MAX} bytes`);
  }
  try {
    return JSON.parse(text);
  } catch (cause) {
    return malformed("file", `it is not JSON: ${(cause as Error).message}`);
  }
}
