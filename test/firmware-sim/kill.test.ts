/**
 * Method: a fleet in a child process is killed (SIGKILL) again and again, each time as a random
 * number of records has arrived, while the oracle drops some receipts; the last run may finish.
 * Then nothing is missing, nothing is counted twice, and no sequence number was signed for two
 * contents.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { afterAll, expect, test } from "vitest";
import { toHex } from "../../services/primitives/bytes.ts";
import { createPrng } from "../../services/primitives/prng.ts";
import { recordHash } from "../../services/wire/reading.ts";
import {
  arithmeticSource,
  FIRST_SLOT,
  removeTestDirectories,
  SLOT_S,
  testDevices,
  testDirectory,
} from "./support/fleet.ts";
import { TAKE, TestOracle } from "./support/oracle.ts";

afterAll(removeTestDirectories);
const SLOTS = 40;
const KILLS = 6;

test(`nothing is lost by ${KILLS} kills at random moments`, async () => {
  const chance = createPrng("kill");
  const directory = await testDirectory();
  const oracle = await TestOracle.start(({ copies }) =>
    copies === 1 && chance.unit() < 0.05 ? { receipts: 0 } : TAKE,
  );
  const argument = JSON.stringify({ url: oracle.url, directory, slots: SLOTS });
  const script = new URL("support/fleet-process.ts", import.meta.url).pathname;
  const run = (): ChildProcess =>
    spawn(process.execPath, ["--import", "tsx", script, argument], { stdio: "inherit" });

  for (let kill = 0; kill < KILLS; kill++) {
    const killAt = oracle.arrivals.length + 1 + chance.below(36);
    const child = run();
    oracle.onArrival = () => {
      if (oracle.arrivals.length >= killAt) child.kill("SIGKILL");
    };
    const [code, signal] = await once(child, "exit");
    expect([code, signal]).toEqual([null, "SIGKILL"]);
  }
  oracle.onArrival = () => {};
  const [code] = await once(run(), "exit");
  expect(code).toBe(0);
  await oracle.stop();

  const contents = new Map<string, string>();
  for (const { device, record, bytes } of oracle.arrivals) {
    const key = `${device}/${record!.reading.seq}`;
    expect(contents.get(key) ?? toHex(bytes)).toBe(toHex(bytes));
    contents.set(key, toHex(bytes));
  }
  const source = arithmeticSource({ slots: SLOTS });
  for (const device of testDevices()) {
    const own = oracle.readings().get(toHex(device.deviceId))!;
    expect(own.map(({ reading }) => reading.seq)).toEqual(own.map((_, k) => k + 1));
    expect(own).toHaveLength(SLOTS);
    let previousHash = new Uint8Array(8);
    let importWh = 0;
    own.forEach(({ reading, payload }, k) => {
      expect(reading.intervalEndS).toBe((FIRST_SLOT + k + 1) * SLOT_S);
      expect(reading.previousHash).toEqual(previousHash);
      previousHash = Uint8Array.from(recordHash(payload));
      if (device.role !== "grid") return;
      const at = { region: device.region, home: device.home!, slot: FIRST_SLOT + k };
      importWh += source.energyOf(at).importWh;
      expect(reading.importWh).toBe(importWh);
    });
    const boots = own.map(({ reading }) => reading.boot);
    expect(boots).toEqual(boots.toSorted((a, b) => a - b));
    expect(boots.at(-1)).toBe(KILLS + 1);
  }
});
