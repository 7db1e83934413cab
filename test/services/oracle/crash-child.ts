/**
 * One life of an oracle for the crash tests, in a process of its own: `crash-child.ts <directory>
 * <point> <count>` sends every reading that has no receipt yet and kills itself (SIGKILL) when
 * `point` is passed for the count-th time. What a meter and a chain would remember stands in files.
 */
import { appendFileSync, existsSync } from "node:fs";
import { join } from "node:path";
import type { Submitted } from "../../../services/chain/access.ts";
import { sha256 } from "../../../services/crypto/hash.ts";
import { type OracleStep, startOracle } from "../../../services/oracle/oracle.ts";
import { openOracleStore } from "../../../services/oracle/store.ts";
import { toHex } from "../../../services/primitives/bytes.ts";
import { ManualClock } from "../../../services/primitives/clock.ts";
import type { UnixSeconds } from "../../../services/primitives/units.ts";
import { genesisHash } from "../../../services/wire/genesis.ts";
import { GENESIS_S, ORACLE_KEYS, SILENT, SLOT_S, TestChain } from "./community.ts";
import {
  CRASH_SLOTS,
  type CrashPoint,
  crashGenesis,
  crashRecords,
  readHexLines,
} from "./crash-world.ts";

const [directory = "", point = "", count = "0"] = process.argv.slice(2);
const file = (name: string) => join(directory, name);
const note = (name: string, bytes: Uint8Array) => appendFileSync(file(name), `${toHex(bytes)}\n`);

let passed = 0;
function pass(at: CrashPoint): void {
  if (at !== point || ++passed < Number(count)) return;
  process.kill(process.pid, "SIGKILL");
  for (;;); // the signal is on its way: nothing may happen any more
}

class FileChain extends TestChain {
  override async submit(transaction: Uint8Array): Promise<Submitted> {
    note("submitted", transaction);
    pass("submitting");
    const code = this.execute(transaction);
    if (code === 0) note("chain", transaction);
    pass("executed");
    return { code, info: "", hash: sha256(transaction), height: 1 };
  }
}

async function main(): Promise<void> {
  const genesis = crashGenesis();
  const chain = new FileChain(genesis);
  for (const transaction of readHexLines(file("chain"))) chain.execute(transaction);
  const receipted = new Set(readHexLines(file("receipted")).map(toHex));
  const reported = chain.reports[0]!.length;
  const clock = new ManualClock((GENESIS_S + reported * SLOT_S) as UnixSeconds);
  const hash = genesisHash(genesis);
  const store = await openOracleStore({ directory: file("store"), genesisHash: hash });
  const oracle = await startOracle({
    ...{ genesis, keys: ORACLE_KEYS, store, clock, chain, log: SILENT, startGraceS: 0 },
    publishReceipt: (_topic, bytes) => note("receipts", bytes),
    onStep: (step: OracleStep) => pass(step),
  });
  for (let slot = 1; slot <= CRASH_SLOTS; slot++) {
    clock.advanceTo((GENESIS_S + slot * SLOT_S) as UnixSeconds);
    const due = crashRecords().filter((record) => {
      return record.sentInSlot === slot && !receipted.has(toHex(sha256(record.payload)));
    });
    await Promise.all(
      due.map(async ({ topic, payload }) => {
        await oracle.ingest({ topic, payload });
        note("receipted", sha256(payload));
      }),
    );
    clock.advanceTo((GENESIS_S + slot * SLOT_S + genesis.oracle.cutoffS) as UnixSeconds);
    await oracle.tick();
  }
  await oracle.stop();
  await store.close();
}

if (!existsSync(directory)) throw new Error(`no directory ${directory}`);
await main();
