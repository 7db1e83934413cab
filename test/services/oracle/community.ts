/**
 * A small community for oracle tests: genesis, keys, meters that sign, a market clock, and a chain
 * that checks reports as strictly as a chain does (order, certificate, columns, late entries) and
 * keeps what every meter was reported to have used.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ChainHead, LaneView, Submitted } from "../../../services/chain/access.ts";
import {
  blsPublicKey,
  blsSecretKey,
  proveBlsPossession,
  verifyBlsAggregate,
} from "../../../services/crypto/bls.ts";
import { ed25519PublicKey } from "../../../services/crypto/ed25519.ts";
import { sha256 } from "../../../services/crypto/hash.ts";
import type { OracleKeys } from "../../../services/oracle/committee.ts";
import {
  type Oracle,
  type OracleLog,
  type OracleOptions,
  startOracle,
} from "../../../services/oracle/oracle.ts";
import { type OracleStore, openOracleStore } from "../../../services/oracle/store.ts";
import { bytesEqual, fromHex, toHex, utf8 } from "../../../services/primitives/bytes.ts";
import { ManualClock } from "../../../services/primitives/clock.ts";
import type { Slot, UnixSeconds, WattHours } from "../../../services/primitives/units.ts";
import {
  Genesis,
  type GenesisMeter,
  genesisHash,
  type MeterRole,
  oracleConfigDigest,
} from "../../../services/wire/genesis.ts";
import {
  type DeviceKey,
  deviceIdOf,
  devicePublicKey,
  encodeReadingPayload,
  type Reading,
  recordHash,
  signReading,
} from "../../../services/wire/reading.ts";
import { openReceipt, type Receipt } from "../../../services/wire/receipt.ts";
import { TRANSACTION_CODE } from "../../../services/wire/refusals.ts";
import {
  decodeReportTransaction,
  type Report,
  reportStatement,
} from "../../../services/wire/report.ts";
import { readingTopic } from "../../../services/wire/topics.ts";

export const SLOT_S = 900;
export const GENESIS_S = 1_700_000_100; // 2023-11-14, on a slot boundary
export const GENESIS_SLOT = (GENESIS_S / SLOT_S) as Slot;
export const NETWORK_ID = "gridlane-test";

export function seedOf(label: string): Uint8Array {
  return sha256(utf8(label));
}

export type MeterSpec = {
  readonly role?: MeterRole;
  readonly algorithm?: "ed25519" | "p256";
  readonly connectionW?: number;
  readonly openingImportWh?: number;
  readonly openingExportWh?: number;
};

export function keyOf(label: string, algorithm: "ed25519" | "p256" = "ed25519"): DeviceKey {
  return { algorithm, secretKey: seedOf(label) };
}

export const ORACLE_KEYS: OracleKeys = {
  blsSecretKey: blsSecretKey(seedOf("oracle bls")),
  receiptSecretKey: seedOf("oracle receipt"),
  saltSecret: seedOf("oracle salt"),
};

export function testGenesis(options: {
  readonly regions: readonly (readonly MeterSpec[])[];
  readonly oracle?: { readonly cutoffS?: number; readonly correctionWindowS?: number };
}): Genesis {
  return Genesis.parse({
    chainVersion: 1,
    networkId: NETWORK_ID,
    chainId: 4711,
    currency: "EUR",
    genesisTimeS: GENESIS_S,
    slotS: SLOT_S,
    sequencerPublicKey: toHex(ed25519PublicKey(seedOf("sequencer"))),
    oracle: {
      members: [
        {
          id: "o1",
          blsPublicKey: toHex(blsPublicKey(ORACLE_KEYS.blsSecretKey)),
          blsPossession: toHex(proveBlsPossession(ORACLE_KEYS.blsSecretKey)),
          receiptPublicKey: toHex(ed25519PublicKey(ORACLE_KEYS.receiptSecretKey)),
        },
      ],
      faultyMax: 0,
      cutoffS: options.oracle?.cutoffS ?? 300,
      correctionWindowS: options.oracle?.correctionWindowS ?? 86_400,
    },
    retailUcPerWh: 30_000,
    feedInUcPerWh: 8_000,
    regions: options.regions.map((meters, r) => ({
      id: `region-${r}`,
      name: `Region ${r}`,
      mechanism: "mid-market-rate",
      members: [{ label: "Alex", address: toHex(seedOf(`member ${r}`).subarray(0, 20)) }],
      meters: meters.map((spec, m) => genesisMeter(`meter ${r}/${m}`, spec)),
    })),
    lines: [],
  });
}

function genesisMeter(label: string, spec: MeterSpec): GenesisMeter {
  const key = keyOf(label, spec.algorithm);
  const publicKey = devicePublicKey(key);
  const role = spec.role ?? "grid";
  return {
    deviceId: toHex(deviceIdOf(publicKey)),
    algorithm: key.algorithm,
    publicKey: toHex(publicKey),
    role,
    memberIndex: role === "feeder" ? null : 0,
    connectionW: spec.connectionW ?? 11_000,
    openingImportWh: spec.openingImportWh ?? 0,
    openingExportWh: spec.openingExportWh ?? 0,
  };
}

/** A meter that signs one record after the other and remembers what its journal would. */
export class TestMeter {
  readonly key: DeviceKey;
  readonly deviceId: Uint8Array;
  readonly topic: string;
  boot = 1;
  seq = 0;
  previousHash: Uint8Array = new Uint8Array(8);

  constructor(
    at: { readonly region: number; readonly meter: number } & Pick<MeterSpec, "algorithm">,
  ) {
    this.key = keyOf(`meter ${at.region}/${at.meter}`, at.algorithm);
    this.deviceId = deviceIdOf(devicePublicKey(this.key));
    this.topic = readingTopic(`region-${at.region}`, this.deviceId);
  }

  /** The next record: registers at the end of the n-th slot since genesis (1 = the first). */
  next(slotCount: number, registers: { importWh?: number | null; exportWh?: number | null } = {}) {
    return this.sign({
      intervalEndS: (GENESIS_S + slotCount * SLOT_S) as UnixSeconds,
      importWh: (registers.importWh === undefined ? 0 : registers.importWh) as WattHours | null,
      exportWh: (registers.exportWh === undefined ? 0 : registers.exportWh) as WattHours | null,
    });
  }

  /** Signs a record with any fields and moves the journal on. */
  sign(fields: Partial<Reading>, networkId = NETWORK_ID): Uint8Array {
    const reading: Reading = {
      deviceId: this.deviceId,
      boot: this.boot,
      seq: this.seq,
      intervalEndS: (GENESIS_S + SLOT_S) as UnixSeconds,
      intervalS: SLOT_S,
      importWh: 0 as WattHours,
      exportWh: 0 as WattHours,
      timeStatus: 2,
      clockErrorMs: 0,
      flags: 0,
      kind: 0,
      firmwareHash: new Uint8Array(8),
      previousHash: this.previousHash,
      ...fields,
    };
    this.seq = reading.seq + 1;
    this.previousHash = recordHash(encodeReadingPayload(reading));
    return signReading({ reading, networkId, key: this.key });
  }
}

/** Takes reports as the chain does and adds up, per meter, what was reported. */
export class TestChain {
  readonly genesis: Genesis;
  readonly reports: Report[][];
  readonly transactions: Uint8Array[] = [];
  readonly importWh: number[][];
  readonly exportWh: number[][];
  /** Answers instead of the chain, for the next submissions; null: the chain answers. */
  nextAnswers: (number | Error | null)[] = [];

  constructor(genesis: Genesis) {
    this.genesis = genesis;
    this.reports = genesis.regions.map(() => []);
    this.importWh = genesis.regions.map((region) => region.meters.map(() => 0));
    this.exportWh = genesis.regions.map((region) => region.meters.map(() => 0));
  }

  head(): ChainHead {
    const appHash = new Uint8Array(32);
    const timeS = GENESIS_S as UnixSeconds;
    return {
      ...{ height: 0, timeS, appHash, clearedSlots: 0, lastClearedSlot: null },
      ...{ lastCompleteSlot: null, lanesOut: [], chainVersion: 1 },
      committee: { nextSequence: 1, upgrades: [] },
    };
  }

  lane(regionIndex: number): LaneView {
    const reportedSlot = this.reports[regionIndex]!.at(-1)?.slot ?? null;
    return { reportedSlot } as LaneView;
  }

  async submit(transaction: Uint8Array): Promise<Submitted> {
    const answer = this.nextAnswers.shift() ?? null;
    if (answer instanceof Error) throw answer;
    const code = answer ?? this.execute(transaction);
    return { code, info: "", hash: sha256(transaction), height: code === 0 ? 1 : 0 };
  }

  execute(transaction: Uint8Array): number {
    const { report, reportBytes, certificate } = decodeReportTransaction(transaction);
    const { regionIndex, slot } = report;
    const region = this.genesis.regions[regionIndex]!;
    const chain = this.reports[regionIndex]!;
    if (report.importWh.length !== region.meters.length) return TRANSACTION_CODE.report_malformed;
    if (!bytesEqual(report.configDigest, oracleConfigDigest(this.genesis))) {
      return TRANSACTION_CODE.config_mismatched;
    }
    if (slot !== (chain.at(-1)?.slot ?? GENESIS_SLOT - 1) + 1) {
      return TRANSACTION_CODE.report_unordered;
    }
    const publicKeys = [fromHex(this.genesis.oracle.members[0]!.blsPublicKey)];
    const message = reportStatement(reportBytes);
    const { signature, signers } = certificate;
    if (signers !== 1 || !verifyBlsAggregate({ signature, message, publicKeys })) {
      return TRANSACTION_CODE.certificate_invalid;
    }
    for (const entry of report.late) {
      const ageS = (slot - entry.slot - 1) * SLOT_S; // from its end to the start of the report's
      const isOpen = ageS >= 0 && ageS <= this.genesis.oracle.correctionWindowS;
      if (!isOpen || entry.slot < GENESIS_SLOT) return TRANSACTION_CODE.late_invalid;
      this.importWh[regionIndex]![entry.meterIndex]! += entry.importWh;
      this.exportWh[regionIndex]![entry.meterIndex]! += entry.exportWh;
    }
    report.importWh.forEach((energy, m) => {
      this.importWh[regionIndex]![m]! += energy;
      this.exportWh[regionIndex]![m]! += report.exportWh[m]!;
    });
    chain.push(report);
    this.transactions.push(transaction);
    return TRANSACTION_CODE.ok;
  }
}

export const SILENT: OracleLog = { info: () => {}, warn: () => {}, error: () => {} };

/** Everything one test needs, with a store on the disk that survives `restart`. */
export class TestOracle {
  readonly genesis: Genesis;
  readonly chain: TestChain;
  readonly clock: ManualClock;
  readonly directory = mkdtempSync(join(tmpdir(), "gridlane-oracle-"));
  readonly receipts: { topic: string; receipt: Receipt; bytes: Uint8Array }[] = [];
  readonly options: Partial<OracleOptions>;
  store!: OracleStore;
  oracle!: Oracle;

  constructor(genesis: Genesis, options: Partial<OracleOptions> = {}) {
    this.genesis = genesis;
    this.chain = new TestChain(genesis);
    this.clock = new ManualClock(GENESIS_S as UnixSeconds);
    this.options = options;
  }

  static async start(genesis: Genesis, options: Partial<OracleOptions> = {}): Promise<TestOracle> {
    const test = new TestOracle(genesis, options);
    await test.open();
    return test;
  }

  async open(): Promise<void> {
    const { directory, genesis } = this;
    this.store = await openOracleStore({ directory, genesisHash: genesisHash(genesis) });
    this.oracle = await startOracle({
      genesis,
      keys: ORACLE_KEYS,
      store: this.store,
      clock: this.clock,
      chain: this.chain,
      publishReceipt: (topic, bytes) => {
        const publicKey = ed25519PublicKey(ORACLE_KEYS.receiptSecretKey);
        const receipt = openReceipt({ bytes, publicKey });
        if (receipt === null) throw new Error("a receipt's signature does not hold");
        this.receipts.push({ topic, receipt, bytes });
      },
      log: SILENT,
      startGraceS: 0,
      ...this.options,
    });
  }

  async restart(): Promise<void> {
    await this.oracle.stop();
    await this.store.close();
    await this.open();
  }

  async close(): Promise<void> {
    await this.oracle.stop();
    await this.store.close();
    rmSync(this.directory, { recursive: true, force: true });
  }

  /** Hands a record in and returns the receipt that came back for it. */
  async send(topic: string, payload: Uint8Array): Promise<Receipt | undefined> {
    const before = this.receipts.length;
    await this.oracle.ingest({ topic, payload });
    return this.receipts[before]?.receipt;
  }

  /** Market time to the end of the n-th slot since genesis, and on. */
  at(slotCount: number, plusS = 0): void {
    this.clock.advanceTo((GENESIS_S + slotCount * SLOT_S + plusS) as UnixSeconds);
  }
}
