/**
 * Method: the shared suite of every application, on random traffic over three regions; then what
 * this application promises besides: reload, refusal of damaged records, its queries, and that a
 * bug in a block leaves the committed state.
 */
import { describe, expect, test } from "vitest";
import { createApplication, type MarketApplication } from "../../../services/chain/application.ts";
import { wholeRecords } from "../../../services/chain/change-records.ts";
import { decodeEntries, PAYMENT_ENTRY } from "../../../services/chain/payment-entries.ts";
import { billProof } from "../../../services/chain/proofs.ts";
import { entryOf, isStateKey, laneKey, slotKey } from "../../../services/chain/store-keys.ts";
import { fromHex, toHex } from "../../../services/primitives/bytes.ts";
import { decode, encode } from "../../../services/primitives/codec.ts";
import { GridError, InvariantError } from "../../../services/primitives/errors.ts";
import {
  BLOCK_BYTES_MAX,
  BLOCK_TRANSACTIONS_MAX,
  TRANSACTION_BYTES_MAX,
} from "../../../services/primitives/limits.ts";
import { createPrng } from "../../../services/primitives/prng.ts";
import type { UnixSeconds } from "../../../services/primitives/units.ts";
import { decodeSlotRecord } from "../../../services/wire/slot-record.ts";
import { applicationSuite } from "../../conformance/application-suite.ts";
import { randomBlocks, threeRegions } from "./workload.ts";

const fixture = threeRegions();
const blocks = randomBlocks(fixture, "application", 6);

applicationSuite("the market", () => ({
  create: (stored) => createApplication({ genesis: fixture.genesis, stored }),
  blocks,
  runs: 20,
}));

type Run = { readonly app: MarketApplication; readonly stored: Map<string, Uint8Array> };

function run(count: number): Run {
  const stored = new Map<string, Uint8Array>();
  const app = createApplication({ genesis: fixture.genesis, stored });
  app.initChain();
  for (const block of blocks.slice(0, count)) {
    app.finalizeBlock(block);
    for (const { key, value } of app.commit().changes) {
      if (value === null) stored.delete(key);
      else stored.set(key, value);
    }
  }
  return { app, stored };
}

describe("reload", () => {
  test.each(blocks.map((_, i) => i + 1))("after block %i gives the same state", (count) => {
    const { app, stored } = run(count);
    const again = createApplication({ genesis: fixture.genesis, stored });
    expect(again.info()).toEqual(app.info());
    expect(again.head()).toEqual(app.head());
    fixture.genesis.regions.forEach((region, r) => {
      expect(again.lane(r)).toEqual(app.lane(r));
      for (const member of region.members) {
        const address = fromHex(member.address);
        expect(again.nonce(address)).toBe(app.nonce(address));
      }
    });
  });

  test("needs the state's records only", () => {
    const { app, stored } = run(blocks.length);
    const state = new Map([...stored].filter(([key]) => isStateKey(key)));
    expect(state.size).toBeLessThan(stored.size);
    const again = createApplication({ genesis: fixture.genesis, stored: state });
    expect(again.info()).toEqual(app.info());
  });

  test("keeps every slot's record, as finalizeBlock answered it", () => {
    const stored = new Map<string, Uint8Array>();
    const app = createApplication({ genesis: fixture.genesis, stored });
    app.initChain();
    let cleared = 0;
    for (const block of blocks) {
      const { slotRecords } = app.finalizeBlock(block);
      for (const { key, value } of app.commit().changes) if (value) stored.set(key, value);
      for (const record of slotRecords) {
        const bytes = stored.get(slotKey(record.regionIndex, record.slot))!;
        expect(decodeSlotRecord(bytes)).toEqual(record);
        expect(record.height).toBe(block.height);
      }
      cleared += slotRecords.length;
    }
    expect(cleared).toBe(6 * 3);
  });
});

test("the workload's payments execute, inside regions and between them", () => {
  const { stored } = run(blocks.length);
  const kinds = [...stored].flatMap(([key, value]) => {
    const place = entryOf(key);
    return place === null ? [] : decodeEntries(place, value).entries.map(({ kind }) => kind);
  });
  const { sent, received } = PAYMENT_ENTRY;
  expect(kinds.filter((kind) => kind === sent).length).toBeGreaterThan(2);
  expect(kinds.filter((kind) => kind === received).length).toBeGreaterThan(2);
});

describe("damaged records", () => {
  const { stored } = run(blocks.length - 1);
  const state = [...stored.keys()].filter(isStateKey);

  test("the workload left every kind of record", () => {
    const kinds = new Set(state.map((key) => key.split("/")[0]));
    expect([...kinds].sort()).toEqual([
      "admission",
      "change",
      "forward",
      "head",
      "lane",
      "messages",
      "pending",
    ]);
  });

  test.each(state)("%s: any flipped bit is found, where it is still read", (key) => {
    const prng = createPrng(key);
    const bytes = stored.get(key)!;
    for (let i = 0; i < 20; i++) {
      const damaged = bytes.slice();
      damaged[prng.below(bytes.length)]! ^= 1 << prng.below(8);
      expectCorrupt(new Map(stored).set(key, damaged), "or overwritten");
    }
  });

  test.each(state)("%s: cut off, or lost, is found", (key) => {
    const bytes = stored.get(key)!;
    expectCorrupt(new Map(stored).set(key, bytes.subarray(0, bytes.length - 1)));
    expectCorrupt(new Map(stored).set(key, new Uint8Array(0)));
    const lost = new Map(stored);
    lost.delete(key);
    expectCorrupt(lost);
  });

  test("a record under another's key is found", () => {
    expectCorrupt(new Map(stored).set(laneKey(0), stored.get(laneKey(1))!));
  });

  test("an older record of the same key is found", () => {
    const older = run(2).stored.get(laneKey(0));
    expect(older).toBeDefined();
    expectCorrupt(new Map(stored).set(laneKey(0), older!));
  });

  test("another genesis is refused by name", () => {
    const genesis = { ...fixture.genesis, networkId: "gridlane-other" };
    try {
      createApplication({ genesis, stored });
      expect.unreachable();
    } catch (failure) {
      expect((failure as GridError).code).toBe("genesis_mismatch");
    }
  });

  /** A later change may hold other bytes for those that were damaged: then the state is whole. */
  function expectCorrupt(records: Map<string, Uint8Array>, otherwise?: "or overwritten") {
    let failure: unknown;
    try {
      createApplication({ genesis: fixture.genesis, stored: records });
    } catch (thrown) {
      failure = thrown;
    }
    if (failure === undefined && otherwise !== undefined) {
      expect(wholeRecords(records)).toEqual(wholeRecords(stored));
      return;
    }
    expect(failure).toBeInstanceOf(GridError);
    expect((failure as GridError).code).toBe("database_corrupt");
  }
});

test("a genesis whose oracle key lacks its possession is refused", () => {
  const [first, second] = fixture.genesis.oracle.members;
  const members = [{ ...first!, blsPossession: second!.blsPossession }, second!];
  const genesis = { ...fixture.genesis, oracle: { ...fixture.genesis.oracle, members } };
  try {
    createApplication({ genesis, stored: new Map() });
    expect.unreachable();
  } catch (failure) {
    expect((failure as GridError).code).toBe("config_invalid");
    expect((failure as GridError).message).toContain("oracle.members[0]");
  }
});

test("a genesis whose sequencer key is of small order is refused", () => {
  const genesis = { ...fixture.genesis, sequencerPublicKey: `01${"00".repeat(31)}` };
  try {
    createApplication({ genesis, stored: new Map() });
    expect.unreachable();
  } catch (failure) {
    expect((failure as GridError).code).toBe("config_invalid");
    expect((failure as GridError).message).toContain("sequencerPublicKey");
  }
});

describe("proposals", () => {
  const { app } = run(2);
  const { timeS, height } = blocks[2]!;
  const offer = (transactions: readonly Uint8Array[], at = timeS) => {
    return { height, timeS: at, transactions };
  };
  const small = Array.from({ length: BLOCK_TRANSACTIONS_MAX + 1 }, () => Uint8Array.of(1));
  const large = Array.from({ length: 6 }, () => new Uint8Array(TRANSACTION_BYTES_MAX));

  test("take what fits, in order", () => {
    expect(app.prepareProposal(offer(small)).transactions).toHaveLength(BLOCK_TRANSACTIONS_MAX);
    const { transactions } = app.prepareProposal(offer(large));
    expect(transactions).toHaveLength(Math.floor(BLOCK_BYTES_MAX / TRANSACTION_BYTES_MAX));
  });

  test.each([
    ["too many transactions", offer(small), "transactions"],
    ["too many bytes", offer(large), "bytes"],
    ["a skipped height", { ...offer([]), height: height + 1 }, "height"],
    ["a time below the last block's", offer([], 1 as UnixSeconds), "time"],
    ["a time that is none", offer([], 0.5 as UnixSeconds), "time"],
  ])("%s is refused", (_, block, why) => {
    const { accept, reason } = app.processProposal(block);
    expect(accept).toBe(false);
    expect(reason).toContain(why);
  });

  test("at the limits is accepted", () => {
    expect(app.processProposal(offer(small.slice(1))).accept).toBe(true);
    expect(app.processProposal(offer([], app.head().timeS)).accept).toBe(true);
  });
});

test("a bug in a block leaves the committed state, and nothing to commit", () => {
  const { app } = run(3);
  const before = app.info();
  const lanes = fixture.genesis.regions.map((_, r) => app.lane(r));
  const bad = { ...blocks[3]!, height: 9 };
  expect(() => app.finalizeBlock(bad)).toThrow(InvariantError);
  expect(() => app.commit()).toThrow(InvariantError);
  expect(app.info()).toEqual(before);
  expect(fixture.genesis.regions.map((_, r) => app.lane(r))).toEqual(lanes);
  const good = app.finalizeBlock(blocks[3]!);
  expect(toHex(good.appHash)).toBe(toHex(run(4).app.info().lastBlockAppHash));
});

test("a block that fails half way leaves nothing of the block before it to commit", () => {
  const { app } = run(3);
  app.finalizeBlock(blocks[3]!);
  expect(() => app.finalizeBlock({ ...blocks[3]!, height: 9 })).toThrow(InvariantError);
  expect(() => app.commit()).toThrow(InvariantError);
});

describe("queries", () => {
  const { app } = run(blocks.length);
  const ask = (path: string, data: Uint8Array = new Uint8Array(0)) => app.query({ path, data });

  test("head", () => {
    const head = app.head();
    expect(ask("head")).toEqual({
      code: 0,
      value: encode([head.height, head.timeS, head.appHash, head.clearedSlots]),
    });
    expect(head.clearedSlots).toBe(6);
  });
  test("roots are 32 bytes", () => {
    for (const path of [
      "admission/root",
      "lanes/0/state-root",
      "lanes/2/receipts-root",
      "lanes/1/outbox-root",
    ]) {
      expect(ask(path)).toMatchObject({ code: 0, value: { length: 32 } });
    }
  });
  test("slots of a lane", () => {
    expect(decode(ask("lanes/1/slots").value)).toEqual([6, 6]);
  });
  test("nonce", () => {
    const address = fromHex(fixture.genesis.regions[0]!.members[0]!.address);
    expect(decode(ask("nonce", address).value)).toBe(app.nonce(address));
    expect(decode(ask("nonce", new Uint8Array(20)).value)).toBe(0);
    expect(ask("nonce", new Uint8Array(19)).code).toBe(2);
  });
  test.each(["", "heads", "lanes", "lanes/x/slots", "lanes/0/state", "lanes/0/slots/"])(
    "%j is unknown",
    (path) => expect(ask(path).code).toBe(1),
  );
  test("a lane beyond the regions is not there", () => expect(ask("lanes/3/slots").code).toBe(2));
});

test("a proof needs the header after the block", () => {
  const record = run(2).app;
  expect(record.head().height).toBe(2);
  expect(() =>
    billProof({
      record: { height: 5 } as never,
      storedPath: new Uint8Array(0),
      next: { header: { height: 5 } as never, signature: new Uint8Array(64) },
      leafIndex: 0,
    }),
  ).toThrow(InvariantError);
});
