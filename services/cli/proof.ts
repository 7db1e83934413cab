/**
 * `gridlane proof`: fetches a proof from a node and writes it as a file for `gridlane verify`. What
 * the node answers is checked before it is written, so a file is never worth less than its name.
 */
import { writeFileSync } from "node:fs";
import { Command, Option } from "commander";
import { GridError } from "../primitives/errors.ts";
import type { BillLine, Me } from "../wire/api.ts";
import { ask, CONFIG_HERE, nodeUrl } from "./operator.ts";
import { wholeNumber } from "./options.ts";
import { type SessionOptions, sessionOf, withSession } from "./session.ts";
import { EXIT, print, say } from "./talk.ts";
import { verifyProofText } from "./verify-proof.ts";

const SLOT_MAX = 0xffff_ffff;
const slotNumber = wholeNumber({ min: 0, max: SLOT_MAX });

type Common = { readonly url?: string; readonly config: string; readonly output?: string };
type OfSlot = Common & { readonly slot: number };

export function proofCommand(): Command {
  const command = new Command("proof")
    .description("export a proof from a node, for `gridlane verify`")
    .addHelpText(
      "after",
      `
Own data needs --code from \`gridlane pair\`, or --session. A reading's proof holds the record:
whoever has the file can read the meter's registers.

Examples:
  gridlane proof bill --slot 1917024 --code 4711-0815 -o bill.json
  gridlane proof reading --slot 1917024 --session TOKEN -o reading.json
  gridlane proof absence --slot 1917024 --session TOKEN -o no-late-bill.json
  gridlane proof policy --region hill -o law.json
  gridlane proof pending --region hill --slot 1917999 -o pending.json`,
    );
  const subs = [
    billCommand(),
    readingCommand(),
    policyCommand(),
    absenceCommand(),
    pendingCommand(),
  ];
  for (const sub of subs) command.addCommand(sub.exitOverride());
  return command;
}

function withNode(command: Command): Command {
  return command
    .option("--config <file>", "the node's configuration", CONFIG_HERE)
    .option("--url <url>", "the node's address, instead of the configured one")
    .option("-o, --output <file>", "write the proof there, not to stdout");
}

function ofSlot(command: Command): Command {
  return withNode(command).requiredOption("--slot <number>", "the slot", slotNumber);
}

function billCommand(): Command {
  const command = ofSlot(
    new Command("bill").description("an own bill; --slot is where it settled"),
  ).option("--leaf <number>", "which of your bills of the slot", slotNumber);
  return withSession(command).action(
    async (options: OfSlot & SessionOptions & { readonly leaf?: number }) => {
      const node = await ownNode(options);
      const { slot } = options;
      const leaf = options.leaf ?? (await onlyLeaf(node, slot));
      await exportProof(node, `/api/v1/me/bills/${slot}/${leaf}/proof`, options);
    },
  );
}

function readingCommand(): Command {
  const command = ofSlot(
    new Command("reading").description("the signed record of an own meter behind a slot's report"),
  ).option("--device <id>", "which of your meters");
  return withSession(command).action(
    async (options: OfSlot & SessionOptions & { readonly device?: string }) => {
      const node = await ownNode(options);
      const device = options.device ?? (await onlyDevice(node));
      await exportProof(node, `/api/v1/me/readings/${options.slot}/${device}/proof`, options);
    },
  );
}

function absenceCommand(): Command {
  const command = ofSlot(
    new Command("absence").description("that a slot holds no such bill of yours"),
  )
    .addOption(new Option("--kind <kind>", "of bill").choices(["late", "slot"]).default("late"))
    .option("--device <id>", "for one of your meters, instead of all");
  return withSession(command).action(
    async (
      options: OfSlot & SessionOptions & { readonly kind: string; readonly device?: string },
    ) => {
      const query = new URLSearchParams({ kind: options.kind });
      if (options.device !== undefined) query.set("device", options.device);
      const path = `/api/v1/me/absences/${options.slot}/proof?${query}`;
      await exportProof(await ownNode(options), path, options);
    },
  );
}

function policyCommand(): Command {
  return withNode(new Command("policy").description("a region's law: in force, or of a slot"))
    .requiredOption("--region <id>", "the region")
    .option("--slot <number>", "the law that this slot cleared under", slotNumber)
    .action(async (options: Common & { readonly region: string; readonly slot?: number }) => {
      const { slot } = options;
      const region = `/api/v1/regions/${encodeURIComponent(options.region)}`;
      const path = slot === undefined ? `${region}/policy` : `${region}/slots/${slot}/policy`;
      await exportProof(publicNode(options), `${path}/proof`, options);
    });
}

function pendingCommand(): Command {
  return ofSlot(new Command("pending").description("that a region has not cleared a slot"))
    .requiredOption("--region <id>", "the region")
    .action(async (options: OfSlot & { readonly region: string }) => {
      const region = encodeURIComponent(options.region);
      const path = `/api/v1/regions/${region}/slots/${options.slot}/pending/proof`;
      await exportProof(publicNode(options), path, options);
    });
}

type Node = { readonly url: string; readonly headers: Record<string, string> };

function publicNode({ url, config }: Common): Node {
  return { url: nodeUrl({ url, config }), headers: {} };
}

async function ownNode(options: Common & SessionOptions): Promise<Node> {
  const { url } = publicNode(options);
  const token = await sessionOf(url, options);
  if (options.code !== undefined) say(`session: ${token}`);
  return { url, headers: { authorization: `Bearer ${token}` } };
}

async function onlyLeaf({ url, headers }: Node, slot: number): Promise<number> {
  const path = `/api/v1/me/bills?from=${slot}&to=${slot}`;
  const lines = (await ask(`${url}${path}`, { headers })) as BillLine[];
  const known = lines.map(({ leafIndex }) => String(leafIndex));
  return Number(only(known, { argument: "--leaf", what: `bill of yours in slot ${slot}` }));
}

async function onlyDevice({ url, headers }: Node): Promise<string> {
  const { meters } = (await ask(`${url}/api/v1/me`, { headers })) as Me;
  const known = meters.map(({ deviceId }) => deviceId);
  return only(known, { argument: "--device", what: "meter of yours" });
}

/** @throws GridError argument_invalid unless there is exactly one */
function only(known: readonly string[], asked: { argument: string; what: string }): string {
  const [first] = known;
  if (first !== undefined && known.length === 1) return first;
  const choice =
    known.length === 0 ? "there is none" : `give ${asked.argument}: ${known.join(", ")}`;
  throw new GridError("argument_invalid", `not one ${asked.what}: ${choice}`, {
    argument: asked.argument,
    value: "",
  });
}

async function exportProof(node: Node, path: string, { output }: Common): Promise<void> {
  const text = JSON.stringify(await ask(`${node.url}${path}`, { headers: node.headers }));
  const verdict = verifyProofText(text, { source: "file" });
  if (!verdict.valid) {
    process.exitCode = EXIT.error;
    say(`gridlane: what the node answered is no proof: step ${verdict.failed} fails`);
    return;
  }
  say(`${verdict.kind}: ${verdict.claim}`);
  say("It holds under the key that the node names; `gridlane verify` holds it to a key you trust.");
  if (output === undefined) return print(text);
  writeProof(output, text);
  say(`written to ${output}`);
}

/** Readable by its owner alone: it may hold a reading. */
function writeProof(file: string, text: string): void {
  try {
    writeFileSync(file, text, { mode: 0o600 });
  } catch (cause) {
    throw new GridError("permission_denied", `cannot write ${file}`, { path: file }, { cause });
  }
}
