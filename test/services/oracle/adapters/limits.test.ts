/** Method: each limit of the adapters at its edge: what just fits is read, one more is refused. */
import { expect, test } from "vitest";
import { parseJsonText } from "../../../../services/oracle/adapters/json-text.ts";
import { readOcmf } from "../../../../services/oracle/adapters/ocmf.ts";
import { ocmfRecordsOf } from "../../../../services/oracle/adapters/ocmf-file.ts";
import { utf8 } from "../../../../services/primitives/bytes.ts";
import { GridError } from "../../../../services/primitives/errors.ts";
import {
  OCMF_FILE_BYTES_MAX,
  OCMF_READINGS_MAX,
  OCMF_RECORD_BYTES_MAX,
  TELEGRAM_BYTES_MAX,
  TELEGRAM_DEPTH_MAX,
  TELEGRAM_VALUES_MAX,
} from "../../../../services/primitives/limits.ts";

/** "taken", or why not. */
function outcome(read: () => unknown): string {
  try {
    read();
    return "taken";
  } catch (failure) {
    expect(failure).toBeInstanceOf(GridError);
    return (failure as GridError<"telegram_refused">).facts.reason;
  }
}

const json = (text: string) => outcome(() => parseJsonText("tasmota", utf8(text)));
const list = (values: number) => `[${Array.from({ length: values - 1 }, () => 1).join(",")}]`;
const nested = (depth: number) => `${"[".repeat(depth)}1${"]".repeat(depth)}`;
const ocmf = (readings: number, padding = "") => {
  const payload = JSON.stringify({ PG: "T1", RD: Array.from({ length: readings }, () => ({})) });
  return `OCMF|${payload.replace("{", `{"Z":"${padding}",`)}|{"SD":"30"}`;
};
const padded = (bytes: number) => ocmf(1, "x".repeat(bytes - ocmf(1).length));

test.each([
  [
    "bytes",
    json(`${" ".repeat(TELEGRAM_BYTES_MAX - 1)}1`),
    json(`${" ".repeat(TELEGRAM_BYTES_MAX)}1`),
  ],
  ["values", json(list(TELEGRAM_VALUES_MAX)), json(list(TELEGRAM_VALUES_MAX + 1))],
  ["depth", json(nested(TELEGRAM_DEPTH_MAX)), json(nested(TELEGRAM_DEPTH_MAX + 1))],
])("%s of a telegram", (_, most, more) => {
  expect([most, more]).toEqual(["taken", "oversized"]);
});

test.each([
  ["readings", ocmf(OCMF_READINGS_MAX), ocmf(OCMF_READINGS_MAX + 1)],
  ["bytes", padded(OCMF_RECORD_BYTES_MAX), padded(OCMF_RECORD_BYTES_MAX + 1)],
])("%s of an OCMF record", (_, most, more) => {
  expect(outcome(() => readOcmf(utf8(most)))).toBe("taken");
  expect(outcome(() => readOcmf(utf8(more)))).toBe("oversized");
});

test("bytes of an OCMF file", () => {
  const record = utf8(ocmf(1));
  const file = (bytes: number) => {
    const all = new Uint8Array(bytes).fill(0x0a);
    all.set(record);
    return all;
  };
  expect(outcome(() => ocmfRecordsOf(file(OCMF_FILE_BYTES_MAX)))).toBe("taken");
  expect(outcome(() => ocmfRecordsOf(file(OCMF_FILE_BYTES_MAX + 1)))).toBe("oversized");
});
