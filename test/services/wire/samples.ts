/** One sample of each format, from fixed seeds: golden vectors and tests share them. */
import {
  blsPublicKey,
  blsSecretKey,
  proveBlsPossession,
  signBls,
} from "../../../services/crypto/bls.ts";
import { ed25519PublicKey } from "../../../services/crypto/ed25519.ts";
import { sha256 } from "../../../services/crypto/hash.ts";
import { toHex, utf8 } from "../../../services/primitives/bytes.ts";
import type {
  MicroCents,
  Slot,
  UnixSeconds,
  WattHours,
} from "../../../services/primitives/units.ts";
import type { Bill } from "../../../services/wire/bill.ts";
import {
  type CommitteeOrder,
  committeeOrderStatement,
} from "../../../services/wire/committee-order.ts";
import { Genesis } from "../../../services/wire/genesis.ts";
import type { Header } from "../../../services/wire/header.ts";
import type { Policy } from "../../../services/wire/policy.ts";
import {
  type DeviceAlgorithm,
  type DeviceKey,
  deviceIdOf,
  devicePublicKey,
  type Reading,
} from "../../../services/wire/reading.ts";
import type { Receipt } from "../../../services/wire/receipt.ts";
import { type Certificate, type Report, reportStatement } from "../../../services/wire/report.ts";
import {
  encodeSetLimits,
  type MemberTransaction,
  marketAddress,
  memberAddress,
} from "../../../services/wire/transaction.ts";

export const NETWORK_ID = "gridlane-vectors";

export function seedOf(label: string): Uint8Array {
  return sha256(utf8(`gridlane vectors: ${label}`));
}

export const sampleKey = (algorithm: DeviceAlgorithm): DeviceKey => ({
  algorithm,
  secretKey: seedOf(`device ${algorithm}`),
});

export function sampleReading(algorithm: DeviceAlgorithm): Reading {
  return {
    deviceId: deviceIdOf(devicePublicKey(sampleKey(algorithm))),
    boot: 3,
    seq: 70_000,
    intervalEndS: 1_700_001_000 as UnixSeconds,
    intervalS: 900,
    importWh: 63_068_772 as WattHours,
    exportWh: 25_892_776 as WattHours,
    timeStatus: 2,
    clockErrorMs: -250,
    flags: 0,
    kind: 0,
    firmwareHash: seedOf("firmware").slice(0, 8),
    previousHash: seedOf("previous").slice(0, 8),
  };
}

export function sampleReceipt(): Receipt {
  return {
    deviceId: sampleReading("ed25519").deviceId,
    boot: 3,
    seq: 70_000,
    recordHash: seedOf("record"),
    leafHash: seedOf("leaf"),
    memberId: "o1",
    code: 0,
    timeS: 1_700_001_003 as UnixSeconds,
  };
}

export const receiptSecretKey = seedOf("oracle receipt");
export const oracleSecretKey = blsSecretKey(seedOf("oracle bls"));

export function sampleReport(): Report {
  return {
    configDigest: seedOf("config"),
    regionIndex: 1,
    slot: 1_888_889 as Slot,
    importWh: Uint32Array.of(0, 500, 600, 0),
    exportWh: Uint32Array.of(800, 0, 0, 0),
    quality: Uint8Array.of(0, 0, 2, 3),
    readingsRoot: seedOf("readings"),
    refusedReadings: 2,
    late: [
      { slot: 1_888_887 as Slot, meterIndex: 3, importWh: 70, exportWh: 0, quality: 2 },
      { slot: 1_888_888 as Slot, meterIndex: 0, importWh: 0, exportWh: 9, quality: 0 },
    ],
  };
}

export function sampleCertificate(reportBytes: Uint8Array): Certificate {
  const message = reportStatement(reportBytes);
  return { signers: 1, signature: signBls({ message, secretKey: oracleSecretKey }) };
}

export function sampleCommitteeOrders(): CommitteeOrder[] {
  const configDigest = seedOf("config");
  return [
    { configDigest, sequence: 1, act: { kind: "release", regionIndex: 3 } },
    { configDigest, sequence: 2, act: { kind: "upgrade", version: 2, height: 120_000 } },
  ];
}

export function sampleOrderCertificate(orderBytes: Uint8Array): Certificate {
  const message = committeeOrderStatement(orderBytes);
  return { signers: 1, signature: signBls({ message, secretKey: oracleSecretKey }) };
}

export function sampleBill(): Bill {
  return {
    slot: 1_888_889 as Slot,
    meterIndex: 2,
    memberIndex: 2,
    kind: 0,
    importWh: 600,
    exportWh: 0,
    communityBoughtWh: 300,
    communitySoldWh: 0,
    neighbourBoughtWh: 0,
    neighbourSoldWh: 0,
    retailerBoughtWh: 300,
    retailerSoldWh: 0,
    buyPriceUcPerWh: 20_000,
    sellPriceUcPerWh: -1,
    amountUc: -15_000_000n as MicroCents,
    quality: 2,
    forwardBoughtWh: 200,
    forwardSoldWh: 0,
    forwardPriceUcPerWh: -1_500,
    imbalanceBoughtWh: 0,
    imbalanceSoldWh: 200,
  };
}

export const sequencerSecretKey = seedOf("sequencer");

export function samplePolicy(): Policy {
  return {
    fromSlot: 1_888_896 as Slot,
    mechanism: "uniform-price",
    retailUcPerWh: 30_000,
    feedInUcPerWh: -8_000,
    lawHash: seedOf("law"),
  };
}

export function sampleHeader(): Header {
  return {
    chainVersion: 1,
    networkId: NETWORK_ID,
    height: 4711,
    timeS: 1_700_001_300 as UnixSeconds,
    parentHash: seedOf("parent"),
    transactionsRoot: seedOf("transactions"),
    appHash: seedOf("app"),
  };
}

export const memberSecretKey = seedOf("member");

export function sampleTransaction(): MemberTransaction {
  return {
    chainId: 4711,
    nonce: 7,
    to: marketAddress(1),
    data: encodeSetLimits({ minSellUcPerWh: 12_000, maxBuyUcPerWh: 28_000 }),
  };
}

export function sampleGenesis(): Genesis {
  const meter = (algorithm: DeviceAlgorithm, role: "grid" | "production" | "feeder") => {
    const publicKey = devicePublicKey({ algorithm, secretKey: seedOf(`${role} meter`) });
    return {
      deviceId: toHex(deviceIdOf(publicKey)),
      algorithm,
      publicKey: toHex(publicKey),
      role,
      memberIndex: role === "feeder" ? null : 0,
      connectionW: 11_000,
      openingImportWh: 1000,
      openingExportWh: 500,
    };
  };
  const region = (id: string, mechanism: "mid-market-rate" | "uniform-price") => ({
    id,
    name: id.toUpperCase(),
    mechanism,
    members: [{ label: `${id} one`, address: toHex(memberAddress(seedOf(`member of ${id}`))) }],
  });
  return Genesis.parse({
    chainVersion: 1,
    networkId: NETWORK_ID,
    chainId: 4711,
    currency: "EUR",
    genesisTimeS: 1_700_000_100,
    slotS: 900,
    sequencerPublicKey: toHex(ed25519PublicKey(sequencerSecretKey)),
    oracle: {
      members: [
        {
          id: "o1",
          blsPublicKey: toHex(blsPublicKey(oracleSecretKey)),
          blsPossession: toHex(proveBlsPossession(oracleSecretKey)),
          receiptPublicKey: toHex(ed25519PublicKey(receiptSecretKey)),
        },
      ],
      faultyMax: 0,
      cutoffS: 300,
      correctionWindowS: 604_800,
    },
    retailUcPerWh: 30_000,
    feedInUcPerWh: 8_000,
    regions: [
      {
        ...region("hill", "mid-market-rate"),
        meters: [meter("ed25519", "grid"), meter("ed25519", "production")],
      },
      { ...region("lake", "uniform-price"), meters: [meter("p256", "feeder")] },
    ],
    lines: [{ id: "hill-lake", from: "hill", to: "lake", capacityWh: 5000, feeUcPerWh: 300 }],
  });
}
