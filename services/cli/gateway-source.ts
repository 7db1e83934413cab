/** Where a gateway's telegrams come from, as command line options. */
import { readFileSync } from "node:fs";
import { type Command, InvalidArgumentError, Option } from "commander";
import { ocmfAdapter } from "../gateway/ocmf-adapter.ts";
import type { Counts } from "../gateway/sampling.ts";
import type { SourcePlace } from "../gateway/sources.ts";
import {
  ADAPTERS,
  type Adapter,
  STREAM_FORMATS,
  type StreamFormat,
} from "../oracle/adapters/adapters.ts";
import { ocmfRecordsOf } from "../oracle/adapters/ocmf-file.ts";
import type { AdapterSettings } from "../oracle/adapters/telegram.ts";
import { fromHex } from "../primitives/bytes.ts";
import { GridError } from "../primitives/errors.ts";

export type SourceOptions = {
  format?: StreamFormat | "ocmf";
  file?: string;
  stdin?: true;
  tcp?: { host: string; port: number };
  serial?: string;
  stty?: string;
  mqtt?: string;
  topic?: string[];
  mqttUser?: string;
  mqttPasswordFile?: string;
  utcOffset?: number;
  component?: string;
  importField?: string;
  exportField?: string;
  unit: AdapterSettings["unit"];
  counts: Counts;
  time?: "auto" | "telegram";
  ocmfKey?: Uint8Array;
};

/** Speed and parity that the formats' ports usually have. */
const STTY: Readonly<Record<string, string>> = {
  dsmr: "115200 cs8 -parenb -cstopb raw -echo",
  sml: "9600 cs8 -parenb -cstopb raw -echo",
  dlms: "2400 cs8 parenb -parodd -cstopb raw -echo",
};
const STTY_DEFAULT = "9600 cs8 -parenb -cstopb raw -echo";

export function addSourceOptions(command: Command): Command {
  const formats = [...STREAM_FORMATS, "ocmf"];
  return command
    .addOption(new Option("--format <name>", "of the telegrams").choices(formats))
    .option("--file <file>", "read this file to its end")
    .option("--stdin", "read standard input")
    .option("--tcp <host:port>", "connect to a server that pushes telegrams", hostPort)
    .option("--serial <device>", "read a serial device, such as /dev/ttyUSB0")
    .option("--stty <settings>", "of the serial device (default: as the format usually has)")
    .option("--mqtt <url>", "subscribe at a local broker")
    .option("--topic <topic...>", "with --mqtt: what to subscribe to")
    .option("--mqtt-user <name>", "with --mqtt")
    .option("--mqtt-password-file <file>", "with --mqtt")
    .option("--utc-offset <offset>", "of local standard time, where telegrams have it", utcOffset)
    .option("--component <name>", "Shelly: emdata:0, switch:0 ...; OpenEMS: meter0 ...")
    .option("--import-field <path>", "home-assistant: where the import register stands, as a.b.c")
    .option("--export-field <path>", "home-assistant: where the export register stands")
    .addOption(
      new Option("--unit <unit>", "home-assistant: of these fields")
        .choices(["Wh", "kWh", "MWh"])
        .default("kWh"),
    )
    .addOption(
      new Option("--counts <what>", "which registers the source has")
        .choices(["both", "import", "production"])
        .default("both"),
    )
    .addOption(
      new Option(
        "--time <whose>",
        "whose time counts (default: auto; of a file: telegram)",
      ).choices([...["auto", "telegram"]]),
    )
    .option("--ocmf-key <hex>", "ocmf: the public key whose records are taken (SPKI)", hexBytes);
}

/** @throws GridError argument_invalid, file_unreadable, telegram_refused */
export function sourceOf(options: SourceOptions): SourcePlace {
  const { file, stdin, tcp, serial, mqtt, topic, format } = options;
  const given = [file, stdin, tcp, serial, mqtt].filter((one) => one !== undefined);
  if (given.length !== 1) {
    throw invalid("source", "give one of --file, --stdin, --tcp, --serial, --mqtt");
  }
  if (format === undefined) throw invalid("format", "name the telegrams' --format");
  if (format === "ocmf") {
    if (file === undefined) throw invalid("format", "ocmf is read from a --file");
    const records = ocmfRecordsOf(readBytes(file));
    return { kind: "frames", frames: records.map(({ record }) => record) };
  }
  if (file !== undefined) return { kind: "file", path: file };
  if (stdin) return { kind: "stdin" };
  if (tcp !== undefined) return { kind: "tcp", ...tcp };
  if (serial !== undefined) {
    const stty = (options.stty ?? STTY[format] ?? STTY_DEFAULT).split(/\s+/);
    return { kind: "serial", path: serial, stty };
  }
  if (topic === undefined) throw invalid("topic", "--mqtt needs at least one --topic");
  const { mqttUser: username, mqttPasswordFile } = options;
  const password =
    mqttPasswordFile === undefined
      ? undefined
      : new TextDecoder().decode(readBytes(mqttPasswordFile)).trim();
  return {
    ...{ kind: "mqtt", url: mqtt!, topics: topic },
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
  };
}

export function adapterOf({ format, ocmfKey }: SourceOptions): Adapter {
  if (format !== "ocmf" && format !== undefined) return ADAPTERS[format];
  if (ocmfKey === undefined) throw invalid("ocmf-key", "ocmf needs --ocmf-key: whom to trust");
  return ocmfAdapter(ocmfKey);
}

export function settingsOf(options: SourceOptions): AdapterSettings {
  const { format, importField, exportField, unit } = options;
  if (format === "home-assistant" && importField === undefined && exportField === undefined) {
    throw invalid("import-field", "home-assistant needs --import-field or --export-field");
  }
  return {
    utcOffsetS: options.utcOffset ?? null,
    component: options.component ?? null,
    importField: importField ?? null,
    exportField: exportField ?? null,
    unit,
  };
}

export function readBytes(file: string): Uint8Array {
  try {
    return Uint8Array.from(readFileSync(file));
  } catch (cause) {
    throw new GridError("file_unreadable", `${file} cannot be read`, { file }, { cause });
  }
}

export function hexBytes(text: string): Uint8Array {
  if (!/^([0-9a-fA-F]{2})+$/.test(text)) throw new InvalidArgumentError("must be hexadecimal");
  return fromHex(text);
}

function hostPort(text: string): { host: string; port: number } {
  const [, host, port] = /^\[?([^\]\s]+?)\]?:(\d{1,5})$/.exec(text) ?? [];
  if (host === undefined || Number(port) < 1 || Number(port) > 65_535) {
    throw new InvalidArgumentError("must be host:port");
  }
  return { host, port: Number(port) };
}

function utcOffset(text: string): number {
  const [, sign, hours, minutes] = /^([+-])(\d\d):(\d\d)$/.exec(text) ?? [];
  const offsetS = 3600 * Number(hours) + 60 * Number(minutes);
  if (sign === undefined || offsetS > 50_400) throw new InvalidArgumentError("must be like +01:00");
  return sign === "-" ? -offsetS : offsetS;
}

function invalid(argument: string, message: string): GridError<"argument_invalid"> {
  return new GridError("argument_invalid", message, { argument, value: "" });
}
