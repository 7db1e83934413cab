/**
 * Light blocks from the JSON of CometBFT's RPC (`/commit`, `/validators`): hexadecimal hashes,
 * base64 signatures, decimal strings, RFC 3339 times. Strict and bounded; no schema library and no
 * clock, because a browser bundles it. Whether a block is right is asked in `verify.ts`.
 */
import { fromHex } from "../../../primitives/bytes.ts";
import { GridError } from "../../../primitives/errors.ts";
import { VALIDATORS_MAX } from "../../../primitives/limits.ts";
import type {
  BlockId,
  CometHeader,
  Commit,
  CommitSignature,
  Timestamp,
  Validator,
} from "./types.ts";

type Fields = Readonly<Record<string, unknown>>;

/** @throws GridError bytes_malformed naming the field */
export function readSignedHeader(json: unknown): { header: CometHeader; commit: Commit } {
  const { header, commit } = fields(json, "signed_header");
  return { header: readHeader(header), commit: readCommit(commit) };
}

/** @throws GridError bytes_malformed naming the field */
export function readValidators(json: unknown): Validator[] {
  return list(fields(json, "validator_set").validators, "validators").map((item, i) => {
    const at = `validators[${i}]`;
    const validator = fields(item, at);
    const key = fields(validator.pub_key, `${at}.pub_key`);
    if (key.type !== "tendermint/PubKeyEd25519") return fail(`${at}.pub_key.type`);
    return {
      address: hex(validator.address, `${at}.address`),
      publicKey: base64(key.value, `${at}.pub_key.value`),
      votingPower: integer(validator.voting_power, `${at}.voting_power`),
    };
  });
}

function readHeader(json: unknown): CometHeader {
  const header = fields(json, "header");
  const version = fields(header.version, "header.version");
  const hash = (name: string) => hex(header[name], `header.${name}`);
  return {
    version: {
      block: integer(version.block, "header.version.block"),
      app: integer(version.app ?? "0", "header.version.app"),
    },
    chainId: text(header.chain_id, "header.chain_id"),
    height: safeInteger(header.height, "header.height"),
    time: readTime(header.time, "header.time"),
    lastBlockId: header.last_block_id == null ? null : readBlockId(header.last_block_id),
    lastCommitHash: hash("last_commit_hash"),
    dataHash: hash("data_hash"),
    validatorsHash: hash("validators_hash"),
    nextValidatorsHash: hash("next_validators_hash"),
    consensusHash: hash("consensus_hash"),
    appHash: hash("app_hash"),
    lastResultsHash: hash("last_results_hash"),
    evidenceHash: hash("evidence_hash"),
    proposerAddress: hash("proposer_address"),
  };
}

function readBlockId(json: unknown): BlockId {
  const id = fields(json, "block_id");
  // "parts" in the RPC, "part_set_header" in protobuf's own JSON.
  const parts = fields(id.parts ?? id.part_set_header, "block_id.parts");
  return {
    hash: hex(id.hash, "block_id.hash"),
    parts: {
      total: safeInteger(parts.total, "block_id.parts.total"),
      hash: hex(parts.hash, "block_id.parts.hash"),
    },
  };
}

function readCommit(json: unknown): Commit {
  const commit = fields(json, "commit");
  return {
    height: safeInteger(commit.height, "commit.height"),
    round: safeInteger(commit.round, "commit.round"),
    blockId: readBlockId(commit.block_id),
    signatures: list(commit.signatures ?? [], "commit.signatures").map(readSignature),
  };
}

function readSignature(json: unknown, i: number): CommitSignature {
  const at = `commit.signatures[${i}]`;
  const { block_id_flag, validator_address, timestamp, signature } = fields(json, at);
  return {
    flag: safeInteger(block_id_flag, `${at}.block_id_flag`),
    validatorAddress: hex(validator_address, `${at}.validator_address`),
    timestamp: readTime(timestamp, `${at}.timestamp`),
    signature: base64(signature ?? "", `${at}.signature`),
  };
}

/** RFC 3339 in UTC, to nanoseconds. @throws GridError bytes_malformed */
export function readTime(value: unknown, what: string): Timestamp {
  const form = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?Z$/;
  const match = form.exec(text(value, what));
  if (match === null) return fail(what);
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map(Number) as number[];
  const isReal =
    month! >= 1 && month! <= 12 && day! >= 1 && day! <= daysIn(year!, month!) && hour! <= 23;
  if (!isReal || minute! > 59 || second! > 59) return fail(what);
  const days = daysBefore(year!, month!) + day! - 1;
  return {
    seconds: days * 86_400 + hour! * 3600 + minute! * 60 + second!,
    nanos: Number((match[7] ?? "").padEnd(9, "0")),
  };
}

const DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

function isLeap(year: number): boolean {
  return (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
}

function daysIn(year: number, month: number): number {
  return month === 2 && isLeap(year) ? 29 : DAYS[month - 1]!;
}

/** Days from 1970-01-01 to the first of the month; negative before. */
function daysBefore(year: number, month: number): number {
  const past = year - 1;
  const leaps = Math.floor(past / 4) - Math.floor(past / 100) + Math.floor(past / 400);
  let days = (year - 1970) * 365 + leaps - 477; // leap days before 1970
  for (let m = 1; m < month; m++) days += daysIn(year, m);
  return days;
}

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const DIGIT = new Map([...ALPHABET].map((letter, i) => [letter, i]));

/** RFC 4648, section 4: padded, and with nothing hidden in the padding's bits. */
export function base64(value: unknown, what: string): Uint8Array {
  const letters = text(value, what);
  if (letters.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(letters)) return fail(what);
  const digits = letters.replace(/=+$/, "");
  const out = new Uint8Array(Math.floor((digits.length * 3) / 4));
  let bits = 0;
  let held = 0;
  let at = 0;
  for (const letter of digits) {
    held = held * 64 + DIGIT.get(letter)!;
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    out[at++] = Math.floor(held / 2 ** bits);
    held %= 2 ** bits;
  }
  return held === 0 ? out : fail(what);
}

function hex(value: unknown, what: string): Uint8Array {
  const digits = text(value, what);
  return /^([0-9A-Fa-f]{2})*$/.test(digits) ? fromHex(digits) : fail(what);
}

/** A 64-bit integer as CometBFT writes it: a decimal string, or a number for small ones. */
function integer(value: unknown, what: string): bigint {
  const digits = typeof value === "number" ? String(value) : text(value, what);
  return /^(0|[1-9]\d{0,19})$/.test(digits) ? BigInt(digits) : fail(what);
}

function safeInteger(value: unknown, what: string): number {
  const wide = integer(value, what);
  return wide <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(wide) : fail(what);
}

function fields(value: unknown, what: string): Fields {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return fail(what);
  return value as Fields;
}

function list(value: unknown, what: string): readonly unknown[] {
  return Array.isArray(value) && value.length <= VALIDATORS_MAX ? value : fail(what);
}

function text(value: unknown, what: string): string {
  return typeof value === "string" ? value : fail(what);
}

function fail(what: string): never {
  throw new GridError("bytes_malformed", `not a light block of CometBFT: ${what}`, {
    what,
    offset: 0,
  });
}
