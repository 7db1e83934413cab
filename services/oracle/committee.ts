/**
 * The oracle committee: who signs a report, and how many signatures make its certificate.
 *
 * M = floor((n + f) / 2) + 1 of n members, so two conflicting certificates need an equivocator.
 * Shares are BLS signatures over the report's statement; a key counts only with its proof of
 * possession, else a rogue key could forge an aggregate. Member order is genesis order.
 */
import {
  aggregateBlsSignatures,
  blsPublicKey,
  signBls,
  verifyBls,
  verifyBlsPossession,
} from "../crypto/bls.ts";
import { ed25519PublicKey } from "../crypto/ed25519.ts";
import { fromHex, toHex } from "../primitives/bytes.ts";
import { assert, GridError } from "../primitives/errors.ts";
import { type Genesis, oracleQuorum } from "../wire/genesis.ts";
import { type Certificate, reportStatement } from "../wire/report.ts";

export type OracleKeys = {
  readonly blsSecretKey: Uint8Array; // 32 B scalar, see `blsSecretKey` of crypto
  readonly receiptSecretKey: Uint8Array; // 32 B, Ed25519
  readonly saltSecret: Uint8Array; // 32 B, shared by the members of a committee
};

export type Share = { readonly memberIndex: number; readonly signature: Uint8Array };

export type Committee = {
  readonly memberIndex: number; // the own one
  readonly memberId: string;
  readonly quorum: number;
  sign(reportBytes: Uint8Array): Share;
  /** Null until a quorum of different members' valid shares is there. */
  certify(reportBytes: Uint8Array, shares: readonly Share[]): Certificate | null;
};

/**
 * @throws GridError oracle_key_unknown where genesis does not name these keys as one member's
 * @throws GridError argument_invalid where a member's proof of possession does not hold
 */
export function openCommittee(genesis: Genesis, keys: OracleKeys): Committee {
  const { members } = genesis.oracle;
  const memberIndex = ownIndex(genesis, keys);
  const publicKeys = members.map((member) => fromHex(member.blsPublicKey));
  members.forEach((member, i) => {
    const possession = fromHex(member.blsPossession);
    if (verifyBlsPossession({ possession, publicKey: publicKeys[i]! })) return;
    throw new GridError(
      "argument_invalid",
      `genesis: oracle member ${member.id} does not prove that it holds its BLS key`,
      { argument: `oracle.members.${i}.blsPossession`, value: member.blsPossession },
    );
  });
  const quorum = oracleQuorum(genesis);
  return {
    memberIndex,
    memberId: members[memberIndex]!.id,
    quorum,
    sign(reportBytes) {
      const message = reportStatement(reportBytes);
      return { memberIndex, signature: signBls({ message, secretKey: keys.blsSecretKey }) };
    },
    certify(reportBytes, shares) {
      const message = reportStatement(reportBytes);
      const valid = new Map<number, Uint8Array>();
      for (const { memberIndex: signer, signature } of shares) {
        const publicKey = publicKeys[signer];
        if (publicKey === undefined || valid.has(signer)) continue;
        const own = signer === memberIndex; // made here a moment ago
        if (own || verifyBls({ signature, message, publicKey })) valid.set(signer, signature);
      }
      return valid.size < quorum ? null : aggregate(valid);
    },
  };
}

function aggregate(shares: ReadonlyMap<number, Uint8Array>): Certificate {
  const signers = [...shares.keys()].reduce((mask, signer) => mask + 2 ** signer, 0);
  assert(signers > 0, "a certificate has a signer");
  return { signers, signature: aggregateBlsSignatures([...shares.values()]) };
}

function ownIndex(genesis: Genesis, keys: OracleKeys): number {
  const bls = toHex(blsPublicKey(keys.blsSecretKey));
  const receipt = toHex(ed25519PublicKey(keys.receiptSecretKey));
  const index = genesis.oracle.members.findIndex(
    (member) => member.blsPublicKey === bls && member.receiptPublicKey === receipt,
  );
  if (index >= 0) return index;
  throw new GridError(
    "oracle_key_unknown",
    `genesis names no oracle member with BLS key ${bls} and receipt key ${receipt}: ` +
      "check that the key files belong to this network",
    { publicKey: bls },
  );
}
