/**
 * Method: @chainsafe/ssz as outside truth. Random lanes, bills, nonces and histories of sizes at
 * and around whole chunks must give its hash_tree_root for the schemas documented in the sources.
 */
import {
  ByteVectorType,
  ContainerType,
  ListBasicType,
  ListCompositeType,
  UintBigintType,
  UintNumberType,
  VectorBasicType,
} from "@chainsafe/ssz";
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  admissionRoot,
  copyNonceColumn,
  genesisNonces,
  rootedNonces,
} from "../../../services/chain/admission.ts";
import {
  decodeCommittee,
  encodeCommittee,
  rootedCommittee,
} from "../../../services/chain/committee-state.ts";
import {
  decodeForward,
  encodeForward,
  type ForwardParts,
  rootedForward,
} from "../../../services/chain/forward-state.ts";
import type { Lane, PendingReport } from "../../../services/chain/lane.ts";
import { copyLaneColumns, createLaneColumns } from "../../../services/chain/lane-columns.ts";
import { laneStateRoot } from "../../../services/chain/lane-root.ts";
import {
  HISTORY_DEPTH,
  LANES_PROOF_NODES,
  lanesPathIndex,
  leafIndexOf,
  OUTBOX_DEPTH,
  PATH_LIMITS,
  placeOfLeaf,
  READINGS_PROOF_NODES,
  RECEIPTS_PROOF_NODES,
  readingsPathIndex,
  receiptsPathIndex,
  SLOT_FIELD,
} from "../../../services/chain/light-client/paths.ts";
import { placeRoot } from "../../../services/chain/light-client/verify-absence.ts";
import {
  decodeMessages,
  EMPTY_MESSAGES,
  encodeMessages,
  grownOutbox,
  type MessageParts,
  messageState,
} from "../../../services/chain/message-state.ts";
import {
  decodeMessage,
  encodeMessage,
  type Message,
  rootedMessage,
} from "../../../services/chain/messages.ts";
import {
  billPlaceProof,
  billRoots,
  receiptsProofOf,
  receiptsRootOf,
} from "../../../services/chain/receipts.ts";
import {
  EMPTY_HISTORY_ROOT,
  growHistory,
  historyTree,
  lengthChunk,
} from "../../../services/chain/receipts-history.ts";
import { appTree } from "../../../services/chain/roots.ts";
import { slotFieldProof, slotRoot } from "../../../services/chain/slot-root.ts";
import { sha256 } from "../../../services/crypto/hash.ts";
import {
  merkleDepth,
  merkleProof,
  mixInLength,
  verifyMerkleProof,
} from "../../../services/crypto/merkle.ts";
import { readingsRoot } from "../../../services/oracle/readings-tree.ts";
import { concatBytes, utf8 } from "../../../services/primitives/bytes.ts";
import { createPrng, type Prng } from "../../../services/primitives/prng.ts";
import type { MicroCents, Slot } from "../../../services/primitives/units.ts";
import { BILL_FIELDS, type Bill, billRoot } from "../../../services/wire/bill.ts";
import { tableOfBills } from "../../../services/wire/bill-table.ts";
import {
  encodePolicy,
  MECHANISM_CODE,
  type Policy,
  policyRoot,
  readPolicy,
} from "../../../services/wire/policy.ts";

const uint64 = new UintBigintType(8);
const uint32 = new UintNumberType(4);
const root = new ByteVectorType(32);
const members64 = new ListBasicType(uint64, 65_536);
const members32 = new ListBasicType(uint32, 65_536);
const uint8 = new UintNumberType(1);
const flows64 = new ListBasicType(uint64, 2 ** 25);
const ForwardStateType = new ContainerType({
  nextOrderId: uint64,
  orderId: members64,
  orderSlot: members64,
  orderMember: members32,
  orderSide: new ListBasicType(uint8, 65_536),
  orderLimitUcPerWh: members32,
  orderEnergyWh: members64,
  positionSlot: members64,
  positionMember: members32,
  positionBoughtWh: members64,
  positionSoldWh: members64,
  auctionSlot: new ListBasicType(uint64, 4096),
  auctionPriceUcPerWh: new ListBasicType(uint32, 4096),
  flowSlot: flows64,
  flowLine: new ListBasicType(uint32, 2 ** 25),
  flowWh: flows64,
  flowRentUc: flows64,
});
const regions64 = new ListBasicType(uint64, 1024);
const regions32 = new ListBasicType(uint32, 1024);
const MessageType = new ContainerType({
  source: uint32,
  destination: uint32,
  seq: uint64,
  kind: uint8,
  payload: new ListBasicType(uint8, 256),
});
const MessageStateType = new ContainerType({
  inbox: new ListCompositeType(MessageType, 65_536),
  sentTo: regions32,
  sentNextSeq: regions64,
  takenFrom: regions32,
  takenNextSeq: regions64,
});
const Outbox = new ListCompositeType(MessageType, 2 ** OUTBOX_DEPTH);
const PolicyType = new ContainerType({
  fromSlot: uint64,
  mechanism: uint8,
  retailUcPerWh: uint32,
  feedInUcPerWh: uint32,
  lawHash: root,
});
const LaneState = new ContainerType({
  reportedSlots: uint64,
  clearedSlots: uint64,
  pendingReports: new ListCompositeType(root, 512),
  memberUc: members64,
  institutionUc: new VectorBasicType(uint64, 4),
  minSellUcPerWh: members32,
  maxBuyUcPerWh: members32,
  pendingFromSlot: members64,
  pendingMinSellUcPerWh: members32,
  pendingMaxBuyUcPerWh: members32,
  settledImportWh: members64,
  settledExportWh: members64,
  forward: ForwardStateType,
  messages: MessageStateType,
  quarantine: new ContainerType({ standing: uint64, sinceSlot: uint64, step: uint64 }),
  policy: PolicyType,
});
const CommitteeStateType = new ContainerType({
  executedOrders: uint64,
  upgradeVersion: new ListBasicType(uint64, 1024),
  upgradeHeight: new ListBasicType(uint64, 1024),
});
const BillType = new ContainerType(Object.fromEntries(BILL_FIELDS.map((field) => [field, uint64])));
const Bills = new ListCompositeType(BillType, 131_072);
const SlotRootType = new ContainerType({
  receipts: Bills,
  readings: new ListCompositeType(root, 65_536),
  report: root,
  policy: PolicyType,
});
const History = new ListCompositeType(root, 2 ** HISTORY_DEPTH);
const LaneType = new ContainerType({ state: root, receipts: root, outbox: root });
const Lanes = new ListCompositeType(LaneType, 1024);
const App = new ContainerType({ lanes: Lanes, admission: root, committee: root });

const big = (prng: Prng) => BigInt.asIntN(64, BigInt(prng.uint32()) * BigInt(prng.uint32()));
const node = (prng: Prng) => sha256(Uint8Array.of(prng.below(256), prng.below(256)));
const unsigned64 = (column: Iterable<bigint>) => [...column].map((n) => BigInt.asUintN(64, n));
const unsigned32 = (column: Iterable<number>) => [...column].map((n) => n >>> 0);

function randomLane(prng: Prng, members: number, meters: number, pending: number): Lane {
  const columns = createLaneColumns({ memberCount: members, meterCount: meters });
  for (const column of [
    columns.counters,
    columns.memberUc,
    columns.institutionUc,
    columns.pendingFromSlot,
    columns.settledImportWh,
    columns.settledExportWh,
  ]) {
    for (let i = 0; i < column.length; i++) column[i] = big(prng);
  }
  for (const column of [
    columns.minSellUcPerWh,
    columns.maxBuyUcPerWh,
    columns.pendingMinSellUcPerWh,
    columns.pendingMaxBuyUcPerWh,
  ]) {
    for (let i = 0; i < column.length; i++) column[i] = prng.uint32() | 0;
  }
  const reports = Array.from({ length: pending }, () => ({ hash: node(prng) }));
  const forward = rootedForward(randomForward(prng, members));
  columns.policy.set(encodePolicy(randomPolicy(prng)));
  const messages = messageState(randomMessages(prng, pending));
  return { columns, pending: reports as unknown as PendingReport[], forward, messages };
}

/** A message of any kind and length of payload, to `destination`. */
function randomMessage(prng: Prng, destination: number): Message {
  const bytes = prng.below(4) === 0 ? [0, 32, 255, 256][prng.below(4)]! : prng.below(257);
  return rootedMessage({
    source: (destination + 1 + prng.below(1023)) % 1024,
    destination,
    seq: 1 + prng.uint32() * 1000,
    kind: prng.below(256),
    payload: Uint8Array.from({ length: bytes }, () => prng.below(256)),
  });
}

function randomMessages(prng: Prng, rows: number): MessageParts {
  const pairs = () =>
    Array.from({ length: prng.below(rows + 3) }, () => {
      return { region: prng.below(1024), nextSeq: 1 + prng.uint32() * 1000 };
    });
  const sent = Array.from({ length: prng.below(9) }, () => randomMessage(prng, prng.below(1024)));
  return {
    inbox: Array.from({ length: prng.below(rows + 3) }, () => randomMessage(prng, 5)),
    sent: pairs(),
    taken: pairs(),
    outbox: grownOutbox(EMPTY_MESSAGES.outbox, sent).outbox,
  };
}

function messageValue({ source, destination, seq, kind, payload }: Message) {
  return { source, destination, seq: BigInt(seq), kind, payload: [...payload] };
}

function messagesValue({ inbox, sent, taken }: MessageParts) {
  return {
    inbox: inbox.map(messageValue),
    sentTo: sent.map(({ region }) => region),
    sentNextSeq: sent.map(({ nextSeq }) => BigInt(nextSeq)),
    takenFrom: taken.map(({ region }) => region),
    takenNextSeq: taken.map(({ nextSeq }) => BigInt(nextSeq)),
  };
}

function randomPolicy(prng: Prng): Policy {
  const price = () => prng.below(2) * 10_000_000 - prng.below(10_000_000);
  return {
    fromSlot: (prng.uint32() * 2 ** 20) as Slot,
    mechanism: prng.below(2) === 0 ? "mid-market-rate" : "uniform-price",
    retailUcPerWh: price(),
    feedInUcPerWh: price(),
    lawHash: node(prng),
  };
}

function policyValue(policy: Policy) {
  return {
    fromSlot: BigInt(policy.fromSlot),
    mechanism: MECHANISM_CODE[policy.mechanism],
    retailUcPerWh: policy.retailUcPerWh >>> 0,
    feedInUcPerWh: policy.feedInUcPerWh >>> 0,
    lawHash: policy.lawHash,
  };
}

/** Rows of every list, of lengths that fill no chunk and some that do. */
function randomForward(prng: Prng, rows: number): ForwardParts {
  const some = () => Array.from({ length: prng.below(rows + 3) });
  const slot = () => prng.uint32() as Slot;
  const price = () => prng.below(2) * 10_000_000 - prng.below(10_000_000);
  const energy = () => prng.below(320_000_000);
  return {
    nextOrderId: prng.uint32() * 4096,
    orders: some().map(() => ({
      id: prng.uint32() * 1000,
      slot: slot(),
      memberIndex: prng.below(65_536),
      side: prng.below(2) === 0 ? 0 : 1,
      limitUcPerWh: price(),
      energyWh: energy(),
    })),
    positions: some().map(() => {
      const memberIndex = prng.below(65_536);
      return { slot: slot(), memberIndex, boughtWh: energy(), soldWh: energy() };
    }),
    auctions: some().map(() => ({ slot: slot(), priceUcPerWh: price() })),
    flows: some().map(() => ({
      slot: slot(),
      lineIndex: prng.below(8192),
      energyWh: energy(),
      rentUc: (big(prng) & 0x7fff_ffff_ffffn) as MicroCents,
    })),
  };
}

function forwardValue({ nextOrderId, orders, positions, auctions, flows }: ForwardParts) {
  return {
    nextOrderId: BigInt(nextOrderId),
    orderId: orders.map(({ id }) => BigInt(id)),
    orderSlot: orders.map(({ slot }) => BigInt(slot)),
    orderMember: orders.map(({ memberIndex }) => memberIndex),
    orderSide: orders.map(({ side }) => side as number),
    orderLimitUcPerWh: unsigned32(orders.map(({ limitUcPerWh }) => limitUcPerWh)),
    orderEnergyWh: orders.map(({ energyWh }) => BigInt(energyWh)),
    positionSlot: positions.map(({ slot }) => BigInt(slot)),
    positionMember: positions.map(({ memberIndex }) => memberIndex),
    positionBoughtWh: positions.map(({ boughtWh }) => BigInt(boughtWh)),
    positionSoldWh: positions.map(({ soldWh }) => BigInt(soldWh)),
    auctionSlot: auctions.map(({ slot }) => BigInt(slot)),
    auctionPriceUcPerWh: unsigned32(auctions.map(({ priceUcPerWh }) => priceUcPerWh)),
    flowSlot: flows.map(({ slot }) => BigInt(slot)),
    flowLine: flows.map(({ lineIndex }) => lineIndex),
    flowWh: flows.map(({ energyWh }) => BigInt(energyWh)),
    flowRentUc: flows.map(({ rentUc }) => BigInt(rentUc)),
  };
}

test("the forward market's root is SSZ's, and a record gives it back", () => {
  fc.assert(
    fc.property(fc.nat(1_000_000), fc.nat(40), (seed, rows) => {
      const parts = randomForward(createPrng(`forward/${seed}`), rows);
      const state = rootedForward(parts);
      const expected = ForwardStateType.hashTreeRoot(forwardValue(parts));
      expect(state.root).toEqual(new Uint8Array(expected));
      expect(decodeForward(3, encodeForward(3, state))).toEqual(state);
    }),
    { numRuns: 60 },
  );
});

test("a message's root is SSZ's, and its wire form gives it back", () => {
  fc.assert(
    fc.property(fc.nat(1_000_000), fc.nat(1023), (seed, destination) => {
      const message = randomMessage(createPrng(`message/${seed}`), destination);
      expect(message.root).toEqual(new Uint8Array(MessageType.hashTreeRoot(messageValue(message))));
      expect(decodeMessage(encodeMessage(message))).toEqual(message);
    }),
  );
});

test("the root of a lane's messages is SSZ's, and a record gives them back", () => {
  fc.assert(
    fc.property(fc.nat(1_000_000), fc.nat(40), (seed, rows) => {
      const parts = randomMessages(createPrng(`messages/${seed}`), rows);
      const state = messageState(parts);
      const expected = MessageStateType.hashTreeRoot(messagesValue(parts));
      expect(state.root).toEqual(new Uint8Array(expected));
      expect(decodeMessages(5, encodeMessages(5, state))).toEqual(state);
    }),
    { numRuns: 60 },
  );
});

test("the outbox is SSZ's list of all messages ever sent, whatever the steps it grew by", () => {
  expect(EMPTY_MESSAGES.outboxRoot).toEqual(new Uint8Array(Outbox.hashTreeRoot([])));
  fc.assert(
    fc.property(fc.array(fc.nat(9), { maxLength: 12 }), fc.nat(), (steps, seed) => {
      const prng = createPrng(seed);
      const all: Message[] = [];
      let { outbox } = EMPTY_MESSAGES;
      for (const step of steps) {
        const sent = Array.from({ length: step }, () => randomMessage(prng, prng.below(1024)));
        all.push(...sent);
        const grown = grownOutbox(outbox, sent);
        expect(grown.root).toEqual(new Uint8Array(Outbox.hashTreeRoot(all.map(messageValue))));
        outbox = grown.outbox;
      }
      const at = grownOutbox(EMPTY_MESSAGES.outbox, all).outbox;
      expect(outbox).toEqual(at); // byte for byte, so that records are the same
    }),
    { numRuns: 40 },
  );
});

test.each([
  [1, 1, 0],
  [3, 4, 1],
  [4, 5, 2],
  [7, 8, 3],
  [8, 9, 0],
  [9, 31, 5],
  [33, 32, 8],
  [1000, 1025, 9],
])("the state root of %i members, %i meters, %i pending reports is SSZ's", (m, n, p) => {
  const prng = createPrng(`lane/${m}/${n}`);
  const lane = randomLane(prng, m, n, p);
  const { columns } = lane;
  const expected = LaneState.hashTreeRoot({
    reportedSlots: columns.counters[0]!,
    clearedSlots: columns.counters[1]!,
    pendingReports: lane.pending.map(({ hash }) => hash),
    memberUc: unsigned64(columns.memberUc),
    institutionUc: unsigned64(columns.institutionUc),
    minSellUcPerWh: unsigned32(columns.minSellUcPerWh),
    maxBuyUcPerWh: unsigned32(columns.maxBuyUcPerWh),
    pendingFromSlot: unsigned64(columns.pendingFromSlot),
    pendingMinSellUcPerWh: unsigned32(columns.pendingMinSellUcPerWh),
    pendingMaxBuyUcPerWh: unsigned32(columns.pendingMaxBuyUcPerWh),
    settledImportWh: unsigned64(columns.settledImportWh),
    settledExportWh: unsigned64(columns.settledExportWh),
    forward: forwardValue(lane.forward),
    messages: messagesValue(lane.messages),
    quarantine: {
      standing: columns.counters[2]!,
      sinceSlot: columns.counters[3]!,
      step: columns.counters[4]!,
    },
    policy: policyValue(readPolicy(columns.policy)!),
  });
  expect(laneStateRoot(lane)).toEqual(new Uint8Array(expected));
});

test("a copy of a lane has its root, and writing the copy leaves the lane alone", () => {
  const lane = randomLane(createPrng(7), 5, 6, 1);
  const before = laneStateRoot(lane);
  const copy = { ...lane, columns: copyLaneColumns(lane.columns) };
  expect(laneStateRoot(copy)).toEqual(before);
  copy.columns.memberUc[4]! += 1n;
  copy.columns.settledExportWh[5]! += 1n;
  expect(laneStateRoot(copy)).not.toEqual(before);
  expect(laneStateRoot(lane)).toEqual(before);
});

function randomBill(prng: Prng): Bill {
  const entries = BILL_FIELDS.map((field) => {
    if (field === "amountUc") return [field, big(prng)];
    const small = prng.below(2) === 0 ? prng.below(5) : prng.uint32() * 1000;
    return [field, field.includes("Price") && prng.below(2) === 0 ? -small : small];
  });
  return Object.fromEntries(entries) as Bill;
}

function billValue(bill: Bill): Record<string, bigint> {
  return Object.fromEntries(
    BILL_FIELDS.map((field) => [field, BigInt.asUintN(64, BigInt(bill[field]))]),
  );
}

const BILL_COUNTS = [0, 1, 2, 3, 4, 5, 15, 16, 17, 511, 512, 513, 1023, 1024, 1025];
test.each(BILL_COUNTS)("receipts of %i bills", (count) => {
  const prng = createPrng(count);
  const bills = Array.from({ length: count }, () => randomBill(prng));
  const table = tableOfBills(bills);
  const receiptsRoot = receiptsRootOf(table);
  expect(receiptsRoot).toEqual(new Uint8Array(Bills.hashTreeRoot(bills.map(billValue))));
  expect(billRoots(table)).toEqual(concatBytes(bills.map(billRoot)));
  for (const index of [0, Math.floor(count / 2), count - 1].filter((i) => i >= 0 && i < count)) {
    const proof = receiptsProofOf(table, index);
    const leaf = billRoot(bills[index]!);
    expect(verifyMerkleProof({ leaf, index, proof, root: receiptsRoot })).toBe(true);
  }
});

test.each([0, 1, 5, 17])(
  "the root of a slot with %i bills is SSZ's, and its fields' paths hold",
  (n) => {
    const prng = createPrng(`slot/${n}`);
    const bills = Array.from({ length: n }, () => randomBill(prng));
    const readings = Array.from({ length: n }, () => node(prng));
    const slot = {
      receiptsRoot: receiptsRootOf(tableOfBills(bills)),
      readingsRoot: readingsRoot(concatBytes(readings)),
      reportHash: node(prng),
      policy: randomPolicy(prng),
    };
    const expected = SlotRootType.hashTreeRoot({
      receipts: bills.map(billValue),
      readings,
      report: slot.reportHash,
      policy: policyValue(slot.policy),
    });
    const root = slotRoot(slot);
    expect(root).toEqual(new Uint8Array(expected));
    bills.forEach((bill, index) => {
      const proof = [
        ...receiptsProofOf(tableOfBills(bills), index),
        ...slotFieldProof(slot, "receipts"),
      ];
      expect(proof).toHaveLength(RECEIPTS_PROOF_NODES);
      const path = { leaf: billRoot(bill), index: receiptsPathIndex(index), proof, root };
      expect(verifyMerkleProof(path)).toBe(true);
      const placed = { leaf: placeRoot(bill), index: 0, proof: billPlaceProof(bill) };
      expect(verifyMerkleProof({ ...placed, root: billRoot(bill) })).toBe(true);
    });
    readings.forEach((leaf, meterIndex) => {
      const siblings = merkleProof({
        chunks: concatBytes(readings),
        index: meterIndex,
        limit: 65_536,
      });
      const proof = [...siblings, lengthChunk(n), ...slotFieldProof(slot, "readings")];
      expect(proof).toHaveLength(READINGS_PROOF_NODES);
      const index = readingsPathIndex(meterIndex);
      expect(verifyMerkleProof({ leaf, index, proof, root })).toBe(true);
    });
    const leaf = policyRoot(encodePolicy(slot.policy));
    const law = { leaf, index: SLOT_FIELD.policy, proof: slotFieldProof(slot, "policy") };
    expect(verifyMerkleProof({ ...law, root })).toBe(true);
  },
);

test("a policy's chunks are read back, and nothing else is", () => {
  const chunks = encodePolicy(randomPolicy(createPrng("policy")));
  expect(encodePolicy(readPolicy(chunks)!)).toEqual(chunks);
  expect(readPolicy(chunks.subarray(1))).toBeNull();
  const flipped = Array.from(chunks, (_, i) => {
    const other = chunks.slice();
    other[i]! ^= 0x80;
    return readPolicy(other);
  });
  // Beyond the law's hash and the low bytes of the numbers, every byte must be zero.
  const read = flipped.flatMap((policy, i) => (policy === null ? [] : [i]));
  expect(read.filter((i) => i < 128 && i % 32 > 7)).toEqual([]);
  expect(read.filter((i) => i >= 128)).toHaveLength(32);
});

test("columns that are the same on every bill, hashed once, change no root", () => {
  fc.assert(
    fc.property(fc.nat(), fc.integer({ min: 1, max: 40 }), (seed, count) => {
      const prng = createPrng(seed);
      const pattern = randomBill(prng);
      const varying = new Set(BILL_FIELDS.filter(() => prng.below(3) === 0));
      const bills = Array.from({ length: count }, () => {
        const other = randomBill(prng);
        const fields = BILL_FIELDS.map((f) => [f, varying.has(f) ? other[f] : pattern[f]]);
        return Object.fromEntries(fields) as Bill;
      });
      expect(billRoots(tableOfBills(bills))).toEqual(concatBytes(bills.map(billRoot)));
    }),
  );
});

test("the history is SSZ's list whatever the steps it grew by, and each leaf's path holds", () => {
  expect(EMPTY_HISTORY_ROOT).toEqual(new Uint8Array(History.hashTreeRoot([])));
  fc.assert(
    fc.property(fc.array(fc.nat(9), { maxLength: 12 }), fc.nat(), (steps, seed) => {
      const prng = createPrng(seed);
      const frontier = new Uint8Array(32 * HISTORY_DEPTH);
      const all: Uint8Array[] = [];
      for (const step of steps) {
        const leaves = Array.from({ length: step }, () => node(prng));
        const { root: grown, paths } = growHistory({ frontier, length: all.length, leaves });
        leaves.forEach((leaf, i) => {
          const index = all.length + i;
          expect(verifyMerkleProof({ leaf, index, proof: paths[i]!, root: grown })).toBe(true);
        });
        all.push(...leaves);
        expect(grown).toEqual(new Uint8Array(History.hashTreeRoot(all)));
      }
      const still = growHistory({ frontier, length: all.length, leaves: [] });
      const tree = historyTree(frontier, all.length);
      expect(mixInLength(tree, all.length)).toEqual(still.root);
      expect(still.root).toEqual(new Uint8Array(History.hashTreeRoot(all)));
    }),
    { numRuns: 60 },
  );
});

test.each([1, 2, 3, 8, 9])(
  "the app hash over %i lanes is SSZ's, and each lane's path holds",
  (n) => {
    const prng = createPrng(n);
    const lanes = Array.from({ length: n }, () => {
      return { state: node(prng), receipts: node(prng), outbox: node(prng) };
    });
    const beside = { admission: node(prng), committee: node(prng) };
    const tree = appTree(lanes, beside);
    expect(tree.appHash).toEqual(new Uint8Array(App.hashTreeRoot({ lanes, ...beside })));
    lanes.forEach((lane, regionIndex) => {
      const frontier = new Uint8Array(32 * HISTORY_DEPTH);
      const leaf = sha256(utf8(`receipts ${regionIndex}`));
      const grown = growHistory({ frontier, length: 0, leaves: [leaf] });
      const rooted = lanes.map((other, r) =>
        r === regionIndex ? { ...lane, receipts: grown.root } : other,
      );
      const { appHash, proof } = appTree(rooted, beside);
      const path = [...grown.paths[0]!, ...proof(regionIndex, "receipts")];
      expect(path).toHaveLength(LANES_PROOF_NODES);
      const index = lanesPathIndex({ regionIndex, slotIndex: 0 });
      expect(verifyMerkleProof({ leaf, index, proof: path, root: appHash })).toBe(true);
    });
  },
);

test.each([0, 1, 4, 5, 1024])(
  "the root of %i upgrades is SSZ's, and its record reads back",
  (n) => {
    const prng = createPrng(`upgrades ${n}`);
    const upgrades = Array.from({ length: n }, (_, i) => ({
      version: i + 2,
      height: prng.uint32(),
    }));
    const state = rootedCommittee({ executedOrders: prng.uint32(), upgrades });
    const expected = CommitteeStateType.hashTreeRoot({
      executedOrders: BigInt(state.executedOrders),
      upgradeVersion: upgrades.map(({ version }) => BigInt(version)),
      upgradeHeight: upgrades.map(({ height }) => BigInt(height)),
    });
    expect(state.root).toEqual(new Uint8Array(expected));
    expect(decodeCommittee(encodeCommittee(state))).toEqual(state);
  },
);

test.each([1, 3, 4, 5, 17])(
  "the admission root with %i members in a region is SSZ's",
  (members) => {
    const prng = createPrng(members);
    const regions = [members, 1, members + 1].map((count) => {
      const column = copyNonceColumn(genesisNonces(count));
      for (let m = 0; m < count; m++) column[m] = BigInt(prng.uint32());
      return rootedNonces(column);
    });
    const type = new ListCompositeType(members64, 1024);
    const expected = type.hashTreeRoot(regions.map(({ column }) => [...column]));
    expect(admissionRoot(regions)).toEqual(new Uint8Array(expected));
  },
);

test("depths of the light client are those of the schema's limits", () => {
  for (const [depth, limit] of PATH_LIMITS) expect(merkleDepth(limit)).toBe(depth);
});

test("a leaf's index and its place name each other", () => {
  const places = fc.record({ slotIndex: fc.nat(2 ** 24 - 1), bill: fc.nat(2 ** 17 - 1) });
  fc.assert(
    fc.property(places, (place) => {
      expect(placeOfLeaf(leafIndexOf(place))).toEqual(place);
    }),
  );
  expect(placeOfLeaf(-1)).toBeNull();
  expect(placeOfLeaf(0.5)).toBeNull();
  expect(placeOfLeaf(2 ** 41)).toBeNull();
  expect(placeOfLeaf(Number.NaN)).toBeNull();
});
