/**
 * `gridlane orders`: a member's forward market. `place` and `cancel` sign with the member's key,
 * which never leaves this machine, and wait until the transaction is in a durable block; `list` is
 * the member's own view and needs a session.
 */
import { readFileSync } from "node:fs";
import { Command, Option } from "commander";
import { fromHex, toHex0x } from "../primitives/bytes.ts";
import { GridError } from "../primitives/errors.ts";
import { PRICE_UC_PER_WH_MAX, SLOT_ENERGY_WH_MAX } from "../primitives/limits.ts";
import type { AccountNonce, MyOrders, Region, Status, TransactionAnswer } from "../wire/api.ts";
import { encodeCancelOrder, encodePlaceOrder, FORWARD_SIDE } from "../wire/forward-order.ts";
import { TRANSACTION_CODE, type TransactionCodeName } from "../wire/refusals.ts";
import { marketAddress, memberAddress, signMemberTransaction } from "../wire/transaction.ts";
import { ask, CONFIG_HERE, nodeUrl } from "./operator.ts";
import { wholeNumber } from "./options.ts";
import { postJson, type SessionOptions, sessionOf, withSession } from "./session.ts";
import { EXIT, print, printJson, say, table } from "./talk.ts";
import { ctPerKwh, kwh, utcTime } from "./words.ts";

const SLOT_MAX = 0xffff_ffff;

/** What a refusal means to whoever placed the order; other codes are told by their name. */
const REFUSED: Partial<Record<TransactionCodeName, string>> = {
  sender_unknown: "this key belongs to no member",
  member_elsewhere: "a member orders in the own region only",
  nonce_stale: "another transaction of this key came first: try again",
  nonce_gapped: "an earlier transaction of this key is missing: try again",
  gate_closed: "the slot's gate has closed: its auction has been held",
  slot_beyond_horizon: "the slot is further ahead than orders are taken",
  order_invalid: "energy or price is out of range, or you have no meter to deliver at",
  orders_full: "there is no room for another order in this slot",
  order_unknown: "you have no open order of this number in this slot",
  mempool_full: "the node is busy: try again",
};

type Common = { readonly url?: string; readonly config: string; readonly json?: boolean };
type Signing = Common & { readonly key: string; readonly region: string; readonly slot: number };

export function ordersCommand(): Command {
  const command = new Command("orders")
    .description("trade energy of a coming slot before it is delivered")
    .addHelpText(
      "after",
      `
Prices are in uc/Wh: 20000 is 20 ct/kWh. A slot's number is its start in unix seconds divided by
the slot's length.

Examples:
  gridlane orders place --region hill --slot 1917024 --key me.hex \\
    --side ask --limit 12000 --energy 800
  gridlane orders cancel --region hill --slot 1917024 --order 7 --key me.hex
  gridlane orders list --code 4711-0815`,
    );
  for (const sub of [placeCommand(), cancelCommand(), listCommand()])
    command.addCommand(sub.exitOverride());
  return command;
}

function withNode(command: Command): Command {
  return command
    .option("--config <file>", "the node's configuration", CONFIG_HERE)
    .option("--url <url>", "the node's address, instead of the configured one")
    .option("--json", "print one JSON object");
}

function signing(command: Command): Command {
  return withNode(command)
    .requiredOption("--key <file>", "the member's secret key, 32 bytes in hexadecimal")
    .requiredOption("--region <id>", "the member's region")
    .requiredOption("--slot <number>", "the slot", wholeNumber({ min: 0, max: SLOT_MAX }));
}

function placeCommand(): Command {
  const price = wholeNumber({ min: -PRICE_UC_PER_WH_MAX, max: PRICE_UC_PER_WH_MAX });
  return signing(new Command("place").description("bid for energy of a slot, or offer it"))
    .addOption(
      new Option("--side <side>", "bid buys, ask sells")
        .choices(Object.keys(FORWARD_SIDE))
        .makeOptionMandatory(),
    )
    .requiredOption("--limit <uc/Wh>", "pay at most, or receive at least, this", price)
    .requiredOption("--energy <Wh>", "how much", wholeNumber({ min: 1, max: SLOT_ENERGY_WH_MAX }))
    .action(
      async (
        options: Signing & {
          readonly side: keyof typeof FORWARD_SIDE;
          readonly limit: number;
          readonly energy: number;
        },
      ) => {
        const { slot, limit, energy } = options;
        const side = FORWARD_SIDE[options.side];
        const order = { slot, side, limitUcPerWh: limit, energyWh: energy };
        const answer = await send(options, encodePlaceOrder(order));
        report(answer, options, `order placed: ${options.side} ${kwh(energy)} kWh, slot ${slot}`);
      },
    );
}

function cancelCommand(): Command {
  const anyId = wholeNumber({ min: 1, max: Number.MAX_SAFE_INTEGER });
  return signing(new Command("cancel").description("take back an open order"))
    .requiredOption("--order <number>", "the order's number, as `orders list` shows it", anyId)
    .action(async (options: Signing & { readonly order: number }) => {
      const { slot, order } = options;
      const answer = await send(options, encodeCancelOrder({ slot, orderId: order }));
      report(answer, options, `order ${order} cancelled`);
    });
}

function listCommand(): Command {
  const command = withNode(new Command("list").description("show your open orders and positions"));
  return withSession(command).action(async (options: Common & SessionOptions) => {
    const url = nodeUrl(urlOf(options));
    const token = await sessionOf(url, options);
    const headers = { authorization: `Bearer ${token}` };
    const own = (await ask(`${url}/api/v1/me/orders`, { headers })) as MyOrders;
    if (options.json) return printJson(own);
    if (options.code !== undefined) say(`session: ${token}`);
    print(ordersTable(own));
    print("");
    print(positionsTable(own));
  });
}

function ordersTable({ orders }: MyOrders): string {
  return table(
    ["order", "slot", "delivery", "gate closes", "side", "limit ct/kWh", "kWh"],
    orders.map((order) => [
      String(order.orderId),
      String(order.slot),
      utcTime(order.startS),
      utcTime(order.gateClosesS),
      order.side,
      ctPerKwh(order.limitUcPerWh),
      kwh(order.energyWh),
    ]),
  );
}

function positionsTable({ positions }: MyOrders): string {
  return table(
    ["slot", "delivery", "bought kWh", "sold kWh", "price ct/kWh"],
    positions.map((position) => [
      String(position.slot),
      utcTime(position.startS),
      kwh(position.boughtWh),
      kwh(position.soldWh),
      ctPerKwh(position.priceUcPerWh),
    ]),
  );
}

function urlOf({ url, config }: Common): { url: string | undefined; config: string } {
  return { url, config };
}

/** Signs a call of the region's market with the next nonce, and submits it. */
async function send(options: Signing, data: Uint8Array): Promise<TransactionAnswer> {
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

function report(answer: TransactionAnswer, { json }: Common, done: string): void {
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
