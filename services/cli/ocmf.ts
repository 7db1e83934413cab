/**
 * OCMF on the command line: `gridlane meters import-ocmf` checks records of other systems,
 * `gridlane export ocmf` writes a member's readings for them.
 */
import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
} from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Command } from "commander";
import { sha256 } from "../crypto/hash.ts";
import { CONFIG_FILE_NAME, readConfig } from "../node/config.ts";
import { storedReadings } from "../node/stored-readings.ts";
import { ocmfTelegrams, readOcmf } from "../oracle/adapters/ocmf.ts";
import { ocmfRecordsOf } from "../oracle/adapters/ocmf-file.ts";
import { ocmfPayload, ocmfRecord } from "../oracle/adapters/ocmf-writer.ts";
import { type OcmfVerdict, signOcmf, verifyOcmf } from "../oracle/ocmf-signature.ts";
import { toHex, utf8 } from "../primitives/bytes.ts";
import { GridError } from "../primitives/errors.ts";
import { type Genesis, meterTrust } from "../wire/genesis.ts";
import { readGenesis } from "./directory.ts";
import { hexBytes, readBytes } from "./gateway-source.ts";
import { isoDate } from "./options.ts";
import { EXIT, print, printJson, say, table } from "./talk.ts";
import { VERSION } from "./version.ts";

type Checked = {
  readonly verdict: OcmfVerdict | "unreadable";
  readonly reason: string | null;
  readonly meter: string | null;
  readonly page: string | null;
  readonly registers: readonly {
    readonly timeS: number | null;
    readonly importWh: number | null;
    readonly exportWh: number | null;
    readonly flags: readonly string[];
  }[];
};

export function importOcmfCommand(): Command {
  return new Command("import-ocmf")
    .description("read OCMF records from a file, verify their signatures, print their registers")
    .argument("<file>", "plain records, or the XML of the transparency software")
    .option("--key <hex>", "the public key (SPKI), instead of the file's own", hexBytes)
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      `
Exit code 0: every record is genuine; 1: one is not, or nothing can be said of it. A key that stands
in the file itself only proves that record and key belong together. To bring registers of such a
meter into a community: gridlane gateway --format ocmf --file FILE --ocmf-key KEY.`,
    )
    .action((file: string, _: unknown, command: Command) => {
      // --json may land at the parent, which has one too
      const options: { key?: Uint8Array; json?: true } = command.optsWithGlobals();
      const checked = ocmfRecordsOf(readBytes(file)).map(({ record, publicKey }) => {
        return check(record, options.key ?? publicKey);
      });
      const isGenuine = checked.length > 0 && checked.every(({ verdict }) => verdict === "genuine");
      if (!isGenuine) process.exitCode = EXIT.error;
      if (options.json) return printJson({ genuine: isGenuine, records: checked });
      print(table(["verdict", "meter", "page", "time", "import Wh", "export Wh"], rowsOf(checked)));
    });
}

function check(record: Uint8Array, publicKey: Uint8Array | null): Checked {
  try {
    const read = readOcmf(record);
    const registers = ocmfTelegrams(read).map(({ timeS, importWh, exportWh, flags }) => {
      return { timeS, importWh, exportWh, flags };
    });
    const verdict = publicKey === null ? "key_unusable" : verifyOcmf(read, publicKey);
    const meter = read.meterSerial ?? read.gatewaySerial;
    return { verdict, reason: null, meter, page: read.pagination, registers };
  } catch (error) {
    if (!(error instanceof GridError) || error.code !== "telegram_refused") throw error;
    const { message: reason } = error;
    return { verdict: "unreadable", reason, meter: null, page: null, registers: [] };
  }
}

function rowsOf(checked: readonly Checked[]): string[][] {
  return checked.flatMap(({ verdict, reason, meter, page, registers }) => {
    const head = [verdict, printable(meter ?? reason ?? ""), printable(page ?? "")];
    if (registers.length === 0) return [[...head, "–", "–", "–"]];
    return registers.map(({ timeS, importWh, exportWh }) => [
      ...head,
      timeS === null ? "–" : new Date(timeS * 1000).toISOString(),
      importWh === null ? "–" : String(importWh),
      exportWh === null ? "–" : String(exportWh),
    ]);
  });
}

/** What a stranger wrote does not command the terminal. */
function printable(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, "?").slice(0, 60);
}

export function exportCommand(): Command {
  const ocmf = new Command("ocmf")
    .description("a member's signed readings as OCMF records, one a line, from a stopped node")
    .argument("[directory]", "the community's directory, with its gridlane.yaml", ".")
    .requiredOption("--region <id>", "the member's region")
    .requiredOption("--member <label>", "the member's label or address")
    .requiredOption("--key <file>", "the exporter's key (PEM, P-256); made if there is none")
    .option("--from <date>", "first day (UTC)", isoDate)
    .option("--to <date>", "last day (UTC)", isoDate)
    .addHelpText(
      "after",
      `
Each record's signature is the exporter's: it says that these registers stood in a reading which the
meter's own key had signed, and which was verified again for the export. The public key is printed.

Example:
  gridlane export ocmf village --region hill --member "Home 01" --key export.pem > home-01.ocmf`,
    )
    .action(exportOcmf);
  return new Command("export")
    .description("documents for other systems")
    .addCommand(ocmf.exitOverride());
}

async function exportOcmf(
  directory: string,
  options: { region: string; member: string; key: string; from?: string; to?: string },
): Promise<void> {
  const file = join(directory, CONFIG_FILE_NAME);
  const config = readConfig({ file, environment: process.env });
  const genesis = readGenesis(config.genesis);
  const { regionIndex, meters } = metersOf(genesis, options);
  const privateKey = exporterKey(options.key);
  const day = (date: string) => Date.parse(`${date}T00:00:00Z`) / 1000;
  let records = 0;
  for await (const { meterIndex, bytes, signed } of storedReadings({
    ...{ dataDirectory: config.data, genesis, regionIndex, meters },
    fromS: options.from === undefined ? 0 : day(options.from),
    toS: options.to === undefined ? Number.MAX_SAFE_INTEGER : day(options.to) + 86_400,
  })) {
    const payload = ocmfPayload({
      ...{ reading: signed.reading, recordHash: sha256(bytes), softwareVersion: VERSION },
      trust: meterTrust(genesis.regions[regionIndex]!.meters[meterIndex]!),
      networkId: genesis.networkId,
    });
    print(ocmfRecord(payload, signOcmf(utf8(payload), privateKey)));
    records++;
  }
  const spki = createPublicKey(privateKey).export({ format: "der", type: "spki" });
  say(`${records} records; public key ${toHex(Uint8Array.from(spki))}`);
}

function metersOf(genesis: Genesis, { region: id, member }: { region: string; member: string }) {
  const regionIndex = genesis.regions.findIndex((region) => region.id === id);
  const region = genesis.regions[regionIndex];
  const address = member.replace(/^0x/, "").toLowerCase();
  const found = region?.members.findIndex((one) => one.label === member || one.address === address);
  if (region === undefined || found === undefined || found < 0) {
    const value = `${id}/${member}`;
    throw new GridError("resource_unknown", `no member ${value}`, { what: "member", value });
  }
  const meters = region.meters.flatMap(({ memberIndex }, m) => (memberIndex === found ? [m] : []));
  return { regionIndex, meters };
}

function exporterKey(file: string): KeyObject {
  if (!existsSync(file)) {
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const pem = privateKey.export({ format: "pem", type: "pkcs8" });
    writeFileSync(file, pem, { mode: 0o600, flag: "wx" });
    say(`made the exporter's key ${file}`);
  }
  try {
    const key = createPrivateKey(readFileSync(file));
    if (key.asymmetricKeyDetails?.namedCurve === "prime256v1") return key;
  } catch (cause) {
    throw new GridError("config_invalid", `${file}: is no private key`, { file }, { cause });
  }
  throw new GridError("config_invalid", `${file}: is no P-256 key`, { file });
}
