/**
 * Method: a slow twin, the map of whole records. Whatever is written through the log, reading the
 * store back must give the twin. Worked cases of when a record is written whole; each way in which
 * a chain of changes may be torn; then bytes written for blocks of a region of 1,000 members.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { StoreChange } from "../../../services/chain/abci.ts";
import { createApplication } from "../../../services/chain/application.ts";
import { RecordLog, wholeRecords } from "../../../services/chain/change-records.ts";
import { sealRecord } from "../../../services/chain/sealed-record.ts";
import {
  admissionKey,
  changeKey,
  changeOf,
  HEAD_KEY,
  laneKey,
  slotKey,
} from "../../../services/chain/store-keys.ts";
import { GridError } from "../../../services/primitives/errors.ts";
import { CHANGE_SHARE_MIN, CHANGES_PER_RECORD_MAX } from "../../../services/primitives/limits.ts";
import { createPrng } from "../../../services/primitives/prng.ts";
import type { Slot, UnixSeconds } from "../../../services/primitives/units.ts";
import { createMarketFixture } from "../../support/market-fixture.ts";
import { randomReport } from "./workload.ts";

const KEY = laneKey(3);

function lane(bytes: number, ...changed: number[]): Uint8Array {
  const payload = new Uint8Array(bytes);
  for (const at of changed) payload[at] = 1 + (at % 255);
  return sealRecord(KEY, payload);
}

function persist(stored: Map<string, Uint8Array>, changes: readonly StoreChange[]): void {
  for (const { key, value } of changes) {
    if (value === null) stored.delete(key);
    else stored.set(key, value);
  }
}

/** What each value in turn is written as. */
function written(values: readonly (Uint8Array | null)[], key = KEY): string[][] {
  const log = new RecordLog(new Map());
  return values.map((value) =>
    log.write([{ key, value }]).map((change) => {
      return `${change.value === null ? "-" : "+"}${change.key}`;
    }),
  );
}

describe("what a record is written as", () => {
  const [first, second] = [changeKey(KEY, 1), changeKey(KEY, 2)];
  test.each<[string, (Uint8Array | null)[], string[][]]>([
    ["the first time whole", [lane(2000)], [[`+${KEY}`]]],
    ["few bytes: a change", [lane(2000), lane(2000, 7)], [[`+${KEY}`], [`+${first}`]]],
    [
      "one change after another",
      [lane(2000), lane(2000, 7), lane(2000, 7, 900)],
      [[`+${KEY}`], [`+${first}`], [`+${second}`]],
    ],
    [
      "much of it: whole, and what was behind it goes",
      [lane(2000), lane(2000, 7), new Uint8Array(2037).fill(9)],
      [[`+${KEY}`], [`+${first}`], [`+${KEY}`, `-${first}`]],
    ],
    ["another length: whole", [lane(2000), lane(2001)], [[`+${KEY}`], [`+${KEY}`]]],
    ["a short one: whole", [lane(100), lane(100, 7)], [[`+${KEY}`], [`+${KEY}`]]],
    [
      "gone: with what was behind it",
      [lane(2000), lane(2000, 7), null, lane(2000)],
      [[`+${KEY}`], [`+${first}`], [`-${KEY}`, `-${first}`], [`+${KEY}`]],
    ],
  ])("%s", (_, values, expected) => expect(written(values)).toEqual(expected));

  test("the head and history are never changes", () => {
    const long = (byte: number) => new Uint8Array(2000).fill(byte, 0, 1);
    for (const key of [HEAD_KEY, slotKey(1, 5 as Slot)]) {
      expect(written([long(1), long(2)], key)).toEqual([[`+${key}`], [`+${key}`]]);
    }
  });

  test(`at most ${CHANGES_PER_RECORD_MAX} changes stand behind a record`, () => {
    const values = Array.from({ length: CHANGES_PER_RECORD_MAX + 2 }, (_, i) => {
      return lane(100_000, ...Array.from({ length: i }, (_unused, at) => 32 * at));
    });
    const shown = written(values);
    expect(shown[CHANGES_PER_RECORD_MAX]).toEqual([`+${changeKey(KEY, CHANGES_PER_RECORD_MAX)}`]);
    expect(shown[CHANGES_PER_RECORD_MAX + 1]).toHaveLength(CHANGES_PER_RECORD_MAX + 1);
    expect(shown[CHANGES_PER_RECORD_MAX + 1]![0]).toBe(`+${KEY}`);
  });

  test("and together they come to no more than their part of it", () => {
    const log = new RecordLog(new Map());
    log.write([{ key: KEY, value: lane(8000) }]);
    let bytes = 0;
    for (let i = 1; ; i++) {
      const value = lane(8000, ...Array.from({ length: 8 * i }, (_, at) => 32 * at));
      const [change] = log.write([{ key: KEY, value }]);
      if (changeOf(change!.key) === null) break;
      bytes += change!.value!.length;
      expect(i).toBeLessThan(20);
    }
    expect(bytes).toBeGreaterThan(0);
    expect(bytes).toBeLessThan((2 * 8000) / CHANGE_SHARE_MIN);
  });
});

test("what is stored reads back as what was written, whatever was written", () => {
  const keys = [laneKey(0), laneKey(1), admissionKey(0)];
  const step = fc.record({
    key: fc.constantFrom(...keys),
    kind: fc.constantFrom("few", "few", "few", "many", "longer", "gone"),
    at: fc.nat(1999),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), fc.boolean(), (steps, reopens) => {
      const twin = new Map<string, Uint8Array>();
      const stored = new Map<string, Uint8Array>();
      let log = new RecordLog(stored);
      for (const { key, kind, at } of steps) {
        const before = twin.get(key) ?? new Uint8Array(2000);
        let value: Uint8Array | null = before.slice();
        if (kind === "few") value[at % value.length]! += 1;
        else if (kind === "many") value = value.map((byte) => byte + 1);
        else if (kind === "longer") value = new Uint8Array(before.length + 1);
        else value = null;
        if (value === null) twin.delete(key);
        else twin.set(key, value);
        persist(stored, log.write([{ key, value }]));
        expect(wholeRecords(stored)).toEqual(twin);
        if (reopens) log = new RecordLog(stored);
      }
    }),
    { numRuns: 60 },
  );
});

describe("a torn chain of changes", () => {
  function chained(): Map<string, Uint8Array> {
    const log = new RecordLog(new Map());
    const stored = new Map<string, Uint8Array>();
    for (const value of [lane(2000), lane(2000, 1), lane(2000, 1, 90), lane(2000, 1, 90, 700)]) {
      persist(stored, log.write([{ key: KEY, value }]));
    }
    expect(stored.size).toBe(4);
    return stored;
  }
  const name = (number: number) => changeKey(KEY, number);
  const change = (number: number, value: Uint8Array) => (stored: Map<string, Uint8Array>) =>
    void stored.set(name(number), value);

  test.each<[string, (stored: Map<string, Uint8Array>) => void, RegExp]>([
    ["the record is lost", (stored) => void stored.delete(KEY), /001 changes .*missing/],
    ["a change is lost", (stored) => void stored.delete(name(2)), /003 does not follow/],
    ["the first is lost", (stored) => void stored.delete(name(1)), /002 does not follow/],
    [
      "another record stands before it",
      (s) => void s.set(KEY, lane(2000, 5)),
      /001 does not build/,
    ],
    ["a change is cut off", (s) => change(2, s.get(name(2))!.subarray(0, 50))(s), /checksum/],
    ["a change stands for another", (s) => change(2, s.get(name(3))!)(s), /002 fails its checksum/],
    ["a change of no form", change(3, sealRecord(name(3), [1, 2, 3])), /is no change/],
  ])("%s: it is named", (_, damage, what) => {
    const stored = chained();
    damage(stored);
    expect(() => wholeRecords(stored)).toThrow(what);
    expect(() => wholeRecords(stored)).toThrow(GridError);
  });

  test.each([
    ["beyond the record", [2100, new Uint8Array(40)]],
    ["before it", [-1, new Uint8Array(4)]],
    ["without bytes", [7]],
  ])("a change that reaches %s is named", (_, runs) => {
    const stored = chained();
    const base = wholeRecords(new Map([...stored].filter(([key]) => key !== name(3)))).get(KEY)!;
    stored.set(name(3), sealRecord(name(3), [base.subarray(0, 32), runs as never]));
    expect(() => wholeRecords(stored)).toThrow(/is no change|beyond/);
  });

  test("a flipped bit anywhere in a change is found", () => {
    const whole = chained();
    const bytes = whole.get(name(2))!;
    for (let at = 0; at < bytes.length; at++) {
      const flipped = bytes.slice();
      flipped[at]! ^= 1 << (at % 8);
      expect(() => wholeRecords(new Map(whole).set(name(2), flipped))).toThrow(GridError);
    }
  });
});

describe("a region of 1,000 members", () => {
  const limits = Array.from({ length: 1000 }, () => undefined);
  const fixture = createMarketFixture({ regions: [{ id: "large", limits }] });
  const { genesis } = fixture;
  const app = createApplication({ genesis, stored: new Map() });
  app.initChain();
  const stored = new Map<string, Uint8Array>();
  let height = 0;
  const commit = (timeS: number, transaction: Uint8Array) => {
    const block = { height: ++height, timeS: timeS as UnixSeconds, transactions: [transaction] };
    expect(app.finalizeBlock(block).results.map(({ code }) => code)).toEqual([0]);
    const { changes } = app.commit();
    persist(stored, changes);
    const size = (list: readonly StoreChange[]) =>
      list.reduce((sum, { key, value }) => sum + key.length + (value?.length ?? 0), 0);
    const state = changes.filter(({ key }) => !/^(slot|proof)\//.test(key));
    return { bytes: size(changes), stateBytes: size(state), changes };
  };
  const report = (slotIndex: number) => {
    const prng = createPrng(slotIndex);
    return randomReport(fixture, prng, { regionIndex: 0, slotIndex }, []);
  };
  const limitsAt = (memberIndex: number) =>
    fixture.limitsTransaction({
      ...{ regionIndex: 0, memberIndex, nonce: 0 },
      limits: { minSellUcPerWh: 9_000, maxBuyUcPerWh: 25_000 },
    });

  test("writes a change of limits in bytes, a settlement whole; and reads both back", () => {
    commit(fixture.slotEndS(0) + 60, report(0));
    const first = commit(fixture.slotEndS(0) + 61, limitsAt(1)); // the first nonce: whole
    const limits = commit(fixture.slotEndS(0) + 62, limitsAt(500));
    const settlement = commit(fixture.slotEndS(1) + 60, report(1));
    const whole = wholeRecords(stored).get(laneKey(0))!.length;
    process.stdout.write(
      `bytes of state written, region of 1,000 members (its record whole: ${whole}): ` +
        `one change of limits ${limits.stateBytes}, a settlement ${settlement.stateBytes} ` +
        `(${settlement.bytes} with the slot's record and proof)\n`,
    );
    expect(limits.changes.map(({ key }) => key).sort()).toEqual([
      ...[changeKey(admissionKey(0), 1), changeKey(laneKey(0), 2), HEAD_KEY],
    ]);
    expect(first.changes.map(({ key }) => key)).toContain(changeKey(laneKey(0), 1));
    expect(20 * limits.stateBytes).toBeLessThan(whole);
    expect(settlement.changes.map(({ key }) => key)).toContain(laneKey(0));
    const again = createApplication({ genesis, stored });
    expect(again.info()).toEqual(app.info());
    expect(again.lane(0)).toEqual(app.lane(0));
  });
});
