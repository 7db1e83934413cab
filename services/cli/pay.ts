/**
 * `gridlane pay`: a payment to another member, of any region. Signs with the member's key and waits
 * until the transaction is in a durable block. `gridlane payments` lists the member's own, and
 * needs a session.
 */
import { Command, Option } from "commander";
import { readConfig } from "../node/config.ts";
import { fromHex, toHex0x } from "../primitives/bytes.ts";
import { GridError } from "../primitives/errors.ts";
import { PAYMENT_UC_MAX } from "../primitives/limits.ts";
import type { MicroCents } from "../primitives/units.ts";
import type { MyPayments } from "../wire/api.ts";
import type { Genesis } from "../wire/genesis.ts";
import { encodePay } from "../wire/payment.ts";
import { readGenesis } from "./directory.ts";
import {
  askOwn,
  type NodeOptions,
  report,
  type SigningOptions,
  send,
  withKey,
  withNode,
} from "./member-call.ts";
import { amountUc } from "./options.ts";
import { print, printJson, table } from "./talk.ts";
import { exactCurrency, utcTime } from "./words.ts";

type PayOptions = SigningOptions & {
  readonly to: string;
  readonly amount: bigint;
  readonly genesis?: string;
};

export function payCommand(): Command {
  return withKey(new Command("pay").description("pay another member out of your balance"))
    .requiredOption("--to <address|label>", "the payee: an address, a label, or region/label")
    .requiredOption("--amount <currency>", "how much", amountUc({ max: PAYMENT_UC_MAX }))
    .option("--genesis <file>", "where labels are looked up, instead of the configured genesis")
    .addHelpText(
      "after",
      `
Only what your balance holds can be paid. A payee in another region is credited a block later; a
payment that their region cannot take comes back.

Example:
  gridlane pay --region hill --key me.hex --to "meadow/meadow home 2" --amount 1.25`,
    )
    .action(async (options: PayOptions) => {
      const to = payeeAddress(options);
      const pay = { to, amountUc: options.amount as MicroCents };
      const answer = await send(options, encodePay(pay));
      report(answer, options, `paid ${exactCurrency(options.amount)} to ${toHex0x(to)}`);
    });
}

/** @throws GridError argument_invalid where no member, or more than one, has the label */
function payeeAddress({ to, genesis, config }: PayOptions): Uint8Array {
  if (/^0x[0-9a-fA-F]{40}$/.test(to)) return fromHex(to.toLowerCase());
  const file = genesis ?? readConfig({ file: config, environment: process.env }).genesis;
  const found = membersNamed(readGenesis(file), to);
  const [first] = found;
  if (first !== undefined && found.length === 1) return fromHex(first.address);
  const message =
    first === undefined
      ? `no member is called ${to}: give an address, or a label of ${file}`
      : `several members are called ${to}: say which, as ${found.map(({ at }) => at).join(" or ")}`;
  throw new GridError("argument_invalid", message, { argument: "--to", value: to });
}

function membersNamed({ regions }: Genesis, name: string) {
  return regions.flatMap(({ id, members }) =>
    members.flatMap(({ label, address }) => {
      const at = `${id}/${label}`;
      return name === label || name === at ? [{ at, address }] : [];
    }),
  );
}

export function paymentsCommand(): Command {
  return withNode(new Command("payments").description("show payments that moved your balance"))
    .addOption(new Option("--code <code>", "a pairing code, used up by this").conflicts("session"))
    .option("--session <token>", "a session's token")
    .option("--before <place>", "older than this: a block, or `nextBefore` of an earlier page")
    .action(
      async (
        options: NodeOptions & {
          readonly code?: string;
          readonly session?: string;
          readonly before?: string;
        },
      ) => {
        const { before } = options;
        const query = before === undefined ? "" : `?before=${encodeURIComponent(before)}`;
        const own = (await askOwn(options, `/api/v1/me/payments${query}`)) as MyPayments;
        if (options.json) return printJson(own);
        print(paymentsTable(own));
        if (own.nextBefore !== null) print(`older ones: --before ${own.nextBefore}`);
      },
    );
}

function paymentsTable({ payments }: MyPayments): string {
  return table(
    ["block", "time", "what", "amount", "region", "member"],
    payments.map((payment) => [
      String(payment.height),
      utcTime(payment.timeS),
      payment.kind,
      exactCurrency(BigInt(payment.amountUc)),
      payment.region,
      payment.address,
    ]),
  );
}
