/**
 * Bench of a slot on the chain: reports in, coupling, settlement, bill leaves and roots for many
 * meters in many regions, as a ratio to hashing the same bill leaves and state once (hashtree).
 * The certificates are verified in the same block; their cost is measured apart and taken off.
 */
import { createApplication } from "../../services/chain/application.ts";
import { aggregateBlsSignatures, signBls, verifyBlsAggregate } from "../../services/crypto/bls.ts";
import { hashPairs } from "../../services/crypto/hash.ts";
import { fromHex } from "../../services/primitives/bytes.ts";
import type { Slot } from "../../services/primitives/units.ts";
import { BILL_FIELDS } from "../../services/wire/bill.ts";
import { type Genesis, oracleConfigDigest } from "../../services/wire/genesis.ts";
import {
  encodeReport,
  encodeReportTransaction,
  reportStatement,
} from "../../services/wire/report.ts";
import { createMarketFixture } from "../support/market-fixture.ts";

const SLOTS = 3; // the first one warms up
const LINES_PER_REGION = 3;
/** 32-byte chunks hashed a meter and slot: its bill's padded fields, and its state columns. */
const BILL_CHUNKS = 2 ** Math.ceil(Math.log2(BILL_FIELDS.length));
const STATE_CHUNKS = 4;

export async function benchChain(): Promise<object> {
  const small = run({ regions: 10, metersPerRegion: 1000 });
  const large = run({ regions: 1000, metersPerRegion: 1000 });
  return {
    small,
    large,
    costPerMeterGrowth: round(large.usPerMeter / small.usPerMeter),
    residentMiB: Math.round(process.memoryUsage().rss / 2 ** 20),
  };
}

function run(shape: { regions: number; metersPerRegion: number }) {
  const meters = shape.regions * shape.metersPerRegion;
  const { genesis, blsSecret } = bigGenesis(shape);
  const digest = oracleConfigDigest(genesis);
  const application = createApplication({ genesis, stored: new Map() });
  application.initChain();
  const firstSlot = genesis.genesisTimeS / genesis.slotS;
  let bestMs = Infinity;
  let certificatesMs = Infinity;
  for (let s = 0; s < SLOTS; s++) {
    const reports = genesis.regions.map((_, r) =>
      report({ digest, r, slot: firstSlot + s, shape }),
    );
    const signed = reports.map((bytes) => {
      const message = reportStatement(bytes);
      return { bytes, message, signature: signBls({ message, secretKey: blsSecret }) };
    });
    const transactions = signed.map(({ bytes, signature }) => {
      const certificate = { signers: 1, signature: aggregateBlsSignatures([signature]) };
      return encodeReportTransaction({ reportBytes: bytes, certificate });
    });
    const timeS = (genesis.genesisTimeS + (s + 1) * genesis.slotS) as never;
    const startMs = performance.now();
    const { results, slotRecords } = application.finalizeBlock({
      ...{ height: s + 1, timeS, transactions },
    });
    const tookMs = performance.now() - startMs;
    if (results.some(({ code }) => code !== 0) || slotRecords.length !== shape.regions) {
      throw new Error(`the block was not taken: ${JSON.stringify(results[0])}`);
    }
    application.commit();
    certificatesMs = Math.min(certificatesMs, verifyAll(signed, genesis));
    if (s > 0) bestMs = Math.min(bestMs, tookMs);
  }
  const floorMs = hashOnce(meters);
  const ownMs = bestMs - certificatesMs;
  return {
    ...{ regions: shape.regions, meters, lines: genesis.lines.length },
    ...{ blockMs: round(bestMs), certificatesMs: round(certificatesMs), floorMs: round(floorMs) },
    ratio: round(ownMs / floorMs),
    usPerMeter: round((1000 * ownMs) / meters),
  };
}

/** A fixture's network, with its one region multiplied; device keys are never looked at. */
function bigGenesis({ regions, metersPerRegion }: { regions: number; metersPerRegion: number }) {
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
    lines: Array.from({ length: regions * LINES_PER_REGION }, (_, l) => {
      const from = Math.floor(l / LINES_PER_REGION);
      const to = (from + 1 + (l % LINES_PER_REGION) * 7) % regions;
      return { id: `l${l}`, from: id(from), to: id(to), capacityWh: 20_000, feeUcPerWh: 500 };
    }),
  };
  return { genesis, blsSecret: fixture.oracleSecrets[0]!.bls };
}

/** Every second home sells; by region more or less, so that energy has a way to go. */
function report({
  digest,
  r,
  slot,
  shape,
}: {
  digest: Uint8Array;
  r: number;
  slot: number;
  shape: { metersPerRegion: number };
}): Uint8Array {
  const columns = (sells: number) =>
    Uint32Array.from({ length: shape.metersPerRegion }, (_, m) => {
      return m % 2 === sells ? 50 + ((m * 131 + r * 977 + slot * 13) % 900) : 0;
    });
  return encodeReport({
    configDigest: digest,
    regionIndex: r,
    slot: slot as Slot,
    importWh: columns(0),
    exportWh: columns(1),
    quality: new Uint8Array(shape.metersPerRegion),
    readingsRoot: new Uint8Array(32),
    refusedReadings: 0,
    late: [],
  });
}

type Signed = { readonly message: Uint8Array; readonly signature: Uint8Array };

function verifyAll(signed: readonly Signed[], genesis: Genesis): number {
  const publicKeys = [fromHex(genesis.oracle.members[0]!.blsPublicKey)];
  const startMs = performance.now();
  for (const { message, signature } of signed) {
    if (!verifyBlsAggregate({ signature, message, publicKeys })) throw new Error("not verified");
  }
  return performance.now() - startMs;
}

/** The floor: as many pairs as the bills and columns have, in one batch each level. */
function hashOnce(meters: number): number {
  const pairs = new Uint8Array(64 * 1_000_000);
  let left = meters * (BILL_CHUNKS - 1 + STATE_CHUNKS + 1);
  const startMs = performance.now();
  for (; left > 0; left -= 1_000_000) {
    hashPairs(left >= 1_000_000 ? pairs : pairs.subarray(0, 64 * left));
  }
  return performance.now() - startMs;
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
