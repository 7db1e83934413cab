/**
 * `gridlane verify FILE`: checks an exported bill proof without any node. Exit code 0 where it
 * holds, 1 where a step fails or the file is no proof.
 */
import { readFileSync, statSync } from "node:fs";
import { Command, InvalidArgumentError, Option } from "commander";
import { fromHex } from "../primitives/bytes.ts";
import { GridError } from "../primitives/errors.ts";
import { PROOF_FILE_BYTES_MAX } from "../primitives/limits.ts";
import { readGenesis } from "./directory.ts";
import { EXIT, print, printJson, say } from "./talk.ts";
import {
  PROOF_STEPS,
  type ProofStep,
  type ProofVerdict,
  type Trust,
  verifyProofText,
} from "./verify-proof.ts";
import { currency, kwh } from "./words.ts";

export function verifyCommand(): Command {
  return new Command("verify")
    .description("check an exported bill proof offline")
    .argument("<file>", "JSON of GET /api/v1/me/bills/<slot>/<leaf>/proof")
    .option("--key <hex>", "the sequencer's public key that you trust, 32 bytes", publicKey)
    .addOption(
      new Option("--genesis <file>", "a genesis that you trust, with its key").conflicts("key"),
    )
    .option("--json", "print one JSON object")
    .addHelpText("after", "\nExample:\n  gridlane verify bill.json --genesis village/genesis.json")
    .action((file: string, options: { key?: Uint8Array; genesis?: string; json?: true }) => {
      const verdict = verifyProofText(readProof(file), trustOf(options));
      if (!verdict.valid) process.exitCode = EXIT.error;
      if (verdict.keySource === "file") {
        say("warning: the key was taken from the file, on trust: anybody can make such a file.");
        say("Name the key you know (--key or --genesis) to check who signed.");
      }
      if (options.json) return printJson(verdict);
      printVerdict(verdict);
    });
}

function publicKey(text: string): Uint8Array {
  if (/^(0x)?[0-9a-fA-F]{64}$/.test(text)) return fromHex(text);
  throw new InvalidArgumentError("must be 64 hexadecimal digits");
}

function trustOf(options: { readonly key?: Uint8Array; readonly genesis?: string }): Trust {
  if (options.key !== undefined) return { source: "key", publicKey: options.key };
  if (options.genesis === undefined) return { source: "file" };
  return { source: "genesis", genesis: readGenesis(options.genesis) };
}

/** @throws GridError file_unreadable, also for a file that is too large to be a proof */
function readProof(file: string): string {
  try {
    if (statSync(file).size <= PROOF_FILE_BYTES_MAX) return readFileSync(file, "utf8");
  } catch (cause) {
    throw new GridError("file_unreadable", `${file} cannot be read`, { file }, { cause });
  }
  const message = `${file} is larger than ${PROOF_FILE_BYTES_MAX} bytes: no exported bill proof`;
  throw new GridError("file_unreadable", message, { file });
}

const SOURCES = {
  key: "given with --key",
  genesis: "of the trusted genesis",
  file: "of the file itself, ON TRUST",
} as const;

function stepText(step: ProofStep, verdict: ProofVerdict): string {
  const texts: Record<ProofStep, string> = {
    key: `sequencer's key ${verdict.sequencerPublicKey}, ${SOURCES[verdict.keySource]}`,
    names: `network ${verdict.networkId}, region ${verdict.region}`,
    bill: billText(verdict),
    receipts: "a place in the slot's receipts tree",
    lanes: `bill -> receipts root -> app hash ${verdict.appHash}`,
    header: `header of block ${verdict.height}`,
    signature: `signed by ${verdict.sequencerPublicKey}`,
  };
  return texts[step];
}

function billText({ bill }: ProofVerdict): string {
  const energy = `imported ${kwh(bill.importWh)} kWh, exported ${kwh(bill.exportWh)} kWh`;
  const amount = currency(BigInt(bill.amountUc));
  return `slot ${bill.slot}, meter ${bill.meterIndex}: ${energy}, ${amount}`;
}

function printVerdict(verdict: ProofVerdict): void {
  const { failed, keySource, valid } = verdict;
  let result = "ok";
  for (const step of PROOF_STEPS) {
    if (step === failed) result = "FAIL";
    // The chain knows regions by number: only a genesis says their names.
    const shown = step === "names" && keySource !== "genesis" && result === "ok" ? "?" : result;
    print(`${shown.padEnd(4)}  ${step.padEnd(9)}  ${stepText(step, verdict)}`);
    if (step === failed) result = "-";
  }
  print(valid ? "The bill is proved." : `The bill is NOT proved: step ${failed} fails.`);
}
