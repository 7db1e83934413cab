/**
 * What is fuzzed: every place where bytes or text from outside, or from a disk that others could
 * write to, become values. A target is one line: a name, valid inputs to start from, and what takes
 * them. It answers with a word, `accepted` or the code of its refusal; a GridError is a refusal by
 * its code. Anything else that is thrown is what the fuzzer looks for.
 */
import type { Snapshot } from "../../services/chain/abci.ts";
import { createApplication } from "../../services/chain/application.ts";
import {
  decodeCommittee,
  encodeCommittee,
  rootedCommittee,
} from "../../services/chain/committee-state.ts";
import {
  readSignedHeader,
  readValidators,
} from "../../services/chain/light-client/cometbft/rpc-json.ts";
import { decodeReceiptsPath } from "../../services/chain/proofs.ts";
import { createRules } from "../../services/chain/rules.ts";
import { sealPayload } from "../../services/chain/sealed-record.ts";
import { decodeMetadata, decodeStream } from "../../services/chain/snapshot.ts";
import { COMMITTEE_KEY, placeOfKey } from "../../services/chain/store-keys.ts";
import { loadRegion } from "../../services/chain/stored-state.ts";
import { verifyProofText } from "../../services/cli/verify-proof.ts";
import { sha256 } from "../../services/crypto/hash.ts";
import * as rows from "../../services/oracle/store-rows.ts";
import * as block from "../../services/ordering/embedded/block.ts";
import * as engine from "../../services/ordering/embedded/engine-records.ts";
import { bytesEqual, fromUtf8, toHex, utf8 } from "../../services/primitives/bytes.ts";
import { decode, encode } from "../../services/primitives/codec.ts";
import { GridError } from "../../services/primitives/errors.ts";
import type { Slot } from "../../services/primitives/units.ts";
import { BILL_KIND } from "../../services/wire/bill.ts";
import { decodeBills, tableOfBills } from "../../services/wire/bill-table.ts";
import { decodeCommitteeOrder, encodeCommitteeOrder } from "../../services/wire/committee-order.ts";
import { encodeCancelOrder, encodePlaceOrder } from "../../services/wire/forward-order.ts";
import { Genesis } from "../../services/wire/genesis.ts";
import { decodeHeader, encodeHeader } from "../../services/wire/header.ts";
import { decodePolicy, encodePolicy } from "../../services/wire/policy.ts";
import { AbsenceProofAnswer } from "../../services/wire/proof-answers.ts";
import { decodeReading, verifyReading } from "../../services/wire/reading.ts";
import { encodeReceipt, openReceipt } from "../../services/wire/receipt.ts";
import { READING_CODE, transactionCodeName } from "../../services/wire/refusals.ts";
import { decodeReport, decodeReportTransaction, encodeReport } from "../../services/wire/report.ts";
import { decodeRlp, encodeRlp } from "../../services/wire/rlp.ts";
import { decodeSlotRecord, encodeSlotRecord } from "../../services/wire/slot-record.ts";
import { decodeMemberTransaction, encodeSetLimits } from "../../services/wire/transaction.ts";
import { sampleCommitteeOrders } from "../services/wire/samples.ts";
import { createProofChain, exportedProofs } from "../support/proof-chain.ts";
import { certified, createWorld } from "./world.ts";

export type FuzzTarget = {
  readonly name: string;
  readonly seeds: readonly Uint8Array[]; // valid inputs
  readonly take: (bytes: Uint8Array) => string;
};

const world = createWorld();
const { fixture, application, stored, transactions } = world;
const { genesis } = fixture;
const chain = createProofChain("fuzz", 3);
const proofTexts = exportedProofs(chain).map(({ answer }) => JSON.stringify(answer));
const reports = [...transactions, world.nextReport].filter((bytes) => bytes[0] === 0x67);
const calls = transactions.filter((bytes) => bytes[0] === 0x02);
const ofFamily = (prefix: string) =>
  [...stored].flatMap(([key, value]) => (key.startsWith(prefix) ? [value] : []));

/** What a decoder returns is accepted; where there is an encoder, it must give the same bytes. */
function decoder<Value>(
  name: string,
  seeds: readonly Uint8Array[],
  read: (bytes: Uint8Array) => Value,
  write?: (value: Value) => Uint8Array,
): FuzzTarget {
  return {
    name,
    seeds,
    take: (bytes) => {
      const value = read(bytes);
      if (write === undefined || bytesEqual(write(value), bytes)) return "accepted";
      throw new Error("two encodings of one value");
    },
  };
}

/** Text is what the bytes read as; those that are no UTF-8 are no text. */
function reader(
  name: string,
  seeds: readonly string[],
  take: (text: string) => string,
): FuzzTarget {
  const asText = (bytes: Uint8Array) => {
    try {
      return fromUtf8(bytes);
    } catch {
      return null;
    }
  };
  return {
    name,
    seeds: seeds.map(utf8),
    take: (bytes) => {
      const text = asText(bytes);
      return text === null ? "no_text" : take(text);
    },
  };
}

/** One block of these transactions on the world's state, which stays as it is. */
function execute(blockTransactions: readonly Uint8Array[]): string {
  const height = world.height + 1;
  const proposal = { height, timeS: world.dueS, transactions: blockTransactions };
  if (!application.processProposal(proposal).accept) return "proposal_refused";
  const { results, slotRecords } = application.finalizeBlock(proposal);
  const [first] = results;
  if (slotRecords.length > 0) return "cleared a slot";
  return first === undefined ? "accepted" : transactionCodeName(first.code);
}

/** A member's call with a valid signature: what is fuzzed is behind it. */
function signedCall(data: Uint8Array): Uint8Array {
  const at = { regionIndex: 2, memberIndex: 0 };
  return fixture.callTransaction({ ...at, nonce: world.nonce(2, 0), data });
}

const slot = fixture.slotAtIndex(8);
const callData = [
  encodeSetLimits({ minSellUcPerWh: 9_000, maxBuyUcPerWh: 25_000 }),
  encodePlaceOrder({ slot, side: 1, limitUcPerWh: 11_000, energyWh: 300 }),
  encodeCancelOrder({ slot, orderId: 1 }),
];

/** The application's start on a store in which one record holds other bytes under a good seal. */
function startWith(family: string): FuzzTarget {
  const [key, sealed] = [...stored].find(([name]) => name.startsWith(family))!;
  const seeds = [sealed.subarray(32)];
  return {
    name: `start with a ${family.replace("/", "")} record`,
    seeds,
    take: (bytes) => {
      createApplication({ genesis, stored: new Map(stored).set(key, sealPayload(key, bytes)) });
      return "accepted";
    },
  };
}

function receiptsPath(): FuzzTarget {
  const [key, value] = [...stored].find(([name]) => name.startsWith("proof/"))!;
  const { regionIndex, slot: at } = placeOfKey(key)!;
  const place = { regionIndex, slot: at as Slot };
  return decoder("receipts path", [value.subarray(32)], (bytes) =>
    decodeReceiptsPath(place, sealPayload(key, bytes)),
  );
}

const dueReport = decodeReportTransaction(world.nextReport).reportBytes;
function withLate(reportBytes: Uint8Array): Uint8Array {
  const report = decodeReport(reportBytes);
  const entry = { importWh: 5, exportWh: 6, quality: 0, meterIndex: 1 };
  const late = [2, 1].map((before) => ({ ...entry, slot: (report.slot - before) as Slot }));
  return encodeReport({ ...report, late });
}
const headers = world.signedHeaders;
const [reading] = chain.slots[0]!.readings;
const devicePublicKey = Uint8Array.from(
  Buffer.from(genesis.regions[0]!.meters[0]!.publicKey, "hex"),
);
const receiptSecret = fixture.oracleSecrets[0]!.receipt;
const receiptPublicKey = Uint8Array.from(
  Buffer.from(genesis.oracle.members[0]!.receiptPublicKey, "hex"),
);
const receipt = encodeReceipt({
  receipt: {
    deviceId: new Uint8Array(16),
    ...{ boot: 1, seq: 2, recordHash: new Uint8Array(32), leafHash: new Uint8Array(32) },
    ...{ memberId: "oracle-0", code: READING_CODE.accepted, timeS: world.dueS },
  },
  secretKey: receiptSecret,
});
const emission = { firstSlot: slot, slots: 1, importWh: 1, exportWh: 2, quality: 0 };
const state = {
  ...{ boot: 1, seq: 2, recordHash: new Uint8Array(8), importWh: 3, exportWh: 4 },
  intervalEndS: world.dueS,
};

/** Whether a text that was judged valid says what a true one says. */
const claims = new Map<string, string>();
function judgeProof(text: string): string {
  const verdict = verifyProofText(text, { source: "genesis", genesis: chain.fixture.genesis });
  if (!verdict.valid) return `fails at ${verdict.failed}`;
  if (claims.get(verdict.claim) === verdict.appHash) return "accepted";
  // A proof of absence without one of its gaps proves less, and says so.
  if (verdict.kind === "absence" && isAbsent(text)) return "accepted, weaker";
  throw new Error(`a forged proof holds: ${verdict.claim}`);
}

function isAbsent(text: string): boolean {
  const answer = AbsenceProofAnswer.parse(JSON.parse(text));
  const of = (at: { readonly regionIndex: number; readonly slot: number }) =>
    at.regionIndex === answer.regionIndex && at.slot === answer.slot;
  const { bills } = chain.slots.find(({ record }) => of(record))!.record;
  return answer.gaps.every(({ billKind, meterIndex }) => {
    const kind = BILL_KIND[billKind];
    return ![...bills].some((bill) => bill.kind === kind && bill.meterIndex === meterIndex);
  });
}
for (const text of proofTexts) {
  const trust = { source: "genesis", genesis: chain.fixture.genesis } as const;
  const { claim, appHash } = verifyProofText(text, trust);
  claims.set(claim, appHash);
}

function judgeGenesis(text: string): string {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return "no_json";
  }
  const parsed = Genesis.safeParse(json);
  if (!parsed.success) return "schema";
  createRules(parsed.data);
  return "accepted";
}

const lightBlock = {
  header: {
    version: { block: "11", app: "0" },
    ...{ chain_id: "test", height: "3", time: "1970-01-01T00:00:03Z" },
    last_block_id: { hash: "AB".repeat(32), parts: { total: 1, hash: "CD".repeat(32) } },
    ...{ last_commit_hash: "", data_hash: "", validators_hash: "AB".repeat(32) },
    ...{ next_validators_hash: "AB".repeat(32), consensus_hash: "AB".repeat(32), app_hash: "" },
    ...{ last_results_hash: "", evidence_hash: "", proposer_address: "AB".repeat(20) },
  },
  commit: {
    ...{ height: "3", round: 1 },
    block_id: { hash: "AB".repeat(32), parts: { total: 1, hash: "CD".repeat(32) } },
    signatures: [
      {
        ...{ block_id_flag: 2, validator_address: "AB".repeat(20) },
        ...{ timestamp: "1970-01-01T00:00:03Z", signature: Buffer.alloc(64).toString("base64") },
      },
    ],
  },
};
const validators = {
  validators: [
    {
      address: "AB".repeat(20),
      pub_key: { type: "tendermint/PubKeyEd25519", value: Buffer.alloc(32).toString("base64") },
      ...{ voting_power: "50", proposer_priority: "0" },
    },
  ],
};
const json = (read: (value: unknown) => unknown) => (text: string) => {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return "no_json";
  }
  read(value);
  return "accepted";
};

const STATE_FAMILIES = ["head/", "lane/", "forward/", "messages/", "admission/", "pending/"];
const rules = createRules(genesis);
const committeeRecord = encodeCommittee(
  rootedCommittee({ executedOrders: 2, upgrades: [{ version: 2, height: 900 }] }),
);

/** The committed state of the world's application, in chunks. */
const taken = takeSnapshot();

function takeSnapshot(): { readonly snapshot: Snapshot; readonly chunks: readonly Uint8Array[] } {
  const steps = application.snapshot();
  const chunks: Uint8Array[] = [];
  for (;;) {
    const step = steps.next();
    if (step.done) return { snapshot: step.value, chunks };
    chunks.push(...step.value);
  }
}

/** The first region's part of the first chunk. */
const streamBytes = decodeMetadata(taken.snapshot.metadata, genesis.regions.length).streamBytes[0]!;

function isWellFormed(transaction: Uint8Array): boolean {
  return transactionCodeName(application.checkTx(transaction).code) !== "malformed";
}

function offerMetadata(metadata: Uint8Array): string {
  const { appHash } = application.view().head();
  const snapshot = { ...taken.snapshot, metadata, hash: sha256(metadata) };
  return joiner().offerSnapshot({ snapshot, appHash }).result;
}

function applyChunk(chunk: Uint8Array): string {
  const app = joiner();
  const { appHash } = application.view().head();
  app.offerSnapshot({ snapshot: taken.snapshot, appHash });
  return app.applySnapshotChunk({ index: 0, chunk, sender: "somebody" }).result;
}

/** A node that has nothing yet. */
function joiner() {
  return createApplication({ genesis, stored: new Map() });
}

export const TARGETS: readonly FuzzTarget[] = [
  // Transactions and blocks.
  {
    name: "checkTx",
    seeds: [...transactions, world.nextReport].filter(isWellFormed),
    take: (bytes) => transactionCodeName(application.checkTx(bytes).code),
  },
  { name: "finalizeBlock", seeds: [...reports, ...calls], take: (bytes) => execute([bytes]) },
  {
    name: "certified report in a block",
    seeds: [dueReport, withLate(dueReport)],
    take: (bytes) => execute([certified(fixture, bytes)]),
  },
  {
    name: "signed call in a block",
    seeds: callData,
    take: (bytes) => execute([signedCall(bytes)]),
  },
  {
    name: "block body, executed",
    seeds: headers.map(({ transactions: list }) => block.encodeBody(list)),
    take: (bytes) => execute(block.decodeBody(bytes)),
  },
  decoder(
    "signed header",
    headers.map(block.encodeSignedHeader),
    block.decodeSignedHeader,
    block.encodeSignedHeader,
  ),
  decoder(
    "header",
    headers.map(({ header }) => encodeHeader(header)),
    decodeHeader,
    encodeHeader,
  ),
  decoder("report", [dueReport, withLate(dueReport)], decodeReport, encodeReport),
  decoder("report transaction", reports, decodeReportTransaction),
  decoder("member transaction", calls, decodeMemberTransaction),
  decoder("RLP", [...calls.map((bytes) => bytes.subarray(1)), encodeRlp([[], [[]]])], decodeRlp),
  decoder("CBOR", [...reports.map((bytes) => bytes.subarray(1)), encode([1, "a"])], decode),
  // Readings and receipts.
  decoder("reading", [reading!.record], (bytes) => {
    const record = decodeReading(bytes);
    verifyReading({ record, networkId: genesis.networkId, publicKey: devicePublicKey });
  }),
  decoder("receipt", [receipt], (bytes) => openReceipt({ bytes, publicKey: receiptPublicKey })),
  // Records of the chain's store and the engine's.
  decoder("slot record", ofFamily("slot/"), decodeSlotRecord, encodeSlotRecord),
  decoder(
    "table of bills",
    chain.slots.map(({ record }) => record.bills.bytes),
    decodeBills,
    (table) => tableOfBills([...table]).bytes,
  ),
  decoder(
    "policy",
    [encodePolicy(application.view().laneProof(0).policy)],
    decodePolicy,
    encodePolicy,
  ),
  ...STATE_FAMILIES.filter((family) =>
    [...stored.keys()].some((key) => key.startsWith(family)),
  ).map(startWith),
  // Snapshots: the metadata as it is offered, a chunk as it comes, and what stands in a chunk.
  { name: "snapshot metadata", seeds: [taken.snapshot.metadata], take: offerMetadata },
  { name: "snapshot chunk", seeds: taken.chunks, take: applyChunk },
  {
    name: "records of a region in a chunk",
    seeds: [taken.chunks[0]!.subarray(0, streamBytes)],
    take: (bytes) => {
      const records = new Map(decodeStream(bytes).map(({ key, value }) => [key, value]));
      loadRegion(rules, records, 0);
      return "accepted";
    },
  },
  decoder(
    "committee order",
    sampleCommitteeOrders().map(encodeCommitteeOrder),
    decodeCommitteeOrder,
    encodeCommitteeOrder,
  ),
  decoder("state of the committee's orders", [committeeRecord.subarray(32)], (bytes) =>
    decodeCommittee(sealPayload(COMMITTEE_KEY, bytes)),
  ),
  receiptsPath(),
  decoder(
    "engine state",
    [engine.encodeState({ height: 3, timeS: world.dueS, appHash: new Uint8Array(32) })],
    engine.decodeState,
    engine.encodeState,
  ),
  decoder(
    "response",
    [engine.encodeResponse({ appHash: new Uint8Array(32), results: [{ code: 0, info: "" }] })],
    engine.decodeResponse,
    engine.encodeResponse,
  ),
  decoder(
    "store's format",
    [engine.encodeMeta({ format: 1, genesisHash: new Uint8Array(32) })],
    engine.decodeMeta,
    engine.encodeMeta,
  ),
  // Rows of the oracle's store.
  decoder(
    "device row",
    [rows.encodeDeviceRow({ state: state as never, lastReceivedS: world.dueS, quality: 0 })],
    rows.decodeDeviceRow,
    rows.encodeDeviceRow,
  ),
  decoder(
    "reading row",
    [rows.encodeReadingRow({ record: reading!.record, salt: reading!.salt, emission })],
    rows.decodeReadingRow,
    rows.encodeReadingRow,
  ),
  decoder(
    "late row",
    [rows.encodeLateRow({ importWh: 1, exportWh: 2, quality: 0, leaf: new Uint8Array(32) })],
    rows.decodeLateRow,
    rows.encodeLateRow,
  ),
  decoder(
    "leaves row",
    [rows.encodeLeavesRow({ leaves: new Uint8Array(64) })],
    rows.decodeLeavesRow,
    rows.encodeLeavesRow,
  ),
  // Files and JSON of others.
  reader("proof file", proofTexts, judgeProof),
  reader("genesis", [JSON.stringify(genesis)], judgeGenesis),
  reader("CometBFT commit", [JSON.stringify(lightBlock)], json(readSignedHeader)),
  reader("CometBFT validators", [JSON.stringify(validators)], json(readValidators)),
];

/** A target's answer to an input: a word, where all is well. */
export function answerOf({ take }: FuzzTarget, bytes: Uint8Array): string {
  try {
    return take(bytes);
  } catch (failure) {
    if (failure instanceof GridError) return failure.code;
    throw failure;
  }
}

/** An input as a person can paste it. */
export function shown(bytes: Uint8Array): string {
  return bytes.length <= 400
    ? toHex(bytes)
    : `${toHex(bytes.subarray(0, 400))}... (${bytes.length} B)`;
}
