/** Method: a fleet's meters over a real journal, without a broker: crashes, full journals. */
import { afterAll, expect, test } from "vitest";
import { Journal, type JournalRecord } from "../../firmware-sim/journal.ts";
import {
  bootMeter,
  closeInterval,
  measure,
  newMeter,
  unsignedRecord,
} from "../../firmware-sim/meter.ts";
import { Meters } from "../../firmware-sim/meters.ts";
import type { Device } from "../../firmware-sim/provision.ts";
import { toHex } from "../../services/primitives/bytes.ts";
import { JOURNAL_RECORDS_PER_DEVICE_MAX } from "../../services/primitives/limits.ts";
import { decodeReading, signReading, verifyReading } from "../../services/wire/reading.ts";
import {
  arithmeticSource,
  FIRST_SLOT,
  NETWORK_ID,
  removeTestDirectories,
  SLOT_S,
  testDevices,
  testDirectory,
} from "./support/fleet.ts";

afterAll(removeTestDirectories);
const DEVICES = testDevices();
const SOURCE = arithmeticSource({ slots: 100 });
const metersOf = (journal: Journal, devices: readonly Device[] = DEVICES) =>
  new Meters({ devices, source: SOURCE, journal, networkId: NETWORK_ID, injector: null });

test("a crash between persisting and signing: the next boot signs the same bytes", async () => {
  const directory = await testDirectory();
  const [device] = DEVICES;
  const name = toHex(device!.deviceId);
  const state = measure(bootMeter(newMeter(device!, FIRST_SLOT)), FIRST_SLOT, {
    importWh: 7,
    exportWh: 0,
  });
  const closed = closeInterval({ state, device: device!, slotS: SLOT_S, kind: "live" });
  const record: JournalRecord = {
    device: name,
    seq: 1,
    slot: FIRST_SLOT,
    bytes: unsignedRecord(device!, closed.reading),
    state: "unsigned",
  };
  let journal = await Journal.open(directory);
  const states = new Map([[name, closed.state]]);
  await journal.commit({ nextSlot: FIRST_SLOT + 1, states, records: [record] });
  await journal.close();

  journal = await Journal.open(directory);
  const [left, ...others] = await metersOf(journal, [device!]).boot(FIRST_SLOT);
  expect(others).toEqual([]);
  const { reading } = closed;
  const expected = signReading({ reading, networkId: NETWORK_ID, key: device!.key });
  expect(left!.transmission.bytes).toEqual(expected);
  expect(journal.state(name)).toMatchObject({ boot: 2, seq: 1, importWh: 7 });
  await journal.close();
});

test("a full journal: registers go on, and the next record covers what was skipped", async () => {
  const journal = await Journal.open(await testDirectory());
  const [device] = DEVICES;
  const name = toHex(device!.deviceId);
  const count = JOURNAL_RECORDS_PER_DEVICE_MAX - 1;
  const records = Array.from({ length: count }, (_, k): JournalRecord => {
    return {
      device: name,
      seq: k + 1,
      slot: FIRST_SLOT,
      bytes: Uint8Array.of(0),
      state: "unsigned",
    };
  });
  const state = { ...newMeter(device!, FIRST_SLOT), seq: count };
  await journal.commit({ nextSlot: FIRST_SLOT, states: new Map([[name, state]]), records });
  await journal.storeSigned(records);
  const meters = metersOf(journal, [device!]);
  await meters.boot(FIRST_SLOT);
  expect(await meters.closeSlot(FIRST_SLOT, "live")).toHaveLength(1); // the last place
  expect(await meters.closeSlot(FIRST_SLOT + 1, "live")).toEqual([]);
  expect(await meters.closeSlot(FIRST_SLOT + 2, "live")).toEqual([]);
  journal.settle(records[0]!, { code: 0, timeS: 0 });
  const [outgoing] = await meters.closeSlot(FIRST_SLOT + 3, "live");
  const sum = [0, 1, 2, 3].reduce((sumWh, k) => {
    const at = { region: "north", home: 0, slot: FIRST_SLOT + k };
    return sumWh + SOURCE.energyOf(at).importWh;
  }, 0);
  expect(decodeReading(outgoing!.transmission.bytes).reading).toMatchObject({
    seq: count + 2,
    intervalS: 3 * SLOT_S,
    importWh: sum,
  });
  await journal.close();
});

test("a meter that joins later starts there; one left out has measured on", async () => {
  const directory = await testDirectory();
  const [first, second] = DEVICES;
  let journal = await Journal.open(directory);
  let meters = metersOf(journal, [first!]);
  await meters.boot(FIRST_SLOT);
  await meters.closeSlot(FIRST_SLOT, "live");
  await journal.close();
  journal = await Journal.open(directory);
  meters = metersOf(journal, [second!]);
  await meters.boot(FIRST_SLOT);
  await meters.closeSlot(FIRST_SLOT + 1, "live");
  await journal.close();
  journal = await Journal.open(directory);
  await metersOf(journal, [first!, second!]).boot(FIRST_SLOT);
  const energy = [0, 1].map((k) =>
    SOURCE.energyOf({ region: "north", home: 0, slot: FIRST_SLOT + k }),
  );
  expect(journal.state(toHex(first!.deviceId))).toMatchObject({
    openSlot: FIRST_SLOT + 1,
    nextSlot: FIRST_SLOT + 2,
    importWh: energy[0]!.importWh + energy[1]!.importWh,
  });
  expect(journal.state(toHex(second!.deviceId))).toMatchObject({
    openSlot: FIRST_SLOT + 2,
    boot: 2,
  });
  await journal.close();
});

test("the feeder meter is the signed sum of the grid meters, one direction at a time", async () => {
  const journal = await Journal.open(await testDirectory());
  const meters = metersOf(journal);
  await meters.boot(FIRST_SLOT);
  const before = { netWh: 0, importWh: 0, exportWh: 0 };
  for (let slot = FIRST_SLOT; slot < FIRST_SLOT + 40; slot++) {
    await meters.closeSlot(slot, "live");
    const states = (role: string) =>
      DEVICES.filter((device) => device.role === role).map(
        (device) => journal.state(toHex(device.deviceId))!,
      );
    const netWh = states("grid").reduce((sum, one) => sum + one.importWh! - one.exportWh!, 0);
    const feeder = states("feeder")[0]!;
    expect(feeder.importWh! - feeder.exportWh!).toBe(netWh);
    const steps = [feeder.importWh! - before.importWh, feeder.exportWh! - before.exportWh];
    expect(Math.min(...steps)).toBe(0);
    Object.assign(before, { netWh, importWh: feeder.importWh, exportWh: feeder.exportWh });
  }
  expect(before.importWh).toBeGreaterThan(0);
  await journal.close();
});

test("closed records verify under their device's key", async () => {
  const journal = await Journal.open(await testDirectory());
  const meters = metersOf(journal);
  await meters.boot(FIRST_SLOT);
  const outgoing = await meters.closeSlot(FIRST_SLOT, "live");
  expect(outgoing).toHaveLength(DEVICES.length);
  for (const [k, { transmission }] of outgoing.entries()) {
    const record = decodeReading(transmission.bytes);
    const { publicKey } = DEVICES[k]!;
    expect(verifyReading({ record, networkId: NETWORK_ID, publicKey })).toBe(true);
  }
  await journal.close();
});
