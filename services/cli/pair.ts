/**
 * `gridlane pair`: a one-time code with which a member opens the dashboard as themselves; or an
 * auditor's token, which reads the chain as it is stored and acts as nobody.
 */
import { Command } from "commander";
import type { z } from "zod";
import { GridError } from "../primitives/errors.ts";
import { AUDITOR_DAYS_MAX } from "../primitives/limits.ts";
import type { Auditor, AuditorsRevoked, Pairing } from "../wire/api.ts";
import { CONFIG_HERE, type Operator, operatorOf } from "./operator.ts";
import { wholeNumber } from "./options.ts";
import { print, printJson, say } from "./talk.ts";
import { utcTime } from "./words.ts";

type Options = {
  readonly config: string;
  readonly url?: string;
  readonly json?: true;
  readonly auditor?: true;
  readonly days: number;
  readonly revokeAuditors?: true;
};

export function pairCommand(): Command {
  return new Command("pair")
    .description("make a one-time code for one member's dashboard, or a token for an auditor")
    .argument("[region]", "the region's id")
    .argument("[member]", "the member's label in genesis")
    .option("--auditor", "a token that reads the whole chain, for `gridlane audit --url`")
    .option("--days <n>", "how long the auditor's token lasts", days, 30)
    .option("--revoke-auditors", "take all auditors' tokens back")
    .option("--config <file>", "the node's configuration", CONFIG_HERE)
    .option("--url <url>", "the node's address, where it is not the configured one")
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      `
An auditor's token shows every meter's energy of every slot: hand it to whom the members chose.

Examples:
  gridlane pair hill hill-3 --config village/gridlane.yaml
  gridlane pair --auditor --days 14 --config village/gridlane.yaml`,
    )
    .action(async (region: string | undefined, member: string | undefined, options: Options) => {
      const isForAuditors = options.auditor === true || options.revokeAuditors === true;
      if (isForAuditors !== (region === undefined)) refuse("region", region ?? "");
      if (isForAuditors) return pairAuditor(operatorOf(withUrl(options)), options);
      if (member === undefined) return refuse("member", "");
      return pairMember(operatorOf(withUrl(options)), { region: region!, member }, options);
    });
}

const days = wholeNumber({ min: 1, max: AUDITOR_DAYS_MAX });

function withUrl({ url, config }: Options) {
  return { url, config };
}

function refuse(argument: string, value: string): never {
  const message = "name a region and a member, or --auditor, or --revoke-auditors: one of them";
  throw new GridError("argument_invalid", message, { argument, value });
}

async function pairMember(
  operator: Operator,
  who: { readonly region: string; readonly member: string },
  { json }: Options,
): Promise<void> {
  const answer = (await operator.post("/api/v1/pairings", who)) as z.output<typeof Pairing>;
  const link = `${operator.url}/#/pair/${answer.code}`;
  if (json) return printJson({ ...answer, link });
  print(`${answer.code}`);
  print(`Open ${link}, or type the code there. It works once, for ten minutes.`);
}

async function pairAuditor(operator: Operator, options: Options): Promise<void> {
  if (options.revokeAuditors) {
    const { revoked } = (await operator.delete("/api/v1/auditors")) as z.output<
      typeof AuditorsRevoked
    >;
    if (options.auditor !== true) {
      if (options.json) return printJson({ revoked });
      return print(`${revoked} tokens taken back`);
    }
    say(`${revoked} tokens taken back`);
  }
  const body = { days: options.days };
  const { token, expiresS } = (await operator.post("/api/v1/auditors", body)) as z.output<
    typeof Auditor
  >;
  if (options.json) return printJson({ token, expiresS, url: operator.url });
  print(token);
  print(`It reads the whole chain until ${utcTime(expiresS)}, and is not shown again:`);
  print(`gridlane audit --url ${operator.url} --genesis genesis.json --token <token>`);
}
