/** Method: whatever goes into shared memory comes out of it, one value after another. */
import fc from "fast-check";
import { expect, test } from "vitest";
import type { HeldSlot } from "../../../services/chain/forward-book.ts";
import type { PendingReport } from "../../../services/chain/lane.ts";
import type { ClearedBook, LaneAnswer } from "../../../services/chain/lane-executor.ts";
import * as packing from "../../../services/chain/lane-packing.ts";
import {
  measureValues,
  ValueReader,
  type ValueSink,
  writeValues,
} from "../../../services/chain/shared-values.ts";
import * as signatures from "../../../services/chain/signature-packing.ts";
import type { Curve } from "../../../services/market/curve.ts";

/** Writes twice in a row, so that a value of the wrong length would shift the second. */
function thereAndBack<Value>(
  write: (sink: ValueSink) => void,
  read: (reader: ValueReader) => Value,
): readonly [Value, Value] {
  const bytes = measureValues(write);
  const memory = new SharedArrayBuffer(2 * bytes);
  expect(writeValues(memory, 0, write)).toBe(bytes);
  expect(writeValues(memory, bytes, write)).toBe(2 * bytes);
  const reader = new ValueReader(memory, 0);
  return [read(reader), read(reader)];
}

const wh = fc.maxSafeInteger();
const price = fc.oneof(fc.integer(), fc.constant(Infinity), fc.constant(-Infinity));
const money = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
const flow = fc.record({ lineIndex: fc.nat(), energyWh: wh, rentUc: money });
const flows = fc.array(flow, { maxLength: 4 });
const nullable = fc.option(fc.integer());

const anyHeld = fc.option(
  fc.record({
    priceUcPerWh: fc.integer(),
    positions: fc.array(fc.record({ memberIndex: fc.nat(), boughtWh: wh, soldWh: wh }), {
      maxLength: 4,
    }),
    flows,
  }),
) as fc.Arbitrary<HeldSlot | null>;

test("a job without a report keeps what was traded forward", () => {
  fc.assert(
    fc.property(anyHeld, (held) => {
      const job = { report: null as PendingReport | null, held };
      const [first, second] = thereAndBack(
        (sink) => packing.writeOpenJob(sink, job),
        packing.readOpenJob,
      );
      expect(first).toEqual(job);
      expect(second).toEqual(job);
    }),
  );
});

test("curves", () => {
  const anyCurve = fc.option(
    fc.array(fc.tuple(fc.integer(), wh, wh), { maxLength: 9 }).map(
      (rungs): Curve => ({
        bidWh: 7,
        askWh: 9,
        priceUcPerWh: Int32Array.from(rungs, ([at]) => at),
        reachedWh: Float64Array.from(rungs, ([, reached]) => reached),
        askReachedWh: Float64Array.from(rungs, ([, , reached]) => reached),
      }),
    ),
  );
  fc.assert(
    fc.property(anyCurve, (curve) => {
      const both = thereAndBack((sink) => packing.writeCurve(sink, curve), packing.readCurve);
      expect(both).toEqual([curve, curve]);
    }),
  );
});

test("answers of the market", () => {
  const anyAnswer = fc.option(
    fc.record({
      prices: fc.record({
        lowUcPerWh: price,
        highUcPerWh: price,
        atUcPerWh: fc.integer(),
        netInflowWh: wh,
        passes: fc.boolean(),
      }),
      lines: fc.record({
        inflowWh: wh,
        outflowWh: wh,
        inflowFeesUc: money,
        inflowRentUc: money,
      }),
      flows,
    }),
  ) as fc.Arbitrary<LaneAnswer | null>;
  fc.assert(
    fc.property(anyAnswer, (answer) => {
      const both = thereAndBack((sink) => packing.writeAnswer(sink, answer), packing.readAnswer);
      expect(both).toEqual([answer, answer]);
    }),
  );
});

test("closed lanes", () => {
  const anyCleared = fc.option(
    fc.record({
      priceLowUcPerWh: nullable,
      priceHighUcPerWh: nullable,
      priceUcPerWh: nullable,
      boughtWh: wh,
      soldWh: wh,
      facts: fc.record({
        lowUcPerWh: price,
        highUcPerWh: price,
        bidAtWh: wh,
        bidAtFilledWh: wh,
        askAtWh: wh,
        askAtFilledWh: wh,
      }),
    }),
  ) as fc.Arbitrary<ClearedBook | null>;
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 20 }), anyCleared, (record, cleared) => {
      const closed = { record, cleared };
      const both = thereAndBack((sink) => packing.writeClosed(sink, closed), packing.readClosed);
      expect(both).toEqual([closed, closed]);
    }),
  );
});

const hash = fc.uint8Array({ minLength: 32, maxLength: 32 });
const hashes = fc.array(hash, { maxLength: 3 });

test("roots, in and out, and failures", () => {
  fc.assert(
    fc.property(hashes, hash, fc.nat(), hashes, fc.string(), (some, one, length, more, text) => {
      const job = { pendingHashes: some, forwardRoot: one, historyLength: length, leaves: more };
      expect(thereAndBack((sink) => packing.writeRootJob(sink, job), packing.readRootJob)).toEqual([
        job,
        job,
      ]);
      const rooted = { stateRoot: one, receiptsRoot: one, frontier: one, paths: [some, more] };
      expect(thereAndBack((sink) => packing.writeRooted(sink, rooted), packing.readRooted)).toEqual(
        [rooted, rooted],
      );
      const failure = { regionIndex: length, step: "close" as const, message: text.toWellFormed() };
      expect(
        thereAndBack((sink) => packing.writeFailure(sink, failure), packing.readFailure),
      ).toEqual([failure, failure]);
    }),
  );
});

test("signatures", () => {
  const bytes = fc.uint8Array({ maxLength: 30 });
  const sender = fc.option(fc.uint8Array({ minLength: 20, maxLength: 20 }));
  const certified = fc.record({ message: bytes, signature: bytes, signers: fc.nat() });
  fc.assert(
    fc.property(fc.array(bytes), fc.array(sender), fc.array(certified), (all, senders, some) => {
      expect(
        thereAndBack((s) => signatures.writeTransactions(s, all), signatures.readTransactions),
      ).toEqual([all, all]);
      expect(
        thereAndBack((s) => signatures.writeSenders(s, senders), signatures.readSenders),
      ).toEqual([senders, senders]);
      expect(
        thereAndBack((s) => signatures.writeCertificates(s, some), signatures.readCertificates),
      ).toEqual([some, some]);
      const flags = senders.map((one) => one !== null);
      expect(
        thereAndBack((s) => signatures.writeCertified(s, flags), signatures.readCertified),
      ).toEqual([flags, flags]);
    }),
  );
});
