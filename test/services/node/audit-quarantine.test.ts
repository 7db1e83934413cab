/**
 * Method: a chain on disk with a lane poisoned under version 1, repaired by version 2 and released.
 * An auditor whose software repairs the bug at the same height finds it equal; one that repairs it
 * everywhere finds the block where that lane was quarantined; one that does not know version 2 says
 * so. A record of a slot that the lane never cleared is found, though others cleared that slot.
 */
import { cpSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { createApplication } from "../../../services/chain/application.ts";
import { COUNTER } from "../../../services/chain/lane-columns.ts";
import { openRecord, sealRecord } from "../../../services/chain/sealed-record.ts";
import { laneKey, slotKey } from "../../../services/chain/store-keys.ts";
import { VERSIONS, type VersionTable } from "../../../services/chain/versions.ts";
import { signEd25519 } from "../../../services/crypto/ed25519.ts";
import { type AuditRequest, auditDirectory } from "../../../services/node/audit.ts";
import {
  decodeSignedHeader,
  encodeSignedHeader,
} from "../../../services/ordering/embedded/block.ts";
import { openBlockStore } from "../../../services/ordering/embedded/block-store.ts";
import { startEmbeddedChain } from "../../../services/ordering/embedded/chain.ts";
import { applicationKey, headerKey } from "../../../services/ordering/embedded/keys.ts";
import {
  openSealedLevel,
  type SealedLevel,
} from "../../../services/ordering/embedded/sealed-level.ts";
import { ManualClock } from "../../../services/primitives/clock.ts";
import { createPrng } from "../../../services/primitives/prng.ts";
import { headerSignedBytes } from "../../../services/wire/header.ts";
import { type Poison, poisonedExecutor } from "../../support/poisoned-executor.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";
import { randomReport, threeRegions } from "../chain/workload.ts";

const WEST = 1;
const SLOTS = 6;
const fixture = threeRegions();
const { genesis } = fixture;
const versions: VersionTable = new Map([...VERSIONS, [2, VERSIONS.get(1)!]]);
/** West breaks in slot 1, and every time that it is tried again under version 1. */
const bug: Poison = ({ regionIndex, slot, step, version }) =>
  regionIndex === WEST && version === 1 && step === "close" && slot === fixture.slotAtIndex(1);

const repaired = temporaryDirectory();
const open = temporaryDirectory(); // stopped while west is out
let height = 0;
let quarantinedAt = 0;

async function run(dataDirectory: string, until: "out" | "back"): Promise<void> {
  const store = await openBlockStore({ directory: join(dataDirectory, "chain") });
  const clock = new ManualClock(fixture.slotEndS(SLOTS));
  const chain = await startEmbeddedChain({
    genesis,
    createApplication: (stored) =>
      createApplication({ genesis, stored, versions, executor: poisonedExecutor(bug) }),
    store,
    sequencerSecretKey: fixture.sequencerSecret,
    clock,
  });
  chain.reader.onBlock((block) => {
    if (block.laneFailures.length > 0 && quarantinedAt === 0) quarantinedAt = block.height;
  });
  const submit = async (bytes: Uint8Array) => {
    expect((await chain.writer.submit(bytes)).code).toBe(0);
  };
  const order = (act: Parameters<typeof fixture.committeeTransaction>[0]["act"]) =>
    submit(
      fixture.committeeTransaction({ act, sequence: chain.reader.head().committee.nextSequence }),
    );
  const prng = createPrng("audit quarantine");
  await order({ kind: "upgrade", version: 2, height: 14 });
  for (let slotIndex = 0; slotIndex < SLOTS; slotIndex++) {
    for (const regionIndex of [0, 1, 2]) {
      await submit(randomReport(fixture, prng, { regionIndex, slotIndex }));
    }
  }
  expect(chain.reader.head()).toMatchObject({ chainVersion: 2, clearedSlots: SLOTS });
  expect(chain.reader.head().lanesOut).toMatchObject([{ regionIndex: WEST, clearedSlots: 1 }]);
  if (until === "back") {
    await order({ kind: "release", regionIndex: WEST });
    expect(chain.reader.head().lanesOut).toEqual([]);
    height = chain.reader.head().height;
  }
  await chain.stop();
  await store.close();
}

beforeAll(async () => {
  await run(repaired, "back");
  await run(open, "out");
}, 60_000);

const audit = (dataDirectory: string, rules: Omit<AuditRequest, "genesis">) =>
  auditDirectory({ dataDirectory, genesis, ...rules });

test.each([
  ["back in the market", repaired],
  ["out", open],
])("a chain whose lane is %s is equal in a replay by the same versions", async (_, directory) => {
  const report = await audit(directory, { versions, executor: poisonedExecutor(bug) });
  expect(report.divergence).toBeNull();
  expect(report.totals.slots).toBe(SLOTS);
  if (directory === repaired) expect(report.totals.neighboursUc).toBe(0n);
});

test("software that repairs the bug in old blocks too finds where they part", async () => {
  const { divergence } = await audit(repaired, { versions });
  expect(divergence).toMatchObject({ block: quarantinedAt });
});

test("software that does not know a version of the chain says so", async () => {
  const audited = audit(repaired, { executor: poisonedExecutor(bug) });
  const facts = { version: 2, height: 14 };
  await expect(audited).rejects.toMatchObject({ code: "upgrade_required", facts });
  expect(height).toBeGreaterThan(14);
});

test.each<[string, (level: SealedLevel) => Promise<void>]>([
  ["a slot that the lane never cleared, though others did", giveSlot],
  ["a lane that says it is in the market", giveStanding],
])("a lie is found: %s", async (_, lie) => {
  const directory = temporaryDirectory();
  cpSync(open, directory, { recursive: true });
  const level = await openSealedLevel(join(directory, "chain"));
  await lie(level);
  await level.close();
  const { divergence } = await audit(directory, { versions, executor: poisonedExecutor(bug) });
  expect(divergence).toMatchObject({ region: "west" });
});

test("a header of the version before is found", async () => {
  const directory = temporaryDirectory();
  cpSync(repaired, directory, { recursive: true });
  const level = await openSealedLevel(join(directory, "chain"));
  const key = headerKey(15);
  const { header } = decodeSignedHeader((await level.get(key))!);
  const older = { ...header, chainVersion: 1 };
  const message = headerSignedBytes(older);
  const signature = signEd25519({ message, secretKey: fixture.sequencerSecret });
  await level.write([{ key, value: encodeSignedHeader({ header: older, signature }) }]);
  await level.close();
  const { divergence } = await audit(directory, { versions, executor: poisonedExecutor(bug) });
  expect(divergence).toMatchObject({
    ...{ block: 15, field: "header.chainVersion", stored: "1", computed: "2" },
  });
});

/** East's record of slot 2, as west's. */
async function giveSlot(level: SealedLevel): Promise<void> {
  const slot = fixture.slotAtIndex(2);
  const bytes = (await level.get(applicationKey(slotKey(0, slot))))!;
  await level.write([{ key: applicationKey(slotKey(WEST, slot)), value: bytes }]);
}

async function giveStanding(level: SealedLevel): Promise<void> {
  const key = laneKey(WEST);
  const record = openRecord(key, (await level.get(applicationKey(key)))!) as Uint8Array;
  const columns = record.slice();
  columns.fill(0, 8 * COUNTER.standing, 8 * (COUNTER.quarantineStep + 1));
  const value = sealRecord(key, columns);
  await level.write([{ key: applicationKey(key), value }]);
}
