/**
 * A slot on the chain: reports in, coupling, settlement, bill leaves and roots for many meters in
 * many regions, beside hashing the same bill leaves and state once (hashtree), and on two threads
 * beside one. The certificates are verified in the same block; their cost is measured apart and
 * taken off.
 */
import { createApplication } from "../../services/chain/application.ts";
import { type LaneExecutor, sequentialExecutor } from "../../services/chain/lane-executor.ts";
import { aggregateBlsSignatures, signBls, verifyBlsAggregate } from "../../services/crypto/bls.ts";
import { hashPairs } from "../../services/crypto/hash.ts";
import { createLaneWorkers } from "../../services/node/lane-workers.ts";
import { fromHex } from "../../services/primitives/bytes.ts";
import type { Slot, UnixSeconds } from "../../services/primitives/units.ts";
import { BILL_FIELDS } from "../../services/wire/bill.ts";
import { type Genesis, oracleConfigDigest } from "../../services/wire/genesis.ts";
import {
  encodeReport,
  encodeReportTransaction,
  reportStatement,
} from "../../services/wire/report.ts";
import { createMarketFixture } from "../support/market-fixture.ts";
import { type Cost, least, measure, round } from "./measure.ts";

/** Slots of a run; all before the last two warm the engine up. */
const SLOTS = { small: 60, large: 3 };
const MEASURED_SLOTS = 2;
const LINES_PER_REGION = 3;
/** 32-byte chunks hashed a meter and slot: its bill's padded fields, and its state columns. */
const BILL_CHUNKS = 2 ** Math.ceil(Math.log2(BILL_FIELDS.length));
const STATE_CHUNKS = 4;

type Shape = { readonly regions: number; readonly metersPerRegion: number };

export async function benchSlots(): Promise<object> {
  const small = prepare({ regions: 1, metersPerRegion: 1000 }, SLOTS.small);
  const large = prepare({ regions: 1000, metersPerRegion: 1000 }, SLOTS.large);
  const one = { small: run(small, sequentialExecutor), large: run(large, sequentialExecutor) };
  const workers = createLaneWorkers({ workers: 1 });
  await workers.ready();
  const two = run(large, workers);
  await workers.stop();
  return {
    ...one,
    largeOnTwoThreads: two,
    speedUpOfTwoThreads: round(one.large.blockMs / two.blockMs),
    costPerMeterGrowth: round(one.large.usPerMeter / one.small.usPerMeter),
  };
}

type Prepared = {
  readonly genesis: Genesis;
  readonly shape: Shape;
  readonly blocks: readonly (readonly Uint8Array[])[]; // transactions by slot
  readonly certificates: Cost; // of one block
  readonly floor: Cost;
};

function prepare(shape: Shape, slots: number): Prepared {
  const { genesis, blsSecret } = bigGenesis(shape);
  const configDigest = oracleConfigDigest(genesis);
  const firstSlot = genesis.genesisTimeS / genesis.slotS;
  const signed = Array.from({ length: slots }, (_, s) =>
    genesis.regions.map((_, regionIndex) => {
      const slot = (firstSlot + s) as Slot;
      const bytes = report({ configDigest, regionIndex, slot, shape });
      const message = reportStatement(bytes);
      return { bytes, message, signature: signBls({ message, secretKey: blsSecret }) };
    }),
  );
  const publicKeys = [fromHex(genesis.oracle.members[0]!.blsPublicKey)];
  const certificates = signed.map((block) => {
    return measure(() => {
      for (const { message, signature } of block) {
        if (!verifyBlsAggregate({ signature, message, publicKeys }))
          throw new Error("not verified");
      }
    }).cost;
  });
  const blocks = signed.map((block) =>
    block.map(({ bytes, signature }) => {
      const certificate = { signers: 1, signature: aggregateBlsSignatures([signature]) };
      return encodeReportTransaction({ reportBytes: bytes, certificate });
    }),
  );
  const meters = shape.regions * shape.metersPerRegion;
  const floors = Array.from({ length: 3 }, () => measure(() => hashOnce(meters)).cost);
  return { genesis, shape, blocks, certificates: least(certificates), floor: least(floors) };
}

function run({ genesis, shape, blocks, certificates, floor }: Prepared, executor: LaneExecutor) {
  const application = createApplication({ genesis, stored: new Map(), executor });
  application.initChain();
  const executed: Cost[] = [];
  const committed: Cost[] = [];
  let storedBytes = 0;
  blocks.forEach((transactions, s) => {
    const timeS = (genesis.genesisTimeS + (s + 1) * genesis.slotS) as UnixSeconds;
    const block = { height: s + 1, timeS, transactions };
    const { value, cost } = measure(() => application.finalizeBlock(block));
    if (value.results.some(({ code }) => code !== 0) || value.slotRecords.length === 0) {
      throw new Error(`the block was not taken: ${JSON.stringify(value.results[0])}`);
    }
    const commit = measure(() => application.commit());
    storedBytes = commit.value.changes.reduce((sum, { value }) => sum + (value?.length ?? 0), 0);
    if (s < blocks.length - MEASURED_SLOTS) return;
    executed.push(cost);
    committed.push(commit.cost);
  });
  const block = least(executed);
  const commit = least(committed);
  const meters = shape.regions * shape.metersPerRegion;
  const ownCpuMs = block.cpuMs - certificates.cpuMs;
  return {
    ...{ regions: shape.regions, meters, lines: genesis.lines.length },
    ...{ blockMs: round(block.clockMs), blockCpuMs: round(block.cpuMs) },
    ...{ certificatesCpuMs: round(certificates.cpuMs), floorCpuMs: round(floor.cpuMs) },
    ratio: round(ownCpuMs / floor.cpuMs),
    usPerMeter: round((1000 * ownCpuMs) / meters),
    commitUsPerMeter: round((1000 * commit.cpuMs) / meters),
    storedBytesPerMeter: round(storedBytes / meters),
  };
}

/** A fixture's network, with its one region multiplied; device keys are never looked at. */
function bigGenesis({ regions, metersPerRegion }: Shape) {
  const fixture = createMarketFixture({ regions: [{ id: "r", limits: [undefined] }] });
  const [member] = fixture.genesis.regions[0]!.members;
  const [meter] = fixture.genesis.regions[0]!.meters;
  const hex = (n: number, bytes: number) => n.toString(16).padStart(2 * bytes, "0");
  const id = (r: number) => `r${r}`;
  const genesis: Genesis = {
    ...fixture.genesis,
    regions: Array.from({ length: regions }, (_, r) => ({
      id: id(r),
      name: id(r),
      mechanism: "uniform-price" as const,
      members: Array.from({ length: metersPerRegion }, (_, m) => ({
        ...member!,
        label: "m",
        address: hex(r * metersPerRegion + m + 1, 20),
        limits: { minSellUcPerWh: 8_000 + ((m * 37) % 9_000), maxBuyUcPerWh: 30_000 - (m % 9_000) },
      })),
      meters: Array.from({ length: metersPerRegion }, (_, m) => ({
        ...meter!,
        deviceId: hex(r * metersPerRegion + m + 1, 16),
        memberIndex: m,
      })),
    })),
    lines: Array.from({ length: regions > 1 ? regions * LINES_PER_REGION : 0 }, (_, l) => {
      const from = Math.floor(l / LINES_PER_REGION);
      const to = (from + 1 + (l % LINES_PER_REGION) * 7) % regions;
      return { id: `l${l}`, from: id(from), to: id(to), capacityWh: 20_000, feeUcPerWh: 500 };
    }),
  };
  return { genesis, blsSecret: fixture.oracleSecrets[0]!.bls };
}

/** Every second home sells; by region more or less, so that energy has a way to go. */
function report(parts: {
  readonly configDigest: Uint8Array;
  readonly regionIndex: number;
  readonly slot: Slot;
  readonly shape: Shape;
}): Uint8Array {
  const { configDigest, regionIndex, slot, shape } = parts;
  const columns = (sells: number) =>
    Uint32Array.from({ length: shape.metersPerRegion }, (_, m) => {
      return m % 2 === sells ? 50 + ((m * 131 + regionIndex * 977 + slot * 13) % 900) : 0;
    });
  return encodeReport({
    ...{ configDigest, regionIndex, slot },
    importWh: columns(0),
    exportWh: columns(1),
    quality: new Uint8Array(shape.metersPerRegion),
    readingsRoot: new Uint8Array(32),
    refusedReadings: 0,
    late: [],
  });
}

/** The floor: as many pairs as the bills and columns have, in one batch each level. */
function hashOnce(meters: number): void {
  const pairs = new Uint8Array(64 * Math.min(1_000_000, 36 * meters));
  const all = Math.floor(pairs.length / 64);
  for (let left = meters * (BILL_CHUNKS - 1 + STATE_CHUNKS + 1); left > 0; left -= all) {
    hashPairs(left >= all ? pairs : pairs.subarray(0, 64 * left));
  }
}
