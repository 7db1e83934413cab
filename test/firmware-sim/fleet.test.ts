/**
 * Method: whole fleets against a broker and a test oracle. What the oracle holds at the end is
 * compared with the source: every slot of every meter once, registers to the Wh, an unbroken chain.
 */
import { afterAll, afterEach, expect, test } from "vitest";
import { FAULTS, type FaultName } from "../../firmware-sim/faults.ts";
import {
  type Fleet,
  type FleetEvent,
  type FleetOptions,
  startFleet,
} from "../../firmware-sim/fleet.ts";
import type { EnergySource } from "../../firmware-sim/profiles/energy-source.ts";
import type { Device } from "../../firmware-sim/provision.ts";
import { toHex } from "../../services/primitives/bytes.ts";
import { ManualClock } from "../../services/primitives/clock.ts";
import { unixSeconds } from "../../services/primitives/units.ts";
import { READING_KIND, recordHash, verifyReading } from "../../services/wire/reading.ts";
import { READING_CODE } from "../../services/wire/refusals.ts";
import {
  arithmeticSource,
  FIRST_SLOT,
  NETWORK_ID,
  removeTestDirectories,
  SLOT_S,
  testDevices,
  testDirectory,
} from "./support/fleet.ts";
import { ORACLE_PUBLIC, TAKE, TestOracle } from "./support/oracle.ts";
import { signal } from "./support/records.ts";

const DEVICES = testDevices();
let cleanup: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const stop of cleanup.reverse()) await stop();
  cleanup = [];
});
afterAll(removeTestDirectories);

async function startOracle(): Promise<TestOracle> {
  const oracle = await TestOracle.start();
  oracle.passwords = new Map(DEVICES.map((device) => [toHex(device.deviceId), device.password]));
  cleanup.push(() => oracle.stop());
  return oracle;
}

async function start(oracle: TestOracle, options: Partial<FleetOptions>): Promise<Fleet> {
  const fleet = await startFleet({
    devices: DEVICES,
    source: arithmeticSource(),
    networkId: NETWORK_ID,
    brokerUrl: oracle.url,
    directory: options.directory ?? (await testDirectory()),
    oracleReceiptPublicKey: ORACLE_PUBLIC,
    pace: { kind: "as-fast-as-possible" },
    timing: { backoffMinMs: 5, backoffMaxMs: 20 },
    ...options,
  });
  cleanup.push(() => fleet.stop());
  return fleet;
}

/** Import and export register of a device after `slots` slots, summed from the source. */
function registers(device: Device, source: EnergySource, slots: number) {
  let [importWh, exportWh] = [0, 0];
  for (let slot = FIRST_SLOT; slot < FIRST_SLOT + slots; slot++) {
    const homes = [0, 1, 2].map((home) => source.energyOf({ region: "north", home, slot }));
    if (device.role === "feeder") {
      const netWh = homes.reduce((sum, one) => sum + one.importWh - one.exportWh, 0);
      importWh += Math.max(netWh, 0);
      exportWh += Math.max(-netWh, 0);
    } else {
      const home = homes[device.home!]!;
      importWh += home.importWh;
      exportWh += device.role === "grid" ? home.exportWh : home.productionWh;
    }
  }
  return { importWh: device.role === "production" ? null : importWh, exportWh };
}

/** Every slot once, in sequence, chained, signed, with the source's energy. */
function expectWhole(oracle: TestOracle, source: EnergySource, slots: number): void {
  const readings = oracle.readings();
  expect([...readings.keys()].toSorted()).toEqual(
    DEVICES.map(({ deviceId }) => toHex(deviceId)).toSorted(),
  );
  for (const device of DEVICES) {
    const own = readings.get(toHex(device.deviceId))!;
    expect(own.map(({ reading }) => reading.seq)).toEqual(own.map((_, k) => k + 1));
    let previousHash = new Uint8Array(8);
    let endS = FIRST_SLOT * SLOT_S;
    for (const record of own) {
      const { reading } = record;
      expect(verifyReading({ record, networkId: NETWORK_ID, publicKey: device.publicKey })).toBe(
        true,
      );
      expect(reading.previousHash).toEqual(previousHash);
      expect(reading.intervalEndS - reading.intervalS).toBe(endS);
      endS = reading.intervalEndS;
      const done = endS / SLOT_S - FIRST_SLOT;
      expect(reading).toMatchObject(registers(device, source, done));
      previousHash = Uint8Array.from(recordHash(record.payload));
    }
    expect(endS).toBe((FIRST_SLOT + slots) * SLOT_S);
  }
}

test("as fast as possible: slot by slot to the source's end, then done", async () => {
  const oracle = await startOracle();
  const calls: string[] = [];
  const fleet = await start(oracle, {
    pace: {
      kind: "as-fast-as-possible",
      beforePublish: (slot) => void calls.push(`before ${slot - FIRST_SLOT}`),
      afterReceipts: (slot) =>
        void calls.push(`after ${slot - FIRST_SLOT}, ${oracle.arrivals.length}`),
    },
  });
  const status = await fleet.done;
  expectWhole(oracle, arithmeticSource(), 8);
  expect(calls.slice(0, 4)).toEqual(["before 0", "after 0, 6", "before 1", "after 1, 12"]);
  expect(calls).toHaveLength(16);
  expect(status).toMatchObject({
    nextSlot: FIRST_SLOT + 8,
    unreceipted: 0,
    receipts: { accepted: 48 },
    foreignReceipts: 0,
  });
  expect(status.devices[0]).toMatchObject({
    role: "grid",
    boot: 1,
    seq: 8,
    lastSlot: FIRST_SLOT + 7,
    ...registers(DEVICES[0]!, arithmeticSource(), 8),
    refused: {},
  });
});

test("started again: goes on at the next slot, boot counter up, registers intact", async () => {
  const oracle = await startOracle();
  const directory = await testDirectory();
  for (const endSlot of [3, 3, 8]) {
    const pace = { kind: "as-fast-as-possible", endSlot: FIRST_SLOT + endSlot } as const;
    const fleet = await start(oracle, { directory, pace });
    expect((await fleet.done).nextSlot).toBe(FIRST_SLOT + endSlot);
  }
  expectWhole(oracle, arithmeticSource(), 8);
  const boots = [...oracle.readings().values()].map((own) =>
    own.map(({ reading }) => reading.boot),
  );
  expect(boots[0]).toEqual([1, 1, 1, 3, 3, 3, 3, 3]);
});

test("stopped without receipts: the next start sends the same bytes first", async () => {
  const oracle = await startOracle();
  const directory = await testDirectory();
  const full = signal();
  oracle.policy = () => ({ receipts: 0 });
  oracle.onArrival = () => {
    if (oracle.arrivals.length === DEVICES.length) full.resolve();
  };
  const first = await start(oracle, { directory });
  await full.promise;
  const status = await first.stop();
  expect([status.unreceipted, status.nextSlot]).toEqual([DEVICES.length, FIRST_SLOT + 1]);
  oracle.policy = () => TAKE;
  await (await start(oracle, { directory })).done;
  expectWhole(oracle, arithmeticSource(), 8);
  const again = oracle.arrivals.filter(({ copies }) => copies === 2);
  expect(again).toHaveLength(DEVICES.length);
});

test("refused records: counted by code, kept in a list, and the fleet goes on", async () => {
  const oracle = await startOracle();
  const events: FleetEvent[] = [];
  const victim = toHex(DEVICES[0]!.deviceId);
  oracle.policy = ({ device, record }) => ({
    receipts: 1,
    code: device === victim && record!.reading.seq <= 2 ? READING_CODE.energy_excessive : 0,
  });
  const fleet = await start(oracle, { onEvent: (event) => events.push(event) });
  const status = await fleet.done;
  expect(status.receipts).toEqual({ accepted: 46, energy_excessive: 2 });
  expect(status.devices[0]!.refused).toEqual({ energy_excessive: 2 });
  expect(events.filter(({ kind }) => kind === "refused")).toEqual([
    { kind: "refused", device: victim, slot: FIRST_SLOT, code: 10 },
    { kind: "refused", device: victim, slot: FIRST_SLOT + 1, code: 10 },
  ]);
});

test("live: closes a slot when it has ended, and not before", async () => {
  const oracle = await startOracle();
  const clock = new ManualClock(unixSeconds(FIRST_SLOT * SLOT_S));
  const closed: number[] = [];
  const next = { slot: signal() };
  const fleet = await start(oracle, {
    pace: { kind: "live", clock, jitterS: 0, pollMs: 1 },
    onEvent: (event) => {
      if (event.kind !== "slot-closed") return;
      closed.push(event.slot - FIRST_SLOT);
      next.slot.resolve();
    },
  });
  for (let slot = 0; slot < 3; slot++) {
    clock.advanceTo(unixSeconds((FIRST_SLOT + slot + 1) * SLOT_S - 1));
    expect(closed).toHaveLength(slot);
    next.slot = signal();
    clock.advanceTo(unixSeconds((FIRST_SLOT + slot + 1) * SLOT_S));
    await next.slot.promise;
    expect(closed).toHaveLength(slot + 1);
  }
  await expect.poll(() => fleet.status().receipts).toEqual({ accepted: 18 });
  const kinds = oracle.arrivals.map(({ record }) => record!.reading.kind);
  expect(new Set(kinds)).toEqual(new Set([READING_KIND.live]));
});

test("live: after a pause, missed slots are backfill, and the source's end ends it", async () => {
  const oracle = await startOracle();
  const clock = new ManualClock(unixSeconds((FIRST_SLOT + 5) * SLOT_S + 10));
  const pace = { kind: "live", clock, jitterS: 0, pollMs: 1 } as const;
  const fleet = await start(oracle, { pace });
  await expect.poll(() => oracle.arrivals.length).toBe(30);
  const kindOf = (slot: number) =>
    oracle.arrivals
      .filter(({ record }) => record!.reading.intervalEndS === (FIRST_SLOT + slot + 1) * SLOT_S)
      .map(({ record }) => record!.reading.kind);
  expect(kindOf(0)).toEqual(Array(6).fill(READING_KIND.backfill));
  expect(kindOf(4)).toEqual(Array(6).fill(READING_KIND.live));
  clock.advanceTo(unixSeconds((FIRST_SLOT + 20) * SLOT_S));
  await fleet.done;
  expectWhole(oracle, arithmeticSource(), 8);
});

test("live: the jitter spreads a slot's records, each meter at its own second", async () => {
  const oracle = await startOracle();
  const endS = (FIRST_SLOT + 1) * SLOT_S;
  const clock = new ManualClock(unixSeconds(endS));
  const pace = { kind: "live", clock, jitterS: 600, pollMs: 1 } as const;
  const fleet = await start(oracle, { pace });
  await expect.poll(() => fleet.waitingForJitter(endS)).toBe(6);
  expect(oracle.arrivals).toHaveLength(0);
  const early = 6 - fleet.waitingForJitter(endS + 300);
  expect(early).toBeGreaterThan(0);
  expect(early).toBeLessThan(6);
  clock.advanceTo(unixSeconds(endS + 300));
  await expect.poll(() => fleet.status().receipts.accepted).toBe(early);
  clock.advanceTo(unixSeconds(endS + 600));
  await expect.poll(() => fleet.status().receipts.accepted).toBe(6);
});

test("faults go out beside the records, are counted, and disturb none of them", async () => {
  const oracle = await startOracle();
  const names: FaultName[] = FAULTS.filter(({ travels, record }) => {
    return travels === "broker" && record === "kept";
  }).map(({ name }) => name);
  const fleet = await start(oracle, {
    faults: names.map((fault) => ({ fault, share: 0.5 })),
    seed: "faults",
  });
  const status = await fleet.done;
  expect(status.receipts).toEqual({ accepted: 48 });
  expect(Object.keys(status.faults).toSorted()).toEqual(names.toSorted());
  for (const counts of Object.values(status.faults)) {
    expect(counts.sent).toBeGreaterThan(0);
    expect(counts.receipts).toEqual({ accepted: counts.sent }); // this oracle takes anything
  }
});

test("a meter that loses records: gaps, and the energy is in the next register", async () => {
  const oracle = await startOracle();
  const device = toHex(DEVICES[0]!.deviceId);
  const rule = { fault: "gap", share: 1, device, fromSlot: FIRST_SLOT + 2 } as const;
  const fleet = await start(oracle, { faults: [{ ...rule, untilSlot: FIRST_SLOT + 4 }] });
  await fleet.done;
  const own = oracle.readings().get(device)!;
  expect(own.map(({ reading }) => reading.seq)).toEqual([1, 2, 5, 6, 7, 8]);
  expect(own[2]!.reading).toMatchObject(registers(DEVICES[0]!, arithmeticSource(), 5));
});

test.each([
  { why: "no first slot", options: { source: { ...arithmeticSource(), firstSlot: null } } },
  { why: "a first slot before the source's", options: { firstSlot: FIRST_SLOT - 1 } },
  { why: "no end", options: { source: { ...arithmeticSource(), endSlot: null } } },
  { why: "no broker", options: { brokerUrl: "localhost" } },
  { why: "an unknown fault", options: { faults: [{ fault: "flood" as FaultName, share: 1 }] } },
  {
    why: "a jitter as long as a slot",
    options: {
      pace: {
        kind: "live",
        clock: new ManualClock(unixSeconds(0)),
        jitterS: SLOT_S,
      } as const,
    },
  },
])("refuses $why, and leaves the journal free", async ({ options }) => {
  const oracle = await startOracle();
  const directory = await testDirectory();
  await expect(start(oracle, { ...options, directory })).rejects.toMatchObject({
    code: "argument_invalid",
  });
  await (await start(oracle, { directory })).done;
});
