/** Method: tables of options that name a source, and of those that name none or two. */
import { Command } from "commander";
import { expect, test } from "vitest";
import {
  adapterOf,
  addSourceOptions,
  type SourceOptions,
  settingsOf,
  sourceOf,
} from "../../../services/cli/gateway-source.ts";
import { GridError } from "../../../services/primitives/errors.ts";

function parse(text: string): SourceOptions {
  const command = addSourceOptions(new Command("gateway")).exitOverride();
  command.configureOutput({ writeErr: () => {} });
  return command.parse(text.split(" "), { from: "user" }).opts<SourceOptions>();
}

const DSMR = "115200 cs8 -parenb -cstopb raw -echo".split(" ");

test.each([
  ["--format dsmr --file p1.txt", { kind: "file", path: "p1.txt" }],
  ["--format sml --stdin", { kind: "stdin" }],
  ["--format sml --tcp ser2net:7000", { kind: "tcp", host: "ser2net", port: 7000 }],
  ["--format sml --tcp [fe80::1]:7000", { kind: "tcp", host: "fe80::1", port: 7000 }],
  ["--format dsmr --serial /dev/ttyUSB0", { kind: "serial", path: "/dev/ttyUSB0", stty: DSMR }],
  [
    "--format shelly --mqtt mqtt://10.0.0.2 --topic a/rpc b/rpc --mqtt-user me",
    { kind: "mqtt", url: "mqtt://10.0.0.2", topics: ["a/rpc", "b/rpc"], username: "me" },
  ],
])("%s", (text, expected) => {
  expect(sourceOf(parse(text))).toEqual(expected);
});

test("offsets and fields reach the adapter", () => {
  const text = "--format home-assistant --stdin --import-field a.b --unit Wh --utc-offset -03:30";
  expect(settingsOf(parse(text))).toEqual({
    ...{ utcOffsetS: -12_600, component: null, importField: "a.b", exportField: null, unit: "Wh" },
  });
});

test.each([
  ["no source", "--format dsmr", "argument_invalid"],
  ["two sources", "--format dsmr --stdin --file x", "argument_invalid"],
  ["no format", "--stdin", "argument_invalid"],
  ["MQTT without a topic", "--format shelly --mqtt mqtt://h", "argument_invalid"],
  ["OCMF without a file", "--format ocmf --stdin", "argument_invalid"],
  ["OCMF without a key", "--format ocmf --file /nowhere/x", "file_unreadable"],
  ["Home Assistant without a field", "--format home-assistant --stdin", "argument_invalid"],
])("%s is refused", (_, text, code) => {
  const open = () => {
    const options = parse(text);
    return [sourceOf(options), adapterOf(options), settingsOf(options)];
  };
  expect(open).toThrow(GridError);
  expect(open).toThrow(expect.objectContaining({ code }));
});

test.each([
  "--format morse --stdin",
  "--format sml --tcp nowhere",
  "--format sml --tcp host:99999",
  "--format tasmota --stdin --utc-offset 1",
  "--format ocmf --file x --ocmf-key zz",
  "--format sml --stdin --counts all",
])("commander refuses %s", (text) => {
  expect(() => parse(text)).toThrow();
});
