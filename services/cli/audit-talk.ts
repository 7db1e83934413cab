/** How an audit talks: a bar while it works, and its report at the end. */
import type { AuditReport } from "../node/audit.ts";
import type { AuditProgress } from "../node/audit-run.ts";
import { print } from "./talk.ts";
import { currency, kwh } from "./words.ts";

/** Blocks between two lines of progress where stderr is no terminal. */
const BLOCKS_PER_LINE = 1000;
const BAR_CELLS = 30;
const SHOWN_CHARACTERS_MAX = 200;
/** How often a terminal's bar is drawn again, milliseconds. */
const REDRAW_MS = 200;

/** A bar that redraws itself on a terminal; a line now and then elsewhere. */
export function progressOn(
  stream: Pick<NodeJS.WriteStream, "isTTY" | "write">,
  nowMs: () => number = () => performance.now(),
): (progress: AuditProgress) => void {
  const startMs = nowMs();
  let drawnMs = Number.NEGATIVE_INFINITY;
  let first: AuditProgress | null = null;
  return (progress) => {
    first ??= progress;
    const { height, blocks, slots } = progress;
    const isLast = height >= blocks;
    if (!stream.isTTY) {
      const counts = `block ${height} of ${blocks}, ${slots} slots`;
      if (height % BLOCKS_PER_LINE === 0 || isLast) stream.write(`audit: ${counts}\n`);
      return;
    }
    const now = nowMs();
    if (now - drawnMs < REDRAW_MS && !isLast) return;
    drawnMs = now;
    stream.write(`\r${bar(progress, first, (now - startMs) / 1000)}${isLast ? "\n" : ""}`);
  };
}

/** One line: how far, how fast, how long still. */
function bar(
  { height, blocks, slots }: AuditProgress,
  first: AuditProgress,
  seconds: number,
): string {
  const cells = Math.floor((BAR_CELLS * height) / blocks);
  const done = height - first.height + 1;
  const leftS = Math.ceil(((blocks - height) * seconds) / done);
  const pace = seconds > 0 ? Math.round(slots / seconds) : 0;
  const left = leftS >= 60 ? `${Math.floor(leftS / 60)} min` : `${leftS} s`;
  const counts = `block ${height} of ${blocks}, ${slots} slots, ${pace} slots/s, ${left} left`;
  return `[${"#".repeat(cells).padEnd(BAR_CELLS, ".")}] ${counts}`.padEnd(100);
}

export function printReport(report: AuditReport): void {
  const { networkId, fromHeight, appHash, totals, unexecutedBlocks, divergence } = report;
  const { blocks, slots, transactions, refusedTransactions, certificates, bills } = totals;
  print(`network       ${networkId}`);
  if (fromHeight > 0) print(`trusted       the state of block ${fromHeight}, by its hash`);
  print(`blocks        ${blocks}, app hash ${appHash}`);
  if (unexecutedBlocks > 0) print("              the last one was not executed by the node yet");
  print(`slots         ${slots}`);
  print(`transactions  ${transactions}, ${refusedTransactions} of them refused`);
  print(`certificates  ${certificates}`);
  print(`bills         ${bills}`);
  const energy = [totals.importWh, totals.exportWh, totals.tradedWh].map((wh) => kwh(Number(wh)));
  print(`energy kWh    imported ${energy[0]}, exported ${energy[1]}, traded ${energy[2]}`);
  const money = [totals.membersUc, totals.retailerUc, totals.neighboursUc].map(currency);
  const institutions = [totals.gridOperatorUc, totals.treasuryUc].map(currency);
  print(`money         members ${money[0]}, retailer ${money[1]}, neighbours ${money[2]},`);
  print(`              grid operator ${institutions[0]}, treasury ${institutions[1]}`);
  if (divergence === null) {
    print("equal         every block, root, record and sum");
    return;
  }
  const { block, region, record, field, stored, computed } = divergence;
  print("DIVERGENCE");
  print(`  block       ${block}`);
  print(`  region      ${region ?? "–"}`);
  print(`  record      ${shown(record)}`);
  print(`  field       ${field}`);
  print(`  stored      ${shown(stored)}`);
  print(`  computed    ${shown(computed)}`);
}

/** What somebody else's node says must not move the reader's cursor, nor fill the screen. */
function shown(value: string): string {
  const text = value.replace(/[^\x20-\x7e]/g, "?");
  return text.length > SHOWN_CHARACTERS_MAX ? `${text.slice(0, SHOWN_CHARACTERS_MAX)}...` : text;
}
