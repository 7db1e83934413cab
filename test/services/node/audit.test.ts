/**
 * Method: a chain of three regions with random traffic, made by embedded ordering and stopped; the
 * auditor must find it equal and leave it as it is. Then lies are planted in copies, each sealed as
 * the store itself seals, so that every checksum holds: the auditor must name block, region, record
 * and field of each, the same from the directory and from a node over HTTP. Last, any byte of any
 * record, flipped and sealed again, must not pass.
 */

import { cpSync, existsSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { Level } from "level";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { createApplication } from "../../../services/chain/application.ts";
import { wholeRecords } from "../../../services/chain/change-records.ts";
import { openRecord, sealRecord } from "../../../services/chain/sealed-record.ts";
import {
  admissionKey,
  changeKey,
  changeOf,
  entryKey,
  entryKeys,
  entryOf,
  HEAD_KEY,
  isStateKey,
  laneKey,
  messagesKey,
  pendingKey,
  proofKey,
  slotKey,
} from "../../../services/chain/store-keys.ts";
import { signEd25519 } from "../../../services/crypto/ed25519.ts";
import { type AuditReport, auditDirectory, auditSource } from "../../../services/node/audit.ts";
import { createHttpAuditSource } from "../../../services/node/audit-http.ts";
import { createStoreAuditSource } from "../../../services/ordering/embedded/audit-source.ts";
import {
  decodeBody,
  decodeSignedHeader,
  encodeBody,
  encodeSignedHeader,
  signBlock,
} from "../../../services/ordering/embedded/block.ts";
import {
  inspectBlockStore,
  openBlockStore,
} from "../../../services/ordering/embedded/block-store.ts";
import { startEmbeddedChain } from "../../../services/ordering/embedded/chain.ts";
import {
  decodeResponse,
  decodeState,
  encodeResponse,
  encodeState,
} from "../../../services/ordering/embedded/engine-records.ts";
import {
  applicationKey,
  bodyKey,
  ENGINE_STATE_KEY,
  headerKey,
  responseKey,
} from "../../../services/ordering/embedded/keys.ts";
import {
  openSealedLevel,
  type SealedLevel,
} from "../../../services/ordering/embedded/sealed-level.ts";
import { toHex } from "../../../services/primitives/bytes.ts";
import { ManualClock } from "../../../services/primitives/clock.ts";
import type { CodecValue } from "../../../services/primitives/codec.ts";
import {
  BLOCK_TRANSACTIONS_MAX,
  TRANSACTION_BYTES_MAX,
} from "../../../services/primitives/limits.ts";
import { type MicroCents, unixSeconds } from "../../../services/primitives/units.ts";
import { tableOfBills } from "../../../services/wire/bill-table.ts";
import { type Header, headerHash, headerSignedBytes } from "../../../services/wire/header.ts";
import {
  decodeSlotRecord,
  encodeSlotRecord,
  type SlotRecord,
} from "../../../services/wire/slot-record.ts";
import { serveAudit } from "../../support/audit-server.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";
import { randomBlocks, threeRegions } from "../chain/workload.ts";

const fixture = threeRegions();
const { genesis, sequencerSecret: secretKey } = fixture;
const honest = temporaryDirectory();
const records: SlotRecord[] = [];
/** Of the first region, in order. */
const entryKeysMade: string[] = [];
let height = 0;
let transactions = 0;

async function openChain(dataDirectory: string, clock: ManualClock) {
  const store = await openBlockStore({ directory: join(dataDirectory, "chain") });
  const chain = await startEmbeddedChain({
    genesis,
    createApplication: (stored) => createApplication({ genesis, stored }),
    store,
    sequencerSecretKey: secretKey,
    clock,
  });
  return {
    chain,
    close: async () => {
      await chain.stop();
      await store.close();
    },
  };
}

beforeAll(async () => {
  const clock = new ManualClock(unixSeconds(genesis.genesisTimeS));
  const { chain, close } = await openChain(honest, clock);
  chain.reader.onBlock(({ slotRecords }) => records.push(...slotRecords));
  for (const block of randomBlocks(fixture, "audit", 4)) {
    clock.advanceTo(block.timeS);
    for (const bytes of block.transactions) await chain.writer.submit(bytes);
  }
  // One region runs ahead, so that a report waits in the state.
  clock.advanceTo(fixture.slotEndS(5));
  const meters = genesis.regions[1]!.meters.map(() => 100);
  const ahead = { regionIndex: 1, slotIndex: 4, importWh: meters, exportWh: meters };
  expect((await chain.writer.submit(fixture.reportTransaction(ahead))).code).toBe(0);
  await vi.waitFor(async () => {
    const head = chain.reader.head();
    expect((await chain.reader.block(head.height))!.header.appHash).toEqual(head.appHash);
  }, 10_000);
  height = chain.reader.head().height;
  for (let at = 1; at <= height; at++) {
    transactions += (await chain.reader.block(at))!.transactions.length;
  }
  await close();
  const range = { ...entryKeys(0, { before: height + 1 }), order: "rising", limit: 100 } as const;
  const store = await openBlockStore({ directory: join(honest, "chain") });
  entryKeysMade.push(...(await store.applicationRecords(range)).map(({ key }) => key));
  await store.close();
});

const audit = (dataDirectory: string, onProgress?: (progress: object) => void) =>
  auditDirectory({ dataDirectory, genesis, ...(onProgress && { onProgress }) });

type Stored = Map<string, Uint8Array>;

async function dump(dataDirectory: string): Promise<Stored> {
  const level = await openSealedLevel(join(dataDirectory, "chain"));
  const range = { gte: "", lt: "~", order: "rising", limit: Number.POSITIVE_INFINITY } as const;
  const all = new Map((await level.range(range)).map(({ key, value }) => [key, value.slice()]));
  await level.close();
  return all;
}

let copies = 0;
const scratch = temporaryDirectory();
/** The audit of a copy in which `plant` has lied, with all checksums intact. */
async function auditLie(
  plant: (level: SealedLevel) => Promise<void>,
  sources: "both" | "directory" = "both",
): Promise<AuditReport> {
  const directory = join(scratch, String(copies++));
  cpSync(honest, directory, { recursive: true });
  const level = await openSealedLevel(join(directory, "chain"));
  await plant(level);
  await level.close();
  const report = await audit(directory);
  if (sources === "both") expect(await auditOverHttp(directory)).toEqual(report);
  return report;
}

/** The same of a node that serves the directory. */
async function auditOverHttp(directory: string): Promise<AuditReport> {
  const store = await inspectBlockStore({ directory: join(directory, "chain") });
  const server = await serveAudit(createStoreAuditSource(store));
  try {
    return await auditSource({ genesis, source: createHttpAuditSource(server) });
  } finally {
    await server.stop();
    await store.close();
  }
}

async function rewrite<Value>(
  level: SealedLevel,
  key: string,
  form: {
    readonly read: (bytes: Uint8Array) => Value;
    readonly write: (value: Value) => Uint8Array;
    readonly change: (value: Value) => Value;
  },
): Promise<void> {
  const value = form.read((await level.get(key))!);
  await level.write([{ key, value: form.write(form.change(value)) }]);
}

/** A changed value in a record of the state, whole and under its own seal too. */
async function rewriteState(
  level: SealedLevel,
  key: string,
  change: (value: CodecValue) => CodecValue,
): Promise<void> {
  const range = { gte: "a/", lt: "a0", order: "rising", limit: Number.POSITIVE_INFINITY } as const;
  const stored = (await level.range(range)).map((record) => ({
    ...{ key: record.key.slice(2), value: record.value },
  }));
  const records = new Map(stored.map((record) => [record.key, record.value]));
  const value = isStateKey(key) ? wholeRecords(records).get(key)! : records.get(key)!;
  const changes = stored.filter((record) => changeOf(record.key)?.key === key);
  await level.write([
    { key: applicationKey(key), value: sealRecord(key, change(openRecord(key, value))) },
    ...changes.map((record) => ({ key: applicationKey(record.key), value: null })),
  ]);
}

function rewriteHeader(level: SealedLevel, at: number, change: (header: Header) => Header) {
  return rewrite(level, headerKey(at), {
    read: decodeSignedHeader,
    write: encodeSignedHeader,
    change: ({ header, signature }) => ({ header: change(header), signature }),
  });
}

/** The same, signed by the sequencer itself: a node that lies, not a disk that decays. */
function resignHeader(level: SealedLevel, at: number, change: (header: Header) => Header) {
  return rewrite(level, headerKey(at), {
    read: decodeSignedHeader,
    write: encodeSignedHeader,
    change: ({ header }) => {
      const changed = change(header);
      const message = headerSignedBytes(changed);
      return { header: changed, signature: signEd25519({ message, secretKey }) };
    },
  });
}

function rewriteRecord(level: SealedLevel, change: (record: SlotRecord) => SlotRecord) {
  const { regionIndex, slot } = victim();
  return rewrite(level, applicationKey(slotKey(regionIndex, slot)), {
    read: decodeSlotRecord,
    write: encodeSlotRecord,
    change,
  });
}

const victim = () =>
  records.find(({ regionIndex, bills }) => regionIndex === 1 && bills.length > 1)!;
const flip = (bytes: Uint8Array, at = 0) => bytes.map((byte, i) => (i === at ? byte ^ 1 : byte));

test("an honest chain is equal, and is left as it is", async () => {
  const before = await dump(honest);
  const heights: number[] = [];
  const report = await audit(honest, (progress) => {
    heights.push((progress as { height: number }).height);
  });
  expect(report.divergence).toBeNull();
  expect(report.unexecutedBlocks).toBe(0);
  const { totals } = report;
  const bills = records.flatMap((record) => [...record.bills]);
  expect(totals).toMatchObject({
    blocks: height,
    transactions,
    slots: 4,
    bills: bills.length,
    importWh: bills.reduce((sum, { importWh }) => sum + BigInt(importWh), 0n),
    neighboursUc: 0n,
  });
  expect(totals.certificates).toBe(3 * 4 + 1);
  const { membersUc, retailerUc, neighboursUc, gridOperatorUc, treasuryUc } = totals;
  expect(membersUc + retailerUc + neighboursUc + gridOperatorUc + treasuryUc).toBe(0n);
  expect(heights).toEqual(Array.from({ length: height }, (_, i) => i + 1));
  expect(await auditOverHttp(honest)).toEqual(report);
  expect(await dump(honest)).toEqual(before);
});

test("with threads that check ahead, and with such as die, the finding is the same", async () => {
  const { regionIndex, slot } = victim();
  const lying = join(scratch, "threads");
  cpSync(honest, lying, { recursive: true });
  const level = await openSealedLevel(join(lying, "chain"));
  await rewriteRecord(level, (record) => ({ ...record, tradedWh: record.tradedWh + 1 }));
  await level.close();
  for (const dataDirectory of [honest, lying]) {
    const alone = await auditDirectory({ dataDirectory, genesis, workers: 0 });
    for (const workers of [1, 2]) {
      expect(await auditDirectory({ dataDirectory, genesis, workers })).toEqual(alone);
    }
  }
  const found = (await audit(lying)).divergence;
  expect(found).toMatchObject({ record: slotKey(regionIndex, slot), field: "tradedWh" });
}, 60_000);

test("a lie in a slot record", async () => {
  const { regionIndex, slot, height: block, tradedWh } = victim();
  const at = { block, region: "west", record: slotKey(regionIndex, slot) };
  const lie = await auditLie((level) =>
    rewriteRecord(level, (record) => ({ ...record, tradedWh: record.tradedWh + 1 })),
  );
  expect(lie.divergence).toEqual({
    ...{ ...at, field: "tradedWh" },
    ...{ stored: String(tradedWh + 1), computed: String(tradedWh) },
  });
  const column = await auditLie((level) =>
    rewriteRecord(level, (record) => ({
      ...record,
      importWh: record.importWh.map((wh) => wh + 1),
    })),
  );
  expect(column.divergence).toMatchObject({ ...at, field: "importWh[0]" });
  const gone = await auditLie((level) =>
    level.write([{ key: applicationKey(slotKey(regionIndex, slot)), value: null }]),
  );
  expect(gone.divergence).toMatchObject({ ...at, field: "(whole record)", stored: "(absent)" });
});

test("a lie in a bill", async () => {
  const { regionIndex, slot, height: block, bills } = victim();
  const lie = await auditLie((level) =>
    rewriteRecord(level, (record) => ({
      ...record,
      bills: tableOfBills(
        [...record.bills].map((bill, i) =>
          i === 1 ? { ...bill, amountUc: (bill.amountUc + 1n) as MicroCents } : bill,
        ),
      ),
    })),
  );
  expect(lie.divergence).toEqual({
    ...{ block, region: "west", record: slotKey(regionIndex, slot), field: "bills[1].amountUc" },
    ...{ stored: String(bills.at(1)!.amountUc + 1n), computed: String(bills.at(1)!.amountUc) },
  });
});

test("a lie in a stored path of a proof", async () => {
  const { regionIndex, slot, height: block } = victim();
  const key = proofKey(regionIndex, slot);
  const lie = await auditLie((level) =>
    rewriteState(level, key, (value) => {
      const [index, nodes] = value as [number, Uint8Array];
      return [index, flip(nodes, 77)];
    }),
  );
  expect(lie.divergence).toMatchObject({ block, region: "west", record: key, field: "nodes[77]" });
});

test("a lie in the state", async () => {
  const balance = await auditLie((level) =>
    rewriteState(level, laneKey(2), (value) => flip(value as Uint8Array, 64)),
  );
  const end = { block: height };
  expect(balance.divergence).toMatchObject({
    ...{ ...end, region: "south", record: laneKey(2), field: "memberUc[0]" },
  });
  const beneath = await auditLie((level) =>
    rewrite(level, applicationKey(laneKey(2)), {
      read: (bytes) => openRecord(laneKey(2), bytes),
      write: (value) => sealRecord(laneKey(2), value),
      change: (value) => flip(value as Uint8Array, 64),
    }),
  );
  // Not the last version of the record, and changes stand on it: still its field is named.
  expect(beneath.divergence).toMatchObject({
    ...{ ...end, region: "south", record: laneKey(2), field: "memberUc[0]" },
  });
  const change = changeKey(laneKey(2), 1);
  const torn = await auditLie(async (level) => {
    const value = sealRecord(change, [new Uint8Array(32), []]);
    await level.write([{ key: applicationKey(change), value }]);
  });
  expect(torn.divergence).toMatchObject({
    ...{ ...end, region: "south", record: change, field: "(whole record)" },
  });
  const nonce = await auditLie((level) =>
    rewriteState(level, admissionKey(0), (value) => [7n as never, ...(value as []).slice(1)]),
  );
  expect(nonce.divergence).toMatchObject({ region: "east", field: "nonces[0]", stored: "7" });
  const report = await auditLie((level) =>
    level.write([{ key: applicationKey(pendingKey(1, fixture.slotAtIndex(4))), value: null }]),
  );
  expect(report.divergence).toMatchObject({ region: "west", stored: "(absent)" });
  const head = await auditLie((level) =>
    rewriteState(level, HEAD_KEY, (value) => {
      const [hash, at, timeS, appHash] = value as [Uint8Array, number, number, Uint8Array];
      return [hash, at, timeS + 1, appHash];
    }),
  );
  expect(head.divergence).toMatchObject({ region: null, record: HEAD_KEY, field: "timeS" });
  const engine = await auditLie((level) =>
    rewrite(level, ENGINE_STATE_KEY, {
      ...{ read: decodeState, write: encodeState },
      change: (state) => ({ ...state!, appHash: flip(state!.appHash) }),
    }),
  );
  expect(engine.divergence).toMatchObject({ ...end, record: "engine state", field: "appHash" });
});

test("a lie in the record of payments, and in what waits of messages", async () => {
  expect(entryKeysMade.length).toBeGreaterThan(0);
  const key = entryKeysMade.at(-1)!;
  const { regionIndex, height: block } = entryOf(key)!;
  const at = { block, region: genesis.regions[regionIndex]!.id, record: key };
  const lie = await auditLie((level) =>
    rewriteState(level, key, (value) => {
      const [timeS, [first, ...rest]] = value as [number, number[][]];
      const changed = first!.map((field, i) => (i === 5 ? field + 1 : field));
      return [timeS, [changed, ...rest]];
    }),
  );
  expect(lie.divergence).toMatchObject({ ...at, field: "entries[0].amountUc" });
  const gone = await auditLie((level) => level.write([{ key: applicationKey(key), value: null }]));
  expect(gone.divergence).toMatchObject({ ...at, field: "(whole record)", stored: "(absent)" });
  const stray = entryKey(regionIndex, height + 1);
  const more = await auditLie(async (level) => {
    const value = (await level.get(applicationKey(key)))!;
    await level.write([{ key: applicationKey(stray), value }]);
  });
  expect(more.divergence).toMatchObject({ ...at, block: height, record: stray });
  const early = entryKey(regionIndex, 0);
  const before = await auditLie(async (level) => {
    const value = (await level.get(applicationKey(key)))!;
    await level.write([{ key: applicationKey(early), value }]);
  });
  expect(before.divergence).toMatchObject({ record: early, computed: "(absent)" });

  const ofMessages = messagesKey(regionIndex);
  const state = { block: height, region: at.region, record: ofMessages };
  const outbox = await auditLie((level) =>
    rewriteState(level, ofMessages, (value) => {
      const [inbox, sent, taken, ...rest] = value as CodecValue[];
      const raised = (sent as [number, number][]).map(([to, next], i) => [to, next + (i ? 0 : 1)]);
      return [inbox!, raised, taken!, ...rest];
    }),
  );
  expect(outbox.divergence).toMatchObject({ ...state, field: "sent[0].nextSeq" });
});

test("records that no block accounts for", async () => {
  const value = encodeSlotRecord(victim());
  const late = slotKey(1, fixture.slotAtIndex(99));
  const lie = await auditLie((level) => level.write([{ key: applicationKey(late), value }]));
  expect(lie.divergence).toMatchObject({
    ...{ region: "west", record: late, field: "(whole record)", computed: "(absent)" },
  });
  const odd = await auditLie((level) => level.write([{ key: applicationKey("odd"), value }]));
  expect(odd.divergence).toMatchObject({ region: null, record: "odd", computed: "(absent)" });
});

test("records that belong to no block and to nobody", async () => {
  const value = Uint8Array.of(0x80);
  for (const key of [
    bodyKey(height + 1),
    responseKey(height + 1),
    "b/x",
    "n",
    "zz",
    "\u{10fffe}",
  ]) {
    const lie = await auditLie((level) => level.write([{ key, value }]));
    expect(lie.divergence).toMatchObject({ record: key, computed: "(absent)" });
  }
});

test("swapped blocks", async () => {
  const swap = async (level: SealedLevel, keys: readonly string[]) => {
    const [a, b] = await Promise.all(keys.map((key) => level.get(key)));
    await level.write([
      { key: keys[0]!, value: b! },
      { key: keys[1]!, value: a! },
    ]);
  };
  const whole = await auditLie(async (level) => {
    await swap(level, [headerKey(3), headerKey(4)]);
    await swap(level, [bodyKey(3), bodyKey(4)]);
  });
  expect(whole.divergence).toEqual({
    ...{ block: 3, region: null, record: "block", field: "header.height" },
    ...{ stored: "4", computed: "3" },
  });
  const level = await dump(honest);
  const two = Array.from({ length: height - 1 }, (_, i) => i + 1).find(
    (at) => toHex(level.get(bodyKey(at))!) !== toHex(level.get(bodyKey(at + 1))!),
  )!;
  const bodies = await auditLie((store) => swap(store, [bodyKey(two), bodyKey(two + 1)]));
  expect(bodies.divergence).toMatchObject({ block: two, field: "header.transactionsRoot" });
});

test("headers: forged signature, altered fields, altered app hash", async () => {
  const forged = await auditLie((level) =>
    rewrite(level, headerKey(2), {
      ...{ read: decodeSignedHeader, write: encodeSignedHeader },
      change: ({ header }) => {
        const message = headerSignedBytes(header);
        const stranger = new Uint8Array(32).fill(5);
        return { header, signature: signEd25519({ message, secretKey: stranger }) };
      },
    }),
  );
  expect(forged.divergence).toMatchObject({ block: 2, record: "block", field: "signature" });
  const time = await auditLie((level) =>
    rewriteHeader(level, 2, (header) => ({ ...header, timeS: (header.timeS + 1) as never })),
  );
  expect(time.divergence).toMatchObject({ block: 2, field: "signature" });
  const early = await auditLie((level) =>
    resignHeader(level, 1, (header) => ({ ...header, timeS: (header.timeS - 99_999) as never })),
  );
  expect(early.divergence).toMatchObject({ block: 1, field: "header.timeS" });
  for (const lie of [rewriteHeader, resignHeader]) {
    const hash = await auditLie((level) =>
      lie(level, 3, (header) => ({ ...header, appHash: flip(header.appHash) })),
    );
    expect(hash.divergence).toMatchObject({ block: 3, field: "header.appHash" });
  }
  const parent = await auditLie((level) =>
    resignHeader(level, 3, (header) => ({ ...header, parentHash: flip(header.parentHash) })),
  );
  expect(parent.divergence).toMatchObject({ block: 3, field: "header.parentHash" });
  const network = await auditLie((level) =>
    resignHeader(level, 1, (header) => ({ ...header, networkId: "other" })),
  );
  expect(network.divergence).toMatchObject({ field: "header.networkId", stored: "other" });
  const noBlock = await auditLie((level) =>
    level.write([{ key: headerKey(2), value: Uint8Array.of(1) }]),
  );
  expect(noBlock.divergence).toMatchObject({ block: 2, record: "block", field: "encoding" });
});

test("a block beyond its limits", async () => {
  const crowd = Array.from({ length: BLOCK_TRANSACTIONS_MAX + 1 }, () => Uint8Array.of(1));
  const many = await auditLie((level) =>
    level.write([{ key: bodyKey(2), value: encodeBody(crowd) }]),
  );
  expect(many.divergence).toMatchObject({ block: 2, field: "transactions", stored: "20001" });
  const large = Array.from({ length: 6 }, () => new Uint8Array(TRANSACTION_BYTES_MAX));
  const heavy = await auditLie(async (level) => {
    const { header } = decodeSignedHeader((await level.get(headerKey(2)))!);
    await level.write([
      { key: bodyKey(2), value: encodeBody(large) },
      {
        key: headerKey(2),
        value: encodeSignedHeader(signBlock({ header, transactions: large, secretKey })),
      },
    ]);
  });
  expect(heavy.divergence).toMatchObject({
    ...{ block: 2, record: "block", field: "proposal", stored: "too many bytes" },
  });
});

test("a block whose history the sequencer rewrote is found by the next app hash", async () => {
  // A forged report inside block `at`, root and signature made to fit by the sequencer.
  const lie = await auditLie(async (level) => {
    for (let at = 1; ; at++) {
      const body = decodeBody((await level.get(bodyKey(at)))!);
      const report = body.findIndex((transaction) => transaction[0] === 0x67);
      if (report < 0) continue;
      const forged = body.map((bytes, i) => (i === report ? flip(bytes, bytes.length - 1) : bytes));
      const { header } = decodeSignedHeader((await level.get(headerKey(at)))!);
      const block = signBlock({ header, transactions: forged, secretKey });
      await level.write([
        { key: headerKey(at), value: encodeSignedHeader(block) },
        { key: bodyKey(at), value: encodeBody(forged) },
      ]);
      return;
    }
  });
  // The certificate does not hold any more, so the replay refuses what the node took.
  expect(lie.divergence).toMatchObject({ record: "response" });
});

test("a lie in the answers to transactions", async () => {
  const lie = await auditLie((level) =>
    rewrite(level, responseKey(1), {
      ...{ read: decodeResponse, write: encodeResponse },
      change: ({ appHash, results }) => ({
        appHash,
        results: results.map(({ info }) => ({ code: 22, info })),
      }),
    }),
  );
  expect(lie.divergence).toMatchObject({
    ...{ block: 1, record: "response", field: "results[0]", stored: "22", computed: "0" },
  });
});

test("any byte of any record, flipped and sealed again, does not pass", async () => {
  const all = await dump(honest);
  const keys = [...all.keys()];
  const codes = (bytes: Uint8Array) => decodeResponse(bytes).results.map(({ code }) => code);
  await fc.assert(
    fc.asyncProperty(fc.nat(), fc.nat(), fc.nat(7), async (which, at, bit) => {
      const key = keys[which % keys.length]!;
      const value = all.get(key)!.slice();
      value[at % value.length]! ^= 1 << bit;
      const sources = at % 4 === 0 ? "both" : "directory";
      const outcome = await auditLie((level) => level.write([{ key, value }]), sources).then(
        ({ divergence }) => divergence,
        (failure: { code?: string }) => failure.code ?? String(failure),
      );
      if (typeof outcome === "string") {
        expect(["database_corrupt", "bytes_malformed", "genesis_mismatch"]).toContain(outcome);
      } else if (outcome === null) {
        // Texts for people are no consensus: an answer's `info` may differ between versions.
        expect(key).toMatch(/^r\//);
        expect(codes(value)).toEqual(codes(all.get(key)!));
      }
    }),
    { numRuns: 60 },
  );
});

test("a block that was written but not executed is checked and executed", async () => {
  const directory = join(scratch, "unexecuted");
  cpSync(honest, directory, { recursive: true });
  const store = await openBlockStore({ directory: join(directory, "chain") });
  const last = (await store.block(height))!;
  const header = {
    ...{ ...last.header, height: height + 1 },
    ...{ parentHash: headerHash(last.header), appHash: store.state!.appHash },
  };
  await store.writeBlock(signBlock({ header, transactions: [], secretKey }));
  await store.close();
  const report = await audit(directory);
  expect(report).toMatchObject({ divergence: null, unexecutedBlocks: 1 });
  expect(report.totals.blocks).toBe(height + 1);
});

test("what cannot be audited is refused by code", async () => {
  const store = await openBlockStore({ directory: join(honest, "chain") });
  try {
    await expect(audit(honest)).rejects.toMatchObject({ code: "database_locked" });
  } finally {
    await store.close();
  }
  const decayed = join(scratch, "decayed");
  cpSync(honest, decayed, { recursive: true });
  const level = new Level<string, Uint8Array>(join(decayed, "chain"), { valueEncoding: "view" });
  const key = applicationKey(laneKey(0));
  const bytes = flip((await level.get(key))!.slice(), 99);
  await level.put(key, bytes);
  await level.close();
  await expect(audit(decayed)).rejects.toMatchObject({
    code: "database_corrupt",
    facts: { what: `record ${key} fails its checksum` },
  });
  const nowhere = join(scratch, "nowhere");
  await expect(audit(nowhere)).rejects.toMatchObject({ code: "file_unreadable" });
  expect(existsSync(nowhere)).toBe(false);
  const other = { ...genesis, networkId: "another" };
  await expect(auditDirectory({ dataDirectory: honest, genesis: other })).rejects.toMatchObject({
    code: "genesis_mismatch",
  });
});

afterAll(() => expect(copies).toBeGreaterThan(70));
