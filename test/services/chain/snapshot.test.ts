/**
 * Method: the shared suite of state sync on the market, with random traffic over three regions.
 * Then what this format promises besides: the layout's worked cases and laws, lanes beyond one
 * chunk, hostile snapshots under true roots, and limits at their edge.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Snapshot } from "../../../services/chain/abci.ts";
import { createApplication, type MarketApplication } from "../../../services/chain/application.ts";
import { wholeRecords } from "../../../services/chain/change-records.ts";
import { sealRecord } from "../../../services/chain/sealed-record.ts";
import {
  chunkLayout,
  decodeMetadata,
  decodeStream,
  SNAPSHOT_FORMAT,
} from "../../../services/chain/snapshot.ts";
import { sha256 } from "../../../services/crypto/hash.ts";
import { concatBytes, uintBytes, utf8 } from "../../../services/primitives/bytes.ts";
import { type CodecValue, decode, encode } from "../../../services/primitives/codec.ts";
import { GridError } from "../../../services/primitives/errors.ts";
import {
  SNAPSHOT_CHUNK_BYTES_MAX,
  SNAPSHOT_CHUNKS_MAX,
  SNAPSHOT_LANE_BYTES_MAX,
  SNAPSHOT_LANE_RECORDS_MAX,
  SNAPSHOT_METADATA_BYTES_MAX,
  SNAPSHOT_RECORD_BYTES_MAX,
} from "../../../services/primitives/limits.ts";
import { createPrng } from "../../../services/primitives/prng.ts";
import type { UnixSeconds } from "../../../services/primitives/units.ts";
import { POLICY_BYTES } from "../../../services/wire/policy.ts";
import { mutated, stateSyncSuite, type Taken } from "../../conformance/state-sync-suite.ts";
import { createLargeNetwork } from "../../support/large-network.ts";
import { randomBlocks, threeRegions } from "./workload.ts";

const fixture = threeRegions();
const { genesis } = fixture;
const blocks = randomBlocks(fixture, "snapshots", 6);

function take(app: Pick<MarketApplication, "snapshot">): Taken {
  const chunks: Uint8Array[] = [];
  const steps = app.snapshot();
  for (let step = steps.next(); ; step = steps.next()) {
    if (step.done === true) return { snapshot: step.value, chunks };
    chunks.push(...step.value);
  }
}

stateSyncSuite("the market", () => ({
  create: (stored, snapshots) =>
    createApplication({ genesis, stored, ...(snapshots === undefined ? {} : { snapshots }) }),
  take: (app) => take(app as MarketApplication),
  stateOf: wholeRecords,
  blocks,
  runs: 40,
}));

function runTo(count: number) {
  const app = createApplication({ genesis, stored: new Map() });
  app.initChain();
  for (const block of blocks.slice(0, count)) {
    app.finalizeBlock(block);
    app.commit();
  }
  return app;
}

test("blocks between the steps of a snapshot do not change it", () => {
  const app = runTo(4);
  const expected = take(runTo(4));
  const steps = app.snapshot();
  const chunks: Uint8Array[] = [];
  let at = 4;
  for (let step = steps.next(); ; step = steps.next()) {
    if (step.done === true) {
      expect({ snapshot: step.value, chunks }).toEqual(expected);
      break;
    }
    chunks.push(...step.value);
    const block = blocks[at++];
    if (block === undefined) continue;
    app.finalizeBlock(block);
    app.commit();
  }
  expect(at).toBeGreaterThan(5);
});

describe("the layout", () => {
  const MAX = SNAPSHOT_CHUNK_BYTES_MAX;
  test.each([
    ["one small lane", [5], [["0:0+5"]]],
    ["small lanes share", [5, 6, 7], [["0:0+5", "1:0+6", "2:0+7"]]],
    ["up to the limit", [MAX - 1, 1], [[`0:0+${MAX - 1}`, "1:0+1"]]],
    ["beyond it the next begins", [MAX, 1], [[`0:0+${MAX}`], ["1:0+1"]]],
    [
      "a long lane stands alone, in parts",
      [3, 2 * MAX + 1, 4],
      [["0:0+3"], [`1:0+${MAX}`], [`1:${MAX}+${MAX}`], [`1:${2 * MAX}+1`], ["2:0+4"]],
    ],
  ])("%s", (_, streamBytes, expected) => {
    const shown = chunkLayout(streamBytes).map((parts) =>
      parts.map(({ regionIndex, from, bytes }) => `${regionIndex}:${from}+${bytes}`),
    );
    expect(shown).toEqual(expected);
  });

  test("holds every byte of every lane once, in order, in chunks within the limit", () => {
    const length = fc.oneof(fc.integer({ min: 1, max: 100 }), fc.integer({ min: 1, max: 4 * MAX }));
    fc.assert(
      fc.property(fc.array(length, { minLength: 1, maxLength: 40 }), (streamBytes) => {
        const chunks = chunkLayout(streamBytes);
        const seen = streamBytes.map(() => 0);
        for (const parts of chunks) {
          const bytes = parts.reduce((sum, part) => sum + part.bytes, 0);
          expect(bytes).toBeGreaterThan(0);
          expect(bytes).toBeLessThanOrEqual(MAX);
          for (const { regionIndex, from, bytes: part } of parts) {
            expect(from).toBe(seen[regionIndex]);
            seen[regionIndex]! += part;
          }
        }
        expect(seen).toEqual(streamBytes);
      }),
    );
  });
});

/** The taken snapshot with one stream rewritten: metadata tells the new lengths and hashes. */
function forged(taken: Taken, rewrite: (records: [string, Uint8Array][], r: number) => void) {
  const [format, globals, roots] = decode(taken.snapshot.metadata) as CodecValue[];
  const before = decodeMetadata(taken.snapshot.metadata, genesis.regions.length);
  const whole = concatBytes(taken.chunks);
  let at = 0;
  const streams = before.streamBytes.map((bytes, r) => {
    const stream = whole.subarray(at, at + bytes);
    at += bytes;
    const records = decodeStream(stream).map(({ key, value }): [string, Uint8Array] => [
      key,
      value,
    ]);
    rewrite(records, r);
    return concatBytes(
      records.flatMap(([key, value]) => [
        ...[uintBytes(key.length, 2), utf8(key), uintBytes(value.length, 4), value],
      ]),
    );
  });
  const chunk = concatBytes(streams);
  const lengths = streams.map((stream) => stream.length);
  const metadata = encode([format!, globals!, roots!, lengths, sha256(chunk)]);
  const snapshot: Snapshot = { ...taken.snapshot, metadata, hash: sha256(metadata) };
  return { snapshot, chunks: [chunk] };
}

function restoreFault({ snapshot, chunks }: Taken, appHash: Uint8Array): string {
  const app = createApplication({ genesis, stored: new Map() });
  const offered = app.offerSnapshot({ snapshot, appHash });
  if (offered.result !== "accept") return `offer: ${offered.result}: ${offered.reason}`;
  for (const [index, chunk] of chunks.entries()) {
    const verdict = app.applySnapshotChunk({ index, chunk, sender: "a" });
    if (verdict.result !== "accept") return `${verdict.result}: ${verdict.reason}`;
  }
  expect(app.info().lastBlockAppHash).toEqual(appHash);
  return "restored";
}

describe("hostile snapshots under true roots", () => {
  const source = runTo(blocks.length - 1);
  const honest = take(source);
  const appHash = source.info().lastBlockAppHash;
  const payloadOf = (record: Uint8Array) => decode(record.subarray(32));

  test("rewritten without a change it restores", () => {
    expect(
      restoreFault(
        forged(honest, () => {}),
        appHash,
      ),
    ).toBe("restored");
  });

  const edit = (family: string, change: (value: CodecValue) => CodecValue) =>
    forged(honest, (records, r) => {
      if (r !== 0) return;
      records.forEach((record) => {
        if (!record[0].startsWith(`${family}/`)) return;
        record[1] = sealRecord(record[0], change(payloadOf(record[1])));
      });
    });
  const bytesChanged = (at: number) => (value: CodecValue) => {
    const bytes = (value as Uint8Array).slice();
    bytes[at]! ^= 1;
    return bytes;
  };
  const frontierEnd = (value: CodecValue) => (value as Uint8Array).length - POLICY_BYTES - 1;

  test.each([
    ["a balance", edit("lane", bytesChanged(64)), /region 0 in chunk 0: .*state root/],
    ["a byte that no root covers", edit("lane", bytesChanged(50)), /only form/],
    [
      "an edge of the history that does not count",
      edit("lane", (value) => bytesChanged(frontierEnd(value))(value)),
      /only form/,
    ],
    ["a nonce", edit("admission", (v) => [7, ...(v as CodecValue[]).slice(1)]), /nonces root/],
    ["a nonce that is a text", edit("admission", (v) => ["7", ...(v as [])]), /size|nonce/],
    [
      "a negative nonce",
      edit("admission", (v) => [-1, ...(v as CodecValue[]).slice(1)]),
      /no nonce/,
    ],
    [
      "an order's number that shows the same digits",
      edit("forward", (v) => {
        const [next, ...lists] = v as CodecValue[];
        const orders = (lists[0] as number[][]).map((row) => row.with(2, row[2]! + 2 ** 32));
        return [next!, orders, ...lists.slice(1)];
      }),
      /no forward market/,
    ],
    ["a head instead of a lane", edit("lane", () => [1, 2, 3]), /size of its region/],
  ])("%s is found", (_, taken, fault) => {
    const found = restoreFault(taken, appHash);
    expect(found).toMatch(/^reject_snapshot/);
    expect(found).toMatch(fault);
  });

  test("the workload has orders to forge", () => {
    const orders = runTo(blocks.length - 1).lane(0).forwardOrders;
    expect(orders.length).toBeGreaterThan(0);
  });

  test.each([
    [
      "a record more",
      (records: [string, Uint8Array][]) => {
        records.push(["zeta/0000", new Uint8Array(40)]);
      },
    ],
    [
      "a record less",
      (records: [string, Uint8Array][]) => {
        records.shift();
      },
    ],
    [
      "another region's record",
      (records: [string, Uint8Array][]) => {
        records.push(["pending/0002/0000000001888895", new Uint8Array(40)]);
      },
    ],
    [
      "records out of order",
      (records: [string, Uint8Array][]) => {
        records.reverse();
      },
    ],
    [
      "a record twice",
      (records: [string, Uint8Array][]) => {
        records.splice(1, 0, [...records[0]!]);
      },
    ],
    [
      "no record",
      (records: [string, Uint8Array][]) => {
        records.splice(0, records.length, ["a", new Uint8Array(0)]);
      },
    ],
  ])("%s is found", (_, rewrite) => {
    const taken = forged(honest, (records, r) => {
      if (r === 1) rewrite(records);
    });
    expect(restoreFault(taken, appHash)).toMatch(/^reject_snapshot: region 1 in chunk 0/);
  });

  test("any mutation of the records, hashed anew, is refused and never thrown", () => {
    const prng = createPrng("snapshot/mutations");
    for (let i = 0; i < 400; i++) {
      const taken = forged(honest, (records, r) => {
        if (r !== i % genesis.regions.length) return;
        const record = records[prng.below(records.length)]!;
        const payload = mutated(record[1].subarray(32), prng);
        const seal = sha256(utf8(`gridlane/record/${record[0].length}/${record[0]}`), payload);
        record[1] = concatBytes([seal, payload]);
      });
      expect(restoreFault(taken, appHash), `mutation ${i}`).toMatch(/^reject_snapshot/);
    }
  });

  test("a time before genesis, another genesis, another height in the head", () => {
    const metadata = (genesisHash: Uint8Array, height: number, timeS: number) => {
      const [format, globals, ...rest] = decode(honest.snapshot.metadata) as CodecValue[];
      const [, ...orders] = globals as CodecValue[];
      const head = sealRecord("head/last", [genesisHash, height, timeS, appHash]);
      const bytes = encode([format!, [["head/last", head], ...orders], ...rest]);
      return { ...honest.snapshot, metadata: bytes, hash: sha256(bytes) };
    };
    const { height } = honest.snapshot;
    const own = decodeHeadOf(honest.snapshot.metadata);
    const fault = (snapshot: Snapshot) => restoreFault({ ...honest, snapshot }, appHash);
    expect(fault(metadata(own.genesisHash, height, own.timeS))).toBe("restored");
    expect(fault(metadata(own.genesisHash, height, 5))).toMatch(/^offer: reject: time 5/);
    expect(fault(metadata(own.genesisHash, height + 1, own.timeS))).toMatch(/^offer: reject/);
    expect(fault(metadata(new Uint8Array(32), height, own.timeS))).toMatch(/another genesis/);
  });
});

function decodeHeadOf(metadata: Uint8Array) {
  const { value } = decodeMetadata(metadata, genesis.regions.length).globals[0]!;
  const [genesisHash, , timeS] = decode(value.subarray(32)) as [Uint8Array, number, number];
  return { genesisHash, timeS };
}

describe("lanes beyond one chunk", () => {
  // The first region's reports wait for the second's: 16 of them are more than one chunk.
  const network = createLargeNetwork([65_536, 2, 3, 20_000]);
  const app = createApplication({ genesis: network.genesis, stored: new Map() });
  app.initChain();
  for (let i = 0; i < 16; i++) {
    const timeS = (network.genesis.genesisTimeS + 900 * (i + 1)) as UnixSeconds;
    const transactions = [network.report({ regionIndex: 0, slotIndex: i })];
    const { results } = app.finalizeBlock({ height: i + 1, timeS, transactions });
    expect(results.map(({ code }) => code)).toEqual([0]);
    app.commit();
  }
  const taken = take(app);
  const fresh = () => createApplication({ genesis: network.genesis, stored: new Map() });
  const { appHash } = app.head();

  test("have chunks of their own, the small ones share", () => {
    const { streamBytes } = decodeMetadata(taken.snapshot.metadata, 4);
    const layout = chunkLayout(streamBytes).map((parts) => parts.map((part) => part.regionIndex));
    expect(layout).toEqual([[0], [0], [1, 2, 3]]);
    expect(taken.chunks.map((chunk) => chunk.length <= SNAPSHOT_CHUNK_BYTES_MAX)).toEqual([
      ...[true, true, true],
    ]);
  });

  test.each([[[0, 1, 2]], [[2, 1, 0]], [[1, 2, 0]]])("restore in the order %j", (order) => {
    const restored = fresh();
    expect(restored.offerSnapshot({ snapshot: taken.snapshot, appHash }).result).toBe("accept");
    const changes: number[] = [];
    for (const index of order) {
      const part = { index, chunk: taken.chunks[index]!, sender: "" };
      const verdict = restored.applySnapshotChunk(part);
      expect(verdict.result).toBe("accept");
      changes.push(verdict.changes.length);
    }
    // Four records of each region, 16 reports, the head and the committee's orders; the long
    // lane's with its last part.
    expect(changes.reduce((sum, count) => sum + count)).toBe(4 * 4 + 16 + 2);
    expect(restored.head()).toEqual(app.head());
    expect(take(restored).snapshot).toEqual(taken.snapshot);
  });

  test("a restore given up half way and begun again is a restore", () => {
    const restored = fresh();
    const offer = { snapshot: taken.snapshot, appHash };
    restored.offerSnapshot(offer);
    restored.applySnapshotChunk({ index: 1, chunk: taken.chunks[1]!, sender: "" });
    expect(restored.info().lastBlockHeight).toBe(0);
    restored.offerSnapshot(offer);
    for (const index of [0, 2]) {
      restored.applySnapshotChunk({ index, chunk: taken.chunks[index]!, sender: "" });
    }
    expect(restored.info().lastBlockHeight).toBe(0); // chunk 1 was forgotten with the first offer
    restored.applySnapshotChunk({ index: 1, chunk: taken.chunks[1]!, sender: "" });
    expect(restored.info()).toEqual(app.info());
  });

  test("an empty or cut chunk is asked for again, its sender named", () => {
    const restored = fresh();
    restored.offerSnapshot({ snapshot: taken.snapshot, appHash });
    for (const chunk of [new Uint8Array(0), taken.chunks[1]!.subarray(1), taken.chunks[2]!]) {
      expect(restored.applySnapshotChunk({ index: 1, chunk, sender: "liar" })).toMatchObject({
        ...{ result: "retry", refetchChunks: [1], rejectSenders: ["liar"] },
      });
    }
    const beyond = { index: 3, chunk: taken.chunks[1]!, sender: "liar" };
    expect(restored.applySnapshotChunk(beyond).result).toBe("abort");
  });
});

describe("limits at their edge", () => {
  const stream = (records: number, valueBytes: number) =>
    concatBytes(
      Array.from({ length: records }, (_, i) => {
        const key = utf8(String(i).padStart(6, "0"));
        const value = new Uint8Array(valueBytes);
        return concatBytes([uintBytes(6, 2), key, uintBytes(valueBytes, 4), value]);
      }),
    );
  test("records of a lane", () => {
    expect(decodeStream(stream(SNAPSHOT_LANE_RECORDS_MAX, 0))).toHaveLength(
      SNAPSHOT_LANE_RECORDS_MAX,
    );
    expect(() => decodeStream(stream(SNAPSHOT_LANE_RECORDS_MAX + 1, 0))).toThrow(GridError);
  });
  test("bytes of a record", () => {
    expect(decodeStream(stream(1, SNAPSHOT_RECORD_BYTES_MAX))).toHaveLength(1);
    expect(() => decodeStream(stream(1, SNAPSHOT_RECORD_BYTES_MAX + 1))).toThrow(GridError);
  });
  test("bytes of the metadata", () => {
    const taken = take(createApplication({ genesis, stored: new Map() })).snapshot.metadata;
    const beyond = new Uint8Array(SNAPSHOT_METADATA_BYTES_MAX + 1);
    beyond.set(taken);
    const regions = genesis.regions.length;
    // At the limit it is read, and refused for what it says; beyond it nothing is read.
    expect(() => decodeMetadata(beyond.subarray(0, -1), regions)).not.toThrow(/beyond its limit/);
    expect(() => decodeMetadata(beyond, regions)).toThrow(/beyond its limit/);
  });
  test("bytes of a lane, and of all", () => {
    const metadata = (lengths: number[]) =>
      encode([
        SNAPSHOT_FORMAT,
        [],
        new Uint8Array(4 * 32 * lengths.length),
        lengths,
        new Uint8Array(32 * chunkLayout(lengths.slice(0, 200)).length),
      ]);
    const one = (bytes: number) => decodeMetadata(metadata([bytes]), 1);
    expect(one(SNAPSHOT_LANE_BYTES_MAX).streamBytes).toEqual([SNAPSHOT_LANE_BYTES_MAX]);
    expect(() => one(SNAPSHOT_LANE_BYTES_MAX + 1)).toThrow(GridError);
    expect(() => one(0)).toThrow(GridError);
    const lanes = (SNAPSHOT_CHUNKS_MAX * SNAPSHOT_CHUNK_BYTES_MAX) / SNAPSHOT_LANE_BYTES_MAX;
    const full = Array.from({ length: lanes }, () => SNAPSHOT_LANE_BYTES_MAX);
    expect(decodeMetadata(metadata(full), lanes).chunkHashes).toHaveLength(SNAPSHOT_CHUNKS_MAX);
    expect(() => decodeMetadata(metadata([...full, 1]), lanes + 1)).toThrow(GridError);
  });
});
