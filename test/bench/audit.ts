/**
 * Bench of the auditor: slots a second, and its cost as a ratio to the plain execution of the same
 * blocks by the application alone, which has to verify the same certificates. From a directory with
 * 0, 1 and 2 threads ahead of the replay, and over HTTP on this machine. Costs are CPU time of the
 * whole process, so that a busy machine does not change them; slots a second are by the clock. The
 * share of signatures in plain execution is what threads can take off the executing one.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { StoredBlock } from "../../services/chain/access.ts";
import { createApplication } from "../../services/chain/application.ts";
import { createRules } from "../../services/chain/rules.ts";
import { auditDirectory, auditSource } from "../../services/node/audit.ts";
import { checkBlocks } from "../../services/node/audit-checks.ts";
import { createHttpAuditSource } from "../../services/node/audit-http.ts";
import { createStoreAuditSource } from "../../services/ordering/embedded/audit-source.ts";
import {
  encodeBody,
  encodeSignedHeader,
  signBlock,
} from "../../services/ordering/embedded/block.ts";
import { inspectBlockStore, openBlockStore } from "../../services/ordering/embedded/block-store.ts";
import { fromHex } from "../../services/primitives/bytes.ts";
import { createPrng } from "../../services/primitives/prng.ts";
import { CHAIN_VERSION, genesisHash } from "../../services/wire/genesis.ts";
import { headerHash } from "../../services/wire/header.ts";
import { serveAudit } from "../support/audit-server.ts";
import { createMarketFixture, type MarketFixture } from "../support/market-fixture.ts";

const REGIONS = 4;
const HOMES = 50;
const SLOTS = 192;
const WORKERS = [0, 1, 2];

export async function benchAudit(): Promise<object> {
  const directory = mkdtempSync(join(tmpdir(), "gridlane-bench-audit-"));
  try {
    const fixture = network();
    const blocks = await writeChain(fixture, directory);
    const { genesis } = fixture;
    await measure(async () => execute(fixture, blocks)); // warms up
    const plain = await measure(async () => execute(fixture, blocks));
    const signatures = await measure(async () => verifyAll(fixture, blocks));
    const fromDirectory = [];
    for (const workers of WORKERS) {
      const request = { genesis, dataDirectory: directory, workers };
      const found = await measure(() => auditDirectory(request));
      fromDirectory.push({ workers, ...figures(found, plain) });
    }
    const overHttp = figures(await measure(() => auditOverHttp(fixture, directory)), plain);
    return {
      ...{ regions: REGIONS, meters: REGIONS * HOMES, slots: SLOTS, blocks: blocks.length },
      plainExecution: figures(plain, plain),
      signaturesShareOfPlain: round(signatures.cpuMs / plain.cpuMs),
      ...{ fromDirectory, overHttp },
    };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

type Measured = { readonly ms: number; readonly cpuMs: number };

function figures({ ms, cpuMs }: Measured, plain: Measured) {
  const slotsPerS = Math.round((1000 * SLOTS) / ms);
  return { slotsPerS, cpuMs: Math.round(cpuMs), cpuRatioToPlain: round(cpuMs / plain.cpuMs) };
}

function network(): MarketFixture {
  const id = (r: number) => `r${r}`;
  return createMarketFixture({
    label: "audit bench",
    regions: Array.from({ length: REGIONS }, (_, r) => ({
      id: id(r),
      mechanism: r % 3 === 2 ? ("mid-market-rate" as const) : ("uniform-price" as const),
      limits: Array.from({ length: HOMES }, () => undefined),
    })),
    lines: Array.from({ length: REGIONS }, (_, r) => {
      return { from: id(r), to: id((r + 1) % REGIONS), capacityWh: 20_000, feeUcPerWh: 500 };
    }),
  });
}

/** A chain of one block a slot, executed once and stored as a node stores it. */
async function writeChain(fixture: MarketFixture, directory: string): Promise<StoredBlock[]> {
  const { genesis, sequencerSecret: secretKey } = fixture;
  const prng = createPrng("audit bench");
  const store = await openBlockStore({ directory: join(directory, "chain") });
  const application = createApplication({ genesis, stored: new Map() });
  const { appHash } = application.initChain();
  await store.bind(genesisHash(genesis));
  const blocks: StoredBlock[] = [];
  let state = { height: 0, timeS: genesis.genesisTimeS as never, appHash };
  await store.writeCommit({ state, response: null, changes: [], retainHeight: 0 });
  for (let slotIndex = 0; slotIndex < SLOTS; slotIndex++) {
    const energy = () => Array.from({ length: HOMES }, () => prng.below(900));
    const transactions = genesis.regions.map((_, regionIndex) =>
      fixture.reportTransaction({
        ...{ regionIndex, slotIndex, importWh: energy(), exportWh: energy() },
      }),
    );
    const parent = blocks.at(-1)?.header;
    const header = {
      ...{ chainVersion: CHAIN_VERSION, networkId: genesis.networkId, height: slotIndex + 1 },
      timeS: fixture.slotEndS(slotIndex),
      parentHash: parent === undefined ? new Uint8Array(32) : headerHash(parent),
      appHash: state.appHash,
    };
    const block = signBlock({ header, transactions, secretKey });
    await store.writeBlock(block);
    const { height, timeS } = header;
    const finalized = application.finalizeBlock({ height, timeS, transactions });
    const { changes } = application.commit();
    state = { height, timeS: timeS as never, appHash: finalized.appHash };
    await store.writeCommit({ state, response: finalized, changes, retainHeight: 0 });
    blocks.push(block);
  }
  await store.close();
  return blocks;
}

function execute({ genesis }: MarketFixture, blocks: readonly StoredBlock[]): void {
  const application = createApplication({ genesis, stored: new Map() });
  application.initChain();
  for (const { header, transactions } of blocks) {
    const { height, timeS } = header;
    application.finalizeBlock({ height, timeS, transactions });
    application.commit();
  }
}

function verifyAll({ genesis }: MarketFixture, blocks: readonly StoredBlock[]): void {
  const { committee } = createRules(genesis);
  const sequencerPublicKey = fromHex(genesis.sequencerPublicKey);
  const context = { sequencerPublicKey, committeeKeys: committee.publicKeys };
  const bytes = blocks.map((block) => ({
    ...{ header: encodeSignedHeader(block), body: encodeBody(block.transactions) },
  }));
  checkBlocks(context, bytes);
}

async function auditOverHttp({ genesis }: MarketFixture, directory: string): Promise<unknown> {
  const store = await inspectBlockStore({ directory: join(directory, "chain") });
  const server = await serveAudit(createStoreAuditSource(store));
  try {
    return await auditSource({ genesis, source: createHttpAuditSource(server), workers: 0 });
  } finally {
    await server.stop();
    await store.close();
  }
}

async function measure(work: () => Promise<unknown>): Promise<Measured> {
  const [startMs, startCpu] = [performance.now(), process.cpuUsage()];
  await work();
  const { user, system } = process.cpuUsage(startCpu);
  return { ms: performance.now() - startMs, cpuMs: (user + system) / 1000 };
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
