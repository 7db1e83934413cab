/**
 * Method: the market on embedded ordering with the API over it, and a hook that stops the world at
 * each instant between a block's execution and its durable commit. There, everything that can be
 * read is read, over the chain's reader, the application's queries, REST and the stream: it must be
 * what it was before the block came. Then the block is let through, and all of it moves at once.
 */
import { afterAll, beforeAll, expect, test } from "vitest";
import { createApplication } from "../../services/chain/application.ts";
import { verifyProofText } from "../../services/cli/verify-proof.ts";
import { type BlockStore, openBlockStore } from "../../services/ordering/embedded/block-store.ts";
import {
  type EmbeddedChain,
  type ReadableApplication,
  startEmbeddedChain,
} from "../../services/ordering/embedded/chain.ts";
import { toHex } from "../../services/primitives/bytes.ts";
import { ManualClock } from "../../services/primitives/clock.ts";
import { createPrng } from "../../services/primitives/prng.ts";
import { unixSeconds } from "../../services/primitives/units.ts";
import type { BillLine } from "../../services/wire/api.ts";
import { readEvents, type StreamEvent } from "../services/api/event-reader.ts";
import { bearer, createHarness, type Harness } from "../services/api/harness.ts";
import { randomReport, threeRegions } from "../services/chain/workload.ts";
import type { ChainFixture } from "../support/chain-fixture.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const fixture = threeRegions();
const { genesis } = fixture;
const clock = new ManualClock(unixSeconds(genesis.genesisTimeS));
const prng = createPrng("finality");
const directory = temporaryDirectory();
let store: BlockStore;
let application: ReadableApplication;
let chain: EmbeddedChain;
let harness: Harness;
let token: string;
const heard: StreamEvent[] = [];

/** Called at each instant of the next blocks; the commit waits for what `durably` returns. */
let atInstant: ((instant: "finalized" | "committed") => void) | null = null;
let beforeDurable: (() => Promise<void>) | null = null;

beforeAll(async () => {
  store = await openBlockStore({ directory });
  const writeCommit = store.writeCommit.bind(store);
  store.writeCommit = async (commit) => {
    await beforeDurable?.();
    await writeCommit(commit);
  };
  chain = await startEmbeddedChain({
    genesis,
    createApplication: (stored) => {
      const market = createApplication({ genesis, stored });
      application = {
        ...market,
        finalizeBlock: (block) => {
          const finalized = market.finalizeBlock(block);
          atInstant?.("finalized");
          return finalized;
        },
        commit: () => {
          const committed = market.commit();
          atInstant?.("committed");
          return committed;
        },
      };
      return application;
    },
    store,
    sequencerSecretKey: fixture.sequencerSecret,
    clock,
  });
  const overApi = { ...chain.reader, writer: chain.writer } as unknown as ChainFixture;
  harness = await createHarness({ chain: overApi });
  await harness.api.warmed;
  token = await harness.signIn("east", 0);
  const events = readEvents((await harness.request("/api/v1/stream")).body);
  void (async () => {
    for (let event = await events.next(); event !== null; event = await events.next()) {
      heard.push(event);
    }
  })();
});
afterAll(async () => {
  harness.api.close();
  await chain.stop();
  await store.close();
});

async function reportSlot(slotIndex: number): Promise<void> {
  clock.advanceTo(unixSeconds(fixture.slotEndS(slotIndex) + 60));
  const reports = genesis.regions.map((_, regionIndex) =>
    randomReport(fixture, prng, { regionIndex, slotIndex }),
  );
  for (const report of reports) expect((await chain.writer.submit(report)).code).toBe(0);
}

/** What a reader sees without waiting for anything. */
function glance() {
  const { reader } = chain;
  const [member] = genesis.regions[0]!.members;
  return {
    head: reader.head(),
    lanes: genesis.regions.map((_, r) => reader.lane(r)),
    nonce: reader.nonce(Uint8Array.from(Buffer.from(member!.address, "hex"))),
  };
}

/** And what it is answered: history, proofs, REST, and how many events the stream has brought. */
async function look(slotIndex: number) {
  const { reader } = chain;
  const { height } = reader.head();
  const slot = fixture.slotAtIndex(slotIndex);
  const at = { regionIndex: 0, slot };
  const answer = async (path: string) => {
    const response = await harness.request(`/api/v1/${path}`, bearer(token));
    return { status: response.status, text: await response.text() };
  };
  return {
    ...glance(),
    blockToCome: await reader.block(height + 1),
    record: await reader.slotRecord(0, slot),
    bill: await reader.billProof({ ...at, leafIndex: 0 }),
    status: await answer("status"),
    me: await answer("me"),
    bills: await answer("me/bills"),
    summary: await answer("me/summary?window=all"),
    absence: await answer(`me/absences/${slot}/proof`),
    law: await answer(`regions/east/slots/${slot}/policy/proof`),
    events: heard.filter(({ event }) => event === "block").length,
  };
}

test("between execution and the durable commit nothing new is visible anywhere", async () => {
  await reportSlot(0);
  clock.advanceTo(unixSeconds(fixture.slotEndS(1) + 60));
  const reports = [0, 1, 2].map((regionIndex) =>
    randomReport(fixture, prng, { regionIndex, slotIndex: 1 }),
  );
  for (const report of reports.slice(1)) await chain.writer.submit(report);
  await settled();
  const before = await look(1);
  const queried = application.query({ path: "head", data: new Uint8Array(0) });
  expect(before).toMatchObject({ blockToCome: null, record: null, bill: null });
  const instants: string[] = [];
  atInstant = (instant) => {
    instants.push(instant);
    const { head, lanes, nonce } = before;
    expect(glance()).toEqual({ head, lanes, nonce });
    if (instant === "committed") return; // the application's own state has moved
    expect(application.query({ path: "head", data: new Uint8Array(0) })).toEqual(queried);
    expect(application.checkTx(reports[0]!).code).toBe(0); // its slot is still the next
  };
  beforeDurable = async () => {
    instants.push("not durable");
    expect(await look(1)).toEqual(before);
    expect((await store.block(before.head.height + 1))!.transactions).toHaveLength(1);
    [atInstant, beforeDurable] = [null, null];
  };
  const submitted = await chain.writer.submit(reports[0]!);
  expect(instants).toEqual(["finalized", "committed", "not durable"]);
  expect(submitted).toMatchObject({ code: 0, height: before.head.height + 1 });
  const after = await look(1);
  expect(after.head).toMatchObject({ clearedSlots: 2 });
  expect(after.record).toMatchObject({ height: submitted.height });
  expect(after.bills).not.toEqual(before.bills);
  await settled();
  const proved = await look(1);
  expect([proved.absence.status, proved.law.status]).toEqual([200, 200]);
  const heights = heard.filter(({ event }) => event === "block").map(({ id }) => Number(id));
  expect(heights.at(-1)).toBe(proved.head.height);
  expect(heights).toContain(submitted.height);
});

test("old bills keep the proof that they had, and it holds", async () => {
  const bills = await harness.json<BillLine[]>("/api/v1/me/bills", bearer(token));
  const proofs = async () =>
    Promise.all(
      bills.map(async ({ settledSlot, leafIndex }) => {
        const path = `/api/v1/me/bills/${settledSlot}/${leafIndex}/proof`;
        return JSON.stringify(await harness.json(path, bearer(token)));
      }),
    );
  const then = await proofs();
  expect(then).toHaveLength(2);
  for (let slotIndex = 2; slotIndex < 12; slotIndex++) await reportSlot(slotIndex);
  await settled();
  expect(await proofs()).toEqual(then);
  for (const text of then) {
    expect(verifyProofText(text, { source: "genesis", genesis })).toMatchObject({ valid: true });
  }
});

/** The empty block that carries the last app hash has come, and the stream has told of it. */
async function settled(): Promise<void> {
  const isSettled = async () => {
    const { height, appHash } = chain.reader.head();
    const last = heard.at(-1)?.id;
    const block = await chain.reader.block(height);
    return Number(last) === height && toHex(block!.header.appHash) === toHex(appHash);
  };
  while (!(await isSettled())) await new Promise((resolve) => setImmediate(resolve));
}
