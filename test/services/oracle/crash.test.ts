/**
 * Method: an oracle in a process of its own dies by SIGKILL at one point after another: on arrival
 * of a record, after its write, after its receipt, after signing a report, before and after the
 * chain takes it, before the answer is heard. Each next life goes on from the files. In the end no
 * receipted reading is lost, none is counted twice, and no slot was ever signed two ways.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ed25519PublicKey } from "../../../services/crypto/ed25519.ts";
import { sha256 } from "../../../services/crypto/hash.ts";
import { toHex } from "../../../services/primitives/bytes.ts";
import { openReceipt } from "../../../services/wire/receipt.ts";
import { decodeReportTransaction } from "../../../services/wire/report.ts";
import { ORACLE_KEYS, TestChain } from "./community.ts";
import {
  CRASH_POINTS,
  CRASH_SLOTS,
  crashGenesis,
  crashRecords,
  readHexLines,
} from "./crash-world.ts";

function live(directory: string, point: string, count: number): Promise<string | number | null> {
  const script = join(import.meta.dirname, "crash-child.ts");
  const child = spawn(process.execPath, ["--import", "tsx", script, directory, point, `${count}`], {
    stdio: ["ignore", "inherit", "inherit"],
  });
  return new Promise((resolve) => child.on("exit", (code, signal) => resolve(signal ?? code)));
}

test.each([
  { name: "each point at its first passage", counts: [1, 1, 1, 1, 1, 1, 1] },
  { name: "each point later on", counts: [5, 2, 3, 2, 1, 2, 1] },
])("$name: nothing lost, nothing twice, one statement a slot", async ({ counts }) => {
  const directory = mkdtempSync(join(tmpdir(), "gridlane-crash-"));
  const ends: (string | number | null)[] = [];
  for (const [i, point] of CRASH_POINTS.entries()) {
    ends.push(await live(directory, point, counts[i]!));
  }
  expect(ends).toEqual(CRASH_POINTS.map(() => "SIGKILL"));
  expect(await live(directory, "none", 0)).toBe(0);

  const lines = (name: string) => readHexLines(join(directory, name));
  const publicKey = ed25519PublicKey(ORACLE_KEYS.receiptSecretKey);
  const answers = new Map<string, Set<string>>(); // receipts by record
  for (const bytes of lines("receipts")) {
    const receipt = openReceipt({ bytes, publicKey });
    expect(receipt?.code).toBe(0);
    const record = toHex(receipt!.recordHash);
    answers.set(record, (answers.get(record) ?? new Set()).add(toHex(bytes)));
  }
  const sent = crashRecords().filter(({ sentInSlot }) => sentInSlot <= CRASH_SLOTS);
  expect([...answers.keys()].sort()).toEqual(sent.map((r) => toHex(sha256(r.payload))).sort());
  for (const receipts of answers.values()) expect(receipts.size).toBe(1);

  const statements = new Map<number, Set<string>>();
  for (const transaction of lines("submitted")) {
    const { report } = decodeReportTransaction(transaction);
    const bytes = statements.get(report.slot) ?? new Set();
    statements.set(report.slot, bytes.add(toHex(transaction)));
  }
  expect(statements.size).toBe(CRASH_SLOTS);
  for (const bytes of statements.values()) expect(bytes.size).toBe(1);

  const chain = new TestChain(crashGenesis());
  for (const transaction of lines("chain")) expect(chain.execute(transaction)).toBe(0);
  const registers = [0, 1, 2, 3].map((m) => {
    const own = sent.filter(({ meterIndex }) => meterIndex === m);
    return Math.max(...own.map(({ importWh }) => importWh));
  });
  expect(chain.importWh[0]).toEqual(registers);
  rmSync(directory, { recursive: true });
});
