/**
 * Method: each durability fault at each step of a block. A child process runs the chain until the
 * fault strikes right before the step, and on as long as it can; the file faults are then done to
 * copies of what a killed process left. The store is opened again here. Expected outcomes stand in
 * the table below, and the run prints them. After each: what was acknowledged is there, nothing is
 * there twice, and the rest of the plan leads to the app hash of a run that nobody disturbed; or
 * the store is refused with a code, where something acknowledged cannot be made again.
 */
import { spawn, spawnSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { STEPS, type Step } from "../../../../services/ordering/embedded/apply.ts";
import { GridError } from "../../../../services/primitives/errors.ts";
import { addTransaction } from "../../../support/counter-application.ts";
import { startCounterChain } from "../../../support/counter-chain.ts";
import {
  type ChildFault,
  chainDirectory,
  childClock,
  FILLER,
  planOf,
  setMode,
} from "../../../support/fault-child.ts";
import { temporaryDirectory } from "../../../support/temporary-directory.ts";

const CHILD = fileURLToPath(new URL("../../../support/fault-child.ts", import.meta.url));
const BLOCK = 3; // the fault strikes in this one; two are committed before it
const NOBODY = 65_534;
/** Names so long that each write needs space of its own. */
const PAGES = 10_000;
/** Names so long that LevelDB must begin new files every other block. */
const MEMTABLES = 2_500_000;

const OK = "unaffected";
const REPLAYED = "healed: 1 block replayed";
const CORRUPT = "refused database_corrupt";
const DISK = "refused disk_full, then ";
const DENIED = "refused permission_denied, then ";

/** By fault, in the order of STEPS. */
const EXPECTED = {
  //                              write_block  finalize  write_response  commit  write_state  ackn.
  "kill -9": [OK, REPLAYED, REPLAYED, REPLAYED, REPLAYED, OK],
  // Before write_block the last write is the commit of the block before; then the block itself.
  "torn last write": [REPLAYED, OK, OK, OK, OK, REPLAYED],
  "flipped bit in the last write": [REPLAYED, OK, OK, OK, OK, REPLAYED],
  "flipped bit before it": [CORRUPT, CORRUPT, CORRUPT, CORRUPT, CORRUPT, CORRUPT],
  "truncated file": [CORRUPT, CORRUPT, CORRUPT, CORRUPT, CORRUPT, CORRUPT],
  "full disk": [
    ...[`${DISK}${OK}`, `${DISK}${REPLAYED}`, `${DISK}${REPLAYED}`, `${DISK}${REPLAYED}`],
    ...[`${DISK}${REPLAYED}`, `${DISK}${OK}`],
  ],
  "permission lost": STEPS.map(() => DENIED),
  "clock gone backwards": STEPS.map(() => OK),
} as const;
type Fault = keyof typeof EXPECTED;

const outcomes = new Map<string, string>();
afterAll(() => {
  const width = Math.max(...Object.keys(EXPECTED).map((fault) => fault.length));
  const lines = Object.keys(EXPECTED).map((fault) => {
    const cells = STEPS.map((step) => `  ${step.padEnd(14)}  ${outcomes.get(fault + step) ?? "–"}`);
    return [fault.padEnd(width), ...cells].join("\n");
  });
  process.stdout.write(`\nfaults by step of a block\n${lines.join("\n")}\n\n`);
});

function record(fault: Fault, step: Step, outcome: string): void {
  outcomes.set(fault + step, outcome);
}

function expectedOf(fault: Fault, step: Step): string {
  return EXPECTED[fault][STEPS.indexOf(step)]!;
}

type Ran = { readonly acknowledged: readonly string[]; readonly ending: string };

async function runChild(
  directory: string,
  fault: ChildFault,
  { step, length, asNobody = false }: { step: Step; length: number; asNobody?: boolean },
): Promise<Ran> {
  const args = ["--import", "tsx", CHILD, directory, fault, step, String(BLOCK), String(length)];
  const as = asNobody ? { uid: NOBODY, gid: NOBODY } : {};
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"], ...as });
  let output = "";
  let errors = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    errors += text;
  });
  const signal = await new Promise<string | null>((resolve) => {
    child.once("close", (_, by) => resolve(by));
  });
  expect(errors).toBe("");
  const lines = output.split("\n").slice(0, -1);
  const acknowledged = lines.flatMap((line) => /^acknowledged (\S+) 0$/.exec(line)?.[1] ?? []);
  return { acknowledged, ending: signal ?? lines.at(-1)! };
}

/** App hash of a run that nobody disturbed, by length of names. */
const undisturbed = new Map<number, Uint8Array>();
beforeAll(async () => {
  for (const length of [1, PAGES, MEMTABLES]) {
    const directory = temporaryDirectory();
    const { appHash, outcome } = await finish(directory, { length, acknowledged: [] });
    expect(outcome).toBe(OK);
    undisturbed.set(length, appHash!);
  }
});

/** Opens the store, with the rest of the plan: what a restart found, and where it all ends. */
async function finish(
  directory: string,
  { length, acknowledged }: { length: number; acknowledged: readonly string[] },
): Promise<{ outcome: string; appHash: Uint8Array | null }> {
  let chain: Awaited<ReturnType<typeof startCounterChain>>;
  try {
    chain = await startCounterChain({ directory: chainDirectory(directory), clock: childClock() });
  } catch (failure) {
    if (!(failure instanceof GridError)) throw failure;
    return { outcome: `refused ${failure.code}`, appHash: null };
  }
  const { replayedBlocks, adoptedResponse, rebuiltBecause } = chain.recovery;
  expect(adoptedResponse).toBe(false);
  const blocks = replayedBlocks === 1 ? "1 block" : `${replayedBlocks} blocks`;
  let outcome = replayedBlocks === 0 ? OK : `healed: ${blocks} replayed`;
  if (rebuiltBecause !== null) outcome = `healed: rebuilt (${rebuiltBecause})`;
  const plan = planOf(length);
  for (const { name, amount } of plan) {
    const count = chain.application.count(name);
    expect([0, amount]).toContain(count);
    if (acknowledged.includes(name.slice(0, 2))) expect(count, name.slice(0, 2)).toBe(amount);
  }
  const missing = plan.filter(({ name }) => chain.application.count(name) === 0);
  for (const { name, amount } of missing) await chain.writer.submit(addTransaction(name, amount));
  const { appHash, height } = chain.reader.head();
  let timeS = 0;
  for (let at = 1; at <= height; at++) {
    const { header } = (await chain.reader.block(at))!;
    expect(header.timeS).toBeGreaterThanOrEqual(timeS);
    timeS = header.timeS;
  }
  await chain.close();
  return { outcome, appHash };
}

async function expectWhole(directory: string, ran: Ran, length: number): Promise<string> {
  const { outcome, appHash } = await finish(directory, { length, ...ran });
  if (appHash !== null) expect(appHash).toEqual(undisturbed.get(length));
  return outcome;
}

describe.each(STEPS)("before %s", (step) => {
  const length = 1;
  let killed = "";
  let ran: Ran;
  beforeAll(async () => {
    killed = temporaryDirectory();
    ran = await runChild(killed, "kill", { step, length });
    expect(ran.ending).toBe("SIGKILL");
    expect(ran.acknowledged.length).toBeGreaterThan(0);
    expect(ran.acknowledged.length).toBeLessThan(BLOCK);
  });

  test("kill -9", async () => {
    const copy = copyOf(killed);
    const outcome = await expectWhole(copy, ran, length);
    record("kill -9", step, outcome);
    expect(outcome).toBe(expectedOf("kill -9", step));
  });

  test.each([
    ["torn last write", (log: string) => truncateSync(log, statSync(log).size - 7)],
    ["flipped bit in the last write", (log: string) => flip(log, statSync(log).size - 12)],
    ["flipped bit before it", (log: string) => flip(log, Math.floor(statSync(log).size / 3))],
    ["truncated file", (log: string) => truncateSync(log, Math.floor(statSync(log).size / 3))],
  ] as const)("%s", async (fault, damage) => {
    const copy = copyOf(killed);
    damage(logOf(chainDirectory(copy)));
    const outcome = await expectWhole(copy, ran, length);
    record(fault, step, outcome);
    expect(outcome).toBe(expectedOf(fault, step));
  });

  test("clock gone backwards", async () => {
    const directory = temporaryDirectory();
    const went = await runChild(directory, "clock", { step, length });
    expect(went.ending).toBe("ended");
    const outcome = await expectWhole(directory, went, length);
    record("clock gone backwards", step, outcome);
    expect(outcome).toBe(expectedOf("clock gone backwards", step));
  });
});

function copyOf(directory: string): string {
  const copy = temporaryDirectory();
  cpSync(directory, copy, { recursive: true });
  return copy;
}

function logOf(directory: string): string {
  return join(directory, readdirSync(directory).find((name) => name.endsWith(".log"))!);
}

function flip(file: string, at: number): void {
  const bytes = readFileSync(file);
  bytes[at]! ^= 0x10;
  writeFileSync(file, bytes);
}

/** Only root may mount; elsewhere the row is skipped, visibly. */
const mountPoint = mountSmall();
afterAll(() => {
  if (mountPoint === null) return;
  // Lazily: another test's starting process may hold a copy of a descriptor for a moment.
  spawnSync("umount", ["--lazy", mountPoint]);
  rmSync(mountPoint, { recursive: true });
});

function mountSmall(): string | null {
  const directory = mkdtempSync(join(tmpdir(), "gridlane-full-"));
  const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", "size=8m", "tmpfs", directory]);
  if (mounted.status === 0) return directory;
  rmSync(directory, { recursive: true });
  return null;
}

describe.skipIf(mountPoint === null).each(STEPS)("full disk before %s", (step) => {
  test("full disk", async () => {
    const directory = join(mountPoint!, step);
    mkdirSync(directory);
    const ran = await runChild(directory, "full disk", { step, length: PAGES });
    const still = await finishUnderFault(directory);
    expect(still).toMatch(/^(refused disk_full|opened)$/);
    rmSync(join(directory, FILLER));
    const outcome = `${ran.ending}, then ${await expectWhole(directory, ran, PAGES)}`;
    rmSync(directory, { recursive: true });
    record("full disk", step, outcome);
    expect(outcome).toBe(expectedOf("full disk", step));
  });
});

/** A restart while the fault lasts: nothing may be broken by the attempt. */
async function finishUnderFault(directory: string): Promise<string> {
  try {
    const chain = await startCounterChain({ directory: chainDirectory(directory) });
    await chain.close();
    return "opened";
  } catch (failure) {
    if (!(failure instanceof GridError)) throw failure;
    return `refused ${failure.code}`;
  }
}

/**
 * Permissions bind everybody but root: root starts the child as nobody, where nobody can read the
 * program; else the row is skipped, visibly.
 */
const isRoot = process.getuid?.() === 0;
const canDrop = !isRoot || canRunAsNobody();

function canRunAsNobody(): boolean {
  const probe = ["--import", "tsx", "-e", `await import(${JSON.stringify(CHILD)})`];
  const as = { uid: NOBODY, gid: NOBODY };
  return spawnSync(process.execPath, probe, { ...as, stdio: "ignore" }).status === 0;
}

describe.skipIf(!canDrop).each(STEPS)("permission lost before %s", (step) => {
  test("permission lost", async () => {
    const directory = temporaryDirectory();
    if (isRoot) {
      chmodSync(directory, 0o755);
      chownSync(directory, NOBODY, NOBODY);
    }
    const options = { step, length: MEMTABLES, asNobody: isRoot };
    const ran = await runChild(directory, "permission", options);
    const again = await runChild(directory, "none", options);
    expect(again).toEqual({ acknowledged: [], ending: "refused permission_denied" });
    setMode(directory, { file: 0o644, directory: 0o755 });
    const after = await expectWhole(directory, ran, MEMTABLES);
    expect(after).toMatch(/^(unaffected|healed: 1 block replayed)$/);
    const outcome = `${ran.ending}, then ${after}`;
    record("permission lost", step, outcome);
    expect(outcome).toContain(expectedOf("permission lost", step));
  });
});
