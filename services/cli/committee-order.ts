/**
 * An order of the oracle's committee, made by the operator of a committee of one: signed with the
 * key in the node's directory, which never leaves this machine, and submitted like any transaction.
 */
import type { Command } from "commander";
import { aggregateBlsSignatures, blsPublicKey, blsSecretKey, signBls } from "../crypto/bls.ts";
import { readConfig } from "../node/config.ts";
import { readKeys } from "../node/keys.ts";
import { toHex, toHex0x } from "../primitives/bytes.ts";
import { GridError } from "../primitives/errors.ts";
import type { CommitteeOrders, TransactionAnswer } from "../wire/api.ts";
import {
  type CommitteeAct,
  committeeOrderStatement,
  encodeCommitteeOrder,
  encodeCommitteeOrderTransaction,
} from "../wire/committee-order.ts";
import { type Genesis, oracleConfigDigest, oracleQuorum } from "../wire/genesis.ts";
import { TRANSACTION_CODE, type TransactionCodeName } from "../wire/refusals.ts";
import { readGenesis } from "./directory.ts";
import { ask, CONFIG_HERE, nodeUrl } from "./operator.ts";
import { EXIT, print, printJson, say } from "./talk.ts";

export type OrderOptions = {
  readonly config: string;
  readonly url?: string;
  readonly json?: boolean;
};

const REFUSED: Partial<Record<TransactionCodeName, string>> = {
  committee_order_replayed: "another order came first: try again",
  committee_order_gapped: "an earlier order is missing: try again",
  committee_config_mismatched: "the node runs another network than this directory's genesis",
  committee_order_uncertified: "the key in this directory is not the committee's",
  release_invalid: "this region's lane is not quarantined",
  upgrade_invalid: "the version must be above the one in force, the height far enough ahead",
  mempool_full: "the node is busy: try again",
};

export function withOrderOptions(command: Command): Command {
  return command
    .option("--config <file>", "the node's configuration, with its keys beside it", CONFIG_HERE)
    .option("--url <url>", "the node's address, instead of the configured one")
    .option("--json", "print one JSON object");
}

/** The genesis of the node's directory. */
export function genesisOf({ config }: OrderOptions): Genesis {
  return readGenesis(readConfig({ file: config, environment: process.env }).genesis);
}

/**
 * Signs, submits and waits for the block.
 *
 * @throws GridError config_invalid where one key is no quorum, or is not in the committee
 */
export async function order(options: OrderOptions, act: CommitteeAct): Promise<TransactionAnswer> {
  const { config } = options;
  const settings = readConfig({ file: config, environment: process.env });
  const genesis = readGenesis(settings.genesis);
  const secretKey = blsSecretKey(readKeys(settings.keys)["oracle-bls"]);
  const signer = committeeMember(genesis, blsPublicKey(secretKey), settings.genesis);
  const url = nodeUrl({ url: options.url, config });
  const { nextSequence } = (await ask(`${url}/api/v1/committee`)) as CommitteeOrders;
  const configDigest = oracleConfigDigest(genesis);
  const orderBytes = encodeCommitteeOrder({ configDigest, sequence: nextSequence, act });
  const share = signBls({ message: committeeOrderStatement(orderBytes), secretKey });
  const signature = aggregateBlsSignatures([share]);
  const certificate = { signers: 2 ** signer, signature };
  const raw = toHex0x(encodeCommitteeOrderTransaction({ orderBytes, certificate }));
  const headers = { "content-type": "application/json" };
  const body = JSON.stringify({ raw });
  const request = { method: "POST", headers, body };
  return (await ask(`${url}/api/v1/transactions`, request)) as TransactionAnswer;
}

function committeeMember(genesis: Genesis, publicKey: Uint8Array, file: string): number {
  const own = toHex(publicKey);
  const member = genesis.oracle.members.findIndex(({ blsPublicKey: key }) => key === own);
  const quorum = oracleQuorum(genesis);
  if (member >= 0 && quorum === 1) return member;
  const why =
    member < 0
      ? "the key in this directory is not one of its committee"
      : `its committee orders with ${quorum} signatures, and this directory holds one key`;
  throw new GridError("config_invalid", `${file}: ${why}`, { file });
}

export function reportOrder(answer: TransactionAnswer, { json }: OrderOptions, done: string): void {
  const refused = answer.code !== TRANSACTION_CODE.ok;
  if (refused) process.exitCode = EXIT.error;
  const known: Readonly<Record<string, string | undefined>> = REFUSED;
  const why = refused ? (known[answer.codeName] ?? answer.codeName.replaceAll("_", " ")) : null;
  if (json) printJson({ ...answer, why });
  else if (refused) say(`gridlane: refused: ${why} [${answer.codeName}]`);
  else print(`${done} (block ${answer.height})`);
}
