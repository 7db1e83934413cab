/** A member's own session, for commands that show or export what is theirs alone. */
import { type Command, Option } from "commander";
import { GridError } from "../primitives/errors.ts";
import type { Session } from "../wire/api.ts";
import { ask } from "./operator.ts";

export type SessionOptions = { readonly code?: string; readonly session?: string };

export function withSession(command: Command): Command {
  return command
    .addOption(new Option("--code <code>", "a pairing code, used up by this").conflicts("session"))
    .option("--session <token>", "a session's token");
}

/** The token given, or that of a session which the pairing code opens. */
export async function sessionOf(url: string, options: SessionOptions): Promise<string> {
  if (options.session !== undefined) return options.session;
  if (options.code === undefined) {
    const message = "whose? Give --session, or --code from `gridlane pair`";
    throw new GridError("argument_invalid", message, { argument: "--code", value: "" });
  }
  const opened = (await postJson(`${url}/api/v1/session`, { code: options.code })) as Session;
  return opened.token;
}

export function postJson(url: string, body: unknown): Promise<unknown> {
  const headers = { "content-type": "application/json" };
  return ask(url, { method: "POST", headers, body: JSON.stringify(body) });
}
