/**
 * A member's calls of the own region's market, signed with the member's key, which never leaves
 * this machine; and how a command reads what only its member may see.
 */
import { readFileSync } from "node:fs";
import type { Command } from "commander";
import { fromHex, toHex0x } from "../primitives/bytes.ts";
import { GridError } from "../primitives/errors.ts";
import type { AccountNonce, Region, Status, TransactionAnswer } from "../wire/api.ts";
import { TRANSACTION_CODE, type TransactionCodeName } from "../wire/refusals.ts";
import { marketAddress, memberAddress, signMemberTransaction } from "../wire/transaction.ts";
import { ask, CONFIG_HERE, nodeUrl } from "./operator.ts";
import { postJson, type SessionOptions, sessionOf } from "./session.ts";
import { EXIT, print, printJson, say } from "./talk.ts";

/** What a refusal means to whoever sent the call; other codes are told by their name. */
const REFUSED: Partial<Record<TransactionCodeName, string>> = {
  sender_unknown: "this key belongs to no member",
  member_elsewhere: "a member acts in the own region only",
  nonce_stale: "another transaction of this key came first: try again",
  nonce_gapped: "an earlier transaction of this key is missing: try again",
  gate_closed: "the slot's gate has closed: its auction has been held",
  slot_beyond_horizon: "the slot is further ahead than orders are taken",
  order_invalid: "energy or price is out of range, or you have no meter to deliver at",
  orders_full: "there is no room for another order in this slot",
  order_unknown: "you have no open order of this number in this slot",
  payment_invalid: "nothing, too much at once, or a payment to yourself",
  payee_unknown: "no member has this address",
  balance_insufficient: "your balance does not hold as much",
  account_full: "an account that this payment touches takes no more",
  receiver_congested: "too many messages wait between the two regions: try again",
  lane_quarantined: "your region is out of the market: try again when it is back",
  mempool_full: "the node is busy: try again",
};

export type NodeOptions = {
  readonly url?: string;
  readonly config: string;
  readonly json?: boolean;
};
export type SigningOptions = NodeOptions & { readonly key: string; readonly region: string };

export function withNode(command: Command): Command {
  return command
    .option("--config <file>", "the node's configuration", CONFIG_HERE)
    .option("--url <url>", "the node's address, instead of the configured one")
    .option("--json", "print one JSON object");
}

export function withKey(command: Command): Command {
  return withNode(command)
    .requiredOption("--key <file>", "the member's secret key, 32 bytes in hexadecimal")
    .requiredOption("--region <id>", "the member's region");
}

export function urlOf({ url, config }: NodeOptions): { url: string | undefined; config: string } {
  return { url, config };
}

/** An answer that is the member's own, and the session's token where `--code` opened one. */
export async function askOwn(
  options: NodeOptions & SessionOptions,
  path: string,
): Promise<unknown> {
  const url = nodeUrl(urlOf(options));
  const token = await sessionOf(url, options);
  const answer = await ask(`${url}${path}`, { headers: { authorization: `Bearer ${token}` } });
  if (options.code !== undefined && !options.json) say(`session: ${token}`);
  return answer;
}

/** Signs a call of the region's market with the next nonce, and submits it. */
export async function send(options: SigningOptions, data: Uint8Array): Promise<TransactionAnswer> {
  const secretKey = readKeyFile(options.key);
  const address = toHex0x(memberAddress(secretKey));
  const url = nodeUrl(urlOf(options));
  const [status, regions, account] = await Promise.all([
    ask(`${url}/api/v1/status`) as Promise<Status>,
    ask(`${url}/api/v1/regions`) as Promise<Region[]>,
    ask(`${url}/api/v1/accounts/${address}/nonce`) as Promise<AccountNonce>,
  ]);
  const regionIndex = regions.findIndex(({ id }) => id === options.region);
  if (regionIndex < 0) {
    const known = regions.map(({ id }) => id).join(", ");
    const message = `no region ${options.region}; there are ${known}`;
    throw new GridError("argument_invalid", message, {
      argument: "--region",
      value: options.region,
    });
  }
  const { chainId } = status;
  const to = marketAddress(regionIndex);
  const transaction = { chainId, nonce: account.nonce, to, data };
  const raw = toHex0x(signMemberTransaction({ transaction, secretKey }));
  return (await postJson(`${url}/api/v1/transactions`, { raw })) as TransactionAnswer;
}

/** @throws GridError file_unreadable, or argument_invalid; never says what stands in the file */
export function readKeyFile(file: string): Uint8Array {
  let text: string;
  try {
    text = readFileSync(file, "utf8").trim();
  } catch (cause) {
    throw new GridError("file_unreadable", `cannot read the key file ${file}`, { file }, { cause });
  }
  const hex = text.replace(/^0x/, "");
  if (!/^[0-9a-f]{64}$/i.test(hex)) {
    const message = `${file} holds no secret key: 64 hexadecimal digits are needed`;
    throw new GridError("argument_invalid", message, { argument: "--key", value: file });
  }
  return fromHex(hex.toLowerCase());
}

/** Says how it ended, and sets the exit code. */
export function report(answer: TransactionAnswer, { json }: NodeOptions, done: string): void {
  const refused = answer.code !== TRANSACTION_CODE.ok;
  if (refused) process.exitCode = EXIT.error;
  const why = refused ? refusalInWords(answer.codeName) : null;
  if (json) printJson({ ...answer, why });
  else if (refused) say(`gridlane: refused: ${why} [${answer.codeName}]`);
  else print(`${done} (block ${answer.height})`);
}

/** A refusal as a sentence; the code's own name where there is none. */
export function refusalInWords(codeName: string): string {
  const known: Readonly<Record<string, string | undefined>> = REFUSED;
  return known[codeName] ?? codeName.replaceAll("_", " ");
}
