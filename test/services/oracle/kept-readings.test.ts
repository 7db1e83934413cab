/**
 * Method: a table of the ways in which a record comes to stand behind a report's leaf. The oracle
 * must find that record, with a path that leads to the report's own readings root; and find none
 * where the report used none or the record was erased, without taking others' proofs away.
 */
import { afterEach, expect, test } from "vitest";
import type { KeptReading } from "../../../services/chain/proofs.ts";
import { rootFromProof } from "../../../services/crypto/merkle.ts";
import type { Slot } from "../../../services/primitives/units.ts";
import { decodeReading, readingLeaf } from "../../../services/wire/reading.ts";
import {
  GENESIS_S,
  GENESIS_SLOT,
  SLOT_S,
  TestMeter,
  TestOracle,
  testGenesis,
} from "./community.ts";

let oracle: TestOracle | null = null;
afterEach(async () => {
  await oracle?.close();
  oracle = null;
});

async function threeMeters() {
  const genesis = testGenesis({ regions: [[{}, {}, { role: "feeder" }]] });
  oracle = await TestOracle.start(genesis);
  const meters = [0, 1, 2].map((meter) => new TestMeter({ region: 0, meter }));
  return { oracle, meters: meters as [TestMeter, TestMeter, TestMeter] };
}

const at = (slotIndex: number, meterIndex: number) => ({
  ...{ regionIndex: 0, meterIndex },
  slot: (GENESIS_SLOT + slotIndex) as Slot,
});

/** The record, after its path was seen to lead to the root that the chain has. */
function proved({ chain }: TestOracle, slotIndex: number, kept: KeptReading | null) {
  expect(kept).not.toBeNull();
  const { record, salt, siblings, meterIndex } = kept!;
  const leaf = readingLeaf({ payload: decodeReading(record).payload, salt });
  const root = rootFromProof({ leaf, index: meterIndex, proof: siblings });
  expect(root).toEqual(chain.reports[0]![slotIndex]!.readingsRoot);
  return decodeReading(record).reading;
}

test("the record of the slot itself", async () => {
  const { oracle, meters } = await threeMeters();
  oracle.at(1, 1);
  for (const meter of meters) await oracle.send(meter.topic, meter.next(1, { importWh: 500 }));
  await oracle.oracle.tick();
  for (const m of [0, 1, 2]) {
    const reading = proved(oracle, 0, oracle.oracle.keptReading(at(0, m)));
    expect(reading.deviceId).toEqual(meters[m]!.deviceId);
  }
  expect(oracle.oracle.keptReading(at(1, 0))).toBeNull(); // not reported yet
  expect(oracle.oracle.keptReading(at(0, 3))).toBeNull(); // no such meter
  expect(oracle.oracle.keptReading({ ...at(0, 0), regionIndex: 7 })).toBeNull();
});

test("a record that covers several slots stands behind each of them", async () => {
  const { oracle, meters } = await threeMeters();
  oracle.at(3, 1);
  const intervalEndS = (GENESIS_S + 3 * SLOT_S) as never;
  const record = meters[0].sign({ intervalEndS, intervalS: 3 * SLOT_S, importWh: 900 as never });
  await oracle.send(meters[0].topic, record);
  for (const n of [1, 2, 3]) {
    for (const m of meters.slice(1)) await oracle.send(m.topic, m.next(n, { importWh: n }));
  }
  await oracle.oracle.tick();
  for (const n of [0, 1, 2]) {
    const kept = oracle.oracle.keptReading(at(n, 0));
    expect(proved(oracle, n, kept).intervalS).toBe(3 * SLOT_S);
    expect(kept!.record).toEqual(record);
  }
});

test("late energy: the newest record of the meter that the report carries", async () => {
  const { oracle, meters } = await threeMeters();
  const [late, punctual, feeder] = meters;
  for (const n of [1, 2]) {
    oracle.at(n);
    await oracle.send(punctual.topic, punctual.next(n, { importWh: n }));
    await oracle.send(feeder.topic, feeder.next(n, { importWh: n }));
    oracle.at(n, 300); // the cut-off: slots close without the first meter
    await oracle.oracle.tick();
    expect(oracle.oracle.keptReading(at(n - 1, 0))).toBeNull();
    proved(oracle, n - 1, oracle.oracle.keptReading(at(n - 1, 1)));
  }
  for (const n of [1, 2]) await oracle.send(late.topic, late.next(n, { importWh: 100 * n }));
  oracle.at(3);
  await oracle.send(punctual.topic, punctual.next(3, { importWh: 3 }));
  oracle.at(3, 300);
  await oracle.oracle.tick();
  expect(oracle.chain.reports[0]![2]!.late).toHaveLength(2);
  const reading = proved(oracle, 2, oracle.oracle.keptReading(at(2, 0)));
  expect(reading).toMatchObject({ importWh: 200 });
  expect(oracle.oracle.keptReading(at(2, 2))).toBeNull(); // neither there nor late
});

test("after a restart, and after an erasure, which takes nothing from others", async () => {
  const { oracle, meters } = await threeMeters();
  oracle.at(1, 1);
  for (const meter of meters) await oracle.send(meter.topic, meter.next(1, { importWh: 500 }));
  await oracle.oracle.tick();
  await oracle.restart();
  proved(oracle, 0, oracle.oracle.keptReading(at(0, 1)));
  const toSlot = (GENESIS_SLOT + 5) as Slot;
  await oracle.store.eraseReadings({ regionIndex: 0, meterIndex: 1, toSlot });
  expect(oracle.oracle.keptReading(at(0, 1))).toBeNull();
  proved(oracle, 0, oracle.oracle.keptReading(at(0, 0)));
  proved(oracle, 0, oracle.oracle.keptReading(at(0, 2)));
});
