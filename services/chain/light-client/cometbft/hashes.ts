/**
 * The hashes of CometBFT: headers and validator sets as RFC 6962 trees, and the bytes that a
 * validator signs. Safe because each value has one encoding (`protobuf.ts`), and leaves are told
 * from nodes by their prefix. Source: CometBFT v0.38, crypto/merkle, types/block.go,
 * types/validator.go, types/canonical.go.
 */
import { sha256 } from "../../../crypto/hash.ts";
import { compareBytes, concatBytes } from "../../../primitives/bytes.ts";
import {
  bytesField,
  integerField,
  lengthPrefixed,
  messageField,
  sfixed64Field,
  stringField,
} from "./protobuf.ts";
import type { BlockId, CometHeader, Commit, Timestamp, Validator } from "./types.ts";

const LEAF = Uint8Array.of(0);
const NODE = Uint8Array.of(1);
const PRECOMMIT = 2;

/** RFC 6962, section 2.1: the left tree is the largest full one. */
export function treeHash(leaves: readonly Uint8Array[]): Uint8Array {
  if (leaves.length === 0) return sha256();
  if (leaves.length === 1) return sha256(LEAF, leaves[0]!);
  let left = 1;
  while (left * 2 < leaves.length) left *= 2;
  return sha256(NODE, treeHash(leaves.slice(0, left)), treeHash(leaves.slice(left)));
}

export function headerHash(header: CometHeader): Uint8Array {
  const { version } = header;
  // Scalars are wrapped as protobuf's StringValue, Int64Value, BytesValue: field 1 of a message.
  return treeHash([
    concatBytes([integerField(1, version.block), integerField(2, version.app)]),
    stringField(1, header.chainId),
    integerField(1, header.height),
    timestampBytes(header.time),
    blockIdBytes(header.lastBlockId ?? NO_BLOCK),
    bytesField(1, header.lastCommitHash),
    bytesField(1, header.dataHash),
    bytesField(1, header.validatorsHash),
    bytesField(1, header.nextValidatorsHash),
    bytesField(1, header.consensusHash),
    bytesField(1, header.appHash),
    bytesField(1, header.lastResultsHash),
    bytesField(1, header.evidenceHash),
    bytesField(1, header.proposerAddress),
  ]);
}

const NO_BLOCK: BlockId = {
  hash: new Uint8Array(0),
  parts: { total: 0, hash: new Uint8Array(0) },
};

function timestampBytes({ seconds, nanos }: Timestamp): Uint8Array {
  return concatBytes([integerField(1, seconds), integerField(2, nanos)]);
}

/** BlockID and CanonicalBlockID have the same bytes. */
function blockIdBytes({ hash, parts }: BlockId): Uint8Array {
  const partSet = concatBytes([integerField(1, parts.total), bytesField(2, parts.hash)]);
  return concatBytes([bytesField(1, hash), messageField(2, partSet)]);
}

/** The set in its one order: by falling power, then by rising address. */
export function orderedValidators(validators: readonly Validator[]): Validator[] {
  return [...validators].sort((a, b) => {
    if (a.votingPower !== b.votingPower) return a.votingPower > b.votingPower ? -1 : 1;
    return compareBytes(a.address, b.address);
  });
}

/** @param validators - in the set's order */
export function validatorsHash(validators: readonly Validator[]): Uint8Array {
  return treeHash(
    validators.map(({ publicKey, votingPower }) =>
      concatBytes([messageField(1, bytesField(1, publicKey)), integerField(2, votingPower)]),
    ),
  );
}

export function validatorAddress(publicKey: Uint8Array): Uint8Array {
  return sha256(publicKey).slice(0, 20);
}

/** What the validator of signature `index` signed for the commit's block. */
export function voteSignBytes(chainId: string, commit: Commit, index: number): Uint8Array {
  return lengthPrefixed(
    concatBytes([
      integerField(1, PRECOMMIT),
      sfixed64Field(2, commit.height),
      sfixed64Field(3, commit.round),
      messageField(4, blockIdBytes(commit.blockId)),
      messageField(5, timestampBytes(commit.signatures[index]!.timestamp)),
      stringField(6, chainId),
    ]),
  );
}
