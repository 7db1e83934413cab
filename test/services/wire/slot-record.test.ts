/**
 * Method: a record of a real chain with each of its fields made into what it must not be. Every one
 * is refused by name, without memory for what it promises; what is accepted is written as it was.
 */
import { expect, test } from "vitest";
import { createApplication } from "../../../services/chain/application.ts";
import { type CodecValue, decode, encode } from "../../../services/primitives/codec.ts";
import { GridError } from "../../../services/primitives/errors.ts";
import {
  decodeSlotRecord,
  encodeSlotRecord,
  type SlotRecord,
} from "../../../services/wire/slot-record.ts";
import { randomBlocks, threeRegions } from "../chain/workload.ts";

const fixture = threeRegions();

function records(): SlotRecord[] {
  const app = createApplication({ genesis: fixture.genesis, stored: new Map() });
  app.initChain();
  return randomBlocks(fixture, "slot record", 6).flatMap((block) => {
    const { slotRecords } = app.finalizeBlock(block);
    app.commit();
    return slotRecords;
  });
}
const all = records();
// One with forward trades and flows, so that their rows are tried too.
const bytes = encodeSlotRecord(all.find(({ forward, flows }) => forward && flows.length > 0)!);
const fields = decode(bytes) as CodecValue[];

test("records are read back as they were written", () => {
  for (const record of all) {
    const written = encodeSlotRecord(record);
    expect(encodeSlotRecord(decodeSlotRecord(written))).toEqual(written);
  }
});

function refusal(changed: readonly CodecValue[]): string {
  try {
    decodeSlotRecord(encode(changed));
    return "accepted";
  } catch (failure) {
    if (!(failure instanceof GridError)) throw failure;
    return `${failure.code} ${(failure as GridError<"bytes_malformed">).facts.what}`;
  }
}

const WRONG: readonly CodecValue[] = ["", true, new Map(), [[]], 2n ** 64n - 1n];
test.each(fields.map((_, i) => i))("field %i of another form is refused", (i) => {
  for (const wrong of WRONG) expect(refusal(fields.with(i, wrong))).toMatch(/^bytes_malformed /);
});

const forward = fields[30] as CodecValue[];
test.each([
  { name: "members beyond any region", at: 12, value: 2 ** 31, what: "members" },
  { name: "members below zero", at: 12, value: -1, what: "members" },
  { name: "meters beyond any region", at: 11, value: new Uint8Array(65_537), what: "quality" },
  { name: "an unknown mechanism", at: 3, value: "barter", what: "mechanism" },
  { name: "a short hash", at: 26, value: new Uint8Array(31), what: "reportHash" },
  { name: "a fraction of a flow", at: 15, value: [[0, 1]], what: "fields" },
  { name: "a flow over no line", at: 15, value: [[8192, 1, 0]], what: "lineIndex" },
  { name: "a short forward part", at: 30, value: forward.slice(1), what: "fields" },
  { name: "money beyond 64 bits", at: 24, value: 2n ** 63n, what: "treasuryUc" },
])("$name is refused", ({ at, value, what }) => {
  expect(refusal(fields.with(at, value))).toBe(`bytes_malformed ${what}`);
});

test("a record with a field more or less is none", () => {
  expect(refusal(fields.slice(1))).toBe("bytes_malformed fields");
  expect(refusal([...fields, 0])).toBe("bytes_malformed fields");
});
