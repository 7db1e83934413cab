/**
 * Whether a light client that trusts one CometBFT header may trust another: sequential where the
 * new one follows at once, skipping where enough of the trusted set signed it. Pure: the time is an
 * argument, and nothing is asked of any network.
 *
 * Safe because a header counts only with its own commit: more than 2/3 of the set that it names,
 * and either that set was named by the trusted header, or more than 1/3 of the trusted set signed
 * too, so that at least one honest validator vouches for it. Source: CometBFT v0.38,
 * light/verifier.go and types/validation.go. Signatures are judged by ZIP-215.
 */
import { verifyEd25519 } from "../../../crypto/ed25519.ts";
import { bytesEqual, toHex } from "../../../primitives/bytes.ts";
import { assert } from "../../../primitives/errors.ts";
import { VALIDATORS_MAX } from "../../../primitives/limits.ts";
import {
  headerHash,
  orderedValidators,
  validatorAddress,
  validatorsHash,
  voteSignBytes,
} from "./hashes.ts";
import {
  type CometHeader,
  FLAG,
  type LightBlock,
  type Timestamp,
  type TrustedBlock,
  type Validator,
} from "./types.ts";

export type LightOptions = {
  readonly nowS: Timestamp;
  readonly trustingPeriodNs: bigint; // below the time in which a stake can be withdrawn
  readonly clockDriftNs: bigint; // by how much a header may be ahead of `nowS`
};

/** Why a header is no header of this chain, or none now. */
export type LightFault =
  | "trusted_expired" // the trusted header is too old to vouch for anything
  | "header_malformed" // fields out of range
  | "chain_mismatched"
  | "height_not_above"
  | "time_not_after"
  | "time_in_future"
  | "commit_mismatched" // of another height, block or set
  | "validators_mismatched" // not the sets that the header or the trusted header names
  | "signature_invalid"
  | "power_insufficient"; // not more than 2/3 of its own set signed

export type LightVerdict =
  | { readonly kind: "trusted" }
  | { readonly kind: "not_enough_trust" } // try a header in between
  | { readonly kind: "invalid"; readonly fault: LightFault };

const BLOCK_PROTOCOL = 11n;
const CHAIN_ID_LENGTH_MAX = 50;
const ROUND_MAX = 2 ** 31 - 1;
/** CometBFT's MaxTotalVotingPower: 2^63 / 8. */
const TOTAL_POWER_MAX = 2n ** 60n - 1n;

/** Never throws for what a block may hold; the verdict names the first fault. */
export function verifyLightBlock(
  trusted: TrustedBlock,
  block: LightBlock,
  options: LightOptions,
): LightVerdict {
  const { header } = block;
  const now = nanoseconds(options.nowS);
  const expires = nanoseconds(trusted.header.time) + options.trustingPeriodNs;
  if (expires <= now) return invalid("trusted_expired");
  const fault = ownFault(block) ?? followingFault(trusted.header, header);
  if (fault !== null) return invalid(fault);
  if (nanoseconds(header.time) >= now + options.clockDriftNs) return invalid("time_in_future");
  const votes = new Votes(block);
  if (header.height === trusted.header.height + 1) {
    if (!bytesEqual(header.validatorsHash, trusted.header.nextValidatorsHash)) {
      return invalid("validators_mismatched");
    }
  } else {
    const trustedSet = orderedValidators(trusted.nextValidators);
    assert(
      bytesEqual(validatorsHash(trustedSet), trusted.header.nextValidatorsHash),
      "a trusted header names the set that is trusted with it",
    );
    const vouched = votes.exceedThird(trustedSet);
    if (vouched === "signature_invalid") return invalid(vouched);
    if (vouched === "below") return { kind: "not_enough_trust" };
  }
  const signed = votes.exceedTwoThirds();
  if (signed === "signature_invalid") return invalid(signed);
  return signed === "below" ? invalid("power_insufficient") : { kind: "trusted" };
}

function invalid(fault: LightFault): LightVerdict {
  return { kind: "invalid", fault };
}

function nanoseconds({ seconds, nanos }: Timestamp): bigint {
  return BigInt(seconds) * 1_000_000_000n + BigInt(nanos);
}

/** What can be said of a block without any other. */
function ownFault({ header, commit, validators, nextValidators }: LightBlock): LightFault | null {
  if (!isWholeHeader(header)) return "header_malformed";
  if (commit.height !== header.height || !isWithin(commit.round, 0, ROUND_MAX)) {
    return "commit_mismatched";
  }
  if (!isHash(commit.blockId.parts.hash) || !isWithin(commit.blockId.parts.total, 0, 2 ** 32 - 1)) {
    return "commit_mismatched";
  }
  if (validators.length === 0 || !areWhole(validators)) return "validators_mismatched";
  // An empty next set is CometBFT's own business: whoever names it can never be followed.
  if (!areWhole(nextValidators)) return "validators_mismatched";
  if (!bytesEqual(commit.blockId.hash, headerHash(header))) return "commit_mismatched";
  if (!names(header.validatorsHash, validators)) return "validators_mismatched";
  if (!names(header.nextValidatorsHash, nextValidators)) return "validators_mismatched";
  return commit.signatures.length === validators.length ? null : "commit_mismatched";
}

function names(hash: Uint8Array, validators: readonly Validator[]): boolean {
  return bytesEqual(hash, validatorsHash(orderedValidators(validators)));
}

function isWholeHeader(header: CometHeader): boolean {
  const hashes = [
    ...[header.lastCommitHash, header.dataHash, header.validatorsHash, header.nextValidatorsHash],
    ...[header.consensusHash, header.lastResultsHash, header.evidenceHash],
  ];
  const { lastBlockId, time, chainId } = header;
  return (
    header.version.block === BLOCK_PROTOCOL &&
    isWithin(header.version.app, 0n, 2n ** 64n - 1n) &&
    chainId.length > 0 &&
    chainId.length <= CHAIN_ID_LENGTH_MAX &&
    isWithin(header.height, 1, Number.MAX_SAFE_INTEGER) &&
    isWithin(time.nanos, 0, 999_999_999) &&
    Number.isSafeInteger(time.seconds) &&
    hashes.every(isHash) &&
    header.proposerAddress.length === 20 &&
    (lastBlockId === null || isWithin(lastBlockId.parts.total, 0, 2 ** 32 - 1))
  );
}

function isHash(bytes: Uint8Array): boolean {
  return bytes.length === 0 || bytes.length === 32;
}

function isWithin<Value extends number | bigint>(value: Value, min: Value, max: Value): boolean {
  const isWhole = typeof value === "bigint" || Number.isSafeInteger(value);
  return isWhole && value >= min && value <= max;
}

/** A set without doubles whose addresses are its keys' and whose power can be added up. */
function areWhole(validators: readonly Validator[]): boolean {
  if (validators.length > VALIDATORS_MAX) return false;
  const addresses = new Set(validators.map(({ address }) => toHex(address)));
  return (
    addresses.size === validators.length &&
    totalPower(validators) <= TOTAL_POWER_MAX &&
    validators.every(({ address, publicKey, votingPower }) => {
      return votingPower > 0n && bytesEqual(address, validatorAddress(publicKey));
    })
  );
}

function followingFault(trusted: CometHeader, header: CometHeader): LightFault | null {
  if (header.chainId !== trusted.chainId) return "chain_mismatched";
  if (header.height <= trusted.height) return "height_not_above";
  return nanoseconds(header.time) <= nanoseconds(trusted.time) ? "time_not_after" : null;
}

function totalPower(validators: readonly Validator[]): bigint {
  return validators.reduce((sum, { votingPower }) => sum + votingPower, 0n);
}

type Tally = "exceeded" | "below" | "signature_invalid";

/** The commit's signatures, each verified at most once and only until a tally is decided. */
class Votes {
  readonly #block: LightBlock;
  readonly #validators: readonly Validator[];
  readonly #verified = new Map<number, boolean>();

  constructor(block: LightBlock) {
    this.#block = block;
    this.#validators = orderedValidators(block.validators);
  }

  /** Whether more than a third of a trusted set signed, wherever its members stand now. */
  exceedThird(trusted: readonly Validator[]): Tally {
    const powers = new Map(
      trusted.map(({ address, votingPower }) => [toHex(address), votingPower] as const),
    );
    const threshold = { thirds: 1n, total: totalPower(trusted) };
    return this.#tally(threshold, ({ address }) => powers.get(toHex(address)) ?? 0n);
  }

  exceedTwoThirds(): Tally {
    const threshold = { thirds: 2n, total: totalPower(this.#validators) };
    return this.#tally(threshold, ({ votingPower }) => votingPower);
  }

  /** CometBFT divides and rounds down before it compares, which for whole powers is the same. */
  #tally(
    { thirds, total }: { readonly thirds: bigint; readonly total: bigint },
    powerOf: (validator: Validator) => bigint,
  ): Tally {
    const { signatures } = this.#block.commit;
    let tallied = 0n;
    for (let i = 0; i < signatures.length; i++) {
      if (signatures[i]!.flag !== FLAG.commit) continue;
      const power = powerOf(this.#validators[i]!);
      if (power === 0n) continue;
      if (!this.#isSigned(i)) return "signature_invalid";
      tallied += power;
      if (tallied * 3n > total * thirds) return "exceeded";
    }
    return "below";
  }

  #isSigned(index: number): boolean {
    const known = this.#verified.get(index);
    if (known !== undefined) return known;
    const { header, commit } = this.#block;
    const { address, publicKey } = this.#validators[index]!;
    const { signature, validatorAddress: signer, timestamp } = commit.signatures[index]!;
    const isSigned =
      bytesEqual(signer, address) &&
      Number.isSafeInteger(timestamp.seconds) &&
      isWithin(timestamp.nanos, 0, 999_999_999) &&
      verifyEd25519({
        signature,
        message: voteSignBytes(header.chainId, commit, index),
        publicKey,
      });
    this.#verified.set(index, isSigned);
    return isSigned;
  }
}
