/**
 * `gridlane orders`: a member's forward market. `place` and `cancel` sign with the member's key,
 * which never leaves this machine, and wait until the transaction is in a durable block; `list` is
 * the member's own view and needs a session.
 */
import { Command, Option } from "commander";
import { PRICE_UC_PER_WH_MAX, SLOT_ENERGY_WH_MAX } from "../primitives/limits.ts";
import type { MyOrders } from "../wire/api.ts";
import { encodeCancelOrder, encodePlaceOrder, FORWARD_SIDE } from "../wire/forward-order.ts";
import {
  askOwn,
  type NodeOptions,
  report,
  type SigningOptions,
  send,
  withKey,
  withNode,
} from "./member-call.ts";
import { wholeNumber } from "./options.ts";
import { type SessionOptions, withSession } from "./session.ts";
import { print, printJson, table } from "./talk.ts";
import { ctPerKwh, kwh, utcTime } from "./words.ts";

const SLOT_MAX = 0xffff_ffff;

type Signing = SigningOptions & { readonly slot: number };

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

function signing(command: Command): Command {
  const slot = wholeNumber({ min: 0, max: SLOT_MAX });
  return withKey(command).requiredOption("--slot <number>", "the slot", slot);
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
  return withSession(command).action(async (options: NodeOptions & SessionOptions) => {
    const own = (await askOwn(options, "/api/v1/me/orders")) as MyOrders;
    if (options.json) return printJson(own);
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
