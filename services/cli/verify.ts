/**
 * `gridlane verify FILE`: checks an exported proof of any kind without any node. Exit code 0 where
 * it holds, 1 where a step fails or the file is no proof.
 */
import { readFileSync, statSync } from "node:fs";
import { Command, InvalidArgumentError, Option } from "commander";
import { fromHex } from "../primitives/bytes.ts";
import { GridError } from "../primitives/errors.ts";
import { PROOF_FILE_BYTES_MAX } from "../primitives/limits.ts";
import { readGenesis } from "./directory.ts";
import { EXIT, print, printJson, say } from "./talk.ts";
import { type ProofVerdict, type Trust, verifyProofText } from "./verify-proof.ts";

export function verifyCommand(): Command {
  return new Command("verify")
    .description("check an exported proof offline: of a bill, a reading, a policy, an absence")
    .argument("<file>", "what `gridlane proof` or the API wrote")
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
  const message = `${file} is larger than ${PROOF_FILE_BYTES_MAX} bytes: no exported proof`;
  throw new GridError("file_unreadable", message, { file });
}

const SOURCES = {
  key: "given with --key",
  genesis: "of the trusted genesis",
  file: "of the file itself, ON TRUST",
} as const;

/** What a step is about in this file, beside its words. */
function detail(step: string, verdict: ProofVerdict): string | null {
  if (step === "key") return `${verdict.sequencerPublicKey}, ${SOURCES[verdict.keySource]}`;
  if (step === "names") return `network ${verdict.networkId}, region ${verdict.region}`;
  if (step === "lanes") return `app hash ${verdict.appHash}`;
  if (step === "header") return `block ${verdict.height}`;
  return null;
}

function printVerdict(verdict: ProofVerdict): void {
  const { kind, failed, keySource, valid, claim } = verdict;
  print(`${kind}: ${claim}`);
  let result = "ok";
  for (const { step, words } of verdict.steps) {
    if (step === failed) result = "FAIL";
    // The chain knows regions, slots and meters by number: only a genesis says their names.
    const shown = step === "names" && keySource !== "genesis" && result === "ok" ? "?" : result;
    const about = detail(step, verdict);
    print(`${shown.padEnd(4)}  ${step.padEnd(9)}  ${words}${about === null ? "" : `: ${about}`}`);
    if (step === failed) result = "-";
  }
  print(valid ? `The ${kind} is proved.` : `The ${kind} is NOT proved: step ${failed} fails.`);
}
