/** CometBFT's light blocks as values: what a light client is shown, before anything is believed. */

/** Seconds since 1970 and nanoseconds within the second. */
export type Timestamp = { readonly seconds: number; readonly nanos: number };

export type BlockId = {
  readonly hash: Uint8Array; // 32 B, or empty: no block
  readonly parts: { readonly total: number; readonly hash: Uint8Array };
};

/** Hashes are 32 bytes or empty, addresses 20 bytes. */
export type CometHeader = {
  readonly version: { readonly block: bigint; readonly app: bigint };
  readonly chainId: string;
  readonly height: number;
  readonly time: Timestamp;
  readonly lastBlockId: BlockId | null; // null at the first height
  readonly lastCommitHash: Uint8Array;
  readonly dataHash: Uint8Array;
  readonly validatorsHash: Uint8Array;
  readonly nextValidatorsHash: Uint8Array;
  readonly consensusHash: Uint8Array;
  readonly appHash: Uint8Array; // any length: the application's, after height - 1
  readonly lastResultsHash: Uint8Array;
  readonly evidenceHash: Uint8Array;
  readonly proposerAddress: Uint8Array;
};

/** For what a validator's signature stands. */
export const FLAG = { absent: 1, commit: 2, nil: 3 } as const;

export type CommitSignature = {
  readonly flag: number; // FLAG
  readonly validatorAddress: Uint8Array; // empty where absent
  readonly timestamp: Timestamp;
  readonly signature: Uint8Array;
};

export type Commit = {
  readonly height: number;
  readonly round: number;
  readonly blockId: BlockId;
  readonly signatures: readonly CommitSignature[]; // in the order of the validator set
};

export type Validator = {
  readonly address: Uint8Array; // 20 B, the first of the key's SHA-256
  readonly publicKey: Uint8Array; // 32 B, Ed25519
  readonly votingPower: bigint;
};

export type LightBlock = {
  readonly header: CometHeader;
  readonly commit: Commit;
  readonly validators: readonly Validator[];
  readonly nextValidators: readonly Validator[];
};

/** What is believed: a header and the set that signs the next one. */
export type TrustedBlock = Pick<LightBlock, "header" | "nextValidators">;
