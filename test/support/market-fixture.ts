/**
 * A small community with real keys: genesis, the secrets behind it, and the signed transactions of
 * its oracle and its members. For every test that needs a chain that moves. Equal options give
 * equal bytes.
 */
import {
  aggregateBlsSignatures,
  blsPublicKey,
  blsSecretKey,
  proveBlsPossession,
  signBls,
} from "../../services/crypto/bls.ts";
import { ed25519PublicKey } from "../../services/crypto/ed25519.ts";
import { sha256 } from "../../services/crypto/hash.ts";
import { toHex, utf8 } from "../../services/primitives/bytes.ts";
import type { Slot, UnixSeconds } from "../../services/primitives/units.ts";
import {
  type CommitteeAct,
  committeeOrderStatement,
  encodeCommitteeOrder,
  encodeCommitteeOrderTransaction,
} from "../../services/wire/committee-order.ts";
import {
  Genesis,
  type Mechanism,
  type MeterRole,
  oracleConfigDigest,
  oracleQuorum,
} from "../../services/wire/genesis.ts";
import {
  type Certificate,
  encodeReport,
  encodeReportTransaction,
  type LateEntry,
  reportStatement,
} from "../../services/wire/report.ts";
import {
  encodeSetLimits,
  type Limits,
  marketAddress,
  memberAddress,
  signMemberTransaction,
} from "../../services/wire/transaction.ts";

/** 2023-11-15T00:00:00Z, a slot boundary of every slot length. */
export const FIXTURE_GENESIS_TIME_S = 1_700_006_400;

export type FixtureRegion = {
  readonly id: string;
  readonly mechanism?: Mechanism; // default: mid-market-rate
  /** One entry per member. */
  readonly limits: readonly (Limits | undefined)[];
  /** Default: one grid meter per member, in order. */
  readonly meters?: readonly { readonly role: MeterRole; readonly memberIndex: number | null }[];
};

export type FixtureOptions = {
  readonly label?: string; // secrets are derived from it
  readonly regions: readonly FixtureRegion[];
  readonly lines?: readonly {
    readonly from: string;
    readonly to: string;
    readonly capacityWh: number;
    readonly feeUcPerWh: number;
  }[];
  readonly oracleMembers?: number; // default 1
  readonly faultyMax?: number; // default 0
  readonly slotS?: number; // default 900
  readonly correctionWindowS?: number; // default: ten slots
  readonly retailUcPerWh?: number; // default 30,000
  readonly feedInUcPerWh?: number; // default 8,000
  readonly forward?: Genesis["forward"]; // default: the law's own defaults
};

export type FixtureReport = {
  readonly regionIndex: number;
  readonly slotIndex: number; // slots since genesis
  readonly importWh: readonly number[]; // by meter
  readonly exportWh: readonly number[];
  readonly quality?: readonly number[]; // default: all actual
  readonly late?: readonly LateEntry[];
  readonly refusedReadings?: number;
  readonly readingsRoot?: Uint8Array; // default: made up
  readonly configDigest?: Uint8Array;
  /** Committee members that sign; default: the first ones that make a quorum. */
  readonly signers?: readonly number[];
};

export type FixtureCommitteeOrder = {
  readonly act: CommitteeAct;
  readonly sequence: number;
  readonly configDigest?: Uint8Array;
  /** As in a report. */
  readonly signers?: readonly number[];
  /** What is signed; default: the order's own statement. */
  readonly statement?: (orderBytes: Uint8Array) => Uint8Array;
};

export type MarketFixture = {
  readonly genesis: Genesis;
  readonly memberSecrets: readonly (readonly Uint8Array[])[]; // secp256k1, by region and member
  readonly deviceSecrets: readonly (readonly Uint8Array[])[]; // Ed25519, by region and meter
  readonly oracleSecrets: readonly { readonly bls: Uint8Array; readonly receipt: Uint8Array }[];
  readonly sequencerSecret: Uint8Array; // Ed25519
  slotAtIndex(slotIndex: number): Slot;
  /** When the slot has ended: the earliest time of a block that takes its report. */
  slotEndS(slotIndex: number): UnixSeconds;
  reportTransaction(report: FixtureReport): Uint8Array;
  committeeTransaction(order: FixtureCommitteeOrder): Uint8Array;
  limitsTransaction(change: {
    readonly regionIndex: number;
    readonly memberIndex: number;
    readonly nonce: number;
    readonly limits: Limits;
  }): Uint8Array;
  /** Any call of the member's own region's market. */
  callTransaction(call: {
    readonly regionIndex: number;
    readonly memberIndex: number;
    readonly nonce: number;
    readonly data: Uint8Array;
  }): Uint8Array;
};

export function createMarketFixture(options: FixtureOptions): MarketFixture {
  const label = options.label ?? "fixture";
  const slotS = options.slotS ?? 900;
  const secret = (what: string) => sha256(utf8(`gridlane/test/${label}/${what}`));
  const memberSecrets = options.regions.map(({ id, limits }) =>
    limits.map((_, m) => secret(`member/${id}/${m}`)),
  );
  const metersOf = (region: FixtureRegion) =>
    region.meters ?? region.limits.map((_, m) => ({ role: "grid" as const, memberIndex: m }));
  const deviceSecrets = options.regions.map((region) =>
    metersOf(region).map((_, m) => secret(`device/${region.id}/${m}`)),
  );
  const oracleSecrets = Array.from({ length: options.oracleMembers ?? 1 }, (_, m) => ({
    bls: blsSecretKey(secret(`oracle/${m}`)),
    receipt: secret(`receipt/${m}`),
  }));
  const sequencerSecret = secret("sequencer");
  const genesis = Genesis.parse({
    chainVersion: 1,
    networkId: "gridlane-test",
    chainId: 4242,
    currency: "EUR",
    genesisTimeS: FIXTURE_GENESIS_TIME_S,
    slotS,
    sequencerPublicKey: toHex(ed25519PublicKey(sequencerSecret)),
    oracle: {
      members: oracleSecrets.map(({ bls, receipt }, m) => ({
        id: `oracle-${m}`,
        blsPublicKey: toHex(blsPublicKey(bls)),
        blsPossession: toHex(proveBlsPossession(bls)),
        receiptPublicKey: toHex(ed25519PublicKey(receipt)),
      })),
      faultyMax: options.faultyMax ?? 0,
      cutoffS: 300,
      correctionWindowS: options.correctionWindowS ?? 10 * slotS,
    },
    retailUcPerWh: options.retailUcPerWh ?? 30_000,
    feedInUcPerWh: options.feedInUcPerWh ?? 8_000,
    ...(options.forward === undefined ? {} : { forward: options.forward }),
    regions: options.regions.map((region, r) => ({
      id: region.id,
      name: `Region ${region.id}`,
      mechanism: region.mechanism ?? "mid-market-rate",
      members: region.limits.map((limits, m) => ({
        label: `member ${m}`,
        address: toHex(memberAddress(memberSecrets[r]![m]!)),
        ...(limits === undefined ? {} : { limits }),
      })),
      meters: metersOf(region).map(({ role, memberIndex }, m) => ({
        deviceId: toHex(secret(`device-id/${region.id}/${m}`).subarray(0, 16)),
        algorithm: "ed25519",
        publicKey: toHex(ed25519PublicKey(deviceSecrets[r]![m]!)),
        role,
        memberIndex,
        connectionW: 30_000,
        openingImportWh: 0,
        openingExportWh: 0,
      })),
    })),
    lines: (options.lines ?? []).map((line, l) => ({ id: `line-${l}`, ...line })),
  });
  const firstSlot = Math.floor(FIXTURE_GENESIS_TIME_S / slotS);
  const configDigest = oracleConfigDigest(genesis); // hashes all of genesis: once
  const quorum = oracleQuorum(genesis);
  const signCall: MarketFixture["callTransaction"] = ({ regionIndex, memberIndex, nonce, data }) =>
    signMemberTransaction({
      transaction: { chainId: genesis.chainId, nonce, to: marketAddress(regionIndex), data },
      secretKey: memberSecrets[regionIndex]![memberIndex]!,
    });
  return {
    genesis,
    memberSecrets,
    deviceSecrets,
    oracleSecrets,
    sequencerSecret,
    slotAtIndex: (slotIndex) => (firstSlot + slotIndex) as Slot,
    slotEndS: (slotIndex) => ((firstSlot + slotIndex + 1) * slotS) as UnixSeconds,
    reportTransaction: (report) =>
      signReport({ oracleSecrets, firstSlot, quorum, configDigest }, report),
    committeeTransaction: (order) =>
      signCommitteeOrder({ oracleSecrets, quorum, configDigest }, order),
    limitsTransaction: ({ limits, ...at }) => signCall({ ...at, data: encodeSetLimits(limits) }),
    callTransaction: signCall,
  };
}

function signReport(
  chain: {
    readonly oracleSecrets: MarketFixture["oracleSecrets"];
    readonly firstSlot: number;
    readonly quorum: number;
    readonly configDigest: Uint8Array;
  },
  report: FixtureReport,
): Uint8Array {
  const reportBytes = encodeReport({
    configDigest: report.configDigest ?? chain.configDigest,
    regionIndex: report.regionIndex,
    slot: (chain.firstSlot + report.slotIndex) as Slot,
    importWh: Uint32Array.from(report.importWh),
    exportWh: Uint32Array.from(report.exportWh),
    quality: Uint8Array.from(report.quality ?? report.importWh.map(() => 0)),
    readingsRoot:
      report.readingsRoot ?? sha256(utf8(`readings/${report.regionIndex}/${report.slotIndex}`)),
    refusedReadings: report.refusedReadings ?? 0,
    late: report.late ?? [],
  });
  const certificate = certify(chain, reportStatement(reportBytes), report.signers);
  return encodeReportTransaction({ reportBytes, certificate });
}

type Committee = Pick<MarketFixture, "oracleSecrets"> & { readonly quorum: number };

function certify(
  { oracleSecrets, quorum }: Committee,
  message: Uint8Array,
  signers: readonly number[] = Array.from({ length: quorum }, (_, m) => m),
): Certificate {
  const signatures = signers.map((m) => signBls({ message, secretKey: oracleSecrets[m]!.bls }));
  return {
    signers: signers.reduce((mask, m) => mask + 2 ** m, 0),
    signature: aggregateBlsSignatures(signatures),
  };
}

function signCommitteeOrder(
  chain: Committee & { readonly configDigest: Uint8Array },
  { act, sequence, signers, ...order }: FixtureCommitteeOrder,
): Uint8Array {
  const configDigest = order.configDigest ?? chain.configDigest;
  const orderBytes = encodeCommitteeOrder({ configDigest, sequence, act });
  const statement = (order.statement ?? committeeOrderStatement)(orderBytes);
  const certificate = certify(chain, statement, signers);
  return encodeCommitteeOrderTransaction({ orderBytes, certificate });
}
