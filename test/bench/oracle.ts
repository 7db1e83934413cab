/**
 * Ingest, end to end: signed readings in memory to reports on a chain, durable on a real disk,
 * against the floor of one native Ed25519 verification for each reading, both as CPU time of this
 * process and in one run. The budget is 1.5 times the floor.
 */
import { signEd25519, verifyEd25519 } from "../../services/crypto/ed25519.ts";
import type { Arrival } from "../../services/oracle/examine.ts";
import type { UnixSeconds } from "../../services/primitives/units.ts";
import { devicePublicKey } from "../../services/wire/reading.ts";
import {
  GENESIS_S,
  SLOT_S,
  TestMeter,
  TestOracle,
  testGenesis,
} from "../services/oracle/community.ts";

export type OracleBench = {
  readonly readings: number;
  readonly readingsPerS: number; // by the wall clock, of what was measured
  readonly cpuUsPerReading: number; // user and system, all threads of the process
  readonly verifyUs: number; // the floor
  readonly ratio: number; // of both
};

const METERS = 200;
const SLOTS = 40;
/** The first slots are not measured: they pay for compiling the code. */
const WARM_SLOTS = 10;
const IN_FLIGHT = 20; // readings of one meter that a broker lets in at a time

export async function benchOracle(): Promise<OracleBench> {
  const genesis = testGenesis({ regions: [Array.from({ length: METERS }, () => ({}))] });
  const meters = genesis.regions[0]!.meters.map((_, meter) => new TestMeter({ region: 0, meter }));
  const readings: Arrival[] = [];
  for (let slot = 1; slot <= SLOTS; slot++) {
    for (const meter of meters) {
      const payload = meter.next(slot, { importWh: 250 * slot, exportWh: 40 * slot });
      readings.push({ topic: meter.topic, payload });
    }
  }
  const verifyUs = floorUs();
  const test = await TestOracle.start(genesis, { publishReceipt: () => {} });
  test.clock.advanceTo((GENESIS_S + SLOTS * SLOT_S) as UnixSeconds);
  await ingest(test, readings.slice(0, METERS * WARM_SLOTS));
  const measured = readings.slice(METERS * WARM_SLOTS);
  const startMs = performance.now();
  const before = process.cpuUsage();
  await ingest(test, measured);
  const used = process.cpuUsage(before);
  const elapsedMs = performance.now() - startMs;
  const reported = test.chain.reports[0]!.length;
  await test.close();
  if (reported !== SLOTS) throw new Error(`${reported} of ${SLOTS} slots were reported`);
  const cpuUsPerReading = (used.user + used.system) / measured.length;
  return {
    readings: measured.length,
    readingsPerS: Math.round((1000 * measured.length) / elapsedMs),
    cpuUsPerReading,
    verifyUs,
    ratio: cpuUsPerReading / verifyUs,
  };
}

/** In waves, as a broker that lets each meter have a few in flight; then to the chain. */
async function ingest(test: TestOracle, readings: readonly Arrival[]): Promise<void> {
  for (let at = 0; at < readings.length; at += METERS * IN_FLIGHT) {
    const wave = readings.slice(at, at + METERS * IN_FLIGHT);
    await Promise.all(wave.map((reading) => test.oracle.ingest(reading)));
  }
  await test.oracle.tick();
}

/** CPU time of one verification of a message as long as a reading's signed bytes. */
function floorUs(): number {
  const { key } = new TestMeter({ region: 0, meter: 0 });
  const publicKey = devicePublicKey(key);
  const message = new Uint8Array(150).fill(3);
  const signature = signEd25519({ message, secretKey: key.secretKey });
  const rounds = 5000;
  for (let i = 0; i < 500; i++) verifyEd25519({ signature, message, publicKey });
  const before = process.cpuUsage();
  for (let i = 0; i < rounds; i++) verifyEd25519({ signature, message, publicKey });
  const { user, system } = process.cpuUsage(before);
  return (user + system) / rounds;
}
