/** The golden vectors: inputs as JSON a person can read, outputs as hexadecimal bytes. */

import { signEd25519 } from "../../services/crypto/ed25519.ts";
import { toHex } from "../../services/primitives/bytes.ts";
import { decode } from "../../services/primitives/codec.ts";
import { billRoot } from "../../services/wire/bill.ts";
import { tableOfBills } from "../../services/wire/bill-table.ts";
import { genesisHash, oracleConfigDigest, oracleQuorum } from "../../services/wire/genesis.ts";
import { encodeHeader, headerHash, headerSignedBytes } from "../../services/wire/header.ts";
import {
  type DeviceAlgorithm,
  decodeReading,
  devicePublicKey,
  readingLeaf,
  recordHash,
  signReading,
} from "../../services/wire/reading.ts";
import { encodeReceipt } from "../../services/wire/receipt.ts";
import {
  encodeReport,
  encodeReportTransaction,
  reportStatement,
} from "../../services/wire/report.ts";
import {
  memberAddress,
  memberTransactionHash,
  signMemberTransaction,
} from "../../services/wire/transaction.ts";
import * as samples from "../services/wire/samples.ts";

type Json = string | number | null | readonly Json[] | { readonly [key: string]: Json };

/** Bytes as hexadecimal, money as a decimal string, columns as arrays. */
function json(value: unknown): Json {
  if (value instanceof Uint8Array) return toHex(value);
  if (ArrayBuffer.isView(value)) return Array.from(value as unknown as Iterable<number>);
  if (typeof value === "bigint") return value.toString();
  if (Array.isArray(value)) return value.map(json);
  if (typeof value !== "object" || value === null) return value as Json;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, json(item)]));
}

function readingVector(algorithm: DeviceAlgorithm) {
  const key = samples.sampleKey(algorithm);
  const reading = samples.sampleReading(algorithm);
  const networkId = samples.NETWORK_ID;
  const bytes = signReading({ reading, networkId, key });
  const { payload } = decodeReading(bytes);
  const salt = samples.seedOf("salt");
  return {
    reading,
    networkId,
    secretKey: key.secretKey,
    publicKey: devicePublicKey(key),
    payload,
    bytes,
    recordHash: recordHash(payload),
    salt,
    leaf: readingLeaf({ payload, salt }),
  };
}

function reportVector() {
  const report = samples.sampleReport();
  const reportBytes = encodeReport(report);
  const certificate = samples.sampleCertificate(reportBytes);
  return {
    report,
    reportBytes,
    statement: reportStatement(reportBytes),
    certificate,
    transaction: encodeReportTransaction({ reportBytes, certificate }),
  };
}

function receiptVector() {
  const receipt = samples.sampleReceipt();
  const bytes = encodeReceipt({ receipt, secretKey: samples.receiptSecretKey });
  const [body] = decode(bytes) as Uint8Array[];
  return { receipt, secretKey: samples.receiptSecretKey, body, bytes };
}

function headerVector() {
  const header = samples.sampleHeader();
  const secretKey = samples.sequencerSecretKey;
  const signature = signEd25519({ message: headerSignedBytes(header), secretKey });
  return { header, bytes: encodeHeader(header), hash: headerHash(header), secretKey, signature };
}

function transactionVector() {
  const transaction = samples.sampleTransaction();
  const secretKey = samples.memberSecretKey;
  const bytes = signMemberTransaction({ transaction, secretKey });
  const hash = memberTransactionHash(bytes);
  return { transaction, secretKey, sender: memberAddress(secretKey), bytes, hash };
}

function genesisVector() {
  const genesis = samples.sampleGenesis();
  return {
    genesis,
    hash: genesisHash(genesis),
    oracleConfigDigest: oracleConfigDigest(genesis),
    oracleQuorum: oracleQuorum(genesis),
  };
}

/** File name -> content. */
export function buildVectors(): Record<string, Json> {
  const bill = samples.sampleBill();
  return {
    "reading.json": json([readingVector("ed25519"), readingVector("p256")]),
    "receipt.json": json(receiptVector()),
    "report.json": json(reportVector()),
    "bill.json": json({ bill, table: tableOfBills([bill]).bytes, root: billRoot(bill) }),
    "header.json": json(headerVector()),
    "member-transaction.json": json(transactionVector()),
    "genesis.json": json(genesisVector()),
  };
}
