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
  PATH_LIMITS,
  placeOfLeaf,
} from "../../../services/chain/light-client/paths.ts";
import { billRoots, receiptsProofOf, receiptsRootOf } from "../../../services/chain/receipts.ts";
import { EMPTY_HISTORY_ROOT, growHistory } from "../../../services/chain/receipts-history.ts";
import { appTree } from "../../../services/chain/roots.ts";
import { sha256 } from "../../../services/crypto/hash.ts";
import { merkleDepth, verifyMerkleProof } from "../../../services/crypto/merkle.ts";
import { concatBytes, utf8 } from "../../../services/primitives/bytes.ts";
import { createPrng, type Prng } from "../../../services/primitives/prng.ts";
import type { MicroCents, Slot } from "../../../services/primitives/units.ts";
import { BILL_FIELDS, type Bill, billRoot } from "../../../services/wire/bill.ts";
import { tableOfBills } from "../../../services/wire/bill-table.ts";

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
});
const BillType = new ContainerType(Object.fromEntries(BILL_FIELDS.map((field) => [field, uint64])));
const Bills = new ListCompositeType(BillType, 131_072);
const History = new ListCompositeType(root, 2 ** HISTORY_DEPTH);
const Lanes = new ListCompositeType(new ContainerType({ state: root, receipts: root }), 1024);
const App = new ContainerType({ lanes: Lanes, admission: root });

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
  return { columns, pending: reports as unknown as PendingReport[], forward };
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
      expect(still.root).toEqual(new Uint8Array(History.hashTreeRoot(all)));
    }),
    { numRuns: 60 },
  );
});

test.each([1, 2, 3, 8, 9])(
  "the app hash over %i lanes is SSZ's, and each lane's path holds",
  (n) => {
    const prng = createPrng(n);
    const lanes = Array.from({ length: n }, () => ({ state: node(prng), receipts: node(prng) }));
    const admission = node(prng);
    const tree = appTree(lanes, admission);
    expect(tree.appHash).toEqual(new Uint8Array(App.hashTreeRoot({ lanes, admission })));
    lanes.forEach((lane, regionIndex) => {
      const frontier = new Uint8Array(32 * HISTORY_DEPTH);
      const leaf = sha256(utf8(`receipts ${regionIndex}`));
      const grown = growHistory({ frontier, length: 0, leaves: [leaf] });
      const rooted = lanes.map((other, r) =>
        r === regionIndex ? { ...lane, receipts: grown.root } : other,
      );
      const { appHash, proof } = appTree(rooted, admission);
      const path = [...grown.paths[0]!, ...proof(regionIndex)];
      expect(path).toHaveLength(LANES_PROOF_NODES);
      const index = lanesPathIndex({ regionIndex, slotIndex: 0 });
      expect(verifyMerkleProof({ leaf, index, proof: path, root: appHash })).toBe(true);
    });
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
