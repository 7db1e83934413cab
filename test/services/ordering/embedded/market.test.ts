/**
 * Method: the market itself on embedded ordering, with random traffic over three regions. Its state
 * must equal the same blocks run by hand, every bill that was ever issued must verify as a member's
 * browser would, history must read back as it was announced, and a restart, or a damaged record,
 * must change nothing.
 */

import { Level } from "level";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { createApplication } from "../../../../services/chain/application.ts";
import { verifyBillProof } from "../../../../services/chain/light-client/verify-bill.ts";
import { laneKey } from "../../../../services/chain/store-keys.ts";
import {
  type BlockStore,
  openBlockStore,
} from "../../../../services/ordering/embedded/block-store.ts";
import {
  type EmbeddedChain,
  startEmbeddedChain,
} from "../../../../services/ordering/embedded/chain.ts";
import { applicationKey } from "../../../../services/ordering/embedded/keys.ts";
import { fromHex } from "../../../../services/primitives/bytes.ts";
import { ManualClock } from "../../../../services/primitives/clock.ts";
import { type Slot, unixSeconds } from "../../../../services/primitives/units.ts";
import type { SlotRecord } from "../../../../services/wire/slot-record.ts";
import { temporaryDirectory } from "../../../support/temporary-directory.ts";
import { randomBlocks, threeRegions } from "../../chain/workload.ts";

const fixture = threeRegions();
const { genesis } = fixture;
const traffic = randomBlocks(fixture, "embedded ordering", 8);
const directory = temporaryDirectory();
const announced: SlotRecord[] = [];
let store: BlockStore;
let chain: EmbeddedChain;

async function start(): Promise<void> {
  store = await openBlockStore({ directory });
  chain = await startEmbeddedChain({
    genesis,
    createApplication: (stored) => createApplication({ genesis, stored }),
    store,
    sequencerSecretKey: fixture.sequencerSecret,
    clock,
  });
}

async function stop(): Promise<void> {
  await chain.stop();
  await store.close();
}

const clock = new ManualClock(unixSeconds(genesis.genesisTimeS));

beforeAll(async () => {
  await start();
  chain.reader.onBlock(({ slotRecords }) => announced.push(...slotRecords));
  for (const { timeS, transactions } of traffic) {
    clock.advanceTo(timeS);
    // One by one: a region's report is checked against the slots that are committed before it.
    for (const bytes of transactions) await chain.writer.submit(bytes);
  }
  // The proof block of the last change.
  await vi.waitFor(async () => {
    const { height, appHash } = chain.reader.head();
    expect((await chain.reader.block(height))!.header.appHash).toEqual(appHash);
  }, 10_000);
});
afterAll(stop);

test("the state equals that of the same blocks, run by hand", async () => {
  const direct = createApplication({ genesis, stored: new Map() });
  direct.initChain();
  const { height, appHash } = chain.reader.head();
  for (let at = 1; at <= height; at++) {
    const { header, transactions } = (await chain.reader.block(at))!;
    direct.finalizeBlock({ height: at, timeS: header.timeS, transactions });
    direct.commit();
  }
  expect(direct.head()).toEqual(chain.reader.head());
  expect(direct.info().lastBlockAppHash).toEqual(appHash);
  genesis.regions.forEach((region, r) => {
    expect(chain.reader.lane(r)).toEqual(direct.lane(r));
    for (const { address } of region.members) {
      expect(chain.reader.nonce(fromHex(address))).toBe(direct.nonce(fromHex(address)));
    }
  });
});

test("history reads back as it was announced, newest first, within range and limit", async () => {
  expect(announced.length).toBeGreaterThanOrEqual(3 * 7);
  for (const record of announced) {
    expect(await chain.reader.slotRecord(record.regionIndex, record.slot)).toEqual(record);
  }
  const all = { fromSlot: 0 as Slot, toSlot: (2 ** 40) as Slot, limit: 1000 };
  for (const regionIndex of [0, 1, 2]) {
    const own = announced.filter((record) => record.regionIndex === regionIndex).reverse();
    expect(await chain.reader.slotRecords({ regionIndex, ...all })).toEqual(own);
    const [newest, second, third] = own;
    expect(await chain.reader.slotRecords({ regionIndex, ...all, limit: 2 })).toEqual([
      newest,
      second,
    ]);
    const range = { regionIndex, fromSlot: third!.slot, toSlot: second!.slot, limit: 9 };
    expect(await chain.reader.slotRecords(range)).toEqual([second, third]);
    expect(await chain.reader.slotRecords({ ...range, limit: 0 })).toEqual([]);
    expect(
      await chain.reader.slotRecords({ ...range, fromSlot: second!.slot, toSlot: third!.slot }),
    ).toEqual([]);
  }
  expect(await chain.reader.slotRecord(0, 0 as Slot)).toBeNull();
});

test("every bill verifies against the sequencer's key; none does as another", async () => {
  const sequencerPublicKey = fromHex(genesis.sequencerPublicKey);
  for (const { regionIndex, slot, bills } of announced) {
    for (const [leafIndex, bill] of [...bills].entries()) {
      const proof = (await chain.reader.billProof({ regionIndex, slot, leafIndex }))!;
      expect(verifyBillProof({ bill, proof, sequencerPublicKey })).toBeNull();
      const forged = { ...bill, importWh: bill.importWh + 1 };
      expect(verifyBillProof({ bill: forged, proof, sequencerPublicKey })).not.toBeNull();
    }
    for (const leafIndex of [bills.length, -1, 0.5]) {
      expect(await chain.reader.billProof({ regionIndex, slot, leafIndex })).toBeNull();
    }
  }
});

test("a restart changes nothing", async () => {
  const head = chain.reader.head();
  const lanes = genesis.regions.map((_, r) => chain.reader.lane(r));
  await stop();
  await start();
  expect(chain.recovery).toEqual({
    initialised: false,
    replayedBlocks: 0,
    adoptedResponse: false,
    rebuiltBecause: null,
  });
  expect(chain.reader.head()).toEqual(head);
  expect(genesis.regions.map((_, r) => chain.reader.lane(r))).toEqual(lanes);
});

test("a damaged lane is made again from the blocks, history and proofs included", async () => {
  const head = chain.reader.head();
  await stop();
  const level = new Level<string, Uint8Array>(directory, { valueEncoding: "view" });
  const key = applicationKey(laneKey(1));
  const bytes = Uint8Array.from((await level.get(key))!);
  bytes[Math.floor(bytes.length / 2)]! ^= 0x20;
  await level.put(key, bytes);
  await level.close();
  await start();
  expect(chain.recovery).toMatchObject({
    initialised: true,
    replayedBlocks: head.height,
    rebuiltBecause: `record ${key} fails its checksum`,
  });
  expect(chain.reader.head()).toEqual(head);
  for (const record of announced) {
    const { regionIndex, slot } = record;
    expect(await chain.reader.slotRecord(regionIndex, slot)).toEqual(record);
    expect(await chain.reader.billProof({ regionIndex, slot, leafIndex: 0 })).not.toBeNull();
  }
});
